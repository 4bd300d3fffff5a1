//! Graceful restart as dialogues, from both ends (RFC 4724, RFC 8538, RFC 9494), and what is kept of a peer's routes.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::script::{Message, Script, config, keepalive, notification, open_with, updates};
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

fn helper() -> PeerConfig {
    config()
        .deliver_updates(true)
        .graceful_restart(RestartConfig::new().stale_time(Duration::from_secs(60)))
}

/// The capability of a peer.
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

fn kept() -> CapabilityBuf {
    restart(true, false, &[(BOTH[0], true), (BOTH[1], true)])
}

/// Everything that the table of an application says, as the events come.
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
            });
        }
        let same = self.adj_rib_in.routes();
        let same: BTreeMap<_, _> = same
            .map(|(nlri, route)| (nlri.to_string(), route.staleness))
            .collect();
        assert_eq!(same, self.routes);
    }

    fn staleness(&self, prefix: &str) -> Option<Staleness> {
        self.routes.get(prefix).copied()
    }
}

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

/// A session with two routes of a peer that restarts as `capability` says, and the table of an application.
fn with_routes(config: PeerConfig, capabilities: &[CapabilityBuf]) -> (Script, Table) {
    let mut a = Script::new(config);
    let connection = a.establish(open_with(64512, capabilities));
    a.receives(connection, announce(&["10.0.0.0/8", "2001:db8::/32"]));
    let mut table = Table::default();
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Fresh));
    (a, table)
}

/// The peer comes back by itself.
fn back(a: &mut Script, capabilities: &[CapabilityBuf]) -> bgp_session::ConnectionId {
    let connection = a.accepts().expect("wanted");
    a.receives(connection, open_with(64512, capabilities));
    a.receives(connection, keepalive());
    assert_eq!(a.session.state(), State::Established);
    connection
}

fn retained(a: &Script) -> FamilySet {
    let down = a.events.iter().rev().find_map(|event| match event {
        SessionEvent::Down { retained, .. } => Some(*retained),
        _ => None,
    });
    down.expect("down")
}

#[test]
fn what_our_open_says() {
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
    // The R bit, until the time for the restart is over.
    let mut late = Script::new(helper());
    late.session = late.session.restarted();
    late.passes(Duration::from_secs(121));
    late.establish(open_with(64512, &[]));
    let capabilities = late.open.unwrap().capabilities;
    assert!(capabilities.contains(&expected(false)));
    // Or a session has come up.
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
    let again = b.accepts().expect("wanted");
    b.expects(again, Message::Open);
    assert!(
        b.open
            .clone()
            .unwrap()
            .capabilities
            .contains(&expected(false))
    );
}

#[test]
fn routes_are_kept_until_the_peer_has_sent_them_anew() {
    let (mut a, mut table) = with_routes(helper(), &[kept()]);
    a.closed(a.connection());
    assert_eq!(retained(&a), BOTH.into_iter().collect());
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Stale));
    a.passes(Duration::from_secs(5));
    let connection = back(&mut a, &[kept()]);
    table.follow(&mut a);
    assert_eq!(
        table.staleness("10.0.0.0/8"),
        Some(Staleness::Stale),
        "forwarding goes on"
    );
    a.receives(connection, announce(&["10.0.0.0/8"]));
    a.receives(connection, end_of_rib(Family::IPV4_UNICAST));
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Fresh));
    assert_eq!(
        table.staleness("2001:db8::/32"),
        Some(Staleness::Stale),
        "the other family"
    );
    a.receives(connection, end_of_rib(Family::IPV6_UNICAST));
    table.follow(&mut a);
    assert_eq!(
        table.staleness("2001:db8::/32"),
        None,
        "it was not sent anew"
    );
}

#[test]
fn who_does_not_come_back_in_time_is_forgotten() {
    let (mut a, mut table) = with_routes(helper(), &[kept()]);
    a.closed(a.connection());
    a.passes(Duration::from_millis(9999));
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 2);
    assert!(a.session.retains_routes());
    a.passes(Duration::from_millis(1));
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 0);
    assert!(!a.session.retains_routes());
}

#[test]
fn who_is_back_and_sends_nothing_is_forgotten_in_time() {
    let (mut a, mut table) = with_routes(helper(), &[kept()]);
    a.closed(a.connection());
    let connection = back(&mut a, &[kept()]);
    for _ in 0..59 {
        a.passes(Duration::from_secs(1));
        a.receives(connection, keepalive());
    }
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 2);
    a.passes(Duration::from_secs(1));
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 0);
}

