//! Changes while a speaker runs: the configuration of peers, draining, slow event channels and restarts.

use std::time::Duration;

use bgp_session::{
    AdjRibIn, ChangeEffect, Events, ExportPolicy, PeerConfig, PeerSetting, PrefixRange,
    RestartConfig, RetryPolicy, Route, RouteChange, SessionEvent, Shutdown, Speaker, State,
};
use bgp_wire::{Asn, Community, HoldTime, Role};
use tokio::sync::mpsc;

use crate::{
    NODE, ROUTER, address, delivering, dialled, listening, next_down, next_session_event, passive,
    receive_session_event, router_and_node, within,
};

/// Collects the changes of a table as text until one contains `last`.
async fn changes(events: &mut Events, table: &mut AdjRibIn, last: &str) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    while !texts.last().is_some_and(|text| text.contains(last)) {
        let event = within(next_session_event(events)).await.unwrap();
        table.apply(&event, |change| {
            texts.push(match change {
                RouteChange::Announced(nlri, route) => {
                    let communities = &route.attributes.communities;
                    let communities: Vec<_> = communities.iter().map(ToString::to_string).collect();
                    let preference = route.attributes.local_pref.unwrap();
                    format!("+{nlri} {preference} {}", communities.join(" "))
                }
                RouteChange::Withdrawn(nlri) => format!("-{nlri}"),
                other => panic!("unknown change: {other:?}"),
            });
        });
    }
    texts
}

#[tokio::test]
async fn changed_export_policy_applies_without_reset() {
    let (router, node) = router_and_node().await;
    let (mut events, mut table) = (router.events(), AdjRibIn::new());
    let routes = ["10.0.0.1/32", "10.0.0.2/32", "11.0.0.1/32"];
    let routes = routes.map(|prefix| Route::new(prefix.parse().unwrap()).with_local_pref(1));
    assert_eq!(node.announce_all(&routes), Ok(3));
    changes(&mut events, &mut table, "+11.0.0.1/32").await;
    let peer = node.peer(address(ROUTER)).unwrap();
    let since = peer.status().established_since;
    let policy = ExportPolicy::only([PrefixRange::inside_of("10.0.0.0/8".parse().unwrap())]);
    let community: Community = "64512:7".parse().unwrap();
    let config = dialled(NODE, &router)
        .with_next_hop_ipv4([192, 168, 0, 111].into())
        .with_retry(RetryPolicy::new())
        .with_export(policy.with_community(community));
    let update = node.update_peer(config).unwrap();
    assert_eq!(update.change().settings(), [PeerSetting::Export]);
    assert_eq!(update.change().effect(), ChangeEffect::Applied);
    assert!(!update.resets());
    let change = update.change().clone();
    assert_eq!(update.apply().unwrap(), change);
    let mut changed = changes(&mut events, &mut table, "+10.0.0.2/32").await;
    changed.sort();
    let expected = [
        "+10.0.0.1/32 1 64512:7",
        "+10.0.0.2/32 1 64512:7",
        "-11.0.0.1/32",
    ];
    assert_eq!(changed, expected);
    assert_eq!(peer.status().established_since, since);
}

#[tokio::test]
async fn update_that_needs_reset_is_reported_before_it_applies() {
    let (router, node) = router_and_node().await;
    let mut events = router.events();
    let peer = node.peer(address(ROUTER)).unwrap();
    let config = dialled(NODE, &router)
        .with_next_hop_ipv4([192, 168, 0, 111].into())
        .with_hold_time(HoldTime::new(30).unwrap())
        .with_role(Role::CUSTOMER);
    let update = node.update_peer(config).unwrap();
    assert!(update.resets());
    let change = update.change();
    let expected = [PeerSetting::HoldTime, PeerSetting::ConnectTimeout];
    assert!(change.with_effect(ChangeEffect::Deferred).eq(expected));
    assert!(
        change
            .with_effect(ChangeEffect::SessionReset)
            .eq([PeerSetting::Role])
    );
    assert_eq!(
        peer.status().state,
        State::Established,
        "the update has not been applied"
    );
    update.apply().unwrap();
    let down = within(next_down(&mut events)).await;
    assert_eq!(down, "the peer sent Cease/Other Configuration Change (6/6)");
    let status = within(peer.wait_for(|status| {
        let negotiated = status.negotiated.as_ref();
        negotiated.is_some_and(|negotiated| negotiated.hold_time.seconds() == 30)
    }));
    assert!(status.await.is_some());
    let unknown = node.update_peer(PeerConfig::new(address("127.0.0.9"), Asn::new(1)));
    assert_eq!(unknown.unwrap_err().to_string(), "unknown peer 127.0.0.9");
}

