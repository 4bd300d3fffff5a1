//! Listeners that are added and removed while the speaker runs.

use std::io::ErrorKind;
use std::net::SocketAddr;

use bgp_session::{PeerConfig, Shutdown, Speaker};
use bgp_wire::Asn;

use crate::{
    NODE, ROUTER, address, connect_unsigned, dialled, key, listening, passive, up_or_not, within,
};

/// Starts a speaker without listeners.
async fn router() -> Speaker {
    let builder = Speaker::builder(Asn::new(64512), "192.168.0.254".parse().unwrap());
    builder.spawn().await.unwrap()
}

fn any_port(text: &str) -> SocketAddr {
    (address(text), 0).into()
}

#[tokio::test]
async fn added_listener_has_keys_of_present_peers() {
    for own in [ROUTER, "::"] {
        let router = router().await;
        router
            .add_peer(passive(NODE).with_md5_key(key("own")))
            .unwrap();
        let template = passive("127.3.0.0").with_md5_key(key("prefix"));
        let prefix = "127.3.0.0/16".parse().unwrap();
        router.add_dynamic_peers(prefix, template, 10).unwrap();
        let bound = router.add_listener(any_port(own), None).unwrap();
        assert_eq!(router.listeners(), [bound]);
        let listener = SocketAddr::new(address(ROUTER), bound.port());
        assert!(connect_unsigned(NODE, listener).await.is_none());
        assert!(connect_unsigned("127.3.0.1", listener).await.is_none());
        assert!(connect_unsigned("127.4.0.1", listener).await.is_some());
        for (from, text) in [(NODE, "own"), ("127.3.0.1", "prefix")] {
            let node = listening("192.168.0.111", from).await;
            let config = PeerConfig::new(listener.ip(), Asn::new(64512))
                .with_port(listener.port())
                .with_source_address(address(from))
                .with_md5_key(key(text));
            let peer = node.add_peer(config).unwrap();
            assert_eq!(up_or_not(&peer).await, Ok(()), "{own} {from}");
        }
    }
}

#[tokio::test]
async fn removed_listener_refuses_connections_and_keeps_sessions() {
    let router = router().await;
    let listener = router.add_listener(any_port(ROUTER), Some("lo")).unwrap();
    router.add_peer(passive(NODE)).unwrap();
    let node = listening("192.168.0.111", NODE).await;
    let peer = node.add_peer(dialled(NODE, &router)).unwrap();
    assert_eq!(up_or_not(&peer).await, Ok(()));
    assert!(!router.remove_listener(listener, None), "another device");
    assert!(router.remove_listener(listener, Some("lo")));
    assert!(!router.remove_listener(listener, Some("lo")));
    assert!(router.listeners().is_empty());
    let refused = tokio::net::TcpStream::connect(listener).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    within(node.flush()).await;
    assert_eq!(up_or_not(&peer).await, Ok(()));
    // The address can be bound again at once, although the session of the old listener is still up.
    assert_eq!(router.add_listener(listener, None).unwrap(), listener);
}

#[tokio::test]
async fn listener_on_used_address_returns_error() {
    let router = listening("192.168.0.254", ROUTER).await;
    let listener = router.listeners()[0];
    let error = router.add_listener(listener, None).unwrap_err();
    let expected = format!("cannot listen on {listener}: ");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert_eq!(router.listeners(), [listener]);
}

#[tokio::test]
async fn listener_after_shutdown_returns_error() {
    let router = router().await;
    within(router.shutdown(Shutdown::administrative(""))).await;
    let error = router.add_listener(any_port(ROUTER), None).unwrap_err();
    assert_eq!(error.to_string(), "the speaker is shut down");
}
