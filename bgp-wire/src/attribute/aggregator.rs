//! AGGREGATOR (RFC 4271 section 5.1.7) and AS4_AGGREGATOR (RFC 6793).

use core::net::Ipv4Addr;

use crate::asn::Asn;

/// The speaker that formed an aggregate (RFC 4271 section 5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Aggregator {
    /// The AS number of the speaker.
    pub asn: Asn,
    /// The BGP Identifier of the speaker.
    pub address: Ipv4Addr,
}

impl Aggregator {
    /// Decodes a value whose length was checked: six octets with a two-octet AS number, or eight with a four-octet one.
    #[inline(always)]
    pub(crate) fn from_checked(value: &[u8]) -> Self {
        debug_assert!(matches!(value.len(), 6 | 8), "the length rule ran");
        // The length rule compared the length with the negotiated size, so the length alone identifies the form.
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
