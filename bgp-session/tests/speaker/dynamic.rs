//! Dynamic peers: peers that are configured by the prefix they connect from.

use bgp_session::{AddPeerError, Peer, PeerConfig, PeerSetting, Shutdown, Speaker, State};
use bgp_wire::{Asn, Role};
use ipnet::IpNet;

use crate::{
    NODE, ROUTER, address, connect_unsigned, dialled, key, listening, passive, up_or_not, within,
};

#[tokio::test]
async fn dynamic_peers_up_to_limit_are_accepted() {
    let router = listening("192.168.0.254", ROUTER).await;
    let template =
        PeerConfig::new(address("127.1.0.0"), Asn::new(64512)).with_deliver_updates(true);
    let prefix = "127.1.0.0/16".parse().unwrap();
    router
        .add_dynamic_peers(prefix, template.clone(), 3)
        .unwrap();
    let again = router.add_dynamic_peers(prefix, template, 3).unwrap_err();
    assert_eq!(again.to_string(), "duplicate dynamic peers 127.1.0.0/16");
    let mut nodes = Vec::new();
    for (number, up) in [(1, true), (2, true), (3, true), (4, false)] {
        let (own, id) = (format!("127.1.0.{number}"), format!("1.1.1.{number}"));
        let node = listening(&id, &own).await;
        let peer = node.add_peer(dialled(&own, &router)).unwrap();
        assert_eq!(up_or_not(&peer).await.is_ok(), up, "{number}");
        nodes.push(node);
    }
    assert_eq!(router.peers().len(), 3);
    let stranger = listening("1.1.1.9", "127.2.0.1").await;
    let peer = stranger.add_peer(dialled("127.2.0.1", &router)).unwrap();
    assert!(up_or_not(&peer).await.is_err());
    // A peer that leaves makes room for the one that was refused and still dials.
    within(nodes.remove(0).shutdown(Shutdown::administrative(""))).await;
    let last = nodes[2].peer(address(ROUTER)).unwrap();
    within(last.wait_for(|status| status.state == State::Established))
        .await
        .unwrap();
    let addresses: Vec<_> = router
        .peers()
        .iter()
        .map(|peer| peer.address().to_string())
        .collect();
    assert_eq!(addresses, ["127.1.0.2", "127.1.0.3", "127.1.0.4"]);
    assert!(within(router.remove_dynamic_peers(prefix)).await);
    assert!(!within(router.remove_dynamic_peers(prefix)).await);
    assert_eq!(router.peers().len(), 0);
    let gone = within(last.wait_for(|status| status.last_error.is_some())).await;
    let why = gone.unwrap().last_error.unwrap().to_string();
    assert_eq!(why, "the peer sent Cease/Peer De-configured (6/3)");
}

fn prefix() -> IpNet {
    "127.0.0.0/8".parse().unwrap()
}

/// Returns a router with dynamic peers, a node, and the node's Established peer.
async fn router_and_dynamic_peer(
    template: &PeerConfig,
    node: PeerConfig,
) -> (Speaker, Speaker, Peer) {
    let router = listening("192.168.0.254", ROUTER).await;
    router
        .add_dynamic_peers(prefix(), template.clone(), 1)
        .unwrap();
    let speaker = listening("192.168.0.111", NODE).await;
    let port = router.listeners()[0].port();
    let peer = speaker.add_peer(node.with_port(port)).unwrap();
    assert_eq!(up_or_not(&peer).await, Ok(()));
    (router, speaker, peer)
}

fn node() -> PeerConfig {
    PeerConfig::new(address(ROUTER), Asn::new(64512)).with_source_address(address(NODE))
}

#[tokio::test]
async fn updated_template_resets_present_peers() {
    let template = passive("127.0.0.0");
    let (router, _node, peer) = router_and_dynamic_peer(&template, node()).await;
    let updated = template.with_role(Role::PEER);
    let change = router.update_dynamic_peers(prefix(), updated, 5).unwrap();
    assert_eq!(change.settings(), [PeerSetting::Role]);
    let again = peer.wait_for(|status| status.statistics.established == 2);
    let status = within(again).await.unwrap();
    let down = status.last_down.unwrap().to_string();
    assert_eq!(down, "the peer sent Cease/Other Configuration Change (6/6)");
    let known = &router.dynamic_peers()[0];
    assert_eq!((known.prefix, known.limit, known.present), (prefix(), 5, 1));
}

#[tokio::test]
async fn updated_dynamic_peer_stays_passive() {
    let (router, node_speaker, peer) = router_and_dynamic_peer(&passive("127.0.0.0"), node()).await;
    let dialling = PeerConfig::new(address(NODE), Asn::new(64512));
    let update = router.update_peer(dialling).unwrap();
    let announced = update.change().clone();
    assert_eq!(announced.settings(), [], "it is passive already");
    assert_eq!(update.apply().unwrap(), announced);
    let again = peer.wait_for(|status| status.state == State::Established);
    within(again).await.unwrap();
    within(node_speaker.shutdown(Shutdown::administrative(""))).await;
    // A peer that dials would stay, and take the only place of the prefix.
    let gone = async {
        while router.peer(address(NODE)).is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    within(gone).await;
}

/// Both the open connection and the listener get the new key.
#[tokio::test]
async fn updated_key_of_template_applies_to_present_and_new_connections() {
    let template = passive("127.0.0.0");
    let signed = |config: &PeerConfig, text: &str| config.clone().with_md5_key(key(text));
    let (old, new) = (signed(&template, "old"), signed(&template, "new"));
    let (router, _node, peer) = router_and_dynamic_peer(&old, signed(&node(), "old")).await;
    let since = peer.status().established_since;
    let change = router.update_dynamic_peers(prefix(), new, 5).unwrap();
    assert_eq!(change.settings(), [PeerSetting::Md5Key]);
    let other = listening("192.168.0.112", "127.0.0.3").await;
    let dial = dialled("127.0.0.3", &router);
    let signed = other.add_peer(signed(&dial, "new")).unwrap();
    assert_eq!(up_or_not(&signed).await, Ok(()));
    let listener = router.listeners()[0];
    assert!(connect_unsigned("127.0.0.4", listener).await.is_none());
    assert_eq!(peer.status().established_since, since);
}

#[tokio::test]
async fn limit_counts_present_peers() {
    let (router, _node, peer) = router_and_dynamic_peer(&passive("127.0.0.0"), node()).await;
    let other = listening("192.168.0.112", "127.0.0.3").await;
    let second = other.add_peer(dialled("127.0.0.3", &router)).unwrap();
    assert!(up_or_not(&second).await.is_err());
    assert!(within(router.remove_peer(address(NODE))).await);
    assert_eq!(router.dynamic_peers()[0].present, 0);
    let down = peer.wait_for(|status| status.state != State::Established);
    within(down).await.unwrap();
    // Both nodes dial, and either may take the free place first.
    let up = async |peer: &Peer| {
        let up = peer.wait_for(|status| status.state == State::Established);
        within(up).await.unwrap();
    };
    tokio::select! {
        () = up(&peer) => {}
        () = up(&second) => {}
    }
    assert_eq!(router.dynamic_peers()[0].present, 1);
}

#[tokio::test]
async fn unknown_prefix_is_refused() {
    let router = listening("192.168.0.254", ROUTER).await;
    let refused = router.update_dynamic_peers(prefix(), passive("127.0.0.0"), 1);
    assert!(matches!(refused, Err(AddPeerError::UnknownPrefix(it)) if it == prefix()));
    assert!(router.dynamic_peers().is_empty());
}
