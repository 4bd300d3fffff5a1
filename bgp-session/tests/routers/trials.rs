//! Every trial with every router, and what is left out.

use libtest_mimic::Trial;

use crate::bird::BIRD;
use crate::exabgp::EXABGP;
use crate::families;
use crate::frr::FRR;
use crate::gobgp::GOBGP;
use crate::openbgpd::OPENBGPD;
use crate::restart::{self, End};
use crate::router::Kind;
use crate::session;
use crate::setup::{Dialling, Gtsm, Setup};

/// The slowest first, as the last one to end decides.
static KINDS: [&Kind; 5] = [&GOBGP, &FRR, &BIRD, &OPENBGPD, &EXABGP];

/// The highest number that a trial's addresses may have.
pub(crate) const MOST: u8 = 250;

type Verdict = fn(&'static Kind, &Setup);

/// Restarts with a router that keeps routes, and with one that does not.
const RESTARTS: [(&str, Verdict, Verdict); 2] = [
    (
        "kill_9",
        |kind, setup| restart::keeps(kind, setup, End::Kill),
        |kind, setup| restart::comes_back(kind, setup, End::Kill),
    ),
    (
        "planned_restart",
        |kind, setup| restart::keeps(kind, setup, End::Planned),
        |kind, setup| restart::comes_back(kind, setup, End::Planned),
    ),
];

pub(crate) fn all() -> Vec<Trial> {
    // Each has three numbers.
    let mut numbers = (1..MOST - 1).step_by(3);
    let mut number = || numbers.next().unwrap();
    let mut trials = Vec::new();
    for kind in KINDS {
        for (direction, dialling) in [("we_dial", Dialling::We), ("it_dials", Dialling::It)] {
            for (what, verdict, setup) in sessions(kind, dialling) {
                let setup = Setup {
                    number: number(),
                    ..setup
                };
                let name = format!("{direction}{what}");
                trials.push(trial(kind, &name, setup, move |setup| verdict(kind, setup)));
            }
        }
        for (what, keeps, comes_back) in RESTARTS {
            let setup = Setup::restarted(number());
            let (name, verdict) = if kind.helps {
                (what.to_owned(), keeps)
            } else {
                (format!("{what}_loses_routes_and_comes_back"), comes_back)
            };
            trials.push(trial(kind, &name, setup, move |setup| verdict(kind, setup)));
        }
    }
    for group in families::groups() {
        let setup = group.setup(number());
        trials.push(trial(group.kind, group.name, setup, |group_setup| {
            group.run(group_setup);
        }));
    }
    let setup = Setup::new(number(), Dialling::We);
    let name = "restarting_passes_flowspec_on_without_deferral";
    trials.push(trial(
        &GOBGP,
        name,
        setup,
        families::flowspec_arrives_without_deferral,
    ));
    trials
}

/// What is tried, whoever dials: the end of its name, how, and with what.
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
    let limited = if kind.gtsm == Gtsm::Both {
        "_gtsm"
    } else {
        "_gtsm_that_we_check"
    };
    [
        ("", session::routes, plain),
        ("_md5", session::md5, md5),
        (limited, session::gtsm, gtsm),
        ("_ipv6_transport", session::routes, ipv6),
    ]
}

fn trial(
    kind: &'static Kind,
    what: &str,
    setup: Setup,
    verdict: impl FnOnce(&Setup) + Send + 'static,
) -> Trial {
    let name = format!("{}::{what}", kind.program.name);
    speakerd_testkit::trial(&name, &kind.program.needs, move || verdict(&setup))
}
