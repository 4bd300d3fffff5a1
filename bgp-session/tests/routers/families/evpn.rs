//! EVPN routes (RFC 7432, RFC 9136): MAC addresses, multicast tunnels and IP prefixes, over VXLAN.

use bgp_wire::Family;

use super::{Announced, Group, Row};
use crate::exabgp::EXABGP;
use crate::frr::FRR;
use crate::gobgp::GOBGP;

const FAMILIES: &[Family] = &[Family::L2VPN_EVPN];

/// Returns an EVPN route with a route target and the VXLAN encapsulation.
const fn announced(destination: &'static str) -> Announced {
    // With this encapsulation the label field contains a VNI (RFC 8365 section 5.1.3).
    let extended_communities = &["target:64512:7", "encapsulation:vxlan"];
    Announced::new(Family::L2VPN_EVPN, destination, extended_communities)
}

/// A MAC/IP Advertisement route, type 2 (RFC 7432 section 7.2).
const MAC: Announced =
    announced("macadv rd 64512:1 esi 0 etag 0 mac 00:00:5e:00:53:01 ip 198.51.100.1 label 100");

/// An Inclusive Multicast Ethernet Tag route, type 3 (RFC 7432 section 7.3).
const MULTICAST: Announced = announced("multicast rd 64512:1 etag 0 ip 192.0.2.3");

/// An IP Prefix route, type 5 (RFC 9136 section 3.1).
const PREFIX: Announced =
    announced("prefix rd 64512:1 esi 0 etag 0 prefix 198.51.100.0/24 gw 0.0.0.0 label 100");

pub(super) static GROUPS: [Group; 3] = [
    Group::new(
        "evpn_is_shown",
        &GOBGP,
        FAMILIES,
        &[
            Row::new(
                MAC,
                "global rib -a evpn",
                &[
                    "[type:macadv][rd:64512:1][etag:0][mac:00:00:5e:00:53:01][ip:198.51.100.1] [100] ",
                    " OURS ",
                    "{Extcomms: [64512:7], [VXLAN]} [ESI: single-homed]",
                ],
            ),
            Row::new(
                MULTICAST,
                "global rib -a evpn",
                &[
                    "[type:multicast][rd:64512:1][etag:0][ip:192.0.2.3] ",
                    " OURS ",
                    "{Extcomms: [64512:7], [VXLAN]}",
                ],
            ),
            Row::new(
                PREFIX,
                "global rib -a evpn",
                &[
                    "[type:Prefix][rd:64512:1][etag:0][prefix:198.51.100.0/24] [100] ",
                    " OURS ",
                    "{Extcomms: [64512:7], [VXLAN]} [ESI: single-homed] [GW: 0.0.0.0]",
                ],
            ),
        ],
    ),
    Group::new(
        "evpn_is_shown",
        &FRR,
        FAMILIES,
        &[
            Row::new(
                MAC,
                "show bgp l2vpn evpn route detail",
                &[
                    "Route [2]:[0]:[48]:[00:00:5e:00:53:01]:[32]:[198.51.100.1] VNI 100\n",
                    "OURS from OURS ",
                    "Extended Community: RT:64512:7 ET:8\n",
                ],
            ),
            Row::new(
                MULTICAST,
                "show bgp l2vpn evpn route detail",
                &[
                    "Route [3]:[0]:[32]:[192.0.2.3]\n",
                    "OURS from OURS ",
                    "Extended Community: RT:64512:7 ET:8\n",
                ],
            ),
            Row::new(
                PREFIX,
                "show bgp l2vpn evpn route detail",
                &[
                    "Route [5]:[0]:[24]:[198.51.100.0] VNI 100\n",
                    "OURS from OURS ",
                    "Extended Community: RT:64512:7 ET:8\n",
                ],
            ),
        ],
    ),
    // The table of the kit has the route without its label, and the label after the next hop.
    Group::new(
        "evpn_is_shown",
        &EXABGP,
        FAMILIES,
        &[
            Row::new(
                MAC,
                "MAC/IP advertisement",
                &[
                    "\"mac\": \"00:00:5E:00:53:01\", \"ip\": \"198.51.100.1\"} via OURS label [[6, 100]] ",
                    "\"rd\": \"64512:1\", \"esi\": \"-\", \"ethernet-tag\": 0,",
                    "\"target:64512:7\"",
                    "\"encap:VXLAN\"",
                ],
            ),
            Row::new(
                MULTICAST,
                "Inclusive Multicast Ethernet Tag",
                &[
                    "\"rd\": \"64512:1\", \"ethernet-tag\": 0, \"ip\": \"192.0.2.3\"} via OURS ",
                    "\"target:64512:7\"",
                    "\"encap:VXLAN\"",
                ],
            ),
            Row::new(
                PREFIX,
                "IP Prefix Advertisement",
                &[
                    "\"ip\": \"198.51.100.0\", \"iplen\": 24, \"gateway\": \"0.0.0.0\"} via OURS label [[6, 100]] ",
                    "\"rd\": \"64512:1\", \"esi\": \"-\", \"ethernet-tag\": 0,",
                    "\"target:64512:7\"",
                    "\"encap:VXLAN\"",
                ],
            ),
        ],
    ),
];
