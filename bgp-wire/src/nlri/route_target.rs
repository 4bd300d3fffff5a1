//! Route target membership (RFC 4684): the route targets for which a speaker requests VPN routes.

use core::fmt;

use super::NlriFormat;
use super::encode::{HasFamily, NlriValue, write_exactly};
use super::words::{Words, parse_from_words};
use crate::asn::Asn;
use crate::extended_community::ExtendedCommunity;
use crate::family::Family;
use crate::parse::{Parsed, Short, octet, take};
use crate::sink::Sink;

/// A prefix of origin AS and route target (RFC 4684 section 4).
///
/// Its text is `64512 target:64512:1`, followed by `/` and the length if that is less than 96 bits. A length of 0 is
/// written `default`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteTargetPrefix {
    bits: u8,
    octets: [u8; 12],
}

impl RouteTargetPrefix {
    /// The prefix of length 0, which matches every route target.
    pub const DEFAULT: Self = Self {
        bits: 0,
        octets: [0; 12],
    };

    /// Returns the prefix that matches one route target of one origin AS.
    #[must_use]
    pub fn new(origin_as: Asn, target: ExtendedCommunity) -> Self {
        let ([a, b, c, d], [e, f, g, h, i, j, k, l]) = (origin_as.number().to_be_bytes(), target.0);
        Self {
            bits: 96,
            octets: [a, b, c, d, e, f, g, h, i, j, k, l],
        }
    }

    /// Returns the first `bits` bits of this prefix.
    ///
    /// Returns `None` if `bits` is greater than the length of this prefix, or neither 0 nor 32 to 96.
    #[must_use]
    pub fn truncate(self, bits: u8) -> Option<Self> {
        // RFC 4684 section 4: the origin AS is whole, except in the default route target.
        if !matches!(bits, 0 | 32..=96) || bits > self.bits {
            return None;
        }
        let mut octets = self.octets;
        for (position, octet) in octets.iter_mut().enumerate() {
            // Bits after the length are cleared, because the derived `Eq` and `Hash` compare all octets.
            let kept = usize::from(bits).saturating_sub(position * 8).min(8);
            *octet &= !(0xff_u16 >> kept).to_be_bytes()[1];
        }
        Some(Self { bits, octets })
    }

    /// Returns the length of the prefix in bits, 0 or 32 to 96.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// Returns the origin AS, which is 0 for the default.
    #[must_use]
    pub fn origin_as(&self) -> Asn {
        let [a, b, c, d, ..] = self.octets;
        Asn::new(u32::from_be_bytes([a, b, c, d]))
    }

    /// Returns the route target, of which the first `bits - 32` bits are significant.
    #[must_use]
    pub fn target(&self) -> ExtendedCommunity {
        let [_, _, _, _, target @ ..] = self.octets;
        ExtendedCommunity(target)
    }

    /// Parses one route.
    pub(super) fn split<'a>(input: &'a [u8], _: &NlriFormat) -> Parsed<'a, Self> {
        let (rest, bits) = octet(input)?;
        let (rest, octets) = take(rest, usize::from(bits).div_ceil(8))?;
        let mut whole = Self {
            bits: 96,
            octets: [0; 12],
        };
        // `zip` stops after twelve octets; `truncate` then refuses a greater length.
        for (to, from) in whole.octets.iter_mut().zip(octets) {
            *to = *from;
        }
        let item = whole.truncate(bits).ok_or(nom::Err::Error(Short))?;
        Ok((rest, item))
    }

    /// Parses the output of `Display`. Returns `None` if the words do not begin with it.
    pub(super) fn parse(words: &mut Words<'_>) -> Option<Self> {
        if words.take("default") {
            return Some(Self::DEFAULT);
        }
        let origin_as = crate::text::number(words.next()?)?;
        let target = words.next()?;
        let (target, bits) = match target.split_once('/') {
            Some((target, bits)) => (target, crate::text::number(bits)?),
            None => (target, 96),
        };
        Self::new(Asn::new(origin_as), target.parse().ok()?)
            .truncate(bits)
            // A length of 0 has a text of its own, `default`.
            .filter(|prefix| prefix.bits > 0)
    }
}

impl NlriValue for RouteTargetPrefix {
    // The length octet and 96 bits.
    const MAX_LENGTH: usize = 13;

    fn suits(family: Family) -> bool {
        family == Family::ROUTE_TARGET
    }

    fn is_legal(&self, _: &NlriFormat) -> bool {
        true
    }

    fn encoded_length(&self, _: &NlriFormat) -> usize {
        1 + usize::from(self.bits).div_ceil(8)
    }

    fn write<'o>(&self, format: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        let length = self.encoded_length(format);
        let octets = self.octets.get(..length - 1);
        debug_assert!(octets.is_some(), "truncate() limits the bits to 96");
        write_exactly(length, out, |out| {
            out.put(&[self.bits]);
            out.put(octets.unwrap_or_default());
        })
    }
}

impl HasFamily for RouteTargetPrefix {
    fn family(&self) -> Family {
        Family::ROUTE_TARGET
    }
}

impl fmt::Display for RouteTargetPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits {
            0 => f.write_str("default"),
            96 => write!(f, "{} {}", self.origin_as(), self.target()),
            bits => write!(f, "{} {}/{bits}", self.origin_as(), self.target()),
        }
    }
}

parse_from_words! {
    RouteTargetPrefix, RouteTargetPrefix::parse,
    "an AS number and a route target, 64512 target:64512:1, or default"
}
