//! Sessions from the first connection to the shutdown.

use std::net::SocketAddr;

use bgp_session::{PeerConfig, PeerError, RefreshError, Route, Shutdown, Speaker, State};
use bgp_wire::{Asn, Family, Origin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{
    NODE, ROUTER, address, count_announced, listening, next_down, next_update, passive,
    router_and_node, within,
};

#[tokio::test]
async fn routes_are_announced_refreshed_and_withdrawn() {
    let (router, node) = router_and_node().await;
    let mut events = router.events();
    let route = Route::new("192.168.10.1/32".parse().unwrap())
        .with_local_pref(0)
        .with_origin(Origin::INCOMPLETE);
    assert_eq!(node.announce(&route), Ok(true));
    within(node.flush()).await;
    let update = within(next_update(&mut events)).await;
    assert_eq!(
        update,
        (
            "192.168.10.1/32 via 192.168.0.111 local-pref 0 incomplete".to_owned(),
            String::new()
        )
    );

    let peer = router.peer(address(NODE)).unwrap();
    within(peer.wait_for(|status| status.state == State::Established))
        .await
        .unwrap();
    let vpn = Family::IPV4_VPN;
    let refused = within(peer.refresh(vpn)).await;
    assert_eq!(refused, Err(RefreshError::NotNegotiated(vpn)));
    assert_eq!(within(peer.refresh(Family::IPV4_UNICAST)).await, Ok(()));
    assert_eq!(within(next_update(&mut events)).await, update, "once more");

    assert_eq!(node.withdraw(route.destination()), Ok(true));
    assert_eq!(
        within(next_update(&mut events)).await,
        (String::new(), "192.168.10.1/32".to_owned())
    );
    within(node.shutdown(Shutdown::administrative("done"))).await;
    let down = within(next_down(&mut events)).await;
    assert_eq!(
        down,
        "the peer sent Cease/Administrative Shutdown (6/2) \"done\""
    );
    let refused = within(peer.refresh(Family::IPV4_UNICAST)).await;
    assert_eq!(refused, Err(RefreshError::NotEstablished));
    within(router.shutdown(Shutdown::administrative(""))).await;
}

#[tokio::test]
async fn many_routes_are_announced_again_in_next_session() {
    let (router, node) = router_and_node().await;
    let mut events = router.events();
    let prefix = |number: u32| {
        ipnet::Ipv4Net::new((0x0a00_0000 + number).into(), 32)
            .unwrap()
            .into()
    };
    let routes: Vec<_> = (0..20_000)
        .map(|number| Route::new(prefix(number)))
        .collect();
    assert_eq!(node.replace(&routes).unwrap().announced, 20_000);
    within(node.flush()).await;
    assert_eq!(within(count_announced(&mut events, 20_000)).await, 20_000);

    assert!(router.remove_peer(address(NODE)).await);
    within(next_down(&mut events)).await;
    let peer = node.peer(address(ROUTER)).unwrap();
    within(peer.wait_for(|status| status.state != State::Established))
        .await
        .unwrap();
    router
        .add_peer(passive(NODE).with_deliver_updates(true))
        .unwrap();
    assert_eq!(within(count_announced(&mut events, 20_000)).await, 20_000);
    within(node.shutdown(Shutdown::administrative(""))).await;
    within(router.shutdown(Shutdown::administrative(""))).await;
}

#[tokio::test]
async fn malformed_octets_and_unknown_hosts_leave_session_up() {
    let (router, node) = router_and_node().await;
    let listener = router.listeners()[0];
    let session = node
        .peer(address(ROUTER))
        .unwrap()
        .status()
        .established_since;
    // A connection from an unknown address is closed without an OPEN.
    let stranger = tokio::net::TcpSocket::new_v4().unwrap();
    stranger.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let mut stranger = within(stranger.connect(listener)).await.unwrap();
    let mut answer = Vec::new();
    within(stranger.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"");
    // Any process at the peer's address can connect, so that these octets reach a connection of the session.
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 18],
        &[0; 5000],
        &[&[0xff; 16][..], &[0, 19, 9]].concat(),
    ] {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut hostile: TcpStream = within(socket.connect(listener)).await.unwrap();
        hostile.write_all(garbage).await.unwrap();
        hostile.shutdown().await.unwrap();
        let mut answer = Vec::new();
        within(hostile.read_to_end(&mut answer)).await.ok();
        assert!(
            answer.len() > 19,
            "an OPEN, possibly followed by a NOTIFICATION"
        );
    }
    assert_eq!(
        node.announce(&Route::new("192.168.10.1/32".parse().unwrap())),
        Ok(true)
    );
    within(node.flush()).await;
    assert_eq!(
        node.peer(address(ROUTER))
            .unwrap()
            .status()
            .established_since,
        session
    );
    within(node.shutdown(Shutdown::administrative(""))).await;
    within(router.shutdown(Shutdown::administrative(""))).await;
}

