//! AGGREGATOR (RFC 4271 section 5.1.7) and AS4_AGGREGATOR (RFC 6793).

use core::net::Ipv4Addr;

use super::exactly;
use crate::asn::Asn;
use crate::parse::{be_u16, be_u32};

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
    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let (rest, asn) = match value.len() {
            6 => be_u16(value).map(|(rest, asn)| (rest, asn.into())),
            _ => be_u32(value),
        }
        .ok()?;
        Some(Self {
            asn: Asn::new(asn),
            address: exactly(be_u32(rest))?.into(),
        })
    }
}
