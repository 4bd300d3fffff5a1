//! Dialogues about the wait before the next attempt: unreachable peers, damping, and peers that return.

use std::time::{Duration, Instant};

use crate::script::{Script, SentMessage, config, keepalive, notification, open};
use bgp_session::{ConnectionId, RetryPolicy, State};
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
    a.receive(dialled, notify(Reason::UNACCEPTABLE_HOLD_TIME));
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
    let policy = RetryPolicy::new().with_stable_time(SECOND * 2);
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

/// Connects the first dial, and ends it by an AS number that one side does not accept.
fn ended_by_bad_as(octets: Vec<u8>) -> Script {
    let mut a = Script::new(config());
    a.start();
    let (dialled, _) = wait_for_dial(&mut a);
    a.connected(dialled);
    a.receive(dialled, octets);
    assert_eq!(a.session.state(), State::Idle);
    a.take_messages(dialled);
    a
}

#[test]
fn bad_as_waits_maximum_at_once() {
    for octets in [notify(Reason::BAD_PEER_AS), open(64999, 90)] {
        let mut a = ended_by_bad_as(octets);
        let (_, wait) = wait_for_dial(&mut a);
        assert!((SECOND * 90..=SECOND * 120).contains(&wait), "{wait:?}");
    }
}

#[test]
fn connection_of_peer_after_bad_as_is_accepted() {
    for octets in [notify(Reason::BAD_PEER_AS), open(64999, 90)] {
        let mut a = ended_by_bad_as(octets);
        let again = a.accept().expect("an operator may have fixed the peer");
        a.expect(again, SentMessage::Open);
        a.receive(again, open(64999, 90));
        let refusal = SentMessage::Notification(Reason::BAD_PEER_AS, vec![]);
        a.expect(again, refusal);
        a.expect_close(again);
        assert_eq!(a.session.state(), State::Idle);
        let fixed = a.accept().expect("no wait between connections of the peer");
        a.receive(fixed, open(64512, 90));
        a.receive(fixed, keepalive());
        assert_eq!(a.session.state(), State::Established);
    }
}

/// Connects the next dial, which the peer closes without a NOTIFICATION after some time. Returns the wait before it.
fn silently_closed_attempt(a: &mut Script, after: Duration) -> Duration {
    let (dialled, wait) = wait_for_dial(a);
    a.connected(dialled);
    a.advance(after);
    a.closed(dialled);
    wait
}

#[test]
fn first_connection_closed_early_is_retried_at_once() {
    let milliseconds = Duration::from_millis;
    let quick = milliseconds(50)..=milliseconds(100);
    let mut a = Script::new(config());
    a.start();
    for _ in 0..2 {
        silently_closed_attempt(&mut a, milliseconds(99));
        assert_eq!(a.session.state(), State::Active);
        let wait = silently_closed_attempt(&mut a, milliseconds(1));
        assert!(quick.contains(&wait), "{wait:?}");
        let (dialled, wait) = wait_for_dial(&mut a);
        assert!(wait >= milliseconds(750), "only once: {wait:?}");
        // The router is away again: it may close the first connection after its next start.
        a.closed(dialled);
        assert_eq!(a.session.state(), State::Idle);
    }
    let mut b = Script::new(config());
    b.start();
    silently_closed_attempt(&mut b, milliseconds(100));
    let (_, wait) = wait_for_dial(&mut b);
    assert!(wait >= milliseconds(750), "not early: {wait:?}");
}

#[test]
fn start_ends_damped_wait_in_active() {
    let mut a = Script::new(config());
    a.start();
    for _ in 0..10 {
        silently_closed_attempt(&mut a, SECOND);
    }
    a.advance(SECOND * 30);
    assert_eq!(a.session.state(), State::Active);
    assert_eq!(a.try_dial(), None, "the wait is that after ten failures");
    a.start();
    let dialled = a.expect_dial();
    assert_eq!(a.session.state(), State::Connect);
    // A further start does not replace the dial.
    a.start();
    assert_eq!(a.try_dial(), None);
    // The failures are forgotten.
    a.connected(dialled);
    a.advance(SECOND);
    a.closed(dialled);
    let (_, wait) = wait_for_dial(&mut a);
    assert!(wait <= SECOND, "{wait:?}");
}

