//! `Store`: the routes of one family, by the fields of the NLRI that identify a route.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bgp_wire::AnyNlriBuf;

use super::ReceivedRoute;
use crate::identity::NlriKey;

/// A route as the stores hold it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// Shared by all routes with equal contents.
    pub(super) route: Arc<SharedRoute>,
    /// The number of the refresh during which the route was announced (RFC 7313 section 4).
    pub(super) refresh: u32,
}

/// A route of a pool, whose attributes are of a pool as well.
#[derive(Debug)]
pub(super) struct SharedRoute(pub(super) ReceivedRoute);

// By address: equal attributes of one pool are the same, and comparing or hashing long ones again would be slow.
impl PartialEq for SharedRoute {
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (&self.0, &other.0);
        Arc::ptr_eq(&one.attributes, &other.attributes)
            && (one.next_hop, one.staleness) == (other.next_hop, other.staleness)
    }
}

impl Eq for SharedRoute {}

impl Hash for SharedRoute {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let ReceivedRoute {
            attributes,
            next_hop,
            staleness,
        } = &self.0;
        (Arc::as_ptr(attributes), next_hop, staleness).hash(state);
    }
}

/// The routes of one family. Every NLRI that is passed to a method must be of the family.
pub(super) trait Store {
    /// Returns the route with this NLRI.
    fn get(&self, nlri: &AnyNlriBuf) -> Option<&Held>;

    /// Adds a route and replaces one with the same identity.
    fn insert(&mut self, nlri: &AnyNlriBuf, held: Held);

    /// Removes the route with the same identity as `nlri`. Returns its NLRI as announced, or `None` if there was no route.
    // The labels of a withdrawal may differ from those of the announcement (RFC 8277 section 2.4).
    fn remove(&mut self, nlri: &AnyNlriBuf) -> Option<AnyNlriBuf>;

    /// Returns all routes in order.
    fn iter(&self) -> Box<dyn Iterator<Item = (AnyNlriBuf, &Held)> + '_>;

    /// Calls `act` with every route in order.
    // A callback instead of an iterator: the trie has no NLRI that an iterator could lend.
    fn for_each_mut(&mut self, act: &mut dyn FnMut(&AnyNlriBuf, &mut Held));

    /// Removes every route for which `unwanted` returns `true`, and calls `removed` with its NLRI.
    fn remove_where(
        &mut self,
        unwanted: &dyn Fn(&Held) -> bool,
        removed: &mut dyn FnMut(&AnyNlriBuf),
    );

    /// Returns the number of routes.
    fn len(&self) -> usize;
}

/// The routes of another family than unicast.
#[derive(Debug, Default)]
pub(super) struct OtherStore(BTreeMap<NlriKey<AnyNlriBuf>, Held>);

impl Store for OtherStore {
    fn get(&self, nlri: &AnyNlriBuf) -> Option<&Held> {
        self.0.get(&NlriKey(nlri.clone()))
    }

    fn insert(&mut self, nlri: &AnyNlriBuf, held: Held) {
        let key = NlriKey(nlri.clone());
        // Inserting alone would keep the equal key, and with it the labels of the earlier announcement.
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
        removed: &mut dyn FnMut(&AnyNlriBuf),
    ) {
        for (NlriKey(nlri), _) in self.0.extract_if(.., |_, held| unwanted(held)) {
            removed(&nlri);
        }
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
