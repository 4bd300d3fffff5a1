//! What a session tells its driver and its application.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bgp_wire::{
    Checked, Context, DecodeError, Family, FamilySet, Fault, Frame, Message, NotificationBuf,
};
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
///
/// ```
/// use bgp_session::{ReceivedUpdate, SessionEvent, SessionId};
/// fn print(event: &SessionEvent) {
///     match event {
///         SessionEvent::Up { session, .. } => up(*session),
///         SessionEvent::Down { session, reason, .. } => println!("{session} is down: {reason}"),
///         SessionEvent::Update(update) => received(update),
///         _ => {}
///     }
/// }
/// fn up(session: SessionId) {
///     println!("{session} is up");
/// }
/// fn received(update: &ReceivedUpdate) {
///     println!("{} octets", update.frame().octets().len());
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
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
        negotiated: Arc<Negotiated>,
    },
    /// The session is no longer Established.
    Down {
        /// Which stay in Established ended.
        session: SessionId,
        /// Who ended it, and why.
        reason: DownReason,
        /// The families whose routes are to be kept as stale, as the peer restarts (RFC 4724 section 4.2). Routes that were
        /// stale before are gone unless they are a last resort (RFC 9494 section 4.2), as are all of other families.
        retained: FamilySet,
    },
    /// The stale routes of these families are gone: the peer is not back in time, or has not kept them itself, or has sent
    /// its routes anew (RFC 4724 section 4.2).
    StaleRoutesGone(FamilySet),
    /// The stale routes of these families are a last resort from here on: those with the community NO_LLGR are gone, and
    /// the others are preferred less than any other route (RFC 9494 section 4.2).
    StaleRoutesLongLived(FamilySet),
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
    /// The peer is about to send all its routes of this family once more (BoRR, RFC 7313).
    RefreshBegins(Family),
    /// It has: those that it has not named since are gone (EoRR, RFC 7313).
    RefreshEnds(Family),
    /// The peer has sent all its routes of this family (RFC 4724 section 2).
    EndOfRib(Family),
}

/// Who ended a connection, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// The operator has, for a restart over which the peer keeps our routes: without a NOTIFICATION (RFC 4724 section 4.1).
    Restarting,
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, notification) = match self {
            Self::Closed => return f.write_str("the connection was closed"),
            Self::TimedOut => return f.write_str("the connection did not come up in time"),
            Self::Restarting => return f.write_str("closed for a restart"),
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
        let checked = match self.frame.decode(&self.context)? {
            Message::Update(update) => update.check(),
            Message::Open(_)
            | Message::Notification(_)
            | Message::Keepalive
            | Message::RouteRefresh(_) => Err(DecodeError {
                reason: bgp_wire::Reason::BAD_MESSAGE_TYPE,
                span: bgp_wire::Span::default(),
            }),
        };
        debug_assert!(checked.is_ok(), "the session has checked the UPDATE");
        checked
    }
}
