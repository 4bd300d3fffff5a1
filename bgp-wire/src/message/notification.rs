//! NOTIFICATION (RFC 4271 section 4.5) and its shutdown communication (RFC 9003).

use alloc::string::String;
use alloc::vec::Vec;

use bytes::{BufMut, BytesMut};

use super::write_message;
use crate::context::MessageLimit;
use crate::error::{DecodeError, EncodeError, MAXIMUM_DATA};
use crate::frame::Frame;
use crate::iana::MessageType;
use crate::parse::{length_value_u8, octet};
use crate::reason::Reason;

/// A received NOTIFICATION. There is no answer to one, so nothing about it is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    reason: Reason,
    data: &'a [u8],
}

impl<'a> Notification<'a> {
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

    /// Error code and subcode.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The Data field.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// What the peer's operator wrote: for Administrative Shutdown and Reset, if it is legal (RFC 9003 section 2).
    ///
    /// It is the peer's text: escape it before it goes to a terminal.
    #[must_use]
    pub fn shutdown_communication(&self) -> Option<&'a str> {
        if !carries_text(self.reason) {
            return None;
        }
        let (_, text) = length_value_u8(self.data).ok()?;
        core::str::from_utf8(text)
            .ok()
            .filter(|text| !text.is_empty())
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
pub struct NotificationBuf {
    /// Error code and subcode.
    pub reason: Reason,
    /// The Data field; what exceeds 4075 octets is not sent.
    pub data: Vec<u8>,
}

impl NotificationBuf {
    /// A NOTIFICATION with a shutdown communication, cut to 255 octets (RFC 9003). The text is dropped where `reason`
    /// carries none.
    #[must_use]
    pub fn with_text(reason: Reason, text: &str) -> Self {
        let mut data = Vec::new();
        let end = text.floor_char_boundary(255);
        let text = text.get(..end).unwrap_or_default();
        if let (true, false, Ok(length)) = (
            carries_text(reason),
            text.is_empty(),
            u8::try_from(text.len()),
        ) {
            data.push(length);
            data.extend(text.as_bytes());
        }
        Self { reason, data }
    }

    /// The answer to a message that did not decode.
    #[must_use]
    pub fn for_error(error: DecodeError, message: &[u8]) -> Self {
        Self {
            reason: error.reason,
            data: error.notification_data(message).to_vec(),
        }
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        let data = self.data.get(..MAXIMUM_DATA).unwrap_or(&self.data);
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

    /// The shutdown communication, if there is one.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        Notification {
            reason: self.reason,
            data: &self.data,
        }
        .shutdown_communication()
        .map(String::from)
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

fn carries_text(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::ADMINISTRATIVE_SHUTDOWN | Reason::ADMINISTRATIVE_RESET
    )
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;
    use std::vec;

    use super::*;

    #[test]
    fn shutdown_communication() {
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
        let long = NotificationBuf::with_text(Reason::ADMINISTRATIVE_RESET, &"ü".repeat(200));
        assert_eq!((long.data.len(), long.data[0]), (255, 254));
        assert_eq!(
            NotificationBuf::with_text(Reason::BAD_PEER_AS, "text").data,
            []
        );
    }

    #[test]
    fn data_is_cut() {
        let mut out = BytesMut::new();
        NotificationBuf {
            reason: Reason::BAD_PEER_AS,
            data: vec![0; 5000],
        }
        .encode(&mut out);
        assert_eq!(out.len(), 4096);
    }
}
