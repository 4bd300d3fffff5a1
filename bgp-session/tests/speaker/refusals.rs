//! Configurations and calls that a speaker refuses, and calls from outside of its runtime.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};

use bgp_session::{
    AddPeerError, ConfigError, LocalConfig, Peer, PeerConfig, PeerSetting, Refusal, RemoteAs,
    Route, Shutdown, SpawnError, Speaker, SpeakerBuilder, SpeakerShutDown,
};
use bgp_wire::{Asn, HoldTime, PathId};
use futures_util::FutureExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

use crate::{
    NODE, ROUTER, address, dialled, listening, passive, router_and_node, up_or_not, within,
};

fn builder() -> SpeakerBuilder {
    Speaker::builder(Asn::new(64512), "192.168.0.111".parse().unwrap())
}

/// Returns the peer's address in the form in which a dual-stack socket reports it.
fn mapped(text: &str) -> IpAddr {
    address(&format!("::ffff:{text}"))
}

/// Returns one end of a connection.
async fn connection() -> TcpStream {
    let listener = TcpListener::bind((address(NODE), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// Runs `call` on a thread without a runtime.
fn outside_of_runtime<T: Send>(call: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(call).join().unwrap())
}

#[tokio::test]
async fn peer_is_found_by_its_ipv4_mapped_address() {
    let node = builder().spawn().await.unwrap();
    let config = PeerConfig::new(mapped("127.0.0.9"), Asn::new(64512)).with_passive(true);
    node.add_peer(config.clone()).unwrap();
    for form in [address("127.0.0.9"), mapped("127.0.0.9")] {
        assert_eq!(node.peer(form).unwrap().address(), address("127.0.0.9"));
    }
    let again = node.add_peer(passive("127.0.0.9"));
    assert!(matches!(again, Err(AddPeerError::Exists(_))));
    assert!(node.update_peer(config).is_ok());
    assert!(within(node.remove_peer(mapped("127.0.0.9"))).await);
    assert!(node.peer(address("127.0.0.9")).is_none());
}

#[tokio::test]
async fn dynamic_peers_of_ipv4_mapped_prefix_are_accepted() {
    let router = listening("192.168.0.254", ROUTER).await;
    let template = PeerConfig::new(address("::"), RemoteAs::Internal);
    let prefix = "::ffff:127.8.0.0/112".parse().unwrap();
    router.add_dynamic_peers(prefix, template, 1).unwrap();
    let ipv4 = "127.8.0.0/16".parse().unwrap();
    assert_eq!(router.dynamic_peers()[0].prefix, ipv4);
    let node = listening("192.168.0.111", "127.8.0.1").await;
    let peer = node.add_peer(dialled("127.8.0.1", &router)).unwrap();
    assert_eq!(up_or_not(&peer).await, Ok(()));
    assert!(within(router.remove_dynamic_peers(prefix)).await);
    assert!(!within(router.remove_dynamic_peers(ipv4)).await);
}

#[tokio::test]
async fn impossible_configuration_is_refused_by_every_entrance() {
    let node = builder().spawn().await.unwrap();
    node.add_peer(passive(NODE)).unwrap();
    let prefix = "127.8.0.0/16".parse().unwrap();
    node.add_dynamic_peers(prefix, passive(NODE), 1).unwrap();
    let bad = passive(NODE).with_dscp(64);
    let expected = bad.validate().unwrap_err();
    let other = "127.9.0.0/16".parse().unwrap();
    let errors = [
        node.add_peer(bad.clone()).map(drop),
        node.update_peer(bad.clone()).map(drop),
        node.add_dynamic_peers(other, bad.clone(), 1),
        node.update_dynamic_peers(prefix, bad, 1).map(drop),
    ];
    for error in errors {
        let Err(AddPeerError::Config(error)) = error else {
            panic!("{error:?}")
        };
        assert_eq!(error, expected);
    }
    // The prefix of a template gives its address, which may be that of no host.
    let everything = "0.0.0.0/0".parse().unwrap();
    node.add_dynamic_peers(everything, passive(NODE), 1)
        .unwrap();
    let refused = node.accept(connection().await, address("0.0.0.0"));
    assert!(matches!(refused, Err(Refusal::UnknownPeer)), "{refused:?}");
    let source = passive(NODE).with_source_address(address("::1"));
    let refused = node.add_dynamic_peers("127.9.0.0/16".parse().unwrap(), source, 1);
    assert!(matches!(
        refused,
        Err(AddPeerError::Config(ConfigError::SourceFamily { .. }))
    ));
}

/// RFC 7607 section 2.
#[tokio::test]
async fn as_0_is_refused_as_our_own() {
    let zero = Asn::new(0);
    let router_id = "192.168.0.111".parse().unwrap();
    let spawned = Speaker::builder(zero, router_id).spawn().await;
    let reserved = ConfigError::ReservedAs(PeerSetting::LocalAs);
    assert!(matches!(spawned, Err(SpawnError::Config(error)) if error == reserved));
    let node = builder().spawn().await.unwrap();
    let local = LocalConfig::new(zero, router_id);
    assert_eq!(node.set_local(local), Err(reserved));
    assert_eq!(node.local().asn, Asn::new(64512));
}

#[tokio::test]
async fn event_capacity_out_of_range_is_refused() {
    for capacity in [0, (1 << 20) + 1, usize::MAX] {
        let refused = builder().with_event_capacity(capacity).spawn().await;
        let error = refused.unwrap_err();
        assert!(matches!(error, SpawnError::EventCapacity(it) if it == capacity));
        let expected = format!("event capacity {capacity} is out of range: 1 to 1048576");
        assert_eq!(error.to_string(), expected);
    }
    builder().with_event_capacity(1).spawn().await.unwrap();
}

#[test]
fn speaker_is_refused_outside_of_a_runtime() {
    let listening = builder().with_listener((address(NODE), 0).into());
    for builder in [builder(), listening] {
        let spawned = builder.spawn().now_or_never();
        let error = spawned.expect("completes at once").unwrap_err();
        assert!(matches!(error, SpawnError::NoRuntime), "{error}");
        assert!(error.to_string().starts_with("no tokio runtime"));
    }
}

/// Lets a router accept a configured and a dynamic peer, and two nodes dial it. Returns the nodes' peers.
fn connect(router: &Speaker, nodes: &[Speaker; 2]) -> [Peer; 2] {
    let listener = SocketAddr::new(address(ROUTER), 0);
    router.add_listener(listener, None).unwrap();
    router.add_peer(passive(NODE)).unwrap();
    let prefix = "127.8.0.0/16".parse().unwrap();
    router.add_dynamic_peers(prefix, passive(NODE), 1).unwrap();
    let [node, other] = nodes;
    let add = |node: &Speaker, from| node.add_peer(dialled(from, router)).unwrap();
    [add(node, NODE), add(other, "127.8.0.1")]
}

/// Returns a router without a listener, and two nodes.
async fn router_and_nodes() -> (Speaker, [Speaker; 2]) {
    let spawn = async |id: &str| {
        let builder = Speaker::builder(Asn::new(64512), id.parse().unwrap());
        builder.spawn().await.unwrap()
    };
    let nodes = [spawn("1.1.1.1").await, spawn("1.1.1.2").await];
    (spawn("1.1.1.3").await, nodes)
}

#[tokio::test]
async fn calls_outside_of_a_runtime_take_effect() {
    let (router, nodes) = router_and_nodes().await;
    let peers = outside_of_runtime(|| connect(&router, &nodes));
    for peer in &peers {
        assert_eq!(up_or_not(peer).await, Ok(()));
    }
    let prefix = "127.9.0.0/16".parse().unwrap();
    let connection = connection().await;
    outside_of_runtime(|| {
        router.add_dynamic_peers(prefix, passive(NODE), 1).unwrap();
        router.accept(connection, address("127.9.0.1")).unwrap();
        let route = Route::new("10.0.0.1/32".parse().unwrap());
        assert_eq!(router.announce(&route), Ok(true));
        let update = router.update_peer(passive(NODE).with_description("new"));
        update.unwrap().apply().unwrap();
    });
    assert!(router.peer(address("127.9.0.1")).is_some());
    let updated = router.peer(address(NODE)).unwrap();
    let described = updated.wait_for(|status| status.description == "new");
    within(described).await.unwrap();
}

#[tokio::test]
async fn peers_added_in_another_runtime_outlive_it() {
    let (router, nodes) = router_and_nodes().await;
    let peers = outside_of_runtime(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { connect(&router, &nodes) })
    });
    for peer in &peers {
        assert_eq!(up_or_not(peer).await, Ok(()));
    }
}

