//! What the parsers of text share.

use core::str::FromStr;

/// A decimal number without a sign.
pub(crate) fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// Hex digits, two an octet and nothing between them, into all of `out`.
pub(crate) fn hex(text: &str, out: &mut [u8]) -> Option<()> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != out.len() {
        return None;
    }
    for (&[high, low], octet) in pairs.iter().zip(out) {
        *octet = hex_digit(high)? << 4 | hex_digit(low)?;
    }
    Some(())
}

fn hex_digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}
