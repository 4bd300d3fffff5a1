//! Dialogues about graceful restart (RFC 4724, RFC 8538, RFC 9494): our own restarts, and retained routes of a peer.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::script::{
    Script, SentMessage, config, keepalive, notification, open_with, refresh, updates,
};
use bgp_session::{
    AdjRibIn, DownReason, PeerConfig, RestartConfig, RouteChange, SessionEvent, Shutdown,
    Staleness, State,
};
use bgp_wire::{
    CapabilityBuf, Community, Family, FamilySet, GracefulRestartFamily, LongLivedRestartFamily,
    NotificationBuf, PeerKind, Reason,
};
use bytes::BytesMut;
use ipnet::IpNet;

const BOTH: [Family; 2] = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];

/// Returns a configuration that retains the routes of a restarting peer for up to 60 s after its return.
fn helper() -> PeerConfig {
    config()
        .with_deliver_updates(true)
        .with_graceful_restart(RestartConfig::new().with_stale_time(Duration::from_secs(60)))
}

/// Returns a peer's graceful restart capability with a restart time of 10 s.
fn restart(restarted: bool, notification: bool, families: &[(Family, bool)]) -> CapabilityBuf {
    let families = families
        .iter()
        .map(|(family, forwarding)| GracefulRestartFamily {
            family: *family,
            forwarding: *forwarding,
        });
    CapabilityBuf::GracefulRestart {
        restarted,
        notification,
        restart_time: 10,
        families: families.collect(),
    }
}

/// Returns the capability of a peer that restarted and kept its forwarding state for both families.
fn forwarding_kept() -> CapabilityBuf {
    restart(true, false, &[(BOTH[0], true), (BOTH[1], true)])
}

/// An application's table: the routes of an `AdjRibIn`, and a copy kept from its changes.
#[derive(Default)]
struct Table {
    adj_rib_in: AdjRibIn,
    routes: BTreeMap<String, Staleness>,
}

impl Table {
    fn follow(&mut self, script: &mut Script) {
        for event in script.take_events() {
            let routes = &mut self.routes;
            self.adj_rib_in.apply(&event, |change| match change {
                RouteChange::Announced(nlri, route) => {
                    routes.insert(nlri.to_string(), route.staleness);
                }
                RouteChange::Withdrawn(nlri) => {
                    routes.remove(&nlri.to_string());
                }
                other => panic!("unknown change: {other:?}"),
            });
        }
        // The reported changes must add up to the table itself.
        let held: BTreeMap<_, _> = self
            .adj_rib_in
            .routes()
            .map(|(nlri, route)| (nlri.to_string(), route.staleness))
            .collect();
        assert_eq!(held, self.routes);
    }

    fn staleness(&self, prefix: &str) -> Option<Staleness> {
        self.routes.get(prefix).copied()
    }
}

/// Returns the UPDATEs by which the peer announces prefixes of both families.
fn announce(prefixes: &[&str]) -> Vec<u8> {
    updates(PeerKind::Internal, |update| {
        for prefix in prefixes {
            update.announce(prefix.parse::<IpNet>().unwrap());
        }
        let next_hop: std::net::IpAddr = "2001:db8::254".parse().unwrap();
        update.set_next_hop(Family::IPV6_UNICAST, next_hop);
    })
}

fn end_of_rib(family: Family) -> Vec<u8> {
    let mut octets = BytesMut::new();
    bgp_wire::encode_end_of_rib(family, &mut octets);
    octets.to_vec()
}

/// Returns a session with two routes from a peer with these capabilities, and the table of an application.
fn with_routes(config: PeerConfig, capabilities: &[CapabilityBuf]) -> (Script, Table) {
    let mut a = Script::new(config);
    let connection = a.establish(open_with(64512, capabilities));
    a.receive(connection, announce(&["10.0.0.0/8", "2001:db8::/32"]));
    let mut table = Table::default();
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Fresh));
    (a, table)
}

