//! Sessions with other people's routers: FRR, BIRD, GoBGP, OpenBGPD and ExaBGP as Debian has them.
//!
//! This program starts itself anew in namespaces of its own, in which every trial has addresses of its own; what runs there
//! ends with it. A router that is not installed is left out, and said to be; with SPEAKERD_LAB=require it is a failure.

#![cfg(test)]
#![expect(
    clippy::disallowed_methods,
    reason = "other people's programs keep real time"
)]

mod bird;
mod exabgp;
mod frr;
mod gobgp;
mod namespace;
mod openbgpd;
mod ours;
mod process;
mod restart;
mod router;
mod session;
mod setup;
mod trials;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    if let Some(code) = ours::be_a_speaker() {
        return code;
    }
    let mut arguments = Arguments::from_args();
    if !arguments.list && !namespace::is_inside() {
        return namespace::enter(trials::MOST);
    }
    // They wait for each other's programs most of the time.
    arguments.test_threads.get_or_insert(8);
    libtest_mimic::run(&arguments, trials::all()).exit_code()
}
