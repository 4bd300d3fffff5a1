//! `UnicastStore`: the routes of IPv4 or IPv6 unicast, in a trie that also finds the longest prefix for an address.

use std::collections::BTreeMap;
use std::fmt;

use bgp_wire::{AnyNlriBuf, DestinationBuf, Nlri, PathId};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::{Prefix, PrefixMap};

use super::ReceivedRoute;
use super::store::{Held, Store};

/// A prefix of IPv4 or IPv6.
pub(super) trait UnicastKey: Prefix + Copy + Into<IpNet> {
    /// Returns the prefix, or `None` if it is of the other address family.
    fn of(prefix: IpNet) -> Option<Self>;
}

impl UnicastKey for Ipv4Net {
    fn of(prefix: IpNet) -> Option<Self> {
        match prefix {
            IpNet::V4(prefix) => Some(prefix),
            IpNet::V6(_) => None,
        }
    }
}

impl UnicastKey for Ipv6Net {
    fn of(prefix: IpNet) -> Option<Self> {
        match prefix {
            IpNet::V4(_) => None,
            IpNet::V6(prefix) => Some(prefix),
        }
    }
}

/// The routes of one address family, by prefix and path identifier.
pub(super) struct UnicastStore<P: Prefix> {
    // A trie instead of a sorted map: a longest match in a map would need a search for each prefix length.
    prefixes: PrefixMap<P, Paths>,
    /// The number of routes, which may exceed the number of prefixes (RFC 7911).
    routes: usize,
}

/// The routes to one prefix in ascending order of path identifiers. There is always one.
enum Paths {
    // Without path identifiers every prefix has one route, which then needs no allocation of its own.
    One(Option<PathId>, Held),
    // A sorted map and no list: the peer chooses the number and the order of the identifiers.
    #[expect(
        clippy::box_collection,
        reason = "a map in place would make every route without identifiers a third larger"
    )]
    Several(Box<BTreeMap<Option<PathId>, Held>>),
}

impl Paths {
    /// Returns all routes.
    fn iter(&self) -> impl Iterator<Item = (Option<PathId>, &Held)> {
        let (one, several) = match self {
            Self::One(path_id, held) => (Some((*path_id, held)), None),
            Self::Several(paths) => (None, Some(paths.iter())),
        };
        let several = several.into_iter().flatten();
        one.into_iter()
            .chain(several.map(|(path_id, held)| (*path_id, held)))
    }

    /// Calls `act` with all routes.
    fn for_each_mut(&mut self, mut act: impl FnMut(Option<PathId>, &mut Held)) {
        match self {
            Self::One(path_id, held) => act(*path_id, held),
            Self::Several(paths) => paths
                .iter_mut()
                .for_each(|(path_id, held)| act(*path_id, held)),
        }
    }

    /// Returns the route with this identifier.
    fn get(&self, path_id: Option<PathId>) -> Option<&Held> {
        match self {
            Self::One(known, held) => (*known == path_id).then_some(held),
            Self::Several(paths) => paths.get(&path_id),
        }
    }

    /// Adds a path. Returns `false` if it replaces one with the same identifier.
    fn insert(&mut self, path_id: Option<PathId>, held: Held) -> bool {
        match self {
            Self::One(known, old) if *known == path_id => {
                *old = held;
                false
            }
            Self::One(known, old) => {
                let both = [(*known, old.clone()), (path_id, held)];
                *self = Self::Several(Box::new(both.into()));
                true
            }
            Self::Several(paths) => paths.insert(path_id, held).is_none(),
        }
    }

    /// Removes a path. Returns `None` if there is none with this identifier, or `true` if it was the last one.
    fn remove(&mut self, path_id: Option<PathId>) -> Option<bool> {
        match self {
            Self::One(known, _) => (*known == path_id).then_some(true),
            Self::Several(paths) => {
                paths.remove(&path_id)?;
                Some(paths.is_empty())
            }
        }
    }
}

impl<P: UnicastKey> UnicastStore<P> {
    /// Returns the routes to the longest prefix that contains this one.
    pub(super) fn lookup(&self, prefix: P) -> impl Iterator<Item = (Nlri, &ReceivedRoute)> {
        self.prefixes
            .get_lpm(&prefix)
            .into_iter()
            .flat_map(|(prefix, paths)| {
                paths.iter().map(move |(path_id, held)| {
                    let prefix = prefix.into();
                    (Nlri { path_id, prefix }, &held.route.0)
                })
            })
    }

