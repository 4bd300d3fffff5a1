//! Dialogues about the life of a session: establishment, collisions, timers, faults, shutdown and retries.

use std::time::Duration;

use crate::script::{
    Script, SentMessage, config, keepalive, notification, open, open_with, open_with_families,
    open_with_id, raw_open, refresh, update, update_with,
};
use bgp_session::{
    DownReason, PeerConfig, RefreshError, RetryPolicy, SessionEvent, Shutdown, State,
};
use bgp_wire::{Asn, CapabilityBuf, Family, HoldTime, NotificationBuf, Reason, RefreshSubtype};

#[test]
fn dialled_connection_reaches_established() {
    let mut a = Script::new(config());
    a.start();
    let dialled = a.expect_dial();
    a.connected(dialled);
    a.expect(dialled, SentMessage::Open);
    assert_eq!(a.session.state(), State::OpenSent);
    a.receive(dialled, open(64512, 90));
    a.expect(dialled, SentMessage::Keepalive);
    assert_eq!(a.session.state(), State::OpenConfirm);
    a.receive(dialled, keepalive());
    assert_eq!(a.session.state(), State::Established);
    assert_eq!(
        a.state_path(),
        "Idle>Connect>OpenSent>OpenConfirm>Established"
    );
    let negotiated = a.session.negotiated().unwrap();
    assert_eq!(negotiated.hold_time, HoldTime::DEFAULT);
    assert!(negotiated.families().contains(Family::IPV6_UNICAST));
}

#[test]
fn accepted_connection_reaches_established() {
    let mut a = Script::new(config().with_passive(true));
    a.start();
    assert_eq!(a.session.state(), State::Active);
    let accepted = a.accept().expect("the session accepts");
    a.expect(accepted, SentMessage::Open);
    a.receive(accepted, open(64512, 90));
    a.receive(accepted, keepalive());
    assert_eq!(a.session.state(), State::Established);
    assert_eq!(
        a.state_path(),
        "Idle>Active>OpenSent>OpenConfirm>Established"
    );
}

#[test]
fn passive_session_never_dials() {
    let mut a = Script::new(config().with_passive(true));
    a.start();
    a.advance(Duration::from_secs(3600));
    a.expect_nothing();
    assert_eq!(a.session.state(), State::Active);
}

/// RFC 4271 section 8.1.1, DelayOpen: our OPEN waits for the peer's OPEN or for the timer.
#[test]
fn delayed_open_follows_peer_open_or_timer() {
    let mut a = Script::new(config().with_delay_open(Duration::from_secs(5)));
    a.start();
    let dialled = a.expect_dial();
    a.connected(dialled);
    a.expect_nothing();
    a.receive(dialled, open(64512, 90));
    a.expect(dialled, SentMessage::Open);
    a.expect(dialled, SentMessage::Keepalive);
    assert_eq!(a.session.state(), State::OpenConfirm);

    let mut b = Script::new(config().with_delay_open(Duration::from_secs(5)));
    b.start();
    let dialled = b.expect_dial();
    b.connected(dialled);
    b.advance(Duration::from_secs(5));
    b.expect(dialled, SentMessage::Open);
    assert_eq!(b.session.state(), State::OpenSent);
}

#[test]
fn session_without_keepalives_ends_after_hold_time() {
    let mut a = Script::established(config());
    let connection = a.connection();
    let mut keepalives = 0;
    for _ in 0..89 {
        a.advance(Duration::from_secs(1));
        keepalives += a
            .take_messages(connection)
            .iter()
            .filter(|kind| **kind == SentMessage::Keepalive)
            .count();
    }
    assert!(
        (3..=4).contains(&keepalives),
        "not one every 22.5 to 30 s: {keepalives}"
    );
    a.receive(connection, keepalive());
    a.advance(Duration::from_secs(89));
    assert_eq!(a.session.state(), State::Established);
    a.take_messages(connection);
    a.advance(Duration::from_secs(1));
    a.expect(
        connection,
        SentMessage::Notification(Reason::HOLD_TIMER_EXPIRED, vec![]),
    );
    a.expect_close(connection);
    let reason = NotificationBuf {
        reason: Reason::HOLD_TIMER_EXPIRED,
        data: vec![],
    };
    assert_eq!(a.down_reason(), Some(DownReason::Local(reason)));
}

