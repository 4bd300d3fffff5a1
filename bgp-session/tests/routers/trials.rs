//! The list of trials with every router.

use std::time::Duration;

use libtest_mimic::Trial;

use crate::bird::BIRD;
use crate::exabgp::EXABGP;
use crate::families;
use crate::frr::FRR;
use crate::gobgp::GOBGP;
use crate::next_hop;
use crate::openbgpd::OPENBGPD;
use crate::outage::{self, LIMITED_BIRD};
use crate::restart::{self, End};
use crate::router::Kind;
use crate::session;
use crate::setup::{Dialling, Gtsm, INTERFACES, Setup};

/// The kinds of routers, the slowest first, so that no slow trial runs alone at the end.
static KINDS: [&Kind; 5] = [&GOBGP, &FRR, &BIRD, &OPENBGPD, &EXABGP];

/// The maximum number of a setup. It is an octet of IPv4 addresses, so at most 255.
pub(crate) const MAX_NUMBER: u8 = 250;

/// A trial of one setup with one kind of router. Panics if the trial fails.
type Verdict = fn(&'static Kind, &Setup);

/// Restarts: the name, the trial of a router that keeps routes, and the trial of one that does not.
const RESTARTS: [(&str, Verdict, Verdict); 2] = [
    (
        "kill_9",
        |kind, setup| restart::routes_are_kept(kind, setup, End::Kill),
        |kind, setup| restart::routes_return(kind, setup, End::Kill),
    ),
    (
        "planned_restart",
        |kind, setup| restart::routes_are_kept(kind, setup, End::Planned),
        |kind, setup| restart::routes_return(kind, setup, End::Planned),
    ),
];

/// Outages of a router: the name and the trial.
const OUTAGES: [(&str, Verdict); 3] = [
    ("away_for_2_s", |kind, setup| {
        outage::route_returns(kind, setup, Duration::from_secs(2));
    }),
    ("away_for_10_s", |kind, setup| {
        outage::route_returns(kind, setup, Duration::from_secs(10));
    }),
    ("restarted_again_and_again", |kind, setup| {
        outage::route_returns_after_each_restart(kind, setup);
    }),
];

/// Returns all trials.
pub(crate) fn all() -> Vec<Trial> {
    // A trial uses up to three numbers: its own, and the next two for setups with other addresses.
    let mut numbers = (1..MAX_NUMBER - 1).step_by(3);
    let mut number = || numbers.next().unwrap();
    let mut trials = Vec::new();
    for kind in KINDS {
        for (direction, dialling) in [("we_dial", Dialling::Us), ("it_dials", Dialling::Router)] {
            for (suffix, verdict, setup) in sessions(kind, dialling) {
                let setup = Setup {
                    number: number(),
                    ..setup
                };
                let name = format!("{direction}{suffix}");
                trials.push(trial(kind, &name, setup, move |setup| verdict(kind, setup)));
            }
        }
        for (restart, keep, lose) in RESTARTS {
            let setup = Setup::restarted(number());
            let (name, verdict) = if kind.keeps_routes {
                (restart.to_owned(), keep)
            } else {
                (format!("{restart}_loses_routes_and_comes_back"), lose)
            };
            trials.push(trial(kind, &name, setup, move |setup| verdict(kind, setup)));
        }
    }
    trials.extend(next_hops());
    for group in families::groups() {
        let setup = group.setup(number());
        trials.push(trial(group.kind, group.name, setup, |group_setup| {
            group.run(group_setup);
        }));
    }
    for kind in [&FRR, &BIRD] {
        for (name, verdict) in OUTAGES {
            let setup = Setup::new(number(), Dialling::Us);
            trials.push(trial(kind, name, setup, move |setup| verdict(kind, setup)));
        }
    }
    let setup = Setup {
        restart: false,
        ..Setup::restarted(number())
    };
    trials.push(trial(&FRR, "kill_9_without_restart", setup, |setup| {
        outage::route_returns_after_kill(&FRR, setup);
    }));
    let setup = Setup::new(number(), Dialling::Us);
    let name = "exceeded_limit_allows_one_session";
    trials.push(trial(&LIMITED_BIRD, name, setup, |setup| {
        outage::exceeded_limit_allows_one_session(&LIMITED_BIRD, setup);
    }));
    let setup = Setup::new(number(), Dialling::Us);
    let name = "restarting_passes_flowspec_on_without_deferral";
    trials.push(trial(
        &GOBGP,
        name,
        setup,
        families::flowspec_arrives_without_deferral,
    ));
    trials
}

/// Returns the trials of next hops of the address family that the session does not run over.
fn next_hops() -> impl Iterator<Item = Trial> {
    let sessions = [(&FRR, false), (&FRR, true), (&BIRD, false), (&BIRD, true)];
    let numbered = sessions.into_iter().zip(INTERFACES);
    numbered.map(|((kind, ipv6), number)| {
        let setup = Setup {
            ipv6,
            ..Setup::new(number, Dialling::Us)
        };
        let name = if ipv6 {
            "next_hop_over_ipv6_is_ipv4_of_interface"
        } else {
            "next_hop_over_ipv4_is_ipv6_of_interface"
        };
        trial(kind, name, setup, move |setup| {
            next_hop::is_of_interface(kind, setup);
        })
    })
}

/// Returns the trials of sessions that one side dials: the end of the name, the trial and its setup.
fn sessions(kind: &Kind, dialling: Dialling) -> [(&'static str, Verdict, Setup); 4] {
    let plain = Setup::new(0, dialling);
    let md5 = Setup { md5: true, ..plain };
    let ipv6 = Setup {
        ipv6: true,
        internal: true,
        ..plain
    };
    let gtsm = Setup {
        gtsm: kind.gtsm,
        ..plain
    };
    // The name tells which side checks, because ExaBGP cannot.
    let gtsm_suffix = if kind.gtsm == Gtsm::Both {
        "_gtsm"
    } else {
        "_gtsm_that_we_check"
    };
    [
        ("", session::routes, plain),
        ("_md5", session::md5, md5),
        (gtsm_suffix, session::gtsm, gtsm),
        ("_ipv6_transport", session::routes, ipv6),
    ]
}

/// Returns a trial whose name begins with the router's, and which needs its programs.
fn trial(
    kind: &'static Kind,
    name: &str,
    setup: Setup,
    verdict: impl FnOnce(&Setup) + Send + 'static,
) -> Trial {
    let full_name = format!("{}::{name}", kind.program.name);
    speakerd_testkit::trial(&full_name, &kind.program.needs, move || verdict(&setup))
}
