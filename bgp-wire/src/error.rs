//! What can go wrong: `DecodeError` with the octets at fault, and `EncodeError`.

use core::fmt;

use crate::reason::{DataField, Reason};

/// A range of octets of one message, counted from the first octet of its marker.
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

    /// The octets of `message` in this range; empty where the message is shorter.
    #[must_use]
    pub fn of(self, message: &[u8]) -> &[u8] {
        message
            .get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }
}

/// The position of an octet of a message, which has at most 65535 of them (RFC 8654).
#[expect(
    clippy::as_conversions,
    reason = "it fits, and to say what if not costs time"
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

/// Why octets are not a legal message, and which octets.
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
    /// What the NOTIFICATION will say.
    pub reason: Reason,
    /// Where the fault is.
    pub span: Span,
}

impl DecodeError {
    pub(crate) fn new(reason: Reason, start: usize, end: usize) -> Self {
        Self {
            reason,
            span: Span::new(start, end),
        }
    }

    /// The Data field of the NOTIFICATION that answers `message`, at most 4075 octets.
    #[must_use]
    pub fn notification_data(self, message: &[u8]) -> &[u8] {
        let data = match self.reason.data_field() {
            DataField::Empty => &[],
            DataField::Span => self.span.of(message),
            DataField::Version => &[0, 4],
            DataField::Message => message,
        };
        data.get(..MAX_DATA_LENGTH).unwrap_or(data)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at octets {}", self.reason, self.span)
    }
}

impl core::error::Error for DecodeError {}

/// Why values cannot be written as a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The path attributes leave no room for a single prefix under the message limit.
    AttributesTooLong {
        /// Octets of the message with one prefix.
        length: usize,
        /// Octets that a message may have.
        limit: usize,
    },
    /// A part with a one- or two-octet length is longer than that can say.
    PartTooLong {
        /// What it is.
        part: &'static str,
        /// Its length in octets.
        length: usize,
    },
    /// A value that no receiver would accept.
    Illegal(&'static str),
    /// Routes of this family are not exchanged in this context.
    NotNegotiated(crate::Family),
    /// Routes of this family need a next hop that was not given.
    NextHopMissing(crate::Family),
    /// The family of this next hop cannot carry the routes.
    NextHopUnusable(core::net::IpAddr),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttributesTooLong { length, limit } => {
                write!(
                    f,
                    "with the path attributes and one prefix the message has {length} octets, it may have {limit}"
                )
            }
            Self::PartTooLong { part, length } => {
                write!(f, "{part} is too long to encode: {length}")
            }
            Self::Illegal(what) => write!(f, "{what} cannot be sent"),
            Self::NotNegotiated(family) => {
                write!(f, "routes of {family} are not exchanged with this peer")
            }
            Self::NextHopMissing(family) => write!(f, "routes of {family} need a next hop"),
            Self::NextHopUnusable(next_hop) => {
                write!(f, "{next_hop} cannot be the next hop of these routes")
            }
        }
    }
}

impl core::error::Error for EncodeError {}

/// 4096 octets less the header, code and subcode of a NOTIFICATION.
pub(crate) const MAX_DATA_LENGTH: usize = 4075;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_small() {
        assert_eq!(size_of::<DecodeError>(), 6);
    }
}
