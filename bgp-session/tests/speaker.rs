//! Two speakers on loopback: real TCP, both driven by this crate.

#![cfg(test)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bgp_session::{PeerConfig, PeerEvent, Route, SessionEvent, Shutdown, Speaker, State};
use bgp_wire::{Asn, Family, Origin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const NODE: &str = "127.0.0.1";
const ROUTER: &str = "127.0.0.2";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A passive router that keeps what it is told, and a node that announces to it.
async fn router_and_node() -> (Speaker, Speaker) {
    let router = Speaker::builder(Asn::new(64512), "192.168.0.254".parse().unwrap())
        .listen(SocketAddr::new(address(ROUTER), 0))
        .spawn()
        .await
        .unwrap();
    router
        .add_peer(
            PeerConfig::new(address(NODE), Asn::new(64512))
                .passive(true)
                .deliver_updates(true),
        )
        .unwrap();
    let node = Speaker::builder(Asn::new(64512), "192.168.0.111".parse().unwrap())
        .spawn()
        .await
        .unwrap();
    let port = router.listeners()[0].port();
    // A loopback address is no legal next hop (RFC 4271 section 6.3).
    let config = PeerConfig::new(address(ROUTER), Asn::new(64512))
        .dial_port(port)
        .source_address(address(NODE))
        .next_hop_ipv4([192, 168, 0, 111].into());
    let peer = node.add_peer(config).unwrap();
    within(peer.wait_for(|status| status.state == State::Established))
        .await
        .unwrap();
    (router, node)
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("in time")
}

#[tokio::test]
async fn announces_withdraws_and_refreshes() {
    let (router, node) = router_and_node().await;
    let mut events = router.events();
    let route = Route::new("192.168.10.1/32".parse().unwrap())
        .local_pref(0)
        .origin(Origin::INCOMPLETE);
    assert!(node.announce(&route));
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
    peer.refresh(Family::IPV4_UNICAST).await;
    assert_eq!(within(next_update(&mut events)).await, update, "once more");

    assert!(node.withdraw(route.prefix()));
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
    within(router.shutdown(Shutdown::administrative(""))).await;
}

#[tokio::test]
async fn many_routes_arrive_and_come_back_with_the_session() {
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
    assert_eq!(node.replace(&routes).announced, 20_000);
    within(node.flush()).await;
    assert_eq!(within(count_announced(&mut events, 20_000)).await, 20_000);

    assert!(router.remove_peer(address(NODE)).await);
    within(next_down(&mut events)).await;
    let peer = node.peer(address(ROUTER)).unwrap();
    within(peer.wait_for(|status| status.state != State::Established))
        .await
        .unwrap();
    router
        .add_peer(
            PeerConfig::new(address(NODE), Asn::new(64512))
                .passive(true)
                .deliver_updates(true),
        )
        .unwrap();
    assert_eq!(within(count_announced(&mut events, 20_000)).await, 20_000);
    within(node.shutdown(Shutdown::administrative(""))).await;
    within(router.shutdown(Shutdown::administrative(""))).await;
}

#[tokio::test]
async fn hostile_octets_and_strangers_do_not_touch_a_session() {
    let (router, node) = router_and_node().await;
    let listener = router.listeners()[0];
    let session = node
        .peer(address(ROUTER))
        .unwrap()
        .status()
        .established_since;
    // An address that is no peer is closed without a word.
    let stranger = tokio::net::TcpSocket::new_v4().unwrap();
    stranger.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let mut stranger = within(stranger.connect(listener)).await.unwrap();
    let mut answer = Vec::new();
    within(stranger.read_to_end(&mut answer)).await.unwrap();
    assert_eq!(answer, b"");
    // The peer's own address may be anybody behind it.
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
        assert!(answer.len() > 19, "our OPEN, and perhaps a NOTIFICATION");
    }
    assert!(node.announce(&Route::new("192.168.10.1/32".parse().unwrap())));
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
async fn peers_that_cannot_be_reached_are_said() {
    let node = Speaker::builder(Asn::new(64512), "192.168.0.111".parse().unwrap())
        .spawn()
        .await
        .unwrap();
    let refused = std::net::TcpListener::bind("127.0.0.3:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let config = PeerConfig::new(refused.ip(), Asn::new(64512)).dial_port(refused.port());
    let peer = node.add_peer(config.clone()).unwrap();
    assert!(node.add_peer(config).is_err(), "one peer an address");
    let status = within(peer.wait_for(|status| status.last_error.is_some()))
        .await
        .unwrap();
    assert!(
        status
            .last_error
            .unwrap()
            .starts_with("cannot connect: Connection refused")
    );
    within(node.flush()).await;
    let taken = std::net::TcpListener::bind("127.0.0.3:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let _holder = std::net::TcpListener::bind(taken).unwrap();
    let error = Speaker::builder(Asn::new(1), "1.1.1.1".parse().unwrap())
        .listen(taken)
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

/// What the next UPDATE announces and withdraws, as text.
async fn next_update(events: &mut bgp_session::Events) -> (String, String) {
    loop {
        let Some(PeerEvent {
            event: SessionEvent::Update(update),
            ..
        }) = events.next().await
        else {
            continue;
        };
        let checked = update.check().unwrap();
        let announced = checked.announced().map(|nlri| {
            let (next_hop, preference) =
                (checked.next_hop().unwrap(), checked.local_pref().unwrap());
            format!(
                "{} via {next_hop} local-pref {preference} {}",
                nlri.prefix,
                checked.origin().unwrap()
            )
        });
        let withdrawn = checked.withdrawn().map(|nlri| nlri.prefix.to_string());
        return (
            announced.collect::<Vec<_>>().join(", "),
            withdrawn.collect::<Vec<_>>().join(", "),
        );
    }
}

async fn count_announced(events: &mut bgp_session::Events, wanted: usize) -> usize {
    let mut announced = 0;
    while announced < wanted {
        let Some(PeerEvent { event, .. }) = events.next().await else {
            break;
        };
        if let SessionEvent::Update(update) = event {
            announced += update.check().unwrap().announced().count();
        }
    }
    announced
}

async fn next_down(events: &mut bgp_session::Events) -> String {
    loop {
        if let Some(PeerEvent {
            event: SessionEvent::Down { reason, .. },
            ..
        }) = events.next().await
        {
            return reason.to_string();
        }
    }
}

/// Both sides dial each other: one session comes up and stays.
#[tokio::test]
async fn simultaneous_opens_leave_one_session() {
    for round in 0..20 {
        let spawn = |address: &'static str, id: &'static str| async move {
            Speaker::builder(Asn::new(64512), id.parse().unwrap())
                .listen(SocketAddr::new(self::address(address), 0))
                .seed(round)
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
                .dial_port(listener.port())
                .source_address(address(from))
        };
        let peer = one.add_peer(config(NODE, &other)).unwrap();
        other.add_peer(config(ROUTER, &one)).unwrap();
        within(peer.wait_for(|status| status.state == State::Established))
            .await
            .unwrap();
        one.announce(
            &Route::new("192.168.10.1/32".parse().unwrap()).next_hop(address("192.168.0.111")),
        );
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

/// RFC 2385: with the same key on both ends the session comes up; with another one nothing is heard.
#[tokio::test]
async fn md5_keys() {
    for (ours, theirs, up) in [("secret", "secret", true), ("secret", "other", false)] {
        let spawn = |id: &'static str| async move {
            let builder = Speaker::builder(Asn::new(64512), id.parse().unwrap());
            builder
                .listen(SocketAddr::new(address(ROUTER), 0))
                .spawn()
                .await
                .unwrap()
        };
        let (router, node) = (spawn("192.168.0.254").await, spawn("192.168.0.111").await);
        let key = |text: &str| bgp_session::Md5Key::new(text).unwrap();
        let passive = PeerConfig::new(address(NODE), Asn::new(64512))
            .passive(true)
            .md5_key(key(theirs));
        router.add_peer(passive).unwrap();
        let config = PeerConfig::new(address(ROUTER), Asn::new(64512))
            .dial_port(router.listeners()[0].port())
            .source_address(address(NODE))
            .connect_retry(Duration::from_secs(1))
            .md5_key(key(ours));
        let peer = node.add_peer(config).unwrap();
        let status = peer
            .wait_for(|status| status.state == State::Established || status.last_error.is_some());
        let status = within(status).await.unwrap();
        assert_eq!(status.state == State::Established, up, "{status:?}");
        if !up {
            assert_eq!(
                status.last_error.as_deref(),
                Some("the connection did not come up in time")
            );
        }
        assert!(router.remove_peer(address(NODE)).await);
    }
}
