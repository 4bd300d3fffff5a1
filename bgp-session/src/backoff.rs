//! How long to wait after a failure: growing, jittered, seeded (DampPeerOscillations, RFC 4271 sections 8.1 and 10).

use std::time::Duration;

/// Doubles from `initial` to `maximum` with every failure in a row.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    initial: Duration,
    maximum: Duration,
    failures: u32,
    random: fastrand::Rng,
}

impl Backoff {
    pub(crate) fn new(initial: Duration, maximum: Duration, seed: u64) -> Self {
        Self {
            initial,
            maximum,
            failures: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The wait after one more failure.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let doubled = 1u32
            .checked_shl(self.failures)
            .and_then(|factor| self.initial.checked_mul(factor));
        self.failures = (self.failures + 1).min(u32::BITS);
        let wait = doubled.unwrap_or(self.maximum).min(self.maximum);
        self.jitter(wait)
    }

    /// Other waits from now on.
    pub(crate) fn set_waits(&mut self, initial: Duration, maximum: Duration) {
        (self.initial, self.maximum) = (initial, maximum);
    }

    /// What has failed fails again until somebody mends it: the longest wait comes next.
    pub(crate) fn despair(&mut self) {
        self.failures = u32::BITS;
    }

    /// The failures so far no longer count.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Between three quarters of `duration` and all of it (RFC 4271 section 10).
    #[expect(
        clippy::expect_used,
        reason = "no configuration waits longer than a day, and a product shifted back is no larger than its factor"
    )]
    pub(crate) fn jitter(&mut self, duration: Duration) -> Duration {
        let nanoseconds = u64::try_from(duration.as_nanos()).expect("less than 584 years");
        let less = (u128::from(nanoseconds / 4) * u128::from(self.random.u32(..))) >> u32::BITS;
        let less = u64::try_from(less).expect("no more than a quarter of a u64");
        Duration::from_nanos(nanoseconds - less)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_the_maximum() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(120), 7);
        for full in [1, 2, 4, 8, 16, 32, 64, 120, 120] {
            let (least, most) = (
                Duration::from_secs(full).mul_f64(0.75),
                Duration::from_secs(full),
            );
            let wait = backoff.next_wait();
            assert!(
                least <= wait && wait <= most,
                "{wait:?} is not within 0.75 to 1 of {full} s"
            );
        }
        for _ in 0..100 {
            backoff.next_wait();
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_secs(1));
    }

    #[test]
    fn same_seed_same_waits() {
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
