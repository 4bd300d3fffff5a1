//! Announces an address while a service answers, and hands its traffic over before the program ends (RFC 8326).
//!
//! SIGTERM or SIGINT ends the program; a second one ends it without waiting for the traffic to move.
//!
//! Usage: `health --router 192.168.0.254:179 --asn 64512 --node 192.168.0.111 --prefix 192.168.10.1/32 --check 127.0.0.1:80`

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bgp_session::{ExportPolicy, PeerConfig, Route, Shutdown, Speaker};
use bgp_wire::Asn;
use clap::Parser;
use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Announce an address while a TCP service answers
#[derive(Debug, Parser)]
struct Arguments {
    /// Address and port of the router
    #[arg(long, value_name = "ADDR:PORT")]
    router: SocketAddr,
    /// AS number of the router and of this node
    #[arg(long, value_name = "AS")]
    asn: Asn,
    /// Address of this node: BGP Identifier and next hop
    #[arg(long, value_name = "ADDR")]
    node: Ipv4Addr,
    /// Prefix of the service
    #[arg(long)]
    prefix: IpNet,
    /// Address and port to connect to
    #[arg(long, value_name = "ADDR:PORT")]
    check: SocketAddr,
    /// Milliseconds between two checks, and for each of them
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
    /// Milliseconds for which routers may move the traffic before the route is withdrawn
    #[arg(long, default_value_t = 5000)]
    drain: u64,
}

/// The state of the service. It changes only after several equal results in a row.
#[derive(Default)]
struct Health {
    is_up: bool,
    /// The number of results in a row that contradict the state.
    contrary: u32,
}

impl Health {
    /// Adds the result of a check. Returns the state if the result changes it.
    fn add(&mut self, answers: bool) -> Option<bool> {
        if answers == self.is_up {
            self.contrary = 0;
            return None;
        }
        self.contrary += 1;
        // One lost packet must not move the traffic of a service, but a service that is back may wait for a second check.
        let needed = if self.is_up { 3 } else { 2 };
        if self.contrary < needed {
            return None;
        }
        *self = Self {
            is_up: answers,
            contrary: 0,
        };
        Some(answers)
    }
}

/// The signals that end the program.
struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    fn new() -> Result<Self, std::io::Error> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next of them.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let Arguments { router, node, .. } = arguments;
    let speaker = Speaker::builder(arguments.asn, node.try_into()?)
        .spawn()
        .await?;
    let router = PeerConfig::new(router.ip(), arguments.asn)
        .with_port(router.port())
        .with_next_hop_ipv4(node)
        .with_export(ExportPolicy::all());
    speaker.add_peer(router)?;
    let route = Route::new(arguments.prefix);
    let time = Duration::from_millis(arguments.interval);
    let mut checks = interval(time);
    // After a pause of the machine, the missed checks would all run at once and count as results in a row.
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut health = Health::default();
    let mut signals = EndSignals::new()?;
    loop {
        tokio::select! {
            _ = checks.tick() => {
                let connected = timeout(time, TcpStream::connect(arguments.check)).await;
                match health.add(matches!(connected, Ok(Ok(_)))) {
                    Some(true) => drop(speaker.announce(&route)?),
                    Some(false) => drop(speaker.withdraw(route.destination())?),
                    None => {}
                }
            }
            () = signals.next() => break,
        }
    }
    // Routers now prefer other nodes, but still reach this one: no packet is lost while they change over.
    speaker.drain(true);
    let drain = Duration::from_millis(arguments.drain);
    tokio::select! {
        () = async {
            // A router that hangs acknowledges nothing.
            speaker.flush_within(drain).await;
            sleep(drain).await;
        } => {}
        () = signals.next() => {}
    }
    speaker.shutdown(Shutdown::administrative("drained")).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn state_changes_after_results_in_a_row() {
        let mut health = Health::default();
        let results = [
            true, false, true, true, false, false, true, false, false, false,
        ];
        let changes = results.map(|answers| health.add(answers));
        let mut expected = [None; 10];
        (expected[3], expected[9]) = (Some(true), Some(false));
        assert_eq!(changes, expected);
    }
}
