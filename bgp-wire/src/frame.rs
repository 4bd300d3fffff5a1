//! `Frame`: one whole message whose header was checked (RFC 4271 sections 4.1 and 6.1).
//!
//! The only type that owns `Bytes`. Views borrow from it; [`Frame::slice_ref`] re-owns a part in O(1).

use bytes::{Bytes, BytesMut};

use crate::context::MessageLimit;
use crate::error::DecodeError;
use crate::iana::MessageType;
use crate::reason::Reason;

/// One whole BGP message, marker included, whose marker, length and type are legal.
///
/// ```
/// # use bytes::BytesMut;
/// use bgp_wire::{Frame, MessageLimit, MessageType};
/// let mut received = BytesMut::from(&[[0xff; 16].as_slice(), &[0, 19, 4], &[0xff]].concat()[..]);
/// let frame = Frame::split(&mut received, MessageLimit::Standard)?.expect("a whole message");
/// assert_eq!(frame.message_type(), MessageType::KEEPALIVE);
/// assert_eq!(received.len(), 1, "the next message stays");
/// # Ok::<(), bgp_wire::DecodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// Octets of the header: marker, length, type.
    pub const HEADER_LENGTH: usize = 19;

    /// Takes the first message off `buffer`, or `None` if it is not all there yet.
    ///
    /// The header is judged as soon as its octets are there: garbage and impossible lengths do not wait for a body.
    ///
    /// # Errors
    ///
    /// The header is illegal (RFC 4271 section 6.1). The buffer is as it was; the connection cannot go on.
    pub fn split(buffer: &mut BytesMut, limit: MessageLimit) -> Result<Option<Self>, DecodeError> {
        let Some(length) = check_header(buffer, limit)? else {
            return Ok(None);
        };
        if buffer.len() < length {
            return Ok(None);
        }
        Ok(Some(Self(buffer.split_to(length).freeze())))
    }

    /// The frame that is exactly `octets`.
    ///
    /// # Errors
    ///
    /// The header is illegal, or its length is not that of `octets`.
    pub fn from_bytes(octets: Bytes, limit: MessageLimit) -> Result<Self, DecodeError> {
        match check_header(&octets, limit)? {
            Some(length) if length == octets.len() => Ok(Self(octets)),
            _ => Err(bad_length()),
        }
    }

    /// The type of the message.
    #[must_use]
    pub fn message_type(&self) -> MessageType {
        debug_assert!(self.0.len() >= Self::HEADER_LENGTH, "check_header ran");
        MessageType(self.0.get(18).copied().unwrap_or_default())
    }

    /// The whole message.
    #[must_use]
    #[inline]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// The part behind the header.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        debug_assert!(self.0.len() >= Self::HEADER_LENGTH, "check_header ran");
        self.0.get(Self::HEADER_LENGTH..).unwrap_or_default()
    }

    /// Owns a part of this message without copying it.
    ///
    /// # Panics
    ///
    /// If `part` is not a part of this frame.
    #[must_use]
    pub fn slice_ref(&self, part: &[u8]) -> Bytes {
        self.0.slice_ref(part)
    }
}

impl From<Frame> for Bytes {
    fn from(frame: Frame) -> Self {
        frame.0
    }
}

/// The length of the message that starts `octets`, `None` while the header is not all there.
#[inline(always)]
pub(crate) fn check_header(
    octets: &[u8],
    limit: MessageLimit,
) -> Result<Option<usize>, DecodeError> {
    match octets.split_first_chunk() {
        // As one number: a pattern is compared octet by octet.
        Some((marker, &[high, low, message_type, ..]))
            if u128::from_ne_bytes(*marker) == MARKER =>
        {
            let length = u16::from_be_bytes([high, low]).into();
            // Most messages are UPDATEs, and most of them short.
            if message_type == MessageType::UPDATE.0 && (23..=4096).contains(&length) {
                return Ok(Some(length));
            }
            check_length(length, MessageType(message_type), limit).map(Some)
        }
        _ => check_start(octets),
    }
}

/// The sixteen octets in front of every message.
const MARKER: u128 = u128::MAX;

/// What is not a whole header: its start, or something else.
#[cold]
fn check_start(octets: &[u8]) -> Result<Option<usize>, DecodeError> {
    let marker = octets.get(..16).unwrap_or(octets);
    match marker.iter().position(|octet| *octet != 0xff) {
        None => Ok(None),
        Some(position) => Err(DecodeError::new(
            Reason::CONNECTION_NOT_SYNCHRONIZED,
            position,
            marker.len(),
        )),
    }
}