/// RFC 4271 section 4.4: a hold time of zero turns KEEPALIVEs and the hold timer off.
#[test]
fn session_with_hold_time_zero_never_expires() {
    let mut a = Script::new(config());
    let connection = a.establish(open(64512, 0));
    a.advance(Duration::from_secs(100_000));
    assert_eq!(a.session.state(), State::Established);
    assert_eq!(a.take_messages(connection), []);
}

/// RFC 4271 section 8.2.2 suggests a hold timer of four minutes in OpenSent.
#[test]
fn peer_without_open_is_dropped_after_four_minutes() {
    let mut a = Script::new(config());
    a.start();
    let dialled = a.expect_dial();
    a.connected(dialled);
    a.expect(dialled, SentMessage::Open);
    a.advance(Duration::from_secs(239));
    assert_eq!(a.session.state(), State::OpenSent);
    a.advance(Duration::from_secs(1));
    a.expect(
        dialled,
        SentMessage::Notification(Reason::HOLD_TIMER_EXPIRED, vec![]),
    );
}

/// RFC 6608: the subcode depends on the state, and the data is the type of the unexpected message.
#[test]
fn unexpected_message_is_answered_with_its_type() {
    let unexpected = [
        (keepalive(), 4),
        (update(), 2),
        (refresh(RefreshSubtype::REQUEST), 5),
    ];
    for (octets, message_type) in unexpected {
        let mut a = Script::new(config());
        a.start();
        let dialled = a.expect_dial();
        a.connected(dialled);
        a.expect(dialled, SentMessage::Open);
        a.receive(dialled, octets);
        a.expect(
            dialled,
            SentMessage::Notification(Reason::UNEXPECTED_MESSAGE_IN_OPEN_SENT, vec![message_type]),
        );
    }
    for (octets, message_type) in [
        (update(), 2),
        (open(64512, 90), 1),
        (refresh(RefreshSubtype::REQUEST), 5),
    ] {
        let mut a = Script::new(config());
        let connection = a.reach_open_confirm(open(64512, 90));
        a.receive(connection, octets);
        a.expect(
            connection,
            SentMessage::Notification(
                Reason::UNEXPECTED_MESSAGE_IN_OPEN_CONFIRM,
                vec![message_type],
            ),
        );
    }
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receive(connection, open(64512, 90));
    a.expect(
        connection,
        SentMessage::Notification(Reason::UNEXPECTED_MESSAGE_IN_ESTABLISHED, vec![1]),
    );
}

#[test]
fn unacceptable_open_is_refused_with_reason() {
    let refused = [
        (open(64513, 90), Reason::BAD_PEER_AS, vec![]),
        (
            raw_open("040000005ac0a800fe00"),
            Reason::BAD_PEER_AS,
            vec![],
        ),
        (
            open_with_id(64512, "192.168.0.111"),
            Reason::BAD_BGP_IDENTIFIER,
            vec![],
        ),
        (
            open_with_families(&[Family::IPV4_MULTICAST]),
            Reason::UNSUPPORTED_CAPABILITY,
            // RFC 5492 section 5: the data lists the capabilities that cause the error, here our two families.
            vec![1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1],
        ),
        (
            raw_open("05fc00005ac0a800fe00"),
            Reason::UNSUPPORTED_VERSION_NUMBER,
            // RFC 4271 section 6.2: the data is the highest version that we support.
            vec![0, 4],
        ),
        (
            // RFC 4271 section 6.2: hold times of 1 and 2 s must be rejected.
            raw_open("04fc000002c0a800fe00"),
            Reason::UNACCEPTABLE_HOLD_TIME,
            vec![],
        ),
        // AS_TRANS without the capability that contains the real AS number.
        (
            raw_open("045ba0005ac0a800fe00"),
            Reason::BAD_PEER_AS,
            vec![],
        ),
    ];
    for (octets, reason, data) in refused {
        let mut a = Script::new(config());
        a.start();
        let dialled = a.expect_dial();
        a.connected(dialled);
        a.expect(dialled, SentMessage::Open);
        a.receive(dialled, octets);
        a.expect(dialled, SentMessage::Notification(reason, data));
        a.expect_close(dialled);
    }
}

