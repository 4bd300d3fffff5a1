//! The collector over real TCP: every conformance case against it, strictly (`bgp-wire/tests/conformance/cases.txt` says how
//! to read the table), and what goes beyond one connection.
//!
//! Neighbors have addresses of 10.98.0.0/16 and 10.99.0.0/16, in a network namespace of its own in which this program starts
//! itself anew; it is gone with the process.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "a process of its own has a clock of its own"
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
    let (plain, restarting) = if arguments.list {
        (None, None)
    } else {
        (
            Some(Arc::new(Collector::start(1790, &[]))),
            Some(Arc::new(Collector::start(1791, &["--gr", "20"]))),
        )
    };
    let mut trials: Vec<Trial> = Vec::new();
    for (name, verdict) in conformance::trials() {
        let collector = plain.clone();
        trials.push(Trial::test(name, move || {
            collector.as_deref().map_or(Ok(()), verdict)
        }));
    }
    for (name, verdict) in faults::TRIALS.into_iter().chain(outages::TRIALS) {
        let (plain, restarting) = (plain.clone(), restarting.clone());
        trials.push(Trial::test(name, move || {
            match (plain.as_deref(), restarting.as_deref()) {
                (Some(plain), Some(restarting)) => verdict(plain, restarting),
                _ => Ok(()),
            }
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Runs this program once more, in a namespace in which the neighbors' addresses are local.
fn enter() -> ExitCode {
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
            "no network namespace can be made here (unshare, ip)",
        )
    })
}