#[tokio::test]
async fn refused_open_is_reported_with_both_values() {
    let node = listening("192.168.0.111", "127.0.0.1").await;
    for (number, asn, router_id, why) in [
        (
            1,
            64513,
            "1.1.1.1",
            "we sent OPEN Message Error/Bad Peer AS (2/2): its OPEN has AS 64512, configured is AS 64513",
        ),
        (
            2,
            64512,
            "192.168.0.111",
            "we sent OPEN Message Error/Bad BGP Identifier (2/3): its OPEN has 192.168.0.111, ours is 192.168.0.111",
        ),
    ] {
        let own = format!("127.6.0.{number}");
        let router = listening(router_id, &own).await;
        router.add_peer(passive("127.0.0.1")).unwrap();
        let port = router.listeners()[0].port();
        let config = PeerConfig::new(address(&own), Asn::new(asn)).with_port(port);
        let peer = node
            .add_peer(config.with_source_address(address("127.0.0.1")))
            .unwrap();
        let local = |error: &PeerError| error.to_string().starts_with("we sent");
        let status = peer.wait_for(|status| status.last_error.as_ref().is_some_and(local));
        let status = within(status).await.unwrap();
        assert_eq!(status.last_error.unwrap().to_string(), why);
    }
}

#[tokio::test]
async fn unreachable_peer_and_used_listener_are_reported() {
    let node = Speaker::builder(Asn::new(64512), "192.168.0.111".parse().unwrap())
        .spawn()
        .await
        .unwrap();
    let refused = std::net::TcpListener::bind("127.0.0.3:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let config = PeerConfig::new(refused.ip(), Asn::new(64512)).with_port(refused.port());
    let peer = node.add_peer(config.clone()).unwrap();
    assert!(node.add_peer(config).is_err(), "one peer an address");
    let status = within(peer.wait_for(|status| status.last_error.is_some()))
        .await
        .unwrap();
    assert!(
        status
            .last_error
            .unwrap()
            .to_string()
            .starts_with("cannot connect: Connection refused")
    );
    within(node.flush()).await;
    let taken = std::net::TcpListener::bind("127.0.0.3:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let _holder = std::net::TcpListener::bind(taken).unwrap();
    let error = Speaker::builder(Asn::new(1), "1.1.1.1".parse().unwrap())
        .with_listener(taken)
        .spawn()
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot listen on {taken}: ")),
        "{error}"
    );
    within(node.shutdown(Shutdown::administrative(""))).await;
}

// OpenBGPD 7.7 keeps an OPEN that it could not send on a reset connection, and later sends it twice.
#[tokio::test]
async fn stopping_speaker_refuses_connection_after_session_end() {
    let node = listening("192.168.0.111", NODE).await;
    node.add_peer(passive(ROUTER)).unwrap();
    let listener = node.listeners()[0];
    let connect = || {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind((address(ROUTER), 0).into()).unwrap();
        socket.connect(listener)
    };
    let mut stream = within(connect()).await.unwrap();
    stream.read_exact(&mut [0; 19]).await.unwrap();
    let dial_again = async {
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        connect().await.map_err(|error| error.kind())
    };
    let (_, again) = tokio::join!(
        node.shutdown(Shutdown::administrative("")),
        within(dial_again)
    );
    assert_eq!(again.err(), Some(std::io::ErrorKind::ConnectionRefused));
}

// RFC 4271 section 6.8: if both sides dial, collision detection closes one of the two connections.
#[tokio::test]
async fn simultaneous_opens_leave_one_session() {
    for round in 0..20 {
        let spawn = |address: &'static str, id: &'static str| async move {
            Speaker::builder(Asn::new(64512), id.parse().unwrap())
                .with_listener(SocketAddr::new(self::address(address), 0))
                .with_seed(round)
                .spawn()
                .await
                .unwrap()
        };
        let (one, other) = (
            spawn(NODE, "192.168.0.111").await,
            spawn(ROUTER, "192.168.0.254").await,
        );
        let mut events = one.events();
        let config = |from: &str, to: &Speaker| {
            let listener = to.listeners()[0];
            PeerConfig::new(listener.ip(), Asn::new(64512))
                .with_port(listener.port())
                .with_source_address(address(from))
        };
        let peer = one.add_peer(config(NODE, &other)).unwrap();
        other.add_peer(config(ROUTER, &one)).unwrap();
        within(peer.wait_for(|status| status.state == State::Established))
            .await
            .unwrap();
        one.announce(
            &Route::new("192.168.10.1/32".parse().unwrap()).with_next_hop(address("192.168.0.111")),
        )
        .unwrap();
        within(one.flush()).await;
        let up = peer.status();
        assert_eq!(
            (up.state, up.statistics.established),
            (State::Established, 1),
            "round {round}"
        );
        drop((one, other));
        while within(events.next()).await.is_some() {}
    }
}
