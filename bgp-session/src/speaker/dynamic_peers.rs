//! `DynamicPeers`: addresses that become peers by connecting.

use ipnet::IpNet;

use crate::config::PeerConfig;

/// The dynamic peers of one prefix (see [`Speaker::add_dynamic_peers`](super::Speaker::add_dynamic_peers)).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DynamicPeers {
    /// The prefix that they connect from.
    pub prefix: IpNet,
    /// Their configuration, but for the address.
    pub template: PeerConfig,
    /// The maximum number of them at a time.
    pub limit: usize,
    /// The present number of them.
    pub present: usize,
}
