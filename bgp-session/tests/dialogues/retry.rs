//! Dialogues about the wait before the next attempt: unreachable peers, damping, and peers that return.

use std::time::Duration;

use crate::script::{Script, SentMessage, config, keepalive, notification, open};
use bgp_session::{ConnectionId, RetryPolicy, SessionEvent, Shutdown, State};
use bgp_wire::{Family, NotificationBuf, Reason};

const SECOND: Duration = Duration::from_secs(1);

/// Returns a NOTIFICATION of a peer.
fn notify(reason: Reason) -> Vec<u8> {
    notification(&NotificationBuf {
        reason,
        data: Vec::new(),
    })
}

/// Serves deadlines until the session dials. Returns the dial and the wait before it.
fn wait_for_dial(a: &mut Script) -> (ConnectionId, Duration) {
    let before = a.now;
    loop {
        if let Some(dialled) = a.try_dial() {
            return (dialled, a.now - before);
        }
        a.advance_to_deadline();
    }
}

/// Connects the next dial and lets the peer reject the OPEN. Returns the wait before that dial.
fn rejected_attempt(a: &mut Script) -> Duration {
    let (dialled, wait) = wait_for_dial(a);
    a.connected(dialled);
    a.receive(dialled, notify(Reason::BAD_PEER_AS));
    assert_eq!(a.session.state(), State::Idle);
    wait
}

/// Brings the next dial to Established with a hold time of 0. Returns the connection and the wait before that dial.
fn establish_next(a: &mut Script) -> (ConnectionId, Duration) {
    let (dialled, wait) = wait_for_dial(a);
    a.connected(dialled);
    a.receive(dialled, open(64512, 0));
    a.receive(dialled, keepalive());
    assert_eq!(a.session.state(), State::Established);
    a.take_messages(dialled);
    (dialled, wait)
}

#[test]
fn refused_dials_are_retried_at_steady_pace() {
    let mut a = Script::new(config());
    a.start();
    for attempt in 0..3600 {
        let (dialled, wait) = wait_for_dial(&mut a);
        let range = if attempt == 0 {
            Duration::ZERO..=Duration::ZERO
        } else {
            SECOND..=SECOND * 3 / 2
        };
        assert!(range.contains(&wait), "attempt {attempt}: {wait:?}");
        a.closed(dialled);
        assert_eq!(a.session.state(), State::Idle);
    }
}

#[test]
fn unanswered_dials_are_replaced_at_steady_pace() {
    let mut a = Script::new(config());
    a.start();
    let (mut last, _) = wait_for_dial(&mut a);
    for _ in 0..1000 {
        let (dialled, wait) = wait_for_dial(&mut a);
        // The kernel repeats a SYN after 1 s: with the next dial, at most one SYN a second is sent.
        let range = SECOND * 2..=SECOND * 11 / 4;
        assert!(range.contains(&wait), "{wait:?}");
        a.expect_close(last);
        last = dialled;
    }
    assert_eq!(a.session.state(), State::Connect);
}

#[test]
fn refused_dials_neither_lengthen_nor_forgive_damping() {
    let mut a = Script::new(config());
    a.start();
    for _ in 0..4 {
        rejected_attempt(&mut a);
    }
    for _ in 0..10 {
        let (dialled, _) = wait_for_dial(&mut a);
        a.closed(dialled);
    }
    rejected_attempt(&mut a);
    // The fifth failure of a connection.
    let (_, wait) = wait_for_dial(&mut a);
    assert!((SECOND * 12..=SECOND * 16).contains(&wait), "{wait:?}");
}

/// Lets an Established session last for some time, and then the peer closes it.
fn lose_session_after(a: &mut Script, time: Duration) {
    let (connection, _) = establish_next(a);
    a.advance(time);
    a.closed(connection);
}

