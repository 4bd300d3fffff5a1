//! Tests of the report of a flush, and of routes that a peer is not sent.

use std::time::Duration;

use bgp_session::{
    ExportPolicy, FlushOutcome, PeerConfig, Route, SessionEvent, Speaker, State, WithheldReason,
};
use bgp_wire::{Asn, CapabilityBuf, Family, HoldTime, KEEPALIVE, OpenBuf};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{
    NODE, ROUTER, address, dialled, listening, next_session_event, passive, router_and_node, within,
};

fn route(text: &str) -> Route {
    Route::new(text.parse().unwrap())
}

#[tokio::test]
async fn report_names_the_outcome_and_the_withheld_routes_of_each_peer() {
    let (_router, node) = router_and_node().await;
    // Nothing listens there.
    let absent = PeerConfig::new(address("127.0.0.9"), Asn::new(64512)).with_passive(true);
    let absent = node.add_peer(absent).unwrap();
    node.announce(&route("10.0.0.1/32")).unwrap();
    let report = within(node.flush()).await;
    let addresses: Vec<_> = report.peers.iter().map(|(peer, _)| *peer).collect();
    assert_eq!(addresses, [address(ROUTER), address("127.0.0.9")]);
    let router = report.peer(address(ROUTER)).unwrap();
    assert!(router.is_complete());
    assert_eq!(
        report.peer(address("127.0.0.9")).unwrap().outcome,
        FlushOutcome::NotEstablished
    );
    assert_eq!(report.peer(address("127.0.0.10")), None);
    assert!(!report.is_complete());
    assert_eq!(
        within(absent.flush()).await.outcome,
        FlushOutcome::NotEstablished
    );

    let mut events = node.events();
    node.announce(&route("10.0.0.2/32").with_next_hop(address(ROUTER)))
        .unwrap();
    node.announce(&route("10.0.0.3/32").with_next_hop(address(ROUTER)))
        .unwrap();
    let peer = node.peer(address(ROUTER)).unwrap();
    let flushed = within(peer.flush()).await;
    assert_eq!(flushed.outcome, FlushOutcome::Acknowledged);
    assert_eq!(
        flushed.withheld.to_string(),
        "2 the next hop is the peer itself"
    );
    assert_eq!(
        within(node.flush()).await.peer(address(ROUTER)),
        Some(flushed)
    );
    assert_eq!(peer.status().withheld, flushed.withheld);
    let first = async {
        loop {
            if let Some(SessionEvent::Withheld(withheld)) = next_session_event(&mut events).await {
                return withheld;
            }
        }
    };
    let first = within(first).await;
    assert_eq!(
        first.destination,
        route("10.0.0.2/32").destination().clone()
    );
    assert_eq!(first.reason, WithheldReason::NextHopIsPeer);
}

#[tokio::test]
async fn report_is_complete_when_every_peer_has_the_table() {
    let (_router, node) = router_and_node().await;
    node.announce(&route("10.0.0.1/32")).unwrap();
    assert!(within(node.flush()).await.is_complete());
    let bounded = node.flush_within(Duration::from_secs(20));
    assert!(within(bounded).await.is_complete());
    let none = Speaker::builder(Asn::new(64512), "192.168.0.111".parse().unwrap());
    assert!(none.spawn().await.unwrap().flush().await.is_complete());
}

/// A peer that completes the handshake and then reads nothing.
#[tokio::test]
async fn bounded_flush_reports_a_peer_that_does_not_read_as_pending() {
    let listener = TcpListener::bind((address(ROUTER), 0)).await.unwrap();
    let router = listening("192.168.0.254", "127.0.0.3").await;
    router.add_peer(passive(NODE)).unwrap();
    let node = listening("192.168.0.111", NODE).await;
    let config = PeerConfig::new(address(ROUTER), Asn::new(64512))
        .with_port(listener.local_addr().unwrap().port())
        .with_source_address(address(NODE))
        .with_next_hop_ipv4([192, 168, 0, 111].into())
        .with_export(ExportPolicy::all());
    let silent = node.add_peer(config).unwrap();
    let (mut stream, _) = within(listener.accept()).await.unwrap();
    let mut octets = BytesMut::new();
    OpenBuf {
        asn: Asn::new(64512),
        hold_time: HoldTime::DEFAULT,
        router_id: "192.168.0.253".parse().unwrap(),
        capabilities: vec![
            CapabilityBuf::Multiprotocol(Family::IPV4_UNICAST),
            CapabilityBuf::FourOctetAs(Asn::new(64512)),
        ],
    }
    .encode(&mut octets)
    .unwrap();
    octets.extend_from_slice(&KEEPALIVE);
    stream.write_all(&octets).await.unwrap();
    // The header of our OPEN, so that the connection is known to work.
    stream.read_exact(&mut [0; 19]).await.unwrap();
    within(silent.wait_for(|status| status.state == State::Established))
        .await
        .unwrap();
    let reading = dialled(NODE, &router).with_next_hop_ipv4([192, 168, 0, 111].into());
    let reading = node.add_peer(reading).unwrap();
    within(reading.wait_for(|status| status.state == State::Established))
        .await
        .unwrap();
    node.announce(&route("2001:db8::/32")).unwrap();
    // Different attributes for each route, so that the routes do not fit into the buffers of the sockets.
    let many: Vec<_> = (0..100_000)
        .map(|number: u32| {
            let prefix = ipnet::Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap();
            Route::new(prefix.into()).with_local_pref(number)
        })
        .collect();
    node.announce_all(&many).unwrap();
    assert!(within(reading.flush()).await.outcome == FlushOutcome::Acknowledged);
    let report = within(node.flush_within(Duration::from_millis(50))).await;
    // The silent peer is waited for first: the result of the other one is taken all the same.
    let outcome = |text: &str| report.peer(address(text)).unwrap().outcome;
    assert_eq!(outcome(ROUTER), FlushOutcome::Pending);
    assert_eq!(outcome("127.0.0.3"), FlushOutcome::Acknowledged);
    let pending = within(silent.flush_within(Duration::from_millis(10))).await;
    assert_eq!(pending.outcome, FlushOutcome::Pending);
    assert_eq!(
        pending.withheld.count(WithheldReason::FamilyNotNegotiated),
        1
    );
    // The end of the session ends the wait.
    let (flushed, ()) = tokio::join!(within(silent.flush()), async { drop(stream) });
    assert_eq!(flushed.outcome, FlushOutcome::NotEstablished);
}
