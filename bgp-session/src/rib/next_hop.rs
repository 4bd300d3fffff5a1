//! The next hop that a route is sent with (RFC 4271 section 5.1.3, RFC 4364, RFC 4659, RFC 4798, RFC 8950, RFC 8955).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_wire::{Afi, Family, FamilySet, NextHop, Safi};

use super::route::Path;
use crate::config::PeerConfig;
use crate::negotiate::Negotiated;

/// An optional address of each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Addresses {
    ipv4: Option<IpAddr>,
    ipv6: Option<IpAddr>,
}

/// The sources of the next hops that one peer is sent. The policy precedes the route, which precedes the speaker itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NextHops {
    policy: Addresses,
    ours: Addresses,
    /// IPv4 families for which the peer accepts IPv6 next hops (RFC 8950).
    extended: FamilySet,
}

impl NextHops {
    pub(super) fn new(config: &PeerConfig, negotiated: &Negotiated) -> Self {
        let (local_ipv4, local_ipv6) = match negotiated.local_address {
            IpAddr::V4(address) => (Some(address), None),
            IpAddr::V6(address) => (None, Some(address)),
        };
        let policy = config.export.as_ref();
        Self {
            policy: Addresses::new(
                policy.and_then(|policy| policy.next_hop_ipv4),
                policy.and_then(|policy| policy.next_hop_ipv6),
            ),
            // RFC 4271 section 5.1.3: by default the next hop is the address that we use for the session.
            ours: Addresses::new(
                config.next_hop_ipv4.or(local_ipv4),
                config.next_hop_ipv6.or(local_ipv6),
            ),
            extended: negotiated.sends.extended_next_hop(),
        }
    }

    /// Returns the next hop of a route of this family, or `None` if no known address suits the family.
    pub(super) fn of(&self, family: Family, path: &Path) -> Option<NextHop> {
        let extended = self.extended.contains(family);
        let address = match (family.afi, family.safi) {
            // RFC 8955 section 4: a flow specification has no next hop. An extended community contains a redirection target.
            (_, Safi::FLOWSPEC | Safi::FLOWSPEC_VPN) => return Some(NextHop::Absent),
            (Afi::IPV4, Safi::UNICAST | Safi::MULTICAST | Safi::LABELED | Safi::VPN) => {
                self.of_ipv4(extended, path)
            }
            (Afi::IPV6, Safi::UNICAST | Safi::MULTICAST) => {
                self.given_ipv6(path).or(self.ours.ipv6)
            }
            // RFC 4659 section 3.2.1.2, RFC 4798 section 2: across an IPv4 core the next hop is an IPv4-mapped address.
            (Afi::IPV6, _) => self.ipv6_first(path).map(|address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().into(),
                IpAddr::V6(_) => address,
            }),
            // RFC 7432 section 9.2.1, RFC 4684 section 4: the next hop is an address of either family.
            _ => self.ipv4_first(path),
        };
        address.map(NextHop::Address)
    }

    fn of_ipv4(&self, extended: bool, path: &Path) -> Option<IpAddr> {
        // RFC 8950 section 4: an IPv6 next hop is allowed only if the peer advertised the capability.
        let given_ipv6 = self.given_ipv6(path).filter(|_| extended);
        let our_ipv6 = self.ours.ipv6.filter(|_| extended);
        self.given_ipv4(path)
            .or(given_ipv6)
            .or(self.ours.ipv4)
            .or(our_ipv6)
    }

    /// Returns a given address before ours, and of each an IPv6 address before an IPv4 address.
    fn ipv6_first(&self, path: &Path) -> Option<IpAddr> {
        self.given_ipv6(path)
            .or_else(|| self.given_ipv4(path))
            .or(self.ours.ipv6)
            .or(self.ours.ipv4)
    }

    /// Returns a given address before ours, and of each an IPv4 address before an IPv6 address.
    fn ipv4_first(&self, path: &Path) -> Option<IpAddr> {
        self.given_ipv4(path)
            .or_else(|| self.given_ipv6(path))
            .or(self.ours.ipv4)
            .or(self.ours.ipv6)
    }

    /// Returns the IPv4 next hop of the policy or else of the route.
    fn given_ipv4(&self, path: &Path) -> Option<IpAddr> {
        self.policy
            .ipv4
            .or_else(|| path.next_hop_ipv4.map(IpAddr::V4))
    }

    /// Returns the IPv6 next hop of the policy or else of the route.
    fn given_ipv6(&self, path: &Path) -> Option<IpAddr> {
        self.policy
            .ipv6
            .or_else(|| path.next_hop_ipv6.map(IpAddr::V6))
    }
}