#[test]
fn start_of_waiting_passive_session_dials_nothing() {
    let mut a = Script::new(config().with_passive(true));
    a.start();
    a.start();
    assert_eq!(a.session.state(), State::Active);
    a.expect_nothing();
}

#[test]
fn start_keeps_connection_that_delays_its_open() {
    let delaying = config().with_delay_open(SECOND * 60);
    let mut a = Script::new(delaying.clone().with_passive(true));
    a.start();
    let accepted = a.accept().unwrap();
    // The session is no longer passive, but the peer has connected already.
    a.session.update(a.now, delaying).unwrap();
    assert_eq!(a.session.state(), State::Active);
    a.start();
    a.expect_nothing();
    a.receive(accepted, open(64512, 90));
    assert_eq!(a.session.state(), State::OpenConfirm);
}

#[test]
fn early_close_with_notification_is_damped() {
    let mut a = Script::new(config());
    a.start();
    rejected_attempt(&mut a);
    let (_, wait) = wait_for_dial(&mut a);
    assert!(wait >= Duration::from_millis(750), "{wait:?}");
}

/// The behavior of a peer's address while the peer is away.
#[derive(Clone, Copy, Debug)]
enum Absence {
    /// The machine refuses every connection.
    Refuses,
    /// Nothing answers.
    Silent,
}

/// Returns the first time from `from` on at which the kernel sends a SYN of a dial: at once, then after 1, 3 and 7 s.
fn next_syn(dialled_at: Instant, from: Instant) -> Option<Instant> {
    let times = [0, 1, 3, 7].map(|seconds| dialled_at + SECOND * seconds);
    times.into_iter().find(|time| *time >= from)
}

/// Ends a session, keeps the peer away for some time, and returns the time from its return to the next session.
fn time_to_return(seed: u64, absence: Absence, away: Duration) -> Duration {
    let mut a = Script::with_seed(config(), seed);
    a.start();
    let (connection, _) = establish_next(&mut a);
    a.advance(SECOND * 30);
    a.closed(connection);
    let back = a.now + away;
    let (dialled, at) = loop {
        let (dialled, _) = wait_for_dial(&mut a);
        let dialled_at = a.now;
        match absence {
            _ if dialled_at >= back => break (dialled, dialled_at),
            Absence::Refuses => a.closed(dialled),
            Absence::Silent => {
                // The answer to a SYN counts only if the session has not abandoned the dial before.
                let syn = next_syn(dialled_at, back).filter(|syn| Some(*syn) < a.deadline());
                if let Some(syn) = syn {
                    break (dialled, syn);
                }
            }
        }
    };
    a.advance(at - a.now);
    a.connected(dialled);
    a.receive(dialled, open(64512, 0));
    a.receive(dialled, keepalive());
    assert_eq!(a.session.state(), State::Established);
    at - back
}

#[test]
fn returned_peer_has_session_within_two_seconds() {
    for absence in [Absence::Refuses, Absence::Silent] {
        for away in [2, 10, 60, 300] {
            for seed in 0..100 {
                let time = time_to_return(seed, absence, SECOND * away);
                assert!(
                    time < SECOND * 2,
                    "{absence:?} for {away} s, seed {seed}: {time:?}"
                );
            }
        }
    }
}

#[test]
fn exceeded_limit_of_peer_allows_two_sessions_a_minute() {
    for seed in 0..100 {
        let mut a = Script::with_seed(config(), seed);
        a.start();
        let (end, mut sessions) = (a.now + SECOND * 60, 0);
        loop {
            let (dialled, _) = wait_for_dial(&mut a);
            if a.now > end {
                break;
            }
            a.connected(dialled);
            a.receive(dialled, open(64512, 0));
            a.receive(dialled, keepalive());
            a.receive(dialled, notify(Reason::MAXIMUM_PREFIXES_REACHED));
            sessions += 1;
        }
        assert!(sessions <= 2, "seed {seed}: {sessions}");
    }
}

#[test]
fn closed_connection_of_peer_does_not_shorten_wait() {
    let mut a = ended_by(notify(Reason::MAXIMUM_PREFIXES_REACHED));
    let accepted = a.accept().expect("the peer may try again");
    a.receive(accepted, open(64512, 90));
    a.closed(accepted);
    let (_, wait) = wait_for_dial(&mut a);
    assert!((SECOND * 90..=SECOND * 120).contains(&wait), "{wait:?}");
}
