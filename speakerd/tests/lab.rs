//! speakerd against routers that we did not write. A test whose needs are not met is reported as ignored, with the
//! reason; with `SPEAKERD_LAB=require`, which `make test` sets where it has installed everything, it fails instead.

#![cfg(test)]

#[path = "lab/article.rs"]
mod article;
#[path = "lab/frr.rs"]
mod frr;
#[path = "lab/unprivileged.rs"]
mod unprivileged;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use speakerd_testkit::{FRR, Needs, trial};

/// The needs of the article's set-up: namespaces, FRR, a client, a web server and a capture.
const ARTICLE: Needs = Needs {
    programs: &[
        "ip",
        "vtysh",
        "/usr/lib/frr/bgpd",
        "/usr/lib/frr/zebra",
        "curl",
        "python3",
        "tcpdump",
    ],
    root: true,
};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("article_as_it_leaves_the_router", &ARTICLE, || {
            article::run(&article::Policy::AsLeft);
        }),
        trial("article_as_it_means_the_router", &ARTICLE, || {
            article::run(&article::Policy::PrefixListInbound);
        }),
        trial("frr_without_root", &FRR.needs, || {
            unprivileged::run(None);
        }),
        trial("frr_without_root_with_md5", &FRR.needs, || {
            unprivileged::run(Some("secret"));
        }),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
