//! Counts the instructions of one operation: `cargo bench -p benches --bench instructions [-- OPERATION...]`.
//!
//! Instructions do not depend on the load of the machine, so two versions of the code can be compared where the clock varies
//! too much. The benchmark starts itself under Callgrind, which must be installed (Debian package `valgrind`), with two
//! numbers of repetitions. Their difference contains no start-up.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark may panic, and prints its results"
)]

// The other benchmark uses more of it.
#[expect(dead_code, reason = "shared with another benchmark")]
#[path = "scale/established.rs"]
mod established;

use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::time::Instant;

use benches::codecs::ours::{OurBuildingEncoder, OurEncoder, Ours};
use benches::data::{self, VALUES};
use benches::{Decoder, Encoder};
use bgp_session::{AdjRibOut, Output, PeerConfig, Rib, Route};
use bgp_wire::Message;
use bytes::{Bytes, BytesMut};
use ipnet::Ipv4Net;

/// The number of UPDATEs that one repetition decodes.
const MESSAGES: u32 = 20_000;

/// The number of routes that one repetition announces or pulls.
const ROUTES: u32 = 10_000;

/// The number of prefixes in the message that one repetition encodes.
const PREFIXES: usize = 880;

struct Operation {
    /// The name on the command line.
    name: &'static str,
    description: &'static str,
    /// Performs the operation this many times `per_repetition`.
    run: fn(u32),
    /// The two numbers of repetitions.
    repetitions: [u32; 2],
    /// The number of operations in one repetition.
    per_repetition: u32,
}

const OPERATIONS: [Operation; 9] = [
    Operation {
        name: "walk",
        description: "an UPDATE of 2019, checked and walked",
        run: walk,
        repetitions: [1, 2],
        per_repetition: MESSAGES,
    },
    Operation {
        name: "codec",
        description: "an UPDATE of 2019, checked and counted",
        run: codec,
        repetitions: [1, 2],
        per_repetition: MESSAGES,
    },
    Operation {
        name: "count",
        description: "an UPDATE of 2019 through a session that counts it",
        run: |repetitions| receive(established::config(), repetitions),
        repetitions: [1, 2],
        per_repetition: MESSAGES,
    },
    Operation {
        name: "deliver",
        description: "an UPDATE of 2019 through a session that delivers it",
        run: |repetitions| {
            receive(
                established::config().with_deliver_updates(true),
                repetitions,
            );
        },
        repetitions: [1, 2],
        per_repetition: MESSAGES,
    },
    Operation {
        name: "encode",
        description: "an UPDATE of 880 prefixes, encoded",
        run: |repetitions| encode(&mut OurEncoder::new(&VALUES), repetitions),
        repetitions: [100, 300],
        per_repetition: 1,
    },
    Operation {
        name: "build",
        description: "an UPDATE of 880 prefixes, its attributes built and encoded",
        run: |repetitions| encode(&mut OurBuildingEncoder::new(&VALUES), repetitions),
        repetitions: [100, 300],
        per_repetition: 1,
    },
    Operation {
        name: "announce",
        description: "a route announced into an empty table",
        run: announce,
        repetitions: [3, 8],
        per_repetition: ROUTES,
    },
    Operation {
        name: "again",
        description: "a route built and announced in place of another",
        run: announce_again,
        repetitions: [3, 8],
        per_repetition: ROUTES,
    },
    Operation {
        name: "pull",
        description: "a route pulled",
        run: pull,
        repetitions: [5, 15],
        per_repetition: ROUTES,
    },
];

