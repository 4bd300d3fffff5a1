//! The timers of a connection and their deadlines (RFC 4271 sections 4.2 and 8.1.3, RFC 9687).

use std::time::Instant;

/// A timer of the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timer {
    /// ConnectRetryTimer: the time for a TCP connection to complete before the next attempt.
    ConnectRetry,
    /// HoldTimer: the time in which the peer must send a message.
    Hold,
    /// KeepaliveTimer: the time to our next KEEPALIVE.
    Keepalive,
    /// DelayOpenTimer: the time to wait for the peer's OPEN before we send ours.
    DelayOpen,
    /// IdleHoldTimer: the time in Idle after a failure (DampPeerOscillations).
    IdleHold,
    /// SendHoldTimer: the time in which the peer must take something of what we send (RFC 9687).
    SendHold,
}

impl Timer {
    /// Every timer.
    pub const ALL: &'static [Self] = &[
        Self::ConnectRetry,
        Self::Hold,
        Self::Keepalive,
        Self::DelayOpen,
        Self::IdleHold,
        Self::SendHold,
    ];
}

/// The deadlines of the running timers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timers {
    connect_retry: Option<Instant>,
    hold: Option<Instant>,
    keepalive: Option<Instant>,
    delay_open: Option<Instant>,
    idle_hold: Option<Instant>,
    send_hold: Option<Instant>,
    /// The timer that expires first, and its deadline.
    // Cached, because every `poll_output` reads it and few events change it.
    first: Option<Timer>,
    first_deadline: Option<Instant>,
}

impl Timers {
    /// Starts or restarts a timer.
    pub(crate) fn start(&mut self, timer: Timer, deadline: Instant) {
        *self.deadline_mut(timer) = Some(deadline);
        // The earliest timer was moved: another may be the earliest now.
        if self.first == Some(timer) {
            self.find_first();
        } else if self.first_deadline.is_none_or(|first| deadline < first) {
            (self.first, self.first_deadline) = (Some(timer), Some(deadline));
        }
    }

    /// Stops a timer, if it runs.
    pub(crate) fn stop(&mut self, timer: Timer) {
        *self.deadline_mut(timer) = None;
        if self.first == Some(timer) {
            self.find_first();
        }
    }

    /// Stops every timer.
    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    /// Returns the deadline of a timer, or `None` if it does not run.
    pub(crate) fn deadline(&self, timer: Timer) -> Option<Instant> {
        // Fields instead of an array: an index could be out of range, a match cannot.
        match timer {
            Timer::ConnectRetry => self.connect_retry,
            Timer::Hold => self.hold,
            Timer::Keepalive => self.keepalive,
            Timer::DelayOpen => self.delay_open,
            Timer::IdleHold => self.idle_hold,
            Timer::SendHold => self.send_hold,
        }
    }

    /// Returns the earliest deadline, or `None` if no timer runs.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.first_deadline
    }

    /// Stops the earliest timer and returns it if its deadline has passed.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        let due = self.first_deadline.is_some_and(|deadline| deadline <= now);
        let expired = self.first.filter(|_| due)?;
        self.stop(expired);
        Some(expired)
    }

    /// Finds the earliest timer again.
    fn find_first(&mut self) {
        (self.first, self.first_deadline) = (None, None);
        for &timer in Timer::ALL {
            let Some(deadline) = self.deadline(timer) else {
                continue;
            };
            // Of equal deadlines the one that was found first stays.
            if self.first_deadline.is_none_or(|first| deadline < first) {
                (self.first, self.first_deadline) = (Some(timer), Some(deadline));
            }
        }
    }

    /// Returns the place of a timer's deadline.
    fn deadline_mut(&mut self, timer: Timer) -> &mut Option<Instant> {
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
