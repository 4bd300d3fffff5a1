//! `RawAttributeBuf`: an attribute to send as octets, and the constructors of those whose value has a grammar.

use alloc::vec::Vec;

use super::rules::flags;
use super::{AttributeFlags, PmsiTunnel, RawAttribute, Tlv};
use crate::error::EncodeError;
use crate::extended_community::Ipv6ExtendedCommunity;
use crate::iana::AttributeCode;

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
    #[expect(
        clippy::expect_used,
        reason = "the constructors pass constant codes, and tests call each of them"
    )]
    pub(super) fn new(code: AttributeCode, value: Vec<u8>) -> Self {
        Self {
            flags: AttributeFlags(flags(code).expect("the code has a rule")),
            code,
            value,
        }
    }

    /// PMSI_TUNNEL (RFC 6514 section 5). Of the label field 24 bits are sent.
    #[must_use]
    pub fn pmsi_tunnel(tunnel: PmsiTunnel<'_>) -> Self {
        let [_, high, middle, low] = tunnel.label.to_be_bytes();
        let head = [tunnel.flags, tunnel.tunnel_type.0, high, middle, low];
        Self::new(
            AttributeCode::PMSI_TUNNEL,
            [&head, tunnel.identifier].concat(),
        )
    }

    /// AIGP with one metric (RFC 7311 section 3); sent to internal peers and within a confederation only.
    #[must_use]
    pub fn aigp(metric: u64) -> Self {
        let value = [&[1, 0, 11][..], &metric.to_be_bytes()].concat();
        Self::new(AttributeCode::AIGP, value)
    }

    /// A BGP Prefix-SID with a label index (RFC 8669 section 3.1).
    #[must_use]
    pub fn label_index(index: u32) -> Self {
        let value = [&[1, 0, 7, 0, 0, 0][..], &index.to_be_bytes()].concat();
        Self::new(AttributeCode::PREFIX_SID, value)
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
        Ok(Self::new(AttributeCode::TUNNEL_ENCAPSULATION, value))
    }

    /// IPv6 Address Specific Extended Communities (RFC 5701).
    #[must_use]
    pub fn ipv6_extended_communities(communities: &[Ipv6ExtendedCommunity]) -> Self {
        let value = communities.iter().flat_map(|community| community.0);
        Self::new(AttributeCode::IPV6_EXTENDED_COMMUNITIES, value.collect())
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
pub(super) fn two_octets(part: &'static str, length: usize) -> Result<[u8; 2], EncodeError> {
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
