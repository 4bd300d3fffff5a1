//! `UnicastStore`: the routes of IPv4 or IPv6 unicast, in a trie that also finds the longest prefix for an address.

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

/// The routes to one prefix in ascending order of path identifiers. The list is never empty.
enum Paths {
    // Without path identifiers every prefix has one route, which then needs no allocation of its own.
    One(Path),
    Several(Vec<Path>),
}

/// A route to a prefix.
struct Path {
    path_id: Option<PathId>,
    held: Held,
}

impl Paths {
    /// Returns all routes.
    fn as_slice(&self) -> &[Path] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Several(paths) => paths,
        }
    }

    /// Returns all routes.
    fn as_mut_slice(&mut self) -> &mut [Path] {
        match self {
            Self::One(path) => std::slice::from_mut(path),
            Self::Several(paths) => paths,
        }
    }

    /// Returns the position of the route with this identifier, or `Err` with the position at which to insert it.
    fn position(&self, path_id: Option<PathId>) -> Result<usize, usize> {
        self.as_slice()
            .binary_search_by_key(&path_id, |path| path.path_id)
    }

    /// Adds a path. Returns `false` if it replaces one with the same identifier.
    fn insert(&mut self, path: Path) -> bool {
        let position = match self.position(path.path_id) {
            Ok(position) => {
                let known = self.as_mut_slice().get_mut(position);
                debug_assert!(known.is_some(), "position out of range");
                if let Some(known) = known {
                    *known = path;
                }
                return false;
            }
            Err(position) => position,
        };
        // The empty list, which does not allocate, takes the place of the value while the path moves into a list.
        let mut paths = match std::mem::replace(self, Self::Several(Vec::new())) {
            Self::One(known) => vec![known],
            Self::Several(paths) => paths,
        };
        paths.insert(position, path);
        *self = Self::Several(paths);
        true
    }
}

impl<P: UnicastKey> UnicastStore<P> {
    /// Returns the routes to the longest prefix that contains this one.
    pub(super) fn lookup(&self, prefix: P) -> impl Iterator<Item = (Nlri, &ReceivedRoute)> {
        self.prefixes
            .get_lpm(&prefix)
            .into_iter()
            .flat_map(|(prefix, paths)| {
                paths.as_slice().iter().map(move |path| {
                    let nlri = Nlri {
                        path_id: path.path_id,
                        prefix: prefix.into(),
                    };
                    (nlri, &path.held.route)
                })
            })
    }

    /// Removes a route. Returns `false` if the store does not hold it.
    fn remove_path(&mut self, prefix: P, path_id: Option<PathId>) -> bool {
        let Some(paths) = self.prefixes.get_mut(&prefix) else {
            return false;
        };
        let Ok(position) = paths.position(path_id) else {
            return false;
        };
        match paths {
            Paths::Several(paths) if paths.len() > 1 => {
                paths.remove(position);
            }
            // The last route: a prefix without routes would hide shorter prefixes from `lookup`.
            Paths::One(_) | Paths::Several(_) => {
                self.prefixes.remove(&prefix);
            }
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
        let paths = self.prefixes.get(&key(nlri)?)?;
        let position = paths.position(nlri.path_id).ok()?;
        Some(&paths.as_slice().get(position)?.held)
    }

    fn insert(&mut self, nlri: &AnyNlriBuf, held: Held) {
        let Some(prefix) = key::<P>(nlri) else {
            // `AdjRibIn::store_mut` chooses the store by the family of the route.
            debug_assert!(false, "{nlri} is not of this family");
            return;
        };
        let path_id = nlri.path_id;
        let path = Path { path_id, held };
        let is_new = match self.prefixes.get_mut(&prefix) {
            Some(paths) => paths.insert(path),
            None => self.prefixes.insert(prefix, Paths::One(path)).is_none(),
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
                .as_slice()
                .iter()
                .map(move |path| (nlri(prefix, path.path_id), &path.held))
        }))
    }

    fn for_each_mut(&mut self, act: &mut dyn FnMut(&AnyNlriBuf, &mut Held)) {
        for (prefix, paths) in self.prefixes.iter_mut() {
            for path in paths.as_mut_slice() {
                act(&nlri(prefix, path.path_id), &mut path.held);
            }
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
                    .as_slice()
                    .iter()
                    .filter(|path| unwanted(&path.held))
                    .map(move |path| (prefix, path.path_id))
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
    use std::collections::BTreeMap;
    use std::net::IpAddr;
    use std::sync::Arc;

    use bgp_wire::{AttributeSet, NextHop, Origin};
    use proptest::prelude::*;

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
        route.into()
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
                        store.remove_where(&|held| value(&held.route) == unwanted, &mut |nlri| {
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
            let all: Vec<_> = stores.0.iter().chain(stores.1.iter()).map(|(nlri, held)| (nlri, value(&held.route))).collect();
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