/// RFC 6286 section 2.1: BGP identifiers are unique within an AS only.
#[test]
fn identifier_equal_to_ours_is_accepted_from_external_peer() {
    let config = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513));
    let mut a = Script::new(config);
    a.establish(open_with_id(64513, "192.168.0.111"));
    assert_eq!(a.session.state(), State::Established);
}

/// RFC 4760 section 8: a peer without the multiprotocol capability exchanges IPv4 unicast routes only.
#[test]
fn peer_without_capabilities_gets_ipv4_unicast_only() {
    let mut a = Script::new(config());
    a.establish(raw_open("04fc00005ac0a800fe00"));
    let families: Vec<_> = a.session.negotiated().unwrap().families().iter().collect();
    assert_eq!(families, [Family::IPV4_UNICAST]);
}

#[test]
fn invalid_header_is_answered_with_header_error() {
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receive(connection, b"GET / HTTP/1.1\r\n\r\n");
    a.expect(
        connection,
        SentMessage::Notification(Reason::CONNECTION_NOT_SYNCHRONIZED, vec![]),
    );
    a.expect_close(connection);
    // Input behind the fault is ignored: its message boundaries are unknown.
    a.receive(connection, update());
    a.expect_nothing();
}

#[test]
fn malformed_update_ends_session_only_without_prefixes() {
    // A MED of three octets: RFC 7606 section 7.4 treats the route as withdrawn, and the session stays up.
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receive(
        connection,
        update_with("40010100 400200 400304c0a800fe 800403000000", "180ac802"),
    );
    assert_eq!(a.session.statistics().updates_treated_as_withdraw, 1);
    assert_eq!(a.session.statistics().prefixes_withdrawn(), 1);
    assert_eq!(a.session.state(), State::Established);
    // RFC 7606 section 5.2: an attribute error in an UPDATE without prefixes cannot be treated as a withdrawal.
    a.receive(connection, update_with("800403000000", ""));
    let data = vec![0x80, 4, 3, 0, 0, 0];
    a.expect(
        connection,
        SentMessage::Notification(Reason::ATTRIBUTE_LENGTH_ERROR, data),
    );
}

#[test]
fn notification_ends_session_without_answer() {
    let cease = NotificationBuf::with_text(Reason::ADMINISTRATIVE_SHUTDOWN, "maintenance");
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receive(connection, [notification(&cease), update()].concat());
    a.expect_close(connection);
    a.expect_nothing();
    assert_eq!(a.session.statistics().received.update, 0);
    let Some(DownReason::Remote(received)) = a.down_reason() else {
        panic!("ended by the peer")
    };
    assert_eq!(received.text().as_deref(), Some("maintenance"));
}

#[test]
fn stop_sends_shutdown_text() {
    let mut a = Script::established(config());
    let connection = a.connection();
    a.stop(&Shutdown::administrative("upgrade"));
    a.expect(
        connection,
        SentMessage::Notification(Reason::ADMINISTRATIVE_SHUTDOWN, b"\x07upgrade".to_vec()),
    );
    a.expect_close(connection);
    assert!(matches!(a.down_reason(), Some(DownReason::Stopped(_))));
    a.advance(Duration::from_secs(3600));
    assert_eq!(a.session.state(), State::Idle);
}

#[test]
fn repeated_failures_lengthen_wait_to_maximum() {
    let mut a = Script::new(config());
    a.start();
    let mut waits = Vec::new();
    for _ in 0..10 {
        let dialled = a.expect_dial();
        a.connected(dialled);
        let before = a.now;
        a.receive(dialled, b"garbage".repeat(3));
        assert_eq!(a.session.state(), State::Idle);
        a.advance_to_deadline();
        waits.push(a.now - before);
    }
    assert!(
        waits.windows(2).take(6).all(|pair| pair[0] < pair[1]),
        "{waits:?}"
    );
    assert!(*waits.last().unwrap() <= Duration::from_secs(120));
    assert!(*waits.last().unwrap() >= Duration::from_secs(90));
}

