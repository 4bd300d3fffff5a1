//! `PeerError`: the last error of a peer, with what the configuration and the peer's OPEN tell about it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use bgp_wire::{Asn, NotificationBuf, RouterId};

use crate::config::RemoteAs;
use crate::output::DownReason;

/// The error that keeps a session from being Established, or has ended it.
///
/// `Display` writes a sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerError {
    /// The session or a connection ended for this reason.
    Down(DownReason),
    /// The TCP connection could not be made.
    #[non_exhaustive]
    Connect {
        /// The kind of the error.
        kind: io::ErrorKind,
        /// The message of the [`Dialer`](super::Dialer).
        message: Arc<str>,
    },
    /// No connection was made in time, and TCP MD5 is configured. A peer with another key ignores our segments (RFC 2385).
    KeyMayDiffer(DownReason),
    /// The AS number in the peer's OPEN is not the configured one.
    #[non_exhaustive]
    WrongAs {
        /// The NOTIFICATION that refused the OPEN.
        reason: DownReason,
        /// The AS number in the OPEN: that of capability 65, or the My Autonomous System field without the capability.
        asn: Asn,
        /// The My Autonomous System field.
        my_as: u16,
        /// The configured AS numbers.
        configured: RemoteAs,
    },
    /// The peer's BGP Identifier is ours.
    #[non_exhaustive]
    SameRouterId {
        /// The NOTIFICATION that refused the OPEN.
        reason: DownReason,
        /// The identifier in the OPEN.
        peer: RouterId,
        /// Our identifier.
        local: RouterId,
    },
    /// The peer's task has panicked with this message, which is a fault of this program.
    TaskFailed(Arc<str>),
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(reason) => reason.fmt(f),
            Self::Connect { message, .. } => write!(f, "cannot connect: {message}"),
            Self::KeyMayDiffer(reason) => write!(
                f,
                "{reason}; TCP MD5 is configured: the peer's key may differ"
            ),
            Self::WrongAs {
                reason,
                asn,
                my_as,
                configured,
            } => {
                write!(f, "{reason}: its OPEN has AS {asn}")?;
                // RFC 6793 section 4.2.2: the field has the same number, or AS_TRANS.
                let field = Asn::new((*my_as).into());
                if field != *asn && field != Asn::TRANS {
                    write!(
                        f,
                        " in capability 65 and AS {my_as} in My Autonomous System"
                    )?;
                }
                match configured {
                    RemoteAs::Is(asn) => write!(f, ", configured is AS {asn}"),
                    kind @ (RemoteAs::External | RemoteAs::Internal) => {
                        write!(f, ", configured is an {kind} AS")
                    }
                }
            }
            Self::SameRouterId {
                reason,
                peer,
                local,
            } => write!(f, "{reason}: its OPEN has {peer}, ours is {local}"),
            Self::TaskFailed(message) => write!(f, "the peer's task failed: {message}"),
        }
    }
}

impl std::error::Error for PeerError {}

/// Serialized as its text. [`PeerStatus::last_down`](super::PeerStatus::last_down) has the parts.
#[cfg(feature = "serde")]
impl serde::Serialize for PeerError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The last NOTIFICATION that was sent to a peer or received from it.
///
/// `Display` writes the sender, the reason and the decoded Data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LastNotification {
    /// `true` if we sent it.
    pub sent: bool,
    /// The NOTIFICATION. [`NotificationBuf::decoded_data`] returns its Data.
    pub notification: NotificationBuf,
    /// The time at which it was sent or received.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "age_seconds", serialize_with = "super::age::seconds")
    )]
    pub at: Instant,
}

impl LastNotification {
    /// Returns the NOTIFICATION of a connection that ended at `at`, or `None` if it ended without one.
    pub(super) fn of(reason: &DownReason, at: Instant) -> Option<Self> {
        Some(Self {
            sent: !matches!(reason, DownReason::Remote(_)),
            notification: reason.notification()?.clone(),
            at,
        })
    }
}

impl fmt::Display for LastNotification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.sent {
            "we sent"
        } else {
            "the peer sent"
        };
        write!(f, "{side} {}", self.notification)
    }
}