/// Lets the peer connect again and brings its session up.
fn reconnect(a: &mut Script, capabilities: &[CapabilityBuf]) -> bgp_session::ConnectionId {
    let connection = a.accept().expect("the session accepts");
    a.receive(connection, open_with(64512, capabilities));
    a.receive(connection, keepalive());
    assert_eq!(a.session.state(), State::Established);
    connection
}

/// Returns the families whose routes the last end of a session left in place.
fn retained(a: &Script) -> FamilySet {
    let down = a.events.iter().rev().find_map(|event| match event {
        SessionEvent::Down { retained, .. } => Some(*retained),
        _ => None,
    });
    down.expect("a session has ended")
}

#[test]
fn open_after_restart_has_r_bit_until_session_is_up() {
    let mut a = Script::new(helper());
    a.establish(open_with(64512, &[]));
    let families = BOTH.map(|family| GracefulRestartFamily {
        family,
        forwarding: true,
    });
    let expected = |restarted| CapabilityBuf::GracefulRestart {
        restarted,
        notification: true,
        restart_time: 120,
        families: families.to_vec(),
    };
    assert!(
        a.open
            .clone()
            .unwrap()
            .capabilities
            .contains(&expected(false))
    );
    // RFC 4724 section 4.1: the R bit is for the first session after a restart. A peer waits 120 s for that session.
    let mut late = Script::new(helper());
    late.session = late.session.restarted();
    late.advance(Duration::from_secs(121));
    late.establish(open_with(64512, &[]));
    let capabilities = late.open.unwrap().capabilities;
    assert!(capabilities.contains(&expected(false)));
    // A session that comes up in time has the bit; the session after it does not.
    let mut b = Script::new(helper());
    b.session = b.session.restarted();
    let connection = b.establish(open_with(64512, &[]));
    assert!(
        b.open
            .clone()
            .unwrap()
            .capabilities
            .contains(&expected(true))
    );
    b.closed(connection);
    let again = b.accept().expect("the session accepts");
    b.expect(again, SentMessage::Open);
    assert!(
        b.open
            .clone()
            .unwrap()
            .capabilities
            .contains(&expected(false))
    );
}

#[test]
fn retained_routes_are_stale_until_end_of_rib() {
    let (mut a, mut table) = with_routes(helper(), &[forwarding_kept()]);
    a.closed(a.connection());
    assert_eq!(retained(&a), BOTH.into_iter().collect());
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Stale));
    a.advance(Duration::from_secs(5));
    let connection = reconnect(&mut a, &[forwarding_kept()]);
    table.follow(&mut a);
    assert_eq!(
        table.staleness("10.0.0.0/8"),
        Some(Staleness::Stale),
        "the peer's forwarding state is intact"
    );
    a.receive(connection, announce(&["10.0.0.0/8"]));
    a.receive(connection, end_of_rib(Family::IPV4_UNICAST));
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Fresh));
    assert_eq!(
        table.staleness("2001:db8::/32"),
        Some(Staleness::Stale),
        "End-of-RIB is per family"
    );
    a.receive(connection, end_of_rib(Family::IPV6_UNICAST));
    table.follow(&mut a);
    assert_eq!(
        table.staleness("2001:db8::/32"),
        None,
        "a stale route that is not sent again ends with End-of-RIB"
    );
}

#[test]
fn stale_routes_expire_after_restart_time() {
    let (mut a, mut table) = with_routes(helper(), &[forwarding_kept()]);
    a.closed(a.connection());
    a.advance(Duration::from_millis(9999));
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 2);
    assert!(a.session.retains_routes());
    a.advance(Duration::from_millis(1));
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 0);
    assert!(!a.session.retains_routes());
}

#[test]
fn stale_routes_expire_after_stale_time_without_end_of_rib() {
    let (mut a, mut table) = with_routes(helper(), &[forwarding_kept()]);
    a.closed(a.connection());
    let connection = reconnect(&mut a, &[forwarding_kept()]);
    // The configured stale time is 60 s; KEEPALIVEs stop the hold timer from ending the session first.
    for _ in 0..59 {
        a.advance(Duration::from_secs(1));
        a.receive(connection, keepalive());
    }
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 2);
    a.advance(Duration::from_secs(1));
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 0);
}

