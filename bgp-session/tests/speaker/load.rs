//! Many changes and many sessions at the same time: cases L08 and L09 of the test catalogue.

use std::time::Duration;

use bgp_session::{AdjRibIn, Peer, PeerConfig, Route, Speaker, State};
use bgp_wire::Asn;
use ipnet::Ipv4Net;
use tokio::sync::mpsc;

use crate::{address, delivering, dialled, listening, passive, receive_session_event, within};

fn route(number: u32, version: u32) -> Route {
    let prefix = Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap();
    Route::new(prefix.into()).with_multi_exit_disc(version)
}

/// Announces and withdraws 10,000 routes 20 times. Afterwards the peer holds exactly the announced routes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flapping_routes_converge() {
    let (sender, mut events) = mpsc::channel(1);
    let router = delivering(sender).await;
    router
        .add_peer(passive("127.0.0.1").with_deliver_updates(true))
        .unwrap();
    let node = listening("192.168.0.111", "127.0.0.1").await;
    let config = dialled("127.0.0.1", &router).with_next_hop_ipv4([192, 168, 0, 111].into());
    let peer = node.add_peer(config).unwrap();
    let last = route(20_000, 0).destination().to_nlri(None);
    let table = tokio::spawn(async move {
        let mut table = AdjRibIn::new();
        while let Some(event) = receive_session_event(&mut events).await {
            table.apply(&event, |_| {});
            // This route is announced after all others.
            if table.route(&last).is_some() {
                break;
            }
        }
        table
    });
    within(peer.wait_for(|status| status.state == State::Established))
        .await
        .unwrap();
    for version in 0..20 {
        let routes: Vec<_> = (0..10_000).map(|number| route(number, version)).collect();
        node.replace(&routes).unwrap();
        if version % 4 == 0 {
            within(node.flush()).await;
        }
        node.replace(&[]).unwrap();
    }
    let third: Vec<_> = (0..10_000)
        .step_by(3)
        .map(|number| route(number, 99))
        .collect();
    node.replace(&third).unwrap();
    within(node.flush()).await;
    node.announce(&route(20_000, 0)).unwrap();
    let table = within(table).await.unwrap();
    let held: Vec<_> = table
        .routes()
        .map(|(nlri, route)| (nlri, route.attributes.multi_exit_disc))
        .collect();
    let announced: Vec<_> = third
        .iter()
        .map(|route| (route.destination().to_nlri(None), Some(99)))
        .chain([(route(20_000, 0).destination().to_nlri(None), Some(0))])
        .collect();
    assert_eq!(held, announced);
    assert_eq!(peer.status().statistics.established, 1);
}

/// Resets 100 sessions with 1,000 routes at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundred_reset_sessions_come_up_again() {
    let router = listening("192.168.0.254", "0.0.0.0").await;
    let port = router.listeners()[0].port();
    let template = PeerConfig::new(address("127.3.0.0"), Asn::new(64512));
    router
        .add_dynamic_peers("127.3.0.0/16".parse().unwrap(), template, 1000)
        .unwrap();
    let node = Speaker::builder(Asn::new(64512), "192.168.0.111".parse().unwrap());
    let node = node.spawn().await.unwrap();
    node.announce_all(&(0..1000).map(|number| route(number, 0)).collect::<Vec<_>>())
        .unwrap();
    let peers: Vec<_> = (1..=100)
        .map(|number| {
            let config = PeerConfig::new(address(&format!("127.4.0.{number}")), Asn::new(64512))
                .with_port(port)
                .with_source_address(address(&format!("127.3.0.{number}")))
                .with_next_hop_ipv4([192, 168, 0, 111].into());
            node.add_peer(config).unwrap()
        })
        .collect();
    let up = async |minimum: u64| {
        for peer in &peers {
            let up = peer.wait_for(|status| {
                status.state == State::Established && status.statistics.established >= minimum
            });
            within(up).await.unwrap();
        }
    };
    up(1).await;
    within(node.flush()).await;
    for peer in &peers {
        peer.reset("");
    }
    tokio::time::timeout(Duration::from_secs(10), up(2))
        .await
        .expect("up again in ten seconds");
    within(node.flush()).await;
    assert_eq!(router.peers().len(), 100);
    // Counters alone wake no watcher of the status, so that they are polled.
    let all = async {
        let has_all = |peer: &Peer| {
            let statistics = peer.status().statistics;
            statistics.prefixes_announced() == 1000 * statistics.established
        };
        while !router.peers().iter().all(has_all) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(all).await;
}
