//! MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 sections 3 and 4, RFC 2545, RFC 7606 section 7.11, RFC 8950).

use core::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::context::Context;
use crate::family::Family;
use crate::iana::{Afi, AttributeCode, Safi};
use crate::next_hop::{NextHop, is_usable};
use crate::nlri::{Nlri, NlriFormat, Prefixes, Routes};
use crate::parse::{Parsed, be_u16, length_value_u8, octet};

/// MP_REACH_NLRI: announced routes of one family, with their next hop.
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
    /// Returns `None` if the value is malformed. Its routes are unknown then, and the session must be reset (RFC 7606 section
    /// 5.3). Otherwise returns `true` if the routes are suspect (see [`Prefixes::check`]).
    pub(crate) fn check(value: &[u8], context: &Context) -> Option<bool> {
        let Ok((nlri, (family, next_hop))) = reach(value) else {
            return None;
        };
        // Routes of other families are ignored, so their contents cannot end the session.
        if !context.families.contains(family) {
            return Some(false);
        }
        next_hop_length_is_legal(family, next_hop.len(), context)
            .then(|| check(nlri, NlriFormat::new(family, context, false)))
            .flatten()
    }

    /// Creates a view of a value that `check` accepted.
    #[inline]
    pub(crate) const fn from_checked(value: &'a [u8], context: &'a Context) -> Self {
        Self { value, context }
    }

    /// Returns the family of the routes.
    #[must_use]
    #[inline]
    pub fn family(&self) -> Family {
        leading_family(self.value)
    }

    /// Returns the octets of the next hop field.
    #[must_use]
    #[inline]
    pub fn next_hop_octets(&self) -> &'a [u8] {
        reach(self.value).map_or(&[], |(_, (_, next_hop))| next_hop)
    }

    /// Returns `true` if routes of the family require a next hop. Only flow specifications do not: their next hop is
    /// ignored (RFC 8955 section 4).
    pub(crate) fn has_next_hop(&self) -> bool {
        !matches!(self.family().safi, Safi::FLOWSPEC | Safi::FLOWSPEC_VPN)
    }

    /// Returns the next hop: the global address if the field also has a link-local one (RFC 2545 section 3). `None` if
    /// the field has no address, as with flow specifications.
    ///
    /// Of two addresses without a global one, such as `::` and a link-local address, the link-local address is returned.
    /// The zero route distinguisher before the next hop of a VPN route is not part of the address.
    #[must_use]
    pub fn next_hop(&self) -> Option<IpAddr> {
        let (first, second) = self.next_hops();
        match (first?, second) {
            (IpAddr::V6(global), Some(link_local)) if lacks_global(global, link_local) => {
                Some(link_local.into())
            }
            (first, _) => Some(first),
        }
    }

    /// Returns the next hop in the form that the encoders take, or `None` if the field has no address.
    pub(crate) fn next_hop_value(&self) -> Option<NextHop> {
        match (self.next_hop()?, self.link_local_next_hop()) {
            (IpAddr::V6(global), Some(link_local)) if global != link_local => {
                Some(NextHop::GlobalAndLinkLocal(global, link_local))
            }
            // RFC 8955 section 4: the next hop of a flow specification is ignored, so the encoder must not check it.
            (address, _) if !is_usable(address) && !self.has_next_hop() => Some(NextHop::Absent),
            (address, _) => Some(NextHop::Address(address)),
        }
    }

    /// Returns the second address of the field if it is link-local (RFC 2545 section 3).
    #[must_use]
    pub fn link_local_next_hop(&self) -> Option<Ipv6Addr> {
        // Another second address is of no use to the receiver, which has the first.
        let (_, second) = self.next_hops();
        second.filter(Ipv6Addr::is_unicast_link_local)
    }

    /// Returns the one or two addresses of the field, without their route distinguishers (RFC 4659 section 3.2.1.1).
    ///
    /// The first is `None` if the field has another length than an address.
    pub(crate) fn next_hops(&self) -> (Option<IpAddr>, Option<Ipv6Addr>) {
        let distinguisher = match self.family().safi {
            Safi::VPN => 8,
            _ => 0,
        };
        let next_hop = self.next_hop_octets();
        // Only these lengths hold two addresses: 2 * 16 octets, and 2 * 24 with route distinguishers.
        let (first, second) = match next_hop.len() {
            32 | 48 => next_hop.split_at(next_hop.len() / 2),
            _ => (next_hop, &[][..]),
        };
        let address = |octets: &'a [u8]| octets.get(distinguisher..).unwrap_or_default();
        let (first, second) = (address(first), address(second));
        let first = match first.len() {
            4 => first.first_chunk::<4>().map(|octets| (*octets).into()),
            16 => first.first_chunk::<16>().map(|octets| (*octets).into()),
            _ => None,
        };
        (
            first,
            second.as_array::<16>().map(|octets| (*octets).into()),
        )
    }

    /// Returns the octets of the routes.
    #[must_use]
    #[inline]
    pub fn nlri_octets(&self) -> &'a [u8] {
        reach(self.value).map_or(&[], |(nlri, _)| nlri)
    }

    /// Returns the routes. Empty if the family was not negotiated.
    #[must_use]
    pub fn routes(&self) -> Routes<'a> {
        let exchanged = self.context.exchanges(self.family());
        let field = if exchanged { self.nlri_octets() } else { &[] };
        Routes::from_checked(field, NlriFormat::new(self.family(), self.context, false))
    }

    /// Returns the routes if they are IPv4 or IPv6 unicast. Empty for other families, or if the family was not
    /// negotiated.
    #[must_use]
    #[inline]
    pub fn prefixes(&self) -> MpPrefixes<'a> {
        prefixes(self.nlri_octets(), self.family(), self.context)
    }
}