#[test]
fn refusing_peer_gets_at_most_45_attempts_an_hour() {
    let mut a = Script::new(config());
    a.start();
    let start = a.now;
    let mut attempts = 0;
    while a.now - start < Duration::from_secs(3600) {
        let dialled = a.expect_dial();
        a.connected(dialled);
        a.expect(dialled, SentMessage::Open);
        a.receive(dialled, open(64999, 90));
        a.take_messages(dialled);
        a.expect_close(dialled);
        a.advance_to_deadline();
        attempts += 1;
    }
    assert!(attempts <= 45, "{attempts}");
}

#[test]
fn wait_is_reset_only_by_lasting_session() {
    let mut a = Script::new(config());
    a.start();
    let wait_after = |a: &mut Script, up: u64| {
        let dialled = a.expect_dial();
        a.connected(dialled);
        a.receive(dialled, open(64512, 0));
        a.receive(dialled, keepalive());
        a.advance(Duration::from_secs(up));
        a.take_messages(dialled);
        a.closed(dialled);
        let before = a.now;
        a.advance_to_deadline();
        a.now - before
    };
    let short: Vec<_> = (0..6).map(|_| wait_after(&mut a, 1)).collect();
    assert!(short[5] > Duration::from_secs(20), "{short:?}");
    assert!(wait_after(&mut a, 61) <= Duration::from_secs(1));
}

#[test]
fn returning_peer_is_accepted_in_idle_after_connection_loss() {
    let mut a = Script::established(config());
    let connection = a.connection();
    a.closed(connection);
    assert_eq!(a.session.state(), State::Idle);
    let accepted = a
        .accept()
        .expect("Idle only because the connection was lost");
    a.expect(accepted, SentMessage::Open);

    // After a protocol error the damping also applies to the peer's connections.
    let mut b = Script::established(config());
    let connection = b.connection();
    b.receive(connection, b"garbage");
    assert_eq!(b.accept(), None);
}

/// RFC 4271 section 6.8: of two connections, the one dialled by the speaker with the higher identifier is kept.
#[test]
fn collision_keeps_connection_of_higher_identifier() {
    // Our identifier is 192.168.0.111.
    for (identifier, keeps_ours) in [("192.168.0.254", false), ("192.168.0.1", true)] {
        for opens_ours_first in [false, true] {
            let mut a = Script::new(config());
            a.start();
            let dialled = a.expect_dial();
            let accepted = a.accept().expect("a second connection is accepted");
            a.connected(dialled);
            a.expect(accepted, SentMessage::Open);
            a.expect(dialled, SentMessage::Open);
            let (first, second) = if opens_ours_first {
                (dialled, accepted)
            } else {
                (accepted, dialled)
            };
            let (kept, dropped) = if keeps_ours {
                (dialled, accepted)
            } else {
                (accepted, dialled)
            };
            // The first OPEN contains the peer's identifier, so the collision is resolved before the second OPEN.
            a.receive(first, open_with_id(64512, identifier));
            a.expect(
                dropped,
                SentMessage::Notification(Reason::CONNECTION_COLLISION_RESOLUTION, vec![]),
            );
            a.expect_close(dropped);
            if kept == second {
                a.receive(second, open_with_id(64512, identifier));
            }
            a.expect(kept, SentMessage::Keepalive);
            a.receive(kept, keepalive());
            assert_eq!(
                a.session.state(),
                State::Established,
                "{identifier} {opens_ours_first}"
            );
            assert_eq!(a.session.connection_id(), Some(kept));
            assert!(a.accept().is_some(), "the second slot is free again");
        }
    }
}

#[test]
fn second_connection_does_not_replace_established_session() {
    let mut a = Script::established(config());
    let connection = a.connection();
    let second = a.accept().expect("the peer may have restarted");
    a.expect(second, SentMessage::Open);
    assert_eq!(a.accept(), None, "one unproven connection at a time");
    a.receive(second, open(64512, 90));
    a.expect(
        second,
        SentMessage::Notification(Reason::CONNECTION_COLLISION_RESOLUTION, vec![]),
    );
    a.expect_close(second);
    a.receive(connection, update());
    assert_eq!(a.session.state(), State::Established);
    // Invalid input on another connection does not end the session either.
    let third = a.accept().expect("the second slot is free again");
    a.receive(third, vec![0; 100]);
    a.expect_close(third);
    assert_eq!(a.session.connection_id(), Some(connection));
}

