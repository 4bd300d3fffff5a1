//! Group 2: the time to send many routes into real routers, beside a raw sender.
//!
//! The raw sender only writes prepared octets, so its time is that of the router alone.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::child::{Child, raw_c, wait_for, wall};
use crate::namespace::{OURS, ROUTER};
use crate::routers::CountedRouter;
use crate::table::{Row, minimum};

/// The rounds, of which the minimum counts: other work of the machine can only add to the router's time.
const ROUNDS: usize = 5;

/// Waits until the receiver has 99 % of the routes. Returns that time.
fn wait(receiver: &mut CountedRouter, routes: u32) -> f64 {
    let nearly_all = u64::from(routes) * 99 / 100;
    wait_for("routes of the receiver", Duration::from_millis(2), || {
        (receiver.routes() >= nearly_all).then(wall)
    })
}

fn ours(receiver: &mut CountedRouter, routes: u32) -> f64 {
    let mut speaker = Child::speaker(&["dial", &routes.to_string(), "1"]);
    let end = wait(receiver, routes);
    (end - speaker.ask("since").parse::<f64>().expect("a time")) * 1e3
}

fn raw(program: &Path, receiver: &mut CountedRouter, routes: u32) -> f64 {
    let to = format!("{ROUTER}:179");
    let mut child = Child::start(
        program,
        &[
            "blast",
            "-c",
            &to,
            "-b",
            OURS,
            "-n",
            &routes.to_string(),
            "-S",
            "60",
            "-T",
            "90",
        ],
    );
    let end = wait(receiver, routes);
    // The raw sender ends with a report that contains the time at which it was Established.
    let report: Value = serde_json::from_str(&child.finish()).expect("a report in JSON");
    (end - report["t_est"].as_f64().expect("a time")) * 1e3
}

fn compare(
    name: &str,
    routes: u32,
    program: &Path,
    receiver: fn() -> Option<CountedRouter>,
) -> Option<Row> {
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(ours(&mut receiver()?, routes));
        them.push(raw(program, &mut receiver()?, routes));
    }
    let name = format!("2 {routes} /32s into {name}: time to 99 %");
    let other = ("raw C", minimum(them));
    Some(Row::beside(name, "ms", minimum(us), other, 1.1))
}

pub(crate) fn rows() -> Result<Vec<Row>, String> {
    let program = raw_c().ok_or("../shared/lab/src/bgplab.c or cc is missing")?;
    let mut rows = Vec::new();
    for routes in [100_000, 1_000_000] {
        rows.extend(compare(
            "BIRD",
            routes,
            &program,
            CountedRouter::bird_receiver,
        ));
        rows.extend(compare(
            "FRR's bgpd",
            routes,
            &program,
            CountedRouter::frr_receiver,
        ));
    }
    match rows.len() {
        0 => Err("neither BIRD nor FRR is installed".into()),
        _ => Ok(rows),
    }
}