impl<'a> MpUnreach<'a> {
    /// Returns `None` if the value is malformed. Its routes are unknown then, and the session must be reset (RFC 7606 section
    /// 5.3). Otherwise returns `true` if the routes are suspect (see [`Prefixes::check`]).
    pub(crate) fn check(value: &[u8], context: &Context) -> Option<bool> {
        let (nlri, family) = family(value).ok()?;
        if !context.families.contains(family) {
            return Some(false);
        }
        check(nlri, NlriFormat::new(family, context, true))
    }

    /// Creates a view of a value that `check` accepted.
    #[inline]
    pub(crate) const fn from_checked(value: &'a [u8], context: &'a Context) -> Self {
        Self { value, context }
    }

    /// Returns the family of the routes.
    #[must_use]
    #[inline]
    pub fn family(&self) -> Family {
        leading_family(self.value)
    }

    /// Returns the octets of the routes.
    #[must_use]
    #[inline]
    pub fn nlri_octets(&self) -> &'a [u8] {
        family(self.value).map_or(&[], |(nlri, _)| nlri)
    }

    /// Returns the routes. Empty if the family was not negotiated.
    #[must_use]
    pub fn routes(&self) -> Routes<'a> {
        let exchanged = self.context.exchanges(self.family());
        let field = if exchanged { self.nlri_octets() } else { &[] };
        Routes::from_checked(field, NlriFormat::new(self.family(), self.context, true))
    }

    /// Returns the routes if they are IPv4 or IPv6 unicast. Empty for other families, or if the family was not
    /// negotiated.
    #[must_use]
    #[inline]
    pub fn prefixes(&self) -> MpPrefixes<'a> {
        prefixes(self.nlri_octets(), self.family(), self.context)
    }
}

