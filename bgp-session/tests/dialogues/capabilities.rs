//! What the capabilities of both sides come to, as dialogues: the OPEN without any (RFC 5492), ADD-PATH (RFC 7911), extended
//! next hops (RFC 8950), roles (RFC 9234); and what else ends a session by itself: too many prefixes (RFC 4486), a peer that
//! takes nothing (RFC 9687).

use std::time::Duration;

use crate::script::{
    Message, Script, config, keepalive, notification, open_with, raw_open, refresh, updates,
};
use bgp_session::{AdjRibIn, DownReason, PeerConfig, SessionEvent, State};
use bgp_wire::{
    AddPathFamily, Afi, Asn, CapabilityBuf, ExtendedNextHop, Family, FamilySet, NotificationBuf,
    PeerKind, Reason, RefreshSubtype, Role,
};
use ipnet::IpNet;

fn external() -> PeerConfig {
    PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513)).deliver_updates(true)
}

fn both() -> FamilySet {
    [Family::IPV4_UNICAST, Family::IPV6_UNICAST]
        .into_iter()
        .collect()
}

/// RFC 5492 section 3: who does not know capabilities is sent an OPEN without.
#[test]
fn an_open_without_capabilities_for_who_refuses_them() {
    let refusal = NotificationBuf {
        reason: Reason::UNSUPPORTED_OPTIONAL_PARAMETER,
        data: vec![],
    };
    let mut a = Script::new(config());
    a.start();
    let first = a.expects_dial();
    a.connected(first);
    assert!(!a.open.take().unwrap().capabilities.is_empty());
    // Its own OPEN is sent as soon as it is connected.
    a.receives(first, raw_open("04 fc00 005a c0a800fe 00"));
    a.receives(first, notification(&refusal));
    a.passes_until_due();
    let second = a.expects_dial();
    a.connected(second);
    assert_eq!(a.open.take().unwrap().capabilities, []);
    // An old speaker's OPEN.
    a.receives(second, raw_open("04 fc00 005a c0a800fe 00"));
    a.receives(second, keepalive());
    assert_eq!(a.session.state(), State::Established);
    let negotiated = a.session.negotiated().unwrap();
    assert!(!negotiated.context.four_octet_as());
    assert!(!negotiated.route_refresh);
    let families: Vec<_> = negotiated.families().iter().collect();
    assert_eq!(families, [Family::IPV4_UNICAST]);
    // It may know them after its next start.
    a.closed(second);
    let third = a.accepts().expect("wanted");
    assert!(!a.open.take().unwrap().capabilities.is_empty());
    // If it refuses OPENs of both kinds, they take turns.
    a.receives(third, notification(&refusal));
    let fourth = loop {
        a.passes_until_due();
        if let Some(dialled) = a.try_dial() {
            break dialled;
        }
    };
    a.connected(fourth);
    assert_eq!(a.open.take().unwrap().capabilities, []);
    a.receives(fourth, notification(&refusal));
    a.passes_until_due();
    let fifth = a.expects_dial();
    a.connected(fifth);
    assert!(!a.open.take().unwrap().capabilities.is_empty());
}

/// An AS of four octets is AS_TRANS to who knows no capabilities (RFC 6793 section 4.2.2).
#[test]
fn an_open_without_capabilities_of_a_large_as() {
    let mut a = Script::new(external().local_as(Asn::new(70000)));
    a.start();
    let first = a.expects_dial();
    a.connected(first);
    let refusal = NotificationBuf {
        reason: Reason::UNSUPPORTED_OPTIONAL_PARAMETER,
        data: vec![],
    };
    a.receives(first, notification(&refusal));
    a.passes_until_due();
    let second = a.expects_dial();
    a.connected(second);
    assert_eq!(a.open.take().unwrap().asn, Asn::TRANS);
}

