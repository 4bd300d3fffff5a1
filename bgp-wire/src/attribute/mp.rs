//! MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 sections 3 and 4, RFC 2545, RFC 7606 section 7.11, RFC 8950).

use core::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::context::Context;
use crate::family::Family;
use crate::iana::{Afi, AttributeCode, Safi};
use crate::next_hop::{NextHop, is_usable};
use crate::nlri::{Nlri, NlriFormat, Prefixes, Routes};
use crate::parse::{Parsed, be_u16, length_value_u8, octet};

/// Routes that the message announces, of any family.
#[derive(Clone, Copy, Debug)]
pub struct MpReach<'a> {
    value: &'a [u8],
    context: &'a Context,
}

/// MP_UNREACH_NLRI: withdrawn routes of one family.
#[derive(Clone, Copy, Debug)]
pub struct MpUnreach<'a> {
    value: &'a [u8],
    context: &'a Context,
}

impl<'a> MpReach<'a> {
    /// Whether the value can be understood; otherwise the session cannot go on (RFC 7606 section 5.3).
    pub(crate) fn check(value: &[u8], context: &Context) -> bool {
        let Ok((nlri, (family, next_hop))) = reach(value) else {
            return false;
        };
        !context.families.contains(family)
            || (next_hop_length_is_legal(family, next_hop.len(), context)
                && check(nlri, NlriFormat::new(family, context, false)))
    }

    /// `value` was checked.
    #[inline]
    pub(crate) const fn from_checked(value: &'a [u8], context: &'a Context) -> Self {
        Self { value, context }
    }

    /// The family of the routes.
    #[must_use]
    #[inline]
    pub fn family(&self) -> Family {
        leading_family(self.value)
    }

    /// The next hop as it stands in the message.
    #[must_use]
    #[inline]
    pub fn next_hop_octets(&self) -> &'a [u8] {
        reach(self.value).map_or(&[], |(_, (_, next_hop))| next_hop)
    }

    /// Whether routes of the family are of no use without a next hop: all but flow specifications, whose next hop is not
    /// looked at (RFC 8955 section 4).
    pub(crate) fn has_next_hop(&self) -> bool {
        !matches!(self.family().safi, Safi::FLOWSPEC | Safi::FLOWSPEC_VPN)
    }

    /// The next hop; of a global and a link-local address together the global one (RFC 2545 section 3). The route
    /// distinguisher in front of a VPN's next hop, which is zero, is not part of it. `None` where there is none, as with
    /// flow specifications.
    #[must_use]
    pub fn next_hop(&self) -> Option<IpAddr> {
        let (first, _) = self.next_hops();
        match first.len() {
            4 => first.first_chunk::<4>().map(|octets| (*octets).into()),
            16 => first.first_chunk::<16>().map(|octets| (*octets).into()),
            _ => None,
        }
    }

    /// Returns the next hop as the encoders take it; `None` if there is none.
    pub(crate) fn next_hop_value(&self) -> Option<NextHop> {
        match (self.next_hop()?, self.link_local_next_hop()) {
            (IpAddr::V6(global), Some(link_local)) => {
                Some(NextHop::GlobalAndLinkLocal(global, link_local))
            }
            // What is not looked at need not be usable.
            (address, _) if !is_usable(address) && !self.has_next_hop() => Some(NextHop::Absent),
            (address, _) => Some(NextHop::Address(address)),
        }
    }

    /// The link-local address behind a global one (RFC 2545 section 3).
    #[must_use]
    pub fn link_local_next_hop(&self) -> Option<Ipv6Addr> {
        let (_, second) = self.next_hops();
        Some((*second.as_array::<16>()?).into())
    }

    /// One or two addresses without their route distinguishers (RFC 4659 section 3.2.1.1).
    fn next_hops(&self) -> (&'a [u8], &'a [u8]) {
        let distinguisher = match self.family().safi {
            Safi::VPN => 8,
            _ => 0,
        };
        let next_hop = self.next_hop_octets();
        let (first, second) = match next_hop.len() {
            32 | 48 => next_hop.split_at(next_hop.len() / 2),
            _ => (next_hop, &[][..]),
        };
        (
            first.get(distinguisher..).unwrap_or_default(),
            second.get(distinguisher..).unwrap_or_default(),
        )
    }

    /// The routes as they stand in the message.
    #[must_use]
    #[inline]
    pub fn nlri_octets(&self) -> &'a [u8] {
        reach(self.value).map_or(&[], |(nlri, _)| nlri)
    }

    /// The routes; none where the family was not negotiated.
    #[must_use]
    pub fn routes(&self) -> Routes<'a> {
        let exchanged = self.context.exchanges(self.family());
        let field = if exchanged { self.nlri_octets() } else { &[] };
        Routes::from_checked(field, NlriFormat::new(self.family(), self.context, false))
    }

    /// The routes of IPv4 and IPv6 unicast; none of another family, or where the family was not negotiated.
    #[must_use]
    #[inline]
    pub fn prefixes(&self) -> MpPrefixes<'a> {
        prefixes(self.nlri_octets(), self.family(), self.context)
    }
}

impl<'a> MpUnreach<'a> {
    /// Whether the value can be understood; otherwise the session cannot go on (RFC 7606 section 5.3).
    pub(crate) fn check(value: &[u8], context: &Context) -> bool {
        family(value).is_ok_and(|(nlri, family)| {
            !context.families.contains(family)
                || check(nlri, NlriFormat::new(family, context, true))
        })
    }

    /// `value` was checked.
    #[inline]
    pub(crate) const fn from_checked(value: &'a [u8], context: &'a Context) -> Self {
        Self { value, context }
    }

