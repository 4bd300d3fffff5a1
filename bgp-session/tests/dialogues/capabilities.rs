//! Dialogues about capabilities and about limits that end a session.
//!
//! Capabilities: an OPEN without any (RFC 5492), ADD-PATH (RFC 7911), extended next hops (RFC 8950) and roles (RFC 9234).
//! Limits: the maximum number of prefixes (RFC 4486) and the send hold time (RFC 9687).

use std::time::Duration;

use crate::script::{
    Script, SentMessage, config, keepalive, notification, open_with, raw_open, refresh, updates,
};
use bgp_session::{AdjRibIn, DownReason, PeerConfig, SessionEvent, State};
use bgp_wire::{
    AddPathFamily, Afi, Asn, CapabilityBuf, ExtendedNextHop, Family, FamilySet, NotificationBuf,
    PeerKind, Reason, RefreshSubtype, Role,
};
use ipnet::IpNet;

fn external() -> PeerConfig {
    PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513)).with_deliver_updates(true)
}

fn both_families() -> FamilySet {
    [Family::IPV4_UNICAST, Family::IPV6_UNICAST]
        .into_iter()
        .collect()
}

/// RFC 5492 section 3: a peer that does not support capabilities is offered a session without them.
#[test]
fn peer_rejecting_capabilities_gets_plain_open() {
    let refusal = NotificationBuf {
        reason: Reason::UNSUPPORTED_OPTIONAL_PARAMETER,
        data: vec![],
    };
    let mut a = Script::new(config());
    a.start();
    let first = a.expect_dial();
    a.connected(first);
    assert!(!a.open.take().unwrap().capabilities.is_empty());
    // The peer sends its OPEN when TCP connects, before it has read ours and rejects it.
    a.receive(first, raw_open("04 fc00 005a c0a800fe 00"));
    a.receive(first, notification(&refusal));
    a.advance_to_deadline();
    let second = a.expect_dial();
    a.connected(second);
    assert_eq!(a.open.take().unwrap().capabilities, []);
    // The OPEN of a speaker from before RFC 5492: no optional parameters.
    a.receive(second, raw_open("04 fc00 005a c0a800fe 00"));
    a.receive(second, keepalive());
    assert_eq!(a.session.state(), State::Established);
    let negotiated = a.session.negotiated().unwrap();
    assert!(!negotiated.context.four_octet_as());
    assert!(!negotiated.route_refresh);
    let families: Vec<_> = negotiated.families().iter().collect();
    assert_eq!(families, [Family::IPV4_UNICAST]);
    // The peer may support capabilities after a restart; we offer them again.
    a.closed(second);
    let third = a.accept().expect("the session accepts");
    assert!(!a.open.take().unwrap().capabilities.is_empty());
    // A peer that rejects both kinds of OPEN is offered them alternately.
    a.receive(third, notification(&refusal));
    let fourth = loop {
        a.advance_to_deadline();
        if let Some(dialled) = a.try_dial() {
            break dialled;
        }
    };
    a.connected(fourth);
    assert_eq!(a.open.take().unwrap().capabilities, []);
    a.receive(fourth, notification(&refusal));
    a.advance_to_deadline();
    let fifth = a.expect_dial();
    a.connected(fifth);
    assert!(!a.open.take().unwrap().capabilities.is_empty());
}

/// RFC 6793 section 9: an AS number that needs four octets is AS_TRANS in the two-octet field of an OPEN.
#[test]
fn plain_open_of_large_as_contains_as_trans() {
    let mut a = Script::new(external().with_local_as(Asn::new(70000)));
    a.start();
    let first = a.expect_dial();
    a.connected(first);
    let refusal = NotificationBuf {
        reason: Reason::UNSUPPORTED_OPTIONAL_PARAMETER,
        data: vec![],
    };
    a.receive(first, notification(&refusal));
    a.advance_to_deadline();
    let second = a.expect_dial();
    a.connected(second);
    assert_eq!(a.open.take().unwrap().asn, Asn::TRANS);
}

