//! `Asn`: an autonomous system number (RFC 6793), with the text forms asplain and asdot (RFC 5396).

use core::fmt;
use core::str::FromStr;

/// A four-octet autonomous system number. Any value is accepted.
///
/// ```
/// use bgp_wire::Asn;
/// assert_eq!("64512".parse(), Ok(Asn::new(64512)));
/// assert_eq!("AS1.10".parse(), Ok(Asn::new(65546)));
/// assert_eq!(Asn::new(65546).to_string(), "65546");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Asn(u32);

impl Asn {
    /// AS_TRANS, the placeholder in a two-octet field for a number above 65535 (RFC 6793 section 9).
    pub const TRANS: Self = Self(23456);

    /// Returns the AS number with this value.
    // Reserved numbers are also values, because received paths contain them. Checks reject AS 0 (RFC 7607).
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number as an integer.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Returns the number for a two-octet field: itself, or [`Asn::TRANS`] above 65535.
    #[must_use]
    pub fn to_two_octets(self) -> u16 {
        u16::try_from(self.0).unwrap_or(23456)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // RFC 5396 makes asplain the standard text.
        fmt::Display::fmt(&self.0, f)
    }
}

impl From<u32> for Asn {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

/// The error for a text that is not an AS number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseAsnError;

impl fmt::Display for ParseAsnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an AS number is 0 to 4294967295 (64512, AS64512) or two 16-bit halves (1.10)")
    }
}

impl core::error::Error for ParseAsnError {}

impl FromStr for Asn {
    type Err = ParseAsnError;

    fn from_str(text: &str) -> Result<Self, ParseAsnError> {
        let digits = text
            .strip_prefix("AS")
            .or_else(|| text.strip_prefix("as"))
            .unwrap_or(text);
        // `FromStr` of the integers accepts a plus sign, which is not part of an AS number.
        if !digits.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(ParseAsnError);
        }
        let Some((high, low)) = digits.split_once('.') else {
            return digits.parse().map(Self).map_err(|_| ParseAsnError);
        };
        if !low.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(ParseAsnError);
        }
        let half = |text: &str| {
            text.parse::<u16>()
                .map(u32::from)
                .map_err(|_| ParseAsnError)
        };
        // RFC 5396: asdot writes the high and the low 16 bits.
        Ok(Self(half(high)? << 16 | half(low)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asn_text_in_asplain_or_asdot_parses_and_other_text_is_refused() {
        for (text, number) in [
            ("0", 0),
            ("4294967295", u32::MAX),
            ("as7", 7),
            ("0.65535", 65535),
            ("AS65535.65535", u32::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Asn::new(number)), "{text}");
        }
        for text in [
            "",
            "AS",
            "4294967296",
            "-1",
            "+1",
            "1.65536",
            "1.",
            ".1",
            "1.+2",
            "1.2.3",
            " 1",
        ] {
            assert_eq!(text.parse::<Asn>(), Err(ParseAsnError), "{text}");
        }
    }
}