/// RFC 4724 section 4.2: routes of a family without the F bit in the new OPEN are removed at once.
#[test]
fn routes_without_forwarding_state_are_removed_on_reconnect() {
    let (ipv4, ipv6) = (BOTH[0], BOTH[1]);
    for (capabilities, left) in [
        (vec![forwarding_kept()], 2),
        (
            vec![restart(true, false, &[(ipv4, true), (ipv6, false)])],
            1,
        ),
        (vec![restart(true, false, &[(ipv4, true)])], 1),
        (vec![restart(true, false, &[])], 0),
        (vec![], 0),
    ] {
        let (mut a, mut table) = with_routes(helper(), &[forwarding_kept()]);
        a.closed(a.connection());
        reconnect(&mut a, &capabilities);
        table.follow(&mut a);
        assert_eq!(table.routes.len(), left, "{capabilities:?}");
    }
}

/// RFC 4724 section 4.2: routes that are still stale at the next failure are removed.
#[test]
fn stale_routes_do_not_survive_second_restart() {
    let (mut a, mut table) = with_routes(helper(), &[forwarding_kept()]);
    a.closed(a.connection());
    let connection = reconnect(&mut a, &[forwarding_kept()]);
    a.receive(connection, announce(&["10.0.0.0/8"]));
    a.closed(connection);
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Stale));
    assert_eq!(table.staleness("2001:db8::/32"), None);
}

#[test]
fn routes_are_removed_if_restart_was_not_negotiated() {
    for (config, capabilities) in [
        (config().with_deliver_updates(true), vec![forwarding_kept()]),
        (helper(), vec![]),
        (helper(), vec![restart(false, false, &[])]),
    ] {
        let (mut a, mut table) = with_routes(config, &capabilities);
        a.closed(a.connection());
        assert!(retained(&a).is_empty());
        table.follow(&mut a);
        assert_eq!(table.routes.len(), 0);
    }
}

/// RFC 8538 section 4: if both sides set the N bit, routes survive a NOTIFICATION unless it is a Hard Reset.
#[test]
fn routes_survive_notification_if_both_set_n_bit() {
    let reset = NotificationBuf::with_text(Reason::ADMINISTRATIVE_RESET, "");
    for (n_bit, sent, kept) in [
        (false, reset.clone(), 0),
        (true, reset.clone(), 2),
        (true, reset.into_hard_reset(), 0),
    ] {
        let capability = restart(false, n_bit, &[(BOTH[0], true), (BOTH[1], true)]);
        let (mut a, mut table) = with_routes(helper(), &[capability]);
        a.receive(a.connection(), notification(&sent));
        table.follow(&mut a);
        assert_eq!(table.routes.len(), kept, "{sent:?}");
    }
    // RFC 8538 section 4 treats our own NOTIFICATION for an expired hold timer the same way.
    for (n_bit, kept) in [(false, 0), (true, 2)] {
        let capability = restart(false, n_bit, &[(BOTH[0], true), (BOTH[1], true)]);
        let (mut a, mut table) = with_routes(helper(), &[capability]);
        a.advance(Duration::from_secs(90));
        assert!(matches!(a.down_reason(), Some(DownReason::Local(_))));
        table.follow(&mut a);
        assert_eq!(table.routes.len(), kept);
    }
}

