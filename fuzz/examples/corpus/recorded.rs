//! Messages from the tests of bgp-wire: recorded from FRR, BIRD, GoBGP, OpenBGPD and ExaBGP, written by hand, and hostile.

use bytes::BytesMut;

use bgp_wire::{Frame, MessageLimit, MessageType, PeerKind};

use crate::inputs::{Inputs, hex, selector};
use crate::{dialogue, read};

const RECORDED: [&str; 5] = ["frr", "bird", "gobgp", "openbgpd", "exabgp"];
const VARIANTS: [&str; 4] = ["", "-ibgp", "-as2", "-addpath"];

pub(crate) fn add(inputs: &mut Inputs) -> std::io::Result<()> {
    for router in RECORDED {
        for variant in VARIANTS {
            let text = read(&format!("bgp-wire/tests/captures/{router}{variant}.txt"))?;
            add_session(inputs, &text);
        }
    }
    for file in ["attributes", "messages", "routes"] {
        add_golden(inputs, &read(&format!("bgp-wire/tests/golden/{file}.txt"))?);
    }
    add_catalogue(inputs, &read("bgp-wire/tests/conformance/cases.txt")?);
    Ok(())
}

/// Adds a recorded session: each message, and the whole as the octets of the peer of a session.
fn add_session(inputs: &mut Inputs, text: &str) {
    let (mut chosen, mut stream) = (0, Vec::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line.split_once(' ') {
            Some(("context", words)) => chosen = selector(words),
            Some((_, octets)) => stream.extend(hex(octets)),
            None => {}
        }
    }
    inputs.add_stream(&stream, chosen);
    inputs.add_stream(&stream, chosen | 16);
    // The peer of the fuzz target has another AS number than the recorded speaker.
    let kind = if chosen & 2 != 0 {
        PeerKind::Internal
    } else {
        PeerKind::External
    };
    let renumbered = renumber(&stream, kind);
    dialogue::add_replay(inputs, &renumbered, kind, chosen & 8 != 0);
}

/// Replaces the AS number in each OPEN of a stream by the one that the fuzz target `session` expects.
fn renumber(stream: &[u8], kind: PeerKind) -> Vec<u8> {
    let asn: u16 = if kind == PeerKind::Internal {
        64512
    } else {
        64513
    };
    let mut rest = BytesMut::from(stream);
    let mut renumbered = Vec::new();
    while let Ok(Some(frame)) = Frame::split(&mut rest, MessageLimit::Extended) {
        let mut octets = frame.octets().to_vec();
        if frame.message_type() == MessageType::OPEN {
            octets[20..22].copy_from_slice(&asn.to_be_bytes());
            // The capability for four-octet AS numbers: its code, its length, the number 65000.
            let capability = [65, 4, 0, 0, 0xfd, 0xe8];
            let at = octets.windows(6).position(|window| window == capability);
            if let Some(at) = at {
                octets[at + 4..at + 6].copy_from_slice(&asn.to_be_bytes());
            }
        }
        renumbered.extend(octets);
    }
    renumbered
}

fn add_golden(inputs: &mut Inputs, text: &str) {
    for message in text.split("\n= ").skip(1) {
        let words = message
            .lines()
            .find_map(|line| line.strip_prefix("context "))
            .unwrap_or_default();
        if let Some((_, octets)) = message.split_once("\noctets\n") {
            let octets = octets.split("\n\n").next().unwrap_or_default();
            inputs.add_stream(&hex(octets), selector(words));
        }
    }
}

fn add_catalogue(inputs: &mut Inputs, text: &str) {
    for case in text.split("\n\n") {
        let internal = case
            .lines()
            .next()
            .is_some_and(|head| head.contains(" ibgp "));
        let chosen = if internal { 2 } else { 0 };
        let mut stream = Vec::new();
        for line in case.lines() {
            if let Some(("open" | "first" | "send" | "sentinel", octets)) = line.split_once(' ') {
                let octets = hex(octets);
                inputs.add_stream(&octets, chosen);
                stream.extend(octets);
            }
        }
        let kind = if internal {
            PeerKind::Internal
        } else {
            PeerKind::External
        };
        dialogue::add_replay(inputs, &stream, kind, false);
    }
}
