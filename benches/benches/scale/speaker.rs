//! Our speaker in a process of its own: `speaker MODE ROUTES PEERS`, with the mode `dial` or `listen`.
//!
//! It loads its table, dials the router or listens, prints `ready`, and handles commands until standard input ends.

use std::io::{BufRead, stdin};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bgp_session::{PeerConfig, Route, Speaker};
use bgp_wire::Origin;
use ipnet::Ipv4Net;
use tokio::sync::mpsc;

use crate::child::wall;
use crate::established;
use crate::namespace::{OURS, ROUTER};

/// The first argument that starts this program as a speaker.
pub(crate) const ROLE: &str = "speaker";

/// Returns the /32 with a number. Its attributes are those that MetalLB announces.
pub(crate) fn route(number: u32) -> Route {
    let prefix = Ipv4Net::new_assert(Ipv4Addr::from(0x0a00_0000 + number), 32);
    Route::new(prefix.into())
        .with_local_pref(0)
        .with_origin(Origin::INCOMPLETE)
}

/// Returns the address of the neighbor with a number.
pub(crate) fn neighbor(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 99, high, low)
}

pub(crate) fn run(arguments: &[String]) {
    let [mode, routes, peers] = arguments else {
        panic!("usage: speaker MODE ROUTES PEERS");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let number = |text: &str| text.parse::<u32>().expect("a number");
    runtime.block_on(run_speaker(mode == "listen", number(routes), number(peers)));
}

async fn run_speaker(listens: bool, routes: u32, peers: u32) {
    let address: IpAddr = OURS.parse().expect("an address");
    let local = established::local();
    let mut builder = Speaker::builder(local.asn, local.router_id);
    if listens {
        builder = builder.with_listener(SocketAddr::new(address, 179));
    }
    let speaker = builder.spawn().await.expect("an address of the namespace");
    // A thousand at a time, so that the routes themselves add little to the memory that is measured.
    for start in (0..routes).step_by(1000) {
        let some: Vec<_> = (start..routes.min(start + 1000)).map(route).collect();
        speaker.announce_all(&some).expect("it runs");
    }
    let peer = |address: IpAddr| PeerConfig::new(address, local.asn).with_passive(listens);
    if peers == 1 {
        let router = peer(ROUTER.parse().expect("an address")).with_source_address(address);
        speaker.add_peer(router).expect("a peer");
    }
    println!("ready");
    handle_commands(&speaker, peer, peers).await;
}

async fn handle_commands(speaker: &Speaker, peer: impl Fn(IpAddr) -> PeerConfig, peers: u32) {
    let (sender, mut commands) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut number = 0x0600_0000;
    while let Some(command) = commands.recv().await {
        match command.as_str() {
            "peers" => {
                for number in 0..u16::try_from(peers).expect("a number that fits") {
                    speaker
                        .add_peer(peer(neighbor(number).into()))
                        .expect("a peer");
                }
                println!("done");
            }
            // Each route is new, because a peer is not sent the same route twice.
            "announce" => {
                number += 1;
                speaker.announce(&route(number)).expect("it runs");
                println!("done");
            }
            "since" => println!("{}", since(speaker).await),
            _ => panic!("unknown command `{command}`"),
        }
    }
}

/// Returns the time at which the session was Established, in seconds since 1970.
async fn since(speaker: &Speaker) -> f64 {
    let peer = speaker.peers().pop().expect("a peer");
    let up = peer.wait_for(|status| status.established_since.is_some());
    let status = tokio::time::timeout(Duration::from_secs(30), up).await;
    let since = status
        .ok()
        .flatten()
        .and_then(|status| status.established_since);
    wall()
        - since
            .expect("an Established session")
            .elapsed()
            .as_secs_f64()
}
