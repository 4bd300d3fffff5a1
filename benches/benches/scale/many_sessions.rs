//! Group 6: a thousand sessions of a thousand routes in one process: memory, one change to all sessions, and idle CPU time.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bgp_wire::KEEPALIVE;
use rustix::event::{PollFd, PollFlags, poll};

use crate::child::{Child, now, pause, wait_for};
use crate::namespace::OURS;
use crate::process::{cpu_time, memory};
use crate::sink::{Sink, dial};
use crate::speaker::neighbor;
use crate::table::{Row, median};

const SESSIONS: u16 = 1000;

const ROUTES: u32 = 1000;

/// The time over which the CPU time of idle sessions is measured.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// The interval between KEEPALIVEs of a neighbor: a third of the hold time of 90 s (RFC 4271 section 4.4).
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// Runs all neighbors in one thread until `end` is set. `prefixes` counts the prefixes that they have received.
fn run_neighbors(prefixes: &AtomicU64, end: &AtomicU64) {
    let to = SocketAddr::new(OURS.parse().expect("an address"), 179);
    let connect = |number| {
        let from = IpAddr::from(neighbor(number));
        let stream = wait_for("a connection", Duration::from_millis(1), || {
            dial(from, to).ok()
        });
        Sink::new(stream, 8192)
    };
    let mut sinks: Vec<_> = (0..SESSIONS).map(connect).collect();
    let start = now();
    let mut kept_alive = vec![start; sinks.len()];
    while end.load(Ordering::Relaxed) == 0 {
        let ready = ready(&sinks);
        for (index, sink) in sinks.iter_mut().enumerate() {
            if ready[index] {
                let before = sink.prefixes;
                sink.read().expect("an open connection");
                prefixes.fetch_add(sink.prefixes - before, Ordering::Relaxed);
            }
            // Real neighbors spread their KEEPALIVEs, so the intervals differ by up to 8 s.
            let share = u32::try_from(index).expect("a number that fits");
            let interval = KEEPALIVE_INTERVAL - Duration::from_millis((share % 1000 * 8).into());
            if kept_alive[index].elapsed() > interval {
                kept_alive[index] = now();
                std::io::Write::write_all(&mut sink.stream, &KEEPALIVE)
                    .expect("room in the socket");
            }
        }
    }
}

/// Waits up to 50 ms for input. Returns for each neighbor if it has any.
fn ready(sinks: &[Sink]) -> Vec<bool> {
    let mut polled: Vec<_> = sinks
        .iter()
        .map(|sink| PollFd::new(&sink.stream, PollFlags::IN))
        .collect();
    let limit = rustix::time::Timespec {
        tv_sec: 0,
        tv_nsec: 50_000_000,
    };
    poll(&mut polled, Some(&limit)).expect("a successful poll");
    polled
        .iter()
        .map(|polled| !polled.revents().is_empty())
        .collect()
}

pub(crate) fn rows() -> Result<Vec<Row>, String> {
    let mut speaker = Child::speaker(&["listen", &ROUTES.to_string(), &SESSIONS.to_string()]);
    let id = speaker.id();
    let before = memory(id, "VmRSS");
    let (prefixes, end) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    speaker.ask("peers");
    let thread = {
        let (prefixes, end) = (Arc::clone(&prefixes), Arc::clone(&end));
        std::thread::spawn(move || run_neighbors(&prefixes, &end))
    };
    let sessions = u64::from(SESSIONS);
    let arrived = |routes: u64| {
        wait_for("the routes", Duration::from_millis(1), || {
            (prefixes.load(Ordering::Relaxed) >= routes * sessions).then_some(())
        });
    };
    arrived(ROUTES.into());
    // The speaker settles before its memory is read.
    pause(Duration::from_millis(500));
    let each = |memory: f64| (memory - before) / f64::from(SESSIONS) / 1024.0;
    let (resident, peak) = (each(memory(id, "VmRSS")), each(memory(id, "VmHWM")));
    let mut changes = [Vec::new(), Vec::new()];
    for change in 1..=7 {
        let (cpu, start) = (cpu_time(id), now());
        speaker.ask("announce");
        arrived(u64::from(ROUTES) + change);
        changes[1].push(start.elapsed().as_secs_f64() * 1e3);
        // The CPU time covers work after the route's arrival as well, such as handling acknowledgements.
        pause(Duration::from_millis(300));
        changes[0].push((cpu_time(id) - cpu) * 1e3);
    }
    let [cpu, wall] = changes.map(median);
    let start = cpu_time(id);
    pause(IDLE_TIME);
    let idle = (cpu_time(id) - start) / IDLE_TIME.as_secs_f64() * 100.0;
    end.store(1, Ordering::Relaxed);
    thread.join().expect("the neighbors' thread");
    Ok(vec![
        Row::limit(
            "6 1,000 sessions of 1,000 routes: memory a session",
            "KiB",
            resident,
            64.0,
        ),
        Row::limit("6 the same at its peak", "KiB", peak, 64.0),
        Row::limit("6 a change to 1,000 sessions", "ms CPU", cpu, 50.0),
        Row::info(
            "6 a change to 1,000 sessions: until all have it",
            "ms",
            wall,
        ),
        Row::limit("6 1,000 idle sessions, hold time 90 s", "% CPU", idle, 1.0),
    ])
}
