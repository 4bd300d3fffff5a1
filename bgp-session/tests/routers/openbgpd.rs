//! The configuration and commands of OpenBGPD.

use std::time::Duration;

use bgp_wire::Family;
use speakerd_testkit::OPENBGPD as PROGRAM;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static OPENBGPD: Kind = Kind {
    program: &PROGRAM,
    keeps_routes: true,
    gtsm: Gtsm::Both,
    dial_timeout: Duration::from_secs(3),
    configuration,
    show: |prefix| format!("-j show rib {prefix}"),
    shows: |answer, prefix| answer.contains(&prefix.to_string()),
};

fn configuration(setup: &Setup) -> String {
    let families = setup.families.iter().map(|family| {
        let name = family_name(*family);
        format!("  announce {name}\n")
    });
    // The default filter of OpenBGPD denies every route, hence the last line.
    format!(
        "AS {as_number}
router-id {id}
listen on {theirs}
fib-update no
connect-retry 1
neighbor {ours} {{
  remote-as {OUR_AS}
{families}{passive}{address}{md5}{gtsm}}}
allow from any
",
        id = setup.router_ipv4(),
        ours = setup.our_address(),
        theirs = setup.router_address(),
        as_number = setup.router_as(),
        families = families.collect::<String>(),
        // OpenBGPD sets no key on its listening socket for a peer with a local address, so only a router that dials has one.
        address = when(
            !setup.router_is_passive(),
            &format!("  local-address {}\n", setup.router_address())
        ),
        passive = when(setup.router_is_passive(), "  passive\n"),
        md5 = when(setup.md5, &format!("  tcp md5sig password \"{KEY}\"\n")),
        gtsm = when(setup.gtsm != Gtsm::Off, "  ttl-security yes\n"),
    )
}

/// Returns the name of a family in `announce` lines.
fn family_name(family: Family) -> &'static str {
    match family {
        Family::IPV4_UNICAST => "IPv4 unicast",
        Family::IPV6_UNICAST => "IPv6 unicast",
        _ => panic!("OpenBGPD has no {family}"),
    }
}
