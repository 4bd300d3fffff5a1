//! The reports of a session: the step at which a connection ends, malformed UPDATEs, ignored routes, expected ends.

use std::io;

use bgp_session::{AdjRibIn, DownReason, PeerConfig, RejectedOpen, SessionEvent, Shutdown, State};
use bgp_wire::{Asn, NotificationBuf, Reason, Treatment, Unusable};

use super::script::{
    Script, config, hex, keepalive, notification, open, open_with_id, raw_open, update, update_with,
};

/// Returns the texts of the reasons of failed attempts.
fn failures(script: &Script) -> Vec<String> {
    let reasons = script.events.iter().filter_map(|event| match event {
        SessionEvent::Failed { reason, .. } => Some(reason.to_string()),
        _ => None,
    });
    reasons.collect()
}

#[test]
fn end_of_connection_names_its_step_and_error() {
    let mut a = Script::new(config());
    a.start();
    let dial = a.expect_dial();
    a.fail(dial, io::ErrorKind::ConnectionRefused);
    assert_eq!(failures(&a), ["cannot connect: connection refused"]);

    let mut a = Script::new(config());
    a.start();
    let dial = a.expect_dial();
    a.connected(dial);
    a.closed(dial);
    assert_eq!(failures(&a), ["the connection was closed after our OPEN"]);

    let mut a = Script::new(config());
    let connection = a.reach_open_confirm(open(64512, 90));
    a.fail(connection, io::ErrorKind::ConnectionReset);
    let expected = "the connection was closed after both OPENs: connection reset";
    assert_eq!(failures(&a), [expected]);

    // With DelayOpen the peer may close the connection before our OPEN.
    let mut a = Script::new(config().with_delay_open(std::time::Duration::from_secs(5)));
    a.start();
    let dial = a.expect_dial();
    a.connected(dial);
    a.closed(dial);
    assert_eq!(failures(&a), ["the connection was closed before our OPEN"]);

    let mut a = Script::established(config());
    let connection = a.connection();
    a.closed(connection);
    let Some(DownReason::Closed { state, error, .. }) = a.down_reason() else {
        panic!("closed by the peer: {:?}", a.down_reason())
    };
    assert_eq!((state, error), (State::Established, None));
}

#[test]
fn lost_collision_is_no_failure() {
    // The peer has the higher identifier, so that its connection is kept and ours is closed.
    let mut a = Script::new(config());
    a.start();
    let dial = a.expect_dial();
    a.connected(dial);
    let accepted = a.accept().expect("a second connection");
    a.receive(dial, open(64512, 90));
    a.receive(accepted, open(64512, 90));
    a.receive(accepted, keepalive());
    assert_eq!(a.session.connection_id(), Some(accepted));
    assert_eq!(failures(&a), [""; 0]);
    assert_eq!(a.session.statistics().last_reason, None);
}

#[test]
fn collision_that_peer_resolves_is_no_failure() {
    let cease = NotificationBuf {
        reason: Reason::CONNECTION_COLLISION_RESOLUTION,
        data: Vec::new(),
    };
    // The peer closes the connection of the lower identifier: its own, or the one that we have made. Its NOTIFICATION may arrive
    // before its OPEN on the other connection.
    for (peer_ends_dialled, router_id) in [(false, "192.168.0.1"), (true, "192.168.0.254")] {
        let mut a = Script::new(config());
        a.start();
        let dial = a.expect_dial();
        a.connected(dial);
        let accepted = a.accept().expect("a second connection");
        let (ended, kept) = if peer_ends_dialled {
            (dial, accepted)
        } else {
            (accepted, dial)
        };
        a.receive(ended, notification(&cease));
        a.receive(kept, open_with_id(64512, router_id));
        a.receive(kept, keepalive());
        assert_eq!(a.session.connection_id(), Some(kept));
        assert_eq!(failures(&a), [""; 0], "{peer_ends_dialled}");
    }
    // Alone, or for an Established session, it ends what it arrives on.
    let mut a = Script::new(config());
    let connection = a.reach_open_confirm(open(64512, 90));
    a.receive(connection, notification(&cease));
    assert_eq!(failures(&a).len(), 1);
    let mut a = Script::established(config());
    let connection = a.connection();
    a.accept().expect("a second connection");
    a.receive(connection, notification(&cease));
    assert!(matches!(a.down_reason(), Some(DownReason::Remote(_))));
}

#[test]
fn stopped_dial_is_no_failure_and_stopped_session_is_the_operators() {
    let stop = Shutdown::administrative("upgrade");
    let mut a = Script::new(config());
    a.start();
    a.expect_dial();
    a.stop(&stop);
    assert_eq!(failures(&a), [""; 0]);

    let mut a = Script::established(config());
    a.stop(&stop);
    assert_eq!(failures(&a), [""; 0]);
    let reason = a.down_reason().expect("a session ended");
    let expected =
        "stopped by the operator, we sent Cease/Administrative Shutdown (6/2) \"upgrade\"";
    assert_eq!(reason.to_string(), expected);
    assert!(matches!(reason, DownReason::Stopped(_)));
}