/// RFC 8538 section 3.1: a NOTIFICATION that ends a session for good is a Hard Reset if the peer would retain routes.
#[test]
fn final_shutdown_is_hard_reset_if_peer_retains_routes() {
    for (n_bit, shutdown, sent) in [
        (
            false,
            Shutdown::administrative("bye"),
            (Reason::ADMINISTRATIVE_SHUTDOWN, b"\x03bye".to_vec()),
        ),
        (
            true,
            Shutdown::administrative("bye"),
            // Code 6 and subcode 2 of the original NOTIFICATION precede its data.
            (Reason::HARD_RESET, b"\x06\x02\x03bye".to_vec()),
        ),
        (
            true,
            Shutdown::deconfigured(),
            (Reason::HARD_RESET, vec![6, 3]),
        ),
        (
            true,
            Shutdown::reset("again"),
            (Reason::ADMINISTRATIVE_RESET, b"\x05again".to_vec()),
        ),
    ] {
        let capability = restart(false, n_bit, &[(BOTH[0], true)]);
        let (mut a, mut table) = with_routes(helper(), &[capability]);
        let connection = a.connection();
        a.take_messages(connection);
        a.stop(&shutdown);
        a.expect(connection, SentMessage::Notification(sent.0, sent.1));
        table.follow(&mut a);
        assert_eq!(
            table.routes.len(),
            0,
            "an operator's stop removes the peer's routes"
        );
    }
}

/// RFC 4724 section 4.1: a planned restart closes without a NOTIFICATION, because a Cease would remove our routes.
#[test]
fn planned_restart_sends_no_notification_if_peer_retains_routes() {
    let (mut a, _) = with_routes(helper(), &[forwarding_kept()]);
    let connection = a.connection();
    a.take_messages(connection);
    a.stop(&Shutdown::restart());
    assert_eq!(a.take_messages(connection), []);
    a.expect_close(connection);
    assert_eq!(a.down_reason(), Some(DownReason::Restarting));

    let (mut b, _) = with_routes(helper(), &[]);
    let connection = b.connection();
    b.take_messages(connection);
    b.stop(&Shutdown::restart());
    let text = b"\x07restart".to_vec();
    b.expect(
        connection,
        SentMessage::Notification(Reason::ADMINISTRATIVE_RESET, text),
    );
}

/// RFC 4724 section 5: a peer may restart and connect before we notice the end of its previous session.
#[test]
fn connection_from_restarting_peer_replaces_session() {
    let (mut a, mut table) = with_routes(helper(), &[forwarding_kept()]);
    let old = a.connection();
    a.take_messages(old);
    let new = reconnect(&mut a, &[forwarding_kept()]);
    assert_eq!(a.session.connection_id(), Some(new));
    assert_eq!(
        a.take_messages(old),
        [],
        "the old connection gets no NOTIFICATION"
    );
    a.expect_close(old);
    assert_eq!(retained(&a), BOTH.into_iter().collect());
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Stale));
    // A connection without an OPEN proves nothing: any host can spoof one, so the session stays.
    let (mut b, _) = with_routes(helper(), &[forwarding_kept()]);
    let (old, new) = (b.connection(), b.accept().expect("the session accepts"));
    b.advance(Duration::from_secs(1));
    assert_eq!(b.session.connection_id(), Some(old));
    b.closed(new);
    assert_eq!(b.session.state(), State::Established);
}

/// RFC 9494 section 4.2: routes of a peer that does not return become long-lived stale.
#[test]
fn long_lived_stale_routes_expire_after_long_lived_stale_time() {
    let family = |family, seconds| LongLivedRestartFamily {
        family,
        forwarding: true,
        stale_time: seconds,
    };
    let config = helper()
        .with_graceful_restart(RestartConfig::new().with_long_lived(Duration::from_secs(3600)));
    let capabilities = [
        forwarding_kept(),
        CapabilityBuf::LongLivedGracefulRestart(vec![family(BOTH[0], 1000), family(BOTH[1], 0)]),
    ];
    let (mut a, mut table) = with_routes(config, &capabilities);
    let ours = CapabilityBuf::LongLivedGracefulRestart(BOTH.map(|it| family(it, 3600)).to_vec());
    assert!(a.open.clone().unwrap().capabilities.contains(&ours));
    // RFC 9494 section 4.2: the community NO_LLGR excludes a route from long-lived retention.
    let unwanted = updates(PeerKind::Internal, |update| {
        update.attributes.communities.push(Community::NO_LLGR);
        update.announce("11.0.0.0/8".parse::<IpNet>().unwrap());
    });
    a.receive(a.connection(), unwanted);
    a.closed(a.connection());
    // The ordinary restart time of 10 s comes first.
    a.advance(Duration::from_secs(10));
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::LongLived));
    assert_eq!(table.staleness("11.0.0.0/8"), None, "NO_LLGR");
    assert_eq!(
        table.staleness("2001:db8::/32"),
        None,
        "the peer's stale time for the family is 0"
    );
    let nlri = "10.0.0.0/8".parse::<IpNet>().unwrap().into();
    let communities = &table
        .adj_rib_in
        .route(&nlri)
        .unwrap()
        .attributes
        .communities;
    assert!(communities.contains(&Community::LLGR_STALE));
    a.advance(Duration::from_secs(1000));
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 0);
}

