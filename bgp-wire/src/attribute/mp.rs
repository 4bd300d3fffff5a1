//! MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 sections 3 and 4, RFC 2545, RFC 7606 section 7.11).

use core::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::RawAttribute;
use crate::context::Context;
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::nlri::{Nlri, Prefixes};
use crate::parse::{Parsed, be_u16, octet};

/// Routes that the message announces in a family other than IPv4 unicast, or in it.
#[derive(Clone, Copy, Debug)]
pub struct MpReach<'a> {
    family: Family,
    next_hop: &'a [u8],
    nlri: &'a [u8],
    prefixes: MpPrefixes<'a>,
}

/// Routes that the message withdraws in such a family.
#[derive(Clone, Copy, Debug)]
pub struct MpUnreach<'a> {
    family: Family,
    nlri: &'a [u8],
    prefixes: MpPrefixes<'a>,
}

/// The attribute cannot be understood: the session cannot go on (RFC 7606 section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl<'a> MpReach<'a> {
    pub(crate) fn decode(raw: RawAttribute<'a>, context: &Context) -> Result<Self, Malformed> {
        let (nlri, (family, next_hop)) = reach(raw.value).map_err(|_| Malformed)?;
        let parsed = context.families.contains(family);
        if parsed && !next_hop_length_is_legal(family, next_hop.len()) {
            return Err(Malformed);
        }
        let prefixes = if parsed {
            MpPrefixes::check(family, nlri, context)?
        } else {
            MpPrefixes::None
        };
        Ok(Self {
            family,
            next_hop,
            nlri,
            prefixes,
        })
    }

    /// The family of the routes.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// The next hop as it stands in the message.
    #[must_use]
    pub fn next_hop_octets(&self) -> &'a [u8] {
        self.next_hop
    }

    /// The next hop; of a global and a link-local address together the global one (RFC 2545 section 3).
    #[must_use]
    pub fn next_hop(&self) -> Option<IpAddr> {
        match self.next_hop.len() {
            4 => self
                .next_hop
                .first_chunk::<4>()
                .map(|octets| (*octets).into()),
            16 | 32 => self
                .next_hop
                .first_chunk::<16>()
                .map(|octets| (*octets).into()),
            _ => None,
        }
    }

    /// The link-local address behind a global one (RFC 2545 section 3).
    #[must_use]
    pub fn link_local_next_hop(&self) -> Option<Ipv6Addr> {
        let (_, link_local) = self.next_hop.split_at_checked(16)?;
        Some((*link_local.first_chunk::<16>()?).into())
    }

    /// The routes as they stand in the message: for families that are not parsed.
    #[must_use]
    pub fn nlri_octets(&self) -> &'a [u8] {
        self.nlri
    }

    /// The prefixes; none where the family was not negotiated.
    #[must_use]
    pub fn prefixes(&self) -> MpPrefixes<'a> {
        self.prefixes
    }
}

impl<'a> MpUnreach<'a> {
    pub(crate) fn decode(raw: RawAttribute<'a>, context: &Context) -> Result<Self, Malformed> {
        let (nlri, family) = family(raw.value).map_err(|_| Malformed)?;
        let prefixes = if context.families.contains(family) {
            MpPrefixes::check(family, nlri, context)?
        } else {
            MpPrefixes::None
        };
        Ok(Self {
            family,
            nlri,
            prefixes,
        })
    }

    /// The family of the routes.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family
    }

    /// The routes as they stand in the message: for families that are not parsed.
    #[must_use]
    pub fn nlri_octets(&self) -> &'a [u8] {
        self.nlri
    }

    /// The prefixes; none where the family was not negotiated.
    #[must_use]
    pub fn prefixes(&self) -> MpPrefixes<'a> {
        self.prefixes
    }
}

/// The prefixes of a multiprotocol attribute.
#[derive(Clone, Copy, Debug)]
pub enum MpPrefixes<'a> {
    /// The family is not parsed, or was not negotiated.
    None,
    /// AFI 1.
    Ipv4(Prefixes<'a, Ipv4Net>),
    /// AFI 2.
    Ipv6(Prefixes<'a, Ipv6Net>),
}

impl<'a> MpPrefixes<'a> {
    fn check(family: Family, nlri: &'a [u8], context: &Context) -> Result<Self, Malformed> {
        let add_path = context.add_path.contains(family);
        match family.afi {
            Afi::IPV4 => Prefixes::check(nlri, add_path, 0).map(Self::Ipv4),
            Afi::IPV6 => Prefixes::check(nlri, add_path, 0).map(Self::Ipv6),
            _ => Ok(Self::None),
        }
        .map_err(|_| Malformed)
    }
}

impl Iterator for MpPrefixes<'_> {
    type Item = Nlri<IpNet>;

    fn next(&mut self) -> Option<Nlri<IpNet>> {
        match self {
            Self::None => None,
            Self::Ipv4(prefixes) => prefixes.next().map(Nlri::widen),
            Self::Ipv6(prefixes) => prefixes.next().map(Nlri::widen),
        }
    }
}

fn family(input: &[u8]) -> Parsed<'_, Family> {
    let (rest, afi) = be_u16(input)?;
    let (rest, safi) = octet(rest)?;
    Ok((rest, Family::new(Afi(afi), Safi(safi))))
}

fn reach(input: &[u8]) -> Parsed<'_, (Family, &[u8])> {
    let (rest, family) = family(input)?;
    let (rest, next_hop) = crate::nlri::next_hop(rest)?;
    let (rest, _reserved) = octet(rest)?;
    Ok((rest, (family, next_hop)))
}

/// RFC 7606 section 7.11: a next hop of a length that the family does not have cannot be skipped.
fn next_hop_length_is_legal(family: Family, length: usize) -> bool {
    match family.afi {
        Afi::IPV4 => length == 4,
        Afi::IPV6 => length == 16 || length == 32,
        _ => true,
    }
}
