//! `DynamicPeers`: a prefix whose addresses become peers when they connect.

use ipnet::IpNet;

use crate::config::PeerConfig;

/// The dynamic peers of one prefix (see [`Speaker::add_dynamic_peers`](super::Speaker::add_dynamic_peers)).
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct DynamicPeers {
    /// The prefix that the peers connect from.
    pub prefix: IpNet,
    /// The configuration of each peer, except its address.
    pub template: PeerConfig,
    /// The maximum number of present peers.
    pub limit: usize,
    /// The number of present peers. May exceed `limit` after the limit was reduced.
    pub present: usize,
}
