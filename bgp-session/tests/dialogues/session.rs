//! From the start of a session to its end.

use std::time::Duration;

use crate::script::{Message, Script, config, keepalive, notification, open, refresh, update};
use bgp_session::{DownReason, PeerConfig, SessionEvent, Shutdown, State};
use bgp_wire::{Asn, Family, HoldTime, NotificationBuf, Reason, RefreshSubtype};

#[test]
fn dials_and_establishes() {
    let mut a = Script::new(config());
    a.start();
    let dialled = a.expects_dial();
    a.connected(dialled);
    a.expects(dialled, Message::Open);
    assert_eq!(a.session.state(), State::OpenSent);
    a.receives(dialled, open(64512, 90));
    a.expects(dialled, Message::Keepalive);
    assert_eq!(a.session.state(), State::OpenConfirm);
    a.receives(dialled, keepalive());
    assert_eq!(a.session.state(), State::Established);
    assert_eq!(a.states(), "Idle>Connect>OpenSent>OpenConfirm>Established");
    let negotiated = a.session.negotiated().unwrap();
    assert_eq!(negotiated.hold_time, HoldTime::DEFAULT);
    assert!(negotiated.families().contains(Family::IPV6_UNICAST));
}

#[test]
fn accepts_and_establishes() {
    let mut a = Script::new(config().passive(true));
    a.start();
    assert_eq!(a.session.state(), State::Active);
    let accepted = a.accepts().expect("wanted");
    a.expects(accepted, Message::Open);
    a.receives(accepted, open(64512, 90));
    a.receives(accepted, keepalive());
    assert_eq!(a.session.state(), State::Established);
    assert_eq!(a.states(), "Idle>Active>OpenSent>OpenConfirm>Established");
}

#[test]
fn passive_never_dials() {
    let mut a = Script::new(config().passive(true));
    a.start();
    a.passes(Duration::from_secs(3600));
    assert_eq!(a.session.state(), State::Active);
}

#[test]
fn waits_for_the_peers_open_first() {
    let mut a = Script::new(config().delay_open(Duration::from_secs(5)));
    a.start();
    let dialled = a.expects_dial();
    a.connected(dialled);
    a.expects_nothing();
    a.receives(dialled, open(64512, 90));
    a.expects(dialled, Message::Open);
    a.expects(dialled, Message::Keepalive);
    assert_eq!(a.session.state(), State::OpenConfirm);

    let mut b = Script::new(config().delay_open(Duration::from_secs(5)));
    b.start();
    let dialled = b.expects_dial();
    b.connected(dialled);
    b.passes(Duration::from_secs(5));
    b.expects(dialled, Message::Open);
    assert_eq!(b.session.state(), State::OpenSent);
}

#[test]
fn keeps_alive_and_expires() {
    let mut a = Script::established(config());
    let connection = a.connection();
    let mut keepalives = 0;
    for _ in 0..89 {
        a.passes(Duration::from_secs(1));
        keepalives += a
            .take_messages(connection)
            .iter()
            .filter(|kind| **kind == Message::Keepalive)
            .count();
    }
    assert!(
        (3..=4).contains(&keepalives),
        "every 22.5 to 30 seconds: {keepalives}"
    );
    a.receives(connection, keepalive());
    a.passes(Duration::from_secs(89));
    assert_eq!(a.session.state(), State::Established);
    a.take_messages(connection);
    a.passes(Duration::from_secs(1));
    a.expects(
        connection,
        Message::Notification(Reason::HOLD_TIMER_EXPIRED, vec![]),
    );
    a.expects_close(connection);
    let reason = NotificationBuf {
        reason: Reason::HOLD_TIMER_EXPIRED,
        data: vec![],
    };
    assert_eq!(a.down(), Some(DownReason::Local(reason)));
}

#[test]
fn hold_time_zero_never_expires() {
    let mut a = Script::new(config());
    let connection = a.establish(open(64512, 0));
    a.passes(Duration::from_secs(100_000));
    assert_eq!(a.session.state(), State::Established);
    assert_eq!(a.take_messages(connection), []);
}

