//! What a session tells its driver and its application.

use std::fmt;
use std::time::Instant;

use bgp_wire::{Checked, Context, DecodeError, Family, Fault, Frame, Message, NotificationBuf};
use bytes::Bytes;

use crate::fsm::{Event, State};
use crate::negotiate::Negotiated;

/// One TCP connection of a session, known or to be made. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(crate) u64);

/// One stay in Established. Counts up from 1 in each session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(crate) u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the driver is to do next, in this order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Make a TCP connection to the peer; then `handle_connected`, or `handle_closed` if it fails.
    Dial(ConnectionId),
    /// Send these octets.
    Transmit(ConnectionId, Bytes),
    /// Send what is still to be sent, then close. Also ends a dial.
    Close(ConnectionId),
    /// Tell the application.
    Event(SessionEvent),
    /// Nothing more to do until input arrives or this instant, at which `handle_timeout` is due.
    Wait(Option<Instant>),
}

/// What an application may want to know.
#[derive(Clone, Debug)]
pub enum SessionEvent {
    /// The session's state, which is that of its foremost connection, has changed.
    StateChanged {
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// What changed it.
        cause: Event,
    },
    /// The session is Established.
    Up {
        /// Names this stay in Established.
        session: SessionId,
        /// What both sides agreed on.
        negotiated: Negotiated,
    },
    /// The session is no longer Established.
    Down {
        /// Which stay in Established ended.
        session: SessionId,
        /// Who ended it, and why.
        reason: DownReason,
    },
    /// A connection ended before it was Established.
    Failed {
        /// Who ended it, and why.
        reason: DownReason,
    },
    /// The peer has announced or withdrawn routes. Only where updates are delivered.
    Update(ReceivedUpdate),
    /// A fault that RFC 7606 lets the session survive was acted on.
    UpdateFault(Fault),
    /// The peer wants the routes of this family once more.
    Refresh(Family),
    /// The peer has sent its routes of this family for the first time.
    EndOfRib(Family),
}

/// Who ended a connection, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// We have, with this NOTIFICATION.
    Local(NotificationBuf),
    /// The peer has, with this NOTIFICATION.
    Remote(NotificationBuf),
    /// The TCP connection ended, or could not be made.
    Closed,
    /// The TCP connection did not come up in time.
    TimedOut,
    /// The operator has, with this NOTIFICATION.
    Stopped(NotificationBuf),
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, notification) = match self {
            Self::Closed => return f.write_str("the connection was closed"),
            Self::TimedOut => return f.write_str("the connection did not come up in time"),
            Self::Local(notification) => ("we sent", notification),
            Self::Remote(notification) => ("the peer sent", notification),
            Self::Stopped(notification) => ("stopped by the operator, we sent", notification),
        };
        write!(f, "{who} {}", notification.reason)?;
        match notification.text() {
            // The text is the peer's: it goes to logs escaped.
            Some(text) => write!(f, " {text:?}"),
            None => Ok(()),
        }
    }
}

/// A received UPDATE that the session has checked.
#[derive(Clone, Debug)]
pub struct ReceivedUpdate {
    pub(crate) frame: Frame,
    pub(crate) context: Context,
}

impl ReceivedUpdate {
    /// The message.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The routes and attributes, after the rules of RFC 7606.
    ///
    /// # Errors
    ///
    /// None: the session has made this check before, and handed on only what passes.
    pub fn check(&self) -> Result<Checked<'_>, DecodeError> {
        match self.frame.decode(&self.context)? {
            Message::Update(update) => update.check(),
            Message::Open(_)
            | Message::Notification(_)
            | Message::Keepalive
            | Message::RouteRefresh(_) => Err(DecodeError {
                reason: bgp_wire::Reason::BAD_MESSAGE_TYPE,
                span: bgp_wire::Span::default(),
            }),
        }
    }
}
