//! The harness of tests and benchmarks that run other programs: child processes, network namespaces, bounded polling, and the
//! routers FRR, BIRD, GoBGP, OpenBGPD and ExaBGP.
//!
//! Every resource ends with its handle, also when a test panics. A process gets SIGTERM and then SIGKILL, a namespace is
//! deleted, and the files of a router are removed.
//!
//! A test whose programs are not installed is left out with a line that names the missing programs. With
//! `SPEAKERD_LAB=require` it fails instead.
//!
//! A function panics if the harness fails, because the test then cannot succeed.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "the harness of a test panics, and other programs keep real time"
)]

mod command;
mod enclosure;
mod namespace;
mod needs;
mod place;
mod process;
mod router;
mod terminal;
mod user;
mod wait;

// One module for each router.
mod bird;
mod exabgp;
mod frr;
mod gobgp;
mod openbgpd;

pub use bird::BIRD;
pub use command::{find_program, run, run_ok};
pub use enclosure::Enclosure;
pub use exabgp::EXABGP;
pub use frr::{FRR, FRR_WITH_ZEBRA, vtysh};
pub use gobgp::GOBGP;
pub use namespace::Namespace;
pub use needs::{Needs, is_required, leave_out, trial};
pub use openbgpd::OPENBGPD;
pub use place::Place;
pub use process::{ChildGuard, Process};
pub use router::{Launch, Program, Router};
// A signature of `ChildGuard` has it: users need no rustix of the same version.
pub use rustix::process::Signal;
pub use terminal::Terminal;
pub use user::is_root;
pub use wait::{TIMEOUT, eventually, holds_for, poll, within};
