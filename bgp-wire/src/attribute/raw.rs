//! A path attribute before its value is decoded (RFC 4271 section 4.3).

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
    /// The Optional bit: the attribute is not well-known.
    pub const OPTIONAL: u8 = 0x80;
    /// The Transitive bit: speakers that do not recognize the attribute pass it on.
    pub const TRANSITIVE: u8 = 0x40;
    /// The Partial bit: a speaker that did not recognize the attribute passed it on.
    pub const PARTIAL: u8 = 0x20;
    /// The Extended Length bit: the length has two octets.
    pub const EXTENDED_LENGTH: u8 = 0x10;

    /// Returns `true` if the Optional bit is set.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        self.0 & Self::OPTIONAL != 0
    }

    /// Returns `true` if the Transitive bit is set.
    #[must_use]
    pub const fn is_transitive(self) -> bool {
        self.0 & Self::TRANSITIVE != 0
    }

    /// Returns the flags to send: without the bits that the encoder sets and those that must be zero.
    pub(crate) const fn sendable(self) -> Self {
        // RFC 4271 section 4.3: the low four bits are zero, and Partial is zero unless the attribute is transitive. The
        // encoder sets Extended Length by the length of the value.
        let mask = if self.is_transitive() {
            Self::OPTIONAL | Self::TRANSITIVE | Self::PARTIAL
        } else {
            Self::OPTIONAL
        };
        Self(self.0 & mask)
    }
}

impl fmt::Display for AttributeFlags {
    /// Writes the octet in hex, with `0x`.
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
    /// The flags, as received.
    pub flags: AttributeFlags,
    /// The attribute type code.
    pub code: AttributeCode,
    /// The value, unchecked.
    pub value: &'a [u8],
    /// Position of the attribute's first octet in its message.
    pub(crate) start: u16,
}

impl<'a> RawAttribute<'a> {
    /// Splits the first attribute off `input`, which begins at position `start` of its message.
    ///
    /// Fails if the attribute is incomplete.
    #[inline(always)]
    pub(crate) fn split(input: &'a [u8], start: u16) -> Parsed<'a, Self> {
        // One comparison of the length covers the three octets that every attribute has.
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

    /// Returns the range of the attribute in its message: flags, code, length and value.
    #[must_use]
    #[inline]
    pub fn span(&self) -> Span {
        let start = usize::from(self.start);
        Span::new(start, start + self.header_length() + self.value.len())
    }

    /// Returns the number of octets before the value: 3, or 4 with an extended length.
    #[inline(always)]
    pub(crate) fn header_length(&self) -> usize {
        if self.flags.0 & AttributeFlags::EXTENDED_LENGTH == 0 {
            3
        } else {
            4
        }
    }
}

/// Iterator over the unchecked path attributes of an UPDATE. If an attribute is incomplete, the last item is an error.
#[derive(Clone, Copy, Debug)]
pub struct RawAttributes<'a> {
    rest: &'a [u8],
    // The end does not move, so a step changes only `rest`; the start follows from both.
    /// Position after the last octet of `rest` in its message.
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
        // RFC 7606 section 4: the attributes after an incomplete one cannot be separated.
        self.rest = &[];
        let reason = Reason::MALFORMED_ATTRIBUTE_LIST;
        Some(Err(DecodeError::new(reason, start.into(), self.end.into())))
    }
}

impl<'a> RawAttributes<'a> {
    /// Creates an iterator over `octets`, which end at position `end` of their message.
    #[inline]
    pub(crate) fn new(octets: &'a [u8], end: u16) -> Self {
        Self { rest: octets, end }
    }

    /// Returns the attribute at position `start` of the message. `None` if no complete one begins there.
    #[inline]
    pub(crate) fn at(self, start: u16) -> Option<RawAttribute<'a>> {
        let length = usize::from(self.end.checked_sub(start)?);
        let (_, rest) = self
            .rest
            .split_at_checked(self.rest.len().checked_sub(length)?)?;
        let (_, attribute) = RawAttribute::split(rest, start).ok()?;
        Some(attribute)
    }

    /// Returns the position of the next attribute in the message.
    #[inline(always)]
    pub(crate) fn start(self) -> u16 {
        // In a message `end` is never less than the length of `rest`. Wrapping avoids a check for each attribute.
        self.end.wrapping_sub(position(self.rest.len()))
    }

    /// Returns the octets of the remaining attributes.
    #[inline(always)]
    pub(crate) fn octets(self) -> &'a [u8] {
        self.rest
    }

    /// Returns an iterator over `rest`, which must be the end of the remaining octets.
    #[inline(always)]
    pub(crate) fn with_rest(self, rest: &'a [u8]) -> Self {
        Self { rest, ..self }
    }

    /// Returns `true` if no attribute remains.
    pub(crate) fn is_empty(self) -> bool {
        self.rest.is_empty()
    }
}

/// ATTR_SET: the attributes of a customer's route, carried through a provider's network (RFC 6368 section 5).
#[derive(Clone, Copy, Debug)]
pub struct AttrSet<'a> {
    /// The AS in which the route originated.
    pub origin_as: Asn,
    attributes: RawAttributes<'a>,
}

impl<'a> AttrSet<'a> {
    /// Decodes the AS number. Returns `None` if the value has less than four octets.
    pub(super) fn decode(raw: RawAttribute<'a>) -> Option<Self> {
        let (rest, asn) = be_u32(raw.value).ok()?;
        // The nested attributes are at the end of this one, so their positions are those of the whole message.
        let attributes = RawAttributes::new(rest, raw.span().end);
        Some(Self {
            origin_as: Asn::new(asn),
            attributes,
        })
    }

    /// Returns the unchecked attributes. Their AS numbers have four octets.
    #[must_use]
    pub fn raw_attributes(&self) -> RawAttributes<'a> {
        self.attributes
    }
}
