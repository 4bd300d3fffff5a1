//! Our speaker in a process of its own: `speaker WAY ROUTES PEERS`. It loads its table, then dials the router or listens, says
//! `ready`, and obeys orders from its standard input until that ends.

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

/// The first argument of such a process.
pub(crate) const ROLE: &str = "speaker";

/// The route of this number: a /32, its attributes as in the article.
pub(crate) fn route(number: u32) -> Route {
    let prefix = Ipv4Net::new_assert(Ipv4Addr::from(0x0a00_0000 + number), 32);
    Route::new(prefix.into())
        .with_local_pref(0)
        .with_origin(Origin::INCOMPLETE)
}

/// The address of one of many neighbors.
pub(crate) fn neighbor(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(10, 99, high, low)
}

pub(crate) fn run(arguments: &[String]) {
    let [way, routes, peers] = arguments else {
        panic!("speaker WAY ROUTES PEERS");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let number = |text: &str| text.parse::<u32>().expect("a number");
    runtime.block_on(speak(way == "listen", number(routes), number(peers)));
}

async fn speak(listens: bool, routes: u32, peers: u32) {
    let address: IpAddr = OURS.parse().expect("an address");
    let local = established::local();
    let mut builder = Speaker::builder(local.asn, local.router_id);
    if listens {
        builder = builder.with_listener(SocketAddr::new(address, 179));
    }
    let speaker = builder.spawn().await.expect("the address is ours");
    for start in (0..routes).step_by(1000) {
        let some: Vec<_> = (start..routes.min(start + 1000)).map(route).collect();
        speaker.announce_all(&some);
    }
    let peer = |address: IpAddr| PeerConfig::new(address, local.asn).with_passive(listens);
    if peers == 1 {
        let router = peer(ROUTER.parse().expect("an address")).with_source_address(address);
        speaker.add_peer(router).expect("a peer");
    }
    println!("ready");
    obey(&speaker, peer, peers).await;
}

async fn obey(speaker: &Speaker, peer: impl Fn(IpAddr) -> PeerConfig, peers: u32) {
    let (sender, mut orders) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let mut number = 0x0600_0000;
    while let Some(order) = orders.recv().await {
        match order.as_str() {
            "peers" => {
                for number in 0..u16::try_from(peers).expect("it fits") {
                    speaker
                        .add_peer(peer(neighbor(number).into()))
                        .expect("a peer");
                }
                println!("done");
            }
            // One more route, which no peer has been sent yet.
            "announce" => {
                number += 1;
                speaker.announce(&route(number));
                println!("done");
            }
            "since" => println!("{}", since(speaker).await),
            _ => panic!("what is {order}?"),
        }
    }
}

/// When the session has been Established, in seconds since 1970.
async fn since(speaker: &Speaker) -> f64 {
    let peer = speaker.peers().pop().expect("a peer");
    let up = peer.wait_for(|status| status.established_since.is_some());
    let status = tokio::time::timeout(Duration::from_secs(30), up).await;
    let since = status
        .ok()
        .flatten()
        .and_then(|status| status.established_since);
    wall() - since.expect("it is up").elapsed().as_secs_f64()
}
