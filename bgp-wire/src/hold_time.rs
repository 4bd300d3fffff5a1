//! `HoldTime`: 0, or at least 3 seconds (RFC 4271 section 4.2).

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::text::{ParseValueError, number};

/// The hold time of an OPEN, in seconds: 0 (neither hold timer nor KEEPALIVEs) or 3 to 65535.
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
    /// The session never expires for want of messages.
    pub const ZERO: Self = Self(0);
    /// What RFC 4271 section 10 suggests.
    pub const DEFAULT: Self = Self(90);

    /// The hold time of this many seconds; `None` for 1 and 2.
    #[must_use]
    pub const fn new(seconds: u16) -> Option<Self> {
        match seconds {
            1 | 2 => None,
            _ => Some(Self(seconds)),
        }
    }

    /// The value in seconds.
    #[must_use]
    pub const fn seconds(self) -> u16 {
        self.0
    }

    /// The value as a duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }

    /// The smaller of the two: what the session uses (RFC 4271 section 4.2).
    #[must_use]
    pub fn negotiate(self, other: Self) -> Self {
        self.min(other)
    }

    /// A third of the hold time: how often to send KEEPALIVEs (RFC 4271 section 4.4).
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

    /// Seconds, with or without ` s` behind them.
    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        let seconds = number(text.strip_suffix('s').unwrap_or(text).trim_end());
        seconds.and_then(Self::new).ok_or(ParseValueError {
            expected: "a hold time of 0 or 3 to 65535 seconds",
        })
    }
}
