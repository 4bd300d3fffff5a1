//! Changes of the speaker's AS number and BGP Identifier while it runs.

use bgp_session::{LocalConfig, Peer, PeerConfig, Speaker, State};
use bgp_wire::{Asn, RouterId};

use crate::{NODE, ROUTER, address, dialled, listening, passive, up_or_not, within};

async fn established_with(peer: &Peer, router_id: RouterId) {
    let up = peer.wait_for(|status| {
        let negotiated = status.negotiated.as_ref();
        negotiated.is_some_and(|negotiated| negotiated.peer_router_id == router_id)
    });
    within(up).await.unwrap();
}

#[tokio::test]
async fn new_router_id_resets_only_sessions_that_use_it() {
    let node = listening("192.168.0.111", NODE).await;
    let id = |text: &str| -> RouterId { text.parse().unwrap() };
    let (old, own, new) = (id("192.168.0.111"), id("192.168.0.9"), id("192.168.0.112"));
    let mut routers = Vec::new();
    let mut peers = Vec::new();
    for (number, own_id) in [(1, None), (2, Some(own))] {
        let from = format!("127.8.0.{number}");
        let router = listening(&format!("1.1.1.{number}"), &from).await;
        let seen = router.add_peer(passive(NODE)).unwrap();
        let config = dialled(NODE, &router);
        let config = match own_id {
            Some(own_id) => config.with_router_id(own_id),
            None => config,
        };
        let peer = node.add_peer(config).unwrap();
        assert_eq!(up_or_not(&peer).await, Ok(()));
        established_with(&seen, own_id.unwrap_or(old)).await;
        routers.push(router);
        peers.push((peer, seen));
    }
    let since = peers[1].0.status().established_since;
    node.set_local(LocalConfig::new(node.local().asn, new))
        .unwrap();
    established_with(&peers[0].1, new).await;
    let down = peers[0].1.status().last_down.unwrap().to_string();
    assert_eq!(down, "the peer sent Cease/Other Configuration Change (6/6)");
    assert_eq!(peers[1].0.status().established_since, since);
    assert_eq!(peers[1].1.status().statistics.established, 1);
    // A peer that is added later must also see the new identifier.
    let router = listening("1.1.1.3", "127.8.0.3").await;
    let seen = router.add_peer(passive(NODE)).unwrap();
    node.add_peer(dialled(NODE, &router)).unwrap();
    established_with(&seen, new).await;
}

#[tokio::test]
async fn new_local_as_permits_refused_session() {
    let node = listening("192.168.0.111", NODE).await;
    node.set_local(with_as(&node, 64513)).unwrap();
    let router = listening("192.168.0.254", ROUTER).await;
    router.add_peer(passive(NODE)).unwrap();
    let peer = node.add_peer(dialled(NODE, &router)).unwrap();
    let error = up_or_not(&peer).await.unwrap_err();
    assert_eq!(error, "the peer sent OPEN Message Error/Bad Peer AS (2/2)");
    node.set_local(with_as(&node, 64512)).unwrap();
    let up = peer.wait_for(|status| status.state == State::Established);
    let status = within(up).await.unwrap();
    assert_eq!(status.negotiated.unwrap().local_as, Asn::new(64512));
}

#[tokio::test]
async fn equal_local_configuration_resets_nothing() {
    let (router, node) = crate::router_and_node().await;
    let peer = node.peer(address(ROUTER)).unwrap();
    let since = peer.status().established_since;
    node.set_local(node.local()).unwrap();
    node.add_peer(PeerConfig::new(address("127.0.0.9"), Asn::new(64512)).with_passive(true))
        .unwrap();
    let refreshed = peer.refresh(bgp_wire::Family::IPV4_UNICAST);
    assert_eq!(within(refreshed).await, Ok(()));
    let refreshed = async {
        let seen = router.peer(address(NODE)).unwrap();
        while seen.status().statistics.received.route_refresh == 0 {
            tokio::task::yield_now().await;
        }
    };
    within(refreshed).await;
    assert_eq!(peer.status().established_since, since);
}

/// Returns the identity of a speaker with another AS number.
fn with_as(node: &Speaker, asn: u32) -> LocalConfig {
    LocalConfig::new(Asn::new(asn), node.local().router_id)
}