#[test]
fn a_silent_peer_is_given_four_minutes_for_its_open() {
    let mut a = Script::new(config());
    a.start();
    let dialled = a.expects_dial();
    a.connected(dialled);
    a.expects(dialled, Message::Open);
    a.passes(Duration::from_secs(239));
    assert_eq!(a.session.state(), State::OpenSent);
    a.passes(Duration::from_secs(1));
    a.expects(
        dialled,
        Message::Notification(Reason::HOLD_TIMER_EXPIRED, vec![]),
    );
}

#[test]
fn unexpected_messages_are_named_by_their_type() {
    let unexpected = [
        (keepalive(), 4),
        (update(), 2),
        (refresh(RefreshSubtype::REQUEST), 5),
    ];
    for (octets, message_type) in unexpected {
        let mut a = Script::new(config());
        a.start();
        let dialled = a.expects_dial();
        a.connected(dialled);
        a.expects(dialled, Message::Open);
        a.receives(dialled, octets);
        a.expects(
            dialled,
            Message::Notification(Reason::UNEXPECTED_MESSAGE_IN_OPEN_SENT, vec![message_type]),
        );
    }
    for (octets, message_type) in [
        (update(), 2),
        (open(64512, 90), 1),
        (refresh(RefreshSubtype::REQUEST), 5),
    ] {
        let mut a = Script::new(config());
        let connection = a.confirm(open(64512, 90));
        a.receives(connection, octets);
        a.expects(
            connection,
            Message::Notification(
                Reason::UNEXPECTED_MESSAGE_IN_OPEN_CONFIRM,
                vec![message_type],
            ),
        );
    }
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receives(connection, open(64512, 90));
    a.expects(
        connection,
        Message::Notification(Reason::UNEXPECTED_MESSAGE_IN_ESTABLISHED, vec![1]),
    );
}

#[test]
fn refused_opens() {
    let refused = [
        (open(64513, 90), Reason::BAD_PEER_AS, vec![]),
        (
            crate::script::raw_open("040000005ac0a800fe00"),
            Reason::BAD_PEER_AS,
            vec![],
        ),
        (
            crate::script::open_with_id(64512, "192.168.0.111"),
            Reason::BAD_BGP_IDENTIFIER,
            vec![],
        ),
        (
            crate::script::open_with_families(&[Family::IPV4_MULTICAST]),
            Reason::UNSUPPORTED_CAPABILITY,
            vec![1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1],
        ),
        (
            crate::script::raw_open("05fc00005ac0a800fe00"),
            Reason::UNSUPPORTED_VERSION_NUMBER,
            vec![0, 4],
        ),
        (
            crate::script::raw_open("04fc000002c0a800fe00"),
            Reason::UNACCEPTABLE_HOLD_TIME,
            vec![],
        ),
        // AS_TRANS without the capability that says which AS it stands for.
        (
            crate::script::raw_open("045ba0005ac0a800fe00"),
            Reason::BAD_PEER_AS,
            vec![],
        ),
    ];
    for (octets, reason, data) in refused {
        let mut a = Script::new(config());
        a.start();
        let dialled = a.expects_dial();
        a.connected(dialled);
        a.expects(dialled, Message::Open);
        a.receives(dialled, octets);
        a.expects(dialled, Message::Notification(reason, data));
        a.expects_close(dialled);
    }
}

#[test]
fn identifier_equal_to_ours_is_legal_between_two_ases() {
    let config = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64513));
    let mut a = Script::new(config);
    a.establish(crate::script::open_with_id(64513, "192.168.0.111"));
    assert_eq!(a.session.state(), State::Established);
}

#[test]
fn an_old_peer_without_capabilities() {
    let mut a = Script::new(config());
    a.establish(crate::script::raw_open("04fc00005ac0a800fe00"));
    let families: Vec<_> = a.session.negotiated().unwrap().families().iter().collect();
    assert_eq!(families, [Family::IPV4_UNICAST]);
}

#[test]
fn header_faults_carry_their_own_code() {
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receives(connection, b"GET / HTTP/1.1\r\n\r\n");
    a.expects(
        connection,
        Message::Notification(Reason::CONNECTION_NOT_SYNCHRONIZED, vec![]),
    );
    a.expects_close(connection);
    // What comes behind it is not looked at.
    a.receives(connection, update());
    a.expects_nothing();
}

