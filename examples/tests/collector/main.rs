//! The collector over real TCP: every conformance case, faults of several connections, and outages.
//!
//! The format of the cases is in `bgp-wire/tests/conformance/cases.txt`. The test runs itself again in a network namespace,
//! where the neighbors' addresses in 10.98.0.0/16 and 10.99.0.0/16 are local. The namespace ends with the process.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "the collector is another process, which runs on wall time"
)]

mod collector;
mod conformance;
mod faults;
mod outages;
mod peer;
#[path = "../../../bgp-wire/tests/conformance/table.rs"]
mod table;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use speakerd_testkit::{Enclosure, leave_out};

use collector::Collector;

fn main() -> ExitCode {
    if !Enclosure::is_inside() {
        return enter();
    }
    let arguments = Arguments::from_args();
    // Listing the tests must not start a collector.
    let (plain, with_restart) = if arguments.list {
        (None, None)
    } else {
        (
            Some(Arc::new(Collector::start(1790, &[]))),
            Some(Arc::new(Collector::start(1791, &["--gr", "20"]))),
        )
    };
    let mut trials: Vec<Trial> = Vec::new();
    for (name, check) in conformance::trials() {
        let collector = plain.clone();
        trials.push(Trial::test(name, move || {
            collector.as_deref().map_or(Ok(()), check)
        }));
    }
    for (name, check) in faults::TRIALS.into_iter().chain(outages::TRIALS) {
        let (plain, with_restart) = (plain.clone(), with_restart.clone());
        trials.push(Trial::test(name, move || {
            match (plain.as_deref(), with_restart.as_deref()) {
                (Some(plain), Some(with_restart)) => check(plain, with_restart),
                _ => Ok(()),
            }
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs this program again in a namespace where the neighbors' addresses are local.
fn enter() -> ExitCode {
    // The rule of preference 0 always finds local addresses first. Moving it to 100 makes room for the rules of
    // `outages.rs`, which drop packets between local addresses.
    let setup = "ip link set lo up
ip address add 10.98.3.1/32 dev lo
ip route add local 10.99.0.0/16 dev lo src 10.98.3.1
ip route add local 10.98.0.0/16 dev lo
ip route add local 172.16.0.0/16 dev lo
ip rule add pref 100 lookup local
ip rule del pref 0";
    Enclosure::new(setup).enter().unwrap_or_else(|| {
        leave_out(
            "the collector over TCP",
            "cannot create a network namespace (unshare, ip)",
        )
    })
}