/// The unicast prefixes of a multiprotocol attribute.
#[derive(Clone, Copy, Debug)]
pub enum MpPrefixes<'a> {
    /// No prefixes: the family is not unicast or was not negotiated.
    None,
    /// IPv4 unicast (AFI 1).
    Ipv4(Prefixes<'a, Ipv4Net>),
    /// IPv6 unicast (AFI 2).
    Ipv6(Prefixes<'a, Ipv6Net>),
}

/// Returns `true` if of two next hops only the second can be used, because the first is not global.
fn lacks_global(first: Ipv6Addr, second: Ipv6Addr) -> bool {
    // RFC 2545 section 3 requires a global address, but a session over link-local addresses may have none: BIRD sends
    // `::` in its place, and FRR the link-local address twice.
    (first.is_unspecified() || first.is_unicast_link_local()) && second.is_unicast_link_local()
}

/// Returns `None` unless `nlri` is a valid list of routes of the family. Otherwise returns `true` if they are suspect (see
/// [`Prefixes::check`]).
fn check(nlri: &[u8], format: NlriFormat) -> Option<bool> {
    // Nearly all routes are unicast. Their own checks skip the match on the family that `Routes` makes for each route.
    match format.family {
        Family::IPV4_UNICAST => Prefixes::<Ipv4Net>::check(nlri, format.add_path, 0).ok(),
        Family::IPV6_UNICAST => Prefixes::<Ipv6Net>::check(nlri, format.add_path, 0).ok(),
        _ => Routes::check(nlri, format, 0)
            .ok()
            .map(|_| format.family.safi == Safi::MULTICAST),
    }
}

/// Returns the prefixes in `nlri` if the family is unicast and negotiated.
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

    // `next` matches on the family for every prefix; here one match selects the loop.
    #[inline(always)]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, start: B, mut step: F) -> B {
        let mut all = start;
        match self {
            Self::None => {}
            // IPv4 prefixes are usually in the NLRI field: a loop of their own here is not worth its code size.
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

/// Returns the family and the unchecked routes of a multiprotocol attribute. `None` for other attributes, or if the
/// value ends before the routes.
pub(crate) fn nlri_field(code: AttributeCode, value: &[u8]) -> Option<(Family, &[u8])> {
    let (nlri, family) = match code {
        AttributeCode::MP_REACH_NLRI => reach(value).map(|(nlri, (family, _))| (nlri, family)),
        AttributeCode::MP_UNREACH_NLRI => family(value),
        _ => return None,
    }
    .ok()?;
    Some((family, nlri))
}

/// Returns the family at the start of a value, or the reserved family 0/0 if the value is too short.
#[inline]
fn leading_family(value: &[u8]) -> Family {
    // Only the dissector gets here with a short value: it shows attributes that fail `check`.
    family(value).map_or(Family::new(Afi(0), Safi(0)), |(_, family)| family)
}

/// Parses AFI and SAFI.
#[inline]
fn family(input: &[u8]) -> Parsed<'_, Family> {
    let (rest, afi) = be_u16(input)?;
    let (rest, safi) = octet(rest)?;
    Ok((rest, Family::new(Afi(afi), Safi(safi))))
}

/// Parses family and next hop of MP_REACH_NLRI. The rest is the routes.
#[inline]
fn reach(input: &[u8]) -> Parsed<'_, (Family, &[u8])> {
    let (rest, family) = family(input)?;
    let (rest, next_hop) = length_value_u8(rest)?;
    // RFC 4760 section 3: the reserved octet is ignored on receipt.
    let (rest, _reserved) = octet(rest)?;
    Ok((rest, (family, next_hop)))
}

/// Returns `true` if a next hop of the family may have this length. If not, the rest of the attribute is not reliable
/// (RFC 7606 section 7.11).
///
/// The lengths are those of RFC 4760 section 3, RFC 2545 section 3, RFC 4364 section 4.3.2, RFC 4659 section 3.2.1,
/// RFC 7432 section 9.2.1, RFC 4684 section 4 and RFC 8950 section 3.
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
        // RFC 8955 section 4: the next hop of a flow specification is ignored.
        _ => true,
    }
}
