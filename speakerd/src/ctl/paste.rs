//! Octets from text that people paste: plain hex, and the dumps of xxd, hexdump, tcpdump, Wireshark, ExaBGP, C and Go.
//!
//! Text in none of these forms is refused. Nothing is guessed, because a wrong guess would show a message that was never sent.

use super::packet;

/// Parses octets. Returns an error that names the text at fault and the accepted forms.
pub(super) fn parse(text: &str) -> Result<Vec<u8>, String> {
    // A byte order mark of an editor on Windows is no part of the text.
    let text = text.trim_start_matches('\u{feff}').trim();
    let octets = if text.contains("TCP payload (") {
        exabgp(text)
    } else if text.contains("\\x") {
        escaped(text)
    } else if let Some(list) = bracketed(text) {
        decimals(list)
    } else if is_dump(text) {
        dump(text)
    } else {
        plain(text)
    }?;
    if octets.is_empty() {
        return Err("no octets".to_owned());
    }
    Ok(octets)
}

/// The forms that [`parse`] accepts, for messages.
const FORMS: &str = "give a message as ffffffffffffffffffffffffffffffff001304, as a dump of xxd, hexdump -C, tcpdump -x or \
                     Wireshark, as \\xff\\xff, or as decimals in brackets";

/// Parses hex digits with white space, colons and commas between octets, and `0x` before them.
fn plain(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || c == ':' || c == ',') {
        word_octets(word, &mut octets)?;
    }
    Ok(octets)
}

/// Appends the octets of a word of hex digits, which may begin with `0x`.
fn word_octets(word: &str, octets: &mut Vec<u8>) -> Result<(), String> {
    let digits = word.strip_prefix("0x").unwrap_or(word);
    if let Some(wrong) = digits.chars().find(|digit| !digit.is_ascii_hexdigit()) {
        let at = octets.len();
        return Err(format!(
            "{wrong:?} after octet {at} is not a hex digit; {FORMS}"
        ));
    }
    // An odd word is a decimal number, an offset or a typing error. Joined with the next, it would shift every octet.
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return Err(format!("odd number of hex digits in {word:?}; {FORMS}"));
    };
    for pair in pairs {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        octets.extend(u8::from_str_radix(pair, 16));
    }
    Ok(())
}

/// Parses lines of ExaBGP's log: `received complete TCP payload (  19) FFFF ...`.
fn exabgp(text: &str) -> Result<Vec<u8>, String> {
    let payloads = || {
        text.lines()
            .filter_map(|line| line.split_once("TCP payload ("))
    };
    // ExaBGP logs the parts of a message, and then the whole of it once more.
    let any_complete = payloads().any(|(before, _)| before.ends_with("complete "));
    let mut octets = Vec::new();
    for (before, after) in payloads() {
        if any_complete && !before.ends_with("complete ") {
            continue;
        }
        let (length, digits) = after
            .split_once(')')
            .ok_or("incomplete line of ExaBGP's log")?;
        let start = octets.len();
        octets.extend(plain(digits)?);
        let found = octets.len() - start;
        if length.trim().parse() != Ok(found) {
            return Err(format!(
                "TCP payload of {} octets in the log of ExaBGP has {found}",
                length.trim()
            ));
        }
    }
    Ok(octets)
}

/// Parses `\xff` escapes. Inside quotes, other characters stand for themselves, as Python writes them.
fn escaped(text: &str) -> Result<Vec<u8>, String> {
    let (mut octets, mut quote, mut quoted) = (Vec::new(), None, false);
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let at = octets.len();
        match character {
            '\\' => escape(&mut rest, &mut octets)?,
            '"' | '\'' if quote.is_none() => (quote, quoted) = (Some(character), true),
            _ if quote == Some(character) => quote = None,
            _ if quote.is_some() && character.is_ascii() => {
                octets.extend(u8::try_from(character));
            }
            // The prefix of a string in Python.
            'b' if matches!(rest.peek(), Some('"' | '\'')) => {}
            '\n' | '\r' => {}
            // Without quotes these could be octets.
            ' ' | '\t' | ';' | ',' if quoted => {}
            _ => {
                return Err(format!(
                    "{character:?} after octet {at} is not an escape; {FORMS}"
                ));
            }
        }
    }
    Ok(octets)
}

