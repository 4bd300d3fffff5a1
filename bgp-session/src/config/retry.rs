//! `RetryPolicy`: the pace of connection attempts, and the damping of failures (RFC 4271 sections 8.1 and 10).

use std::time::Duration;

/// The times between the attempts of a session to connect.
///
/// RFC 4271 has two such times. The connect timeout is ConnectRetryTime in the state Connect. IdleHoldTime is the connect
/// interval if no TCP connection could be made, and the damping otherwise. Each wait is shortened by up to a quarter at
/// random, so that many sessions do not dial at once (RFC 4271 section 10).
///
/// A policy takes any times. [`PeerConfig::validate`](crate::PeerConfig::validate) finds those that are out of range.
///
/// ```
/// use std::time::Duration;
/// use bgp_session::{PeerConfig, RetryPolicy};
/// use bgp_wire::Asn;
/// // A path with a round-trip time of more than two seconds.
/// let retry = RetryPolicy::new().with_connect_timeout(Duration::from_secs(10));
/// let peer = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512)).with_retry(retry);
/// assert_eq!(peer.retry().connect_timeout(), Duration::from_secs(10));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    connect_interval: Duration,
    connect_timeout: Duration,
    damping: Duration,
    maximum_damping: Duration,
    stable_time: Duration,
    early_close: Duration,
    early_close_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryPolicy {
    /// Creates the default policy.
    ///
    /// - A connection that cannot be made is tried again after 1.5 s, and one without an answer after 2.75 s.
    /// - Damping grows from 1 s to 120 s. A session of 10 s resets it if it lasts longer than the last wait. A bad AS number
    ///   or an exceeded prefix limit leads to the maximum at once.
    /// - The first connection that the peer closes within 100 ms is tried again after 100 ms.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            // With jitter, at least 1 s lies between two SYNs.
            connect_interval: Duration::from_millis(1500),
            // The kernel repeats a SYN after 1 s and then backs off. With jitter, the next dial follows 1 to 1.75 s later.
            connect_timeout: Duration::from_millis(2750),
            damping: Duration::from_secs(1),
            maximum_damping: Duration::from_secs(120),
            stable_time: Duration::from_secs(10),
            early_close: Duration::from_millis(100),
            early_close_wait: Duration::from_millis(100),
        }
    }

    /// Sets the wait after a connection could not be made: it was refused, reset, or the peer is unreachable. The default
    /// is 1.5 s. The wait never grows.
    ///
    /// It must be between 10 ms and a day.
    #[must_use]
    pub const fn with_connect_interval(mut self, interval: Duration) -> Self {
        self.connect_interval = interval;
        self
    }

    /// Sets the time after which a connection attempt without an answer is abandoned and the next one begins
    /// (ConnectRetryTime). The default is 2.75 s.
    ///
    /// It must be between 100 ms and a day.
    #[must_use]
    pub const fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the wait after the first failure of an established TCP connection, and the maximum to which it doubles with
    /// every further failure (DampPeerOscillations). The defaults are 1 s and 120 s.
    ///
    /// `first` must be between 10 ms and a day, and `maximum` between `first` and a day.
    #[must_use]
    pub const fn with_damping(mut self, first: Duration, maximum: Duration) -> Self {
        self.damping = first;
        self.maximum_damping = maximum;
        self
    }

    /// Sets the minimum duration of a session that resets the damping. A shorter session counts as a failure, and so does
    /// one that is shorter than the last wait. The default is 10 s.
    ///
    /// It must not be more than a day.
    #[must_use]
    pub const fn with_stable_time(mut self, time: Duration) -> Self {
        self.stable_time = time;
        self
    }

    /// Sets the wait after the first connection that the peer closes less than `early` after TCP connected, without a
    /// NOTIFICATION. Both times are 100 ms by default.
    ///
    /// A router does that for a moment while it starts, or while it removes the routes of our last session. Further early
    /// closes are damped, until a session has been Established or the peer was unreachable. An `early` of zero turns the
    /// exception off.
    ///
    /// `early` must not be more than a day, and `wait` must be between 10 ms and a day.
    #[must_use]
    pub const fn with_early_close(mut self, early: Duration, wait: Duration) -> Self {
        self.early_close = early;
        self.early_close_wait = wait;
        self
    }

    /// Returns the wait after a connection could not be made.
    #[must_use]
    pub const fn connect_interval(&self) -> Duration {
        self.connect_interval
    }

    /// Returns the time after which a connection attempt without an answer is abandoned.
    #[must_use]
    pub const fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// Returns the wait after the first failure of an established TCP connection.
    #[must_use]
    pub const fn damping(&self) -> Duration {
        self.damping
    }

    /// Returns the maximum wait after such failures.
    #[must_use]
    pub const fn maximum_damping(&self) -> Duration {
        self.maximum_damping
    }

    /// Returns the minimum duration of a session that resets the damping.
    #[must_use]
    pub const fn stable_time(&self) -> Duration {
        self.stable_time
    }

    /// Returns the time after TCP connected in which a close is early.
    #[must_use]
    pub const fn early_close(&self) -> Duration {
        self.early_close
    }

    /// Returns the wait after the first early close.
    #[must_use]
    pub const fn early_close_wait(&self) -> Duration {
        self.early_close_wait
    }
}

/// The minimum of every wait.
// Without it, a peer that rejects every connection would keep the processor busy.
pub(super) const MIN_WAIT: Duration = Duration::from_millis(10);

/// The minimum of the connect timeout.
pub(super) const MIN_CONNECT_TIMEOUT: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::super::DAY;
    use super::*;

    #[test]
    fn times_out_of_range_are_refused() {
        let policy = RetryPolicy::new();
        let (second, milli) = (Duration::from_secs, Duration::from_millis);
        let refused = [
            policy.with_connect_interval(milli(9)),
            policy.with_connect_interval(DAY + milli(1)),
            policy.with_connect_timeout(milli(99)),
            policy.with_connect_timeout(DAY + milli(1)),
            policy.with_damping(milli(9), second(1)),
            policy.with_damping(second(2), second(1)),
            policy.with_damping(second(2), DAY + milli(1)),
            policy.with_stable_time(DAY + milli(1)),
            policy.with_early_close(DAY + milli(1), milli(10)),
            policy.with_early_close(milli(100), milli(9)),
            policy.with_early_close(milli(100), DAY + milli(1)),
        ];
        for policy in refused {
            assert!(policy.validate().is_err(), "{policy:?}");
        }
        let error = policy.with_damping(second(2), second(1)).validate();
        assert_eq!(
            error.unwrap_err().to_string(),
            "damping 1s is out of range: 2s to 86400s"
        );
    }

    #[test]
    fn times_in_range_are_returned_by_getters() {
        let milli = Duration::from_millis;
        let policy = RetryPolicy::default()
            .with_connect_interval(milli(10))
            .with_connect_timeout(milli(100))
            .with_damping(milli(20), DAY)
            .with_stable_time(Duration::ZERO)
            .with_early_close(Duration::ZERO, milli(30));
        assert_eq!(policy.validate(), Ok(()));
        assert_eq!(policy.connect_interval(), milli(10));
        assert_eq!(policy.connect_timeout(), milli(100));
        assert_eq!(
            (policy.damping(), policy.maximum_damping()),
            (milli(20), DAY)
        );
        assert_eq!(policy.stable_time(), Duration::ZERO);
        assert_eq!(
            (policy.early_close(), policy.early_close_wait()),
            (Duration::ZERO, milli(30))
        );
    }
}
