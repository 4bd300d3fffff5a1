//! `PeerStatus`: how a session is, as of its last change.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bgp_wire::Asn;

use crate::fsm::State;
use crate::negotiate::Negotiated;
use crate::output::DownReason;
use crate::rib::Skipped;
use crate::stats::Statistics;

/// How the session with one peer is.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// The peer's address.
    pub address: IpAddr,
    /// The peer's AS number, as configured.
    pub remote_as: Asn,
    /// What people call the peer.
    pub description: String,
    /// The state.
    pub state: State,
    /// What both have agreed on, in Established.
    pub negotiated: Option<Arc<Negotiated>>,
    /// Since when the session is Established, if it is.
    pub established_since: Option<Instant>,
    /// Why the last connection ended, or the last attempt failed.
    pub last_error: Option<String>,
    /// The same, as the session said it.
    pub last_down: Option<DownReason>,
    /// Counters.
    pub statistics: Statistics,
    /// Routes that the peer is not sent.
    pub skipped: Skipped,
    /// Whether the peer has been sent the whole table.
    pub up_to_date: bool,
}
