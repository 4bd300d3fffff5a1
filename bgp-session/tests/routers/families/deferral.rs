//! GoBGP after a restart (RFC 4724 section 4.1): it sends nothing on until every neighbor has sent End-of-RIB for every family,
//! or until its deferral timer expires.

use std::time::Duration;

use bgp_wire::Family;
use speakerd_testkit::{BIRD, Launch, within};

use super::Announced;
use crate::gobgp::{GOBGP, global, neighbor};
use crate::ours::{Ours, expect_established};
use crate::setup::{Dialling, OUR_AS, Setup};

const DOWNSTREAM_AS: u32 = 64514;

/// The time that a route may take through GoBGP. Its deferral timer takes 360 seconds.
const DEADLINE: Duration = Duration::from_secs(5);

const UNICAST: Announced = Announced::new(Family::IPV4_UNICAST, "198.51.100.1/32", &[]);

const FLOW: Announced = Announced::new(
    Family::IPV4_FLOWSPEC,
    "destination 192.0.2.1/32 protocol =udp source-port =53",
    &["discard:64512"],
);

/// Our routes pass a restarting GoBGP and arrive at the BIRD behind it as soon as our session is up.
pub(crate) fn flowspec_arrives_without_deferral(setup: &Setup) {
    let setup = Setup {
        restart: true,
        families: &[Family::IPV4_UNICAST, Family::IPV4_FLOWSPEC],
        ..Setup::new(setup.number, Dialling::We)
    };
    let behind = setup.elsewhere(1);
    let configuration = [
        global(&setup, &[setup.theirs(), behind.theirs()]),
        neighbor(&setup, setup.ours(), setup.theirs(), OUR_AS),
        neighbor(&setup, behind.ours(), behind.theirs(), DOWNSTREAM_AS),
    ];
    let launch = Launch::new(configuration.concat(), setup.theirs());
    let gobgp = speakerd_testkit::Router::start(GOBGP.program, &launch.with_arguments(&["-r"]));
    let bird = Launch::new(downstream(&setup, &behind), behind.ours());
    let bird = speakerd_testkit::Router::start(&BIRD, &bird);
    speakerd_testkit::eventually("BIRD's session with GoBGP", || {
        let protocols = bird.client("show protocols")?;
        protocols.contains("Established").then_some(())
    });

    let ours = Ours::start(&setup, false);
    for route in [UNICAST, FLOW] {
        assert!(ours.speaker.announce(&route.route()));
    }
    let peer = ours.add(setup.peer());
    expect_established(&peer);
    within(DEADLINE, "both routes at BIRD", || {
        let unicast = bird.client("show route 198.51.100.1/32 all")?;
        let flow = bird.client("show route table flow4tab all")?;
        let arrived = unicast.contains("BGP.as_path: 64513 64512\n")
            && flow.contains("flow4 { dst 192.0.2.1/32; proto 17; sport 53; }");
        arrived.then_some(())
    });
    drop(gobgp);
}

/// The configuration of BIRD behind GoBGP.
fn downstream(setup: &Setup, behind: &Setup) -> String {
    format!(
        "log stderr all;
router id {id};
flow4 table flow4tab;
protocol device {{ }}
protocol bgp gobgp {{
  local {local} as {DOWNSTREAM_AS};
  neighbor {gobgp} as {gobgp_as};
  strict bind yes;
  multihop 1;
  connect delay time 0;
  connect retry time 1;
  error wait time 1, 2;
  ipv4 {{ import all; export none; }};
  flow4 {{ table flow4tab; import all; export none; }};
}}
",
        id = behind.ours_ipv4(),
        local = behind.ours(),
        gobgp = behind.theirs(),
        gobgp_as = setup.their_as(),
    )
}
