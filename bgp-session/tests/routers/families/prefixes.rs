//! Prefixes with labels (RFC 8277) and multicast prefixes (RFC 4760).

use bgp_wire::Family;

use super::{Announced, Group, Row};
use crate::bird::BIRD;
use crate::frr::FRR;
use crate::gobgp::GOBGP;

const LABELED: &[Family] = &[Family::IPV4_LABELED, Family::IPV6_LABELED];

const MULTICAST: &[Family] = &[Family::IPV4_MULTICAST, Family::IPV6_MULTICAST];

const LABELED_IPV4: Announced =
    Announced::new(Family::IPV4_LABELED, "198.51.100.0/24 label 100", &[]);

const LABELED_IPV6: Announced =
    Announced::new(Family::IPV6_LABELED, "2001:db8::/32 label 100", &[]);

const MULTICAST_IPV4: Announced = Announced::new(Family::IPV4_MULTICAST, "198.51.100.0/24", &[]);

const MULTICAST_IPV6: Announced = Announced::new(Family::IPV6_MULTICAST, "2001:db8::/32", &[]);

pub(super) static GROUPS: [Group; 4] = [
    Group::new(
        "labeled_is_shown",
        &GOBGP,
        LABELED,
        &[
            Row::new(
                LABELED_IPV4,
                "global rib -a ipv4-mpls",
                // GoBGP pads the prefix to the width of its column.
                &["198.51.100.0/24      [100] ", " OURS "],
            ),
            Row::new(
                LABELED_IPV6,
                "global rib -a ipv6-mpls",
                &["2001:db8::/32        [100] ", " OURS6 "],
            ),
        ],
    ),
    Group::new(
        "labeled_is_shown",
        &FRR,
        LABELED,
        &[
            Row::new(
                LABELED_IPV4,
                "show bgp ipv4 labeled-unicast 198.51.100.0/24",
                &[
                    "entry for 198.51.100.0/24",
                    "OURS from OURS ",
                    "Remote label: 100",
                ],
            ),
            Row::new(
                LABELED_IPV6,
                "show bgp ipv6 labeled-unicast 2001:db8::/32",
                &[
                    "entry for 2001:db8::/32",
                    "OURS6 from OURS ",
                    "Remote label: 100",
                ],
            ),
        ],
    ),
    Group::new(
        "multicast_is_shown",
        &FRR,
        MULTICAST,
        &[
            Row::new(
                MULTICAST_IPV4,
                "show bgp ipv4 multicast 198.51.100.0/24",
                &["entry for 198.51.100.0/24", "OURS from OURS "],
            ),
            Row::new(
                MULTICAST_IPV6,
                "show bgp ipv6 multicast 2001:db8::/32",
                &["entry for 2001:db8::/32", "OURS6 from OURS "],
            ),
        ],
    ),
    Group::new(
        "multicast_is_shown",
        &BIRD,
        MULTICAST,
        &[
            Row::new(
                MULTICAST_IPV4,
                "show route table multicast4 all",
                &["198.51.100.0/24 ", "BGP.next_hop: OURS\n"],
            ),
            Row::new(
                MULTICAST_IPV6,
                "show route table multicast6 all",
                &["2001:db8::/32 ", "BGP.next_hop: OURS6\n"],
            ),
        ],
    ),
];