/// Parses an escape after its backslash.
fn escape(rest: &mut impl Iterator<Item = char>, octets: &mut Vec<u8>) -> Result<(), String> {
    match rest.next() {
        Some('x') => {
            let digits: String = rest.take(2).collect();
            return word_octets(&digits, octets);
        }
        Some('n') => octets.push(b'\n'),
        Some('r') => octets.push(b'\r'),
        Some('t') => octets.push(b'\t'),
        Some(same @ ('\\' | '\'' | '"')) => octets.extend(u8::try_from(same)),
        // A backslash at the end of a line continues a string.
        Some('\n' | '\r') | None => {}
        Some(other) => {
            let at = octets.len();
            return Err(format!(
                "unknown escape \\{other} after octet {at}; {FORMS}"
            ));
        }
    }
    Ok(())
}

/// Returns the items between brackets or braces: `[255 0]`, `[]byte{0xff, 0}`, `{0xff, 0}`. `None` for another text.
fn bracketed(text: &str) -> Option<&str> {
    let text = text.strip_prefix("[]byte").unwrap_or(text);
    let text = text.trim_end_matches(';');
    let list = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    list('[', ']').or_else(|| list('{', '}'))
}

/// Parses a list of decimal octets, or of hex ones with `0x`.
fn decimals(list: &str) -> Result<Vec<u8>, String> {
    list.split(|c: char| c.is_whitespace() || c == ',')
        .filter(|item| !item.is_empty())
        .map(|item| {
            let octet = match item.strip_prefix("0x") {
                Some(digits) => u8::from_str_radix(digits, 16),
                None => item.parse(),
            };
            octet.map_err(|_| {
                format!("{item:?} in brackets is no octet; write 0 to 255 there, or 0x00 to 0xff")
            })
        })
        .collect()
}

/// A line of a dump: its offset and the text after it.
type Line<'a> = (Offset<'a>, &'a str);

/// The digits in front of a line of a dump.
#[derive(Clone, Copy)]
struct Offset<'a> {
    digits: &'a str,
    /// A colon follows, as from xxd and tcpdump.
    colon: bool,
}

impl Offset<'_> {
    /// Returns `true` if the offset equals `octets`.
    fn is_at(self, octets: usize) -> bool {
        // Only `od` counts in octal, and only it writes seven digits without a colon. If both radixes were tried, a lost line
        // could go unnoticed: 0020 is 32 or 16.
        let is_octal = self.digits.len() == 7 && !self.colon;
        let radix = if is_octal { 8 } else { 16 };
        usize::from_str_radix(self.digits, radix) == Ok(octets)
    }
}

/// Splits a line of a dump: an offset of at least four digits, and a colon or white space. `None` for other lines.
fn split(line: &str) -> Option<Line<'_>> {
    let line = line.trim();
    let bare = line.strip_prefix("0x").unwrap_or(line);
    let end = bare
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(bare.len());
    let (digits, rest) = bare.split_at(end);
    let (colon, rest) = match rest.strip_prefix(':') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    // Octets with colons between them also begin with digits and a colon.
    let separated = rest.is_empty() || rest.starts_with(char::is_whitespace);
    (digits.len() >= 4 && separated).then_some((Offset { digits, colon }, rest))
}

/// Returns `true` if the text is a dump: the first line that could begin with an offset does, and no octets precede it.
fn is_dump(text: &str) -> bool {
    let mut lines = text.lines();
    let first = lines.find(|line| split(line).is_some() || is_hex(line));
    first.and_then(split).is_some_and(|(offset, rest)| {
        let zero = offset.digits.chars().all(|digit| digit == '0');
        let word = rest.split_whitespace().next();
        // Without a colon, words of four digits could be plain hex, or the swapped octets of hexdump without -C.
        offset.colon || (zero && word.is_some_and(|word| word.len() == 2))
    })
}

/// Returns `true` if a line has hex digits, and nothing else but separators of octets.
fn is_hex(line: &str) -> bool {
    let is_separator = |c: char| c.is_whitespace() || c == ':' || c == ',';
    line.contains(|c: char| c.is_ascii_hexdigit())
        && line
            .chars()
            .all(|c| c.is_ascii_hexdigit() || is_separator(c))
}

/// Parses the lines of a dump. Each offset has to be the number of octets before it; 0 begins the next packet.
fn dump(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut packet: Vec<u8> = Vec::new();
    for line in text.lines() {
        if line.trim() == "*" {
            return Err("`*` stands for lines that are left out; dump with hexdump -v".to_owned());
        }
        let Some((offset, rest)) = split(line) else {
            // Lines between packets, such as those of tcpdump, have no offset. Octets without one may have lost it.
            if is_hex(line) {
                let line = line.trim();
                return Err(format!("line {line:?} has no offset; paste the dump whole"));
            }
            continue;
        };
        if offset.is_at(0) {
            octets.extend_from_slice(packet::payload(&packet));
            packet.clear();
        }
        if !offset.is_at(packet.len()) {
            return Err(format!(
                "offset {} after {} octets; paste the dump whole",
                offset.digits,
                packet.len()
            ));
        }
        columns(rest, offset.colon, &mut packet)?;
    }
    octets.extend_from_slice(packet::payload(&packet));
    Ok(octets)
}