/// RFC 7911 section 4: the two sides negotiate each direction separately.
#[test]
fn add_path_is_negotiated_per_direction() {
    // The third column is the peer's Send/Receive field: 1 receives, 2 sends, 3 does both; 0 is not defined.
    for (ours, theirs, receives, sends) in [
        (true, 3, both_families(), both_families()),
        (true, 1, FamilySet::EMPTY, both_families()),
        (true, 2, both_families(), FamilySet::EMPTY),
        (true, 0, FamilySet::EMPTY, FamilySet::EMPTY),
        (false, 3, FamilySet::EMPTY, FamilySet::EMPTY),
    ] {
        let families = both_families().iter().map(|family| AddPathFamily {
            family,
            directions: theirs,
        });
        let mut a = Script::new(config().with_add_path(ours));
        a.establish(open_with(
            64512,
            &[CapabilityBuf::AddPath(families.collect())],
        ));
        let negotiated = a.session.negotiated().unwrap();
        assert_eq!(negotiated.context.add_path(), receives, "{ours} {theirs}");
        assert_eq!(negotiated.sends.add_path(), sends, "{ours} {theirs}");
        let open = a.open.take().unwrap();
        let offered = open
            .capabilities
            .iter()
            .any(|it| matches!(it, CapabilityBuf::AddPath(_)));
        assert_eq!(offered, ours);
    }
}

/// RFC 8950 section 4: the capability lists the next hops that its sender accepts.
#[test]
fn extended_next_hop_is_sent_only_if_peer_accepts_it() {
    let ipv4 = FamilySet::EMPTY.with(Family::IPV4_UNICAST);
    for (ours, theirs, receives, sends) in [
        (true, true, ipv4, ipv4),
        (true, false, ipv4, FamilySet::EMPTY),
        (false, true, FamilySet::EMPTY, FamilySet::EMPTY),
    ] {
        let entry = ExtendedNextHop {
            family: Family::IPV4_UNICAST,
            next_hop: Afi::IPV6,
        };
        let capabilities = theirs.then(|| CapabilityBuf::ExtendedNextHop(vec![entry]));
        let mut a = Script::new(config().with_extended_next_hop(ours));
        a.establish(open_with(64512, capabilities.as_slice()));
        let negotiated = a.session.negotiated().unwrap();
        assert_eq!(negotiated.context.extended_next_hop(), receives);
        assert_eq!(negotiated.sends.extended_next_hop(), sends);
    }
}

/// RFC 9234 section 4.2: only five pairs of roles are allowed.
#[test]
fn session_with_mismatched_roles_is_refused() {
    let roles = [
        Role::PROVIDER,
        Role::CUSTOMER,
        Role::ROUTE_SERVER,
        Role::ROUTE_SERVER_CLIENT,
        Role::PEER,
    ];
    let fitting = [
        (Role::PROVIDER, Role::CUSTOMER),
        (Role::CUSTOMER, Role::PROVIDER),
        (Role::ROUTE_SERVER, Role::ROUTE_SERVER_CLIENT),
        (Role::ROUTE_SERVER_CLIENT, Role::ROUTE_SERVER),
        (Role::PEER, Role::PEER),
    ];
    let outcome = |config: PeerConfig, capabilities: &[CapabilityBuf]| {
        let mut a = Script::new(config);
        a.start();
        let dialled = a.expect_dial();
        a.connected(dialled);
        a.expect(dialled, SentMessage::Open);
        a.receive(dialled, open_with(64513, capabilities));
        a.take_messages(dialled)
    };
    let refused = vec![SentMessage::Notification(Reason::ROLE_MISMATCH, vec![])];
    let accepted = vec![SentMessage::Keepalive];
    for ours in roles {
        for theirs in roles {
            let expected = if fitting.contains(&(ours, theirs)) {
                &accepted
            } else {
                &refused
            };
            let seen = outcome(external().with_role(ours), &[CapabilityBuf::Role(theirs)]);
            assert_eq!(seen, *expected, "{ours} {theirs}");
        }
    }
    assert_eq!(outcome(external().with_role(Role::PEER), &[]), accepted);
    assert_eq!(
        outcome(external(), &[CapabilityBuf::Role(Role::PEER)]),
        accepted
    );
    let strict = external().with_role(Role::PEER).with_require_role(true);
    assert_eq!(outcome(strict, &[]), refused);
    let twice = [Role::PEER, Role::CUSTOMER].map(CapabilityBuf::Role);
    assert_eq!(outcome(external(), &twice), refused);
    // RFC 9234 section 4.1: roles describe a session between two ASes, so an internal session ignores them.
    let mut a = Script::new(config().with_role(Role::PEER).with_require_role(true));
    a.establish(open_with(64512, &[CapabilityBuf::Role(Role::CUSTOMER)]));
    let open = a.open.take().unwrap();
    assert!(
        !open
            .capabilities
            .iter()
            .any(|it| matches!(it, CapabilityBuf::Role(_)))
    );
}

