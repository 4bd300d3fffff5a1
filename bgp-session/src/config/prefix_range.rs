//! `PrefixRange`: prefixes inside of one prefix, with lengths in a range, like an entry of a prefix list.

use ipnet::IpNet;

use super::ConfigError;

/// The prefixes inside of one prefix, with lengths in a range, like an entry of a prefix list.
///
/// ```
/// use bgp_session::PrefixRange;
/// let pool = PrefixRange::inside_of("192.168.10.0/24".parse()?);
/// assert!(pool.contains("192.168.10.1/32".parse()?));
/// let only = PrefixRange::exactly("192.168.10.0/24".parse()?);
/// assert!(!only.contains("192.168.10.1/32".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixRange {
    pub(super) prefix: IpNet,
    pub(super) min_length: u8,
    pub(super) max_length: u8,
}

impl PrefixRange {
    /// Returns the range of this prefix alone. Clears its host bits.
    #[must_use]
    pub fn exactly(prefix: IpNet) -> Self {
        let (prefix, length) = (prefix.trunc(), prefix.prefix_len());
        Self {
            prefix,
            min_length: length,
            max_length: length,
        }
    }

    /// Returns the range of this prefix and all prefixes inside of it. Clears its host bits.
    #[must_use]
    pub fn inside_of(prefix: IpNet) -> Self {
        Self {
            max_length: prefix.max_prefix_len(),
            ..Self::exactly(prefix)
        }
    }

    /// Returns the range of the prefixes inside of this one whose lengths are from `minimum` to `maximum`, like `ge` and `le`
    /// of a prefix list. Clears the host bits of the prefix.
    ///
    /// ```
    /// use bgp_session::PrefixRange;
    /// let hosts = PrefixRange::lengths("10.0.0.0/8".parse()?, 24, 32)?;
    /// assert!(hosts.contains("10.0.0.1/32".parse()?) && !hosts.contains("10.0.0.0/16".parse()?));
    /// assert!(PrefixRange::lengths("10.0.0.0/8".parse()?, 24, 33).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A bound is no length of a prefix inside of this one, or `minimum` is greater than `maximum`.
    pub fn lengths(prefix: IpNet, minimum: u8, maximum: u8) -> Result<Self, ConfigError> {
        let possible = prefix.prefix_len()..=prefix.max_prefix_len();
        if !possible.contains(&minimum) || !possible.contains(&maximum) || minimum > maximum {
            return Err(ConfigError::PrefixLengths {
                prefix: prefix.trunc(),
                minimum,
                maximum,
            });
        }
        Ok(Self {
            min_length: minimum,
            max_length: maximum,
            ..Self::exactly(prefix)
        })
    }

    /// Returns the prefix that contains the range.
    #[must_use]
    pub const fn prefix(&self) -> IpNet {
        self.prefix
    }

    /// Returns the minimum length.
    #[must_use]
    pub const fn min_length(&self) -> u8 {
        self.min_length
    }

    /// Returns the maximum length.
    #[must_use]
    pub const fn max_length(&self) -> u8 {
        self.max_length
    }

    /// Returns `true` if the prefix is in the range.
    #[must_use]
    pub fn contains(&self, prefix: IpNet) -> bool {
        // The lengths are compared first because they rule out most prefixes at a lower cost.
        (self.min_length..=self.max_length).contains(&prefix.prefix_len())
            && self.prefix.contains(&prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_contains_prefixes_of_its_lengths() {
        let prefix = |text: &str| text.parse::<IpNet>().unwrap();
        let lengths =
            |text, minimum, maximum| PrefixRange::lengths(prefix(text), minimum, maximum).unwrap();
        let range = lengths("192.168.10.7/24", 24, 32);
        for (text, inside) in [
            ("192.168.10.0/24", true),
            ("192.168.10.1/32", true),
            ("192.168.8.0/22", false),
            ("192.168.11.1/32", false),
            ("2001:db8::/32", false),
        ] {
            assert_eq!(range.contains(prefix(text)), inside, "{text}");
        }
        assert!(!lengths("192.168.10.0/24", 32, 32).contains(prefix("192.168.10.0/24")));
        assert!(PrefixRange::inside_of(prefix("::/0")).contains(prefix("2001:db8::1/128")));
    }

    #[test]
    fn range_without_possible_length_is_refused() {
        let prefix = |text: &str| text.parse::<IpNet>().unwrap();
        for (text, minimum, maximum) in [
            ("10.0.0.7/8", 24, 33),
            ("10.0.0.7/8", 7, 32),
            ("10.0.0.7/8", 25, 24),
            ("2001:db8::/32", 32, 129),
            ("2001:db8::/32", 31, 128),
        ] {
            let expected = ConfigError::PrefixLengths {
                prefix: prefix(text).trunc(),
                minimum,
                maximum,
            };
            let range = PrefixRange::lengths(prefix(text), minimum, maximum);
            assert_eq!(range, Err(expected));
        }
        let error = PrefixRange::lengths(prefix("10.0.0.0/8"), 24, 33).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no prefix inside of 10.0.0.0/8 has a length from 24 to 33; lengths are from 8 to 32"
        );
        assert!(PrefixRange::lengths(prefix("2001:db8::/32"), 32, 128).is_ok());
    }
}