/// The argument with which the benchmark starts itself, before the operation and the number of repetitions.
const RUN: &str = "run";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [role, name, repetitions] = arguments.as_slice()
        && role == RUN
    {
        let operation = OPERATIONS.iter().find(|known| known.name == name);
        let run = operation.expect("a known operation").run;
        run(repetitions.parse().expect("a number of repetitions"));
        return ExitCode::SUCCESS;
    }
    let needs_streams = ["walk", "codec", "count", "deliver"];
    let has_streams = messages().is_some();
    for operation in &OPERATIONS {
        // cargo adds options such as `--bench`.
        let mut wanted = arguments.iter().filter(|name| !name.starts_with('-'));
        if wanted.clone().next().is_some() && !wanted.any(|name| name == operation.name) {
            continue;
        }
        if needs_streams.contains(&operation.name) && !has_streams {
            println!("LEFT OUT: {}: updates-2019 is missing", operation.name);
            continue;
        }
        match measure(operation) {
            Ok(instructions) => {
                println!("{instructions:>10.1}  {}", operation.description);
            }
            Err(why) => {
                println!("LEFT OUT: {}: {why}", operation.name);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Returns the instructions of one operation.
fn measure(operation: &Operation) -> Result<f64, String> {
    let [few, many] = operation.repetitions;
    let instructions = callgrind(operation.name, many)? - callgrind(operation.name, few)?;
    Ok(instructions / f64::from((many - few) * operation.per_repetition))
}

/// Returns the instructions of a process that performs an operation.
fn callgrind(name: &str, repetitions: u32) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([RUN, name, &repetitions.to_string()])
        .output()
        .map_err(|error| format!("cannot start valgrind: {error}"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    // The last lines of the log: `==123== Collected : 1234`.
    let collected = log.lines().find_map(|line| line.split_once("Collected : "));
    match collected.map(|(_, count)| count.trim().parse()) {
        Some(Ok(count)) if output.status.success() => Ok(count),
        _ => Err(format!("valgrind failed ({}): {log}", output.status)),
    }
}

fn messages() -> Option<Vec<Bytes>> {
    let mut messages = data::stream("updates-2019.as4.xz")?;
    messages.truncate(MESSAGES.try_into().expect("a number that fits"));
    Some(messages)
}

fn walk(repetitions: u32) {
    let messages = messages().expect("the recorded stream");
    let mut codec = Ours::new();
    for message in (0..repetitions).flat_map(|_| &messages) {
        black_box(codec.walk(message));
    }
}

fn codec(repetitions: u32) {
    let messages = messages().expect("the recorded stream");
    let context = established::negotiated().context;
    for message in (0..repetitions).flat_map(|_| &messages) {
        let Ok(Message::Update(update)) = Message::decode(message, &context) else {
            panic!("not an UPDATE");
        };
        let checked = update.check().expect("an UPDATE that ends no session");
        black_box((checked.announced().count(), checked.withdrawn().count()));
    }
}

/// Passes the stream through a session, in buffers of 16 KiB.
#[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
fn receive(config: PeerConfig, repetitions: u32) {
    const READ: usize = 16 * 1024;
    let messages = messages().expect("the recorded stream");
    let now = Instant::now();
    let mut session = established::session(config, now, 1);
    let connection = session.connection_id().expect("Established");
    let mut buffer = BytesMut::with_capacity(READ);
    for message in (0..repetitions).flat_map(|_| &messages) {
        if buffer.len() + message.len() > READ {
            session.handle_bytes(now, connection, &mut buffer);
            while !matches!(black_box(session.poll_output()), Output::Wait(_)) {}
            buffer = BytesMut::with_capacity(READ);
        }
        buffer.extend_from_slice(message);
    }
}

fn encode(encoder: &mut impl Encoder, repetitions: u32) {
    let prefixes = data::ipv4_prefixes(PREFIXES);
    for _ in 0..repetitions {
        black_box(encoder.ipv4(&VALUES, &prefixes));
    }
}

/// Returns host routes with this MULTI_EXIT_DISC.
fn routes(multi_exit_disc: u32) -> Vec<Route> {
    let route = |number: u32| {
        let prefix = Ipv4Net::new_assert((0x0a00_0000 + number).into(), 32);
        Route::new(prefix.into()).with_multi_exit_disc(multi_exit_disc)
    };
    (0..ROUTES).map(route).collect()
}

fn announce(repetitions: u32) {
    let routes = routes(0);
    for _ in 0..repetitions {
        let mut rib = Rib::new();
        assert!(routes.iter().all(|route| rib.announce(route)));
    }
}

fn announce_again(repetitions: u32) {
    let mut rib = Rib::new();
    for multi_exit_disc in 0..repetitions {
        let routes = routes(multi_exit_disc);
        assert!(routes.iter().all(|route| rib.announce(route)));
    }
}

fn pull(repetitions: u32) {
    let mut rib = Rib::new();
    assert!(routes(0).iter().all(|route| rib.announce(route)));
    let (config, negotiated) = (established::config(), established::negotiated());
    let mut octets = BytesMut::new();
    for _ in 0..repetitions {
        let mut adj_rib_out = AdjRibOut::new(&mut rib, &config, &negotiated);
        while !adj_rib_out.pull(&mut rib, &mut octets, 65536) {
            octets.clear();
        }
        octets.clear();
    }
}
