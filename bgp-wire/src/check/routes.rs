//! The routes of a checked UPDATE: unicast prefixes, and routes of every family.

use core::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use super::Checked;
use super::marks::Marks;
use crate::attribute::MpPrefixes;
use crate::family::Family;
use crate::next_hop::NextHop;
use crate::nlri::{AnyNlri, Nlri, NlriFormat, Prefixes, Routes, is_bogus_prefix};

impl<'a> Checked<'a> {
    /// Returns the announced unicast prefixes without bogus ones. Empty if they count as withdrawn.
    #[must_use]
    #[inline(always)]
    pub fn announced(&self) -> UnicastRoutes<'a> {
        if self.treats_as_withdraw() {
            UnicastRoutes::default()
        } else {
            let section = self.reachable();
            if self.has_bogus() {
                UnicastRoutes::default().with_unusual(section, true)
            } else {
                UnicastRoutes::of(section)
            }
        }
    }

    /// Returns the announced unicast prefixes without bogus ones, each with its next hop. Empty if they count as withdrawn.
    // An IPv4 prefix may be in either field: in MP_REACH_NLRI its next hop can be an IPv6 address (RFC 8950).
    pub fn announced_with_next_hops(&self) -> impl Iterator<Item = (NextHop, Nlri)> + use<'a> {
        let UnicastSection {
            ipv4,
            multiprotocol,
        } = if self.treats_as_withdraw() {
            UnicastSection::default()
        } else {
            self.reachable()
        };
        let skips_bogus = self.has_bogus();
        let of_ipv4 = self.next_hop().map(|address| IpAddr::V4(address).into());
        let of_reach = self.mp_reach().and_then(|reach| reach.next_hop_value());
        let ipv4 = ipv4.map(move |nlri| (of_ipv4.unwrap_or(NextHop::Absent), nlri.widen()));
        let others = multiprotocol.map(move |nlri| (of_reach.unwrap_or(NextHop::Absent), nlri));
        ipv4.chain(others)
            .filter(move |(_, nlri)| !skips_bogus || !is_bogus_prefix(nlri.prefix))
    }

    /// Returns the withdrawn unicast prefixes. Announced ones that count as withdrawn follow.
    #[must_use]
    #[inline(always)]
    pub fn withdrawn(&self) -> UnicastRoutes<'a> {
        let unreachable = UnicastSection {
            ipv4: self.ipv4_prefixes(self.update.withdrawn_octets()),
            multiprotocol: self
                .mp_unreach()
                .map_or(MpPrefixes::None, |unreach| unreach.prefixes()),
        };
        // RFC 7606 section 2: all routes of the UPDATE are handled as if it had withdrawn them.
        if self.treats_as_withdraw() {
            UnicastRoutes::of(unreachable).with_unusual(self.reachable(), false)
        } else {
            UnicastRoutes::of(unreachable)
        }
    }

    /// Returns the unicast prefixes in the NLRI field and in MP_REACH_NLRI.
    #[inline(always)]
    fn reachable(&self) -> UnicastSection<'a> {
        UnicastSection {
            ipv4: self.ipv4_prefixes(self.update.nlri_octets()),
            multiprotocol: self
                .mp_reach()
                .map_or(MpPrefixes::None, |reach| reach.prefixes()),
        }
    }

    /// Returns the prefixes of an IPv4 field, or none if IPv4 unicast was not negotiated.
    #[inline]
    pub(super) fn ipv4_prefixes(&self, field: &'a [u8]) -> Prefixes<'a, Ipv4Net> {
        // RFC 4760 section 8: the fields outside of the multiprotocol attributes also require the negotiated family.
        let context = self.update.context();
        if context.families.contains(Family::IPV4_UNICAST) {
            Prefixes::from_checked(field, context.add_path.contains(Family::IPV4_UNICAST))
        } else {
            Prefixes::from_checked(&[], false)
        }
    }

    /// Returns the announced routes of all families, without those to bogus prefixes. Empty if they count as withdrawn.
    pub fn announced_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let reachable = (!self.treats_as_withdraw()).then(|| self.reachable_routes());
        let skips_bogus = self.has_bogus();
        reachable
            .into_iter()
            .flatten()
            .filter(move |route| !skips_bogus || !route.is_bogus())
    }

    /// Returns the withdrawn routes of all families. Announced ones that count as withdrawn follow.
    pub fn withdrawn_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let ipv4 = self.ipv4_routes(self.update.withdrawn_octets(), true);
        let multiprotocol = self.mp_unreach().map(|unreach| unreach.routes());
        let reachable = self.treats_as_withdraw().then(|| self.reachable_routes());
        ipv4.chain(multiprotocol.into_iter().flatten())
            .chain(reachable.into_iter().flatten())
    }

    /// Returns the announced routes that [`Checked::announced_routes`] omits: all of them if they count as withdrawn, otherwise
    /// those to bogus prefixes.
    pub fn rejected_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let rejects_all = self.treats_as_withdraw();
        let routes = (rejects_all || self.has_bogus()).then(|| self.reachable_routes());
        routes
            .into_iter()
            .flatten()
            .filter(move |route| rejects_all || route.is_bogus())
    }

    /// Returns the routes in the NLRI field and in MP_REACH_NLRI.
    pub(super) fn reachable_routes(&self) -> impl Iterator<Item = AnyNlri<'a>> + use<'a> {
        let multiprotocol = self.mp_reach().map(|reach| reach.routes());
        self.ipv4_routes(self.update.nlri_octets(), false)
            .chain(multiprotocol.into_iter().flatten())
    }

    /// Returns the routes of an IPv4 field, or none if IPv4 unicast was not negotiated.
    fn ipv4_routes(&self, field: &'a [u8], withdrawn: bool) -> Routes<'a> {
        let context = self.update.context();
        let format = NlriFormat::new(Family::IPV4_UNICAST, context, withdrawn);
        let exchanged = context.exchanges(Family::IPV4_UNICAST);
        Routes::from_checked(if exchanged { field } else { &[] }, format)
    }

    /// Returns a family whose routes begin with three default routes, or `None` if there is none.
    ///
    /// These octets are legal, but they are probably path identifiers that were not negotiated (RFC 7911 section 5). Read
    /// without them, every route of the peer includes a default route.
    #[must_use]
    #[inline]
    pub fn unexpected_path_ids(&self) -> Option<Family> {
        // The check has looked at the first octet of each field, and nearly no message is suspect.
        if !self.marks.has(Marks::SUSPECT) {
            return None;
        }
        self.find_path_ids()
    }

    #[cold]
    fn find_path_ids(&self) -> Option<Family> {
        let reach = self
            .mp_reach()
            .map(|reach| (reach.family(), reach.nlri_octets()));
        let unreach = self
            .mp_unreach()
            .map(|unreach| (unreach.family(), unreach.nlri_octets()));
        let ipv4 = [self.update.nlri_octets(), self.update.withdrawn_octets()]
            .map(|field| Some((Family::IPV4_UNICAST, field)));
        let context = self.update.context();
        [reach, unreach]
            .into_iter()
            .chain(ipv4)
            .flatten()
            .find(|(family, field)| {
                let format = NlriFormat::new(*family, context, false);
                context.exchanges(*family) && format.seems_to_have_path_ids(field)
            })
            .map(|(family, _)| family)
    }

    /// Returns the family of an End-of-RIB marker (RFC 4724 section 2), or `None` if the UPDATE is not one or its family was
    /// not negotiated.
    #[must_use]
    pub fn end_of_rib(&self) -> Option<Family> {
        let update = &self.update;
        if !update.nlri_octets().is_empty() || !update.withdrawn_octets().is_empty() {
            return None;
        }
        let mut attributes = update.raw_attributes();
        let exchanged = |family: &Family| update.context().exchanges(*family);
        // RFC 4724 section 2: an UPDATE without any content is the marker of IPv4 unicast.
        if attributes.is_empty() {
            return Some(Family::IPV4_UNICAST).filter(exchanged);
        }
        let unreach = self
            .mp_unreach()
            .filter(|unreach| unreach.nlri_octets().is_empty())?;
        // Other attributes beside an empty MP_UNREACH_NLRI make an UPDATE that withdraws nothing, not a marker.
        let is_alone = attributes.by_ref().count() == 1;
        // RFC 4760 section 8: what concerns a family that was not negotiated is ignored.
        is_alone.then(|| unreach.family()).filter(exchanged)
    }
}