/// RFC 7911 section 4: each direction by itself.
#[test]
fn add_path() {
    for (ours, theirs, receives, sends) in [
        (true, 3, both(), both()),
        (true, 1, FamilySet::EMPTY, both()),
        (true, 2, both(), FamilySet::EMPTY),
        (true, 0, FamilySet::EMPTY, FamilySet::EMPTY),
        (false, 3, FamilySet::EMPTY, FamilySet::EMPTY),
    ] {
        let families = both().iter().map(|family| AddPathFamily {
            family,
            directions: theirs,
        });
        let mut a = Script::new(config().add_path(ours));
        a.establish(open_with(
            64512,
            &[CapabilityBuf::AddPath(families.collect())],
        ));
        let negotiated = a.session.negotiated().unwrap();
        assert_eq!(negotiated.context.add_path(), receives, "{ours} {theirs}");
        assert_eq!(negotiated.sends.add_path(), sends, "{ours} {theirs}");
        let open = a.open.take().unwrap();
        let said = open
            .capabilities
            .iter()
            .any(|it| matches!(it, CapabilityBuf::AddPath(_)));
        assert_eq!(said, ours);
    }
}

/// RFC 8950 section 4: the capability says what its sender takes.
#[test]
fn extended_next_hops() {
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
        let mut a = Script::new(config().extended_next_hop(ours));
        a.establish(open_with(64512, capabilities.as_slice()));
        let negotiated = a.session.negotiated().unwrap();
        assert_eq!(negotiated.context.extended_next_hop(), receives);
        assert_eq!(negotiated.sends.extended_next_hop(), sends);
    }
}

/// RFC 9234 section 4.2.
#[test]
fn roles_that_fit_and_do_not() {
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
        let dialled = a.expects_dial();
        a.connected(dialled);
        a.expects(dialled, Message::Open);
        a.receives(dialled, open_with(64513, capabilities));
        a.take_messages(dialled)
    };
    let refused = vec![Message::Notification(Reason::ROLE_MISMATCH, vec![])];
    let accepted = vec![Message::Keepalive];
    for ours in roles {
        for theirs in roles {
            let expected = if fitting.contains(&(ours, theirs)) {
                &accepted
            } else {
                &refused
            };
            let seen = outcome(external().role(ours), &[CapabilityBuf::Role(theirs)]);
            assert_eq!(seen, *expected, "{ours} {theirs}");
        }
    }
    assert_eq!(outcome(external().role(Role::PEER), &[]), accepted);
    assert_eq!(
        outcome(external(), &[CapabilityBuf::Role(Role::PEER)]),
        accepted
    );
    let strict = external().role(Role::PEER).require_role(true);
    assert_eq!(outcome(strict, &[]), refused);
    let twice = [Role::PEER, Role::CUSTOMER].map(CapabilityBuf::Role);
    assert_eq!(outcome(external(), &twice), refused);
    // Roles are between ASes.
    let mut a = Script::new(config().role(Role::PEER).require_role(true));
    a.establish(open_with(64512, &[CapabilityBuf::Role(Role::CUSTOMER)]));
    let open = a.open.take().unwrap();
    assert!(
        !open
            .capabilities
            .iter()
            .any(|it| matches!(it, CapabilityBuf::Role(_)))
    );
}

/// RFC 9234 section 5: a route that a customer leaks is withdrawn.
#[test]
fn leaked_routes() {
    let leak = updates(PeerKind::External, |update| {
        update.attributes.only_to_customer = Some(Asn::new(64513));
        update.announce("10.0.0.0/8".parse::<IpNet>().unwrap());
    });
    for (role, withdrawn) in [
        (Role::PROVIDER, true),
        (Role::CUSTOMER, false),
        (Role::PEER, false),
    ] {
        let mut a = Script::new(external().role(role));
        let connection = a.establish(open_with(64513, &[]));
        a.receives(connection, &leak);
        let update = a.events.iter().find_map(|event| match event {
            SessionEvent::Update(update) => Some(update.clone()),
            _ => None,
        });
        let update = update.unwrap();
        let checked = update.check().unwrap();
        assert_eq!(checked.withdrawn().next().is_some(), withdrawn, "{role}");
    }
}