/// RFC 9234 section 5: a route with OTC from a customer is a leak and counts as withdrawn.
#[test]
fn route_leaked_by_customer_is_withdrawn() {
    let leak = updates(PeerKind::External, |update| {
        update.attributes.only_to_customer = Some(Asn::new(64513));
        update.announce("10.0.0.0/8".parse::<IpNet>().unwrap());
    });
    for (role, withdrawn) in [
        (Role::PROVIDER, true),
        (Role::CUSTOMER, false),
        (Role::PEER, false),
    ] {
        let mut a = Script::new(external().with_role(role));
        let connection = a.establish(open_with(64513, &[]));
        a.receive(connection, &leak);
        let update = a.events.iter().find_map(|event| match event {
            SessionEvent::Update(update) => Some(update.clone()),
            _ => None,
        });
        let update = update.unwrap();
        let checked = update.check();
        assert_eq!(checked.withdrawn().next().is_some(), withdrawn, "{role}");
    }
}

/// RFC 9234 section 5: a route from a provider, peer or route server gets OTC on ingress.
#[test]
fn route_from_provider_or_peer_gets_otc() {
    for (ours, theirs, marked) in [
        (Role::CUSTOMER, Role::PROVIDER, true),
        (Role::PEER, Role::PEER, true),
        (Role::ROUTE_SERVER_CLIENT, Role::ROUTE_SERVER, true),
        (Role::PROVIDER, Role::CUSTOMER, false),
        (Role::ROUTE_SERVER, Role::ROUTE_SERVER_CLIENT, false),
    ] {
        let mut a = Script::new(external().with_role(ours));
        let connection = a.establish(open_with(64513, &[CapabilityBuf::Role(theirs)]));
        let announced = updates(PeerKind::External, |update| {
            update.announce("10.0.0.0/8".parse::<IpNet>().unwrap());
        });
        a.receive(connection, announced);
        let mut table = AdjRibIn::new();
        for event in a.take_events() {
            table.apply(&event, |_| {});
        }
        let (_, route) = table.routes().next().unwrap();
        let expected = marked.then_some(Asn::new(64513));
        assert_eq!(route.attributes.only_to_customer, expected, "{theirs}");
    }
}