#[test]
fn session_that_lasted_forgives_damping() {
    let mut a = Script::new(config());
    a.start();
    for _ in 0..3 {
        rejected_attempt(&mut a);
    }
    // The last damping was 4 s, but a session of less than 10 s is not stable.
    lose_session_after(&mut a, SECOND * 9);
    let wait = rejected_attempt(&mut a);
    assert!((SECOND * 6..=SECOND * 8).contains(&wait), "{wait:?}");
    // Now it was 16 s: the session must outlast it.
    lose_session_after(&mut a, SECOND * 15);
    let (dialled, wait) = wait_for_dial(&mut a);
    assert!((SECOND * 24..=SECOND * 32).contains(&wait), "{wait:?}");
    a.connected(dialled);
    a.receive(dialled, open(64512, 0));
    a.receive(dialled, keepalive());
    a.advance(SECOND * 32);
    a.closed(dialled);
    let wait = rejected_attempt(&mut a);
    assert!(wait <= SECOND, "{wait:?}");
    // The end of a session that lasted is no failure itself.
    let wait = rejected_attempt(&mut a);
    assert!(wait <= SECOND, "{wait:?}");
}

#[test]
fn sessions_that_last_25_seconds_are_never_damped() {
    let mut a = Script::new(config());
    a.start();
    for restart in 0..100 {
        let (connection, wait) = establish_next(&mut a);
        assert!(wait <= SECOND, "restart {restart}: {wait:?}");
        a.advance(SECOND * 25);
        a.receive(connection, notify(Reason::PEER_DECONFIGURED));
    }
}

#[test]
fn stable_time_is_configurable() {
    let policy = RetryPolicy::new().with_stable_time(SECOND * 2).unwrap();
    let mut a = Script::new(config().with_retry(policy));
    a.start();
    for _ in 0..10 {
        let (connection, wait) = establish_next(&mut a);
        assert!(wait <= SECOND, "{wait:?}");
        a.advance(SECOND * 2);
        a.closed(connection);
    }
}

/// Lets the peer end an Established session with a NOTIFICATION.
fn ended_by(octets: Vec<u8>) -> Script {
    let mut a = Script::established(config());
    let connection = a.connection();
    a.receive(connection, octets);
    assert_eq!(a.session.state(), State::Idle);
    a
}

#[test]
fn connection_of_peer_after_its_cease_is_accepted() {
    for subcode in 1..=10 {
        let cease = Reason { code: 6, subcode };
        let mut a = ended_by(notify(cease));
        let accepted = a.accept().expect("the peer may be restarting");
        a.expect(accepted, SentMessage::Open);
        a.receive(accepted, open(64512, 90));
        a.receive(accepted, keepalive());
        assert_eq!(a.session.state(), State::Established, "{cease}");
    }
}

#[test]
fn connection_of_peer_after_expired_hold_timer_is_accepted() {
    let mut a = Script::established(config());
    a.advance(SECOND * 90);
    assert_eq!(a.session.state(), State::Idle);
    assert!(a.accept().is_some());
    let mut b = ended_by(notify(Reason::HOLD_TIMER_EXPIRED));
    assert!(b.accept().is_some());
}

#[test]
fn connection_of_peer_after_error_is_refused_during_wait() {
    let mut a = ended_by(notify(Reason::MALFORMED_ATTRIBUTE_LIST));
    assert_eq!(a.accept(), None);
    wait_for_dial(&mut a);
    assert!(a.accept().is_some(), "the wait is over");
}

#[test]
fn received_prefix_limit_waits_maximum_at_once() {
    let hard = NotificationBuf::maximum_prefixes(Family::IPV4_UNICAST, 3).into_hard_reset();
    for octets in [
        notify(Reason::MAXIMUM_PREFIXES_REACHED),
        notification(&hard),
    ] {
        let mut a = ended_by(octets);
        let (_, wait) = wait_for_dial(&mut a);
        assert!((SECOND * 90..=SECOND * 120).contains(&wait), "{wait:?}");
    }
}
