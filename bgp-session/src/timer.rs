//! The timers of a connection (RFC 4271 sections 4.2 and 8.1.3, RFC 9687): when each expires, if it runs.

use std::time::Instant;

/// A timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// How long to wait for a TCP connection before trying anew.
    ConnectRetry,
    /// How long the peer may be silent.
    Hold,
    /// When to send the next KEEPALIVE.
    Keepalive,
    /// How long to wait for the peer's OPEN before sending ours.
    DelayOpen,
    /// How long to stay in Idle after a failure (DampPeerOscillations).
    IdleHold,
    /// How long the peer may take nothing of what is sent (RFC 9687).
    SendHold,
}

impl Timer {
    /// Every timer.
    pub const ALL: [Self; 6] = [
        Self::ConnectRetry,
        Self::Hold,
        Self::Keepalive,
        Self::DelayOpen,
        Self::IdleHold,
        Self::SendHold,
    ];
}

/// When each timer expires.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timers {
    connect_retry: Option<Instant>,
    hold: Option<Instant>,
    keepalive: Option<Instant>,
    delay_open: Option<Instant>,
    idle_hold: Option<Instant>,
    send_hold: Option<Instant>,
    /// The one that expires first, and when: asked for far more often than it changes.
    first: Option<Timer>,
    first_deadline: Option<Instant>,
}

impl Timers {
    pub(crate) fn start(&mut self, timer: Timer, deadline: Instant) {
        *self.slot(timer) = Some(deadline);
        if self.first == Some(timer) {
            self.find_first();
        } else if self.first_deadline.is_none_or(|first| deadline < first) {
            (self.first, self.first_deadline) = (Some(timer), Some(deadline));
        }
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        *self.slot(timer) = None;
        if self.first == Some(timer) {
            self.find_first();
        }
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn deadline(&self, timer: Timer) -> Option<Instant> {
        match timer {
            Timer::ConnectRetry => self.connect_retry,
            Timer::Hold => self.hold,
            Timer::Keepalive => self.keepalive,
            Timer::DelayOpen => self.delay_open,
            Timer::IdleHold => self.idle_hold,
            Timer::SendHold => self.send_hold,
        }
    }

    /// When the next timer expires, if any runs.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.first_deadline
    }

    /// Stops the timer that expires first, if its time has come, and says which it is.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        let due = self.first_deadline.is_some_and(|deadline| deadline <= now);
        let expired = self.first.filter(|_| due)?;
        self.stop(expired);
        Some(expired)
    }

    fn find_first(&mut self) {
        (self.first, self.first_deadline) = (None, None);
        for timer in Timer::ALL {
            let Some(deadline) = self.deadline(timer) else {
                continue;
            };
            if self.first_deadline.is_none_or(|first| deadline < first) {
                (self.first, self.first_deadline) = (Some(timer), Some(deadline));
            }
        }
    }

    fn slot(&mut self, timer: Timer) -> &mut Option<Instant> {
        match timer {
            Timer::ConnectRetry => &mut self.connect_retry,
            Timer::Hold => &mut self.hold,
            Timer::Keepalive => &mut self.keepalive,
            Timer::DelayOpen => &mut self.delay_open,
            Timer::IdleHold => &mut self.idle_hold,
            Timer::SendHold => &mut self.send_hold,
        }
    }
}

/// Returns the earlier of two deadlines.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