#[test]
fn malformed_updates() {
    // A MED of three octets in front of a prefix: the route counts as withdrawn, the session lives.
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receives(
        connection,
        crate::script::update_with("40010100 400200 400304c0a800fe 800403000000", "180ac802"),
    );
    assert_eq!(a.session.statistics().updates_treated_as_withdraw, 1);
    assert_eq!(a.session.statistics().prefixes_withdrawn(), 1);
    assert_eq!(a.session.state(), State::Established);
    // Without a prefix there is nothing to withdraw.
    a.receives(connection, crate::script::update_with("800403000000", ""));
    let data = vec![0x80, 4, 3, 0, 0, 0];
    a.expects(
        connection,
        Message::Notification(Reason::ATTRIBUTE_LENGTH_ERROR, data),
    );
}

#[test]
fn notifications_end_the_session_without_an_answer() {
    let cease = NotificationBuf::with_text(Reason::ADMINISTRATIVE_SHUTDOWN, "maintenance");
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receives(connection, [notification(&cease), update()].concat());
    a.expects_close(connection);
    a.expects_nothing();
    assert_eq!(a.session.statistics().received.update, 0);
    let Some(DownReason::Remote(received)) = a.down() else {
        panic!("ended by the peer")
    };
    assert_eq!(received.text().as_deref(), Some("maintenance"));
}

#[test]
fn stop_says_why() {
    let mut a = Script::established(config());
    let connection = a.connection();
    a.stop(&Shutdown::administrative("upgrade"));
    a.expects(
        connection,
        Message::Notification(Reason::ADMINISTRATIVE_SHUTDOWN, b"\x07upgrade".to_vec()),
    );
    a.expects_close(connection);
    assert!(matches!(a.down(), Some(DownReason::Stopped(_))));
    a.passes(Duration::from_secs(3600));
    assert_eq!(a.session.state(), State::Idle);
}

