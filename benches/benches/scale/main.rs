//! Measures how the speaker scales: routes, sessions and UPDATEs, beside other speakers in the same run.
//!
//! `cargo bench -p benches --bench scale [-- GROUP...]` prints a table of the groups 1 to 9 with goals, and writes it to
//! `target/bench/scale.json`. Groups with sockets run in a network namespace of their own.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark may panic, and prints its results"
)]

mod child;
mod established;
mod idle;
mod inbound;
mod many_routes;
mod many_sessions;
mod namespace;
mod one_route;
mod per_route;
mod process;
mod receivers;
mod routers;
mod shared_table;
mod sink;
mod speaker;
mod table;

use std::process::ExitCode;

use speakerd_testkit::Enclosure;
use table::Row;

type Group = (&'static str, fn() -> Result<Vec<Row>, String>);

/// The groups of rows, by the number that selects them on the command line.
const GROUPS: [Group; 9] = [
    ("1", many_routes::million),
    ("2", receivers::rows),
    ("3", many_routes::ten_thousand),
    ("4", one_route::rows),
    ("5", || Ok(per_route::rows())),
    ("6", many_sessions::rows),
    ("7", || Ok(idle::rows())),
    ("8", inbound::rows),
    ("9", || Ok(shared_table::rows())),
];

/// The groups that need sockets, and with them the namespace.
const SOCKETS: [&str; 5] = ["1", "2", "3", "4", "6"];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    // The benchmark starts itself again as the speaker to measure, so that the speaker is a process of its own.
    if let [role, rest @ ..] = arguments.as_slice()
        && role == speaker::ROLE
    {
        speaker::run(rest);
        return ExitCode::SUCCESS;
    }
    if !Enclosure::is_inside()
        && let Some(code) = namespace::enclosure().enter()
    {
        return code;
    }
    // cargo adds options such as `--bench`.
    let wanted: Vec<_> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    for (name, measure) in GROUPS {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| *wanted == name) {
            continue;
        }
        let measured = if SOCKETS.contains(&name) && !Enclosure::is_inside() {
            Err("cannot create a network namespace (unshare, ip)".into())
        } else {
            measure()
        };
        match measured {
            Ok(more) => rows.extend(more),
            Err(why) => left_out.push(format!("{name}: {why}")),
        }
    }
    table::print(&rows);
    for row in &left_out {
        println!("LEFT OUT: {row}");
    }
    table::write(&rows, &left_out);
    ExitCode::SUCCESS
}