impl Addresses {
    fn new(ipv4: Option<Ipv4Addr>, ipv6: Option<Ipv6Addr>) -> Self {
        Self {
            ipv4: ipv4.map(IpAddr::V4),
            ipv6: ipv6.map(IpAddr::V6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Route;

    const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

    fn over(ipv4: bool, ipv6: bool) -> NextHops {
        NextHops {
            policy: Addresses::new(None, None),
            ours: Addresses::new(ipv4.then_some(V4), ipv6.then_some(V6)),
            extended: FamilySet::EMPTY,
        }
    }

    fn path(next_hops: &[&str]) -> Path {
        let route = Route::new("192.0.2.0/24".parse().unwrap());
        next_hops
            .iter()
            .fold(route, |route, address| {
                route.with_next_hop(address.parse().unwrap())
            })
            .path
    }

    #[test]
    fn next_hop_suits_family() {
        let plain = path(&[]);
        for (family, over_ipv4, over_ipv6, over_both) in [
            ("ipv4 unicast", Some("192.0.2.1"), None, Some("192.0.2.1")),
            (
                "ipv4 labeled-unicast",
                Some("192.0.2.1"),
                None,
                Some("192.0.2.1"),
            ),
            ("ipv4 vpn", Some("192.0.2.1"), None, Some("192.0.2.1")),
            (
                "ipv6 unicast",
                None,
                Some("2001:db8::1"),
                Some("2001:db8::1"),
            ),
            (
                "ipv6 multicast",
                None,
                Some("2001:db8::1"),
                Some("2001:db8::1"),
            ),
            (
                "ipv6 labeled-unicast",
                Some("::ffff:192.0.2.1"),
                Some("2001:db8::1"),
                Some("2001:db8::1"),
            ),
            (
                "ipv6 vpn",
                Some("::ffff:192.0.2.1"),
                Some("2001:db8::1"),
                Some("2001:db8::1"),
            ),
            // RFC 8955 section 4.
            ("ipv4 flowspec", Some("none"), Some("none"), Some("none")),
            (
                "ipv6 flowspec-vpn",
                Some("none"),
                Some("none"),
                Some("none"),
            ),
            (
                "l2vpn evpn",
                Some("192.0.2.1"),
                Some("2001:db8::1"),
                Some("192.0.2.1"),
            ),
            (
                "ipv4 route-target",
                Some("192.0.2.1"),
                Some("2001:db8::1"),
                Some("192.0.2.1"),
            ),
        ] {
            let family: Family = family.parse().unwrap();
            let next_hop = |hops: NextHops| hops.of(family, &plain).map(|hop| hop.to_string());
            let found = [over(true, false), over(false, true), over(true, true)].map(next_hop);
            let expected = [over_ipv4, over_ipv6, over_both].map(|text| text.map(str::to_owned));
            assert_eq!(found, expected, "{family}");
        }
    }

    #[test]
    fn next_hop_of_route_precedes_ours() {
        let own = path(&["198.51.100.7"]);
        let next_hop = |family, path| over(true, true).of(family, path).unwrap().to_string();
        assert_eq!(next_hop(Family::IPV4_VPN, &own), "198.51.100.7");
        assert_eq!(next_hop(Family::IPV6_VPN, &own), "::ffff:198.51.100.7");
        assert_eq!(next_hop(Family::IPV6_UNICAST, &own), "2001:db8::1");
        assert_eq!(
            next_hop(Family::L2VPN_EVPN, &path(&["2001:db8::7"])),
            "2001:db8::7"
        );
        let mut hops = over(true, true);
        hops.policy.ipv4 = Some([203, 0, 113, 1].into());
        assert_eq!(
            hops.of(Family::IPV4_VPN, &own).unwrap().to_string(),
            "203.0.113.1"
        );
    }

    #[test]
    fn extended_next_hop_of_vpn_route_is_ipv6() {
        // RFC 8950: the capability is negotiated by family, here without labelled unicast.
        let extended = NextHops {
            extended: FamilySet::EMPTY.with(Family::IPV4_VPN),
            ..over(false, true)
        };
        let next_hop = |family| extended.of(family, &path(&[])).map(|hop| hop.to_string());
        assert_eq!(next_hop(Family::IPV4_VPN).as_deref(), Some("2001:db8::1"));
        assert_eq!(next_hop(Family::IPV4_LABELED), None);
    }
}
