//! Flow specifications (RFC 8955, RFC 8956) that discard or redirect traffic.

use bgp_wire::Family;

use super::{Announced, Group, Row};
use crate::bird::BIRD;
use crate::exabgp::EXABGP;
use crate::frr::FRR;
use crate::gobgp::GOBGP;

const FAMILIES: &[Family] = &[Family::IPV4_FLOWSPEC, Family::IPV6_FLOWSPEC];

/// `discard` is a traffic rate of 0 (RFC 8955 section 7.1).
const DISCARD: Announced = Announced::new(
    Family::IPV4_FLOWSPEC,
    "destination 192.0.2.1/32 protocol =udp source-port =53",
    &["discard:64512"],
);

const REDIRECT: Announced = Announced::new(
    Family::IPV4_FLOWSPEC,
    "destination 198.51.100.0/24 protocol =tcp port =80",
    &["redirect:64512:100"],
);

const DISCARD_IPV6: Announced = Announced::new(
    Family::IPV6_FLOWSPEC,
    "destination 2001:db8::1/128 protocol =udp source-port =53",
    &["discard:64512"],
);

const REDIRECT_IPV6: Announced = Announced::new(
    Family::IPV6_FLOWSPEC,
    "destination 2001:db8:1::/48 protocol =tcp port =443",
    &["redirect:64512:100"],
);

pub(super) static GROUPS: [Group; 4] = [
    Group::new(
        "flowspec_is_shown",
        &GOBGP,
        FAMILIES,
        &[
            Row::new(
                DISCARD,
                "global rib -a ipv4-flowspec",
                &[
                    "[destination: 192.0.2.1/32][protocol: ==udp][source-port: ==53] ",
                    "{Extcomms: [discard(as: 64512)]}",
                ],
            ),
            Row::new(
                REDIRECT,
                "global rib -a ipv4-flowspec",
                &[
                    "[destination: 198.51.100.0/24][protocol: ==tcp][port: ==80] ",
                    "{Extcomms: [redirect: 64512:100]}",
                ],
            ),
            Row::new(
                DISCARD_IPV6,
                "global rib -a ipv6-flowspec",
                &[
                    "[destination: 2001:db8::1/128/0][protocol: ==udp][source-port: ==53] ",
                    "{Extcomms: [discard(as: 64512)]}",
                ],
            ),
            Row::new(
                REDIRECT_IPV6,
                "global rib -a ipv6-flowspec",
                &[
                    "[destination: 2001:db8:1::/48/0][protocol: ==tcp][port: ==443] ",
                    "{Extcomms: [redirect: 64512:100]}",
                ],
            ),
        ],
    ),
    Group::new(
        "flowspec_is_shown",
        &FRR,
        FAMILIES,
        &[
            Row::new(
                DISCARD,
                "show bgp ipv4 flowspec detail",
                &[
                    "Destination Address 192.0.2.1/32\n\tIP Protocol = 17 \n\tSource Port = 53 \n",
                    "FS:rate 0.000000",
                ],
            ),
            Row::new(
                REDIRECT,
                "show bgp ipv4 flowspec detail",
                &[
                    "Destination Address 198.51.100.0/24\n\tIP Protocol = 6 \n\tPort = 80 \n",
                    "FS:redirect VRF RT:64512:100",
                ],
            ),
            Row::new(
                DISCARD_IPV6,
                "show bgp ipv6 flowspec detail",
                &[
                    "Destination Address 2001:db8::1/128/off 0\n\tIP Protocol = 17 \n\tSource Port = 53 \n",
                    "FS:rate 0.000000",
                ],
            ),
            Row::new(
                REDIRECT_IPV6,
                "show bgp ipv6 flowspec detail",
                &[
                    "Destination Address 2001:db8:1::/48/off 0\n\tIP Protocol = 6 \n\tPort = 443 \n",
                    "FS:redirect VRF RT:64512:100",
                ],
            ),
        ],
    ),
    // BIRD shows the actions as numbers: type, subtype and AS (0xfc00 is 64512), then the value.
    Group::new(
        "flowspec_is_shown",
        &BIRD,
        FAMILIES,
        &[
            Row::new(
                DISCARD,
                "show route table flow4tab all",
                &[
                    "flow4 { dst 192.0.2.1/32; proto 17; sport 53; } ",
                    "BGP.ext_community: (generic, 0x8006fc00, 0x0)",
                ],
            ),
            Row::new(
                REDIRECT,
                "show route table flow4tab all",
                &[
                    "flow4 { dst 198.51.100.0/24; proto 6; port 80; } ",
                    "BGP.ext_community: (generic, 0x8008fc00, 0x64)",
                ],
            ),
            Row::new(
                DISCARD_IPV6,
                "show route table flow6tab all",
                &[
                    "flow6 { dst 2001:db8::1/128; next header 17; sport 53; } ",
                    "BGP.ext_community: (generic, 0x8006fc00, 0x0)",
                ],
            ),
            Row::new(
                REDIRECT_IPV6,
                "show route table flow6tab all",
                &[
                    "flow6 { dst 2001:db8:1::/48; next header 6; port 443; } ",
                    "BGP.ext_community: (generic, 0x8008fc00, 0x64)",
                ],
            ),
        ],
    ),
    Group::new(
        "flowspec_is_shown",
        &EXABGP,
        FAMILIES,
        &[
            // An UPDATE with a flow specification has a next hop of length 0 (RFC 8955 section 4), hence `no-nexthop`.
            Row::new(
                DISCARD,
                "flow destination-ipv4",
                &[
                    "flow destination-ipv4 192.0.2.1/32 protocol =udp source-port =53 via no-nexthop ",
                    "\"rate-limit:0\"",
                ],
            ),
            Row::new(
                REDIRECT,
                "flow destination-ipv4",
                &[
                    "flow destination-ipv4 198.51.100.0/24 protocol =tcp port =80 via no-nexthop ",
                    "\"redirect:64512:100\"",
                ],
            ),
            Row::new(
                DISCARD_IPV6,
                "flow destination-ipv6",
                &[
                    "flow destination-ipv6 2001:db8::1/128/0 next-header =udp source-port =53 via no-nexthop ",
                    "\"rate-limit:0\"",
                ],
            ),
            Row::new(
                REDIRECT_IPV6,
                "flow destination-ipv6",
                &[
                    "flow destination-ipv6 2001:db8:1::/48/0 next-header =tcp port =443 via no-nexthop ",
                    "\"redirect:64512:100\"",
                ],
            ),
        ],
    ),
];
