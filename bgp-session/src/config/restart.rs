//! Configuration of graceful restart (RFC 4724, RFC 8538) and long-lived graceful restart (RFC 9494).

use std::time::Duration;

use super::DAY;

/// The time for which each side keeps the other's routes while that one restarts.
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
    /// Creates the default: a restart time of 120 s, also after a NOTIFICATION, and preserved forwarding. A returned
    /// peer has 360 s to send its routes again. Long-lived graceful restart is off.
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

    /// Sets the time in seconds for which the peer keeps our routes (RFC 4724 section 3). At most 4,095, to which
    /// larger values are clamped; 120 by default.
    #[must_use]
    pub const fn restart_time(mut self, seconds: u16) -> Self {
        // The field has 12 bits. `min` is not const.
        self.restart_time = if seconds > 4095 { 4095 } else { seconds };
        self
    }

    /// Sets whether routes are also kept after a NOTIFICATION that is no Hard Reset (RFC 8538). `true` by default.
    #[must_use]
    pub const fn notification(mut self, keep: bool) -> Self {
        self.notification = keep;
        self
    }

    /// Sets the F bit: whether our routes stay reachable while we restart (RFC 4724 section 3). `true` by default,
    /// because this program announces and other ones forward.
    #[must_use]
    pub const fn forwarding(mut self, preserved: bool) -> Self {
        self.forwarding = preserved;
        self
    }

    /// Enables long-lived graceful restart: keeps stale routes, least preferred, for these seconds after the restart
    /// time (RFC 9494). At most 16,777,215, to which larger values are clamped.
    #[must_use]
    pub const fn long_lived(mut self, seconds: u32) -> Self {
        // The field has 24 bits (RFC 9494 section 3.1).
        self.long_lived = Some(if seconds > 0xff_ffff {
            0xff_ffff
        } else {
            seconds
        });
        self
    }

    /// Sets the time in which a returned peer must send its routes again before stale ones are removed (RFC 4724
    /// section 4.2). At most a day, to which larger values are clamped; 360 s by default.
    #[must_use]
    pub const fn stale_time(mut self, time: Duration) -> Self {
        // `Duration` is not comparable in a const function.
        self.stale_time = if time.as_secs() < DAY.as_secs() {
            time
        } else {
            DAY
        };
        self
    }
}
