//! `HoldTime`: the hold time of a session, 0 or at least 3 seconds (RFC 4271 section 4.2).

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::text::{ParseValueError, number};

/// A hold time in seconds: 3 to 65535, or 0 for a session without hold timer and KEEPALIVE messages.
///
/// ```
/// use bgp_wire::HoldTime;
/// assert!(HoldTime::new(2).is_none());
/// let ours = HoldTime::new(90).expect("legal");
/// assert_eq!(ours.negotiate(HoldTime::ZERO), HoldTime::ZERO);
/// assert_eq!(ours.keepalive().as_secs(), 30);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldTime(u16);

impl HoldTime {
    /// No hold timer: the session does not expire when messages are missing.
    pub const ZERO: Self = Self(0);
    /// The 90 seconds that RFC 4271 section 10 suggests.
    pub const DEFAULT: Self = Self(90);

    /// Returns the hold time of `seconds` seconds, or `None` for 1 and 2.
    #[must_use]
    pub const fn new(seconds: u16) -> Option<Self> {
        match seconds {
            // RFC 4271 section 6.2: an OPEN with these values is answered with Unacceptable Hold Time.
            1 | 2 => None,
            _ => Some(Self(seconds)),
        }
    }

    /// Returns the value in seconds.
    #[must_use]
    pub const fn seconds(self) -> u16 {
        self.0
    }

    /// Returns the value as a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }

    /// Returns the smaller of the two hold times, which the session uses (RFC 4271 section 4.2).
    #[must_use]
    pub fn negotiate(self, other: Self) -> Self {
        // This includes 0: either side can turn the timers off.
        self.min(other)
    }

    /// Returns the interval between KEEPALIVE messages, a third of the hold time (RFC 4271 section 4.4).
    #[must_use]
    pub fn keepalive(self) -> Duration {
        self.duration() / 3
    }
}

impl fmt::Display for HoldTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

impl FromStr for HoldTime {
    type Err = ParseValueError;

    /// Parses seconds, with an optional ` s` after the number.
    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        let seconds = number(text.strip_suffix('s').unwrap_or(text).trim_end());
        seconds.and_then(Self::new).ok_or(ParseValueError {
            expected: "a hold time of 0 or 3 to 65535 seconds",
        })
    }
}
