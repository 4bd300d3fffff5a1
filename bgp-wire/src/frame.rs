//! `Frame`: one complete message with a valid header (RFC 4271 sections 4.1 and 6.1).
//!
//! `Frame` is the only type that owns `Bytes`; views borrow from it. [`Frame::slice_ref`] returns an owned part in
//! O(1).

use bytes::{Bytes, BytesMut};

use crate::context::MessageLimit;
use crate::error::DecodeError;
use crate::iana::MessageType;
use crate::reason::Reason;

/// One complete BGP message, including its marker. Marker, length and type are valid.
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
    /// Length of the header in octets: marker (16), length (2) and type (1).
    pub const HEADER_LENGTH: usize = 19;

    /// Splits the first message off `buffer`. Returns `None` if the message is still incomplete.
    ///
    /// The header is checked as soon as its octets arrive: garbage and invalid lengths are reported before the body.
    ///
    /// # Errors
    ///
    /// Returns an error if the header is invalid (RFC 4271 section 6.1). `buffer` is then unchanged, and the connection
    /// must be closed.
    pub fn split(buffer: &mut BytesMut, limit: MessageLimit) -> Result<Option<Self>, DecodeError> {
        let Some(length) = check_header(buffer, limit)? else {
            return Ok(None);
        };
        if buffer.len() < length {
            return Ok(None);
        }
        // Both halves share one allocation: no octet is copied.
        Ok(Some(Self(buffer.split_to(length).freeze())))
    }

    /// Creates a frame from `octets`, which must be exactly one message.
    ///
    /// # Errors
    ///
    /// Returns an error if the header is invalid or its Length field differs from the length of `octets`.
    pub fn from_bytes(octets: Bytes, limit: MessageLimit) -> Result<Self, DecodeError> {
        match check_header(&octets, limit)? {
            Some(length) if length == octets.len() => Ok(Self(octets)),
            _ => Err(bad_length()),
        }
    }

    /// Returns the type of the message.
    #[must_use]
    pub fn message_type(&self) -> MessageType {
        debug_assert!(self.0.len() >= Self::HEADER_LENGTH, "check_header ran");
        MessageType(self.0.get(18).copied().unwrap_or_default())
    }

    /// Returns the whole message, including the header.
    #[must_use]
    #[inline]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Returns the octets after the header.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        debug_assert!(self.0.len() >= Self::HEADER_LENGTH, "check_header ran");
        self.0.get(Self::HEADER_LENGTH..).unwrap_or_default()
    }

    /// Returns `part` of this message as owned `Bytes`, without a copy.
    ///
    /// # Panics
    ///
    /// Panics if `part` is not inside this frame.
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

/// Returns the length of the message at the start of `octets`, or `None` if the header is incomplete.
#[inline(always)]
pub(crate) fn check_header(
    octets: &[u8],
    limit: MessageLimit,
) -> Result<Option<usize>, DecodeError> {
    match octets.split_first_chunk() {
        // Compared as one number: the compiler compares a slice pattern octet by octet.
        Some((marker, &[high, low, message_type, ..]))
            if u128::from_ne_bytes(*marker) == MARKER =>
        {
            let length = u16::from_be_bytes([high, low]).into();
            // Fast path: most messages are UPDATEs, and these lengths are valid under either limit.
            if message_type == MessageType::UPDATE.0 && (23..=4096).contains(&length) {
                return Ok(Some(length));
            }
            check_length(length, MessageType(message_type), limit).map(Some)
        }
        _ => check_start(octets),
    }
}

/// The marker at the start of every message: 16 octets of ones (RFC 4271 section 4.1).
const MARKER: u128 = u128::MAX;

/// Checks octets without a complete header or with a wrong marker. Returns `None` if more octets may complete them.
#[cold]
fn check_start(octets: &[u8]) -> Result<Option<usize>, DecodeError> {
    // A wrong octet is reported at once: a peer that does not use BGP may never send 19 octets.
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

/// Returns `length` if a message of this type may have it.
fn check_length(
    length: usize,
    message_type: MessageType,
    limit: MessageLimit,
) -> Result<usize, DecodeError> {
    // The minimum lengths are those of RFC 4271 sections 4.2 to 4.5.
    // RFC 8654 section 4: OPEN and KEEPALIVE stay within 4096 octets.
    let (min, max) = match message_type {
        MessageType::OPEN => (29, MessageLimit::Standard.octets()),
        // `RouteRefresh::decode` checks the maximum: RFC 7313 section 5 defines an error of its own for it.
        MessageType::UPDATE | MessageType::ROUTE_REFRESH => (23, limit.octets()),
        MessageType::NOTIFICATION => (21, limit.octets()),
        MessageType::KEEPALIVE => (19, 19),
        // RFC 4271 section 6.1: an invalid length takes precedence over an unknown type.
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

/// Returns the error for an invalid Length field. Its span is that field, which is the Data of the NOTIFICATION.
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
    fn header_with_length_out_of_range_is_rejected() {
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
    fn unknown_type_is_rejected_with_type_as_data() {
        for message_type in [0, 6, 255] {
            let octets = header(19, message_type);
            let error = split(&octets, MessageLimit::Standard).unwrap_err();
            assert_eq!(error.reason, Reason::BAD_MESSAGE_TYPE);
            assert_eq!(error.notification_data(&octets), [message_type]);
        }
    }

    #[test]
    fn garbage_is_rejected_at_first_octet() {
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
    fn from_bytes_with_trailing_octet_is_rejected() {
        let frame = Bytes::from(header(19, 4));
        assert!(Frame::from_bytes(frame.clone(), MessageLimit::Standard).is_ok());
        let longer = Bytes::from([frame.as_ref(), &[0xff]].concat());
        assert!(Frame::from_bytes(longer, MessageLimit::Standard).is_err());
    }
}