#[test]
fn listener_without_io_panics_and_changes_nothing() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let node = builder().spawn().await.unwrap();
        let listener = SocketAddr::new(address(NODE), 0);
        let added = AssertUnwindSafe(|| node.add_listener(listener, None));
        assert!(catch_unwind(added).is_err());
        assert_eq!(node.listeners(), []);
        node.add_peer(passive(NODE)).unwrap();
        within(node.shutdown(Shutdown::administrative(""))).await;
    });
}

#[tokio::test]
async fn changes_to_the_table_after_shutdown_return_errors() {
    let (_router, node) = router_and_node().await;
    let route = Route::new("10.0.0.1/32".parse().unwrap());
    assert_eq!(node.announce(&route), Ok(true));
    within(node.shutdown(Shutdown::administrative(""))).await;
    assert_eq!(node.announce(&route), Err(SpeakerShutDown));
    assert_eq!(node.announce_all([&route]), Err(SpeakerShutDown));
    assert_eq!(node.withdraw(route.destination()), Err(SpeakerShutDown));
    let withdrawn = node.withdraw_path(route.destination(), PathId(0));
    assert_eq!(withdrawn, Err(SpeakerShutDown));
    assert!(node.replace([]).is_err());
    assert_eq!(node.routes().len(), 1);
    let refused = node.add_peer(passive(NODE));
    assert!(matches!(refused, Err(AddPeerError::ShutDown)));
    let refused = node.add_listener(SocketAddr::new(address(NODE), 0), None);
    assert_eq!(refused.unwrap_err().to_string(), "the speaker is shut down");
    // These have no result, and no effect.
    node.restored();
    node.drain(true);
    within(node.flush()).await;
}

#[tokio::test]
async fn handle_returns_current_configuration_of_peer() {
    let node = builder().spawn().await.unwrap();
    let config = passive(ROUTER);
    let peer = node.add_peer(config.clone()).unwrap();
    assert_eq!(peer.config(), config);
    let new = config.with_hold_time(HoldTime::new(30).unwrap());
    let update = node.update_peer(new.clone()).unwrap();
    assert_ne!(peer.config(), new, "the update has not been applied");
    let change = update.apply().unwrap();
    assert_eq!(change.settings(), [PeerSetting::HoldTime]);
    assert_eq!(peer.config(), new);
    assert_eq!(node.peer(address(ROUTER)).unwrap().config(), new);
    within(node.remove_peer(address(ROUTER))).await;
    assert_eq!(peer.config(), new);
}
