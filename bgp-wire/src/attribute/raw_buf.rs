//! `RawAttributeBuf`: an attribute to send as octets, with constructors for values that have a grammar.

use alloc::vec::Vec;

use super::rules::flags;
use super::{AttributeFlags, PmsiTunnel, RawAttribute, Tlv};
use crate::error::EncodeError;
use crate::extended_community::Ipv6ExtendedCommunity;
use crate::iana::AttributeCode;

/// An attribute to send that has no field in [`AttributeSet`](super::AttributeSet).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawAttributeBuf {
    /// The bits Optional, Transitive and Partial. The encoder sets Extended Length if the value requires it.
    pub flags: AttributeFlags,
    /// The attribute type code.
    pub code: AttributeCode,
    /// The value, at most 65535 octets.
    pub value: Vec<u8>,
}

impl RawAttributeBuf {
    /// Creates an attribute with the Optional and Transitive bits that its code requires.
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

    /// Creates PMSI_TUNNEL (RFC 6514 section 5). The low 24 bits of the label field are encoded.
    #[must_use]
    pub fn pmsi_tunnel(tunnel: PmsiTunnel<'_>) -> Self {
        // RFC 6514 section 5: the MPLS Label field has three octets.
        let [_, high, middle, low] = tunnel.label.to_be_bytes();
        let head = [tunnel.flags, tunnel.tunnel_type.0, high, middle, low];
        Self::new(
            AttributeCode::PMSI_TUNNEL,
            [&head, tunnel.identifier].concat(),
        )
    }

    /// Creates AIGP with one metric (RFC 7311 section 3). It is sent only to internal peers and within a confederation.
    #[must_use]
    pub fn aigp(metric: u64) -> Self {
        // RFC 7311 section 3: the length of the TLV, 11, includes its type and length fields.
        let value = [&[1, 0, 11][..], &metric.to_be_bytes()].concat();
        Self::new(AttributeCode::AIGP, value)
    }

    /// Creates a BGP Prefix-SID with a label index (RFC 8669 section 3.1).
    #[must_use]
    pub fn label_index(index: u32) -> Self {
        // RFC 8669 section 3.1: a reserved octet and two octets of flags, all zero, precede the index.
        let value = [&[1, 0, 7, 0, 0, 0][..], &index.to_be_bytes()].concat();
        Self::new(AttributeCode::PREFIX_SID, value)
    }

    /// Creates Tunnel Encapsulation (RFC 9012 section 2) from the type and the sub-TLVs of each tunnel.
    ///
    /// # Errors
    ///
    /// Returns an error if a sub-TLV has more than 255 octets and a type below 128, or more than 65535 octets. Also if
    /// the type of a sub-TLV exceeds 255, or a tunnel has more than 65535 octets.
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
            value.extend(two_octets("tunnel", tunnel.len())?);
            value.extend(tunnel);
        }
        Ok(Self::new(AttributeCode::TUNNEL_ENCAPSULATION, value))
    }

    /// Creates IPv6 Address Specific Extended Communities (RFC 5701).
    #[must_use]
    pub fn ipv6_extended_communities(communities: &[Ipv6ExtendedCommunity]) -> Self {
        let value = communities.iter().flat_map(|community| community.0);
        Self::new(AttributeCode::IPV6_EXTENDED_COMMUNITIES, value.collect())
    }

    /// Returns a view of the attribute as if it had been received, so that the rules can check it.
    pub(super) fn as_raw(&self) -> RawAttribute<'_> {
        RawAttribute {
            flags: self.flags,
            code: self.code,
            value: &self.value,
            // There is no message: the caller uses the verdict and not the span.
            start: 0,
        }
    }
}

impl From<RawAttribute<'_>> for RawAttributeBuf {
    /// Copies the attribute. The form of its length, one octet or two, is not kept.
    fn from(raw: RawAttribute<'_>) -> Self {
        Self {
            flags: raw.flags.sendable(),
            code: raw.code,
            value: raw.value.to_vec(),
        }
    }
}

/// Returns `length` as two octets. Fails if it exceeds 65535.
pub(super) fn two_octets(part: &'static str, length: usize) -> Result<[u8; 2], EncodeError> {
    let length = u16::try_from(length).map_err(|_| EncodeError::PartTooLong { part, length })?;
    Ok(length.to_be_bytes())
}

impl Tlv<'_> {
    /// Appends a sub-TLV of a tunnel to `out`.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let long = EncodeError::PartTooLong {
            part: "tunnel sub-TLV",
            length: self.value.len(),
        };
        let kind = u8::try_from(self.kind)
            .map_err(|_| EncodeError::Illegal("tunnel sub-TLV with a type above 255"))?;
        out.push(kind);
        // RFC 9012 section 2: types from 128 have a length of two octets.
        if kind < 128 {
            out.push(u8::try_from(self.value.len()).map_err(|_| long)?);
        } else {
            out.extend(two_octets("tunnel sub-TLV", self.value.len())?);
        }
        out.extend(self.value);
        Ok(())
    }
}
