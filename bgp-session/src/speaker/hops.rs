//! `HopCounts`: the maximum distances of the peers that may connect, for the minimum TTL of the listeners (RFC 5082).

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::config::PeerConfig;

/// The number of configurations with each maximum distance in hops, or `None` without a limit.
///
/// A listener is concerned by the family of an address only, so that the template of dynamic peers counts once.
// Counts instead of a walk through the peers: adding many peers would take quadratic time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct HopCounts {
    ipv4: BTreeMap<Option<u8>, usize>,
    ipv6: BTreeMap<Option<u8>, usize>,
}

impl HopCounts {
    /// Adds the maximum distance of a peer.
    pub(super) fn add(&mut self, config: &PeerConfig) {
        *self
            .of(config.address())
            .entry(config.transport.hops)
            .or_default() += 1;
    }

    /// Removes the maximum distance of a peer, which must have been added.
    pub(super) fn remove(&mut self, config: &PeerConfig) {
        let hops = config.transport.hops;
        let counts = self.of(config.address());
        let Some(count) = counts.get_mut(&hops) else {
            debug_assert!(false, "{hops:?} hops of {} not counted", config.address());
            return;
        };
        *count -= 1;
        if *count == 0 {
            counts.remove(&hops);
        }
    }

    /// Returns the distinct maximum distances of the peers that can connect to a listener, which has an IPv6 address or not.
    pub(super) fn reaching(&self, ipv6: bool) -> impl Iterator<Item = Option<u8>> {
        // An IPv6 socket also accepts IPv4 peers, by their mapped addresses.
        let others = self.ipv6.keys().filter(move |_| ipv6);
        self.ipv4.keys().chain(others).copied()
    }

    fn of(&mut self, address: IpAddr) -> &mut BTreeMap<Option<u8>, usize> {
        match address {
            IpAddr::V4(_) => &mut self.ipv4,
            IpAddr::V6(_) => &mut self.ipv6,
        }
    }
}

#[cfg(test)]
mod tests {
    use bgp_wire::Asn;

    use super::*;

    fn config(address: &str, hops: Option<u8>) -> PeerConfig {
        let config = PeerConfig::new(address.parse().unwrap(), Asn::new(64512));
        match hops {
            Some(hops) => config.with_ttl_security(hops),
            None => config,
        }
    }

    #[test]
    fn distances_of_many_peers_are_looked_at_once() {
        let mut counts = HopCounts::default();
        for number in 0..10_000_u32 {
            let address = std::net::Ipv4Addr::from(0x0a00_0000 + number).to_string();
            counts.add(&config(&address, (number % 2 == 0).then_some(1)));
        }
        counts.add(&config("2001:db8::1", Some(3)));
        let reaching = |counts: &HopCounts, ipv6| counts.reaching(ipv6).collect::<Vec<_>>();
        assert_eq!(reaching(&counts, false), [None, Some(1)]);
        assert_eq!(reaching(&counts, true), [None, Some(1), Some(3)]);
        // The limit remains until its last peer is gone.
        for left in (0..5000).rev() {
            counts.remove(&config("192.0.2.1", Some(1)));
            let expected: &[_] = if left == 0 { &[None] } else { &[None, Some(1)] };
            assert_eq!(reaching(&counts, false), expected);
        }
    }
}
