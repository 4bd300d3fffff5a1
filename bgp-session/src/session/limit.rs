//! `PrefixLimit`: the number of prefixes that a peer may announce (RFC 4271 section 6.7, RFC 4486 section 4).

use std::collections::HashMap;

use bgp_wire::{AnyNlriBuf, Checked, Family, Nlri};

use crate::identity::NlriKey;
use crate::routes::{family_of, other_announced, other_withdrawn};

/// The routes that a peer has announced of the families that are limited; never more than the limits allow.
#[derive(Debug)]
pub(super) struct PrefixLimit(Vec<Limited>);

/// The announced routes of a family, by what names them, and whether the refresh that is under way has named each (RFC 7313
/// section 4).
#[derive(Debug)]
struct Limited {
    family: Family,
    limit: u32,
    /// Those of unicast families, which take less memory so.
    unicast: HashMap<Nlri, bool>,
    /// Those of other families.
    others: HashMap<NlriKey<AnyNlriBuf>, bool>,
}

impl PrefixLimit {
    /// Returns `None` if no family is limited.
    pub(super) fn new(limits: &[(Family, u32)]) -> Option<Box<Self>> {
        let limited = |(family, limit): &(Family, u32)| Limited {
            family: *family,
            limit: *limit,
            unicast: HashMap::new(),
            others: HashMap::new(),
        };
        (!limits.is_empty()).then(|| Box::new(Self(limits.iter().map(limited).collect())))
    }

    /// Counts what a message withdraws and announces. Returns the family and the limit that it exceeds, if it does.
    pub(super) fn count(&mut self, checked: &Checked<'_>) -> Option<(Family, u32)> {
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
                limited.unicast.insert(nlri, true);
                if limited.is_exceeded() {
                    return Some((limited.family, limited.limit));
                }
            }
        }
        for nlri in other_announced(checked) {
            if let Some(limited) = self.of(nlri.family) {
                limited.others.insert(NlriKey(nlri.into()), true);
                if limited.is_exceeded() {
                    return Some((limited.family, limited.limit));
                }
            }
        }
        None
    }

    /// The peer begins to announce everything in a family once more.
    pub(super) fn refresh_begins(&mut self, family: Family) {
        if let Some(limited) = self.of(family) {
            limited
                .unicast
                .values_mut()
                .for_each(|named| *named = false);
            limited.others.values_mut().for_each(|named| *named = false);
        }
    }

    /// The peer has announced everything once more: routes that it has not named are gone.
    pub(super) fn refresh_ends(&mut self, family: Family) {
        if let Some(limited) = self.of(family) {
            limited.unicast.retain(|_, named| *named);
            limited.others.retain(|_, named| *named);
        }
    }

    fn of(&mut self, family: Family) -> Option<&mut Limited> {
        self.0.iter_mut().find(|limited| limited.family == family)
    }
}

impl Limited {
    fn is_exceeded(&self) -> bool {
        let count = self.unicast.len() + self.others.len();
        usize::try_from(self.limit).is_ok_and(|limit| count > limit)
    }
}
