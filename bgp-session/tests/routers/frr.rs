//! The configuration and commands of FRR, which runs bgpd alone.

use std::time::Duration;

use bgp_wire::Family;
use ipnet::IpNet;
use speakerd_testkit::FRR as PROGRAM;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static FRR: Kind = Kind {
    program: &PROGRAM,
    keeps_routes: true,
    gtsm: Gtsm::Both,
    dial_timeout: Duration::from_secs(3),
    configuration,
    show: |prefix| {
        let family = match prefix {
            IpNet::V4(_) => "ipv4",
            IpNet::V6(_) => "ipv6",
        };
        format!("show bgp {family} unicast {prefix} json")
    },
    // bgpd also answers with JSON for a prefix that it does not have.
    shows: |answer, _| answer.contains("\"paths\""),
};

fn configuration(setup: &Setup) -> String {
    let (ours, theirs) = (setup.our_address(), setup.router_address());
    let neighbor = |wanted: bool, setting: &str| {
        let line = format!(" neighbor {ours} {setting}\n");
        when(wanted, &line).to_owned()
    };
    let lines = [
        neighbor(true, &format!("remote-as {OUR_AS}")),
        neighbor(true, &format!("update-source {theirs}")),
        neighbor(true, "timers connect 1"),
        neighbor(setup.router_is_passive(), "passive"),
        neighbor(setup.md5, &format!("password {KEY}")),
        neighbor(setup.gtsm != Gtsm::Off, "ttl-security hops 1"),
    ];
    let families = setup.families.iter().map(|family| {
        let name = family_name(*family);
        format!(" address-family {name}\n  neighbor {ours} activate\n exit-address-family\n")
    });
    // FRR enforces RFC 8212: without a policy it would ignore the routes of an external peer.
    format!(
        "router bgp {as_number}
 bgp router-id {id}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
{lines}{families}",
        as_number = setup.router_as(),
        id = setup.router_ipv4(),
        lines = lines.concat(),
        families = families.collect::<String>(),
    )
}

/// Returns the name of a family in `address-family` lines.
fn family_name(family: Family) -> &'static str {
    match family {
        Family::IPV4_UNICAST => "ipv4 unicast",
        Family::IPV6_UNICAST => "ipv6 unicast",
        Family::IPV4_MULTICAST => "ipv4 multicast",
        Family::IPV6_MULTICAST => "ipv6 multicast",
        Family::IPV4_LABELED => "ipv4 labeled-unicast",
        Family::IPV6_LABELED => "ipv6 labeled-unicast",
        Family::IPV4_VPN => "ipv4 vpn",
        Family::IPV6_VPN => "ipv6 vpn",
        Family::IPV4_FLOWSPEC => "ipv4 flowspec",
        Family::IPV6_FLOWSPEC => "ipv6 flowspec",
        Family::L2VPN_EVPN => "l2vpn evpn",
        _ => panic!("FRR has no {family}"),
    }
}
