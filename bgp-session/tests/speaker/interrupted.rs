//! Commands whose futures are dropped, or that other commands overtake, before they complete.

use std::pin::pin;

use bgp_session::{AddPeerError, Peer, PeerConfig, Shutdown, Speaker};
use bgp_wire::{Asn, Family, HoldTime};

use crate::{
    NODE, ROUTER, address, dialled, listening, passive, poll_once, router_and_node, up_or_not,
    within,
};

/// Sends more commands to the peer's task, which does not run meanwhile, than a short queue would hold.
fn fill_queue(peer: &Peer) {
    for _ in 0..20 {
        peer.refresh(Family::IPV4_UNICAST);
    }
}

/// Returns a router that accepts dynamic peers, and two nodes with Established sessions.
async fn router_with_dynamic_peers() -> (Speaker, Vec<Speaker>) {
    let router = listening("192.168.0.254", ROUTER).await;
    let template = PeerConfig::new(address("127.7.0.0"), Asn::new(64512));
    let prefix = "127.7.0.0/16".parse().unwrap();
    router.add_dynamic_peers(prefix, template, 10).unwrap();
    let mut nodes = Vec::new();
    for number in 1..=2 {
        let own = format!("127.7.0.{number}");
        let node = listening(&format!("1.1.1.{number}"), &own).await;
        let peer = node.add_peer(dialled(&own, &router)).unwrap();
        assert_eq!(up_or_not(&peer).await, Ok(()));
        nodes.push(node);
    }
    (router, nodes)
}

#[tokio::test]
async fn removed_prefix_takes_its_peers_if_removal_is_not_awaited() {
    let (router, nodes) = router_with_dynamic_peers().await;
    {
        let mut removal = pin!(router.remove_dynamic_peers("127.7.0.0/16".parse().unwrap()));
        assert!(poll_once(removal.as_mut()).await.is_pending());
    }
    assert_eq!(router.peers().len(), 0);
    for node in nodes {
        let peer = node.peer(address(ROUTER)).unwrap();
        let status = within(peer.wait_for(|status| status.last_error.is_some())).await;
        let error = status.unwrap().last_error.unwrap().to_string();
        assert_eq!(error, "the peer sent Cease/Peer De-configured (6/3)");
    }
}

#[tokio::test]
async fn peer_added_while_its_prefix_is_removed_stays() {
    let (router, mut nodes) = router_with_dynamic_peers().await;
    let mut removal = pin!(router.remove_dynamic_peers("127.7.0.0/16".parse().unwrap()));
    assert!(poll_once(removal.as_mut()).await.is_pending());
    let second = nodes.pop().unwrap();
    within(second.shutdown(Shutdown::administrative(""))).await;
    while router.peer(address("127.7.0.2")).is_some() {
        tokio::task::yield_now().await;
    }
    router.add_peer(passive("127.7.0.2")).unwrap();
    assert!(within(removal).await);
    assert!(router.peer(address("127.7.0.2")).is_some());
}

#[tokio::test]
async fn shutdown_ends_every_session_if_it_is_not_awaited() {
    let (router, nodes) = router_with_dynamic_peers().await;
    for peer in router.peers() {
        fill_queue(&peer);
    }
    {
        let mut shutdown = pin!(router.shutdown(Shutdown::administrative("maintenance")));
        assert!(poll_once(shutdown.as_mut()).await.is_pending());
    }
    let refused = router.add_peer(passive(NODE));
    assert!(matches!(refused, Err(AddPeerError::ShutDown)));
    for node in nodes {
        let peer = node.peer(address(ROUTER)).unwrap();
        let status = within(peer.wait_for(|status| status.last_error.is_some())).await;
        let error = status.unwrap().last_error.unwrap().to_string();
        let expected = "the peer sent Cease/Administrative Shutdown (6/2) \"maintenance\"";
        assert_eq!(error, expected);
    }
}

/// The configuration that the speaker returns is the one that the session uses.
#[tokio::test]
async fn update_takes_effect_behind_a_full_queue() {
    let (router, node) = router_and_node().await;
    let peer = node.peer(address(ROUTER)).unwrap();
    let config = dialled(NODE, &router)
        .with_next_hop_ipv4([192, 168, 0, 111].into())
        .with_hold_time(HoldTime::new(30).unwrap());
    fill_queue(&peer);
    let update = node.update_peer(config.clone()).unwrap();
    update.apply().unwrap();
    let change = node.update_peer(config).unwrap();
    assert!(change.change().is_empty());
    // RFC 4271 section 4.2: the hold time is negotiated in the OPEN, so that it changes with the next session.
    peer.reset("");
    let status = within(peer.wait_for(|status| {
        let negotiated = status.negotiated.as_ref();
        negotiated.is_some_and(|negotiated| negotiated.hold_time.seconds() == 30)
    }));
    assert!(status.await.is_some());
}