#[test]
fn failures_are_followed_by_growing_waits() {
    let mut a = Script::new(config());
    a.start();
    let mut waits = Vec::new();
    for _ in 0..10 {
        let dialled = a.expects_dial();
        let before = a.now;
        a.closed(dialled);
        assert_eq!(a.session.state(), State::Idle);
        a.passes_until_due();
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
fn at_most_forty_attempts_an_hour_at_a_peer_that_refuses() {
    let mut a = Script::new(config());
    a.start();
    let start = a.now;
    let mut attempts = 0;
    while a.now - start < Duration::from_secs(3600) {
        let dialled = a.expects_dial();
        a.connected(dialled);
        a.expects(dialled, Message::Open);
        a.receives(dialled, open(64999, 90));
        a.take_messages(dialled);
        a.expects_close(dialled);
        a.passes_until_due();
        attempts += 1;
    }
    assert!(attempts <= 45, "{attempts}");
}

#[test]
fn only_a_session_that_stays_up_ends_the_growth() {
    let mut a = Script::new(config());
    a.start();
    let wait_after = |a: &mut Script, up: u64| {
        let dialled = a.expects_dial();
        a.connected(dialled);
        a.receives(dialled, open(64512, 0));
        a.receives(dialled, keepalive());
        a.passes(Duration::from_secs(up));
        a.take_messages(dialled);
        a.closed(dialled);
        let before = a.now;
        a.passes_until_due();
        a.now - before
    };
    let short: Vec<_> = (0..6).map(|_| wait_after(&mut a, 1)).collect();
    assert!(short[5] > Duration::from_secs(20), "{short:?}");
    assert!(wait_after(&mut a, 61) <= Duration::from_secs(1));
}

#[test]
fn a_peer_that_comes_back_is_let_in_at_once() {
    let mut a = Script::established(config());
    let connection = a.connection();
    a.closed(connection);
    assert_eq!(a.session.state(), State::Idle);
    let accepted = a
        .accepts()
        .expect("the wait was for want of a connection only");
    a.expects(accepted, Message::Open);

    // After a protocol error the wait is meant.
    let mut b = Script::established(config());
    let connection = b.connection();
    b.receives(connection, b"garbage");
    assert_eq!(b.accepts(), None);
}

#[test]
fn collision_keeps_the_connection_of_the_higher_identifier() {
    // Ours is 192.168.0.111. The peer's is higher: the connection that it made is kept.
    for (identifier, keeps_ours) in [("192.168.0.254", false), ("192.168.0.1", true)] {
        for opens_ours_first in [false, true] {
            let mut a = Script::new(config());
            a.start();
            let dialled = a.expects_dial();
            let accepted = a.accepts().expect("both may be there");
            a.connected(dialled);
            a.expects(accepted, Message::Open);
            a.expects(dialled, Message::Open);
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
            // The first OPEN names the peer, and decides.
            a.receives(first, crate::script::open_with_id(64512, identifier));
            a.expects(
                dropped,
                Message::Notification(Reason::CONNECTION_COLLISION_RESOLUTION, vec![]),
            );
            a.expects_close(dropped);
            if kept == second {
                a.receives(second, crate::script::open_with_id(64512, identifier));
            }
            a.expects(kept, Message::Keepalive);
            a.receives(kept, keepalive());
            assert_eq!(
                a.session.state(),
                State::Established,
                "{identifier} {opens_ours_first}"
            );
            assert_eq!(a.session.connection_id(), Some(kept));
            assert!(a.accepts().is_some(), "and there is room for the next");
        }
    }
}

#[test]
fn an_established_session_is_not_replaced() {
    let mut a = Script::established(config());
    let connection = a.connection();
    let second = a.accepts().expect("it may turn out to be the peer");
    a.expects(second, Message::Open);
    assert_eq!(a.accepts(), None, "one at a time");
    a.receives(second, open(64512, 90));
    a.expects(
        second,
        Message::Notification(Reason::CONNECTION_COLLISION_RESOLUTION, vec![]),
    );
    a.expects_close(second);
    a.receives(connection, update());
    assert_eq!(a.session.state(), State::Established);
    // Hostile bytes on another one do not touch it either.
    let third = a.accepts().expect("there is room again");
    a.receives(third, vec![0; 100]);
    a.expects_close(third);
    assert_eq!(a.session.connection_id(), Some(connection));
}

#[test]
fn refresh_both_ways() {
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receives(connection, refresh(RefreshSubtype::REQUEST));
    assert!(matches!(
        a.events.last(),
        Some(SessionEvent::Refresh(Family::IPV4_UNICAST))
    ));
    let events = a.events.len();
    a.receives(connection, refresh(RefreshSubtype(255)));
    assert_eq!(a.events.len(), events, "ignored");
    a.receives(connection, refresh(RefreshSubtype::BEGIN));
    a.receives(connection, refresh(RefreshSubtype::END));
    assert!(matches!(
        a.events.get(events..),
        Some([SessionEvent::RefreshBegins(_), SessionEvent::RefreshEnds(_)])
    ));
    a.session.refresh(a.now, Family::IPV6_UNICAST).unwrap();
    a.drain();
    a.expects(connection, Message::RouteRefresh(Family::IPV6_UNICAST));
}

#[test]
fn every_split_of_a_stream_reads_the_same() {
    let stream = [open(64512, 90), keepalive(), update(), keepalive()].concat();
    for border in 1..stream.len() {
        let mut a = Script::new(config());
        a.start();
        let dialled = a.expects_dial();
        a.connected(dialled);
        a.receives(dialled, &stream[..border]);
        a.receives(dialled, &stream[border..]);
        assert_eq!(a.session.state(), State::Established);
        assert_eq!(
            a.session.statistics().prefixes_announced(),
            1,
            "split at {border}"
        );
    }
    let mut a = Script::new(config());
    a.start();
    let dialled = a.expects_dial();
    a.connected(dialled);
    stream
        .iter()
        .for_each(|octet| a.receives(dialled, vec![*octet]));
    assert_eq!(a.session.statistics().received.total(), 4);
}

#[test]
fn a_hanging_dial_is_given_up() {
    let mut a = Script::new(config().connect_retry(Duration::from_secs(30)));
    a.start();
    let first = a.expects_dial();
    a.passes(Duration::from_secs(30));
    a.expects_close(first);
    let second = a.expects_dial();
    assert_ne!(first, second);
    // The first one's success comes too late.
    a.connected(first);
    a.expects_nothing();
}

#[test]
fn a_silent_stranger_at_the_peers_address_delays_nothing() {
    // Before the session is up, and after it was lost.
    let mut a = Script::new(config());
    a.start();
    let dialled = a.expects_dial();
    a.closed(dialled);
    let silent = a.accepts().expect("it may be the peer");
    a.expects(silent, Message::Open);
    a.passes(Duration::from_secs(6));
    let dialled = a.expects_dial();
    a.connected(dialled);
    a.expects(dialled, Message::Open);
    a.receives(dialled, open(64512, 90));
    a.receives(dialled, keepalive());
    assert_eq!(a.session.state(), State::Established);

    let mut b = Script::established(config());
    let connection = b.connection();
    let silent = b.accepts().expect("it may be the peer");
    b.passes(Duration::from_secs(6));
    b.closed(connection);
    b.passes_until_due();
    b.expects_dial();
    // Who comes later takes its place; and it is given half a minute only.
    let second = b.accepts().expect("the silent one goes");
    b.expects_close(silent);
    b.passes(Duration::from_secs(30));
    b.expects_close(second);
}

#[test]
fn strangers_that_come_and_go_neither_stop_dialling_nor_lengthen_the_wait() {
    let mut a = Script::new(config());
    a.start();
    let start = a.now;
    let mut dials = 0;
    while a.now - start < Duration::from_secs(3600) {
        if let Some(stranger) = a.accepts() {
            a.closed(stranger);
        }
        a.passes(Duration::from_secs(30));
        while let Some(dialled) = a.try_dial() {
            a.closed(dialled);
            dials += 1;
        }
    }
    assert!(dials >= 25, "{dials}");
}

#[test]
fn a_dial_that_is_given_up_is_said() {
    let mut a = Script::new(config());
    a.start();
    a.expects_dial();
    a.passes(Duration::from_secs(30));
    a.expects_dial();
    let failed = |event: &SessionEvent| {
        matches!(
            event,
            SessionEvent::Failed {
                reason: DownReason::TimedOut
            }
        )
    };
    assert!(a.events.iter().any(failed));
}

#[test]
fn refreshes_alone_do_not_silence_keepalives() {
    let mut a = Script::established(config());
    let connection = a.connection();
    let mut keepalives = 0;
    for _ in 0..60 {
        a.passes(Duration::from_secs(1));
        let mut octets = bytes::BytesMut::new();
        bgp_wire::RouteRefresh {
            family: Family::IPV4_UNICAST,
            subtype: RefreshSubtype::BEGIN,
        }
        .encode(&mut octets);
        a.session.send(a.now, octets.freeze()).unwrap();
        a.drain();
        keepalives += a
            .take_messages(connection)
            .iter()
            .filter(|kind| **kind == Message::Keepalive)
            .count();
    }
    assert!(keepalives >= 2);
}

/// What was offered counts, not what is configured by the time that the peer answers.
#[test]
fn the_open_that_was_sent_is_negotiated() {
    let hold_time = |seconds| HoldTime::new(seconds).unwrap();
    let mut a = Script::new(config().hold_time(hold_time(30)));
    a.start();
    let dialled = a.expects_dial();
    a.connected(dialled);
    a.session.update(a.now, config().hold_time(hold_time(60)));
    a.drain();
    a.receives(dialled, open(64512, 90));
    a.receives(dialled, keepalive());
    assert_eq!(a.session.negotiated().unwrap().hold_time, hold_time(30));

    // A refusal of the OPEN with capabilities on one connection changes nothing on another.
    let mut b = Script::new(config());
    b.start();
    let dialled = b.expects_dial();
    b.connected(dialled);
    let accepted = b.accepts().expect("a second connection");
    let refused = NotificationBuf {
        reason: Reason::UNSUPPORTED_OPTIONAL_PARAMETER,
        data: Vec::new(),
    };
    b.receives(accepted, notification(&refused));
    b.receives(dialled, open(64512, 90));
    b.receives(dialled, keepalive());
    assert!(b.session.negotiated().unwrap().context.has_four_octet_as());
}
