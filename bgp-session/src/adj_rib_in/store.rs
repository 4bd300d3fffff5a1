//! `Store`: the routes of one family, by what names them.

use std::collections::BTreeMap;

use bgp_wire::AnyNlriBuf;

use super::ReceivedRoute;
use crate::identity::NlriKey;

/// A route, and what is known of it besides.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) route: ReceivedRoute,
    /// A refresh is under way that has not named it yet (RFC 7313 section 4).
    pub(super) unconfirmed: bool,
}

impl From<ReceivedRoute> for Held {
    fn from(route: ReceivedRoute) -> Self {
        Self {
            route,
            unconfirmed: false,
        }
    }
}

/// Routes of one family. All that take an NLRI are given one of the family.
pub(super) trait Store {
    fn get(&self, nlri: &AnyNlriBuf) -> Option<&Held>;

    /// Adds a route, in place of one that is named alike.
    fn insert(&mut self, nlri: &AnyNlriBuf, held: Held);

    /// Removes the route that is named like this one. Returns it as it was announced.
    fn remove(&mut self, nlri: &AnyNlriBuf) -> Option<AnyNlriBuf>;

    fn iter(&self) -> Box<dyn Iterator<Item = (AnyNlriBuf, &Held)> + '_>;

    fn for_each_mut(&mut self, act: &mut dyn FnMut(&AnyNlriBuf, &mut Held));

    /// Removes every route of which `unwanted` returns `true`, and calls `gone` with it.
    fn remove_where(&mut self, unwanted: &dyn Fn(&Held) -> bool, gone: &mut dyn FnMut(&AnyNlriBuf));

    fn len(&self) -> usize;
}

/// Routes of a family that is not unicast.
#[derive(Debug, Default)]
pub(super) struct OtherStore(BTreeMap<NlriKey<AnyNlriBuf>, Held>);

impl Store for OtherStore {
    fn get(&self, nlri: &AnyNlriBuf) -> Option<&Held> {
        self.0.get(&NlriKey(nlri.clone()))
    }

    fn insert(&mut self, nlri: &AnyNlriBuf, held: Held) {
        let key = NlriKey(nlri.clone());
        // An equal key would be kept as it is, with the labels of the earlier announcement.
        self.0.remove(&key);
        self.0.insert(key, held);
    }

    fn remove(&mut self, nlri: &AnyNlriBuf) -> Option<AnyNlriBuf> {
        let (NlriKey(nlri), _) = self.0.remove_entry(&NlriKey(nlri.clone()))?;
        Some(nlri)
    }

    fn iter(&self) -> Box<dyn Iterator<Item = (AnyNlriBuf, &Held)> + '_> {
        Box::new(
            self.0
                .iter()
                .map(|(NlriKey(nlri), held)| (nlri.clone(), held)),
        )
    }

    fn for_each_mut(&mut self, act: &mut dyn FnMut(&AnyNlriBuf, &mut Held)) {
        for (NlriKey(nlri), held) in &mut self.0 {
            act(nlri, held);
        }
    }

    fn remove_where(
        &mut self,
        unwanted: &dyn Fn(&Held) -> bool,
        gone: &mut dyn FnMut(&AnyNlriBuf),
    ) {
        for (NlriKey(nlri), _) in self.0.extract_if(.., |_, held| unwanted(held)) {
            gone(&nlri);
        }
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
