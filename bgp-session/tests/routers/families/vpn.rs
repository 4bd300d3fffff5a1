//! VPN routes (RFC 4364, RFC 4659), flow specifications of VPNs (RFC 8955 section 8) and route target membership (RFC 4684).

use bgp_wire::Family;

use super::{Announced, Group, Row};
use crate::exabgp::EXABGP;
use crate::frr::FRR;
use crate::gobgp::GOBGP;

const VPN: &[Family] = &[Family::IPV4_VPN, Family::IPV6_VPN];

const FLOWSPEC_VPN: &[Family] = &[Family::IPV4_FLOWSPEC_VPN, Family::IPV6_FLOWSPEC_VPN];

const VPN_IPV4: Announced = Announced::new(
    Family::IPV4_VPN,
    "198.51.100.0/24 rd 64512:1 label 100",
    &["target:64512:7"],
);

const VPN_IPV6: Announced = Announced::new(
    Family::IPV6_VPN,
    "2001:db8::/32 rd 64512:1 label 100",
    &["target:64512:7"],
);

const FLOW: Announced = Announced::new(
    Family::IPV4_FLOWSPEC_VPN,
    "rd 64512:1 destination 198.51.100.0/24 protocol =udp",
    &["discard:64512", "target:64512:7"],
);

const FLOW_IPV6: Announced = Announced::new(
    Family::IPV6_FLOWSPEC_VPN,
    "rd 64512:1 destination 2001:db8::/32 protocol =udp",
    &["discard:64512", "target:64512:7"],
);

const TARGET: Announced = Announced::new(Family::ROUTE_TARGET, "64512 target:64512:7", &[]);

// Without OpenBGPD: version 7.7 keeps a VPN route after its withdrawal, with any label in the withdrawal.
pub(super) static GROUPS: [Group; 5] = [
    Group::new(
        "vpn_is_shown",
        &GOBGP,
        VPN,
        &[
            Row::new(
                VPN_IPV4,
                "global rib -a vpnv4",
                &[
                    // The next hop has a route distinguisher of 0 (RFC 4364 section 4.3.2), which no router shows.
                    "64512:1:198.51.100.0/24 [100] ",
                    " OURS ",
                    "{Extcomms: [64512:7]}",
                ],
            ),
            Row::new(
                VPN_IPV6,
                "global rib -a vpnv6",
                &[
                    "64512:1:2001:db8::/32 [100] ",
                    " OURS6 ",
                    "{Extcomms: [64512:7]}",
                ],
            ),
        ],
    ),
    Group::new(
        "vpn_is_shown",
        &FRR,
        VPN,
        &[
            Row::new(
                VPN_IPV4,
                "show bgp ipv4 vpn",
                &[
                    "Route Distinguisher: 64512:1\n*> 198.51.100.0/24  OURS ",
                    "EC{64512:7} label=100 ",
                ],
            ),
            Row::new(
                VPN_IPV6,
                "show bgp ipv6 vpn",
                &[
                    "Route Distinguisher: 64512:1\n*> 2001:db8::/32    OURS6 ",
                    "EC{64512:7} label=100 ",
                ],
            ),
        ],
    ),
    Group::new(
        "vpn_is_shown",
        &EXABGP,
        VPN,
        &[
            Row::new(
                VPN_IPV4,
                "198.51.100.0/24 rd 64512:1",
                &[
                    "198.51.100.0/24 rd 64512:1 via OURS label [[100]] ",
                    "\"target:64512:7\"",
                ],
            ),
            Row::new(
                VPN_IPV6,
                "2001:db8::/32 rd 64512:1",
                &[
                    "2001:db8::/32 rd 64512:1 via OURS6 label [[100]] ",
                    "\"target:64512:7\"",
                ],
            ),
        ],
    ),
    Group::new(
        "flowspec_of_vpns_is_shown",
        &GOBGP,
        FLOWSPEC_VPN,
        &[
            Row::new(
                FLOW,
                "global rib -a ipv4-l3vpn-flowspec",
                &[
                    "[rd: 64512:1][destination: 198.51.100.0/24][protocol: ==udp] ",
                    "{Extcomms: [discard(as: 64512)], [64512:7]}",
                ],
            ),
            Row::new(
                FLOW_IPV6,
                "global rib -a ipv6-l3vpn-flowspec",
                &[
                    "[rd: 64512:1][destination: 2001:db8::/32/0][protocol: ==udp] ",
                    "{Extcomms: [discard(as: 64512)], [64512:7]}",
                ],
            ),
        ],
    ),
    Group::new(
        "route_targets_are_shown",
        &GOBGP,
        &[Family::ROUTE_TARGET],
        &[Row::new(
            TARGET,
            "global rib -a rtc",
            &["64512:64512:7 ", " OURS "],
        )],
    ),
];