/// Iterator over the unicast prefixes of a message, IPv4 and IPv6.
///
/// `for_each` and other adapters that use `fold` are faster than a `for` loop.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnicastRoutes<'a> {
    usual: UnicastSection<'a>,
    /// The prefixes that follow in few messages, for which no loop is optimized.
    unusual: Option<UnusualSection<'a>>,
}

/// The announced or the withdrawn prefixes of a message.
#[derive(Clone, Copy, Debug)]
struct UnicastSection<'a> {
    /// The prefixes in the NLRI or Withdrawn Routes field.
    ipv4: Prefixes<'a, Ipv4Net>,
    /// The prefixes in MP_REACH_NLRI or MP_UNREACH_NLRI.
    multiprotocol: MpPrefixes<'a>,
}

/// Announced prefixes that count as withdrawn, or of which some are bogus.
#[derive(Clone, Copy, Debug)]
struct UnusualSection<'a> {
    section: UnicastSection<'a>,
    skips_bogus: bool,
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
    /// Creates an iterator over one section.
    #[inline]
    fn of(usual: UnicastSection<'a>) -> Self {
        Self {
            usual,
            unusual: None,
        }
    }

    /// Appends another section.
    #[inline]
    fn with_unusual(mut self, section: UnicastSection<'a>, skips_bogus: bool) -> Self {
        self.unusual = Some(UnusualSection {
            section,
            skips_bogus,
        });
        self
    }

    /// Returns the numbers of the remaining IPv4 and IPv6 prefixes.
    #[must_use]
    #[inline]
    pub fn count_by_family(self) -> (usize, usize) {
        let counts = self.usual.count_by_family();
        match self.unusual {
            None => counts,
            Some(unusual) => unusual.add_counts(counts),
        }
    }
}

