//! Blackhole routes (RFC 7999): a host route with the community BLACKHOLE and a next hop that discards traffic.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_wire::{Community, Family};

use super::{Announced, Group, Row};
use crate::bird::BIRD;
use crate::exabgp::EXABGP;
use crate::frr::FRR;
use crate::gobgp::GOBGP;
use crate::openbgpd::OPENBGPD;
use crate::router::Kind;

const FAMILIES: &[Family] = &[Family::IPV4_UNICAST, Family::IPV6_UNICAST];

/// The next hop is in a documentation prefix (RFC 5737).
const HOST: Announced = Announced {
    community: Some(Community::BLACKHOLE),
    next_hop: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254))),
    ..Announced::new(Family::IPV4_UNICAST, "198.51.100.66/32", &[])
};

/// The next hop is in the discard prefix (RFC 6666).
const HOST_IPV6: Announced = Announced {
    community: Some(Community::BLACKHOLE),
    next_hop: Some(IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1))),
    ..Announced::new(Family::IPV6_UNICAST, "2001:db8::66/128", &[])
};

/// Returns the group for one kind of router.
const fn group(kind: &'static Kind, rows: &'static [Row]) -> Group {
    Group::new("blackhole_is_shown", kind, FAMILIES, rows)
}

pub(super) static GROUPS: [Group; 5] = [
    group(
        &GOBGP,
        &[
            Row::new(
                HOST,
                "global rib -a ipv4",
                &[
                    "198.51.100.66/32 ",
                    " 192.0.2.254 ",
                    "{Communities: blackhole}",
                ],
            ),
            Row::new(
                HOST_IPV6,
                "global rib -a ipv6",
                &["2001:db8::66/128 ", " 100::1 ", "{Communities: blackhole}"],
            ),
        ],
    ),
    group(
        &FRR,
        &[
            // FRR itself adds NO_EXPORT to a route with BLACKHOLE, as RFC 7999 section 3.2 recommends.
            Row::new(
                HOST,
                "show bgp ipv4 unicast 198.51.100.66/32",
                &[
                    "BGP routing table entry for 198.51.100.66/32",
                    "inform peer to blackhole prefix",
                    " 192.0.2.254 from OURS ",
                    "Community: blackhole no-export",
                ],
            ),
            Row::new(
                HOST_IPV6,
                "show bgp ipv6 unicast 2001:db8::66/128",
                &[
                    "BGP routing table entry for 2001:db8::66/128",
                    "inform peer to blackhole prefix",
                    " 100::1 from OURS ",
                    "Community: blackhole no-export",
                ],
            ),
        ],
    ),
    group(
        &BIRD,
        &[
            Row::new(
                HOST,
                "show route 198.51.100.66/32 all",
                &[
                    "198.51.100.66/32 ",
                    "BGP.next_hop: 192.0.2.254\n",
                    "BGP.community: (65535,666)\n",
                ],
            ),
            Row::new(
                HOST_IPV6,
                "show route 2001:db8::66/128 all",
                &[
                    "2001:db8::66/128 ",
                    "BGP.next_hop: 100::1\n",
                    "BGP.community: (65535,666)\n",
                ],
            ),
        ],
    ),
    group(
        &OPENBGPD,
        &[
            Row::new(
                HOST,
                "show rib detail 198.51.100.66/32",
                &[
                    "entry for 198.51.100.66/32",
                    "Nexthop 192.0.2.254 ",
                    "Communities: BLACKHOLE",
                ],
            ),
            Row::new(
                HOST_IPV6,
                "show rib detail 2001:db8::66/128",
                &[
                    "entry for 2001:db8::66/128",
                    "Nexthop 100::1 ",
                    "Communities: BLACKHOLE",
                ],
            ),
        ],
    ),
    group(
        &EXABGP,
        &[
            Row::new(
                HOST,
                "198.51.100.66/32",
                &[
                    "198.51.100.66/32 via 192.0.2.254 ",
                    "\"community\": [[65535, 666]]",
                ],
            ),
            Row::new(
                HOST_IPV6,
                "2001:db8::66/128",
                &[
                    "2001:db8::66/128 via 100::1 ",
                    "\"community\": [[65535, 666]]",
                ],
            ),
        ],
    ),
];