    /// Removes a route. Returns `false` if the store does not hold it.
    fn remove_path(&mut self, prefix: P, path_id: Option<PathId>) -> bool {
        let paths = self.prefixes.get_mut(&prefix);
        let Some(is_last) = paths.and_then(|paths| paths.remove(path_id)) else {
            return false;
        };
        if is_last {
            // A prefix without routes would hide shorter prefixes from `lookup`.
            self.prefixes.remove(&prefix);
        }
        self.routes -= 1;
        true
    }
}

/// Returns the prefix of a unicast route, or `None` if the route is of another family.
fn key<P: UnicastKey>(nlri: &AnyNlriBuf) -> Option<P> {
    if let DestinationBuf::Prefix(prefix) = nlri.destination {
        P::of(prefix)
    } else {
        None
    }
}

/// Returns the NLRI of a route to a prefix.
fn nlri<P: UnicastKey>(prefix: P, path_id: Option<PathId>) -> AnyNlriBuf {
    let prefix: IpNet = prefix.into();
    Nlri { path_id, prefix }.into()
}

impl<P: UnicastKey> Store for UnicastStore<P> {
    fn get(&self, nlri: &AnyNlriBuf) -> Option<&Held> {
        self.prefixes.get(&key(nlri)?)?.get(nlri.path_id)
    }

    fn insert(&mut self, nlri: &AnyNlriBuf, held: Held) {
        let Some(prefix) = key::<P>(nlri) else {
            // `AdjRibIn::store_mut` chooses the store by the family of the route.
            debug_assert!(false, "{nlri} is not of this family");
            return;
        };
        let is_new = match self.prefixes.get_mut(&prefix) {
            Some(paths) => paths.insert(nlri.path_id, held),
            None => self
                .prefixes
                .insert(prefix, Paths::One(nlri.path_id, held))
                .is_none(),
        };
        self.routes += usize::from(is_new);
    }

    fn remove(&mut self, nlri: &AnyNlriBuf) -> Option<AnyNlriBuf> {
        let prefix: P = key(nlri)?;
        // Prefix and path identifier are all of a unicast NLRI, so that it equals the announced one.
        self.remove_path(prefix, nlri.path_id).then(|| nlri.clone())
    }

    fn iter(&self) -> Box<dyn Iterator<Item = (AnyNlriBuf, &Held)> + '_> {
        Box::new(self.prefixes.iter().flat_map(|(prefix, paths)| {
            paths
                .iter()
                .map(move |(path_id, held)| (nlri(prefix, path_id), held))
        }))
    }

    fn for_each_mut(&mut self, act: &mut dyn FnMut(&AnyNlriBuf, &mut Held)) {
        for (prefix, paths) in self.prefixes.iter_mut() {
            paths.for_each_mut(|path_id, held| act(&nlri(prefix, path_id), held));
        }
    }

    fn remove_where(
        &mut self,
        unwanted: &dyn Fn(&Held) -> bool,
        removed: &mut dyn FnMut(&AnyNlriBuf),
    ) {
        // The trie cannot remove entries while it is iterated.
        let found: Vec<_> = self
            .prefixes
            .iter()
            .flat_map(|(prefix, paths)| {
                paths
                    .iter()
                    .filter(|(_, held)| unwanted(held))
                    .map(move |(path_id, _)| (prefix, path_id))
            })
            .collect();
        for (prefix, path_id) in found {
            self.remove_path(prefix, path_id);
            removed(&nlri(prefix, path_id));
        }
    }

    fn len(&self) -> usize {
        self.routes
    }
}

// Deriving these would require `P: Default` and `P: Debug`, and would print every route.
impl<P: Prefix> Default for UnicastStore<P> {
    fn default() -> Self {
        Self {
            prefixes: PrefixMap::default(),
            routes: 0,
        }
    }
}

