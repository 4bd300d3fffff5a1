//! The configuration and commands of BIRD 2.

use std::time::Duration;

use bgp_wire::Family;
use speakerd_testkit::BIRD as PROGRAM;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static BIRD: Kind = Kind {
    program: &PROGRAM,
    keeps_routes: true,
    gtsm: Gtsm::Both,
    dial_timeout: Duration::from_secs(3),
    configuration,
    show: |prefix| format!("show route {prefix} all"),
    shows: |answer, prefix| answer.contains(&format!("{prefix} ")),
};

/// Returns the configuration for a setup.
fn configuration(setup: &Setup) -> String {
    let families = || setup.families.iter().map(|family| channel(*family));
    let tables = families().map(|(_, table)| format!("{table};\n"));
    let channels = families().map(|(channel, table)| {
        // A channel names its table without the type with which the declaration begins.
        let table = table.split_once(" ").map_or("", |(_, table)| table);
        format!("  {channel} {{ {table}; import all; export none; }};\n")
    });
    // BIRD considers no neighbor on a loopback device to be directly connected, hence `multihop 1`. `strict bind` leaves
    // port 179 of the other addresses to the routers of other trials.
    format!(
        "log stderr all;
router id {id};
{tables}protocol device {{ }}
protocol bgp speaker {{
  local {theirs} as {as_number};
  neighbor {ours} as {OUR_AS};
  strict bind yes;
  multihop 1;
  connect delay time 0;
  connect retry time 1;
  error wait time 1, 2;
{passive}{md5}{gtsm}{channels}}}
",
        id = setup.router_ipv4(),
        ours = setup.our_address(),
        theirs = setup.router_address(),
        as_number = setup.router_as(),
        passive = when(setup.router_is_passive(), "  passive yes;\n"),
        md5 = when(setup.md5, &format!("  password \"{KEY}\";\n")),
        gtsm = when(setup.gtsm != Gtsm::Off, "  ttl security yes;\n"),
        tables = tables.collect::<String>(),
        channels = channels.collect::<String>(),
    )
}

/// Returns the channel of a family and the declaration of its table, without the semicolon.
fn channel(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::IPV4_UNICAST => ("ipv4", "ipv4 table master4"),
        Family::IPV6_UNICAST => ("ipv6", "ipv6 table master6"),
        Family::IPV4_MULTICAST => ("ipv4 multicast", "ipv4 table multicast4"),
        Family::IPV6_MULTICAST => ("ipv6 multicast", "ipv6 table multicast6"),
        Family::IPV4_FLOWSPEC => ("flow4", "flow4 table flow4tab"),
        Family::IPV6_FLOWSPEC => ("flow6", "flow6 table flow6tab"),
        _ => panic!("BIRD has no {family}"),
    }
}
