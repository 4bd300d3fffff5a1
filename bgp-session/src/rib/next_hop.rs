//! The next hop that a route is sent with (RFC 4271 section 5.1.3, RFC 4364, RFC 4659, RFC 4798, RFC 8950, RFC 8955).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_wire::{Afi, Family, FamilySet, NextHop, Safi};
use ipnet::IpNet;

use crate::config::PeerConfig;
use crate::negotiate::Negotiated;
use crate::route::Path;
use crate::withheld::WithheldReason;

/// An optional address of each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Addresses {
    ipv4: Option<IpAddr>,
    ipv6: Option<IpAddr>,
}

/// The sources of the next hops that one peer is sent. The policy precedes the route, which precedes the speaker itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NextHops {
    policy: Addresses,
    ours: Addresses,
    /// The addresses of the session's interface, where `ours` has none.
    interface: Addresses,
    /// The peer's address, which is never the next hop.
    peer: IpAddr,
    /// IPv4 families for which the peer accepts IPv6 next hops (RFC 8950).
    extended: FamilySet,
}

impl NextHops {
    /// Creates the next hops of a session. `interface` has the addresses of the interface that holds our end of it.
    pub(super) fn new(config: &PeerConfig, negotiated: &Negotiated, interface: &[IpNet]) -> Self {
        let (local_ipv4, local_ipv6) = match negotiated.local_address {
            IpAddr::V4(address) => (Some(address), None),
            IpAddr::V6(address) => (None, Some(address)),
        };
        let policy = config.export.as_ref();
        // RFC 4271 section 5.1.3: by default the next hop is the address that we use for the session.
        let ours = Addresses::new(
            config.next_hop_ipv4.or(local_ipv4),
            config.next_hop_ipv6.or(local_ipv6),
        );
        Self {
            policy: Addresses::new(
                policy.and_then(|policy| policy.next_hop_ipv4),
                policy.and_then(|policy| policy.next_hop_ipv6),
            ),
            ours,
            interface: Addresses::of_interface(interface, config.address, ours),
            peer: config.address,
            extended: negotiated.sends.extended_next_hop(),
        }
    }

    /// Returns `true` if routes of one of these families have a next hop only if the session's interface has an address of their
    /// address family.
    pub(super) fn needs_interface(&self, families: FamilySet) -> bool {
        families
            .iter()
            .any(|family| match (family.afi, family.safi) {
                (Afi::IPV4, Safi::UNICAST | Safi::MULTICAST | Safi::LABELED | Safi::VPN) => {
                    self.ours.ipv4.is_none() && !self.extended.contains(family)
                }
                (Afi::IPV6, Safi::UNICAST | Safi::MULTICAST) => self.ours.ipv6.is_none(),
                _ => false,
            })
    }

    /// Returns the next hop of a route of this family, or the reason why the route cannot be sent.
    pub(super) fn of(&self, family: Family, path: &Path) -> Result<NextHop, WithheldReason> {
        let extended = self.extended.contains(family);
        let address = match (family.afi, family.safi) {
            // RFC 8955 section 4: a flow specification has no next hop. An extended community contains a redirection target.
            (_, Safi::FLOWSPEC | Safi::FLOWSPEC_VPN) => return Ok(NextHop::Absent),
            (Afi::IPV4, Safi::UNICAST | Safi::MULTICAST | Safi::LABELED | Safi::VPN) => {
                self.of_ipv4(extended, path)
            }
            (Afi::IPV6, Safi::UNICAST | Safi::MULTICAST) => self.of_ipv6(path),
            // RFC 4659 section 3.2.1.2, RFC 4798 section 2: across an IPv4 core the next hop is an IPv4-mapped address.
            (Afi::IPV6, _) => self.ipv6_first(path).map(|address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().into(),
                IpAddr::V6(_) => address,
            }),
            // RFC 7432 section 9.2.1, RFC 4684 section 4: the next hop is an address of either family.
            _ => self.ipv4_first(path),
        };
        match address {
            // RFC 4271 section 5.1.3: the peer would send the traffic to itself.
            Some(address) if address.to_canonical() == self.peer => {
                Err(WithheldReason::NextHopIsPeer)
            }
            Some(address) => Ok(NextHop::Address(address)),
            None => Err(WithheldReason::NoNextHop),
        }
    }

    fn of_ipv4(&self, extended: bool, path: &Path) -> Option<IpAddr> {
        // RFC 8950 section 4: an IPv6 next hop is allowed only if the peer advertised the capability.
        let given_ipv6 = self.given_ipv6(path).filter(|_| extended);
        let our_ipv6 = self.ours.ipv6.filter(|_| extended);
        let given = self.given_ipv4(path).or(given_ipv6);
        // Another address in place of the one that the route names would attract the traffic to the wrong host.
        if given.is_some() || path.next_hop_ipv6.is_some() {
            return given;
        }
        self.ours.ipv4.or(our_ipv6).or(self.interface.ipv4)
    }

    fn of_ipv6(&self, path: &Path) -> Option<IpAddr> {
        let given = self.given_ipv6(path);
        // For the same reason as in `of_ipv4`. No IPv6 unicast route has an IPv4 next hop.
        if given.is_some() || path.next_hop_ipv4.is_some() {
            return given;
        }
        self.ours.ipv6.or(self.interface.ipv6)
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

    /// Returns the next hops among the addresses of an interface, for the address families of which `ours` has none. `peer` is
    /// the other end of the session.
    fn of_interface(interface: &[IpNet], peer: IpAddr, ours: Self) -> Self {
        // RFC 2545 section 2: a link-local next hop is for peers on the same link.
        let is_connected = interface.iter().any(|subnet| subnet.contains(&peer));
        let find = |suits: fn(IpAddr) -> bool| {
            let candidates = || interface.iter().filter(|address| suits(address.addr()));
            let global = || candidates().filter(|address| !is_link_local(address.addr()));
            // An address without a subnet is usually a service address that is announced, and that may move to another host.
            let chosen = global()
                .find(|address| address.prefix_len() < address.max_prefix_len())
                .or_else(|| global().next())
                .or_else(|| candidates().next().filter(|_| is_connected));
            chosen.map(IpNet::addr)
        };
        Self {
            ipv4: find(is_usable_ipv4).filter(|_| ours.ipv4.is_none()),
            ipv6: find(is_usable_ipv6).filter(|_| ours.ipv6.is_none()),
        }
    }
}

