//! Watches BGP: takes sessions from everybody in some prefixes and prints what they say, one JSON object a line.
//!
//! `collector --listen 0.0.0.0:179 --local-as 65000 --router-id 10.99.0.1 --neighbors 10.99.0.0/16=65001 --hold 90`
//!
//! The line `dump` on standard input is answered by one object with every route that is held.

#![expect(clippy::print_stderr, reason = "what is wrong is said there")]

mod arguments;
mod table;

use std::error::Error;
use std::io::Write;

use bgp_session::{ExportPolicy, PeerConfig, RestartConfig, Shutdown, Speaker};
use clap::Parser;
use ipnet::IpNet;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use arguments::Arguments;
use table::Tables;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    // Nothing is missed: who sends faster than it is printed waits.
    let (sender, mut events) = mpsc::channel(1024);
    let speaker = Speaker::builder(arguments.local_as, arguments.router_id)
        .with_listener(arguments.listen)
        .with_event_sender(sender)
        .spawn()
        .await?;
    for (prefix, asn) in &arguments.neighbors {
        speaker.add_dynamic_peers(*prefix, template(&arguments, *prefix, *asn), MOST)?;
    }
    eprintln!("collector listens on {}", arguments.listen);
    let mut tables = Tables::default();
    let mut commands = standard_input();
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let mut batch = Vec::new();
    let mut out = Vec::new();
    loop {
        tokio::select! {
            _ = events.recv_many(&mut batch, 256) => {
                batch.drain(..).for_each(|event| tables.apply(&event, &mut out));
            }
            Some(line) = commands.recv() => match line.trim() {
                "dump" => tables.dump(&mut out),
                _ => eprintln!("{line:?} is no command; there is only dump"),
            },
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&out)?;
        stdout.flush()?;
        out.clear();
    }
    speaker
        .shutdown(Shutdown::administrative("the collector ends"))
        .await;
    Ok(())
}

/// The lines of standard input, read by a thread of its own: nothing waits for it when the collector ends.
fn standard_input() -> mpsc::Receiver<String> {
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

/// What holds for every neighbor of a prefix.
fn template(arguments: &Arguments, prefix: IpNet, asn: bgp_wire::Asn) -> PeerConfig {
    let config = PeerConfig::new(prefix.addr(), asn)
        .hold_time(arguments.hold)
        .extended_message(true)
        .deliver_updates(true)
        .export(ExportPolicy::only([]));
    match arguments.gr {
        Some(seconds) => config.graceful_restart(RestartConfig::new().restart_time(seconds)),
        None => config,
    }
}

/// How many of the neighbors of a prefix may be there at a time.
const MOST: usize = 10_000;
