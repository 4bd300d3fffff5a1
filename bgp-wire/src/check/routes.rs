//! The routes of a checked UPDATE: unicast prefixes, and routes of every family.

use core::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::Checked;
use crate::attribute::MpPrefixes;
use crate::family::Family;
use crate::next_hop::NextHop;
use crate::nlri::{AnyNlri, Nlri, NlriFormat, Prefixes, Routes};

impl<'a> Checked<'a> {
    /// Every unicast prefix that is announced. Nothing after treat-as-withdraw.
    #[must_use]
    #[inline(always)]
    pub fn announced(&self) -> UnicastRoutes<'a> {
        if self.treats_as_withdraw() {
            UnicastRoutes::default()
        } else {
            UnicastRoutes::of(self.reachable())
        }
    }

    /// The same, each with its next hop: that of IPv4 may stand in NEXT_HOP or in MP_REACH_NLRI.
    pub fn announced_with_next_hops(&self) -> impl Iterator<Item = (NextHop, Nlri)> + use<'a> {
        let UnicastSection {
            ipv4,
            multiprotocol,
        } = if self.treats_as_withdraw() {
            UnicastSection::default()
        } else {
            self.reachable()
        };
        let of_ipv4 = self.next_hop().map(|address| IpAddr::V4(address).into());
        let of_reach = self.mp_reach().and_then(|reach| reach.next_hop_value());
        let ipv4 = ipv4.map(move |nlri| (of_ipv4.unwrap_or(NextHop::Absent), nlri.widen()));
        let others = multiprotocol.map(move |nlri| (of_reach.unwrap_or(NextHop::Absent), nlri));
        ipv4.chain(others)
    }

    /// Every unicast prefix that is withdrawn, and after treat-as-withdraw those that were announced.
    #[must_use]
    #[inline(always)]
    pub fn withdrawn(&self) -> UnicastRoutes<'a> {
        let unreachable = UnicastSection {
            ipv4: self.ipv4_prefixes(self.update.withdrawn_octets()),
            multiprotocol: self
                .mp_unreach()
                .map_or(MpPrefixes::None, |unreach| unreach.prefixes()),
        };
        if self.treats_as_withdraw() {
            UnicastRoutes::of_both(unreachable, self.reachable())
        } else {
            UnicastRoutes::of(unreachable)
        }
    }

    #[inline(always)]
    fn reachable(&self) -> UnicastSection<'a> {
        UnicastSection {
            ipv4: self.ipv4_prefixes(self.update.nlri_octets()),
            multiprotocol: self
                .mp_reach()
                .map_or(MpPrefixes::None, |reach| reach.prefixes()),
        }
    }

    #[inline]
    fn ipv4_prefixes(&self, field: &'a [u8]) -> Prefixes<'a, Ipv4Net> {
        let context = self.update.context();
        if context.families.contains(Family::IPV4_UNICAST) {
            Prefixes::from_checked(field, context.add_path.contains(Family::IPV4_UNICAST))
        } else {
            Prefixes::from_checked(&[], false)
        }
    }

    /// Every route that is announced, of all families. Nothing after treat-as-withdraw.
    pub fn announced_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let reachable = (!self.treats_as_withdraw()).then(|| self.reachable_routes());
        reachable.into_iter().flatten()
    }

    /// Every route that is withdrawn, of all families, and after treat-as-withdraw those that were announced.
    pub fn withdrawn_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let ipv4 = self.ipv4_routes(self.update.withdrawn_octets(), true);
        let multiprotocol = self.mp_unreach().map(|unreach| unreach.routes());
        let reachable = self.treats_as_withdraw().then(|| self.reachable_routes());
        ipv4.chain(multiprotocol.into_iter().flatten())
            .chain(reachable.into_iter().flatten())
    }

    fn reachable_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let multiprotocol = self.mp_reach().map(|reach| reach.routes());
        self.ipv4_routes(self.update.nlri_octets(), false)
            .chain(multiprotocol.into_iter().flatten())
    }

    fn ipv4_routes(&self, field: &'a [u8], withdrawn: bool) -> Routes<'a> {
        let context = self.update.context();
        let format = NlriFormat::new(Family::IPV4_UNICAST, context, withdrawn);
        let exchanged = context.exchanges(Family::IPV4_UNICAST);
        Routes::from_checked(if exchanged { field } else { &[] }, format)
    }

    /// The family that an End-of-RIB marker ends (RFC 4724 section 2).
    #[must_use]
    pub fn end_of_rib(&self) -> Option<Family> {
        let update = &self.update;
        if !update.nlri_octets().is_empty() || !update.withdrawn_octets().is_empty() {
            return None;
        }
        let mut attributes = update.raw_attributes();
        if attributes.is_empty() {
            return Some(Family::IPV4_UNICAST);
        }
        let unreach = self
            .mp_unreach()
            .filter(|unreach| unreach.nlri_octets().is_empty())?;
        (attributes.by_ref().count() == 1).then(|| unreach.family())
    }
}

/// The unicast prefixes of a message, IPv4 and IPv6.
///
/// `for_each` and what else is made of `fold` is faster than a `for` loop.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnicastRoutes<'a> {
    first: UnicastSection<'a>,
    /// What was announced, after treat-as-withdraw.
    second: Option<UnicastSection<'a>>,
}

/// What is announced, or what is withdrawn.
#[derive(Clone, Copy, Debug)]
struct UnicastSection<'a> {
    /// The field of its own that IPv4 has.
    ipv4: Prefixes<'a, Ipv4Net>,
    multiprotocol: MpPrefixes<'a>,
}

impl Default for UnicastSection<'_> {
    #[inline]
    fn default() -> Self {
        Self {
            ipv4: Prefixes::from_checked(&[], false),
            multiprotocol: MpPrefixes::None,
        }
    }
}

impl<'a> UnicastRoutes<'a> {
    #[inline]
    fn of(first: UnicastSection<'a>) -> Self {
        Self {
            first,
            second: None,
        }
    }

    #[inline]
    fn of_both(first: UnicastSection<'a>, second: UnicastSection<'a>) -> Self {
        Self {
            first,
            second: Some(second),
        }
    }
}

impl UnicastSection<'_> {
    #[inline(always)]
    fn next(&mut self) -> Option<Nlri<IpNet>> {
        self.ipv4
            .next()
            .map(Nlri::widen)
            .or_else(|| self.multiprotocol.next())
    }
}

impl Iterator for UnicastRoutes<'_> {
    type Item = Nlri<IpNet>;

    #[inline(always)]
    fn next(&mut self) -> Option<Nlri<IpNet>> {
        self.first.next().or_else(|| self.second.as_mut()?.next())
    }

    /// One loop for each of the usual two.
    #[inline(always)]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, start: B, mut step: F) -> B {
        let ipv4 = self.first.ipv4;
        let mut all = ipv4.fold(start, |all, nlri| step(all, nlri.widen()));
        all = self.first.multiprotocol.fold(all, &mut step);
        if let Some(mut second) = self.second {
            while let Some(nlri) = second.next() {
                all = step(all, nlri);
            }
        }
        all
    }
}
