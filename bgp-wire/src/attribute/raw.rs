//! A path attribute as it stands in the message (RFC 4271 section 4.3).

use alloc::vec::Vec;

use bytes::{BufMut, BytesMut};

use crate::asn::Asn;
use crate::error::{EncodeError, Span};
use crate::iana::AttributeCode;
use crate::message::RawAttributes;
use crate::parse::{Parsed, array, be_u16, be_u32, octet, take};

/// The Attribute Flags octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// The whole attribute, from its flags to the end of its value.
    pub span: Span,
}

impl<'a> RawAttribute<'a> {
    /// `start` is the position of `input` in the message.
    #[inline(always)]
    pub(crate) fn split(input: &'a [u8], start: usize) -> Parsed<'a, Self> {
        let (rest, [flags, code]) = array(input)?;
        let (rest, length) = if flags & AttributeFlags::EXTENDED_LENGTH != 0 {
            be_u16(rest)?
        } else {
            let (rest, length) = octet(rest)?;
            (rest, length.into())
        };
        let (rest, value) = take(rest, length.into())?;
        let span = Span::new(start, start + input.len() - rest.len());
        Ok((
            rest,
            Self {
                flags: AttributeFlags(flags),
                code: AttributeCode(code),
                value,
                span,
            },
        ))
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
        let attributes = RawAttributes::new(rest, raw.span.end.into());
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
    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        put_header(out, self.flags.0, self.code, self.value.len())?;
        out.put_slice(&self.value);
        Ok(())
    }
}

impl From<RawAttribute<'_>> for RawAttributeBuf {
    fn from(raw: RawAttribute<'_>) -> Self {
        Self {
            flags: raw.flags,
            code: raw.code,
            value: raw.value.to_vec(),
        }
    }
}

/// Writes flags, code and length, in two octets exactly where one is too short.
pub(crate) fn put_header(
    out: &mut BytesMut,
    flags: u8,
    code: AttributeCode,
    length: usize,
) -> Result<(), EncodeError> {
    let flags = flags & !AttributeFlags::EXTENDED_LENGTH;
    if let Ok(length) = u8::try_from(length) {
        out.put_slice(&[flags, code.0, length]);
    } else if let Ok(octets) = u16::try_from(length) {
        let [high, low] = octets.to_be_bytes();
        out.put_slice(&[flags | AttributeFlags::EXTENDED_LENGTH, code.0, high, low]);
    } else {
        return Err(EncodeError::PartTooLong {
            part: "a path attribute",
            length,
        });
    }
    Ok(())
}
