//! AGGREGATOR (RFC 4271 section 5.1.7) and AS4_AGGREGATOR (RFC 6793).

use core::net::Ipv4Addr;

use crate::asn::Asn;

/// Who formed an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Aggregator {
    /// Its AS.
    pub asn: Asn,
    /// Its BGP Identifier.
    pub address: Ipv4Addr,
}

impl Aggregator {
    /// Six octets with a two-octet AS number, or eight.
    /// `value` was checked to have six octets or eight.
    #[inline(always)]
    pub(crate) fn from_checked(value: &[u8]) -> Self {
        debug_assert!(matches!(value.len(), 6 | 8), "the length rule ran");
        let (asn, address) = match *value {
            [a, b, c, d, ref address @ ..] if value.len() == 8 => ([a, b, c, d], address),
            [a, b, ref address @ ..] => ([0, 0, a, b], address),
            _ => ([0; 4], value),
        };
        Self {
            asn: Asn::new(u32::from_be_bytes(asn)),
            address: address
                .first_chunk()
                .map_or(Ipv4Addr::UNSPECIFIED, |octets| (*octets).into()),
        }
    }
}