fn is_usable_ipv4(address: IpAddr) -> bool {
    address.is_ipv4() && NextHop::Address(address).is_usable()
}

fn is_usable_ipv6(address: IpAddr) -> bool {
    address.is_ipv6() && NextHop::Address(address).is_usable()
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
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
            interface: Addresses::default(),
            peer: [192, 0, 2, 254].into(),
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
            let next_hop = |hops: NextHops| hops.of(family, &plain).ok().map(|hop| hop.to_string());
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
        let next_hop = |family| {
            let hop = extended.of(family, &path(&[])).ok()?;
            Some(hop.to_string())
        };
        assert_eq!(next_hop(Family::IPV4_VPN).as_deref(), Some("2001:db8::1"));
        assert_eq!(next_hop(Family::IPV4_LABELED), None);
    }

    #[test]
    fn next_hop_is_never_the_peer() {
        let to = |peer: &str| NextHops {
            peer: peer.parse().unwrap(),
            ..over(true, true)
        };
        for (family, peer) in [
            (Family::IPV4_UNICAST, "192.0.2.1"),
            (Family::IPV6_UNICAST, "2001:db8::1"),
            (Family::L2VPN_EVPN, "192.0.2.1"),
        ] {
            let reason = Err(WithheldReason::NextHopIsPeer);
            assert_eq!(to(peer).of(family, &path(&[])), reason, "{family}");
            assert!(to("198.51.100.1").of(family, &path(&[])).is_ok());
        }
        // RFC 4659 section 3.2.1.2: the next hop is in IPv4-mapped form.
        let mapped = to("198.51.100.7").of(Family::IPV6_VPN, &path(&["198.51.100.7"]));
        assert_eq!(mapped, Err(WithheldReason::NextHopIsPeer));
        // A flow specification has no next hop.
        assert!(
            to("192.0.2.1")
                .of(Family::IPV4_FLOWSPEC, &path(&[]))
                .is_ok()
        );
    }

    fn on_interface(addresses: &[&str], peer: &str, ours: Addresses) -> [Option<String>; 2] {
        let nets: Vec<IpNet> = addresses.iter().map(|it| it.parse().unwrap()).collect();
        let found = Addresses::of_interface(&nets, peer.parse().unwrap(), ours);
        [found.ipv4, found.ipv6].map(|address| address.map(|it| it.to_string()))
    }

    /// The addresses of an interface, the peer, and the next hops of IPv4 and of IPv6.
    type InterfaceCase = (
        &'static [&'static str],
        &'static str,
        Option<&'static str>,
        Option<&'static str>,
    );

    const INTERFACES: &[InterfaceCase] = &[
        (&[], "192.0.2.254", None, None),
        (
            &["fe80::1/64", "2001:db8::1/64", "2001:db8::2/64"],
            "192.0.2.254",
            None,
            Some("2001:db8::1"),
        ),
        (
            &["2001:db8:7::7/128", "fd00::1/64"],
            "192.0.2.254",
            None,
            Some("fd00::1"),
        ),
        (
            &["fe80::1/64", "2001:db8:7::7/128"],
            "192.0.2.254",
            None,
            Some("2001:db8:7::7"),
        ),
        (
            &["169.254.0.1/16", "192.0.2.1/32", "192.0.2.2/24"],
            "2001:db8::254",
            Some("192.0.2.2"),
            None,
        ),
        // RFC 2545 section 2: link-local only for a peer on the same link.
        (
            &["192.0.2.1/24", "fe80::1/64"],
            "192.0.2.254",
            Some("192.0.2.1"),
            Some("fe80::1"),
        ),
        (
            &["192.0.2.1/24", "fe80::1/64"],
            "198.51.100.1",
            Some("192.0.2.1"),
            None,
        ),
        (
            &["169.254.0.1/16", "fe80::1/64"],
            "fe80::254",
            Some("169.254.0.1"),
            Some("fe80::1"),
        ),
        // A session between addresses of the loopback interface.
        (&["127.0.0.1/8", "::1/128"], "127.0.0.2", None, None),
        (
            &[
                "127.0.0.1/8",
                "::1/128",
                "198.51.100.1/32",
                "2001:db8::1/128",
            ],
            "198.51.100.2",
            Some("198.51.100.1"),
            Some("2001:db8::1"),
        ),
        (
            &["0.0.0.0/0", "ff02::1/128", "::/0"],
            "192.0.2.254",
            None,
            None,
        ),
    ];

    #[test]
    fn interface_prefers_global_addresses_with_a_subnet() {
        for (addresses, peer, ipv4, ipv6) in INTERFACES {
            let expected = [ipv4, ipv6].map(|text| text.map(str::to_owned));
            let found = on_interface(addresses, peer, Addresses::default());
            assert_eq!(found, expected, "{addresses:?} towards {peer}");
        }
        let ours = Addresses::new(Some(V4), Some(V6));
        let found = on_interface(&["192.0.2.9/24", "2001:db8::9/64"], "192.0.2.254", ours);
        assert_eq!(
            found,
            [None, None],
            "a known address precedes the interface's"
        );
    }

    #[test]
    fn interface_is_needed_by_families_without_an_address() {
        let needs = |hops: NextHops, text: &str| {
            let family: Family = text.parse().unwrap();
            hops.needs_interface(FamilySet::EMPTY.with(family))
        };
        for (family, over_ipv4, over_ipv6) in [
            ("ipv4 unicast", false, true),
            ("ipv4 vpn", false, true),
            ("ipv6 unicast", true, false),
            ("ipv6 multicast", true, false),
            // Across an IPv4 core the next hop is an IPv4-mapped address.
            ("ipv6 vpn", false, false),
            ("ipv6 flowspec", false, false),
            ("ipv4 flowspec", false, false),
            ("l2vpn evpn", false, false),
            ("ipv4 route-target", false, false),
        ] {
            let found = [over(true, false), over(false, true)].map(|hops| needs(hops, family));
            assert_eq!(found, [over_ipv4, over_ipv6], "{family}");
            assert!(!needs(over(true, true), family));
        }
        let extended = NextHops {
            extended: FamilySet::EMPTY.with(Family::IPV4_UNICAST),
            ..over(false, true)
        };
        assert!(!needs(extended, "ipv4 unicast"), "RFC 8950");
    }

    #[test]
    fn interface_is_the_last_source_and_only_of_its_address_family() {
        let hops = |ipv4, ipv6| NextHops {
            interface: Addresses::new(
                Some([10, 0, 0, 1].into()),
                Some("2001:db8::10".parse().unwrap()),
            ),
            ..over(ipv4, ipv6)
        };
        let next_hop =
            |hops: NextHops, family: Family| hops.of(family, &path(&[])).unwrap().to_string();
        assert_eq!(
            next_hop(hops(true, false), Family::IPV6_UNICAST),
            "2001:db8::10"
        );
        assert_eq!(
            next_hop(hops(false, true), Family::IPV4_UNICAST),
            "10.0.0.1"
        );
        assert_eq!(
            next_hop(hops(true, true), Family::IPV6_UNICAST),
            "2001:db8::1"
        );
        assert_eq!(
            next_hop(hops(true, true), Family::IPV4_UNICAST),
            "192.0.2.1"
        );
        // RFC 4659 section 3.2.1.2: the core is IPv4, whatever addresses the interface has.
        assert_eq!(
            next_hop(hops(true, false), Family::IPV6_VPN),
            "::ffff:192.0.2.1"
        );
        // RFC 8950: the session runs over IPv6, which the peer accepts.
        let extended = NextHops {
            extended: FamilySet::EMPTY.with(Family::IPV4_UNICAST),
            ..hops(false, true)
        };
        assert_eq!(next_hop(extended, Family::IPV4_UNICAST), "2001:db8::1");
    }
}
