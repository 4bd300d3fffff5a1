//! Route target membership (RFC 4684): which route targets a speaker wants routes for.

use core::fmt;

use super::NlriFormat;
use super::encode::{HasFamily, NlriValue, write_exactly};
use super::words::{Words, in_words};
use crate::asn::Asn;
use crate::extended_community::ExtendedCommunity;
use crate::family::Family;
use crate::parse::{Parsed, Short, octet, take};
use crate::sink::Sink;

/// A prefix of origin AS and route target (RFC 4684 section 4), written `64512 target:64512:1`, with `/` and a length
/// in bits behind it where not all 96 count, or `default` for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteTargetPrefix {
    bits: u8,
    octets: [u8; 12],
}

impl RouteTargetPrefix {
    /// Every route target.
    pub const DEFAULT: Self = Self {
        bits: 0,
        octets: [0; 12],
    };

    /// One route target of one origin AS.
    #[must_use]
    pub fn new(origin_as: Asn, target: ExtendedCommunity) -> Self {
        let ([a, b, c, d], [e, f, g, h, i, j, k, l]) = (origin_as.number().to_be_bytes(), target.0);
        Self {
            bits: 96,
            octets: [a, b, c, d, e, f, g, h, i, j, k, l],
        }
    }

    /// The first so many bits of this one; `None` unless they are 0 or 32 to 96.
    #[must_use]
    pub fn truncate(self, bits: u8) -> Option<Self> {
        if !matches!(bits, 0 | 32..=96) || bits > self.bits {
            return None;
        }
        let mut octets = self.octets;
        for (position, octet) in octets.iter_mut().enumerate() {
            let kept = usize::from(bits).saturating_sub(position * 8).min(8);
            *octet &= !(0xff_u16 >> kept).to_be_bytes()[1];
        }
        Some(Self { bits, octets })
    }

    /// How many bits of AS and route target count, 0 or 32 to 96.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// The origin AS; 0 for the default.
    #[must_use]
    pub fn origin_as(&self) -> Asn {
        let [a, b, c, d, ..] = self.octets;
        Asn::new(u32::from_be_bytes([a, b, c, d]))
    }

    /// The route target, of which the first `bits - 32` count.
    #[must_use]
    pub fn target(&self) -> ExtendedCommunity {
        let [_, _, _, _, target @ ..] = self.octets;
        ExtendedCommunity(target)
    }

    pub(super) fn split<'a>(input: &'a [u8], _: &NlriFormat) -> Parsed<'a, Self> {
        let (rest, bits) = octet(input)?;
        let (rest, octets) = take(rest, usize::from(bits).div_ceil(8))?;
        let mut whole = Self {
            bits: 96,
            octets: [0; 12],
        };
        for (to, from) in whole.octets.iter_mut().zip(octets) {
            *to = *from;
        }
        let item = whole.truncate(bits).ok_or(nom::Err::Error(Short))?;
        Ok((rest, item))
    }

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
            .filter(|prefix| prefix.bits > 0)
    }
}

impl NlriValue for RouteTargetPrefix {
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
        let octets = octets.unwrap_or_default();
        write_exactly(length, out, |out| {
            out.put(&[self.bits]);
            out.put(octets);
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

in_words! {
    RouteTargetPrefix, RouteTargetPrefix::parse,
    "an AS number and a route target, 64512 target:64512:1, or default"
}