impl UnicastSection<'_> {
    #[inline]
    fn count_by_family(self) -> (usize, usize) {
        let ipv4 = self.ipv4.count();
        match self.multiprotocol {
            MpPrefixes::None => (ipv4, 0),
            MpPrefixes::Ipv4(prefixes) => (ipv4 + prefixes.count(), 0),
            MpPrefixes::Ipv6(prefixes) => (ipv4, prefixes.count()),
        }
    }

    #[inline(always)]
    fn next(&mut self) -> Option<Nlri<IpNet>> {
        self.ipv4
            .next()
            .map(Nlri::widen)
            .or_else(|| self.multiprotocol.next())
    }
}

impl UnusualSection<'_> {
    #[cold]
    fn add_counts(mut self, (mut ipv4, mut ipv6): (usize, usize)) -> (usize, usize) {
        while let Some(nlri) = self.next() {
            match nlri.prefix {
                IpNet::V4(_) => ipv4 += 1,
                IpNet::V6(_) => ipv6 += 1,
            }
        }
        (ipv4, ipv6)
    }

    // Not inlined, so that the usual loops stay small.
    #[inline(never)]
    fn next(&mut self) -> Option<Nlri<IpNet>> {
        loop {
            let nlri = self.section.next()?;
            if !(self.skips_bogus && is_bogus_prefix(nlri.prefix)) {
                return Some(nlri);
            }
        }
    }
}

impl Iterator for UnicastRoutes<'_> {
    type Item = Nlri<IpNet>;

    #[inline(always)]
    fn next(&mut self) -> Option<Nlri<IpNet>> {
        self.usual.next().or_else(|| self.unusual.as_mut()?.next())
    }

    // `next` asks each source for every prefix; here the two usual sources have a loop each.
    #[inline(always)]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, start: B, mut step: F) -> B {
        let ipv4 = self.usual.ipv4;
        let mut all = ipv4.fold(start, |all, nlri| step(all, nlri.widen()));
        all = self.usual.multiprotocol.fold(all, &mut step);
        if let Some(mut unusual) = self.unusual {
            while let Some(nlri) = unusual.next() {
                all = step(all, nlri);
            }
        }
        all
    }
}
