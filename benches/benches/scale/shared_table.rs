//! Group 9: several peers that pull one table at once, on as many threads as a runtime has workers.
//!
//! It shows that routes are not encoded while the table is locked.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bgp_session::{AdjRibOut, Rib, RibAccess, Route};
use bytes::BytesMut;
use ipnet::Ipv4Net;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::established;
use crate::table::{Row, median};

const ROUTES: u32 = 1_000_000;
const PEERS: usize = 8;
const ROUNDS: usize = 5;

/// The octets that the task of a peer pulls at a time.
const BUDGET: usize = 64 * 1024;

/// A table behind a lock, with the time for which this peer has held the lock.
struct TimedAccess<'a> {
    table: &'a Mutex<Rib>,
    held: Duration,
}

impl RibAccess for TimedAccess<'_> {
    fn with_rib<T>(&mut self, act: impl FnOnce(&mut Rib) -> T) -> T {
        let mut rib = self.table.lock().expect("a lock that is not poisoned");
        let start = now();
        let result = act(&mut rib);
        self.held += start.elapsed();
        result
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

/// Pulls the whole table for several peers that take turns, as the tasks on one worker of a runtime do.
///
/// Returns the time for which they held the lock.
fn pull(table: &Mutex<Rib>, peers: usize, barrier: &Barrier, encode_locked: bool) -> Duration {
    let (negotiated, config) = (established::negotiated(), established::config());
    let mut access = TimedAccess {
        table,
        held: Duration::ZERO,
    };
    let join = |rib: &mut Rib| AdjRibOut::new(rib, &config, &negotiated);
    let mut waiting: VecDeque<_> = (0..peers).map(|_| access.with_rib(join)).collect();
    let mut out = BytesMut::new();
    // All threads begin to pull at once; opening the session does not count.
    barrier.wait();
    access.held = Duration::ZERO;
    while let Some(mut adj_rib_out) = waiting.pop_front() {
        out.clear();
        let whole = if encode_locked {
            access.with_rib(|rib| adj_rib_out.pull(rib, &mut out, BUDGET))
        } else {
            adj_rib_out.pull(&mut access, &mut out, BUDGET)
        };
        if !whole {
            waiting.push_back(adj_rib_out);
        }
    }
    access.held
}

/// Binds this thread to one core, because a round is shorter than the scheduler takes to spread new threads.
fn stay_on(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).expect("an existing core");
}

/// Returns the seconds until the last peer has the whole table, and the seconds for which the table was locked.
fn round(table: &Mutex<Rib>, peers: usize, encode_locked: bool) -> [f64; 2] {
    let workers = cores().min(peers);
    let barrier = Barrier::new(workers + 1);
    let (seconds, held) = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let barrier = &barrier;
                let share = (peers - worker).div_ceil(workers);
                scope.spawn(move || {
                    stay_on(worker);
                    pull(table, share, barrier, encode_locked)
                })
            })
            .collect();
        barrier.wait();
        let start = now();
        let held: Duration = threads
            .into_iter()
            .map(|thread| thread.join().expect("the peer's thread"))
            .sum();
        (start.elapsed().as_secs_f64(), held)
    });
    [seconds, held.as_secs_f64()]
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rib = Rib::new();
    for number in 0..ROUTES {
        let address = Ipv4Addr::from(0x0a00_0000 + number);
        rib.announce(&Route::new(Ipv4Net::new_assert(address, 32).into()));
    }
    let table = Mutex::new(rib);
    // One peer, eight peers, and eight that encode under the lock for comparison, in turns.
    let kinds = [(1, false), (PEERS, false), (PEERS, true)];
    let mut figures = [const { [const { Vec::new() }; 2] }; 3];
    for _ in 0..ROUNDS {
        for ((peers, encode_locked), [seconds, held]) in kinds.into_iter().zip(&mut figures) {
            let round = round(&table, peers, encode_locked);
            seconds.push(round[0] * 1e3);
            held.push(round[1] * 1e3);
        }
    }
    let [one, eight, locked] = figures.map(|both| both.map(median));
    let cores = cores();
    // With fewer cores than peers, the peers must share them.
    let ideal = u32::try_from(PEERS.div_ceil(cores.min(PEERS))).map_or(8.0, f64::from);
    let name = format!("9 1,000,000 routes pulled by {PEERS} peers at once, {cores} cores");
    vec![
        Row::beside(&name, "ms", eight[0], ("one peer", one[0]), ideal * 1.25),
        Row::beside(&name, "ms", eight[0], ("encoding locked", locked[0]), 1.0),
        Row::info(
            "9 the same: time for which the table was locked",
            "ms",
            eight[1],
        ),
        Row::info(
            "9 one peer: time for which the table was locked",
            "ms",
            one[1],
        ),
    ]
}
