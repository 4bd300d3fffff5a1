//! `DynamicPrefixes`: the prefixes whose addresses become peers when they connect.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::super::dynamic_peers::DynamicPeers;

/// The dynamic peers of each prefix, the longest prefixes first.
// A sorted map instead of a list: the caller decides the number of prefixes, and each connection of an unknown address
// searches them.
#[derive(Default)]
pub(super) struct DynamicPrefixes(BTreeMap<(Reverse<u8>, IpNet), DynamicPeers>);

impl DynamicPrefixes {
    /// Returns the dynamic peers of exactly this prefix.
    pub(super) fn get(&self, prefix: IpNet) -> Option<&DynamicPeers> {
        self.0.get(&key(prefix))
    }

    /// Returns the dynamic peers of exactly this prefix.
    pub(super) fn get_mut(&mut self, prefix: IpNet) -> Option<&mut DynamicPeers> {
        self.0.get_mut(&key(prefix))
    }

    /// Returns the dynamic peers of the longest prefix that contains `address`.
    pub(super) fn longest_mut(&mut self, address: IpAddr) -> Option<&mut DynamicPeers> {
        let mut length = u8::MAX;
        loop {
            // The next length of any prefix. Few lengths are in use, so that this is faster than a search for each length.
            let first = (Reverse(length), FIRST);
            let (&(Reverse(known), _), _) = self.0.range(first..).next()?;
            let prefix = IpNet::new(address, known).ok();
            let key = prefix.map(|prefix| key(prefix.trunc()));
            if let Some(key) = key.filter(|key| self.0.contains_key(key)) {
                return self.0.get_mut(&key);
            }
            length = known.checked_sub(1)?;
        }
    }

    /// Adds dynamic peers. Replaces those of the same prefix.
    pub(super) fn insert(&mut self, peers: DynamicPeers) {
        self.0.insert(key(peers.prefix), peers);
    }

    /// Removes the dynamic peers of a prefix, and returns them.
    pub(super) fn remove(&mut self, prefix: IpNet) -> Option<DynamicPeers> {
        self.0.remove(&key(prefix))
    }

    /// Removes all dynamic peers.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns all dynamic peers, those of the longest prefix first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &DynamicPeers> {
        self.0.values()
    }
}

fn key(prefix: IpNet) -> (Reverse<u8>, IpNet) {
    (Reverse(prefix.prefix_len()), prefix)
}

/// The first prefix of each length in the order of prefixes.
const FIRST: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0));

#[cfg(test)]
mod tests {
    use bgp_wire::Asn;

    use super::*;
    use crate::config::PeerConfig;

    #[test]
    fn longest_prefix_that_contains_the_address_is_found() {
        let mut prefixes = DynamicPrefixes::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(prefixes.longest_mut(address("192.0.2.1")).is_none());
        for prefix in [
            "192.0.2.0/24",
            "192.0.2.128/25",
            "192.0.2.129/32",
            "2001:db8::/32",
            "2001:db8:1::/48",
            "::/0",
        ] {
            let prefix: IpNet = prefix.parse().unwrap();
            prefixes.insert(DynamicPeers {
                prefix,
                template: PeerConfig::new(prefix.addr(), Asn::new(64512)),
                limit: 1,
                present: 0,
            });
        }
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.0/24")),
            ("192.0.2.130", Some("192.0.2.128/25")),
            ("192.0.2.129", Some("192.0.2.129/32")),
            ("192.0.3.1", None),
            ("2001:db8::1", Some("2001:db8::/32")),
            ("2001:db8:1::1", Some("2001:db8:1::/48")),
            ("2001:db9::1", Some("::/0")),
        ] {
            let found = prefixes.longest_mut(address(text));
            let found = found.map(|known| known.prefix.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        let lengths = prefixes.iter().map(|known| known.prefix.prefix_len());
        assert_eq!(lengths.collect::<Vec<_>>(), [48, 32, 32, 25, 24, 0]);
    }
}