/// RFC 4724 section 4.2: what the new OPEN says of each family.
#[test]
fn who_has_not_forwarded_is_forgotten_at_once() {
    let (ipv4, ipv6) = (BOTH[0], BOTH[1]);
    for (capabilities, left) in [
        (vec![kept()], 2),
        (
            vec![restart(true, false, &[(ipv4, true), (ipv6, false)])],
            1,
        ),
        (vec![restart(true, false, &[(ipv4, true)])], 1),
        (vec![restart(true, false, &[])], 0),
        (vec![], 0),
    ] {
        let (mut a, mut table) = with_routes(helper(), &[kept()]);
        a.closed(a.connection());
        back(&mut a, &capabilities);
        table.follow(&mut a);
        assert_eq!(table.routes.len(), left, "{capabilities:?}");
    }
}

/// RFC 4724 section 4.2: what was stale when the next failure came is gone.
#[test]
fn twice_in_a_row() {
    let (mut a, mut table) = with_routes(helper(), &[kept()]);
    a.closed(a.connection());
    let connection = back(&mut a, &[kept()]);
    a.receives(connection, announce(&["10.0.0.0/8"]));
    a.closed(connection);
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Stale));
    assert_eq!(table.staleness("2001:db8::/32"), None);
}

#[test]
fn nothing_is_kept_that_was_not_agreed_on() {
    for (config, capabilities) in [
        (config().deliver_updates(true), vec![kept()]),
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

/// RFC 8538: with the N bit of both a NOTIFICATION is no reason to forget, unless it is a Hard Reset.
#[test]
fn notifications() {
    let reset = NotificationBuf::with_text(Reason::ADMINISTRATIVE_RESET, "");
    for (n_bit, sent, kept) in [
        (false, reset.clone(), 0),
        (true, reset.clone(), 2),
        (true, reset.into_hard_reset(), 0),
    ] {
        let capability = restart(false, n_bit, &[(BOTH[0], true), (BOTH[1], true)]);
        let (mut a, mut table) = with_routes(helper(), &[capability]);
        a.receives(a.connection(), notification(&sent));
        table.follow(&mut a);
        assert_eq!(table.routes.len(), kept, "{sent:?}");
    }
    // The same for the one that we send when the peer has gone silent.
    for (n_bit, kept) in [(false, 0), (true, 2)] {
        let capability = restart(false, n_bit, &[(BOTH[0], true), (BOTH[1], true)]);
        let (mut a, mut table) = with_routes(helper(), &[capability]);
        a.passes(Duration::from_secs(90));
        assert!(matches!(a.down(), Some(DownReason::Local(_))));
        table.follow(&mut a);
        assert_eq!(table.routes.len(), kept);
    }
}

/// RFC 8538 section 3.1: what is to end a session for good says so to who would keep routes.
#[test]
fn hard_resets() {
    for (n_bit, why, sent) in [
        (
            false,
            Shutdown::administrative("bye"),
            (Reason::ADMINISTRATIVE_SHUTDOWN, b"\x03bye".to_vec()),
        ),
        (
            true,
            Shutdown::administrative("bye"),
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
        a.stop(&why);
        a.expects(connection, Message::Notification(sent.0, sent.1));
        table.follow(&mut a);
        assert_eq!(
            table.routes.len(),
            0,
            "the operator wants no more of the peer"
        );
    }
}

/// RFC 4724 section 4.1: no Cease for a restart that was announced.
#[test]
fn a_planned_restart_is_silent_to_who_keeps_routes() {
    let (mut a, _) = with_routes(helper(), &[kept()]);
    let connection = a.connection();
    a.take_messages(connection);
    a.stop(&Shutdown::restart());
    assert_eq!(a.take_messages(connection), []);
    a.expects_close(connection);
    assert_eq!(a.down(), Some(DownReason::Restarting));

    let (mut b, _) = with_routes(helper(), &[]);
    let connection = b.connection();
    b.take_messages(connection);
    b.stop(&Shutdown::restart());
    let text = b"\x07restart".to_vec();
    b.expects(
        connection,
        Message::Notification(Reason::ADMINISTRATIVE_RESET, text),
    );
}

/// RFC 4724 section 5: a peer that restarts connects while we still believe in the session before.
#[test]
fn a_new_connection_replaces_the_session_of_a_peer_that_restarts() {
    let (mut a, mut table) = with_routes(helper(), &[kept()]);
    let old = a.connection();
    a.take_messages(old);
    let new = back(&mut a, &[kept()]);
    assert_eq!(a.session.connection_id(), Some(new));
    assert_eq!(a.take_messages(old), [], "it is told nothing");
    a.expects_close(old);
    assert_eq!(retained(&a), BOTH.into_iter().collect());
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Stale));
    // Somebody who connects and says nothing replaces nobody.
    let (mut b, _) = with_routes(helper(), &[kept()]);
    let (old, new) = (b.connection(), b.accepts().expect("wanted"));
    b.passes(Duration::from_secs(1));
    assert_eq!(b.session.connection_id(), Some(old));
    b.closed(new);
    assert_eq!(b.session.state(), State::Established);
}

/// RFC 9494: routes that are kept for long as a last resort.
#[test]
fn long_lived() {
    let family = |family, seconds| LongLivedRestartFamily {
        family,
        forwarding: true,
        stale_time: seconds,
    };
    let config = helper().graceful_restart(RestartConfig::new().long_lived(3600));
    let capabilities = [
        kept(),
        CapabilityBuf::LongLivedGracefulRestart(vec![family(BOTH[0], 1000), family(BOTH[1], 0)]),
    ];
    let (mut a, mut table) = with_routes(config, &capabilities);
    let ours = CapabilityBuf::LongLivedGracefulRestart(BOTH.map(|it| family(it, 3600)).to_vec());
    assert!(a.open.clone().unwrap().capabilities.contains(&ours));
    let unwanted = updates(PeerKind::Internal, |update| {
        update.attributes.communities.push(Community::NO_LLGR);
        update.announce("11.0.0.0/8".parse::<IpNet>().unwrap());
    });
    a.receives(a.connection(), unwanted);
    a.closed(a.connection());
    a.passes(Duration::from_secs(10));
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::LongLived));
    assert_eq!(table.staleness("11.0.0.0/8"), None, "NO_LLGR");
    assert_eq!(
        table.staleness("2001:db8::/32"),
        None,
        "no time for its family"
    );
    let nlri = "10.0.0.0/8".parse::<IpNet>().unwrap().into();
    let communities = &table
        .adj_rib_in
        .route(&nlri)
        .unwrap()
        .attributes
        .communities;
    assert!(communities.contains(&Community::LLGR_STALE));
    a.passes(Duration::from_secs(1000));
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 0);
}

