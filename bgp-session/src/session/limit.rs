//! How many prefixes a peer may announce (RFC 4271 section 6.7, RFC 4486 section 4).

use std::collections::HashMap;

use bgp_wire::{Checked, Family, Nlri};

use crate::adj_rib_in::family_of;

/// What a peer has announced of the families that are limited; never more than the limits allow.
#[derive(Debug)]
pub(super) struct PrefixLimit(Vec<Limited>);

#[derive(Debug)]
struct Limited {
    family: Family,
    most: u32,
    /// What is announced, and whether the refresh that is under way has named it (RFC 7313 section 4).
    announced: HashMap<Nlri, bool>,
}

impl PrefixLimit {
    /// `None` where nothing is limited.
    pub(super) fn new(limits: &[(Family, u32)]) -> Option<Box<Self>> {
        let limited = |(family, most): &(Family, u32)| Limited {
            family: *family,
            most: *most,
            announced: HashMap::new(),
        };
        (!limits.is_empty()).then(|| Box::new(Self(limits.iter().map(limited).collect())))
    }

    /// Counts what a message withdraws and announces; the family and the limit that it goes beyond, if it does.
    pub(super) fn count(&mut self, checked: &Checked<'_>) -> Option<(Family, u32)> {
        for nlri in checked.withdrawn() {
            if let Some(limited) = self.of(family_of(nlri.prefix)) {
                limited.announced.remove(&nlri);
            }
        }
        for nlri in checked.announced() {
            let Some(limited) = self.of(family_of(nlri.prefix)) else {
                continue;
            };
            limited.announced.insert(nlri, true);
            if usize::try_from(limited.most).is_ok_and(|most| limited.announced.len() > most) {
                return Some((limited.family, limited.most));
            }
        }
        None
    }

    /// The peer names everything in a family anew.
    pub(super) fn refresh_begins(&mut self, family: Family) {
        if let Some(limited) = self.of(family) {
            limited
                .announced
                .iter_mut()
                .for_each(|(_, named)| *named = false);
        }
    }

    /// It has: what it has not named is gone.
    pub(super) fn refresh_ends(&mut self, family: Family) {
        if let Some(limited) = self.of(family) {
            limited.announced.retain(|_, named| *named);
        }
    }

    fn of(&mut self, family: Family) -> Option<&mut Limited> {
        self.0.iter_mut().find(|limited| limited.family == family)
    }
}
