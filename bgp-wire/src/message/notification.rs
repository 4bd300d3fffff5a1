//! NOTIFICATION (RFC 4271 section 4.5) and its shutdown communication (RFC 9003).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::{BufMut, BytesMut};

use super::capability::CapabilityBuf;
use super::notification_data::{NotificationData, communication, hard_reset, limit, write_reason};
use super::write_message;
use crate::context::MessageLimit;
use crate::error::{DecodeError, EncodeError, MAX_DATA_LENGTH};
use crate::family::Family;
use crate::frame::Frame;
use crate::iana::MessageType;
use crate::parse::octet;
use crate::reason::Reason;

/// A received NOTIFICATION. Its Data is never an error, because a NOTIFICATION has no answer (RFC 4271 section 6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    reason: Reason,
    data: &'a [u8],
}

impl<'a> Notification<'a> {
    /// Decodes a complete message. Fails if it lacks code or subcode.
    pub(super) fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let body = message.get(Frame::HEADER_LENGTH..).unwrap_or_default();
        let cut = |_| DecodeError::new(Reason::BAD_MESSAGE_LENGTH, 16, 18);
        let (rest, code) = octet(body).map_err(cut)?;
        let (data, subcode) = octet(rest).map_err(cut)?;
        Ok(Self {
            reason: Reason { code, subcode },
            data,
        })
    }

    /// Returns error code and subcode.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns the Data field.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Returns the decoded Data field.
    #[must_use]
    pub fn decoded_data(&self) -> NotificationData {
        NotificationData::decode(self.reason, self.data)
    }

    /// Returns the NOTIFICATION inside a Hard Reset (RFC 8538 section 3.1). `None` if this is not a Hard Reset, or if
    /// its Data lacks code or subcode.
    #[must_use]
    pub fn hard_reset(&self) -> Option<Self> {
        if self.reason != Reason::HARD_RESET {
            return None;
        }
        let (reason, data) = hard_reset(self.data)?;
        Some(Self { reason, data })
    }

    /// Returns family and limit of a Maximum Number of Prefixes Reached (RFC 4486 section 4). `None` if absent.
    #[must_use]
    pub fn maximum_prefixes(&self) -> Option<(Family, u32)> {
        limit(self.data).filter(|_| self.reason == Reason::MAXIMUM_PREFIXES_REACHED)
    }

    /// Returns the message of the peer's operator in an Administrative Shutdown or Reset (RFC 9003 section 2), also
    /// inside of a Hard Reset (RFC 8538 section 3.1). `None` if it is absent, empty or malformed.
    ///
    /// The peer controls the text: escape it before you write it to a terminal.
    #[must_use]
    pub fn shutdown_communication(&self) -> Option<&'a str> {
        if let Some(inside) = self.hard_reset() {
            // One level only: a peer could nest Hard Resets until the recursion exhausts the stack.
            return (inside.reason != Reason::HARD_RESET)
                .then(|| inside.shutdown_communication())
                .flatten();
        }
        communication(self.data).filter(|_| self.reason.carries_text())
    }
}

/// A NOTIFICATION to send.
///
/// ```
/// use bgp_wire::{NotificationBuf, Reason};
/// let notification = NotificationBuf::with_text(Reason::ADMINISTRATIVE_SHUTDOWN, "maintenance");
/// assert_eq!(notification.data[0], 11);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NotificationBuf {
    /// Error code and subcode.
    pub reason: Reason,
    /// The Data field. Only its first 4075 octets are sent.
    pub data: Vec<u8>,
}

impl NotificationBuf {
    /// Creates a NOTIFICATION with a shutdown communication (RFC 9003), cut to 255 octets.
    ///
    /// The text is dropped unless `reason` is Administrative Shutdown or Administrative Reset.
    #[must_use]
    pub fn with_text(reason: Reason, text: &str) -> Self {
        // RFC 9003 section 2: a length of 0 means the same as no Data, so an empty text is not sent.
        let data = if reason.carries_text() && !text.is_empty() {
            shutdown_data(text)
        } else {
            Vec::new()
        };
        Self { reason, data }
    }

    /// Creates the answer to a message that the state does not permit, with the type of the message (RFC 6608 section
    /// 4).
    ///
    /// `reason` is [`Reason::UNEXPECTED_MESSAGE_IN_OPEN_SENT`] or the reason for another state.
    #[must_use]
    pub fn unexpected_message(reason: Reason, message_type: MessageType) -> Self {
        Self {
            reason,
            data: [message_type.0].into(),
        }
    }

    /// Creates a Maximum Number of Prefixes Reached with the family and its limit (RFC 4486 section 4).
    #[must_use]
    pub fn maximum_prefixes(family: Family, limit: u32) -> Self {
        // Without the reserved octet that a capability has between AFI and SAFI.
        let [high, low, _, safi] = family.to_octets();
        Self {
            reason: Reason::MAXIMUM_PREFIXES_REACHED,
            data: [&[high, low, safi][..], &limit.to_be_bytes()].concat(),
        }
    }

    /// Wraps this NOTIFICATION in a Hard Reset: the peer then does not keep our routes (RFC 8538 section 3.1).
    #[must_use]
    pub fn into_hard_reset(self) -> Self {
        let Reason { code, subcode } = self.reason;
        Self {
            reason: Reason::HARD_RESET,
            data: [&[code, subcode][..], &self.data].concat(),
        }
    }

    /// Creates an Unsupported Capability with the capabilities that the peer lacks (RFC 5492 section 5).
    ///
    /// # Errors
    ///
    /// Returns an error if a value in a capability is invalid or too long to encode.
    pub fn unsupported_capabilities(missing: &[CapabilityBuf]) -> Result<Self, EncodeError> {
        let mut data = BytesMut::new();
        for capability in missing {
            capability.encode(&mut data)?;
        }
        Ok(Self {
            reason: Reason::UNSUPPORTED_CAPABILITY,
            data: data.to_vec(),
        })
    }

