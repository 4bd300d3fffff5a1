//! A seeded simulator: speakers, and peers that lie, on a network that delays, splits, coalesces, stalls, resets and
//! partitions, with processes that die and restart. After each step it looks whether what must hold does (`monitor.rs`), and
//! in every quiet hour whether each Adj-RIB-In agrees with the table that was announced (`agreement.rs`).
//!
//! A few seeds are ordinary tests. `make sim` goes on for as long as it is asked to. What fails names its seed, which
//! `SIMULATION_SEED` plays again with a trace.

#![cfg(test)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "of events and faults only some matter"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "how long to go on simulating is a matter of wall time; what is simulated knows none"
)]

mod agreement;
mod chaos;
mod liar;
mod memory;
mod monitor;
mod network;
mod plan;
mod speaker;
mod transitions;
mod world;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use world::{Report, World};

/// Epochs of a seed: each ends with a quiet time.
const EPOCHS: u32 = 5;

/// Seeds that are ordinary tests.
const SLICE: u64 = 10;

fn main() -> ExitCode {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>());
    match (number("SIMULATION_SEED"), number("SIMULATION_SECONDS")) {
        (Some(Ok(seed)), _) => replay(seed),
        (None, Some(Ok(seconds))) => go_on(Duration::from_secs(seconds)),
        (None, None) => {
            let arguments = Arguments::from_args();
            let trial = |seed| Trial::test(format!("seed {seed}"), move || slice(seed));
            libtest_mimic::run(&arguments, (0..SLICE).map(trial).collect()).exit_code()
        }
        _ => {
            eprintln!("SIMULATION_SEED and SIMULATION_SECONDS are whole numbers");
            ExitCode::FAILURE
        }
    }
}

fn slice(seed: u64) -> Result<(), Failed> {
    match attempt(seed, 1) {
        Ok(_) => Ok(()),
        Err(why) => Err(why.into()),
    }
}

/// One seed; what is wrong, with what happened before it.
fn attempt(seed: u64, epochs: u32) -> Result<Report, String> {
    let run = |traced| {
        let mut world = World::new(seed, traced);
        let outcome = catch_unwind(AssertUnwindSafe(|| world.run(epochs)));
        (outcome, world)
    };
    let (outcome, _) = run(false);
    let why = match outcome {
        Ok(report) => return Ok(report),
        Err(panic) => message(&*panic),
    };
    let (_, world) = run(true);
    Err(format!(
        "{}\nseed {seed}, at {:.3} s: {why}\nplay it again: SIMULATION_SEED={seed} make sim",
        world.trace.last(60),
        world.now.as_secs_f64()
    ))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "a panic".to_owned())
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
            println!("seed {seed}: {}", message(&*panic));
            ExitCode::FAILURE
        }
    }
}

/// Seed after seed on every core, from SIMULATION_FIRST on, until the time is over.
fn go_on(time: Duration) -> ExitCode {
    let first = std::env::var("SIMULATION_FIRST").ok();
    let first = first.and_then(|text| text.parse().ok()).unwrap_or(0);
    let (next, failed) = (AtomicU64::new(first), AtomicBool::new(false));
    let end = Instant::now() + time;
    std::panic::set_hook(Box::new(|_| {}));
    let work = || {
        let mut total = Report::default();
        while Instant::now() < end && !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            match attempt(seed, EPOCHS) {
                Ok(report) => total += report,
                Err(why) => {
                    failed.store(true, Ordering::Relaxed);
                    println!("{why}");
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
