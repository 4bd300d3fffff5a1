//! `PeerStatus`: the status of one peer as of its last change.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bgp_wire::Asn;

use crate::fsm::State;
use crate::negotiate::Negotiated;
use crate::output::DownReason;
use crate::rib::Skipped;
use crate::stats::Statistics;

/// The status of one peer.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// The peer's address.
    pub address: IpAddr,
    /// The peer's AS number, as configured.
    pub remote_as: Asn,
    /// The description of the peer.
    pub description: String,
    /// The state of the session.
    pub state: State,
    /// The agreement of both sides; `None` unless the session is Established.
    pub negotiated: Option<Arc<Negotiated>>,
    /// The time at which the session came up; `None` unless it is Established.
    pub established_since: Option<Instant>,
    /// The reason for the end of the last session, the last failed attempt, or the last failure of the peer's task; `None`
    /// after the session has come up.
    pub last_error: Option<String>,
    /// The end of the last session or the last failed attempt, as the session reported it.
    pub last_down: Option<DownReason>,
    /// Counters since the peer was added, or since its task failed.
    pub statistics: Statistics,
    /// Routes that the peer was not sent in this session.
    pub skipped: Skipped,
    /// The peer has been sent the whole table.
    pub up_to_date: bool,
    /// The number of failures of the peer's task (see [`SpeakerEvent::PeerFailed`](super::SpeakerEvent::PeerFailed)).
    pub failures: u32,
}
