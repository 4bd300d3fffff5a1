//! speakerd against routers that we did not write. A test whose needs are not met is reported as ignored, with the
//! reason; with `SPEAKERD_LAB=require`, which `make test` sets where it has installed everything, it fails instead.

#![cfg(test)]

#[path = "lab/article.rs"]
mod article;
#[path = "lab/frr.rs"]
mod frr;
#[path = "lab/namespace.rs"]
mod namespace;
#[path = "lab/process.rs"]
mod process;
#[path = "lab/unprivileged.rs"]
mod unprivileged;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// What a test needs that a machine may not have.
struct Needs {
    root: bool,
    programs: &'static [&'static str],
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let privileged = Needs {
        root: true,
        programs: &[
            "ip",
            "vtysh",
            frr::BGPD,
            frr::ZEBRA,
            "curl",
            "python3",
            "tcpdump",
        ],
    };
    let unprivileged = Needs {
        root: false,
        programs: &["vtysh", frr::BGPD],
    };
    let trials = vec![
        trial("article_as_it_leaves_the_router", &privileged, || {
            article::run(&article::Policy::AsLeft);
        }),
        trial("article_as_it_means_the_router", &privileged, || {
            article::run(&article::Policy::PrefixListInbound);
        }),
        trial("frr_without_root", &unprivileged, || {
            unprivileged::run(None);
        }),
        trial("frr_without_root_with_md5", &unprivileged, || {
            unprivileged::run(Some("secret"));
        }),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &'static str, needs: &Needs, run: fn()) -> Trial {
    let missing = needs.missing();
    let required = std::env::var("SPEAKERD_LAB").is_ok_and(|value| value == "require");
    if missing.is_empty() {
        return Trial::test(name, move || {
            run();
            Ok(())
        });
    }
    let why = missing.join(", ");
    if required {
        return Trial::test(name, move || {
            Err(Failed::from(format!(
                "SPEAKERD_LAB=require, but this is missing: {why}"
            )))
        });
    }
    eprintln!("LEFT OUT: {name}: this is missing: {why}");
    Trial::test(name, || Ok(())).with_ignored_flag(true)
}

impl Needs {
    fn missing(&self) -> Vec<String> {
        let mut missing: Vec<_> = self
            .programs
            .iter()
            .filter(|name| !process::is_installed(name))
            .map(ToString::to_string)
            .collect();
        if self.root && !process::is_root() {
            missing.push("root".to_owned());
        }
        missing
    }
}