impl<P: Prefix> fmt::Debug for UnicastStore<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnicastStore")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use bgp_wire::{AttributeSet, NextHop, Origin};
    use proptest::prelude::*;

    use super::super::store::SharedRoute;
    use super::*;
    use crate::Staleness;

    type Model = BTreeMap<(IpNet, Option<PathId>), u32>;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(IpNet, Option<PathId>, u32),
        Remove(IpNet, Option<PathId>),
        RemoveWhere(u32),
    }

    /// Returns few addresses, and prefixes of every length around them.
    // Random addresses would hardly ever share a prefix.
    fn prefix() -> impl Strategy<Value = IpNet> {
        let ipv4 = (0..4u8, 0..4u8, 0..=32u8).prop_map(|(high, low, length)| {
            Ipv4Net::new_assert([192 + high, 0, 2, low].into(), length).into()
        });
        let ipv6 = (0..4u16, 0..4u16, 0..=128u8).prop_map(|(high, low, length)| {
            Ipv6Net::new_assert([0x2001, 0xdb8 + high, 0, 0, 0, 0, 0, low].into(), length).into()
        });
        prop_oneof![ipv4, ipv6].prop_map(|prefix: IpNet| prefix.trunc())
    }

    fn path_id() -> impl Strategy<Value = Option<PathId>> {
        prop_oneof![3 => Just(None), 1 => (0..3u32).prop_map(|id| Some(PathId(id)))]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (prefix(), path_id(), 0..4u32)
                .prop_map(|(prefix, path_id, value)| Step::Insert(prefix, path_id, value)),
            3 => (prefix(), path_id()).prop_map(|(prefix, path_id)| Step::Remove(prefix, path_id)),
            1 => (0..4u32).prop_map(Step::RemoveWhere),
        ]
    }

    fn held(value: u32) -> Held {
        let mut attributes = AttributeSet::new(Origin::IGP);
        attributes.multi_exit_disc = Some(value);
        let route = ReceivedRoute {
            attributes: Arc::new(attributes),
            next_hop: NextHop::Absent,
            staleness: Staleness::Fresh,
        };
        Held {
            route: Arc::new(SharedRoute(route)),
            refresh: 0,
        }
    }

    fn value(route: &ReceivedRoute) -> u32 {
        route.attributes.multi_exit_disc.unwrap()
    }

    /// The stores of both address families.
    #[derive(Default)]
    struct Both(UnicastStore<Ipv4Net>, UnicastStore<Ipv6Net>);

    impl Both {
        fn of(&mut self, prefix: IpNet) -> &mut dyn Store {
            match prefix {
                IpNet::V4(_) => &mut self.0,
                IpNet::V6(_) => &mut self.1,
            }
        }

        fn apply(&mut self, step: &Step, model: &mut Model) {
            match *step {
                Step::Insert(prefix, path_id, value) => {
                    self.of(prefix)
                        .insert(&Nlri { path_id, prefix }.into(), held(value));
                    model.insert((prefix, path_id), value);
                }
                Step::Remove(prefix, path_id) => {
                    let removed = self.of(prefix).remove(&Nlri { path_id, prefix }.into());
                    assert_eq!(
                        removed.is_some(),
                        model.remove(&(prefix, path_id)).is_some()
                    );
                }
                Step::RemoveWhere(unwanted) => {
                    let mut removed: Vec<AnyNlriBuf> = Vec::new();
                    let stores: [&mut dyn Store; 2] = [&mut self.0, &mut self.1];
                    for store in stores {
                        store.remove_where(&|held| value(&held.route.0) == unwanted, &mut |nlri| {
                            removed.push(nlri.clone());
                        });
                    }
                    let expected: Vec<_> = model
                        .extract_if(.., |_, value| *value == unwanted)
                        .map(|((prefix, path_id), _)| Nlri { path_id, prefix }.into())
                        .collect();
                    assert_eq!(removed, expected);
                }
            }
        }
    }

    /// Returns the routes to the longest prefix that contains the address, found by a search through all routes.
    fn naive(model: &Model, address: IpAddr) -> Vec<(Nlri, u32)> {
        let holding = || {
            model
                .iter()
                .filter(|((prefix, _), _)| prefix.contains(&address))
        };
        let longest = holding().map(|((prefix, _), _)| prefix.prefix_len()).max();
        holding()
            .filter(|((prefix, _), _)| Some(prefix.prefix_len()) == longest)
            .map(|(&(prefix, path_id), value)| (Nlri { path_id, prefix }, *value))
            .collect()
    }

    proptest! {
        #[test]
        fn stores_equal_a_naive_model(steps in prop::collection::vec(step(), 0..200), addresses in prop::collection::vec(prefix(), 0..30)) {
            let (mut stores, mut model) = (Both::default(), Model::new());
            for step in &steps {
                stores.apply(step, &mut model);
                prop_assert_eq!(stores.0.len() + stores.1.len(), model.len());
            }
            let all: Vec<_> = stores.0.iter().chain(stores.1.iter()).map(|(nlri, held)| (nlri, value(&held.route.0))).collect();
            let expected = model.iter().map(|(&(prefix, path_id), value)| (Nlri { path_id, prefix }.into(), *value));
            prop_assert_eq!(all, expected.collect::<Vec<(AnyNlriBuf, u32)>>());
            // Addresses near the prefixes, so that most lookups find several prefixes to choose from.
            for address in addresses {
                let address = address.addr();
                let found: Vec<_> = match IpNet::from(address) {
                    IpNet::V4(host) => stores.0.lookup(host).map(|(nlri, route)| (nlri, value(route))).collect(),
                    IpNet::V6(host) => stores.1.lookup(host).map(|(nlri, route)| (nlri, value(route))).collect(),
                };
                prop_assert_eq!(found, naive(&model, address), "{}", address);
            }
        }
    }
}