/// RFC 9494 section 4.2: a further restart neither ends nor extends the long-lived stale time.
#[test]
fn further_restart_does_not_extend_long_lived_stale_time() {
    let long_lived = |forwarding| {
        let entry = LongLivedRestartFamily {
            family: BOTH[0],
            forwarding,
            stale_time: 1000,
        };
        CapabilityBuf::LongLivedGracefulRestart(vec![entry])
    };
    let config = helper()
        .with_graceful_restart(RestartConfig::new().with_long_lived(Duration::from_secs(3600)));
    let away = |a: &mut Script, seconds| {
        a.closed(a.connection());
        a.advance(Duration::from_secs(seconds));
    };
    let (mut a, mut table) = with_routes(config.clone(), &[forwarding_kept(), long_lived(true)]);
    away(&mut a, 400);
    // The peer announces one more route and fails again before its End-of-RIB.
    a.advance(Duration::from_secs(10));
    reconnect(&mut a, &[forwarding_kept(), long_lived(true)]);
    a.receive(a.connection(), announce(&["12.0.0.0/8"]));
    away(&mut a, 100);
    table.follow(&mut a);
    for prefix in ["10.0.0.0/8", "12.0.0.0/8"] {
        assert_eq!(
            table.staleness(prefix),
            Some(Staleness::LongLived),
            "{prefix}"
        );
    }
    a.advance(Duration::from_secs(480));
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::LongLived));
    a.advance(Duration::from_secs(20));
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 0, "1000 s after the first failure");

    // RFC 9494 section 4.2: long-lived retention heeds the F bit of its own capability, not that of graceful restart.
    let (mut a, mut table) = with_routes(config, &[forwarding_kept(), long_lived(true)]);
    away(&mut a, 100);
    reconnect(&mut a, &[forwarding_kept(), long_lived(false)]);
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), None);
}

/// RFC 7313 section 4: routes that an enhanced refresh does not contain are removed at its end.
#[test]
fn routes_missing_from_enhanced_refresh_are_removed() {
    let mut a = Script::new(helper());
    let enhanced = [
        CapabilityBuf::RouteRefresh,
        CapabilityBuf::EnhancedRouteRefresh,
    ];
    let connection = a.establish(open_with(64512, &enhanced));
    a.receive(
        connection,
        announce(&["10.0.0.0/8", "11.0.0.0/8", "2001:db8::/32"]),
    );
    let mut table = Table::default();
    a.receive(connection, refresh(bgp_wire::RefreshSubtype::END));
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 3, "an EoRR without a BoRR is ignored");
    a.receive(connection, refresh(bgp_wire::RefreshSubtype::BEGIN));
    a.receive(connection, announce(&["10.0.0.0/8"]));
    a.receive(connection, refresh(bgp_wire::RefreshSubtype::END));
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Fresh));
    assert_eq!(table.staleness("11.0.0.0/8"), None);
    assert_eq!(table.staleness("2001:db8::/32"), Some(Staleness::Fresh));
}
