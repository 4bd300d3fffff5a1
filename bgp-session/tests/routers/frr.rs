//! FRR: bgpd alone, without zebra and without a change of the user.

use std::time::Duration;

use ipnet::IpNet;
use speakerd_testkit::FRR as PROGRAM;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static FRR: Kind = Kind {
    program: &PROGRAM,
    helps: true,
    gtsm: Gtsm::Both,
    dials_within: Duration::from_secs(3),
    configuration,
    show: |prefix| {
        let family = match prefix {
            IpNet::V4(_) => "ipv4",
            IpNet::V6(_) => "ipv6",
        };
        format!("show bgp {family} unicast {prefix} json")
    },
    shows: |answer, _| answer.contains("\"paths\""),
};

fn configuration(setup: &Setup) -> String {
    let (ours, theirs) = (setup.ours(), setup.theirs());
    let neighbor = |wanted: bool, what: &str| {
        let line = format!(" neighbor {ours} {what}\n");
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
    format!(
        "router bgp {as_number}
 bgp router-id {id}
 no bgp ebgp-requires-policy
{lines} address-family ipv4 unicast
  neighbor {ours} activate
 exit-address-family
 address-family ipv6 unicast
  neighbor {ours} activate
 exit-address-family
",
        as_number = setup.their_as(),
        id = setup.theirs_ipv4(),
        lines = lines.concat(),
    )
}