    /// The family of the routes.
    #[must_use]
    #[inline]
    pub fn family(&self) -> Family {
        leading_family(self.value)
    }

    /// The routes as they stand in the message.
    #[must_use]
    #[inline]
    pub fn nlri_octets(&self) -> &'a [u8] {
        family(self.value).map_or(&[], |(nlri, _)| nlri)
    }

    /// The routes; none where the family was not negotiated.
    #[must_use]
    pub fn routes(&self) -> Routes<'a> {
        let exchanged = self.context.exchanges(self.family());
        let field = if exchanged { self.nlri_octets() } else { &[] };
        Routes::from_checked(field, NlriFormat::new(self.family(), self.context, true))
    }

    /// The routes of IPv4 and IPv6 unicast; none of another family, or where the family was not negotiated.
    #[must_use]
    #[inline]
    pub fn prefixes(&self) -> MpPrefixes<'a> {
        prefixes(self.nlri_octets(), self.family(), self.context)
    }
}

/// The unicast prefixes of a multiprotocol attribute.
#[derive(Clone, Copy, Debug)]
pub enum MpPrefixes<'a> {
    /// The family is another one, or was not negotiated.
    None,
    /// AFI 1.
    Ipv4(Prefixes<'a, Ipv4Net>),
    /// AFI 2.
    Ipv6(Prefixes<'a, Ipv6Net>),
}

fn check(nlri: &[u8], format: NlriFormat) -> bool {
    match format.family {
        Family::IPV4_UNICAST => Prefixes::<Ipv4Net>::check(nlri, format.add_path, 0).is_ok(),
        Family::IPV6_UNICAST => Prefixes::<Ipv6Net>::check(nlri, format.add_path, 0).is_ok(),
        _ => Routes::check(nlri, format, 0).is_ok(),
    }
}

#[inline]
fn prefixes<'a>(nlri: &'a [u8], family: Family, context: &Context) -> MpPrefixes<'a> {
    let add_path = context.add_path.contains(family);
    match family {
        _ if !context.families.contains(family) => MpPrefixes::None,
        Family::IPV4_UNICAST => MpPrefixes::Ipv4(Prefixes::from_checked(nlri, add_path)),
        Family::IPV6_UNICAST => MpPrefixes::Ipv6(Prefixes::from_checked(nlri, add_path)),
        _ => MpPrefixes::None,
    }
}

impl Iterator for MpPrefixes<'_> {
    type Item = Nlri<IpNet>;

    #[inline(always)]
    fn next(&mut self) -> Option<Nlri<IpNet>> {
        match self {
            Self::None => None,
            Self::Ipv4(prefixes) => prefixes.next().map(Nlri::widen),
            Self::Ipv6(prefixes) => prefixes.next().map(Nlri::widen),
        }
    }

    /// One loop for one family.
    #[inline(always)]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, start: B, mut step: F) -> B {
        let mut all = start;
        match self {
            Self::None => {}
            // Seldom, and not worth a loop of its own for the usual lengths.
            Self::Ipv4(prefixes) => {
                for nlri in prefixes {
                    all = step(all, nlri.widen());
                }
            }
            Self::Ipv6(prefixes) => all = prefixes.fold(all, |all, nlri| step(all, nlri.widen())),
        }
        all
    }
}

/// The family and the routes of a multiprotocol attribute, however wrong they are.
pub(crate) fn nlri_field(code: AttributeCode, value: &[u8]) -> Option<(Family, &[u8])> {
    let (nlri, family) = match code {
        AttributeCode::MP_REACH_NLRI => reach(value).map(|(nlri, (family, _))| (nlri, family)),
        AttributeCode::MP_UNREACH_NLRI => family(value),
        _ => return None,
    }
    .ok()?;
    Some((family, nlri))
}

/// The family in front of a value that was checked.
#[inline]
fn leading_family(value: &[u8]) -> Family {
    family(value).map_or(Family::new(Afi(0), Safi(0)), |(_, family)| family)
}

#[inline]
fn family(input: &[u8]) -> Parsed<'_, Family> {
    let (rest, afi) = be_u16(input)?;
    let (rest, safi) = octet(rest)?;
    Ok((rest, Family::new(Afi(afi), Safi(safi))))
}

#[inline]
fn reach(input: &[u8]) -> Parsed<'_, (Family, &[u8])> {
    let (rest, family) = family(input)?;
    let (rest, next_hop) = length_value_u8(rest)?;
    let (rest, _reserved) = octet(rest)?;
    Ok((rest, (family, next_hop)))
}

/// RFC 7606 section 7.11: a next hop of a length that the family does not have makes the attribute one that cannot be
/// believed. Lengths: RFC 4760 section 3, RFC 2545 section 3, RFC 4364 section 4.3.2, RFC 4659 section 3.2.1, RFC 7432
/// section 9, RFC 4684 section 4, RFC 8950 section 3.
fn next_hop_length_is_legal(family: Family, length: usize, context: &Context) -> bool {
    let extended = context.extended_next_hop.contains(family);
    match (family.afi, family.safi) {
        (Afi::IPV4, Safi::UNICAST | Safi::MULTICAST | Safi::LABELED) => {
            length == 4 || (extended && matches!(length, 16 | 32))
        }
        (Afi::IPV6, Safi::UNICAST | Safi::MULTICAST | Safi::LABELED) => matches!(length, 16 | 32),
        (Afi::IPV4, Safi::VPN) => length == 12 || (extended && matches!(length, 24 | 48)),
        (Afi::IPV6, Safi::VPN) => matches!(length, 24 | 48),
        (_, Safi::EVPN | Safi::ROUTE_TARGET) => matches!(length, 4 | 16),
        // RFC 8955 section 4: what stands there is not looked at.
        _ => true,
    }
}
