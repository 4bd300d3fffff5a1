//! Attributes with an inner structure: PMSI_TUNNEL (RFC 6514), Tunnel Encapsulation (RFC 9012), AIGP (RFC 7311) and
//! Prefix-SID (RFC 8669).
//!
//! The rules check the framing of their TLVs. The application interprets the values.

use crate::iana::PmsiTunnelType;
use crate::parse::{Parsed, Short, be_u16, length_value_u8, length_value_u16, octet, take};

/// PMSI_TUNNEL (RFC 6514 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PmsiTunnel<'a> {
    /// The flags. The lowest bit requires leaf information.
    pub flags: u8,
    /// The type of the tunnel.
    pub tunnel_type: PmsiTunnelType,
    /// The label field, 24 bits: a label in its high 20 bits, or a VNI (RFC 8365 section 5.1.3).
    pub label: u32,
    /// The identifier of the tunnel. Its form depends on the type.
    pub identifier: &'a [u8],
}

impl<'a> PmsiTunnel<'a> {
    /// Decodes a value. Returns `None` if it has less than five octets.
    pub(super) fn decode(value: &'a [u8]) -> Option<Self> {
        let ([flags, tunnel_type, high, middle, low], identifier) = value.split_first_chunk()?;
        Some(Self {
            flags: *flags,
            tunnel_type: PmsiTunnelType(*tunnel_type),
            label: u32::from_be_bytes([0, *high, *middle, *low]),
            identifier,
        })
    }
}

/// A type and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The type.
    // Tunnel types have two octets; the types of all other TLVs here have one.
    pub kind: u16,
    /// The value, without type and length.
    pub value: &'a [u8],
}

macro_rules! tlvs {
    ($(#[$meta:meta])* $name:ident, $item:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            value: &'a [u8],
        }

        impl<'a> $name<'a> {
            pub(crate) fn new(value: &'a [u8]) -> Self {
                Self { value }
            }

            /// Returns the TLVs in order. Ends before a TLV that is incomplete.
            pub fn iter(&self) -> impl Iterator<Item = Tlv<'a>> + use<'a> {
                let mut rest = self.value;
                core::iter::from_fn(move || {
                    let (after, item) = $item(rest).ok()?;
                    rest = after;
                    Some(item)
                })
            }

            /// Returns `true` if the value is a list of complete TLVs and has at least one.
            #[must_use]
            pub fn is_well_formed(&self) -> bool {
                let mut rest = self.value;
                while let Ok((after, _)) = $item(rest) {
                    if after.is_empty() {
                        return true;
                    }
                    rest = after;
                }
                false
            }
        }
    };
}

tlvs! {
    /// Tunnel Encapsulation (RFC 9012 section 2): a TLV for each tunnel, whose value is [`TunnelOptions`].
    TunnelEncapsulation, tunnel
}

tlvs! {
    /// The sub-TLVs of a tunnel (RFC 9012 section 2).
    TunnelOptions, tunnel_option
}

tlvs! {
    /// AIGP (RFC 7311 section 3).
    Aigp, aigp
}

tlvs! {
    /// BGP Prefix-SID (RFC 8669 section 3).
    PrefixSid, prefix_sid
}

impl Aigp<'_> {
    /// Returns the accumulated metric (RFC 7311 section 3). `None` if the attribute has no valid AIGP TLV.
    #[must_use]
    pub fn metric(&self) -> Option<u64> {
        // RFC 7311 section 3: of several AIGP TLVs only the first is used.
        let metric = self.iter().find(|tlv| tlv.kind == 1)?;
        Some(u64::from_be_bytes(*metric.value.as_array()?))
    }
}

impl PrefixSid<'_> {
    /// Returns the label index (RFC 8669 section 3.1). `None` if the attribute has no valid Label-Index TLV.
    #[must_use]
    pub fn label_index(&self) -> Option<u32> {
        // RFC 8669 section 3.1: a reserved octet and two octets of flags, which receivers ignore, precede the index.
        let label = self.iter().find(|tlv| tlv.kind == LABEL_INDEX)?;
        let (_reserved_and_flags, index) = label.value.split_first_chunk::<3>()?;
        Some(u32::from_be_bytes(*index.as_array()?))
    }
}

