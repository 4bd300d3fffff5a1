//! Sessions with routers of other projects: FRR, BIRD, GoBGP, OpenBGPD and ExaBGP, in the versions of Debian.
//!
//! This program runs itself again in new namespaces, and every process there ends with it. Each trial has its own addresses.
//! A router that is not installed is reported as left out; with `SPEAKERD_LAB=require` it is a failure.

#![cfg(test)]

mod bird;
mod exabgp;
mod families;
mod frr;
mod gobgp;
mod next_hop;
mod openbgpd;
mod outage;
mod restart;
mod router;
mod session;
mod setup;
mod speaker;
mod trials;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use speakerd_testkit::{Enclosure, leave_out};

fn main() -> ExitCode {
    // First, because a process that a trial starts as a speaker is no test program and has no arguments.
    if let Some(code) = speaker::run_if_requested() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    if !arguments.list && !Enclosure::is_inside() {
        let enclosure = Enclosure::new(&setup::addresses(trials::MAX_NUMBER)).with_own_processes();
        return enclosure.enter().unwrap_or_else(|| {
            leave_out(
                "sessions with other people's routers",
                "no network namespace can be made here (unshare, ip)",
            )
        });
    }
    // More threads than cores, because trials mostly wait for other programs.
    arguments.test_threads.get_or_insert(8);
    libtest_mimic::run(&arguments, trials::all()).exit_code()
}
