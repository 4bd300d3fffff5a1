//! A thousand sessions of a thousand routes in one process: their memory, a change to all, and what it costs to be idle.

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

const IDLE: Duration = Duration::from_secs(30);

/// A session sends a KEEPALIVE so often at the least.
const INTERVAL: Duration = Duration::from_secs(30);

/// Every neighbor, in one thread; `prefixes` counts what all have been sent.
fn neighbors(prefixes: &AtomicU64, end: &AtomicU64) {
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
                sink.read().expect("the session lives");
                prefixes.fetch_add(sink.prefixes - before, Ordering::Relaxed);
            }
            // Not all at once.
            let share = u32::try_from(index).expect("it fits");
            let interval = INTERVAL - Duration::from_millis((share % 1000 * 8).into());
            if kept_alive[index].elapsed() > interval {
                kept_alive[index] = now();
                std::io::Write::write_all(&mut sink.stream, &KEEPALIVE).expect("there is room");
            }
        }
    }
}

fn ready(sinks: &[Sink]) -> Vec<bool> {
    let mut polled: Vec<_> = sinks
        .iter()
        .map(|sink| PollFd::new(&sink.stream, PollFlags::IN))
        .collect();
    let limit = rustix::time::Timespec {
        tv_sec: 0,
        tv_nsec: 50_000_000,
    };
    poll(&mut polled, Some(&limit)).expect("it polls");
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
        std::thread::spawn(move || neighbors(&prefixes, &end))
    };
    let sessions = u64::from(SESSIONS);
    let arrived = |routes: u64| {
        wait_for("the routes", Duration::from_millis(1), || {
            (prefixes.load(Ordering::Relaxed) >= routes * sessions).then_some(())
        });
    };
    arrived(ROUTES.into());
    pause(Duration::from_millis(500));
    let each = |memory: f64| (memory - before) / f64::from(SESSIONS) / 1024.0;
    let (resident, peak) = (each(memory(id, "VmRSS")), each(memory(id, "VmHWM")));
    let mut changes = [Vec::new(), Vec::new()];
    for change in 1..=7 {
        let (cpu, start) = (cpu_time(id), now());
        speaker.ask("announce");
        arrived(u64::from(ROUTES) + change);
        changes[1].push(start.elapsed().as_secs_f64() * 1e3);
        pause(Duration::from_millis(300));
        changes[0].push((cpu_time(id) - cpu) * 1e3);
    }
    let [cpu, wall] = changes.map(median);
    let start = cpu_time(id);
    pause(IDLE);
    let idle = (cpu_time(id) - start) / IDLE.as_secs_f64() * 100.0;
    end.store(1, Ordering::Relaxed);
    thread.join().expect("every session lives");
    Ok(vec![
        Row::limit(
            "6 1,000 sessions of 1,000 routes: memory a session",
            "KiB",
            resident,
            64.0,
        ),
        Row::limit("6 the same at its peak", "KiB", peak, 64.0),
        Row::limit("6 a change to 1,000 sessions", "ms CPU", cpu, 50.0),
        Row::told(
            "6 a change to 1,000 sessions: until all have it",
            "ms",
            wall,
        ),
        Row::limit("6 1,000 idle sessions, hold time 90 s", "% CPU", idle, 1.0),
    ])
}
