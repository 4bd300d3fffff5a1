//! Socket options of connections: keys (RFC 2385, RFC 5925), hops (RFC 5082), ports and devices; and a peer that does not
//! read (RFC 9687).

use std::time::Duration;

use bgp_session::{
    AddPeerError, AoAlgorithm, AoKey, KeyError, PeerConfig, PeerSetting, Route, RouteChange,
    Shutdown, Speaker, State,
};
use bgp_wire::{Asn, CapabilityBuf, Family, HoldTime, OpenBuf};
use tokio::io::AsyncWriteExt;

use crate::{
    NODE, ROUTER, address, dialled, impatient, key, listening, next_session_event, passive,
    up_or_not, within,
};

const LATE: &str = "the connection did not come up in time";

// RFC 2385 section 2: segments without a valid signature are dropped silently, so that the attempt times out.
#[tokio::test]
async fn md5_session_comes_up_only_with_equal_keys() {
    for (ours, theirs, up) in [
        (Some("secret"), Some("secret"), true),
        (Some("secret"), Some("other"), false),
        (Some("secret"), None, false),
        (None, Some("secret"), false),
    ] {
        let router = listening("192.168.0.254", ROUTER).await;
        let node = listening("192.168.0.111", NODE).await;
        let with = |config: PeerConfig, text: Option<&str>| match text {
            Some(text) => config.with_md5_key(key(text)),
            None => config,
        };
        router.add_peer(with(passive(NODE), theirs)).unwrap();
        let peer = node.add_peer(with(dialled(NODE, &router), ours)).unwrap();
        let hint = "; TCP MD5 is configured: the peer's key may differ";
        let hint = if ours.is_some() { hint } else { "" };
        let expected = if up {
            Ok(())
        } else {
            Err(format!("{LATE}{hint}"))
        };
        assert_eq!(up_or_not(&peer).await, expected, "{ours:?} {theirs:?}");
        assert!(router.remove_peer(address(NODE)).await);
    }
}

// An IPv6 socket has the mapped addresses of IPv4 peers, and so have the networks of its keys.
#[tokio::test]
async fn md5_key_of_network_applies_to_mapped_addresses() {
    let router = listening("192.168.0.254", "::").await;
    let node = listening("192.168.0.111", NODE).await;
    let template = passive("127.0.0.0").with_md5_key(key("secret"));
    let prefix = "127.0.0.0/8".parse().unwrap();
    router.add_dynamic_peers(prefix, template, 10).unwrap();
    let config = PeerConfig::new(address(ROUTER), Asn::new(64512))
        .with_port(router.listeners()[0].port())
        .with_source_address(address(NODE))
        .with_retry(impatient());
    let peer = node
        .add_peer(config.clone().with_md5_key(key("secret")))
        .unwrap();
    assert_eq!(up_or_not(&peer).await, Ok(()));
    assert!(node.remove_peer(address(ROUTER)).await);
    let peer = node.add_peer(config).unwrap();
    assert_eq!(
        up_or_not(&peer).await,
        Err(LATE.to_owned()),
        "without the key"
    );
}

#[tokio::test]
async fn changed_md5_key_keeps_session() {
    let router = listening("192.168.0.254", ROUTER).await;
    let node = listening("192.168.0.111", NODE).await;
    router
        .add_peer(passive(NODE).with_md5_key(key("old")))
        .unwrap();
    let config = dialled(NODE, &router).with_next_hop_ipv4([192, 168, 0, 111].into());
    let peer = node
        .add_peer(config.clone().with_md5_key(key("old")))
        .unwrap();
    assert_eq!(up_or_not(&peer).await, Ok(()));
    let since = peer.status().established_since;
    for (speaker, config) in [(&router, passive(NODE)), (&node, config)] {
        let update = speaker
            .update_peer(config.with_md5_key(key("new")))
            .unwrap();
        assert_eq!(update.change().settings(), [PeerSetting::Md5Key]);
        assert!(!update.resets());
        update.apply().unwrap();
    }
    node.announce(&Route::new("192.168.10.1/32".parse().unwrap()))
        .unwrap();
    within(node.flush()).await;
    assert_eq!(peer.status().established_since, since);
}

// RFC 5082 section 3: packets below the minimum TTL are dropped silently.
#[tokio::test]
async fn peer_beyond_maximum_hops_gets_no_answer() {
    for (theirs, up) in [(true, true), (false, false)] {
        let router = listening("192.168.0.254", ROUTER).await;
        let node = listening("192.168.0.111", NODE).await;
        router.add_peer(passive(NODE).with_ttl_security(1)).unwrap();
        let config = dialled(NODE, &router);
        let config = if theirs {
            config.with_ttl_security(1)
        } else {
            config.with_ttl(254)
        };
        let peer = node.add_peer(config).unwrap();
        let expected = if up { Ok(()) } else { Err(LATE.to_owned()) };
        assert_eq!(up_or_not(&peer).await, expected);
    }
}

