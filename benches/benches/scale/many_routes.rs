//! Many routes from one speaker to one neighbor: how long, how much CPU, how much memory, beside BIRD.

use std::time::Duration;

use crate::child::{Child, pause};
use crate::namespace::{OURS, ROUTER};
use crate::process::{cpu_time, memory};
use crate::routers::Counted;
use crate::sink::Sink;
use crate::table::{Row, median};

const ROUNDS: usize = 5;

/// What one round has shown.
struct Measured {
    milliseconds: f64,
    /// Until the last route.
    to_last: f64,
    cpu_time: f64,
    memory: f64,
    updates: f64,
}

/// Takes the table of the speaker with this process id, which waits for the router.
fn measure(speaker: u32, routes: u32) -> Measured {
    // Whatever it has to do after loading.
    pause(Duration::from_millis(200));
    let before = cpu_time(speaker);
    let mut sink = Sink::dial(ROUTER, OURS);
    let start = sink.establish();
    let most = sink.read_prefixes((u64::from(routes) * 99).div_ceil(100));
    let all = sink.read_prefixes(routes.into());
    // The last tick of its CPU time.
    pause(Duration::from_millis(20));
    Measured {
        milliseconds: (most - start).as_secs_f64() * 1e3,
        to_last: (all - start).as_secs_f64() * 1e3,
        cpu_time: (cpu_time(speaker) - before) * 1e3,
        memory: memory(speaker, "VmHWM") / 1e6,
        updates: f64::from(u32::try_from(sink.updates).expect("it fits")),
    }
}

fn ours(routes: u32) -> Measured {
    let child = Child::speaker(&["listen", &routes.to_string(), "1"]);
    measure(child.id(), routes)
}

fn bird(routes: u32) -> Option<Measured> {
    Counted::bird_sender(routes).map(|bird| measure(bird.id(), routes))
}

fn of(all: &[Measured], figure: impl Fn(&Measured) -> f64) -> f64 {
    median(all.iter().map(figure).collect())
}

/// A million /32s.
pub(crate) fn million() -> Result<Vec<Row>, String> {
    const ROUTES: u32 = 1_000_000;
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(ours(ROUTES));
        them.push(bird(ROUTES).ok_or("BIRD is not installed")?);
    }
    let row = |what, unit, figure: fn(&Measured) -> f64, most| {
        let name = format!("1 1,000,000 /32s: {what}");
        Row::beside(
            name,
            unit,
            of(&us, figure),
            ("BIRD", of(&them, figure)),
            most,
        )
    };
    Ok(vec![
        row("time to 99 %", "ms", |measured| measured.milliseconds, 0.1),
        row(
            "CPU time of the speaker",
            "ms",
            |measured| measured.cpu_time,
            0.1,
        ),
        row("peak memory", "MB", |measured| measured.memory, 1.0 / 3.0),
    ])
}

/// What OpenBGPD 7.7 takes to the last of 10,000 routes, where it cannot be measured in the same run.
const OPENBGPD: f64 = 12.0;

/// Ten thousand.
pub(crate) fn ten_thousand() -> Result<Vec<Row>, String> {
    const ROUTES: u32 = 10_000;
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(ours(ROUTES));
        them.extend(bird(ROUTES));
    }
    let last = of(&us, |measured| measured.to_last);
    let mut rows = vec![
        Row::beside(
            "3 10,000 /32s: time to the last",
            "ms",
            last,
            ("OpenBGPD, recorded", OPENBGPD),
            0.1,
        ),
        Row::limit(
            "3 10,000 /32s: UPDATEs",
            "",
            of(&us, |measured| measured.updates),
            13.0,
        ),
    ];
    if !them.is_empty() {
        let other = ("BIRD, to 99 %", of(&them, |measured| measured.milliseconds));
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
