//! The invariants of the retry policy: the minimum time between two dials, and the maximum wait for an unreachable peer.

use std::time::Duration;

use bgp_session::RetryPolicy;

/// The last dial of one session and its outcome. All times are simulated.
#[derive(Default)]
pub(crate) struct Pace {
    last_dial: Option<Duration>,
    /// The early retry has been used since the last session or unreachable peer.
    used_early_retry: bool,
    /// TCP did not connect the dial that ended last.
    unreachable: bool,
}

impl Pace {
    /// Begins anew: an operator's start dials at once.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Checks the time since the last dial.
    pub(crate) fn handle_dial(&mut self, policy: &RetryPolicy, now: Duration) {
        let gap = self.last_dial.replace(now).map(|last| now - last);
        // The jitter shortens a wait by a quarter at most.
        let interval = policy
            .connect_interval()
            .min(policy.connect_timeout())
            .min(policy.damping());
        let is_early = gap.is_some_and(|gap| gap < interval * 3 / 4);
        if is_early {
            let minimum = policy.early_close_wait() * 3 / 4;
            assert!(gap >= Some(minimum), "two dials within {gap:?}");
            assert!(!self.used_early_retry, "second early retry after {gap:?}");
            self.used_early_retry = true;
        }
    }

    /// Notes that a connection or dial has ended.
    pub(crate) fn handle_close(&mut self, connected: bool) {
        self.unreachable = !connected;
        self.used_early_retry &= connected;
    }

    /// Notes that a session is Established.
    pub(crate) fn handle_up(&mut self) {
        self.used_early_retry = false;
    }

    /// Returns the maximum wait in Idle.
    pub(crate) fn maximum_wait(&self, policy: &RetryPolicy) -> Duration {
        if self.unreachable {
            policy.connect_interval()
        } else {
            policy.maximum_damping().max(policy.connect_interval())
        }
    }
}
