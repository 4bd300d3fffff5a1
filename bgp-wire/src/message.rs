//! The five messages, as views that borrow from a [`Frame`].

mod capability;
mod notification;
mod notification_data;
mod open;
mod parameters;
mod route_refresh;
mod update;

pub use capability::{
    AddPathFamily, Capabilities, Capability, CapabilityBuf, CapabilityEntries, CapabilityEntry,
    ExtendedNextHop, FilterType, GracefulRestart, GracefulRestartFamily, LongLivedRestartFamily,
    MultipleLabelsFamily, OutboundRouteFilter, RouteFilters, RouteFiltersBuf,
};
pub use notification::{Notification, NotificationBuf};
pub use notification_data::NotificationData;
pub(crate) use open::fixed_part;
pub use open::{Open, OpenBuf};
pub(crate) use parameters::Parameters;
pub use route_refresh::RouteRefresh;
pub use update::Update;

use bytes::{BufMut, BytesMut};

use crate::context::Context;
use crate::error::{DecodeError, EncodeError};
use crate::frame::{Frame, bad_length, check_header};
use crate::iana::MessageType;
use crate::reason::Reason;

/// A decoded message (RFC 4271 section 4, RFC 2918).
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// Opens a session.
    Open(Open<'a>),
    /// Announces and withdraws routes.
    Update(Update<'a>),
    /// Ends a session and gives the reason.
    Notification(Notification<'a>),
    /// Keeps the hold timer from expiring.
    Keepalive,
    /// Requests the routes of a family again, or marks the begin or end of an answer (RFC 7313).
    RouteRefresh(RouteRefresh),
}

impl<'a> Message<'a> {
    /// Decodes `octets`, which must be exactly one message. Use [`Frame::split`] for a stream.
    ///
    /// # Errors
    ///
    /// Returns an error if header or body is malformed, or if the Length field differs from the length of `octets`.
    #[inline(always)]
    pub fn decode(octets: &'a [u8], context: &'a Context) -> Result<Self, DecodeError> {
        match check_header(octets, context.message_limit)? {
            // Trailing octets are an error: the caller would lose the next message.
            Some(length) if length == octets.len() => Self::decode_body(octets, context),
            _ => Err(bad_length()),
        }
    }

    /// Decodes the body of a complete message with a valid header.
    #[inline(always)]
    fn decode_body(message: &'a [u8], context: &'a Context) -> Result<Self, DecodeError> {
        debug_assert!(message.len() >= Frame::HEADER_LENGTH, "check_header ran");
        let message_type = MessageType(message.get(18).copied().unwrap_or_default());
        // UPDATEs are nearly all messages of a session, so only their decoder is inlined.
        match message_type {
            MessageType::UPDATE => Update::decode(message, context).map(Self::Update),
            _ => Ok(match NonUpdate::decode(message_type, message)? {
                NonUpdate::Open(open) => Self::Open(open),
                NonUpdate::Notification(notification) => Self::Notification(notification),
                NonUpdate::Keepalive => Self::Keepalive,
                NonUpdate::RouteRefresh(refresh) => Self::RouteRefresh(refresh),
            }),
        }
    }
}

impl Frame {
    /// Decodes the message into a view that borrows from the frame.
    ///
    /// # Errors
    ///
    /// Returns an error if the body is malformed and the session must end. [`Update::check`](crate::Update::check)
    /// finds the faults of path attributes.
    #[inline(always)]
    pub fn decode<'a>(&'a self, context: &'a Context) -> Result<Message<'a>, DecodeError> {
        Message::decode_body(self.octets(), context)
    }
}

/// A message other than an UPDATE.
// A type of its own, so that an UPDATE does not pass through the memory in which the called function returns the
// others.
enum NonUpdate<'a> {
    Open(Open<'a>),
    Notification(Notification<'a>),
    Keepalive,
    RouteRefresh(RouteRefresh),
}

impl<'a> NonUpdate<'a> {
    /// Decodes the body of a message that is not an UPDATE.
    #[inline(never)]
    fn decode(message_type: MessageType, message: &'a [u8]) -> Result<Self, DecodeError> {
        match message_type {
            MessageType::OPEN => Open::decode(message).map(Self::Open),
            MessageType::NOTIFICATION => Notification::decode(message).map(Self::Notification),
            MessageType::KEEPALIVE => Ok(Self::Keepalive),
            MessageType::ROUTE_REFRESH => RouteRefresh::decode(message).map(Self::RouteRefresh),
            _ => Err(DecodeError::new(Reason::BAD_MESSAGE_TYPE, 18, 19)),
        }
    }
}

/// A complete KEEPALIVE, which has no body (RFC 4271 section 4.4).
pub const KEEPALIVE: [u8; Frame::HEADER_LENGTH] = {
    let mut message = [0xff; Frame::HEADER_LENGTH];
    [message[16], message[17], message[18]] = [0, 19, MessageType::KEEPALIVE.0];
    message
};

/// Appends one message to `out`: the header, the body, and then the Length field.
///
/// Fails if `body` fails or the message exceeds `limit` octets. `out` is then unchanged.
pub(crate) fn write_message(
    out: &mut BytesMut,
    message_type: MessageType,
    limit: usize,
    body: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.put_bytes(0xff, 16);
    out.put_u16(0);
    out.put_u8(message_type.0);
    // The length is known only after the body: bodies write their parts without a measurement before.
    let written = body(out).and_then(|()| {
        let length = out.len() - start;
        match u16::try_from(length) {
            Ok(field) if length <= limit => Ok(field),
            _ => Err(EncodeError::PartTooLong {
                part: "message",
                length,
            }),
        }
    });
    match written {
        Ok(length) => {
            patch_u16(out, start + 16, length);
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

/// Overwrites the two octets at position `at` of `out`.
pub(crate) fn patch_u16(out: &mut BytesMut, at: usize, value: u16) {
    let field = out.get_mut(at..at + 2);
    debug_assert!(field.is_some(), "octet {at} was not written");
    if let Some(field) = field {
        field.copy_from_slice(&value.to_be_bytes());
    }
}