// RFC 8326: a drained route has the community GRACEFUL_SHUTDOWN and a LOCAL_PREF of 0.
#[tokio::test]
async fn drained_routes_are_announced_with_graceful_shutdown() {
    let (router, node) = router_and_node().await;
    let (mut events, mut table) = (router.events(), AdjRibIn::new());
    node.announce(&Route::new("10.0.0.1/32".parse().unwrap()).with_local_pref(100))
        .unwrap();
    changes(&mut events, &mut table, "+10.0.0.1/32 100").await;
    node.drain(true);
    let drained = changes(&mut events, &mut table, "+10.0.0.1/32").await;
    assert_eq!(drained, ["+10.0.0.1/32 0 graceful-shutdown"]);
    node.drain(false);
    let again = changes(&mut events, &mut table, "+10.0.0.1/32").await;
    assert_eq!(again, ["+10.0.0.1/32 100 "]);
    node.peer(address(ROUTER)).unwrap().drain(true);
    changes(&mut events, &mut table, "graceful-shutdown").await;
}

// The flush is a command and the draining is not: on one thread, the task of the peer finds both at once.
#[tokio::test]
async fn flush_after_drain_waits_for_the_drained_routes() {
    let (router, node) = router_and_node().await;
    let (mut events, mut table) = (router.events(), AdjRibIn::new());
    let peer = node.peer(address(ROUTER)).unwrap();
    node.announce(&Route::new("10.0.0.1/32".parse().unwrap()).with_local_pref(100))
        .unwrap();
    changes(&mut events, &mut table, "+10.0.0.1/32 100").await;
    for draining in [true, false, true, false] {
        let before = peer.status().statistics.sent.update;
        node.drain(draining);
        within(node.flush()).await;
        // The counters are published before the flush is answered.
        let sent = peer.status().statistics.sent.update;
        assert!(sent > before, "{sent} UPDATEs after draining: {draining}");
    }
}

// The sender must wait instead of losing events or queueing without a limit.
#[tokio::test]
async fn slow_event_channel_loses_no_event() {
    let (sender, mut events) = mpsc::channel(1);
    let router = delivering(sender).await;
    router
        .add_peer(passive(NODE).with_deliver_updates(true))
        .unwrap();
    let node = listening("192.168.0.111", NODE).await;
    let config = dialled(NODE, &router).with_next_hop_ipv4([192, 168, 0, 111].into());
    let peer = node.add_peer(config).unwrap();
    // Different attributes for each route, so that every route needs its own message.
    let route = |number: u32| {
        let prefix = ipnet::Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap();
        Route::new(prefix.into()).with_local_pref(number)
    };
    let routes: Vec<_> = (0..100_000).map(route).collect();
    node.replace(&routes).unwrap();
    let mut table = AdjRibIn::new();
    let (mut count, mut slow) = (0_u32, true);
    while count < 100_000 {
        let event = within(receive_session_event(&mut events)).await.unwrap();
        if slow && matches!(event, SessionEvent::Update(_)) {
            // The buffers of the sockets are smaller than the routes, so that the sender blocks.
            let flushed = tokio::time::timeout(Duration::from_millis(300), node.flush()).await;
            assert!(
                flushed.is_err(),
                "the peer has acknowledged routes that nothing has read"
            );
            slow = false;
        }
        table.apply(&event, |change| {
            count += u32::from(matches!(change, RouteChange::Announced(..)));
        });
    }
    within(node.flush()).await;
    assert_eq!(peer.status().state, State::Established);
    assert_eq!(table.len(), 100_000);
}

