//! TCP MD5 keys of listening sockets (RFC 2385) while peers are added and removed.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bgp_session::{AddPeerError, Speaker};
use bgp_wire::Asn;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::{
    NODE, ROUTER, address, connect_unsigned, dialled, key, listening, passive, poll_once,
    up_or_not, within,
};

/// Returns `true` if a peer without a key receives an OPEN.
async fn opens_unsigned(from: &str, router: &Speaker) -> bool {
    match connect_unsigned(from, router.listeners()[0]).await {
        Some(mut stream) => within(stream.read_exact(&mut [0; 19])).await.is_ok(),
        None => false,
    }
}

/// Dials `router` from `NODE` with this key. Returns the error of the first failed attempt.
async fn comes_up_with(router: &Speaker, text: &str) -> Result<(), String> {
    let node = listening("192.168.0.111", NODE).await;
    let peer = node.add_peer(dialled(NODE, router).with_md5_key(key(text)));
    up_or_not(&peer.unwrap()).await
}

#[tokio::test]
async fn key_of_added_peer_survives_removal_of_predecessor() {
    let router = listening("192.168.0.254", ROUTER).await;
    router
        .add_peer(passive(NODE).with_md5_key(key("old")))
        .unwrap();
    let mut removal = pin!(router.remove_peer(address(NODE)));
    assert!(poll_once(removal.as_mut()).await.is_pending());
    router
        .add_peer(passive(NODE).with_md5_key(key("new")))
        .unwrap();
    assert!(within(removal).await);
    assert!(!opens_unsigned(NODE, &router).await);
    assert_eq!(comes_up_with(&router, "new").await, Ok(()));
}

#[tokio::test]
async fn key_of_removed_peer_is_deleted_if_removal_is_not_awaited() {
    let router = listening("192.168.0.254", ROUTER).await;
    router
        .add_peer(passive(NODE).with_md5_key(key("old")))
        .unwrap();
    {
        let mut removal = pin!(router.remove_peer(address(NODE)));
        assert!(poll_once(removal.as_mut()).await.is_pending());
    }
    router.add_peer(passive(NODE)).unwrap();
    assert!(opens_unsigned(NODE, &router).await);
}

// A prefix of one address and the peer with this address share one key in the kernel.
#[tokio::test]
async fn removed_peer_leaves_key_of_its_prefix() {
    let router = listening("192.168.0.254", ROUTER).await;
    let prefix = "127.0.0.1/32".parse().unwrap();
    let template = passive(NODE).with_md5_key(key("prefix"));
    router.add_dynamic_peers(prefix, template, 1).unwrap();
    router
        .add_peer(passive(NODE).with_md5_key(key("own")))
        .unwrap();
    assert!(within(router.remove_peer(address(NODE))).await);
    assert!(!opens_unsigned(NODE, &router).await);
    assert_eq!(comes_up_with(&router, "prefix").await, Ok(()));
}

#[tokio::test]
async fn removed_prefix_leaves_key_of_peer() {
    let router = listening("192.168.0.254", ROUTER).await;
    let prefix = "127.0.0.1/32".parse().unwrap();
    router
        .add_peer(passive(NODE).with_md5_key(key("own")))
        .unwrap();
    let template = passive(NODE).with_md5_key(key("prefix"));
    router.add_dynamic_peers(prefix, template, 1).unwrap();
    assert!(within(router.remove_dynamic_peers(prefix)).await);
    assert!(!opens_unsigned(NODE, &router).await);
    assert_eq!(comes_up_with(&router, "own").await, Ok(()));
}

// The IPv6 listener has no memory for another key, so that the IPv4 listener must not keep it either.
#[tokio::test]
async fn refused_peer_leaves_no_key() {
    let builder = Speaker::builder(Asn::new(64512), "192.168.0.254".parse().unwrap());
    let router = builder
        .with_listener((address(ROUTER), 0).into())
        .with_listener((address("::"), 0).into())
        .spawn()
        .await
        .unwrap();
    let full = (0..u16::MAX).find_map(|number| {
        let prefix = format!("2001:db8:{number:x}::/48").parse().unwrap();
        let template = passive("2001:db8::").with_md5_key(key("secret"));
        router.add_dynamic_peers(prefix, template, 1).err()
    });
    assert!(matches!(full, Some(AddPeerError::Key(_))));
    let refused = router.add_peer(passive(NODE).with_md5_key(key("secret")));
    assert!(matches!(refused, Err(AddPeerError::Key(_))));
    let connected = connect_unsigned(NODE, router.listeners()[0]).await;
    assert!(connected.is_some(), "the kernel drops unsigned segments");
}

#[tokio::test]
async fn key_of_removed_dynamic_peer_is_that_of_its_prefix() {
    let router = listening("192.168.0.254", ROUTER).await;
    let template = passive("127.0.0.0").with_md5_key(key("prefix"));
    let prefix = "127.0.0.0/8".parse().unwrap();
    router
        .add_dynamic_peers(prefix, template.clone(), 1)
        .unwrap();
    let node = listening("192.168.0.111", NODE).await;
    let config = dialled(NODE, &router);
    let peer = node.add_peer(config.clone().with_md5_key(key("prefix")));
    assert_eq!(up_or_not(&peer.unwrap()).await, Ok(()));
    let own = template
        .with_address(address(NODE))
        .with_md5_key(key("own"));
    router.update_peer(own).unwrap().apply().unwrap();
    let own = config.clone().with_md5_key(key("own"));
    node.update_peer(own).unwrap().apply().unwrap();
    assert!(within(node.remove_peer(address(ROUTER))).await);
    while !router.peers().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let peer = node.add_peer(config.with_md5_key(key("prefix"))).unwrap();
    assert_eq!(up_or_not(&peer).await, Ok(()));
}

/// The connection is made before the peer is added, and accepted afterwards.
#[tokio::test]
async fn waiting_unsigned_connection_receives_no_open() {
    let router = listening("192.168.0.254", ROUTER).await;
    let socket = socket2::Socket::new(
        socket2::Domain::IPV4,
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )
    .unwrap();
    let node = SocketAddr::new(address(NODE), 0);
    socket.bind(&node.into()).unwrap();
    // A blocking connect: the router, on the same thread, cannot accept before the peer is added.
    socket.connect(&router.listeners()[0].into()).unwrap();
    router
        .add_peer(passive(NODE).with_md5_key(key("secret")))
        .unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut stream = TcpStream::from_std(socket.into()).unwrap();
    let mut open = [0; 19];
    let read = tokio::time::timeout(Duration::from_millis(300), stream.read_exact(&mut open));
    assert!(!matches!(read.await, Ok(Ok(_))), "{open:?}");
}
