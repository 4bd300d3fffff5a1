//! `PrefixLimit`: the number of prefixes that a peer may announce (RFC 4271 section 6.7, RFC 4486 section 4).

use std::collections::HashMap;

use bgp_wire::{AnyNlriBuf, Checked, Family, Nlri};

use crate::destination::is_served;
use crate::identity::NlriKey;
use crate::routes::{family_of, other_announced, other_withdrawn};

/// The routes that a peer has announced in the families with a limit. Each limit is exceeded by at most one route.
#[derive(Debug)]
pub(super) struct PrefixLimit(Vec<LimitedFamily>);

/// The announced routes of one family with a limit.
///
/// The value of each route is the number of the refresh during which it was announced (RFC 7313 section 4).
// The routes themselves are stored: a counter alone could not tell a new route from one that is announced again.
#[derive(Debug)]
struct LimitedFamily {
    family: Family,
    limit: u32,
    /// The routes, if the family is unicast.
    // An `Nlri` takes much less memory than an `AnyNlriBuf`.
    unicast: HashMap<Nlri, u32>,
    /// The routes, if the family is not unicast.
    others: HashMap<NlriKey<AnyNlriBuf>, u32>,
    /// The number of refreshes that have begun.
    // Marking every route at BoRR instead would let a message of 23 octets cost as much as the table.
    refreshes: u32,
    /// `true` between BoRR and EoRR.
    is_refreshing: bool,
}

impl PrefixLimit {
    /// Creates the count of a new session, or returns `None` if no family that a peer may announce has a limit.
    pub(super) fn new(limits: &[(Family, u32)]) -> Option<Box<Self>> {
        // Each route searches the families: those that are never negotiated are left out, because the caller may give any
        // number of them.
        let families: Vec<_> = limits
            .iter()
            .filter(|(family, _)| is_served(*family))
            .map(LimitedFamily::new)
            .collect();
        (!families.is_empty()).then(|| Box::new(Self(families)))
    }

    /// Counts the routes that a message withdraws and announces. Returns a family whose limit is exceeded, with the limit.
    pub(super) fn count(&mut self, checked: &Checked<'_>) -> Option<(Family, u32)> {
        // Withdrawals go first: a message may replace routes without exceeding the limit in between.
        for nlri in checked.withdrawn() {
            if let Some(limited) = self.of(family_of(nlri.prefix)) {
                limited.unicast.remove(&nlri);
            }
        }
        for nlri in other_withdrawn(checked) {
            if let Some(limited) = self.of(nlri.family) {
                limited.others.remove(&NlriKey(nlri.into()));
            }
        }
        for nlri in checked.announced() {
            if let Some(limited) = self.of(family_of(nlri.prefix)) {
                limited.unicast.insert(nlri, limited.refreshes);
                if limited.is_exceeded() {
                    return Some((limited.family, limited.limit));
                }
            }
        }
        for nlri in other_announced(checked) {
            if let Some(limited) = self.of(nlri.family) {
                let key = NlriKey(nlri.into());
                limited.others.insert(key, limited.refreshes);
                if limited.is_exceeded() {
                    return Some((limited.family, limited.limit));
                }
            }
        }
        None
    }

    /// Handles BoRR: the peer begins to announce all routes of a family again.
    pub(super) fn refresh_begins(&mut self, family: Family) {
        if let Some(limited) = self.of(family) {
            limited.refreshes = limited.refreshes.wrapping_add(1);
            limited.is_refreshing = true;
        }
    }

    /// Handles EoRR: removes the routes of a family that the peer has not announced since BoRR.
    pub(super) fn refresh_ends(&mut self, family: Family) {
        if let Some(limited) = self.of(family)
            && std::mem::take(&mut limited.is_refreshing)
        {
            let current = limited.refreshes;
            limited.unicast.retain(|_, refresh| *refresh == current);
            limited.others.retain(|_, refresh| *refresh == current);
            // `retain` looks at all allocated memory. A peer that announced many routes once could otherwise make each of its
            // refreshes, which are two short messages, cost as much as those routes.
            limited.unicast.shrink_to_fit();
            limited.others.shrink_to_fit();
        }
    }

    /// Returns the count of a family, or `None` if it has no limit.
    fn of(&mut self, family: Family) -> Option<&mut LimitedFamily> {
        self.0.iter_mut().find(|limited| limited.family == family)
    }
}

impl LimitedFamily {
    fn new((family, limit): &(Family, u32)) -> Self {
        Self {
            family: *family,
            limit: *limit,
            unicast: HashMap::new(),
            others: HashMap::new(),
            refreshes: 0,
            is_refreshing: false,
        }
    }

    /// Returns `true` if the peer has announced more routes than the limit.
    fn is_exceeded(&self) -> bool {
        let count = self.unicast.len() + self.others.len();
        usize::try_from(self.limit).is_ok_and(|limit| count > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refresh_of_withdrawn_routes_looks_at_no_unused_memory() {
        let mut limits = PrefixLimit::new(&[(Family::IPV4_UNICAST, 100_000)]).unwrap();
        let limited = limits.of(Family::IPV4_UNICAST).unwrap();
        for number in 0..10_000 {
            let prefix = ipnet::Ipv4Net::new_assert(number.into(), 32).into();
            limited.unicast.insert(Nlri::new(prefix), 0);
        }
        limits.refresh_begins(Family::IPV4_UNICAST);
        limits.refresh_ends(Family::IPV4_UNICAST);
        let limited = limits.of(Family::IPV4_UNICAST).unwrap();
        assert_eq!((limited.unicast.len(), limited.unicast.capacity()), (0, 0));
    }

    #[test]
    fn limits_of_families_that_no_peer_announces_are_not_searched() {
        let unknown = |number| Family::new(bgp_wire::Afi(number), bgp_wire::Safi(200));
        let mut limits: Vec<_> = (1000..2000).map(|number| (unknown(number), 1)).collect();
        assert!(PrefixLimit::new(&limits).is_none());
        limits.push((Family::IPV6_UNICAST, 1));
        assert_eq!(PrefixLimit::new(&limits).unwrap().0.len(), 1);
    }
}
