//! Commands whose futures are dropped, or that other commands overtake, before they complete.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bgp_session::{
    AddPeerError, Dialer, Peer, PeerConfig, PeerStatus, Route, SessionEvent, Shutdown, Speaker,
    SpeakerEvent, SpeakerShutDown, State, TcpDialer,
};
use bgp_wire::{Asn, AttributeSet, Family, HoldTime, Origin, UpdateBuf};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::{
    NODE, ROUTER, address, count_announced, dialled, listening, next_down, passive, poll_once,
    router_and_node, up_or_not, within,
};

/// Sends more commands to the peer's task, which does not run meanwhile, than a short queue would hold.
fn fill_queue(peer: &Peer) {
    for _ in 0..20 {
        peer.drain(false);
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

#[tokio::test]
async fn spawn_binds_at_its_first_poll_and_not_before() {
    let builder = || Speaker::builder(Asn::new(64512), "192.168.0.254".parse().unwrap());
    let free = std::net::TcpListener::bind((address(NODE), 0)).unwrap();
    let on = free.local_addr().unwrap();
    drop(free);
    drop(builder().with_listener(on).spawn());
    let Poll::Ready(Ok(speaker)) = poll_once(pin!(builder().with_listener(on).spawn())).await
    else {
        panic!("not started")
    };
    assert_eq!(speaker.listeners(), [on]);
}

/// Every other future of the API, as its section on cancel safety describes it.
#[tokio::test]
async fn futures_dropped_after_first_poll_lose_nothing() {
    let router = listening("192.168.0.254", ROUTER).await;
    router
        .add_peer(passive(NODE).with_deliver_updates(true))
        .unwrap();
    let (mut received, mut removed) = (router.events(), router.events());
    let node = listening("192.168.0.111", NODE).await;
    let config = dialled(NODE, &router).with_next_hop_ipv4([192, 168, 0, 111].into());

    // A dropped dial closes its connection.
    let listener = TcpListener::bind((address(ROUTER), 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(poll_once(TcpDialer.dial(&config.clone().with_port(port)).as_mut()).await);
    let (mut dialled, _) = within(listener.accept()).await.unwrap();
    assert_eq!(within(dialled.read(&mut [0; 1])).await.unwrap(), 0);

    let peer = node.add_peer(config).unwrap();
    let is_up = |status: &PeerStatus| status.state == State::Established;
    assert!(poll_once(pin!(peer.wait_for(is_up))).await.is_pending());
    assert!(within(peer.wait_for(is_up)).await.is_some());

    // The announced route arrives although nothing waits for it.
    node.announce(&Route::new("10.0.0.1/32".parse().unwrap()))
        .unwrap();
    assert!(poll_once(pin!(node.flush())).await.is_pending());
    let update = async {
        loop {
            // Each event is awaited by a future that is dropped, and by another one.
            let polled = poll_once(pin!(received.next())).await;
            let event = match polled {
                Poll::Ready(event) => event,
                Poll::Pending => received.next().await,
            };
            if let SpeakerEvent::Session {
                event: SessionEvent::Update(update),
                ..
            } = event.unwrap()
            {
                return update.check().announced().count();
            }
        }
    };
    assert_eq!(within(update).await, 1);
    assert_eq!(received.missed(), 0);

    assert!(
        poll_once(pin!(node.remove_peer(address(ROUTER))))
            .await
            .is_pending()
    );
    assert!(node.peers().is_empty());
    let down = within(next_down(&mut removed)).await;
    assert_eq!(down, "the peer sent Cease/Peer De-configured (6/3)");

    // `shutdown` and `remove_dynamic_peers` have tests with peers of their own.
    let shutdown = router.shutdown(Shutdown::administrative(""));
    assert!(poll_once(pin!(shutdown)).await.is_pending());
    let refused = router.announce(&Route::new("10.0.0.1/32".parse().unwrap()));
    assert_eq!(refused, Err(SpeakerShutDown));
    let prefix = "127.7.0.0/16".parse().unwrap();
    node.add_dynamic_peers(prefix, passive(NODE), 1).unwrap();
    assert!(
        poll_once(pin!(node.remove_dynamic_peers(prefix)))
            .await
            .is_ready()
    );
    assert!(node.dynamic_peers().is_empty());
}

#[tokio::test]
async fn routes_are_sent_if_nothing_waits_for_them() {
    let (router, node) = router_and_node().await;
    let mut received = router.events();
    let peer = node.peer(address(ROUTER)).unwrap();
    node.announce(&Route::new("10.0.0.1/32".parse().unwrap()))
        .unwrap();
    let time = Duration::from_secs(20);
    assert!(poll_once(pin!(node.flush_within(time))).await.is_pending());
    assert!(poll_once(pin!(peer.flush_within(time))).await.is_pending());
    assert!(poll_once(pin!(peer.flush())).await.is_pending());
    let mut attributes = AttributeSet::new(Origin::IGP);
    attributes.local_pref = Some(100);
    let mut update = UpdateBuf::new(attributes);
    update.set_next_hop(Family::IPV4_UNICAST, address("192.168.0.111"));
    update.announce("10.0.0.2/32".parse::<ipnet::IpNet>().unwrap());
    assert!(poll_once(pin!(peer.send_update(update))).await.is_pending());
    assert_eq!(within(count_announced(&mut received, 2)).await, 2);
    assert!(within(peer.flush()).await.is_complete());
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
