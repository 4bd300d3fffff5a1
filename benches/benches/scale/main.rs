//! How this speaker grows: many routes, many sessions, many UPDATEs, beside others that do the same in the same run.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark may panic, and prints what it found"
)]

mod established;
mod idle;
mod inbound;
mod per_route;
mod process;
mod table;

use table::Row;

type Group = (&'static str, fn() -> Result<Vec<Row>, String>);

/// The groups of rows, by the number that an argument picks them with.
const GROUPS: [Group; 3] = [
    ("5", || Ok(per_route::rows())),
    ("7", || Ok(idle::rows())),
    ("8", inbound::rows),
];

fn main() {
    let arguments = std::env::args().skip(1);
    let wanted: Vec<_> = arguments
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let (mut rows, mut left_out) = (Vec::new(), Vec::new());
    for (name, measure) in GROUPS {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        match measure() {
            Ok(more) => rows.extend(more),
            Err(why) => left_out.push(format!("{name}: {why}")),
        }
    }
    table::print(&rows);
    for row in &left_out {
        println!("LEFT OUT: {row}");
    }
    table::write(&rows, &left_out);
}
