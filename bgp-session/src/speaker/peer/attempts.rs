//! `Attempts`: tells which events only repeat that a peer cannot be reached.
//!
//! An absent peer is dialled every second or two. A log line for each attempt would hide every other one.

use bgp_wire::Reason;

use crate::fsm::State;
use crate::output::{DownReason, SessionEvent};

/// The failed attempts to connect since the peer was last reached.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// The kinds of failures so far, the oldest first.
    failures: Vec<Kind>,
    /// `true` if the last failure was not the first of its kind.
    repeated: bool,
}

/// The kind of a failure: its reason without the data of a NOTIFICATION, which the peer may change every time.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Sent(Reason),
    Received(Reason),
    Other(DownReason),
}

impl Attempts {
    /// Returns `true` if an event belongs to an attempt that fails in the same way as an earlier one.
    pub(super) fn repeats(&mut self, event: &SessionEvent) -> bool {
        if let SessionEvent::Failed { reason } = event {
            self.repeated = self.is_known(Kind::of(reason));
            return self.repeated;
        }
        let SessionEvent::StateChanged { from, to, .. } = event else {
            return false;
        };
        // An attempt that TCP does not connect stays in these states.
        if *from.max(to) > State::Active {
            *self = Self::default();
        }
        self.repeated
    }

    /// Records a failure of this kind. Returns `true` if an earlier one had the same kind.
    fn is_known(&mut self, kind: Kind) -> bool {
        if self.failures.contains(&kind) {
            return true;
        }
        // Failures of connections that the peer makes are here also, and it chooses their kinds.
        if self.failures.len() >= MAX_KINDS {
            self.failures.remove(0);
        }
        self.failures.push(kind);
        false
    }
}

impl Kind {
    fn of(reason: &DownReason) -> Self {
        match reason {
            DownReason::Local(notification) => Self::Sent(notification.reason),
            DownReason::Remote(notification) => Self::Received(notification.reason),
            DownReason::ConnectFailed { .. }
            | DownReason::Closed { .. }
            | DownReason::TimedOut
            | DownReason::Stopped(_)
            | DownReason::Restarting => Self::Other(reason.clone()),
        }
    }
}

/// The maximum number of kinds that are remembered. More than the ways in which a network fails.
const MAX_KINDS: usize = 16;

#[cfg(test)]
mod tests {
    use bgp_wire::NotificationBuf;

    use super::*;
    use crate::fsm::Event;

    fn change(from: State, to: State) -> SessionEvent {
        SessionEvent::StateChanged {
            from,
            to,
            cause: Event::ManualStart,
        }
    }

    fn failed(reason: DownReason) -> SessionEvent {
        SessionEvent::Failed { reason }
    }

    /// Returns whether each event of one failed attempt repeats earlier ones.
    fn attempt(attempts: &mut Attempts, reason: DownReason) -> [bool; 3] {
        [
            change(State::Idle, State::Connect),
            failed(reason),
            change(State::Connect, State::Idle),
        ]
        .map(|event| attempts.repeats(&event))
    }

    #[test]
    fn equal_failures_repeat_until_peer_is_reached() {
        let mut attempts = Attempts::default();
        for _ in 0..2 {
            let closed = || DownReason::ConnectFailed { error: None };
            assert_eq!(attempt(&mut attempts, closed()), [false; 3]);
            assert_eq!(attempt(&mut attempts, closed()), [false, true, true]);
            assert_eq!(attempt(&mut attempts, closed()), [true; 3]);
            // The first failure of another kind is news.
            let other = attempt(&mut attempts, DownReason::TimedOut);
            assert_eq!(other, [true, false, false]);
            // A firewall that is restarted answers in turns.
            assert_eq!(attempt(&mut attempts, closed()), [false, true, true]);
            assert_eq!(attempt(&mut attempts, DownReason::TimedOut), [true; 3]);
            assert!(!attempts.repeats(&change(State::Connect, State::OpenSent)));
        }
    }

    fn notification(subcode: u8, data: u8) -> NotificationBuf {
        NotificationBuf {
            reason: Reason { code: 2, subcode },
            data: vec![data],
        }
    }

    #[test]
    fn data_of_a_notification_is_no_news() {
        let mut attempts = Attempts::default();
        let mut repeats = |reason| attempts.repeats(&failed(reason));
        assert!(!repeats(DownReason::Local(notification(2, 1))));
        assert!(repeats(DownReason::Local(notification(2, 2))));
        assert!(!repeats(DownReason::Local(notification(3, 1))));
        // The other side has another reason to send it.
        assert!(!repeats(DownReason::Remote(notification(2, 1))));
        assert!(repeats(DownReason::Remote(notification(2, 2))));
    }

    #[test]
    fn kinds_of_failures_are_bounded() {
        let mut attempts = Attempts::default();
        for subcode in 0..=u8::MAX {
            let reason = DownReason::Remote(notification(subcode, 0));
            assert!(!attempts.repeats(&failed(reason.clone())));
            assert!(attempts.repeats(&failed(reason)));
        }
        assert_eq!(attempts.failures.len(), MAX_KINDS);
        let oldest = DownReason::Remote(notification(0, 0));
        assert!(!attempts.repeats(&failed(oldest)));
    }
}
