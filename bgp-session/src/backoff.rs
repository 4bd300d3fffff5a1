//! The wait after a failure: growing, jittered and seeded (DampPeerOscillations, RFC 4271 sections 8.1 and 10).

use std::time::Duration;

/// A wait that doubles from `initial` to `maximum` with every consecutive failure.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    initial: Duration,
    maximum: Duration,
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    /// Creates a backoff without failures. Equal seeds give equal jitter.
    pub(crate) fn new(initial: Duration, maximum: Duration, seed: u64) -> Self {
        Self {
            initial,
            maximum,
            failures: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Counts a failure and returns the wait after it.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = self.wait_after(self.failures);
        // Bounded, so that years of failures do not overflow.
        self.failures = (self.failures + 1).min(u32::BITS);
        self.jitter(wait)
    }

    /// Returns the wait after the last failure, without jitter. It is zero if no failure is counted.
    pub(crate) fn last_wait(&self) -> Duration {
        self.failures
            .checked_sub(1)
            .map_or(Duration::ZERO, |earlier| self.wait_after(earlier))
    }

    /// Returns the wait after a failure that follows `earlier` failures, without jitter.
    fn wait_after(&self, earlier: u32) -> Duration {
        // A shift by 32 or more has no result, nor has a product that overflows: both mean the maximum.
        1u32.checked_shl(earlier)
            .and_then(|factor| self.initial.checked_mul(factor))
            .map_or(self.maximum, |doubled| doubled.min(self.maximum))
    }

    /// Replaces the bounds; failures still count.
    pub(crate) fn set_waits(&mut self, initial: Duration, maximum: Duration) {
        (self.initial, self.maximum) = (initial, maximum);
    }

    /// Uses the maximum wait next, because retrying cannot help until an operator fixes the cause.
    pub(crate) fn use_maximum(&mut self) {
        self.failures = u32::BITS;
    }

    /// Forgets all failures.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Returns a random time from three quarters of `duration` to all of it (RFC 4271 section 10).
    #[expect(
        clippy::expect_used,
        reason = "no configuration waits longer than a day, and a product shifted back is no larger than its factor"
    )]
    pub(crate) fn jitter(&mut self, duration: Duration) -> Duration {
        let nanoseconds = u64::try_from(duration.as_nanos()).expect("less than 584 years");
        // Integer arithmetic is cheaper, and every KEEPALIVE of every session comes here.
        let less = (u128::from(nanoseconds / 4) * u128::from(self.random.u32(..))) >> u32::BITS;
        let less = u64::try_from(less).expect("no more than a quarter of a u64");
        Duration::from_nanos(nanoseconds - less)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_after_failures_double_to_maximum() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(120), 7);
        for full in [1, 2, 4, 8, 16, 32, 64, 120, 120] {
            let maximum = Duration::from_secs(full);
            let minimum = maximum.mul_f64(0.75);
            let wait = backoff.next_wait();
            assert!(
                minimum <= wait && wait <= maximum,
                "{wait:?} is not within 0.75 to 1 of {full} s"
            );
        }
        // More failures than the shift has bits.
        for _ in 0..100 {
            backoff.next_wait();
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_secs(1));
    }

    #[test]
    fn waits_with_equal_seeds_are_equal() {
        let waits = |seed| {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(120), seed);
            [
                backoff.next_wait(),
                backoff.next_wait(),
                backoff.next_wait(),
            ]
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }
}
