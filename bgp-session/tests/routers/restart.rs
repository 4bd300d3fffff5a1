//! Restarts of our speaker (RFC 4724): a router with Graceful Restart keeps the routes meanwhile.

use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use speakerd_testkit::{Process, eventually, holds_for};

use crate::router::{Kind, Router};
use crate::setup::Setup;
use crate::speaker::{ANNOUNCED_LINE, start_process};

/// The time between the end of the first speaker and the start of the second one.
const OUTAGE: Duration = Duration::from_secs(1);

/// The way in which the first speaker ends.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// It is killed with SIGKILL.
    Kill,
    /// It shuts down for a restart. A peer that keeps routes gets no NOTIFICATION.
    Planned,
}

/// Restarts the speaker: the router keeps every route, and then removes the one that is not announced again.
pub(crate) fn routes_are_kept(kind: &'static Kind, setup: &Setup, end: End) {
    let (router, directory) = (Router::start(kind, setup), tempfile::tempdir().unwrap());
    let all_kept = || kept().iter().all(|prefix| router.has(*prefix));
    run_first_speaker(&router, setup, directory.path(), end);
    holds_for(OUTAGE, "every route", || {
        all_kept() && router.has(dropped())
    });

    let speaker = start_process(setup, true, &kept(), directory.path().join("second"));
    // End-of-RIB removes the stale route (RFC 4724 section 4.2); the others must be there at every moment.
    eventually("the stale route is removed", || {
        assert!(all_kept(), "missing route: {}", speaker.output());
        (!router.has(dropped())).then_some(())
    });
    expect_announced(&speaker);
    holds_for(OUTAGE, "every route that is announced again", all_kept);
}

/// Restarts the speaker at a router without Graceful Restart: it removes the routes, and gets them again.
pub(crate) fn routes_return(kind: &'static Kind, setup: &Setup, end: End) {
    let (router, directory) = (Router::start(kind, setup), tempfile::tempdir().unwrap());
    run_first_speaker(&router, setup, directory.path(), end);
    for prefix in kept().into_iter().chain([dropped()]) {
        router.expect_none(prefix);
    }
    let speaker = start_process(setup, true, &kept(), directory.path().join("second"));
    expect_announced(&speaker);
    expect_routes(&router, setup);
    assert!(!router.has(dropped()));
}

/// Runs the first speaker: it announces every route, waits until the router has them, and ends.
fn run_first_speaker(router: &Router, setup: &Setup, directory: &Path, end: End) {
    let [ipv4, ipv6] = kept();
    let all = [dropped(), ipv4, ipv6];
    let mut speaker = start_process(setup, false, &all, directory.join("first"));
    expect_announced(&speaker);
    expect_routes(router, setup);
    router.expect(dropped(), setup.our_ipv4().into());
    match end {
        // The kernel closes the connection of a killed process, so the router does not wait for its hold timer.
        End::Kill => speaker.kill(),
        End::Planned => {
            speaker.write_line("restart");
            eventually("the speaker ends", || {
                let all_kept = kept().iter().all(|prefix| router.has(*prefix));
                assert!(all_kept || !router.kind.keeps_routes, "missing route");
                speaker.has_succeeded().then_some(())
            });
        }
    }
}

/// Waits until the speaker has announced its routes.
fn expect_announced(speaker: &Process) {
    eventually(ANNOUNCED_LINE, || {
        speaker.output().contains(ANNOUNCED_LINE).then_some(())
    });
}

/// Waits until the router has the routes that both speakers announce.
fn expect_routes(router: &Router, setup: &Setup) {
    let [ipv4, ipv6] = kept();
    router.expect(ipv4, setup.our_ipv4().into());
    router.expect(ipv6, setup.our_ipv6().into());
}

/// Returns the prefixes that both speakers announce.
fn kept() -> [IpNet; 2] {
    ["192.168.10.1/32", "2001:db8:10::1/128"].map(|text| text.parse().unwrap())
}

/// Returns the prefix that only the first speaker announces.
fn dropped() -> IpNet {
    "192.168.10.2/32".parse().unwrap()
}
