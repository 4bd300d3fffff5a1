//! Outages of the router, with the default retry policy: the router has our route soon after it is back.
//!
//! The goals are two seconds after the router is back, and 200 ms without our route in its kernel after our process was
//! killed. The trials allow more, because other routers start on the same machine at the same time.

#![expect(
    clippy::disallowed_methods,
    reason = "the time that a real router takes is measured"
)]

use std::thread::sleep;
use std::time::{Duration, Instant};

use bgp_session::{Peer, RetryPolicy};
use ipnet::IpNet;
use speakerd_testkit::{BIRD as PROGRAM, poll, within};

use crate::bird::BIRD;
use crate::router::{Kind, Router};
use crate::setup::{Gtsm, Setup};
use crate::speaker::{OurSpeaker, expect_established, start_process};

/// The maximum time from the start of a router to its having our route. The goal is 2 s.
const MAX_RETURN_TIME: Duration = Duration::from_secs(4);

/// The maximum time from the end of our process to the router's having our route again. The goal is a gap of 200 ms; damping
/// alone takes 750 ms.
const MAX_KILL_RETURN_TIME: Duration = Duration::from_millis(700);

/// The interval of questions to the router.
const INTERVAL: Duration = Duration::from_millis(2);

/// The time for which a session lasts between two restarts of a router.
const SESSION_TIME: Duration = Duration::from_secs(3);

/// BIRD with a limit of one prefix, after which it sends Cease/Maximum Number of Prefixes Reached.
pub(crate) static LIMITED_BIRD: Kind = Kind {
    program: &PROGRAM,
    keeps_routes: true,
    gtsm: Gtsm::Both,
    dial_timeout: Duration::from_secs(3),
    configuration: |setup| {
        let limit = "import limit 1 action restart; import all;";
        (BIRD.configuration)(setup).replace("import all;", limit)
    },
    show: |prefix| (BIRD.show)(prefix),
    shows: |answer, prefix| (BIRD.shows)(answer, prefix),
};

/// Ends the router, keeps it away for some time and starts it again.
pub(crate) fn route_returns(kind: &'static Kind, setup: &Setup, away: Duration) {
    let (ours, _peer) = start(setup, RetryPolicy::new());
    let router = Router::start(kind, setup);
    expect_route(&router);
    drop(router);
    sleep(away);
    let router = Router::start(kind, setup);
    expect_route(&router);
    drop(ours);
}

/// Restarts the router three times: the wait does not grow, because each session has lasted.
pub(crate) fn route_returns_after_each_restart(kind: &'static Kind, setup: &Setup) {
    let policy = RetryPolicy::new().with_stable_time(SESSION_TIME / 2);
    let (ours, _peer) = start(setup, policy);
    for _ in 0..4 {
        let router = Router::start(kind, setup);
        expect_route(&router);
        sleep(SESSION_TIME);
    }
    drop(ours);
}

/// Announces more routes than the router accepts: there is one session, and no other for the next seconds.
pub(crate) fn exceeded_limit_allows_one_session(kind: &'static Kind, setup: &Setup) {
    let (ours, peer) = start(setup, RetryPolicy::new());
    let router = Router::start(kind, setup);
    expect_established(&peer);
    ours.announce("192.168.10.2/32".parse().unwrap());
    sleep(Duration::from_secs(10));
    assert_eq!(peer.status().statistics.established, 1);
    drop(router);
}

/// Kills our process and starts it again at once: the router closes the first connection while it removes the old routes,
/// and the second one follows at once.
pub(crate) fn route_returns_after_kill(kind: &'static Kind, setup: &Setup) {
    let (router, directory) = (Router::start(kind, setup), tempfile::tempdir().unwrap());
    let start = |name: &str| start_process(setup, false, &[prefix()], directory.path().join(name));
    let mut speaker = start("first");
    router.expect(prefix(), setup.our_ipv4().into());
    // One of the attempts must be fast: other trials may take the processor for a moment.
    let times = [1, 2, 3].map(|attempt| {
        sleep(SESSION_TIME);
        let killed = Instant::now();
        speaker.kill();
        speaker = start(&attempt.to_string());
        // Before that, the router has the route still.
        let removed = poll(MAX_RETURN_TIME, INTERVAL, || {
            (!router.has(prefix())).then_some(())
        });
        router.expect(prefix(), setup.our_ipv4().into());
        // The gap was too short to be seen, or there was none. Such an attempt shows nothing.
        removed.map(|()| killed.elapsed())
    });
    assert!(
        times
            .iter()
            .flatten()
            .any(|time| *time < MAX_KILL_RETURN_TIME),
        "{times:?}"
    );
}

/// Starts a speaker that announces a route to the router.
fn start(setup: &Setup, policy: RetryPolicy) -> (OurSpeaker, Peer) {
    let ours = OurSpeaker::start(setup, false);
    let peer = ours.add(setup.peer().with_retry(policy));
    ours.announce(prefix());
    (ours, peer)
}

/// Waits until a router that has just started has our route.
fn expect_route(router: &Router) {
    let start = Instant::now();
    within(MAX_RETURN_TIME, "the route is back", || {
        router.has(prefix()).then_some(())
    });
    println!(
        "{} has the route after {:?}",
        router.kind.program.name,
        start.elapsed()
    );
}

fn prefix() -> IpNet {
    "192.168.10.1/32".parse().unwrap()
}