impl Tlv<'_> {
    /// Returns `true` if a TLV of Prefix-SID has a length that its type permits (RFC 8669 sections 3.1 and 3.2).
    pub(super) fn is_legal_sid(&self) -> bool {
        match (self.kind, self.value.len()) {
            (LABEL_INDEX, length) => length == 7,
            // RFC 8669 section 3.2: two octets of flags, then at least one range of six octets.
            (ORIGINATOR_SRGB, length) => length >= 8 && (length - 2).is_multiple_of(6),
            // Later RFCs add types, such as SRv6 services (RFC 9252): an unknown type is not a fault.
            _ => true,
        }
    }
}

/// Type of the Label-Index TLV of Prefix-SID (RFC 8669 section 3.1).
const LABEL_INDEX: u16 = 1;
/// Type of the Originator SRGB TLV of Prefix-SID (RFC 8669 section 3.2).
const ORIGINATOR_SRGB: u16 = 3;

impl<'a> Tlv<'a> {
    /// Returns the sub-TLVs, if this is a tunnel of [`TunnelEncapsulation`].
    #[must_use]
    pub fn options(&self) -> TunnelOptions<'a> {
        TunnelOptions::new(self.value)
    }
}

/// Parses a tunnel of Tunnel Encapsulation: two octets each for type and length (RFC 9012 section 2).
fn tunnel(input: &[u8]) -> Parsed<'_, Tlv<'_>> {
    let (rest, kind) = be_u16(input)?;
    let (rest, value) = length_value_u16(rest)?;
    Ok((rest, Tlv { kind, value }))
}

/// Parses a sub-TLV of a tunnel.
fn tunnel_option(input: &[u8]) -> Parsed<'_, Tlv<'_>> {
    let (rest, kind) = octet(input)?;
    // RFC 9012 section 2: types from 128 have a length of two octets.
    let (rest, value) = if kind < 128 {
        length_value_u8(rest)?
    } else {
        length_value_u16(rest)?
    };
    Ok((
        rest,
        Tlv {
            kind: kind.into(),
            value,
        },
    ))
}

/// Parses a TLV of AIGP.
fn aigp(input: &[u8]) -> Parsed<'_, Tlv<'_>> {
    let (rest, kind) = octet(input)?;
    let (rest, length) = be_u16(rest)?;
    // RFC 7311 section 3: the length includes the three octets of type and length.
    let length = usize::from(length)
        .checked_sub(3)
        .ok_or(nom::Err::Error(Short))?;
    let (rest, value) = take(rest, length)?;
    Ok((
        rest,
        Tlv {
            kind: kind.into(),
            value,
        },
    ))
}

/// Parses a TLV of Prefix-SID: one octet of type and two of length (RFC 8669 section 3).
fn prefix_sid(input: &[u8]) -> Parsed<'_, Tlv<'_>> {
    let (rest, kind) = octet(input)?;
    let (rest, value) = length_value_u16(rest)?;
    Ok((
        rest,
        Tlv {
            kind: kind.into(),
            value,
        },
    ))
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn values_decode_and_incomplete_tlvs_are_rejected() {
        let tunnels = TunnelEncapsulation::new(&[0, 8, 0, 6, 1, 1, 7, 128, 0, 0]);
        assert!(tunnels.is_well_formed());
        let tunnel = tunnels.iter().next().unwrap();
        let options: Vec<_> = tunnel
            .options()
            .iter()
            .map(|option| (option.kind, option.value))
            .collect();
        assert_eq!(
            (tunnel.kind, options),
            (8, Vec::from([(1, &[7][..]), (128, &[])]))
        );
        let aigp = Aigp::new(&[1, 0, 11, 0, 0, 0, 0, 0, 0, 1, 0]);
        assert_eq!((aigp.is_well_formed(), aigp.metric()), (true, Some(256)));
        let sid = PrefixSid::new(&[1, 0, 7, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!((sid.is_well_formed(), sid.label_index()), (true, Some(5)));
        // EVPN uses this form for ingress replication: label field and address of the sender (RFC 7432 section 11.2).
        let pmsi = PmsiTunnel::decode(&[0, 6, 0, 0x10, 0x10, 192, 0, 2, 1]).unwrap();
        assert_eq!(
            (pmsi.tunnel_type, pmsi.label, pmsi.identifier),
            (
                PmsiTunnelType::INGRESS_REPLICATION,
                0x1010,
                &[192, 0, 2, 1][..]
            )
        );
        for cut in [&[][..], &[1], &[1, 0], &[1, 0, 2], &[1, 0, 4]] {
            assert!(!Aigp::new(cut).is_well_formed(), "{cut:?}");
            assert_eq!(Aigp::new(cut).iter().count(), 0);
        }
    }
}
