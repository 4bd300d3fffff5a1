//! Runs the example programs that need no router, as a user does.

#![cfg(test)]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use speakerd_testkit::ChildGuard;

type Outcome = Result<(), Box<dyn Error>>;

/// A whole UPDATE, as MetalLB sends it: 192.168.10.1/32 with LOCAL_PREF 0.
const UPDATE: &str = "ffffffffffffffffffffffffffffffff0031020000001540010102400200400304c0a8006f400504000000\
                      0020c0a80a01";

fn octets(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Runs a program to its end and returns its standard output.
fn output(program: &str, arguments: &[&str], input: &[u8]) -> Result<String, Box<dyn Error>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .ok_or("no standard input")?
        .write_all(input)?;
    let output = child.wait_with_output()?;
    assert!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn decode_points_at_invalid_octets() -> Outcome {
    let text = output(env!("CARGO_BIN_EXE_decode"), &[UPDATE], b"")?;
    assert!(
        text.contains("   44..49      announced  192.168.10.1/32\n"),
        "{text}"
    );
    // An ORIGIN of 7 is undefined, which RFC 7606 section 7.1 treats as a withdrawal.
    let bad = UPDATE.replace("40010102", "40010107");
    let text = output(env!("CARGO_BIN_EXE_decode"), &[&bad], b"")?;
    assert!(
        text.contains("at octets 23..27: treat-as-withdraw\n"),
        "{text}"
    );
    assert!(text.ends_with("^^ ^^ ^^ ^^\n"), "{text}");
    Ok(())
}

#[test]
fn mrt_prints_routes_of_update_records() -> Outcome {
    let message = octets(UPDATE);
    // Record type 16 is BGP4MP and 17 is BGP4MP_ET, with microseconds; subtype 4 is BGP4MP_MESSAGE_AS4.
    let record = |kind: u16, microseconds: &[u8]| {
        let peers = octets(
            "0000fde90000fde8 0000 0001 0a630102 0a630001"
                .replace(' ', "")
                .as_str(),
        );
        let body = [microseconds, &peers, &message].concat();
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [
            &[0, 0, 0, 5],
            &kind.to_be_bytes()[..],
            &[0, 4],
            &length,
            &body,
        ]
        .concat()
    };
    // A record of another type (13, TABLE_DUMP_V2) must be skipped by its length.
    let other = [&[0, 0, 0, 5, 0, 13, 0, 1, 0, 0, 0, 2][..], &[7, 7]].concat();
    let file = [record(16, &[]), other, record(17, &[0, 0, 0, 9])].concat();
    let text = output(env!("CARGO_BIN_EXE_mrt"), &[], &file)?;
    // The line ends with the AS path, which is empty here.
    assert_eq!(text, "5 + ipv4 unicast 192.168.10.1/32 \n".repeat(2));
    Ok(())
}

#[test]
fn mrt_refuses_files_with_a_cut_or_impossible_record() -> Outcome {
    for (file, error) in [
        // A length field of 4 GiB.
        ("000000000010 0001 ffffffff", "longer than a BGP message"),
        ("000000000010", "ends inside a header"),
        ("000000000010 0004 00000003 0102", "ends inside a record"),
        ("00000000000d 0001 00000003 0102", "ends inside a record"),
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mrt"))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        input.write_all(&octets(&file.replace(' ', "")))?;
        drop(input);
        let output = child.wait_with_output()?;
        assert!(!output.status.success(), "{file}");
        let text = String::from_utf8(output.stderr)?;
        assert!(text.contains(error), "{file}: {text}");
    }
    Ok(())
}

#[test]
fn flowspec_update_decodes_to_same_rule() -> Outcome {
    let rule = "64512 destination 192.0.2.1/32 protocol =udp source-port =53";
    let arguments: Vec<_> = rule.split(' ').collect();
    let hex = output(env!("CARGO_BIN_EXE_flowspec"), &arguments, b"")?;
    let text = output(env!("CARGO_BIN_EXE_decode"), &[hex.trim()], b"")?;
    assert!(
        text.contains("announced  destination 192.0.2.1/32 protocol =udp source-port =53\n"),
        "{text}"
    );
    assert!(
        text.contains("EXTENDED COMMUNITIES  discard:64512  "),
        "{text}"
    );
    Ok(())
}

#[test]
fn tap_forwards_and_prints_both_directions() -> Outcome {
    let speaker = TcpListener::bind("127.0.0.1:0")?;
    let address = speaker.local_addr()?.to_string();
    let mut tap = Command::new(env!("CARGO_BIN_EXE_tap"));
    tap.args(["127.0.0.1:0", &address]).stdout(Stdio::piped());
    let mut tap = ChildGuard::spawn(&mut tap);
    let mut lines = BufReader::new(tap.child().stdout.take().ok_or("no output")?).lines();
    let listening = lines.next().ok_or("no address")??;
    let listening = listening
        .strip_prefix("listening on ")
        .ok_or("no address")?;
    let mut caller = TcpStream::connect(listening)?;
    let (mut called, _) = speaker.accept()?;
    caller.write_all(&octets(UPDATE))?;
    let mut forwarded = [0; 49];
    called.read_exact(&mut forwarded)?;
    assert_eq!(forwarded[..], octets(UPDATE));
    called.write_all(&bgp_wire::KEEPALIVE)?;
    let mut forwarded = [0; 19];
    caller.read_exact(&mut forwarded)?;
    let printed: Vec<_> = lines.by_ref().take(3).collect::<Result<_, _>>()?;
    assert_eq!(
        printed,
        [
            "> UPDATE of 49 octets",
            "  + ipv4 unicast 192.168.10.1/32",
            "< KEEPALIVE of 19 octets"
        ]
    );
    Ok(())
}

#[test]
fn in_memory_speakers_exchange_route() -> Outcome {
    let text = output(env!("CARGO_BIN_EXE_in_memory"), &[], b"")?;
    assert_eq!(text, "192.168.0.111 announces 192.168.10.1/32\n");
    Ok(())
}

#[test]
fn virtual_day_is_short_and_the_same_in_every_run() -> Outcome {
    let text = output(env!("CARGO_BIN_EXE_virtual_time"), &[], b"")?;
    let lines: Vec<_> = text.lines().collect();
    let [
        node_up,
        router_up,
        down,
        also_down,
        again,
        also_again,
        count,
    ] = lines.as_slice()
    else {
        return Err(text.into());
    };
    for up in [node_up, router_up] {
        assert!(up.starts_with("00:00:00 ") && up.ends_with(" up"), "{up}");
    }
    // The hold time is 90 s, and the last KEEPALIVE came at most 30 s before the cable was cut.
    for down in [down, also_down] {
        assert!(down.starts_with("12:01:"), "{down}");
        assert!(down.contains("Hold Timer Expired"), "{down}");
    }
    for up in [again, also_again] {
        assert!(up.starts_with("13:0") && up.ends_with(" up"), "{up}");
    }
    assert!(count.ends_with(" KEEPALIVEs and 2 routes"), "{count}");
    assert_eq!(output(env!("CARGO_BIN_EXE_virtual_time"), &[], b"")?, text);
    Ok(())
}
