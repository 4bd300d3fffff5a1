//! A path attribute as it stands in the message (RFC 4271 section 4.3).

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::rules::flags;
use super::{AttributeSet, PmsiTunnel, Tlv};
use crate::asn::Asn;
use crate::context::{Context, PeerKind};
use crate::error::{DecodeError, EncodeError, Span, position};
use crate::extended_community::Ipv6ExtendedCommunity;
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
    pub(crate) fn behind(self, rest: &'a [u8]) -> Self {
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

/// An attribute to send whose code this codec does not model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawAttributeBuf {
    /// Optional, Transitive and Partial; the Extended Length bit is set where the value needs it.
    pub flags: AttributeFlags,
    /// The code.
    pub code: AttributeCode,
    /// The value.
    pub value: Vec<u8>,
}

impl RawAttributeBuf {
    /// An attribute with the Optional and Transitive bits of its code.
    fn of(code: AttributeCode, value: Vec<u8>) -> Self {
        Self {
            flags: AttributeFlags(flags(code).unwrap_or_default()),
            code,
            value,
        }
    }

    /// PMSI_TUNNEL (RFC 6514 section 5). Of the label field 24 bits are sent.
    #[must_use]
    pub fn pmsi_tunnel(tunnel: PmsiTunnel<'_>) -> Self {
        let [_, high, middle, low] = tunnel.label.to_be_bytes();
        let head = [tunnel.flags, tunnel.tunnel_type.0, high, middle, low];
        Self::of(
            AttributeCode::PMSI_TUNNEL,
            [&head, tunnel.identifier].concat(),
        )
    }

    /// AIGP with one metric (RFC 7311 section 3); sent to internal peers and within a confederation only.
    #[must_use]
    pub fn aigp(metric: u64) -> Self {
        let value = [&[1, 0, 11][..], &metric.to_be_bytes()].concat();
        Self::of(AttributeCode::AIGP, value)
    }

    /// A BGP Prefix-SID with a label index (RFC 8669 section 3.1).
    #[must_use]
    pub fn label_index(index: u32) -> Self {
        let value = [&[1, 0, 7, 0, 0, 0][..], &index.to_be_bytes()].concat();
        Self::of(AttributeCode::PREFIX_SID, value)
    }

    /// Tunnel Encapsulation (RFC 9012 section 2): for each tunnel its type and its sub-TLVs.
    ///
    /// # Errors
    ///
    /// A value is longer than its length field can say: 255 octets for types below 128, otherwise 65535.
    pub fn tunnel_encapsulation<'a>(
        tunnels: impl IntoIterator<Item = (u16, &'a [Tlv<'a>])>,
    ) -> Result<Self, EncodeError> {
        let mut value = Vec::new();
        for (tunnel_type, options) in tunnels {
            let mut tunnel = Vec::new();
            for option in options {
                option.encode(&mut tunnel)?;
            }
            value.extend(tunnel_type.to_be_bytes());
            value.extend(two_octets("a tunnel", tunnel.len())?);
            value.extend(tunnel);
        }
        Ok(Self::of(AttributeCode::TUNNEL_ENCAPSULATION, value))
    }

    /// IPv6 Address Specific Extended Communities (RFC 5701).
    #[must_use]
    pub fn ipv6_extended_communities(communities: &[Ipv6ExtendedCommunity]) -> Self {
        let value = communities.iter().flat_map(|community| community.0);
        Self::of(AttributeCode::IPV6_EXTENDED_COMMUNITIES, value.collect())
    }

    /// ATTR_SET (RFC 6368 section 5): the attributes of a customer's route that originated in `origin_as`. In it AS
    /// numbers have four octets and LOCAL_PREF is there, as between internal peers.
    ///
    /// # Errors
    ///
    /// The attributes are not legal ones.
    pub fn attr_set(origin_as: Asn, attributes: &AttributeSet) -> Result<Self, EncodeError> {
        let context = Context::new(PeerKind::Internal);
        attributes.check(&context)?;
        let length = 4 + attributes.encoded_length(&context, None);
        two_octets("an ATTR_SET", length)?;
        let mut value = vec![0; length];
        if let Some((first, rest)) = value.split_first_chunk_mut() {
            *first = origin_as.number().to_be_bytes();
            attributes.write(&context, None, rest);
        }
        Ok(Self::of(AttributeCode::ATTR_SET, value))
    }

    /// As it would stand in a message, of which it were all.
    pub(super) fn as_raw(&self) -> RawAttribute<'_> {
        RawAttribute {
            flags: self.flags,
            code: self.code,
            value: &self.value,
            start: 0,
        }
    }
}

impl From<RawAttribute<'_>> for RawAttributeBuf {
    /// The same attribute, whatever form its length had.
    fn from(raw: RawAttribute<'_>) -> Self {
        Self {
            flags: raw.flags.sendable(),
            code: raw.code,
            value: raw.value.to_vec(),
        }
    }
}

/// A length as two octets.
fn two_octets(part: &'static str, length: usize) -> Result<[u8; 2], EncodeError> {
    let length = u16::try_from(length).map_err(|_| EncodeError::PartTooLong { part, length })?;
    Ok(length.to_be_bytes())
}

impl Tlv<'_> {
    /// A sub-TLV of a tunnel: types from 128 on have a length of two octets (RFC 9012 section 2).
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let long = EncodeError::PartTooLong {
            part: "a sub-TLV of a tunnel",
            length: self.value.len(),
        };
        let kind = u8::try_from(self.kind)
            .map_err(|_| EncodeError::Illegal("a sub-TLV of a tunnel with a type above 255"))?;
        out.push(kind);
        if kind < 128 {
            out.push(u8::try_from(self.value.len()).map_err(|_| long)?);
        } else {
            out.extend(two_octets("a sub-TLV of a tunnel", self.value.len())?);
        }
        out.extend(self.value);
        Ok(())
    }
}