#[tokio::test]
async fn tcp_ao_key_is_set_or_refused() {
    let node = listening("192.168.0.111", NODE).await;
    let ao = AoKey::new(1, 2, AoAlgorithm::HmacSha1, "secret").unwrap();
    assert_eq!(format!("{ao:?}"), "AoKey(1, 2, HmacSha1, ***)");
    let config = passive(ROUTER).with_ao_key(ao);
    match node.add_peer(config.clone()) {
        Ok(_) => assert!(node.remove_peer(address(ROUTER)).await),
        Err(AddPeerError::Key(KeyError::NoTcpAo(peer))) => {
            assert_eq!(peer.to_string(), "127.0.0.2/32");
        }
        Err(other) => panic!("{other}"),
    }
    let both = node.add_peer(config.with_md5_key(key("secret")));
    assert_eq!(
        both.unwrap_err().to_string(),
        "both an MD5 key and a TCP-AO key are configured; remove one"
    );
    assert!(node.peers().is_empty());
}

#[tokio::test]
async fn device_listener_accepts_through_device() {
    let bind = |device: &str| {
        Speaker::builder(Asn::new(64512), "192.168.0.254".parse().unwrap())
            .with_device_listener((address(ROUTER), 0).into(), device)
            .spawn()
    };
    let router = bind("lo").await.unwrap();
    router.add_peer(passive(NODE)).unwrap();
    let node = listening("192.168.0.111", NODE).await;
    let peer = node.add_peer(dialled(NODE, &router)).unwrap();
    assert_eq!(up_or_not(&peer).await, Ok(()));
    let missing = bind("no-such-device").await.err().unwrap().to_string();
    assert!(
        missing.starts_with("cannot listen through no-such-device: "),
        "{missing}"
    );
}

#[tokio::test]
async fn dial_uses_source_port_and_device() {
    let listener = tokio::net::TcpListener::bind((ROUTER, 0)).await.unwrap();
    let node = listening("192.168.0.111", NODE).await;
    let free = std::net::TcpListener::bind((NODE, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let config = PeerConfig::new(address(ROUTER), Asn::new(64512))
        .with_port(listener.local_addr().unwrap().port())
        .with_source_address(address(NODE))
        .with_source_port(free.port())
        .with_device("lo");
    node.add_peer(config).unwrap();
    let (_, remote) = within(listener.accept()).await.unwrap();
    assert_eq!(remote, free);
    let unknown = PeerConfig::new(address("127.0.0.3"), Asn::new(64512)).with_device("nowhere");
    let peer = node.add_peer(unknown).unwrap();
    let error = up_or_not(&peer).await.unwrap_err();
    assert!(error.contains("cannot dial through nowhere"), "{error}");
}

/// Establishes a session and sends KEEPALIVEs forever, without reading.
async fn send_keepalives_without_reading(node: &Speaker, from: &str) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind((address(from), 0).into()).unwrap();
    let mut stream = socket.connect(node.listeners()[0]).await.unwrap();
    let open = OpenBuf {
        asn: Asn::new(64512),
        hold_time: HoldTime::new(9).unwrap(),
        router_id: "1.1.1.1".parse().unwrap(),
        capabilities: vec![CapabilityBuf::Multiprotocol(Family::IPV4_UNICAST)],
    };
    let mut octets = bytes::BytesMut::new();
    open.encode(&mut octets).unwrap();
    while stream.write_all(&octets).await.is_ok() {
        octets = bgp_wire::KEEPALIVE.as_slice().into();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    std::future::pending::<()>().await;
}

// RFC 9687: the KEEPALIVEs of the peer restart the hold timer, so that only the send hold timer ends the session.
#[tokio::test]
async fn peer_that_does_not_read_ends_only_its_session() {
    let node = listening("192.168.0.111", NODE).await;
    let routes: Vec<_> = (0..600_000_u32)
        .map(|number| {
            let prefix = ipnet::Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap();
            Route::new(prefix.into()).with_next_hop([192, 168, 0, 111].into())
        })
        .collect();
    node.replace(&routes).unwrap();
    let lazy = passive("127.0.0.9").with_send_hold_time(Duration::from_secs(2));
    let lazy = node.add_peer(lazy).unwrap();
    let router = listening("192.168.0.254", ROUTER).await;
    router
        .add_peer(passive(NODE).with_deliver_updates(true))
        .unwrap();
    let mut events = router.events();
    let other = node.add_peer(dialled(NODE, &router)).unwrap();

    let keepalives = send_keepalives_without_reading(&node, "127.0.0.9");
    let ended = async {
        lazy.wait_for(|status| status.state == State::Established)
            .await
            .unwrap();
        lazy.wait_for(|status| status.state != State::Established)
            .await
            .unwrap()
    };
    let status = tokio::select! {
        status = within(ended) => status,
        () = keepalives => panic!("the KEEPALIVEs never end"),
    };
    let error = status.last_error.unwrap().to_string();
    assert!(error.contains("Send Hold Timer Expired"), "{error}");
    // The other peer has received every route meanwhile.
    let mut table = bgp_session::AdjRibIn::new();
    let mut count = 0;
    while count < 600_000 {
        let event = within(next_session_event(&mut events)).await.unwrap();
        assert_eq!(events.missed(), 0);
        table.apply(&event, |change| {
            count += usize::from(matches!(change, RouteChange::Announced(..)));
        });
    }
    assert_eq!(other.status().state, State::Established);
    within(node.shutdown(Shutdown::administrative(""))).await;
}