/// RFC 9494 section 4.2: a peer that comes and goes meanwhile neither ends the last resort nor puts it off.
#[test]
fn long_lived_over_several_restarts() {
    let long_lived = |forwarding| {
        let entry = LongLivedRestartFamily {
            family: BOTH[0],
            forwarding,
            stale_time: 1000,
        };
        CapabilityBuf::LongLivedGracefulRestart(vec![entry])
    };
    let config = helper().graceful_restart(RestartConfig::new().long_lived(3600));
    let away = |a: &mut Script, seconds| {
        a.closed(a.connection());
        a.passes(Duration::from_secs(seconds));
    };
    let (mut a, mut table) = with_routes(config.clone(), &[kept(), long_lived(true)]);
    away(&mut a, 400);
    // It announces one of two routes, and is gone before the end.
    a.passes(Duration::from_secs(10));
    back(&mut a, &[kept(), long_lived(true)]);
    a.receives(a.connection(), announce(&["12.0.0.0/8"]));
    away(&mut a, 100);
    table.follow(&mut a);
    for prefix in ["10.0.0.0/8", "12.0.0.0/8"] {
        assert_eq!(
            table.staleness(prefix),
            Some(Staleness::LongLived),
            "{prefix}"
        );
    }
    a.passes(Duration::from_secs(480));
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::LongLived));
    a.passes(Duration::from_secs(20));
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 0, "1000 s after the first time");

    // Its F bit is the one of its capability.
    let (mut a, mut table) = with_routes(config, &[kept(), long_lived(true)]);
    away(&mut a, 100);
    back(&mut a, &[kept(), long_lived(false)]);
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), None);
}

/// RFC 7313 section 4: what a refresh does not name is gone.
#[test]
fn refreshes_that_say_where_they_end() {
    let mut a = Script::new(helper());
    let enhanced = [
        CapabilityBuf::RouteRefresh,
        CapabilityBuf::EnhancedRouteRefresh,
    ];
    let connection = a.establish(open_with(64512, &enhanced));
    a.receives(
        connection,
        announce(&["10.0.0.0/8", "11.0.0.0/8", "2001:db8::/32"]),
    );
    let mut table = Table::default();
    a.receives(
        connection,
        crate::script::refresh(bgp_wire::RefreshSubtype::END),
    );
    table.follow(&mut a);
    assert_eq!(table.routes.len(), 3, "an end without a beginning");
    a.receives(
        connection,
        crate::script::refresh(bgp_wire::RefreshSubtype::BEGIN),
    );
    a.receives(connection, announce(&["10.0.0.0/8"]));
    a.receives(
        connection,
        crate::script::refresh(bgp_wire::RefreshSubtype::END),
    );
    table.follow(&mut a);
    assert_eq!(table.staleness("10.0.0.0/8"), Some(Staleness::Fresh));
    assert_eq!(table.staleness("11.0.0.0/8"), None);
    assert_eq!(table.staleness("2001:db8::/32"), Some(Staleness::Fresh));
}
