//! Receives routes without routing: accepts sessions from neighbors in prefixes and prints every change as a JSON line.
//!
//! Usage: `collector --listen 0.0.0.0:179 --local-as 65000 --router-id 10.99.0.1 --neighbors 10.99.0.0/16=65001`
//!
//! The command `dump` on standard input prints one object with every held route.

#![expect(clippy::print_stderr, reason = "errors go to standard error")]

mod arguments;
mod json;
mod tables;

use std::error::Error;
use std::io::Write;

use bgp_session::{Shutdown, Speaker};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use arguments::Arguments;
use tables::Tables;

/// The limit of connected neighbors per prefix.
const MAX_NEIGHBORS: usize = 10_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    // An event sender loses nothing: while the channel is full, neighbors with pending events are not read.
    let (sender, mut events) = mpsc::channel(1024);
    let speaker = Speaker::builder(arguments.local_as, arguments.router_id)
        .with_listener(arguments.listen)
        .with_event_sender(sender)
        .spawn()
        .await?;
    for (prefix, asn) in &arguments.neighbors {
        let template = arguments.template(*prefix, *asn);
        speaker.add_dynamic_peers(*prefix, template, MAX_NEIGHBORS)?;
    }
    eprintln!("collector listens on {}", arguments.listen);
    let mut tables = Tables::default();
    let mut commands = read_commands();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut batch = Vec::new();
    let mut out = Vec::new();
    loop {
        tokio::select! {
            _ = events.recv_many(&mut batch, 256) => {
                batch.drain(..).for_each(|event| tables.apply(&event, &mut out));
            }
            Some(line) = commands.recv() => match line.trim() {
                "dump" => tables.dump(&mut out),
                other => eprintln!("unknown command `{other}`; help: the only command is `dump`"),
            },
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
        // One write for up to 256 events.
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&out)?;
        stdout.flush()?;
        out.clear();
    }
    let shutdown = Shutdown::administrative("the collector ends");
    speaker.shutdown(shutdown).await;
    Ok(())
}

/// Returns the lines of standard input. A thread reads them, because a blocked read would delay the end of the program.
fn read_commands() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
