//! The outputs of a session: commands for its driver and events for the application.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bgp_wire::{
    Checked, Context, DecodeError, Family, FamilySet, Fault, Frame, Message, NotificationBuf,
};
use bytes::Bytes;

use crate::fsm::{Event, State};
use crate::negotiate::Negotiated;

/// Identifies one TCP connection or dial of a session. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub(crate) u64);

/// Identifies one period in Established. Counts up from 1 in each session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(crate) u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The next command for the driver. Commands are to be carried out in this order.
#[derive(Clone, Debug)]
pub enum Output {
    // One queue for everything: a NOTIFICATION precedes the close of its connection (RFC 4271 section 6).
    /// Make a TCP connection to the peer, then call `handle_connected`, or `handle_closed` if it fails.
    Dial(ConnectionId),
    /// Send these octets on the connection.
    Transmit(ConnectionId, Bytes),
    /// Send the octets that still wait, then close the connection. Also cancels a dial.
    Close(ConnectionId),
    /// Deliver an event to the application.
    Event(SessionEvent),
    /// No command is pending until input arrives, or until this instant, at which `handle_timeout` is due.
    Wait(Option<Instant>),
}

/// An event for the application.
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
    /// The session's state has changed: the state of its primary connection.
    StateChanged {
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// The event that changed it.
        cause: Event,
    },
    /// The session is Established.
    Up {
        /// Identifies this period in Established.
        session: SessionId,
        /// The negotiated parameters.
        negotiated: Arc<Negotiated>,
    },
    /// The session is no longer Established.
    Down {
        /// Identifies the period in Established that ended.
        session: SessionId,
        /// The side that ended it, and the reason.
        reason: DownReason,
        /// The families whose routes the application keeps as stale, because the peer restarts (RFC 4724 section 4.2).
        ///
        /// It removes all routes of other families, and routes that were stale before. Of the latter it keeps those
        /// that are long-lived stale (RFC 9494 section 4.2).
        retained: FamilySet,
    },
    /// The application removes the stale routes of these families (RFC 4724 section 4.2). The peer has not returned in
    /// time, has not preserved them, or has sent its routes again.
    StaleRoutesGone(FamilySet),
    /// The stale routes of these families are long-lived stale from now on (RFC 9494 section 4.2).
    ///
    /// The application removes those with the community NO_LLGR, and prefers any other route to the rest.
    StaleRoutesLongLived(FamilySet),
    /// A connection ended before it was Established.
    Failed {
        /// The side that ended it, and the reason.
        reason: DownReason,
    },
    /// The peer has announced or withdrawn routes. Emitted only if the configuration delivers updates.
    Update(ReceivedUpdate),
    /// An UPDATE had an error that did not end the session, and was treated as RFC 7606 requires.
    UpdateFault(Fault),
    /// The peer's routes of this family begin with three default routes. They are delivered, but are probably path
    /// identifiers that were not negotiated (RFC 7911 section 5). Emitted once in each period in Established.
    UnexpectedPathIds(Family),
    /// The peer requests the routes of this family again (RFC 2918).
    Refresh(Family),
    /// The peer begins to send all its routes of this family again (BoRR, RFC 7313).
    RefreshBegins(Family),
    /// The peer has sent them (EoRR, RFC 7313). The application removes the routes that the peer has not sent since
    /// [`SessionEvent::RefreshBegins`].
    RefreshEnds(Family),
    /// The peer has sent all its routes of this family (RFC 4724 section 2).
    EndOfRib(Family),
}

/// The side that ended a connection, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// We ended it, with this NOTIFICATION.
    Local(NotificationBuf),
    /// The peer ended it, with this NOTIFICATION.
    Remote(NotificationBuf),
    /// The TCP connection ended without a NOTIFICATION, or could not be made.
    Closed,
    /// The TCP connection was not made within the ConnectRetryTime.
    TimedOut,
    /// The operator ended it, with this NOTIFICATION.
    Stopped(NotificationBuf),
    /// The operator ended it for a restart over which the peer keeps our routes. No NOTIFICATION was sent (RFC 4724
    /// section 4.1).
    Restarting,
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, notification) = match self {
            Self::Closed => return f.write_str("the connection was closed"),
            Self::TimedOut => return f.write_str("the connection did not come up in time"),
            Self::Restarting => return f.write_str("closed for a restart"),
            Self::Local(notification) => ("we sent", notification),
            Self::Remote(notification) => ("the peer sent", notification),
            // Ours also, but no fault: the operator should not search for one.
            Self::Stopped(notification) => ("stopped by the operator, we sent", notification),
        };
        write!(f, "{side} {}", notification.reason)?;
        match notification.text() {
            // The peer chooses the text: escaped, it cannot forge lines in a log.
            Some(text) => write!(f, " {text:?}"),
            None => Ok(()),
        }
    }
}

/// A received UPDATE that the session has checked.
#[derive(Clone, Debug)]
pub struct ReceivedUpdate {
    pub(crate) frame: Frame,
    // A later session may have negotiated another one.
    pub(crate) context: Context,
}

impl ReceivedUpdate {
    /// Returns the message.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Returns the routes and attributes, after the treatment that RFC 7606 requires.
    ///
    /// # Errors
    ///
    /// Never, because the session delivers only UPDATEs that pass this check.
    pub fn check(&self) -> Result<Checked<'_>, DecodeError> {
        // A view borrows the frame, so the result of the session's own check cannot be kept.
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
