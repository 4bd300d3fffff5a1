//! `Retry`: the wait before a session's next attempt, by the way in which the last one ended.
//!
//! A peer that cannot be reached is tried again at a steady pace. Damping (DampPeerOscillations, RFC 4271 section 8.1) is
//! only for connections that TCP has made.

use std::time::Duration;

use crate::backoff::Backoff;
use crate::config::RetryPolicy;

/// The way in which a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// TCP did not connect: refused, reset, unreachable, or no answer.
    NotConnected,
    /// TCP connected, and the peer closed the connection without a NOTIFICATION before a session was Established.
    ClosedSilently {
        /// The time since TCP connected.
        after: Duration,
    },
    /// TCP connected, and the attempt failed in another way before a session was Established.
    Failed,
    /// An Established session ended.
    SessionEnded {
        /// The time that it was Established.
        lasted: Duration,
    },
    /// Retrying cannot help until an operator fixes the cause.
    Futile,
}

/// The waits of one session.
#[derive(Debug)]
pub(crate) struct Retry {
    policy: RetryPolicy,
    damping: Backoff,
    /// `true` if a connection was closed early since a session was Established or the peer was unreachable.
    closed_early: bool,
    /// The wait after the last ending, until it is taken.
    next: Option<Duration>,
}

impl Retry {
    /// Creates the waits of a session that has not failed yet. Equal seeds give equal jitter.
    pub(crate) fn new(policy: RetryPolicy, seed: u64) -> Self {
        Self {
            policy,
            damping: Backoff::new(policy.damping(), policy.maximum_damping(), seed),
            closed_early: false,
            next: None,
        }
    }

    /// Replaces the policy; earlier failures still count.
    pub(crate) fn set_policy(&mut self, policy: RetryPolicy) {
        self.policy = policy;
        self.damping
            .set_waits(policy.damping(), policy.maximum_damping());
    }

    /// Forgets all failures.
    pub(crate) fn reset(&mut self) {
        self.damping.reset();
        self.closed_early = false;
        self.next = None;
    }

    /// Records the end of a connection and decides the wait after it.
    pub(crate) fn record(&mut self, ending: Ending) {
        if matches!(ending, Ending::NotConnected | Ending::SessionEnded { .. }) {
            self.closed_early = false;
        }
        self.next = Some(match ending {
            Ending::NotConnected => self.steady_wait(),
            // A router that is just starting, or still clears our last session, closes what it accepts for a moment.
            Ending::ClosedSilently { after }
                if after < self.policy.early_close() && !self.closed_early =>
            {
                self.closed_early = true;
                self.jitter(self.policy.early_close_wait())
            }
            Ending::ClosedSilently { .. } | Ending::Failed => self.damping.next_wait(),
            Ending::SessionEnded { lasted } => {
                // A session that ends soon may fail for the same reason each time. One that outlasts the wait before it
                // costs less than that wait has saved.
                let stable_time = self.policy.stable_time().max(self.damping.last_wait());
                if lasted < stable_time {
                    self.damping.next_wait()
                } else {
                    self.damping.reset();
                    self.jitter(self.policy.damping())
                }
            }
            Ending::Futile => {
                self.damping.use_maximum();
                self.damping.next_wait()
            }
        });
    }

    /// Returns the wait before the next attempt.
    pub(crate) fn wait(&mut self) -> Duration {
        // A connection that loses a collision ends without a record.
        self.next.take().unwrap_or_else(|| self.steady_wait())
    }

    /// Returns the time that the next dial may take.
    pub(crate) fn connect_timeout(&mut self) -> Duration {
        self.jitter(self.policy.connect_timeout())
    }

    /// Returns a random time from three quarters of `duration` to all of it (RFC 4271 section 10).
    pub(crate) fn jitter(&mut self, duration: Duration) -> Duration {
        self.damping.jitter(duration)
    }

    fn steady_wait(&mut self) -> Duration {
        self.jitter(self.policy.connect_interval())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Fails unless the wait after `ending` is three quarters of `full` to all of it.
    fn expect(retry: &mut Retry, ending: Ending, full: Duration) {
        retry.record(ending);
        let wait = retry.wait();
        let range = full.mul_f64(0.75)..=full;
        assert!(range.contains(&wait), "{ending:?}: {wait:?}, not {range:?}");
    }

    #[test]
    fn wait_for_unreachable_peer_never_grows() {
        let mut retry = Retry::new(RetryPolicy::new(), 7);
        for _ in 0..1000 {
            expect(
                &mut retry,
                Ending::NotConnected,
                Duration::from_millis(1500),
            );
        }
        // Nor has it been counted.
        expect(&mut retry, Ending::Failed, seconds(1));
    }

    #[test]
    fn wait_after_failures_of_connections_doubles_to_maximum() {
        let mut retry = Retry::new(RetryPolicy::new(), 7);
        for full in [1, 2, 4, 8, 16, 32, 64, 120, 120] {
            expect(&mut retry, Ending::Failed, seconds(full));
            // A refused dial between two failures neither counts nor forgives.
            expect(
                &mut retry,
                Ending::NotConnected,
                Duration::from_millis(1500),
            );
        }
        retry.reset();
        expect(&mut retry, Ending::Failed, seconds(1));
    }

    #[test]
    fn first_early_close_is_retried_at_once() {
        let mut retry = Retry::new(RetryPolicy::new(), 7);
        let closed = |milliseconds| Ending::ClosedSilently {
            after: Duration::from_millis(milliseconds),
        };
        let (early, steady) = (Duration::from_millis(100), Duration::from_millis(1500));
        expect(&mut retry, closed(99), early);
        expect(&mut retry, closed(99), seconds(1));
        expect(&mut retry, closed(100), seconds(2));
        // An unreachable peer may be starting afterwards, and so may one whose session has ended.
        expect(&mut retry, Ending::NotConnected, steady);
        expect(&mut retry, closed(0), early);
        expect(&mut retry, closed(0), seconds(4));
        let lasted = seconds(60);
        expect(&mut retry, Ending::SessionEnded { lasted }, seconds(1));
        expect(&mut retry, closed(0), early);
        expect(&mut retry, closed(0), seconds(1));
        retry.reset();
        expect(&mut retry, closed(0), early);
    }

    #[test]
    fn session_that_outlasts_damping_is_forgiven() {
        let mut retry = Retry::new(RetryPolicy::new(), 7);
        let session = |lasted| Ending::SessionEnded {
            lasted: seconds(lasted),
        };
        for full in [1, 2, 4, 8, 16] {
            expect(&mut retry, session(9), seconds(full));
        }
        expect(&mut retry, session(15), seconds(32));
        expect(&mut retry, session(32), seconds(1));
        // It is no failure: the next one is the first.
        expect(&mut retry, session(10), seconds(1));
        expect(&mut retry, Ending::Failed, seconds(1));
        expect(&mut retry, Ending::Failed, seconds(2));
    }

    #[test]
    fn futile_attempt_waits_maximum_at_once() {
        let mut retry = Retry::new(RetryPolicy::new(), 7);
        expect(&mut retry, Ending::Futile, seconds(120));
    }
}