/// Appends the octets of a line of a dump, without the column of characters after them.
fn columns(line: &str, colon: bool, octets: &mut Vec<u8>) -> Result<(), String> {
    let start = octets.len();
    let mut rest = line.trim();
    // hexdump -C puts the characters between bars.
    if let Some((hex, _)) = rest.split_once('|') {
        rest = hex.trim();
    }
    while !rest.is_empty() {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        word_octets(word, octets)?;
        let next = after.trim_start();
        let gap = after.len() - next.len();
        // Two spaces or more end the octets. In the middle of a line, hexdump and Wireshark may also have two.
        let middle = !colon && octets.len() == start + 8;
        if gap > 2 || (gap == 2 && !middle) {
            break;
        }
        rest = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEPALIVE: &[u8] = &bgp_wire::KEEPALIVE;

    /// An OPEN of 57 octets, which takes four lines of a dump.
    const OPEN: &str = "ffffffffffffffffffffffffffffffff00390104fde900b4c00002011c021a0104000100010104000200010200\
                        4002c07841040000fde94600";

    #[test]
    fn plain_hex_is_read_with_any_separators() {
        for text in [
            "ff00 13",
            "0xff 0x00 0x13",
            "ff:00:13",
            "FF\n00\t13",
            "ff, 00, 13",
            "\u{feff}ff0013\r\n",
        ] {
            assert_eq!(parse(text).unwrap(), [0xff, 0, 0x13], "{text}");
        }
        // Zeros at the start of a later line are octets.
        for marker in [
            "ffffffff ".repeat(4),
            "ff ".repeat(16),
            "ff:".repeat(15) + "ff",
        ] {
            let lines = format!("{marker}\n00 17 02\n0000 00 00");
            assert_eq!(parse(&lines).unwrap().len(), 23, "{lines}");
        }
    }

    #[test]
    fn pasted_keepalive_is_read_in_every_form() {
        let marker = ["ff"; 16].join(" ");
        let decimals = ["255"; 16].join(" ");
        let escapes = "\\xff".repeat(16);
        let words = ["ffff"; 8].join(" ");
        let halves = format!("{0}  {0}", ["ff"; 8].join(" "));
        let dots = "................";
        for text in [
            format!("0000   {marker}\n0010   00 13 04"),
            format!(
                "0000   {marker}   {dots}\n0010   00 13 04{}...",
                " ".repeat(42)
            ),
            format!("0000  {halves}   ........ ........\n0010  00 13 04"),
            format!(
                "00000000  {halves}  |{dots}|\n00000010  00 13 04{}|...|\n00000013",
                " ".repeat(41)
            ),
            format!("0000000 {marker}\n0000020 00 13 04\n0000023"),
            format!("\t0x0000:  {words}\n\t0x0010:  0013 04"),
            format!(
                "\t0x0000:  {words}  {dots}\n\t0x0010:  0013 04{}...",
                " ".repeat(34)
            ),
            format!(
                "00000000: {words}  {dots}\n00000010: 0013 04{}...",
                " ".repeat(34)
            ),
            format!("0000000: {words} 0013 04{}{dots}...", " ".repeat(34)),
            format!(
                "00000000: {marker}  {dots}\n00000010: 00 13 04{}...",
                " ".repeat(41)
            ),
            format!(
                "16:53:09 | 21464  | incoming-1    | received complete TCP payload (  19) {words} 0013 04"
            ),
            format!("{escapes}\\x00\\x13\\x04"),
            format!("b'{escapes}\\x00\\x13\\x04'"),
            format!("\"{escapes}\" \\\n\"\\x00\\x13\\x04\";"),
            format!("[{decimals} 0 19 4]"),
            format!("[]byte{{{}0x0, 0x13, 0x4}}", "0xff, ".repeat(16)),
            format!("{{{}0x00, 0x13, 0x04}};", "0xff, ".repeat(16)),
        ] {
            assert_eq!(parse(&text).unwrap(), KEEPALIVE, "{text}");
        }
    }

    #[test]
    fn dump_of_several_lines_is_read() {
        let dump = "\
0000000: ffff ffff ffff ffff ffff ffff ffff ffff  ................
0000010: 0039 0104 fde9 00b4 c000 0201 1c02 1a01  .9..............
0000020: 0400 0100 0101 0400 0200 0102 0040 02c0  .............@..
0000030: 7841 0400 00fd e946 00                   xA.....F.";
        assert_eq!(parse(dump).unwrap(), parse(OPEN).unwrap());
    }

    #[test]
    fn dump_with_a_lost_line_is_refused() {
        // Both would be whole with the offset read in octal: 0o20 is 16.
        let marker = ["ff"; 16].join(" ");
        for text in [
            format!("0000   {marker}\n0020   00 13 04"),
            format!("00000000  {marker}\n00000020  00 13 04\n00000023"),
            format!("0000000 {marker}\n0000040 00 13 04\n0000043"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.contains("0 after 16 octets"), "{error}");
        }
        // The offset of the second line is lost.
        let text = format!("0000   {marker}\n   00 13 04\n");
        let error = parse(&text).unwrap_err();
        assert_eq!(
            error,
            "line \"00 13 04\" has no offset; paste the dump whole"
        );
    }

    #[test]
    fn characters_inside_quotes_stand_for_themselves() {
        assert_eq!(parse(r"b'\xff;A \n'").unwrap(), b"\xff;A \n");
    }

    #[test]
    fn parts_of_a_message_in_the_log_of_exabgp_are_read_once() {
        let log = "1 | received TCP payload (   2) FF00\n2 | received complete TCP payload (   3) FF00 13";
        assert_eq!(parse(log).unwrap(), [0xff, 0, 0x13]);
    }

    #[test]
    fn packets_are_read_without_their_headers() {
        let ip = "4500 003b 0000 4000 4006 0000 0a00 0001 0a00 0002";
        let tcp = "00b3 c000 0000 0001 0000 0001 5018 ffff 0000 0000";
        let message = "ffff ffff ffff ffff ffff ffff ffff ffff 0013 04";
        let dump = |octets: &str| {
            let digits: String = octets.split_whitespace().collect();
            let lines = digits.as_bytes().chunks(32).enumerate();
            lines.fold(String::new(), |text, (line, digits)| {
                let digits = digits
                    .chunks(4)
                    .map(|word| std::str::from_utf8(word).unwrap());
                let words: Vec<_> = digits.collect();
                format!("{text}\t0x{:04x}:  {}\n", line * 16, words.join(" "))
            })
        };
        let packet = format!("{ip} {tcp} {message}");
        let ethernet = "0200 0000 0001 0200 0000 0002 0800";
        for text in [
            dump(&packet),
            dump(&format!("{ethernet} {packet}")),
            // Ethernet pads short frames.
            dump(&format!("{packet} 0000 0000")),
        ] {
            assert_eq!(parse(&text).unwrap(), KEEPALIVE, "{text}");
        }
        let heading =
            "12:00:00.000000 IP 10.0.0.1.179 > 10.0.0.2.49152: Flags [P.], length 19: BGP\n";
        let two = [heading, &dump(&packet), heading, &dump(&packet)].concat();
        assert_eq!(parse(&two).unwrap(), [KEEPALIVE, KEEPALIVE].concat());
    }

    #[test]
    fn text_in_no_known_form_is_refused() {
        for (text, error) in [
            ("ff0", "odd number of hex digits in \"ff0\""),
            ("fg", "'g' after octet 0 is not a hex digit"),
            (" ", "no octets"),
            // Decimals without brackets, and the swapped words of hexdump without -C.
            ("255 255 0 19 4", "odd number of hex digits in \"255\""),
            (
                "0000000 ffff ffff\n0000004 1300",
                "odd number of hex digits in \"0000000\"",
            ),
            ("0000: ffff\n0004: 0013", "offset 0004 after 2 octets"),
            ("7ffe4c0: ffff", "offset 7ffe4c0 after 0 octets"),
            (
                "00000000  ff ff\n*\n00000020  00",
                "`*` stands for lines that are left out",
            ),
            ("[255 256]", "\"256\" in brackets is no octet"),
            ("[ff ff]", "\"ff\" in brackets is no octet"),
            (r"\xff\x0", "odd number of hex digits in \"0\""),
            (r"\xff\0", "unknown escape \\0 after octet 1"),
            (r"\xff;\x00", "';' after octet 1 is not an escape"),
            (
                "| received TCP payload (   3) FF00",
                "TCP payload of 3 octets in the log of ExaBGP has 2",
            ),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.starts_with(error), "{text}: {found}");
        }
    }
}