#[test]
fn refresh_is_requested_and_reported() {
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receive(connection, refresh(RefreshSubtype::REQUEST));
    assert!(matches!(
        a.events.last(),
        Some(SessionEvent::Refresh(Family::IPV4_UNICAST))
    ));
    let events = a.events.len();
    // RFC 7313 section 5: a receiver ignores unknown subtypes.
    a.receive(connection, refresh(RefreshSubtype(255)));
    assert_eq!(a.events.len(), events, "an unknown subtype is ignored");
    a.receive(connection, refresh(RefreshSubtype::BEGIN));
    a.receive(connection, refresh(RefreshSubtype::END));
    assert!(matches!(
        a.events.get(events..),
        Some([SessionEvent::RefreshBegins(_), SessionEvent::RefreshEnds(_)])
    ));
    a.session.refresh(a.now, Family::IPV6_UNICAST).unwrap();
    a.poll_outputs();
    a.expect(connection, SentMessage::RouteRefresh(Family::IPV6_UNICAST));
}

/// RFC 2918 section 4: a request names a family that the peer advertised.
#[test]
fn refresh_that_peer_cannot_answer_is_refused() {
    let mut a = Script::new(config());
    let refused = a.session.refresh(a.now, Family::IPV4_UNICAST);
    assert_eq!(refused, Err(RefreshError::NotEstablished));
    let vpn = Family::IPV4_VPN;
    for (offers, error) in [
        (vec![], RefreshError::NotSupported),
        (
            vec![CapabilityBuf::RouteRefresh],
            RefreshError::NotNegotiated(vpn),
        ),
    ] {
        let mut a = Script::new(config());
        a.establish(open_with(64512, &offers));
        let refused = a.session.refresh(a.now, vpn);
        assert_eq!(refused, Err(error));
        a.poll_outputs();
        a.expect_nothing();
    }
}

#[test]
fn stream_split_anywhere_reads_the_same() {
    let stream = [open(64512, 90), keepalive(), update(), keepalive()].concat();
    for border in 1..stream.len() {
        let mut a = Script::new(config());
        a.start();
        let dialled = a.expect_dial();
        a.connected(dialled);
        a.receive(dialled, &stream[..border]);
        a.receive(dialled, &stream[border..]);
        assert_eq!(a.session.state(), State::Established);
        assert_eq!(
            a.session.statistics().prefixes_announced(),
            1,
            "split at {border}"
        );
    }
    let mut a = Script::new(config());
    a.start();
    let dialled = a.expect_dial();
    a.connected(dialled);
    stream
        .iter()
        .for_each(|octet| a.receive(dialled, vec![*octet]));
    assert_eq!(a.session.statistics().received.total(), 4);
}

#[test]
fn hanging_dial_is_abandoned_after_connect_timeout() {
    let timeout = Duration::from_secs(30);
    let policy = RetryPolicy::new().with_connect_timeout(timeout);
    let mut a = Script::new(config().with_retry(policy));
    a.start();
    let first = a.expect_dial();
    a.advance(timeout);
    a.expect_close(first);
    let second = a.expect_dial();
    assert_ne!(first, second);
    // The driver may report the first dial's success after the session has abandoned it.
    a.connected(first);
    a.expect_nothing();
}

