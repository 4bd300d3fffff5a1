//! Commands to one peer: stop and start, and UPDATEs of the application.

use bgp_session::{Peer, SendError, Shutdown, State};
use bgp_wire::{AttributeSet, EncodeError, Family, NextHop, Origin, Reason, UpdateBuf};
use ipnet::IpNet;

use crate::{NODE, ROUTER, address, next_down, next_update, router_and_node, within};

async fn reach(peer: &Peer, state: State) {
    within(peer.wait_for(|status| status.state == state))
        .await
        .unwrap();
}

#[tokio::test]
async fn stopped_peer_stays_in_idle_until_started() {
    let (router, node) = router_and_node().await;
    let mut events = router.events();
    let peer = node.peer(address(ROUTER)).unwrap();
    let why = Shutdown::cease(Reason::ADMINISTRATIVE_SHUTDOWN, "new line card").unwrap();
    peer.stop(why.clone());
    assert_eq!(
        within(next_down(&mut events)).await,
        "the peer sent Cease/Administrative Shutdown (6/2) \"new line card\""
    );
    let stopped = within(peer.wait_for(|status| status.stopped.is_some())).await;
    assert_eq!(stopped.unwrap().stopped, Some(why.clone()));
    // Neither a reset nor a new configuration starts the session.
    peer.reset("");
    let config = bgp_session::PeerConfig::new(address(ROUTER), bgp_wire::Asn::new(64512))
        .with_port(router.listeners()[0].port())
        .with_source_address(address(NODE))
        .with_next_hop_ipv4([192, 168, 0, 111].into())
        .with_extended_message(true);
    node.update_peer(config).unwrap().apply().unwrap();
    // The answer shows that the task has carried out both.
    let answer = within(peer.send_update(route())).await;
    assert_eq!(answer, Err(SendError::NotEstablished));
    assert_eq!(peer.status().state, State::Idle);
    assert_eq!(peer.status().stopped, Some(why));
    peer.start();
    reach(&peer, State::Established).await;
    assert_eq!(peer.status().stopped, None);
}

#[tokio::test]
async fn stopped_peer_refuses_connections() {
    let (router, node) = router_and_node().await;
    let peer = router.peer(address(NODE)).unwrap();
    reach(&peer, State::Established).await;
    peer.stop(Shutdown::administrative(""));
    reach(&peer, State::Idle).await;
    let mut events = router.events();
    node.peer(address(ROUTER)).unwrap().reset("");
    loop {
        let event = within(events.next()).await.unwrap();
        if let bgp_session::SpeakerEvent::ConnectionRefused { remote, .. } = event {
            break assert_eq!(remote, address(NODE));
        }
    }
    assert_eq!(peer.status().state, State::Idle);
    peer.start();
    reach(&peer, State::Established).await;
}

/// Returns an UPDATE that announces 192.0.2.0/24.
fn route() -> UpdateBuf {
    let mut update = UpdateBuf::new(AttributeSet::new(Origin::IGP));
    update.announce("192.0.2.0/24".parse::<IpNet>().unwrap());
    let next_hop = NextHop::Address([192, 168, 0, 7].into());
    update.set_next_hop(Family::IPV4_UNICAST, next_hop);
    update
}

#[tokio::test]
async fn update_of_the_application_reaches_one_peer_and_no_table() {
    let (router, node) = router_and_node().await;
    let mut events = router.events();
    let peer = node.peer(address(ROUTER)).unwrap();
    assert_eq!(within(peer.send_update(route())).await, Ok(1));
    within(node.flush()).await;
    let (announced, _) = within(next_update(&mut events)).await;
    assert_eq!(announced, "192.0.2.0/24 via 192.168.0.7 local-pref 100 IGP");
    assert!(node.routes().is_empty());

    let mut update = route();
    update.announced[0].family = Family::IPV4_MULTICAST;
    let refused = SendError::Encode(EncodeError::NotNegotiated(Family::IPV4_MULTICAST));
    assert_eq!(within(peer.send_update(update)).await, Err(refused));
    within(node.remove_peer(address(ROUTER))).await;
    let answer = within(peer.send_update(route())).await;
    assert_eq!(answer, Err(SendError::NotEstablished));
}
