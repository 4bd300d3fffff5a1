//! The outputs of a session: commands for its driver and events for the application.

#[cfg(feature = "serde")]
mod form;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use bgp_wire::{
    AnyNlri, Checked, Context, Family, FamilySet, Fault, Frame, Message, NotificationBuf, Unusable,
};
use bytes::Bytes;

use crate::fsm::{Event, State};
use crate::negotiate::Negotiated;
use crate::withheld::Withheld;

/// Identifies one TCP connection or dial of a session. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ConnectionId(pub(crate) u64);

/// Identifies one period in Established. Counts up from 1 in each session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SessionId(pub(crate) u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The next command for the driver. Commands are to be carried out in this order.
///
/// A driver ignores commands that it does not know: a later version adds none that is necessary for a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    // One queue for everything: a NOTIFICATION precedes the close of its connection (RFC 4271 section 6).
    /// Make a TCP connection to the peer, then call `handle_connected`, or `handle_error` if it fails.
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
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum SessionEvent {
    /// The session's state has changed: the state of its primary connection.
    #[non_exhaustive]
    StateChanged {
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// The event that changed it.
        cause: Event,
    },
    /// The session is Established.
    #[non_exhaustive]
    Up {
        /// Identifies this period in Established.
        session: SessionId,
        /// The negotiated parameters.
        negotiated: Arc<Negotiated>,
    },
    /// The session is no longer Established.
    #[non_exhaustive]
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
    #[non_exhaustive]
    Failed {
        /// The side that ended it, and the reason.
        reason: DownReason,
    },
    /// The peer has announced or withdrawn routes. Emitted only if the configuration delivers updates.
    Update(ReceivedUpdate),
    /// An UPDATE was malformed, and was treated as RFC 7606 requires. If that resets the session, [`SessionEvent::Down`] follows.
    UpdateFault(MalformedUpdate),
    /// The routes of an UPDATE, or those to bogus prefixes, are ignored although they are well-formed. An earlier route to the
    /// same destination counts as withdrawn, unless the prefix is bogus. Emitted for the first UPDATE of each reason in a
    /// session; [`Statistics::ignored`](crate::Statistics::ignored) counts all.
    #[non_exhaustive]
    RoutesIgnored {
        /// The reason.
        reason: Unusable,
        /// The message. [`Checked::rejected_routes`] returns the routes.
        update: ReceivedUpdate,
    },
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
    /// The peer is not sent this route of the table. Emitted for the first route of each reason in a session.
    Withheld(Withheld),
}

/// The side that ended a connection, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// We ended it, with this NOTIFICATION.
    Local(NotificationBuf),
    /// The peer ended it, with this NOTIFICATION.
    Remote(NotificationBuf),
    /// The TCP connection could not be made.
    #[non_exhaustive]
    ConnectFailed {
        /// The error of the operating system, if the driver reported one.
        error: Option<io::ErrorKind>,
    },
    /// The TCP connection ended without a NOTIFICATION.
    #[non_exhaustive]
    Closed {
        /// The state of the connection when it ended. OpenSent means after our OPEN, OpenConfirm after both OPENs.
        state: State,
        /// The error of the operating system, or `None` if the peer closed the connection in order.
        error: Option<io::ErrorKind>,
    },
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
            Self::ConnectFailed { error } => {
                f.write_str("cannot connect")?;
                return write_error(*error, f);
            }
            Self::Closed { state, error } => {
                f.write_str(match state {
                    State::Idle | State::Connect | State::Active => {
                        "the connection was closed before our OPEN"
                    }
                    State::OpenSent => "the connection was closed after our OPEN",
                    State::OpenConfirm => "the connection was closed after both OPENs",
                    State::Established => "the connection was closed",
                })?;
                return write_error(*error, f);
            }
            Self::TimedOut => return f.write_str("the connection did not come up in time"),
            Self::Restarting => return f.write_str("closed for a restart"),
            Self::Local(notification) => ("we sent", notification),
            Self::Remote(notification) => ("the peer sent", notification),
            // Ours also, but no fault: the operator should not search for one.
            Self::Stopped(notification) => ("stopped by the operator, we sent", notification),
        };
        write!(f, "{side} {notification}")
    }
}

/// Writes the error of a connection, if there is one.
fn write_error(error: Option<io::ErrorKind>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    error.map_or(Ok(()), |error| write!(f, ": {error}"))
}

impl DownReason {
    /// Returns the NOTIFICATION that was sent or received, if any.
    #[must_use]
    pub fn notification(&self) -> Option<&NotificationBuf> {
        match self {
            Self::Local(notification)
            | Self::Remote(notification)
            | Self::Stopped(notification) => Some(notification),
            Self::ConnectFailed { .. }
            | Self::Closed { .. }
            | Self::TimedOut
            | Self::Restarting => None,
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
    #[must_use]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "the session has checked the same octets in the same context, and the check depends on nothing else"
    )]
    pub fn check(&self) -> Checked<'_> {
        // A view borrows the frame, so the result of the session's own check cannot be kept.
        check(&self.frame, &self.context).expect("an UPDATE that passes its check")
    }
}

/// Decodes and checks an UPDATE. Returns `None` if it resets the session.
fn check<'a>(frame: &'a Frame, context: &'a Context) -> Option<Checked<'a>> {
    let Ok(Message::Update(update)) = frame.decode(context) else {
        return None;
    };
    update.check().ok()
}

/// A received UPDATE that is malformed (RFC 7606).
///
/// `Display` writes the error, its treatment, the routes and the whole message in hex, as RFC 7606 section 6 recommends for a
/// log. The text has at most 131,070 hex digits, for a message of maximum length.
#[derive(Clone, Debug)]
pub struct MalformedUpdate {
    pub(crate) fault: Fault,
    pub(crate) frame: Frame,
    pub(crate) context: Context,
}

impl MalformedUpdate {
    /// Returns the strongest fault, with its treatment.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// Returns the message.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Returns the routes that the message announces. Empty after a session reset, because they cannot be relied on.
    pub fn routes(&self) -> impl Iterator<Item = AnyNlri<'_>> {
        let checked = check(&self.frame, &self.context);
        checked
            .into_iter()
            .flat_map(|checked| checked.rejected_routes().chain(checked.announced_routes()))
    }
}

impl fmt::Display for MalformedUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.fault.error, self.fault.treatment)?;
        let mut routes = self.routes();
        let mut separator = "; routes ";
        for route in routes.by_ref().take(MAX_LISTED_ROUTES) {
            write!(f, "{separator}{route}")?;
            separator = ", ";
        }
        match routes.count() {
            0 => {}
            more => write!(f, " and {more} more")?,
        }
        f.write_str("; message ")?;
        let octets = self.frame.octets();
        octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// The maximum number of routes in the text of a malformed UPDATE. The message in hex has all of them.
const MAX_LISTED_ROUTES: usize = 32;
