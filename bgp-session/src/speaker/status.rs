//! `PeerStatus`: the status of one peer as of its last change.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::peer_error::{LastNotification, PeerError};
use crate::config::RemoteAs;
use crate::fsm::State;
use crate::negotiate::Negotiated;
use crate::output::DownReason;
use crate::session::Shutdown;
use crate::stats::Statistics;
use crate::withheld::WithheldCounts;

/// The status of one peer.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PeerStatus {
    /// The peer's address.
    pub address: IpAddr,
    /// The AS numbers that the peer may have, as configured. [`Negotiated::peer_as`] is the one that it has.
    pub remote_as: RemoteAs,
    /// The description of the peer.
    pub description: String,
    /// The state of the session.
    pub state: State,
    /// The negotiated parameters, or `None` unless the session is Established.
    pub negotiated: Option<Arc<Negotiated>>,
    /// The time at which the session became Established, or `None` unless it is.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "established_seconds",
            serialize_with = "super::age::optional_seconds"
        )
    )]
    pub established_since: Option<Instant>,
    /// The reason of the end of the last session, of the last failed attempt, or of the last failure of the peer's task.
    /// `None` while no error has occurred since the session last became Established.
    pub last_error: Option<PeerError>,
    /// The time of `last_error`.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "last_error_age_seconds",
            serialize_with = "super::age::optional_seconds"
        )
    )]
    pub last_error_at: Option<Instant>,
    /// The end of the last session or of the last failed attempt, as the session reported it. Kept when a session comes up.
    pub last_down: Option<DownReason>,
    /// The reason of the operator's [`Peer::stop`](super::Peer::stop); `None` after [`Peer::start`](super::Peer::start).
    pub stopped: Option<Shutdown>,
    /// The last NOTIFICATION that was sent to the peer or received from it. Neither a later failure of a connection nor a new
    /// session removes it.
    pub last_notification: Option<LastNotification>,
    /// The counters since the peer was added, or since its task last failed.
    pub statistics: Statistics,
    /// The numbers of routes of the table that the peer is not sent, by reason. Empty unless the session is Established.
    pub withheld: WithheldCounts,
    /// `true` if the peer has been sent the whole table.
    pub up_to_date: bool,
    /// The number of failures of the peer's task (see [`SpeakerEvent::PeerFailed`](super::SpeakerEvent::PeerFailed)).
    pub failures: u32,
}
