//! Arithmetic on the ranges of a pool: sizes, successors, and the addresses that are kept back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::AddressPool;

/// Returns `true` if a pool that avoids buggy addresses does not assign this one: IPv4 with a last octet of 0 or 255.
///
/// Some customer equipment mistakes such an address for a network or broadcast address, whatever the prefix length.
pub(super) fn is_buggy(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets(), [.., 0 | 255]),
        IpAddr::V6(_) => false,
    }
}

/// Returns `true` if the pool assigns this address of its ranges.
pub(super) fn is_usable(pool: &AddressPool, address: IpAddr) -> bool {
    !(pool.avoid_buggy_addresses && is_buggy(address))
}

/// Returns the next higher address of the family, or `None` after the last.
pub(super) fn successor(address: IpAddr) -> Option<IpAddr> {
    Some(match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits().checked_add(1)?).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits().checked_add(1)?).into(),
    })
}

/// Returns the number of addresses of a network; that of `::/0` is one less than it has.
pub(super) fn size(range: IpNet) -> u128 {
    let host_bits = u32::from(range.max_prefix_len() - range.prefix_len());
    1_u128.checked_shl(host_bits).unwrap_or(u128::MAX)
}

/// Returns the number of addresses that a pool can assign, at most `u128::MAX`.
pub(super) fn capacity(pool: &AddressPool) -> u128 {
    pool.ranges.iter().fold(0, |sum: u128, range| {
        let kept_back = if pool.avoid_buggy_addresses {
            buggy(*range)
        } else {
            0
        };
        sum.saturating_add(size(*range) - kept_back)
    })
}

/// Returns the number of buggy addresses of a network.
fn buggy(range: IpNet) -> u128 {
    match range {
        IpNet::V6(_) => 0,
        IpNet::V4(_) if range.prefix_len() <= 24 => size(range) / 128,
        IpNet::V4(_) => [range.network(), range.broadcast()]
            .into_iter()
            // A network of one address has it as its first and its last.
            .take(if range.prefix_len() == 32 { 1 } else { 2 })
            .map(|address| u128::from(is_buggy(address)))
            .sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(ranges: &[&str], avoid_buggy_addresses: bool) -> AddressPool {
        AddressPool {
            name: "default".into(),
            ranges: ranges.iter().map(|range| range.parse().unwrap()).collect(),
            avoid_buggy_addresses,
            auto_assign: true,
        }
    }

    #[test]
    fn capacities() {
        for (range, all, usable) in [
            ("192.168.10.0/24", 256, 254),
            ("192.168.0.0/16", 65536, 65024),
            ("192.168.10.0/25", 128, 127),
            ("192.168.10.128/25", 128, 127),
            ("192.168.10.64/26", 64, 64),
            ("192.168.10.0/32", 1, 0),
            ("192.168.10.255/32", 1, 0),
            ("192.168.10.254/31", 2, 1),
            ("192.168.10.1/32", 1, 1),
            ("0.0.0.0/0", 1 << 32, (1 << 32) - (1 << 25)),
            ("2001:db8::/64", 1 << 64, 1 << 64),
            ("::/0", u128::MAX, u128::MAX),
        ] {
            assert_eq!(capacity(&pool(&[range], false)), all, "{range}");
            assert_eq!(capacity(&pool(&[range], true)), usable, "{range}");
        }
        assert_eq!(capacity(&pool(&["::/1", "8000::/1"], false)), u128::MAX);
    }

    #[test]
    fn successors() {
        let next = |text: &str| successor(text.parse().unwrap()).map(|address| address.to_string());
        assert_eq!(next("10.0.0.255").as_deref(), Some("10.0.1.0"));
        assert_eq!(next("255.255.255.255"), None);
        assert_eq!(next("::ffff").as_deref(), Some("::1:0"));
    }
}
