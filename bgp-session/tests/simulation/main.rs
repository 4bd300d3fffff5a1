//! A seeded simulation of speakers and adversaries on a faulty network.
//!
//! The network delays, splits, coalesces and stalls data, resets connections and partitions hosts; programs crash and
//! restart. `monitor.rs` checks invariants after each step. Each epoch ends without faults; `convergence.rs` then checks that
//! every Adj-RIB-In equals the table that its peer announces.
//!
//! `cargo test` runs a few seeds, `make sim` runs seeds for a given time. A failure prints its seed, and `SIMULATION_SEED`
//! replays that seed with a trace. With `SIMULATION_RECORD`, the messages of the speakers are written to that file.

#![cfg(test)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "only some events and faults matter"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "wall time limits the run of `make sim`; the simulated world has a clock of its own"
)]

mod adversary;
mod convergence;
mod faults;
mod memory;
mod monitor;
mod network;
mod pace;
mod plan;
mod recorder;
mod speaker;
mod transitions;
mod world;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use recorder::Recorder;
use world::{Report, World};

/// Epochs of a seed in `make sim`. Each is about 90 minutes with faults, then a check of convergence.
const EPOCHS: u32 = 5;

/// Seeds that run as ordinary tests, for one epoch each.
const TEST_SEEDS: u64 = 10;

fn main() -> ExitCode {
    if let Some(path) = std::env::var_os("SIMULATION_RECORD") {
        return record(Path::new(&path));
    }
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>());
    match (number("SIMULATION_SEED"), number("SIMULATION_SECONDS")) {
        (Some(Ok(seed)), _) => replay(seed),
        (None, Some(Ok(seconds))) => run_for(Duration::from_secs(seconds)),
        (None, None) => {
            let arguments = Arguments::from_args();
            let trial = |seed| Trial::test(format!("seed {seed}"), move || run_test_seed(seed));
            libtest_mimic::run(&arguments, (0..TEST_SEEDS).map(trial).collect()).exit_code()
        }
        _ => {
            eprintln!("SIMULATION_SEED or SIMULATION_SECONDS is not a whole number");
            ExitCode::FAILURE
        }
    }
}

fn run_test_seed(seed: u64) -> Result<(), Failed> {
    match run_seed(seed, 1) {
        Ok(_) => Ok(()),
        Err(violation) => Err(violation.into()),
    }
}

/// Runs one seed. Returns the violation with the steps before it, if one is found.
fn run_seed(seed: u64, epochs: u32) -> Result<Report, String> {
    let run = |traced| {
        let mut world = World::new(seed, traced);
        let outcome = catch_unwind(AssertUnwindSafe(|| world.run(epochs)));
        (outcome, world)
    };
    let (outcome, _) = run(false);
    let violation = match outcome {
        Ok(report) => return Ok(report),
        Err(panic) => panic_message(&*panic),
    };
    // A trace formats every step, so only the repeated run of a failed seed is traced.
    let (_, world) = run(true);
    Err(format!(
        "{}\nseed {seed}, at {:.3} s: {violation}\nhelp: replay it with SIMULATION_SEED={seed} make sim",
        world.trace.last(60),
        world.now.as_secs_f64()
    ))
}

/// Returns the message of a panic. `panic!` carries a `&str` without arguments and a `String` with them.
fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "panic without a message".to_owned())
}

/// Writes messages of the speakers in the seeds of the tests to a file, one a line in hex.
fn record(path: &Path) -> ExitCode {
    let mut recorder = Recorder::default();
    for seed in 0..TEST_SEEDS {
        let mut world = World::new(seed, false);
        world.recorder = Some(std::mem::take(&mut recorder));
        world.run(1);
        recorder = world.recorder.take().unwrap_or_default();
    }
    match std::fs::write(path, recorder.lines()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn replay(seed: u64) -> ExitCode {
    let mut world = World::new(seed, true);
    world.trace.prints = true;
    match catch_unwind(AssertUnwindSafe(|| world.run(EPOCHS))) {
        Ok(report) => {
            println!("seed {seed}: no violation; {report}");
            ExitCode::SUCCESS
        }
        Err(panic) => {
            println!("seed {seed}: {}", panic_message(&*panic));
            ExitCode::FAILURE
        }
    }
}

/// Runs one seed after the other on every core until `time` has passed or a seed fails.
///
/// `SIMULATION_FIRST` is the first seed, 0 by default.
fn run_for(time: Duration) -> ExitCode {
    let first = std::env::var("SIMULATION_FIRST")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let (next, failed) = (AtomicU64::new(first), AtomicBool::new(false));
    let end = Instant::now() + time;
    // A violation is a panic that `run_seed` reports with its trace; the default hook would print it twice more.
    std::panic::set_hook(Box::new(|_| {}));
    let work = || {
        let mut total = Report::default();
        while Instant::now() < end && !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            match run_seed(seed, EPOCHS) {
                Ok(report) => total += report,
                Err(violation) => {
                    failed.store(true, Ordering::Relaxed);
                    println!("{violation}");
                }
            }
        }
        total
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut total = Report::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            total += thread.join().unwrap();
        }
    });
    println!("{total}");
    if failed.load(Ordering::Relaxed) {
        return ExitCode::FAILURE;
    }
    println!("no violation");
    ExitCode::SUCCESS
}
