//! The configuration of ExaBGP.

use std::time::Duration;

use bgp_wire::Family;
use speakerd_testkit::EXABGP as PROGRAM;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static EXABGP: Kind = Kind {
    program: &PROGRAM,
    keeps_routes: false,
    // Python does not define IP_MINTTL; ExaBGP then runs without the check.
    gtsm: Gtsm::OnlyUs,
    dial_timeout: Duration::from_secs(3),
    configuration,
    // Not a command but the beginning of a row: the kit answers with the rows that contain it.
    show: |prefix| format!("{prefix} "),
    shows: |answer, prefix| {
        let row = format!("{prefix} ");
        answer.lines().any(|line| line.starts_with(&row))
    },
};

fn configuration(setup: &Setup) -> String {
    let families: String = setup
        .families
        .iter()
        .map(|family| format!("{}; ", family_name(*family)))
        .collect();
    format!(
        "neighbor {ours} {{
  router-id {id};
  local-address {theirs};
  local-as {as_number};
  peer-as {OUR_AS};
{passive}{md5}{gtsm}  family {{ {families} }}
  api {{
    processes [ table ];
    neighbor-changes;
    receive {{ parsed; update; }}
  }}
}}
",
        id = setup.router_ipv4(),
        ours = setup.our_address(),
        theirs = setup.router_address(),
        as_number = setup.router_as(),
        passive = when(
            setup.router_is_passive(),
            "  passive true;\n  listen 179;\n"
        ),
        md5 = when(setup.md5, &format!("  md5-password '{KEY}';\n")),
        gtsm = when(
            setup.gtsm != Gtsm::Off,
            "  outgoing-ttl 255;\n  incoming-ttl 255;\n"
        ),
    )
}

/// Returns the name of a family in the `family` section.
fn family_name(family: Family) -> &'static str {
    match family {
        Family::IPV4_UNICAST => "ipv4 unicast",
        Family::IPV6_UNICAST => "ipv6 unicast",
        Family::IPV4_VPN => "ipv4 mpls-vpn",
        Family::IPV6_VPN => "ipv6 mpls-vpn",
        Family::IPV4_FLOWSPEC => "ipv4 flow",
        Family::IPV6_FLOWSPEC => "ipv6 flow",
        Family::L2VPN_EVPN => "l2vpn evpn",
        _ => panic!("ExaBGP has no {family}"),
    }
}
