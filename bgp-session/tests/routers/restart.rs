//! Our speaker goes and comes back (RFC 4724): a router that helps keeps the routes all the while.

use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use speakerd_testkit::{Process, eventually, holds_for};

use crate::ours::{ANNOUNCED, in_a_process};
use crate::router::{Kind, Router};
use crate::setup::Setup;

/// How long the speaker is away.
const AWAY: Duration = Duration::from_secs(1);

/// How the speaker goes.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// SIGKILL.
    Kill,
    /// A restart in good order, of which a peer that keeps routes is not told.
    Planned,
}

/// The routes are never gone, but for the one that is not announced again.
pub(crate) fn keeps(kind: &'static Kind, setup: &Setup, end: End) {
    let (router, directory) = (Router::start(kind, setup), tempfile::tempdir().unwrap());
    let all_kept = || kept().iter().all(|prefix| router.has(*prefix));
    live(&router, setup, directory.path(), end);
    holds_for(AWAY, "every route", || all_kept() && router.has(dropped()));

    let speaker = in_a_process(setup, true, &kept(), directory.path().join("second"));
    eventually("what is not announced again goes", || {
        assert!(all_kept(), "a route is gone: {}", speaker.output());
        (!router.has(dropped())).then_some(())
    });
    expect_announced(&speaker);
    holds_for(AWAY, "what is announced again", all_kept);
}

/// A router that keeps nothing: the routes are gone with the speaker, and there again with it.
pub(crate) fn comes_back(kind: &'static Kind, setup: &Setup, end: End) {
    let (router, directory) = (Router::start(kind, setup), tempfile::tempdir().unwrap());
    live(&router, setup, directory.path(), end);
    for prefix in kept().into_iter().chain([dropped()]) {
        router.expect_none(prefix);
    }
    let speaker = in_a_process(setup, true, &kept(), directory.path().join("second"));
    expect_announced(&speaker);
    expect_routes(&router, setup);
    assert!(!router.has(dropped()));
}

/// The speaker's first life: it announces every route, the router has them, and it ends.
fn live(router: &Router, setup: &Setup, directory: &Path, end: End) {
    let [ipv4, ipv6] = kept();
    let all = [dropped(), ipv4, ipv6];
    let mut speaker = in_a_process(setup, false, &all, directory.join("first"));
    expect_announced(&speaker);
    expect_routes(router, setup);
    router.expect(dropped(), setup.ours_ipv4().into());
    match end {
        End::Kill => speaker.kill(),
        End::Planned => {
            speaker.write_line("restart");
            eventually("the speaker ends", || {
                let all_kept = kept().iter().all(|prefix| router.has(*prefix));
                assert!(all_kept || !router.kind.helps, "a route is gone");
                speaker.has_succeeded().then_some(())
            });
        }
    }
}

fn expect_announced(speaker: &Process) {
    eventually(ANNOUNCED, || {
        speaker.output().contains(ANNOUNCED).then_some(())
    });
}

fn expect_routes(router: &Router, setup: &Setup) {
    let [ipv4, ipv6] = kept();
    router.expect(ipv4, setup.ours_ipv4().into());
    router.expect(ipv6, setup.ours_ipv6().into());
}

fn kept() -> [IpNet; 2] {
    ["192.168.10.1/32", "2001:db8:10::1/128"].map(|text| text.parse().unwrap())
}

fn dropped() -> IpNet {
    "192.168.10.2/32".parse().unwrap()
}
