//! Sessions with other people's routers: FRR, BIRD, GoBGP, OpenBGPD and ExaBGP as Debian has them.
//!
//! This program starts itself anew in namespaces of its own, in which every trial has addresses of its own; what runs there
//! ends with it. A router that is not installed is left out, and said to be; with SPEAKERD_LAB=require it is a failure.

#![cfg(test)]

mod bird;
mod exabgp;
mod families;
mod frr;
mod gobgp;
mod openbgpd;
mod ours;
mod restart;
mod router;
mod session;
mod setup;
mod trials;

use std::process::ExitCode;

use libtest_mimic::Arguments;
use speakerd_testkit::{Enclosure, leave_out};

fn main() -> ExitCode {
    if let Some(code) = ours::be_a_speaker() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    if !arguments.list && !Enclosure::is_inside() {
        let enclosure = Enclosure::new(&setup::addresses(trials::MOST)).with_own_processes();
        return enclosure.enter().unwrap_or_else(|| {
            leave_out(
                "sessions with other people's routers",
                "no network namespace can be made here (unshare, ip)",
            )
        });
    }
    // They wait for each other's programs most of the time.
    arguments.test_threads.get_or_insert(8);
    libtest_mimic::run(&arguments, trials::all()).exit_code()
}
