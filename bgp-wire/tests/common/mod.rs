//! What the byte tables share.

use bgp_wire::{Context, Frame, Message, MessageLimit, Update};
use bytes::Bytes;

/// Octets from hex; white space and everything behind `#` in a line is not looked at.
#[allow(dead_code, reason = "not every table is of octets")]
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
    assert!(digits.len().is_multiple_of(2), "half an octet in {text:?}");
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// A whole message from its type and body.
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

/// The frame of a whole message.
pub(crate) fn frame(octets: impl Into<Bytes>) -> Frame {
    Frame::from_bytes(octets.into(), MessageLimit::Extended).expect("a legal header")
}

/// The UPDATE in a frame.
#[allow(dead_code, reason = "not every table is about UPDATEs")]
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