#[test]
fn notification_is_shown_with_its_data() {
    let mut a = Script::new(config());
    let connection = a.reach_open_confirm(open(64512, 90));
    let text = "Strict mode. Please set the role on your side.";
    let strict = NotificationBuf {
        reason: Reason::ROLE_MISMATCH,
        data: text.as_bytes().to_vec(),
    };
    a.receive(connection, notification(&strict));
    let expected = format!("the peer sent OPEN Message Error/Role Mismatch (2/11) {text:?}");
    assert_eq!(failures(&a), [expected]);
}

/// Returns the malformed UPDATEs of a session.
fn malformed(script: &Script) -> Vec<(Treatment, String)> {
    let faults = script.events.iter().filter_map(|event| match event {
        SessionEvent::UpdateFault(malformed) => {
            Some((malformed.fault().treatment, malformed.to_string()))
        }
        _ => None,
    });
    faults.collect()
}

#[test]
fn malformed_update_is_reported_with_routes_and_octets() {
    let mut a = Script::established(config());
    let connection = a.connection();
    let message = update_with(
        "40010100 400200 400304c0a800fe 800403000000",
        "180ac802 180ac803",
    );
    a.receive(connection, &message);
    let digits: String = message.iter().map(|octet| format!("{octet:02x}")).collect();
    let expected = format!(
        "UPDATE Message Error/Attribute Length Error (3/5) at octets 37..43: treat-as-withdraw; \
         routes 10.200.2.0/24, 10.200.3.0/24; message {digits}"
    );
    assert_eq!(malformed(&a), [(Treatment::Withdraw, expected)]);
    assert_eq!(a.session.statistics().updates_treated_as_withdraw, 1);

    // A discarded attribute costs no route. One that resets the session leaves none that can be relied on.
    a.take_events();
    a.receive(
        connection,
        update_with(
            "40010100 400200 400304c0a800fe 40050400000064 c0070100",
            "180ac802",
        ),
    );
    let [(Treatment::Discard, text)] = &malformed(&a)[..] else {
        panic!("{:?}", malformed(&a))
    };
    assert!(
        text.contains("; routes 10.200.2.0/24; message ffff"),
        "{text}"
    );
    assert_eq!(a.session.statistics().updates_with_discard, 1);
    a.receive(connection, update_with("800403000000", ""));
    let [_, (Treatment::Reset, text)] = &malformed(&a)[..] else {
        panic!("{:?}", malformed(&a))
    };
    assert!(text.contains("session reset; message ffff"), "{text}");
    assert_eq!(a.session.statistics().updates_with_reset, 1);
    assert_eq!(a.session.state(), State::Idle);
}

#[test]
fn malformed_update_with_many_routes_lists_a_few() {
    let mut a = Script::established(config());
    let connection = a.connection();
    let nlri = "180ac802".repeat(100);
    let attributes = "40010100 400200 400304c0a800fe 800403000000";
    a.receive(connection, update_with(attributes, &nlri));
    let [(_, text)] = &malformed(&a)[..] else {
        panic!("{:?}", malformed(&a))
    };
    assert!(text.contains(" and 68 more; message ffff"), "{text}");
}

#[test]
fn unusable_routes_are_ignored_and_counted_apart_from_malformed_ones() {
    let peer = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513));
    let mut a = Script::established_with(peer.with_deliver_updates(true), open(64513, 90));
    let connection = a.connection();
    let mut table = AdjRibIn::new();
    // Announced, then echoed with our AS in its path: the earlier route is gone.
    let route = "400304c0a800fe";
    for (path, routes) in [("0201 0000fc01", 1), ("0202 0000fc01 0000fc00", 0)] {
        let length = hex(path).len();
        let attributes = format!("40010100 4002{length:02x} {path} {route}");
        a.receive(connection, update_with(&attributes, "180ac802"));
        for event in a.take_events() {
            assert!(!matches!(event, SessionEvent::UpdateFault(_)), "{event:?}");
            table.apply(&event, |_| {});
        }
        assert_eq!(table.len(), routes, "{path}");
    }
    // Two bogus prefixes beside a good one.
    let attributes = format!("40010100 400206 0201 0000fc01 {route}");
    let bogus = "04e0 207f000001 180ac803";
    a.receive(connection, update_with(&attributes, bogus));
    let ignored: Vec<_> = a
        .take_events()
        .into_iter()
        .inspect(|event| table.apply(event, |_| {}))
        .filter_map(|event| match event {
            SessionEvent::RoutesIgnored { reason, update, .. } => {
                let rejected = update.check().rejected_routes().count();
                Some((reason, rejected))
            }
            _ => None,
        })
        .collect();
    assert_eq!(ignored, [(Unusable::BogusPrefix, 2)]);
    assert_eq!(table.len(), 1);
    let statistics = a.session.statistics();
    assert_eq!(statistics.ignored(Unusable::AsLoop), 1);
    assert_eq!(statistics.ignored(Unusable::BogusPrefix), 2);
    assert_eq!(statistics.routes_ignored(), 3);
    assert_eq!(statistics.prefixes_announced(), 2);
    let malformed = statistics.updates_treated_as_withdraw + statistics.updates_with_discard;
    assert_eq!(malformed, 0);
}