/// Peers that wait for room in the same channel take turns.
#[tokio::test]
async fn slow_event_channel_of_several_peers_loses_no_event() {
    const ROUTES: usize = 2000;
    let (sender, mut events) = mpsc::channel(1);
    let router = delivering(sender).await;
    let mut nodes = Vec::new();
    for number in 1..=3 {
        let (own, id) = (format!("127.5.0.{number}"), format!("1.1.1.{number}"));
        router
            .add_peer(passive(&own).with_deliver_updates(true))
            .unwrap();
        let node = listening(&id, &own).await;
        let route = |preference: u32| {
            let prefix = ipnet::Ipv4Net::new((0x0a00_0000 + preference).into(), 32).unwrap();
            Route::new(prefix.into()).with_local_pref(preference)
        };
        node.replace(&(0..2000).map(route).collect::<Vec<_>>())
            .unwrap();
        let config = dialled(&own, &router).with_next_hop_ipv4([192, 168, 0, 111].into());
        node.add_peer(config).unwrap();
        nodes.push(node);
    }
    let mut received = 0;
    while received < ROUTES * nodes.len() {
        let event = within(receive_session_event(&mut events)).await.unwrap();
        if let SessionEvent::Update(update) = event {
            received += update.check().announced().count();
        }
    }
}

/// Tests RFC 4724 from both ends.
#[tokio::test]
async fn routes_are_kept_over_restart() {
    let router = listening("192.168.0.254", ROUTER).await;
    let restart = RestartConfig::new();
    router.add_peer(passive_with(restart)).unwrap();
    let (mut events, mut table) = (router.events(), AdjRibIn::new());
    let builder = || Speaker::builder(Asn::new(64512), "192.168.0.111".parse().unwrap());
    let config = dialled(NODE, &router)
        .with_next_hop_ipv4([192, 168, 0, 111].into())
        .with_graceful_restart(restart);
    let routes = ["10.0.0.1/32", "10.0.0.2/32"].map(|it| Route::new(it.parse().unwrap()));

    let node = builder().spawn().await.unwrap();
    node.announce_all(&routes).unwrap();
    node.add_peer(config.clone()).unwrap();
    changes(&mut events, &mut table, "+10.0.0.2/32").await;
    within(node.shutdown(Shutdown::restart())).await;
    let stale = changes(&mut events, &mut table, "+10.0.0.2/32").await;
    assert_eq!(stale.len(), 2, "marked stale, not withdrawn: {stale:?}");

    let node = builder().with_restarting(true).spawn().await.unwrap();
    node.add_peer(config).unwrap();
    let returned = async {
        loop {
            let event = next_session_event(&mut events).await.unwrap();
            table.apply(&event, |change| panic!("{change:?}"));
            if let SessionEvent::Up { negotiated, .. } = event {
                return negotiated.restart.clone().unwrap();
            }
        }
    };
    assert!(within(returned).await.restarted, "the R bit");
    // RFC 4724 section 4.2: the router keeps stale routes until it receives End-of-RIB, which `restored` permits.
    node.announce(&routes[0]).unwrap();
    let first = changes(&mut events, &mut table, "+10.0.0.1/32").await;
    assert_eq!(first.len(), 1);
    within(node.flush()).await;
    node.restored();
    let last = changes(&mut events, &mut table, "-10.0.0.2/32").await;
    assert_eq!(last, ["-10.0.0.2/32"]);
    // The restart is over, so that a peer that is added now sees no R bit.
    let other = listening("192.168.0.253", "127.0.0.3").await;
    other.add_peer(passive_with(restart)).unwrap();
    let mut events = other.events();
    let config = dialled(NODE, &other).with_next_hop_ipv4([192, 168, 0, 111].into());
    node.add_peer(config.with_graceful_restart(restart))
        .unwrap();
    let restarted = async {
        loop {
            let event = next_session_event(&mut events).await.unwrap();
            if let SessionEvent::Up { negotiated, .. } = event {
                return negotiated.restart.clone().unwrap().restarted;
            }
        }
    };
    assert!(!within(restarted).await, "the R bit is over");
}

fn passive_with(restart: RestartConfig) -> PeerConfig {
    passive(NODE)
        .with_deliver_updates(true)
        .with_graceful_restart(restart)
}
