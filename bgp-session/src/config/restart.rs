//! Configuration of graceful restart (RFC 4724, RFC 8538) and long-lived graceful restart (RFC 9494).

use std::time::Duration;

/// The time for which each side keeps the other's routes while that one restarts.
///
/// [`PeerConfig::validate`](crate::PeerConfig::validate) checks the ranges of the times.
///
/// ```
/// use std::time::Duration;
/// use bgp_session::RestartConfig;
/// let restart = RestartConfig::new()
///     .with_restart_time(Duration::from_secs(300))
///     .with_notification(true)
///     .with_forwarding(true)
///     .with_long_lived(Duration::from_secs(24 * 60 * 60))
///     .with_stale_time(Duration::from_secs(600));
/// assert_eq!(restart.restart_time().as_secs(), 300);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartConfig {
    pub(crate) restart_time: Duration,
    pub(crate) notification: bool,
    pub(crate) forwarding: bool,
    pub(crate) long_lived: Option<Duration>,
    pub(crate) stale_time: Duration,
}

impl Default for RestartConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl RestartConfig {
    /// Creates the default: a restart time of 120 s, also after a NOTIFICATION, and preserved forwarding. A returned
    /// peer has 360 s to send its routes again. Long-lived graceful restart is off.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            restart_time: Duration::from_secs(120),
            notification: true,
            forwarding: true,
            long_lived: None,
            stale_time: Duration::from_secs(360),
        }
    }

    /// Sets the time for which the peer keeps our routes (RFC 4724 section 3): whole seconds, at most 4,095. The
    /// default is 120 s.
    #[must_use]
    pub const fn with_restart_time(mut self, time: Duration) -> Self {
        self.restart_time = time;
        self
    }

    /// Sets whether routes are also kept after a NOTIFICATION that is no Hard Reset (RFC 8538). `true` by default.
    #[must_use]
    pub const fn with_notification(mut self, keep: bool) -> Self {
        self.notification = keep;
        self
    }

    /// Sets the F bit: whether our routes stay reachable while we restart (RFC 4724 section 3). `true` by default,
    /// because this program announces and other ones forward.
    #[must_use]
    pub const fn with_forwarding(mut self, preserved: bool) -> Self {
        self.forwarding = preserved;
        self
    }

    /// Enables long-lived graceful restart: keeps stale routes, least preferred, for this time after the restart time
    /// (RFC 9494). Whole seconds, at most 16,777,215.
    #[must_use]
    pub const fn with_long_lived(mut self, time: Duration) -> Self {
        self.long_lived = Some(time);
        self
    }

    /// Sets the time in which a returned peer must send its routes again before stale ones are removed (RFC 4724
    /// section 4.2). At most a day; the default is 360 s.
    #[must_use]
    pub const fn with_stale_time(mut self, time: Duration) -> Self {
        self.stale_time = time;
        self
    }

    /// Returns the time for which the peer keeps our routes.
    #[must_use]
    pub const fn restart_time(&self) -> Duration {
        self.restart_time
    }

    /// Returns `true` if routes are also kept after a NOTIFICATION that is no Hard Reset.
    #[must_use]
    pub const fn notification(&self) -> bool {
        self.notification
    }

    /// Returns the F bit: `true` if our routes stay reachable while we restart.
    #[must_use]
    pub const fn forwarding(&self) -> bool {
        self.forwarding
    }

    /// Returns the long-lived stale time, or `None` if long-lived graceful restart is off.
    #[must_use]
    pub const fn long_lived(&self) -> Option<Duration> {
        self.long_lived
    }

    /// Returns the time in which a returned peer must send its routes again.
    #[must_use]
    pub const fn stale_time(&self) -> Duration {
        self.stale_time
    }
}
