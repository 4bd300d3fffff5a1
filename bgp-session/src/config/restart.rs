//! Keeping routes over a restart: graceful restart (RFC 4724, RFC 8538) and its long-lived kind (RFC 9494).

use std::time::Duration;

use super::DAY;

/// How routes are kept while one side restarts: what we ask of the peer, and how long we keep what is the peer's.
///
/// ```
/// use bgp_session::RestartConfig;
/// let restart = RestartConfig::new()
///     .restart_time(300)
///     .notification(true)
///     .forwarding(true)
///     .long_lived(24 * 60 * 60)
///     .stale_time(std::time::Duration::from_secs(600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartConfig {
    pub(crate) restart_time: u16,
    pub(crate) notification: bool,
    pub(crate) forwarding: bool,
    pub(crate) long_lived: Option<u32>,
    pub(crate) stale_time: Duration,
}

impl Default for RestartConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl RestartConfig {
    /// Two minutes to come back, also after a NOTIFICATION, with forwarding that goes on meanwhile; a peer's stale routes
    /// are kept for six minutes after it is back.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            restart_time: 120,
            notification: true,
            forwarding: true,
            long_lived: None,
            stale_time: Duration::from_secs(360),
        }
    }

    /// For how many seconds the peer is to keep our routes, at most 4095.
    #[must_use]
    pub const fn restart_time(mut self, seconds: u16) -> Self {
        self.restart_time = if seconds > 4095 { 4095 } else { seconds };
        self
    }

    /// Whether routes are kept after a NOTIFICATION, too, unless it is a Hard Reset (RFC 8538). On unless changed.
    #[must_use]
    pub const fn notification(mut self, keep: bool) -> Self {
        self.notification = keep;
        self
    }

    /// Whether traffic to our routes arrives while we restart (the F bit). It does where this program announces and another
    /// one forwards, so it is on unless changed.
    #[must_use]
    pub const fn forwarding(mut self, goes_on: bool) -> Self {
        self.forwarding = goes_on;
        self
    }

    /// For how many seconds routes are kept as a last resort when the restart takes longer (RFC 9494), at most 16777215.
    #[must_use]
    pub const fn long_lived(mut self, seconds: u32) -> Self {
        self.long_lived = Some(if seconds > 0xff_ffff {
            0xff_ffff
        } else {
            seconds
        });
        self
    }

    /// How long a peer that is back may take to send its routes, until those from before are gone (RFC 4724 section 4.2); at
    /// most a day.
    #[must_use]
    pub const fn stale_time(mut self, most: Duration) -> Self {
        self.stale_time = if most.as_secs() < DAY.as_secs() {
            most
        } else {
            DAY
        };
        self
    }
}
