//! Helpers for tests that are tables of octets.

use bgp_wire::{Context, Frame, Message, MessageLimit, Update};
use bytes::Bytes;

/// Parses octets from hex. White space, and the rest of a line after `#`, is ignored.
#[allow(dead_code, reason = "some tests have no octets in hex")]
#[allow(
    clippy::allow_attributes,
    reason = "expect would fail in the tables that use it"
)]
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().chars())
        .filter(|character| !character.is_whitespace())
        .map(|digit| u8::try_from(digit.to_digit(16).expect("a hex digit")).unwrap())
        .collect();
    // `chunks` would silently drop the last digit.
    assert!(
        digits.len().is_multiple_of(2),
        "odd number of hex digits in {text:?}"
    );
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// Returns a message of this type and body.
#[allow(dead_code, reason = "the golden messages are whole")]
#[allow(
    clippy::allow_attributes,
    reason = "expect would fail in the tables that use it"
)]
pub(crate) fn message(message_type: u8, body: &[u8]) -> Bytes {
    let length = u16::try_from(19 + body.len()).unwrap().to_be_bytes();
    [&[0xff; 16], &length[..], &[message_type], body]
        .concat()
        .into()
}

/// Returns the frame of a message.
pub(crate) fn frame(octets: impl Into<Bytes>) -> Frame {
    // Extended, so that the limit is never the reason for a failure.
    Frame::from_bytes(octets.into(), MessageLimit::Extended).expect("a legal header")
}

/// Decodes the UPDATE in a frame.
#[allow(dead_code, reason = "some tests have no UPDATEs")]
#[allow(
    clippy::allow_attributes,
    reason = "expect would fail in the tables that use it"
)]
pub(crate) fn update<'a>(frame: &'a Frame, context: &'a Context) -> Update<'a> {
    match frame.decode(context) {
        Ok(Message::Update(update)) => update,
        other => panic!("not an UPDATE: {other:?}"),
    }
}