    /// Creates the answer to a message that failed to decode or to pass its checks.
    #[must_use]
    pub fn for_error(error: DecodeError, message: &[u8]) -> Self {
        Self {
            reason: error.reason,
            data: error.notification_data(message).to_vec(),
        }
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        // Cut instead of refused: the end of a session must always be sent. The limit is the one that holds before
        // OPEN.
        let data = self.data.get(..MAX_DATA_LENGTH).unwrap_or(&self.data);
        let written = write_message(
            out,
            MessageType::NOTIFICATION,
            MessageLimit::Standard.octets(),
            |out| {
                out.put_slice(&[self.reason.code, self.reason.subcode]);
                out.put_slice(data);
                Ok(())
            },
        );
        debug_assert_eq!(
            written,
            Ok::<(), EncodeError>(()),
            "4075 octets of data fit"
        );
    }

    /// Returns the shutdown communication, or `None` if it is absent or malformed.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.view().shutdown_communication().map(String::from)
    }

    /// Returns the decoded Data field.
    #[must_use]
    pub fn decoded_data(&self) -> NotificationData {
        self.view().decoded_data()
    }

    fn view(&self) -> Notification<'_> {
        Notification {
            reason: self.reason,
            data: &self.data,
        }
    }
}

/// Returns the Data field of a shutdown communication: one octet of length, and at most 255 octets of text.
#[expect(
    clippy::expect_used,
    reason = "the text is cut to the length first, and tests cut one"
)]
fn shutdown_data(text: &str) -> Vec<u8> {
    // RFC 9003 section 2: UTF-8, so the cut must not split a character.
    let (text, _) = text.split_at(text.floor_char_boundary(255));
    let length = u8::try_from(text.len()).expect("cut to 255 octets");
    [&[length], text.as_bytes()].concat()
}

impl fmt::Display for NotificationBuf {
    /// Writes the reason, followed by the decoded Data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_reason(self.reason, &self.decoded_data(), f)
    }
}

impl From<Notification<'_>> for NotificationBuf {
    fn from(notification: Notification<'_>) -> Self {
        Self {
            reason: notification.reason,
            data: notification.data.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;
    use std::vec;

    use super::*;

    #[test]
    fn shutdown_communication_is_parsed_and_cut() {
        let text = |data: &[u8]| {
            Notification {
                reason: Reason::ADMINISTRATIVE_SHUTDOWN,
                data,
            }
            .shutdown_communication()
            .map(String::from)
        };
        assert_eq!(text(b"\x03abc"), Some("abc".into()));
        assert_eq!(text(b"\x03abcd"), Some("abc".into()));
        for illegal in [&b""[..], b"\0", b"\xffabc", b"\x02\xc3\x28"] {
            assert_eq!(text(illegal), None, "{illegal:x?}");
        }
        // 127 characters of two octets each: the 255th octet would split one.
        let long = NotificationBuf::with_text(Reason::ADMINISTRATIVE_RESET, &"ü".repeat(200));
        assert_eq!((long.data.len(), long.data[0]), (255, 254));
        let none = NotificationBuf::with_text(Reason::BAD_PEER_AS, "text");
        assert!(none.data.is_empty());
    }

    #[test]
    fn data_field_follows_rfc_of_reason() {
        let octets = |notification: &NotificationBuf| {
            let mut out = BytesMut::new();
            notification.encode(&mut out);
            out[19..].to_vec()
        };
        let limit = NotificationBuf::maximum_prefixes(Family::IPV6_UNICAST, 1000);
        assert_eq!(octets(&limit), [6, 1, 0, 2, 1, 0, 0, 3, 0xe8]);
        let view = |notification: &NotificationBuf| -> Vec<u8> {
            let mut out = BytesMut::new();
            notification.encode(&mut out);
            out.to_vec()
        };
        let message = view(&limit);
        let limit = Notification::decode(&message).unwrap().maximum_prefixes();
        assert_eq!(limit, Some((Family::IPV6_UNICAST, 1000)));

        let shutdown = NotificationBuf::with_text(Reason::ADMINISTRATIVE_SHUTDOWN, "bye");
        let hard = shutdown.clone().into_hard_reset();
        assert_eq!(octets(&hard), [6, 9, 6, 2, 3, b'b', b'y', b'e']);
        let message = view(&hard);
        let inside = Notification::decode(&message)
            .unwrap()
            .hard_reset()
            .unwrap();
        assert_eq!(NotificationBuf::from(inside), shutdown);
        assert_eq!(hard.text().as_deref(), Some("bye"));
        // A Hard Reset inside a Hard Reset: its text is not looked for.
        assert_eq!(hard.into_hard_reset().text(), None);

        let unexpected = NotificationBuf::unexpected_message(
            Reason::UNEXPECTED_MESSAGE_IN_OPEN_SENT,
            MessageType::KEEPALIVE,
        );
        assert_eq!(octets(&unexpected), [5, 1, 4]);

        let missing = [CapabilityBuf::Multiprotocol(Family::IPV4_UNICAST)];
        let missing = NotificationBuf::unsupported_capabilities(&missing).unwrap();
        assert_eq!(octets(&missing), [2, 7, 1, 4, 0, 1, 0, 1]);
    }

    #[test]
    fn data_over_4075_octets_is_cut() {
        let mut out = BytesMut::new();
        NotificationBuf {
            reason: Reason::BAD_PEER_AS,
            data: vec![0; 5000],
        }
        .encode(&mut out);
        assert_eq!(out.len(), 4096);
    }
}