/// The length, if a message of this type may have it.
fn check_length(
    length: usize,
    message_type: MessageType,
    limit: MessageLimit,
) -> Result<usize, DecodeError> {
    // RFC 8654 section 4: OPEN and KEEPALIVE stay within 4096 octets.
    let (min, max) = match message_type {
        MessageType::OPEN => (29, MessageLimit::Standard.octets()),
        MessageType::UPDATE | MessageType::ROUTE_REFRESH => (23, limit.octets()),
        MessageType::NOTIFICATION => (21, limit.octets()),
        MessageType::KEEPALIVE => (19, 19),
        _ if (Frame::HEADER_LENGTH..=limit.octets()).contains(&length) => {
            return Err(DecodeError::new(Reason::BAD_MESSAGE_TYPE, 18, 19));
        }
        _ => return Err(bad_length()),
    };
    if length < min || length > max {
        Err(bad_length())
    } else {
        Ok(length)
    }
}

pub(crate) fn bad_length() -> DecodeError {
    DecodeError::new(Reason::BAD_MESSAGE_LENGTH, 16, 18)
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    fn header(length: u16, message_type: u8) -> Vec<u8> {
        [
            [0xff; 16].as_slice(),
            &length.to_be_bytes(),
            &[message_type],
        ]
        .concat()
    }

    fn split(octets: &[u8], limit: MessageLimit) -> Result<Option<Frame>, DecodeError> {
        Frame::split(&mut BytesMut::from(octets), limit)
    }

    #[test]
    fn lengths_by_type() {
        use MessageLimit::{Extended, Standard};
        let verdicts = [
            (18, 4, Standard, false),
            (19, 4, Standard, true),
            (20, 4, Standard, false),
            (28, 1, Standard, false),
            (29, 1, Standard, true),
            (4096, 1, Extended, true),
            (4097, 1, Extended, false),
            (22, 2, Standard, false),
            (23, 2, Standard, true),
            (4096, 2, Standard, true),
            (4097, 2, Standard, false),
            (65535, 2, Extended, true),
            (20, 3, Standard, false),
            (21, 3, Standard, true),
            (22, 5, Standard, false),
            (23, 5, Standard, true),
        ];
        for (length, message_type, limit, legal) in verdicts {
            let octets = header(length, message_type);
            match split(&octets, limit) {
                Ok(frame) => assert!(
                    legal && frame.is_some() == (length == 19),
                    "{length} {message_type}"
                ),
                Err(error) => {
                    assert!(!legal, "{length} {message_type}");
                    assert_eq!(error.reason, Reason::BAD_MESSAGE_LENGTH);
                    assert_eq!(error.notification_data(&octets), length.to_be_bytes());
                }
            }
        }
    }

    #[test]
    fn unknown_types() {
        for message_type in [0, 6, 255] {
            let octets = header(19, message_type);
            let error = split(&octets, MessageLimit::Standard).unwrap_err();
            assert_eq!(error.reason, Reason::BAD_MESSAGE_TYPE);
            assert_eq!(error.notification_data(&octets), [message_type]);
        }
    }

    #[test]
    fn garbage_is_refused_at_its_first_octet() {
        assert_eq!(split(b"", MessageLimit::Standard), Ok(None));
        assert_eq!(split(&[0xff; 18], MessageLimit::Standard), Ok(None));
        assert_eq!(
            split(b"G", MessageLimit::Standard).unwrap_err().reason,
            Reason::CONNECTION_NOT_SYNCHRONIZED
        );
        let mut last = header(19, 4);
        last[15] = 0xfe;
        assert_eq!(
            split(&last, MessageLimit::Standard).unwrap_err().reason,
            Reason::CONNECTION_NOT_SYNCHRONIZED
        );
    }

    #[test]
    fn from_bytes_wants_one_message() {
        let frame = Bytes::from(header(19, 4));
        assert!(Frame::from_bytes(frame.clone(), MessageLimit::Standard).is_ok());
        let longer = Bytes::from([frame.as_ref(), &[0xff]].concat());
        assert!(Frame::from_bytes(longer, MessageLimit::Standard).is_err());
    }
}
