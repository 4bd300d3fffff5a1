//! Tests of speakerd with routers of other projects.
//!
//! A test whose needs are missing is reported as ignored, with the reason. With `SPEAKERD_LAB=require` it fails instead;
//! `make test` sets this if it has installed everything.

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

/// The needs of the article's network: namespaces, FRR, a client, a web server and a capture.
const ARTICLE: Needs = Needs {
    programs: &[
        "ip",
        "vtysh",
        // Debian installs the daemons of FRR outside of PATH.
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
        trial("article_without_inbound_policy", &ARTICLE, || {
            article::run(&article::Policy::Unattached);
        }),
        trial("article_with_inbound_prefix_list", &ARTICLE, || {
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
