//! Many routes into real receivers: beside a raw sender that has nothing to do but write, which shows what they take alone.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::child::{Child, raw_c, wait_for, wall};
use crate::namespace::{OURS, ROUTER};
use crate::routers::Counted;
use crate::table::{Row, least};

/// The receivers' work takes most of the time, and whatever else the machine does adds to it: the least of some rounds
/// counts.
const ROUNDS: usize = 5;

fn wait(receiver: &mut Counted, routes: u32) -> f64 {
    let most = u64::from(routes) * 99 / 100;
    wait_for("the receiver", Duration::from_millis(2), || {
        (receiver.routes() >= most).then(wall)
    })
}

fn ours(receiver: &mut Counted, routes: u32) -> f64 {
    let mut speaker = Child::speaker(&["dial", &routes.to_string(), "1"]);
    let end = wait(receiver, routes);
    (end - speaker.ask("since").parse::<f64>().expect("a time")) * 1e3
}

fn raw(program: &Path, receiver: &mut Counted, routes: u32) -> f64 {
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
    let report: Value = serde_json::from_str(&child.finish()).expect("it reports");
    (end - report["t_est"].as_f64().expect("a time")) * 1e3
}

fn compare(
    name: &str,
    routes: u32,
    program: &Path,
    receiver: fn() -> Option<Counted>,
) -> Option<Row> {
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(ours(&mut receiver()?, routes));
        them.push(raw(program, &mut receiver()?, routes));
    }
    let name = format!("2 {routes} /32s into {name}: time to 99 %");
    let other = ("raw C", least(them));
    Some(Row::beside(name, "ms", least(us), other, 1.1))
}

pub(crate) fn rows() -> Result<Vec<Row>, String> {
    let program = raw_c().ok_or("../shared/lab/src/bgplab.c or cc is not here")?;
    let mut rows = Vec::new();
    for routes in [100_000, 1_000_000] {
        rows.extend(compare("BIRD", routes, &program, Counted::bird_receiver));
        rows.extend(compare(
            "FRR's bgpd",
            routes,
            &program,
            Counted::frr_receiver,
        ));
    }
    match rows.len() {
        0 => Err("neither BIRD nor FRR is installed".into()),
        _ => Ok(rows),
    }
}