#[test]
fn silent_connection_does_not_delay_dial() {
    // A host with the peer's address connects and sends nothing, first before the session is up.
    let mut a = Script::new(config());
    a.start();
    let dialled = a.expect_dial();
    a.closed(dialled);
    let silent = a.accept().expect("the session accepts");
    a.expect(silent, SentMessage::Open);
    a.advance_to_deadline();
    let dialled = a.expect_dial();
    a.connected(dialled);
    a.expect(dialled, SentMessage::Open);
    // The silent connection is no longer young: it takes no part in a collision.
    a.advance(Duration::from_secs(6));
    a.receive(dialled, open(64512, 90));
    a.receive(dialled, keepalive());
    assert_eq!(a.session.state(), State::Established);

    // The same while the session is up; then the session is lost.
    let mut b = Script::established(config());
    let connection = b.connection();
    let silent = b.accept().expect("the session accepts");
    b.advance(Duration::from_secs(6));
    b.closed(connection);
    b.advance_to_deadline();
    b.expect_dial();
    // A later connection replaces the silent one, and is itself closed after 30 s without an OPEN.
    let second = b.accept().expect("the silent connection makes room");
    b.expect_close(silent);
    b.advance(Duration::from_secs(30));
    b.expect_close(second);

    // With DelayOpen a silent connection waits for the timer, which may take longer.
    let mut c = Script::established(config().with_delay_open(Duration::from_secs(60)));
    let silent = c.accept().expect("the session accepts");
    c.advance(Duration::from_secs(6));
    assert!(c.accept().is_some(), "the silent connection makes room");
    c.expect_close(silent);
}

#[test]
fn short_lived_connections_neither_stop_dialling_nor_lengthen_wait() {
    let mut a = Script::new(config());
    a.start();
    let start = a.now;
    let mut dials = 0;
    while a.now - start < Duration::from_secs(3600) {
        if let Some(stranger) = a.accept() {
            a.closed(stranger);
        }
        a.advance(Duration::from_secs(30));
        while let Some(dialled) = a.try_dial() {
            a.closed(dialled);
            dials += 1;
        }
    }
    assert!(dials >= 25, "{dials}");
}

#[test]
fn abandoned_dial_is_reported_as_timed_out() {
    let mut a = Script::new(config());
    a.start();
    a.expect_dial();
    a.advance(Duration::from_secs(30));
    a.expect_dial();
    let failed = |event: &SessionEvent| {
        matches!(
            event,
            SessionEvent::Failed {
                reason: DownReason::TimedOut,
                ..
            }
        )
    };
    assert!(a.events.iter().any(failed));
}

#[test]
fn sent_refreshes_do_not_replace_keepalives() {
    // RFC 4271 section 6.5: only KEEPALIVE, UPDATE and NOTIFICATION restart the peer's hold timer.
    let mut a = Script::established(config());
    let connection = a.connection();
    let mut keepalives = 0;
    for _ in 0..60 {
        a.advance(Duration::from_secs(1));
        let mut octets = bytes::BytesMut::new();
        bgp_wire::RouteRefresh {
            family: Family::IPV4_UNICAST,
            subtype: RefreshSubtype::BEGIN,
        }
        .encode(&mut octets);
        a.session.send(a.now, octets.freeze()).unwrap();
        a.poll_outputs();
        keepalives += a
            .take_messages(connection)
            .iter()
            .filter(|kind| **kind == SentMessage::Keepalive)
            .count();
    }
    assert!(keepalives >= 2);
}

/// Negotiation uses the OPEN that was sent, not a configuration that changed before the peer answered.
#[test]
fn negotiation_uses_open_that_was_sent() {
    let hold_time = |seconds| HoldTime::new(seconds).unwrap();
    let mut a = Script::new(config().with_hold_time(hold_time(30)));
    a.start();
    let dialled = a.expect_dial();
    a.connected(dialled);
    a.session
        .update(a.now, config().with_hold_time(hold_time(60)))
        .unwrap();
    a.poll_outputs();
    a.receive(dialled, open(64512, 90));
    a.receive(dialled, keepalive());
    assert_eq!(a.session.negotiated().unwrap().hold_time, hold_time(30));

    // A peer that rejects capabilities on one connection does not change the OPEN of another connection.
    let mut b = Script::new(config());
    b.start();
    let dialled = b.expect_dial();
    b.connected(dialled);
    let accepted = b.accept().expect("a second connection");
    let refused = NotificationBuf {
        reason: Reason::UNSUPPORTED_OPTIONAL_PARAMETER,
        data: Vec::new(),
    };
    b.receive(accepted, notification(&refused));
    b.receive(dialled, open(64512, 90));
    b.receive(dialled, keepalive());
    assert!(b.session.negotiated().unwrap().context.four_octet_as());
}
