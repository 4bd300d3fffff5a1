//! ExaBGP.

use std::time::Duration;

use bgp_wire::Family;
use speakerd_testkit::EXABGP as PROGRAM;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static EXABGP: Kind = Kind {
    program: &PROGRAM,
    helps: false,
    // Its Python has no IP_MINTTL, and it goes on without.
    gtsm: Gtsm::We,
    dials_within: Duration::from_secs(3),
    configuration,
    show: |prefix| format!("{prefix} "),
    shows: |answer, prefix| {
        let row = format!("{prefix} ");
        answer.lines().any(|line| line.starts_with(&row))
    },
};

fn configuration(setup: &Setup) -> String {
    let families = setup.families.iter().map(|family| family_name(*family));
    let families: String = families.map(|name| format!("{name}; ")).collect();
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
        id = setup.theirs_ipv4(),
        ours = setup.ours(),
        theirs = setup.theirs(),
        as_number = setup.their_as(),
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