/// RFC 9234 section 5: what comes from above or beside is marked on the way in.
#[test]
fn routes_that_get_otc() {
    for (ours, theirs, marked) in [
        (Role::CUSTOMER, Role::PROVIDER, true),
        (Role::PEER, Role::PEER, true),
        (Role::ROUTE_SERVER_CLIENT, Role::ROUTE_SERVER, true),
        (Role::PROVIDER, Role::CUSTOMER, false),
        (Role::ROUTE_SERVER, Role::ROUTE_SERVER_CLIENT, false),
    ] {
        let mut a = Script::new(external().role(ours));
        let connection = a.establish(open_with(64513, &[CapabilityBuf::Role(theirs)]));
        let announced = updates(PeerKind::External, |update| {
            update.announce("10.0.0.0/8".parse::<IpNet>().unwrap());
        });
        a.receives(connection, announced);
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
fn too_many_prefixes() {
    let announce = |prefixes: &[&str]| {
        updates(PeerKind::Internal, |update| {
            for prefix in prefixes {
                update.announce(prefix.parse::<IpNet>().unwrap());
            }
        })
    };
    let limited = config().maximum_prefixes(Family::IPV4_UNICAST, 2);
    let mut a = Script::new(limited);
    let capabilities = [
        CapabilityBuf::RouteRefresh,
        CapabilityBuf::EnhancedRouteRefresh,
    ];
    let connection = a.establish(open_with(64512, &capabilities));
    a.receives(connection, announce(&["10.0.0.0/8", "11.0.0.0/8"]));
    a.receives(connection, announce(&["10.0.0.0/8", "11.0.0.0/8"]));
    assert_eq!(
        a.session.state(),
        State::Established,
        "the same ones once more"
    );
    let withdraw = updates(PeerKind::Internal, |update| {
        update.withdraw("10.0.0.0/8".parse::<IpNet>().unwrap());
    });
    a.receives(connection, withdraw);
    a.receives(connection, announce(&["12.0.0.0/8"]));
    assert_eq!(
        a.session.state(),
        State::Established,
        "another in its place"
    );
    // What a refresh does not name is gone (RFC 7313 section 4).
    a.receives(connection, refresh(RefreshSubtype::BEGIN));
    a.receives(connection, announce(&["11.0.0.0/8"]));
    a.receives(connection, refresh(RefreshSubtype::END));
    a.receives(connection, announce(&["12.1.0.0/16"]));
    assert_eq!(a.session.state(), State::Established, "12.0.0.0/8 is gone");
    a.take_messages(connection);
    a.receives(connection, announce(&["13.0.0.0/8"]));
    let data = vec![0, 1, 1, 0, 0, 0, 2];
    a.expects(
        connection,
        Message::Notification(Reason::MAXIMUM_PREFIXES_REACHED, data),
    );
    assert!(matches!(a.down(), Some(DownReason::Local(_))));
    // It would happen again at once: the next attempt is as far away as can be.
    a.passes(Duration::from_secs(89));
    assert_eq!(a.try_dial(), None);
    a.passes(Duration::from_secs(31));
    assert!(a.try_dial().is_some());
}

/// RFC 9687.
#[test]
fn a_peer_that_takes_nothing() {
    let config = config().send_hold_time(Duration::from_secs(100));
    let alive = |a: &mut Script, seconds: u64| {
        for _ in 0..seconds {
            a.passes(Duration::from_secs(1));
            let connection = a.session.connection_id();
            connection
                .iter()
                .for_each(|connection| a.receives(*connection, keepalive()));
        }
    };
    let mut a = Script::new(config);
    let connection = a.establish(open_with(64512, &[]));
    a.written(connection, 10, 0);
    alive(&mut a, 300);
    assert_eq!(
        a.session.state(),
        State::Established,
        "nothing is left to send"
    );
    a.written(connection, 10, 1000);
    alive(&mut a, 99);
    a.written(connection, 1, 999);
    alive(&mut a, 99);
    assert_eq!(
        a.session.state(),
        State::Established,
        "it has taken one octet"
    );
    a.written(connection, 0, 999);
    a.take_messages(connection);
    alive(&mut a, 1);
    assert_eq!(a.session.state(), State::Idle);
    let messages = a.take_messages(connection);
    assert_eq!(
        messages,
        [Message::Notification(
            Reason::SEND_HOLD_TIMER_EXPIRED,
            vec![]
        )]
    );
    // Eight minutes unless something else is said.
    let mut b = Script::new(crate::script::config());
    let connection = b.establish(open_with(64512, &[]));
    b.written(connection, 0, 1);
    alive(&mut b, 240);
    // That another connection takes octets says nothing of this one.
    let other = b.accepts().expect("a second connection");
    b.written(other, 29, 0);
    alive(&mut b, 239);
    assert_eq!(b.session.state(), State::Established);
    alive(&mut b, 1);
    assert_eq!(b.session.state(), State::Idle);
}
