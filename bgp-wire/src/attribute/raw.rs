//! A path attribute as it stands in the message (RFC 4271 section 4.3).

use core::fmt;
use core::str::FromStr;

use crate::asn::Asn;
use crate::error::{DecodeError, Span, position};
use crate::iana::AttributeCode;
use crate::parse::{Parsed, Short, be_u32, octet, take};
use crate::reason::Reason;
use crate::text::{Hex, ParseValueError, hex_array};

/// The Attribute Flags octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AttributeFlags(pub u8);

impl AttributeFlags {
    /// Not well-known.
    pub const OPTIONAL: u8 = 0x80;
    /// To be passed on by speakers that do not know it.
    pub const TRANSITIVE: u8 = 0x40;
    /// A speaker that did not know it has passed it on.
    pub const PARTIAL: u8 = 0x20;
    /// The length has two octets.
    pub const EXTENDED_LENGTH: u8 = 0x10;

    /// The Optional bit.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        self.0 & Self::OPTIONAL != 0
    }

    /// The Transitive bit.
    #[must_use]
    pub const fn is_transitive(self) -> bool {
        self.0 & Self::TRANSITIVE != 0
    }

    /// These flags as they are sent: the encoder knows the length, the low bits are zero (RFC 4271 section 4.3), and only
    /// what is transitive can be partial.
    pub(crate) const fn sendable(self) -> Self {
        let mask = if self.is_transitive() {
            Self::OPTIONAL | Self::TRANSITIVE | Self::PARTIAL
        } else {
            Self::OPTIONAL
        };
        Self(self.0 & mask)
    }
}

impl fmt::Display for AttributeFlags {
    /// The octet in hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&[self.0]).fmt(f)
    }
}

impl FromStr for AttributeFlags {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        let octet = hex_array(text).map(|[octet]| Self(octet));
        octet.ok_or(ParseValueError {
            expected: "the flags of an attribute in hex: 0xc0",
        })
    }
}

/// An attribute of a received message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawAttribute<'a> {
    /// The flags as received.
    pub flags: AttributeFlags,
    /// The code.
    pub code: AttributeCode,
    /// The value.
    pub value: &'a [u8],
    /// Where it starts in its message.
    pub(crate) start: u16,
}

impl<'a> RawAttribute<'a> {
    /// The attribute at the start of `input`, which starts at `start` in its message.
    #[inline(always)]
    pub(crate) fn split(input: &'a [u8], start: u16) -> Parsed<'a, Self> {
        let [flags, code, short, rest @ ..] = input else {
            return Err(nom::Err::Error(Short));
        };
        let (rest, length) = if *flags & AttributeFlags::EXTENDED_LENGTH == 0 {
            (rest, u16::from(*short))
        } else {
            let (rest, low) = octet(rest)?;
            (rest, u16::from_be_bytes([*short, low]))
        };
        let (rest, value) = take(rest, length.into())?;
        Ok((
            rest,
            Self {
                flags: AttributeFlags(*flags),
                code: AttributeCode(*code),
                value,
                start,
            },
        ))
    }

    /// Where it stands in its message: flags, code, length and value.
    #[must_use]
    #[inline]
    pub fn span(&self) -> Span {
        let start = usize::from(self.start);
        Span::new(start, start + self.header_length() + self.value.len())
    }

    /// Octets in front of the value.
    #[inline(always)]
    pub(crate) fn header_length(&self) -> usize {
        if self.flags.0 & AttributeFlags::EXTENDED_LENGTH == 0 {
            3
        } else {
            4
        }
    }
}

/// The path attributes of an UPDATE, unchecked. Ends after an attribute that its section cuts short, with an error.
#[derive(Clone, Copy, Debug)]
pub struct RawAttributes<'a> {
    rest: &'a [u8],
    /// Where `rest` ends in its message.
    end: u16,
}

impl<'a> Iterator for RawAttributes<'a> {
    type Item = Result<RawAttribute<'a>, DecodeError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let start = self.start();
        if let Ok((rest, attribute)) = RawAttribute::split(self.rest, start) {
            self.rest = rest;
            return Some(Ok(attribute));
        }
        // RFC 7606 section 4: what follows cannot be told apart.
        self.rest = &[];
        let reason = Reason::MALFORMED_ATTRIBUTE_LIST;
        Some(Err(DecodeError::new(reason, start.into(), self.end.into())))
    }
}

impl<'a> RawAttributes<'a> {
    /// `octets` end at `end` in their message.
    #[inline]
    pub(crate) fn new(octets: &'a [u8], end: u16) -> Self {
        Self { rest: octets, end }
    }

    /// The attribute that starts at `start` in the message.
    #[inline]
    pub(crate) fn at(self, start: u16) -> Option<RawAttribute<'a>> {
        let length = usize::from(self.end.checked_sub(start)?);
        let (_, rest) = self
            .rest
            .split_at_checked(self.rest.len().checked_sub(length)?)?;
        let (_, attribute) = RawAttribute::split(rest, start).ok()?;
        Some(attribute)
    }

    /// Where the next attribute starts in the message.
    #[inline(always)]
    pub(crate) fn start(self) -> u16 {
        self.end.wrapping_sub(position(self.rest.len()))
    }

    #[inline(always)]
    pub(crate) fn octets(self) -> &'a [u8] {
        self.rest
    }

    /// What is left when only `rest`, its end, is left.
    #[inline(always)]
    pub(crate) fn with_rest(self, rest: &'a [u8]) -> Self {
        Self { rest, ..self }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.rest.is_empty()
    }
}

/// ATTR_SET: the attributes of a customer's route, carried through a provider (RFC 6368 section 5).
#[derive(Clone, Copy, Debug)]
pub struct AttrSet<'a> {
    /// The AS in which the route originated.
    pub origin_as: Asn,
    attributes: RawAttributes<'a>,
}

impl<'a> AttrSet<'a> {
    pub(super) fn decode(raw: RawAttribute<'a>) -> Option<Self> {
        let (rest, asn) = be_u32(raw.value).ok()?;
        let attributes = RawAttributes::new(rest, raw.span().end);
        Some(Self {
            origin_as: Asn::new(asn),
            attributes,
        })
    }

    /// The attributes, unchecked; AS numbers in them have four octets.
    #[must_use]
    pub fn raw_attributes(&self) -> RawAttributes<'a> {
        self.attributes
    }
}
