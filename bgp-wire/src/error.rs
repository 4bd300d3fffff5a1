//! The errors of the codec: `DecodeError`, with the octets at fault, and `EncodeError`.

use core::fmt;

use crate::reason::{DataField, Reason};

/// A range of octets in one message, counted from the first octet of its marker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Span {
    /// First octet.
    pub start: u16,
    /// One past the last octet.
    pub end: u16,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self {
            start: position(start),
            end: position(end),
        }
    }

    /// Returns the octets of `message` in this range. Empty if the message is shorter.
    #[must_use]
    pub fn of(self, message: &[u8]) -> &[u8] {
        message
            .get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }
}

/// Returns the position of an octet in a message as `u16`. A message has at most 65535 octets (RFC 8654).
// An attribute to send may be longer. The encoder refuses it, and nothing uses the spans inside it.
#[expect(
    clippy::as_conversions,
    reason = "positions in a message fit, and a check would slow down every attribute"
)]
#[inline(always)]
pub(crate) const fn position(octet: usize) -> u16 {
    octet as u16
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// Octets that are not a valid message: the reason, and the octets at fault.
///
/// ```
/// # use bytes::BytesMut;
/// # use bgp_wire::{Frame, MessageLimit, Reason};
/// let mut received = BytesMut::from(&b"GET / HTTP/1.1"[..]);
/// let error = Frame::split(&mut received, MessageLimit::Standard).unwrap_err();
/// assert_eq!(error.reason, Reason::CONNECTION_NOT_SYNCHRONIZED);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DecodeError {
    /// Code and subcode of the NOTIFICATION to send.
    pub reason: Reason,
    /// The octets at fault.
    pub span: Span,
}

impl DecodeError {
    pub(crate) fn new(reason: Reason, start: usize, end: usize) -> Self {
        Self {
            reason,
            span: Span::new(start, end),
        }
    }

    /// Returns the Data field of the NOTIFICATION that answers `message`: at most 4075 octets.
    #[must_use]
    pub fn notification_data(self, message: &[u8]) -> &[u8] {
        let data = match self.reason.data_field() {
            DataField::Empty => &[],
            DataField::Span => self.span.of(message),
            // RFC 4271 section 6.2: the largest supported version.
            DataField::Version => &[0, 4],
            DataField::Message => message,
        };
        // RFC 8654: the message at fault may be larger than a standard NOTIFICATION.
        data.get(..MAX_DATA_LENGTH).unwrap_or(data)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octets {}", self.reason, self.span)
    }
}

impl core::error::Error for DecodeError {}

/// Values that cannot be encoded as a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The path attributes and a single prefix exceed the message limit.
    AttributesTooLong {
        /// Length of the message with one prefix, in octets.
        length: usize,
        /// Maximum length of a message, in octets.
        limit: usize,
    },
    /// A part exceeds the range of its length field of one or two octets.
    PartTooLong {
        /// Name of the part.
        part: &'static str,
        /// Length of the part, in the unit of its length field.
        length: usize,
    },
    /// A value that no receiver accepts.
    // Static text keeps the error `Copy` and free of allocation.
    Illegal(&'static str),
    /// The context does not permit routes of this family.
    NotNegotiated(crate::Family),
    /// Routes of this family require a next hop, and none was given.
    NextHopMissing(crate::Family),
    /// The address cannot be the next hop of the routes: it has the wrong family or is not a host's.
    NextHopUnusable(core::net::IpAddr),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttributesTooLong { length, limit } => {
                write!(
                    f,
                    "message too long: {length} octets with the path attributes and one prefix, limit {limit}"
                )
            }
            Self::PartTooLong { part, length } => {
                write!(f, "{part} too long to encode: {length}")
            }
            Self::Illegal(what) => write!(f, "cannot encode: {what}"),
            Self::NotNegotiated(family) => {
                write!(f, "family `{family}` is not negotiated with this peer")
            }
            Self::NextHopMissing(family) => write!(f, "missing next hop for `{family}` routes"),
            Self::NextHopUnusable(next_hop) => {
                write!(f, "unusable next hop `{next_hop}` for these routes")
            }
        }
    }
}

impl core::error::Error for EncodeError {}

/// Maximum Data of a NOTIFICATION in octets: 4096 less header, code and subcode.
pub(crate) const MAX_DATA_LENGTH: usize = 4075;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_error_has_six_octets() {
        // Every check returns one in a `Result`: a larger error slows down the case without a fault.
        assert_eq!(size_of::<DecodeError>(), 6);
    }
}