/// A peer that returns a whole table to us must not displace other events.
#[test]
fn ignored_routes_are_reported_once_for_each_reason_in_a_session() {
    let peer = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513));
    let mut a = Script::established_with(peer, open(64513, 90));
    let attributes =
        |path: &str, length: u8| format!("40010100 4002{length:02x} {path} 400304c0a800fe");
    let looped = attributes("0202 0000fc01 0000fc00", 10);
    let own_path = attributes("0201 0000fc01", 6);
    let reasons = |a: &mut Script| -> Vec<Unusable> {
        let reason = |event| match event {
            SessionEvent::RoutesIgnored { reason, .. } => Some(reason),
            _ => None,
        };
        a.take_events().into_iter().filter_map(reason).collect()
    };
    for session in 1..3 {
        let connection = a.connection();
        a.take_events();
        for _ in 0..3 {
            a.receive(connection, update_with(&looped, "180ac802"));
            a.receive(connection, update_with(&own_path, "04e0"));
        }
        assert_eq!(reasons(&mut a), [Unusable::AsLoop, Unusable::BogusPrefix]);
        assert_eq!(a.session.statistics().routes_ignored(), session * 6);
        a.closed(connection);
        a.advance_to_deadline();
        a.establish(open(64513, 90));
    }
}

#[test]
fn own_route_from_a_reflector_is_ignored() {
    // RFC 4456 section 8.
    let mut a = Script::established(config());
    let connection = a.connection();
    let attributes = |originator: &str| {
        format!("40010100 400200 400304c0a800fe 40050400000064 800904{originator}")
    };
    a.receive(connection, update_with(&attributes("c0a8006f"), "180ac802"));
    a.receive(connection, update_with(&attributes("c0a80070"), "180ac802"));
    let statistics = a.session.statistics();
    assert_eq!(statistics.ignored(Unusable::OwnOriginatorId), 1);
    assert_eq!(statistics.prefixes_announced(), 1);
}

#[test]
fn both_as_numbers_of_a_rejected_open_are_recorded() {
    // My Autonomous System, and capability 65 or none.
    for (my_as, capability, asn) in [
        ("fc01", "fdf2", 65010),
        ("fdf2", "fc01", 64513),
        ("fc01", "5ba0", 23456),
        ("fc01", "0000", 0),
        ("0000", "fc01", 0),
    ] {
        let peer = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513));
        let mut a = Script::new(peer);
        a.start();
        let dial = a.expect_dial();
        a.connected(dial);
        let body = format!("04 {my_as} 005a c0a800fe 08 0206 4104 0000{capability}");
        a.receive(dial, raw_open(&body));
        assert_eq!(
            failures(&a),
            ["we sent OPEN Message Error/Bad Peer AS (2/2)"]
        );
        let rejected = a.session.statistics().rejected_open.unwrap();
        assert_eq!(rejected.asn, Some(Asn::new(asn)), "{my_as} {capability}");
        let my_as = u16::from_str_radix(my_as, 16).unwrap();
        assert_eq!(rejected.my_as, Some(my_as), "{my_as} {capability}");
    }
}

#[test]
fn rejected_open_on_another_connection_does_not_change_the_peers_as() {
    let mut a = Script::established(config());
    assert_eq!(a.session.statistics().rejected_open, None);
    let accepted = a.accept().expect("a second connection");
    a.receive(accepted, open(64999, 90));
    assert_eq!(a.session.negotiated().unwrap().peer_as, Asn::new(64512));
    let rejected = a.session.statistics().rejected_open.unwrap();
    assert_eq!(rejected.asn, Some(Asn::new(64999)));
    let router_id = a.session.negotiated().unwrap().peer_router_id;
    assert_eq!(rejected.router_id, Some(router_id));
}

#[test]
fn open_that_does_not_decode_leaves_no_values_of_an_earlier_one() {
    let mut a = Script::new(config());
    a.start();
    let connection = a.expect_dial();
    a.connected(connection);
    a.receive(connection, open(64999, 90));
    a.advance_to_deadline();
    let dial = a.expect_dial();
    a.connected(dial);
    // The identifier is 0.0.0.0.
    a.receive(dial, raw_open("04 fc00 005a 00000000 00"));
    let rejected = a.session.statistics().rejected_open.unwrap();
    assert_eq!(rejected, RejectedOpen::default());
}

#[test]
fn legal_update_is_not_reported() {
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receive(connection, update());
    assert_eq!(malformed(&a), []);
    assert_eq!(a.session.statistics().routes_ignored(), 0);
}
