//! Groups 1 and 3: the time, CPU time and memory to send many routes to one neighbor, beside BIRD.

use std::time::Duration;

use crate::child::{Child, pause};
use crate::namespace::{OURS, ROUTER};
use crate::process::{cpu_time, memory};
use crate::routers::CountedRouter;
use crate::sink::Sink;
use crate::table::{Row, median};

const ROUNDS: usize = 5;

/// The figures of one round. Times are in milliseconds, memory is in MB.
struct Measured {
    /// The time from Established to 99 % of the routes.
    to_99_percent: f64,
    /// The time from Established to the last route.
    to_last: f64,
    cpu_time: f64,
    memory: f64,
    updates: f64,
}

/// Receives the table of the speaker with this process id, which waits for a connection.
fn measure(speaker: u32, routes: u32) -> Measured {
    // Work that the speaker still does after loading must not count.
    pause(Duration::from_millis(200));
    let before = cpu_time(speaker);
    let mut sink = Sink::dial(ROUTER, OURS);
    let start = sink.establish();
    let nearly_all = sink.read_prefixes((u64::from(routes) * 99).div_ceil(100));
    let all = sink.read_prefixes(routes.into());
    // The kernel updates the CPU time of a running thread at its next tick.
    pause(Duration::from_millis(20));
    Measured {
        to_99_percent: (nearly_all - start).as_secs_f64() * 1e3,
        to_last: (all - start).as_secs_f64() * 1e3,
        cpu_time: (cpu_time(speaker) - before) * 1e3,
        memory: memory(speaker, "VmHWM") / 1e6,
        updates: f64::from(u32::try_from(sink.updates).expect("a number that fits")),
    }
}

fn ours(routes: u32) -> Measured {
    let child = Child::speaker(&["listen", &routes.to_string(), "1"]);
    measure(child.id(), routes)
}

fn bird(routes: u32) -> Option<Measured> {
    CountedRouter::bird_sender(routes).map(|bird| measure(bird.id(), routes))
}

fn median_of(all: &[Measured], figure: impl Fn(&Measured) -> f64) -> f64 {
    median(all.iter().map(figure).collect())
}

/// Measures a million /32s.
pub(crate) fn million() -> Result<Vec<Row>, String> {
    const ROUTES: u32 = 1_000_000;
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(ours(ROUTES));
        them.push(bird(ROUTES).ok_or("BIRD is not installed")?);
    }
    let row = |what, unit, figure: fn(&Measured) -> f64, maximum| {
        let name = format!("1 1,000,000 /32s: {what}");
        Row::beside(
            name,
            unit,
            median_of(&us, figure),
            ("BIRD", median_of(&them, figure)),
            maximum,
        )
    };
    Ok(vec![
        row("time to 99 %", "ms", |measured| measured.to_99_percent, 0.1),
        row(
            "CPU time of the speaker",
            "ms",
            |measured| measured.cpu_time,
            0.1,
        ),
        row("peak memory", "MB", |measured| measured.memory, 1.0 / 3.0),
    ])
}

/// The time that OpenBGPD 7.7 took to the last of 10,000 routes, in milliseconds, as recorded in another run.
const OPENBGPD_MILLISECONDS: f64 = 12.0;

/// Measures ten thousand /32s.
pub(crate) fn ten_thousand() -> Result<Vec<Row>, String> {
    const ROUTES: u32 = 10_000;
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(ours(ROUTES));
        them.extend(bird(ROUTES));
    }
    let last = median_of(&us, |measured| measured.to_last);
    let mut rows = vec![
        Row::beside(
            "3 10,000 /32s: time to the last",
            "ms",
            last,
            ("OpenBGPD, recorded", OPENBGPD_MILLISECONDS),
            0.1,
        ),
        Row::limit(
            "3 10,000 /32s: UPDATEs",
            "",
            // 4,096 octets hold about 800 /32s of five octets each, behind the header and the attributes.
            median_of(&us, |measured| measured.updates),
            13.0,
        ),
    ];
    if !them.is_empty() {
        let other = (
            "BIRD, to 99 %",
            median_of(&them, |measured| measured.to_99_percent),
        );
        rows.push(Row::beside(
            "3 10,000 /32s: time to the last",
            "ms",
            last,
            other,
            0.1,
        ));
    }
    Ok(rows)
}