#[test]
fn prefix_above_limit_ends_session() {
    let announce = |prefixes: &[&str]| {
        updates(PeerKind::Internal, |update| {
            for prefix in prefixes {
                update.announce(prefix.parse::<IpNet>().unwrap());
            }
        })
    };
    let limited = config().with_maximum_prefixes(Family::IPV4_UNICAST, 2);
    let mut a = Script::new(limited);
    let capabilities = [
        CapabilityBuf::RouteRefresh,
        CapabilityBuf::EnhancedRouteRefresh,
    ];
    let connection = a.establish(open_with(64512, &capabilities));
    a.receive(connection, announce(&["10.0.0.0/8", "11.0.0.0/8"]));
    a.receive(connection, announce(&["10.0.0.0/8", "11.0.0.0/8"]));
    assert_eq!(
        a.session.state(),
        State::Established,
        "repeated announcements count once"
    );
    let withdraw = updates(PeerKind::Internal, |update| {
        update.withdraw("10.0.0.0/8".parse::<IpNet>().unwrap());
    });
    a.receive(connection, withdraw);
    a.receive(connection, announce(&["12.0.0.0/8"]));
    assert_eq!(
        a.session.state(),
        State::Established,
        "a withdrawal makes room for another prefix"
    );
    // RFC 7313 section 4: a route that the refresh does not contain is removed, and no longer counts.
    a.receive(connection, refresh(RefreshSubtype::BEGIN));
    a.receive(connection, announce(&["11.0.0.0/8"]));
    a.receive(connection, refresh(RefreshSubtype::END));
    a.receive(connection, announce(&["12.1.0.0/16"]));
    assert_eq!(
        a.session.state(),
        State::Established,
        "12.0.0.0/8 still counts"
    );
    a.take_messages(connection);
    a.receive(connection, announce(&["13.0.0.0/8"]));
    // RFC 4486 section 4: AFI, SAFI and the limit in four octets.
    let data = vec![0, 1, 1, 0, 0, 0, 2];
    a.expect(
        connection,
        SentMessage::Notification(Reason::MAXIMUM_PREFIXES_REACHED, data),
    );
    assert!(matches!(a.down_reason(), Some(DownReason::Local(_))));
    // A retry fails the same way until an operator raises the limit: the wait is the maximum, 90 to 120 s.
    a.advance(Duration::from_secs(89));
    assert_eq!(a.try_dial(), None);
    a.advance(Duration::from_secs(31));
    assert!(a.try_dial().is_some());
}

/// RFC 9687 section 3: a session ends if the peer accepts no data during the send hold time.
#[test]
fn peer_reading_nothing_is_dropped_after_send_hold_time() {
    let limited = config().with_send_hold_time(Duration::from_secs(100));
    // The peer keeps sending, so the hold timer never ends the session.
    let keep_alive = |a: &mut Script, seconds: u64| {
        for _ in 0..seconds {
            a.advance(Duration::from_secs(1));
            let connection = a.session.connection_id();
            connection
                .iter()
                .for_each(|connection| a.receive(*connection, keepalive()));
        }
    };
    let mut a = Script::new(limited);
    let connection = a.establish(open_with(64512, &[]));
    a.write(connection, 10, 0);
    keep_alive(&mut a, 300);
    assert_eq!(
        a.session.state(),
        State::Established,
        "the timer runs although the queue is empty"
    );
    a.write(connection, 10, 1000);
    keep_alive(&mut a, 99);
    a.write(connection, 1, 999);
    keep_alive(&mut a, 99);
    assert_eq!(
        a.session.state(),
        State::Established,
        "one octet must restart the timer"
    );
    a.write(connection, 0, 999);
    a.take_messages(connection);
    keep_alive(&mut a, 1);
    assert_eq!(a.session.state(), State::Idle);
    let messages = a.take_messages(connection);
    assert_eq!(
        messages,
        [SentMessage::Notification(
            Reason::SEND_HOLD_TIMER_EXPIRED,
            vec![]
        )]
    );
    // RFC 9687 section 6: the default is eight minutes if the hold time is short.
    let mut b = Script::new(config());
    let connection = b.establish(open_with(64512, &[]));
    b.write(connection, 0, 1);
    keep_alive(&mut b, 240);
    // Progress on another connection must not stop the timer of this one.
    let other = b.accept().expect("a second connection");
    b.write(other, 29, 0);
    keep_alive(&mut b, 239);
    assert_eq!(b.session.state(), State::Established);
    keep_alive(&mut b, 1);
    assert_eq!(b.session.state(), State::Idle);
}
