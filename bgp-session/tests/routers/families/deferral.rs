//! GoBGP after a restart (RFC 4724 section 4.1). It propagates no route until every neighbor has sent End-of-RIB for every
//! family, or its deferral timer expires.

use std::time::Duration;

use bgp_wire::Family;
use speakerd_testkit::{BIRD, Launch, within};

use super::Announced;
use crate::gobgp::{GOBGP, global, neighbor};
use crate::setup::{Dialling, OUR_AS, Setup};
use crate::speaker::{OurSpeaker, expect_established};

/// The AS of BIRD, which receives our routes from GoBGP.
const DOWNSTREAM_AS: u32 = 64514;

/// The maximum time of a route through GoBGP, well below its deferral timer of 360 seconds.
const DEADLINE: Duration = Duration::from_secs(5);

const UNICAST: Announced = Announced::new(Family::IPV4_UNICAST, "198.51.100.1/32", &[]);

const FLOW: Announced = Announced::new(
    Family::IPV4_FLOWSPEC,
    "destination 192.0.2.1/32 protocol =udp source-port =53",
    &["discard:64512"],
);

/// Checks that our routes pass a restarting GoBGP and arrive at the BIRD behind it as soon as our session is up.
pub(crate) fn flowspec_arrives_without_deferral(setup: &Setup) {
    let setup = Setup {
        restart: true,
        families: &[Family::IPV4_UNICAST, Family::IPV4_FLOWSPEC],
        ..Setup::new(setup.number, Dialling::Us)
    };
    let behind = setup.elsewhere(1);
    let configuration = [
        global(&setup, &[setup.router_address(), behind.router_address()]),
        neighbor(&setup, setup.our_address(), setup.router_address(), OUR_AS),
        neighbor(
            &setup,
            behind.our_address(),
            behind.router_address(),
            DOWNSTREAM_AS,
        ),
    ];
    let launch = Launch::new(configuration.concat(), setup.router_address());
    // `-r` makes GoBGP start as after a restart, with the R bit and its deferral timer.
    let gobgp = speakerd_testkit::Router::start(GOBGP.program, &launch.with_arguments(&["-r"]));
    let bird = speakerd_testkit::Router::start(
        &BIRD,
        &Launch::new(downstream(&setup, &behind), behind.our_address()),
    );
    // BIRD first, so that GoBGP waits only for our End-of-RIB.
    speakerd_testkit::eventually("BIRD's session with GoBGP", || {
        let protocols = bird.client("show protocols")?;
        protocols.contains("Established").then_some(())
    });

    let ours = OurSpeaker::start(&setup, false);
    for route in [UNICAST, FLOW] {
        assert_eq!(ours.speaker.announce(&route.route()), Ok(true));
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

/// Returns the configuration of BIRD behind GoBGP.
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
        id = behind.our_ipv4(),
        local = behind.our_address(),
        gobgp = behind.router_address(),
        gobgp_as = setup.router_as(),
    )
}
