//! Makes routers drop an attack: blackholes addresses (RFC 7999) and announces flow specifications (RFC 8955).
//!
//! Usage: `mitigate 192.168.0.254:179 64512 192.168.0.111`
//!
//! Each line of standard input is a command:
//!
//! ```text
//! blackhole 192.0.2.1/32
//! drop destination 192.0.2.0/24 protocol =udp source-port =53
//! undo blackhole 192.0.2.1/32
//! ```
//!
//! The answer is `ok` when the router has acknowledged every route. Otherwise it is `incomplete` with the reason, for example
//! that the router does not support flow specifications.
//!
//! The end of standard input withdraws everything.

#![expect(clippy::print_stdout, reason = "this program prints its answers")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bgp_session::{
    Destination, ExportPolicy, FlushOutcome, PeerConfig, PeerFlush, Route, Shutdown, Speaker, State,
};
use bgp_wire::{Asn, Community, ExtendedCommunity, Family};
use ipnet::IpNet;
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [router, asn, node] = arguments.as_slice() else {
        return Err("usage: mitigate ROUTER:PORT AS NODE".into());
    };
    let (router, node): (SocketAddr, Ipv4Addr) = (router.parse()?, node.parse()?);
    let asn: Asn = asn.parse()?;
    let speaker = Speaker::builder(asn, node.try_into()?).spawn().await?;
    let config = PeerConfig::new(router.ip(), asn)
        .with_port(router.port())
        .with_families([Family::IPV4_UNICAST, Family::IPV4_FLOWSPEC])?
        .with_next_hop_ipv4(node)
        .with_export(ExportPolicy::all());
    let peer = speaker.add_peer(config)?;
    peer.wait_for(|status| status.state == State::Established)
        .await;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match carry_out(&speaker, asn, &line) {
            Ok(()) => println!("{}", answer(peer.flush_within(FLUSH_TIMEOUT).await)),
            Err(error) => println!("error: {error}"),
        }
    }
    let why = Shutdown::administrative("mitigation ends");
    speaker.shutdown(why).await;
    Ok(())
}

/// The maximum time for the router to acknowledge a change.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the answer to a command that has been carried out.
fn answer(flushed: PeerFlush) -> String {
    let reason = match flushed.outcome {
        FlushOutcome::Acknowledged if flushed.is_complete() => return "ok".to_owned(),
        FlushOutcome::Acknowledged => "acknowledged",
        FlushOutcome::NotEstablished => "no session",
        FlushOutcome::Pending | _ => "not acknowledged yet",
    };
    format!("incomplete: {reason}; withheld: {}", flushed.withheld)
}

fn carry_out(speaker: &Speaker, asn: Asn, line: &str) -> Result<(), Box<dyn Error>> {
    match line.strip_prefix("undo ") {
        Some(command) => {
            let route = route(asn, command)?;
            if !speaker.withdraw(route.destination())? {
                return Err(format!("unknown: {command}").into());
            }
        }
        None => {
            speaker.announce(&route(asn, line)?)?;
        }
    }
    Ok(())
}

/// Returns the route that a command stands for.
fn route(asn: Asn, command: &str) -> Result<Route, Box<dyn Error>> {
    match command.split_once(' ') {
        Some(("blackhole", prefix)) => {
            let prefix: IpNet = prefix.parse()?;
            // RFC 7999 section 3.2: the route must not leave the networks that agreed to drop the traffic.
            Ok(Route::new(prefix)
                .with_community(Community::BLACKHOLE)
                .with_community(Community::NO_EXPORT))
        }
        Some(("drop", rule)) => {
            let rule = Destination::parse(Family::IPV4_FLOWSPEC, rule)?;
            // RFC 8955 section 7.1: a traffic rate of 0 discards every packet that matches.
            let discard = ExtendedCommunity::traffic_rate(asn.to_two_octets(), 0.0);
            Ok(Route::to(rule).with_extended_community(discard))
        }
        _ => Err("unknown command; help: `blackhole PREFIX` or `drop RULE`".into()),
    }
}
