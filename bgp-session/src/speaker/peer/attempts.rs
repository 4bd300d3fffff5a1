//! `Attempts`: tells which events only repeat that a peer cannot be reached.
//!
//! An absent peer is dialled every second or two. A log line for each attempt would hide every other one.

use crate::fsm::State;
use crate::output::{DownReason, SessionEvent};

/// The failed attempts to connect since the peer was last reached.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// The last failure.
    failure: Option<DownReason>,
    /// `true` if the last two failures were equal.
    repeated: bool,
}

impl Attempts {
    /// Returns `true` if an event belongs to an attempt that fails in the same way as the one before.
    pub(super) fn repeats(&mut self, event: &SessionEvent) -> bool {
        if let SessionEvent::Failed { reason } = event {
            self.repeated = self.failure.as_ref() == Some(reason);
            self.failure = Some(reason.clone());
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
}

#[cfg(test)]
mod tests {
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
            // Another failure is news.
            let other = attempt(&mut attempts, DownReason::TimedOut);
            assert_eq!(other, [true, false, false]);
            assert!(!attempts.repeats(&change(State::Connect, State::OpenSent)));
        }
    }
}
