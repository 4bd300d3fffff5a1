//! `UnicastStore`: the routes of IPv4 or IPv6 unicast, in a trie that also finds the longest prefix of an address.

use std::fmt;

use bgp_wire::{AnyNlriBuf, DestinationBuf, Nlri, PathId};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::{Prefix, PrefixMap};

use super::ReceivedRoute;
use super::store::{Held, Store};

/// A prefix of IPv4 or IPv6.
pub(super) trait UnicastKey: Prefix + Copy + Into<IpNet> {
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

/// Routes by prefix and path identifier.
pub(super) struct UnicastStore<P: Prefix> {
    prefixes: PrefixMap<P, Paths>,
    /// The number of routes: a prefix may have several.
    routes: usize,
}

/// The routes to one prefix, at least one, by ascending path identifier.
enum Paths {
    /// Without path identifiers there is no other.
    One(Path),
    Several(Vec<Path>),
}

struct Path {
    path_id: Option<PathId>,
    held: Held,
}

impl Paths {
    fn as_slice(&self) -> &[Path] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Several(paths) => paths,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Path] {
        match self {
            Self::One(path) => std::slice::from_mut(path),
            Self::Several(paths) => paths,
        }
    }

    fn position(&self, path_id: Option<PathId>) -> Result<usize, usize> {
        self.as_slice()
            .binary_search_by_key(&path_id, |path| path.path_id)
    }

    /// Adds a path, in place of one with the same identifier. Returns `true` if there was none.
    fn insert(&mut self, path: Path) -> bool {
        let place = match self.position(path.path_id) {
            Ok(known) => {
                if let Some(known) = self.as_mut_slice().get_mut(known) {
                    *known = path;
                }
                return false;
            }
            Err(place) => place,
        };
        let mut paths = match std::mem::replace(self, Self::Several(Vec::new())) {
            Self::One(known) => vec![known],
            Self::Several(paths) => paths,
        };
        paths.insert(place, path);
        *self = Self::Several(paths);
        true
    }
}

impl<P: UnicastKey> UnicastStore<P> {
    /// The routes to the longest prefix that holds this one.
    pub(super) fn lookup(&self, prefix: P) -> impl Iterator<Item = (Nlri, &ReceivedRoute)> {
        let found = self.prefixes.get_lpm(&prefix);
        found.into_iter().flat_map(|(prefix, paths)| {
            let routes = paths.as_slice().iter();
            routes.map(move |path| {
                let nlri = Nlri {
                    path_id: path.path_id,
                    prefix: prefix.into(),
                };
                (nlri, &path.held.route)
            })
        })
    }

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
            Paths::One(_) | Paths::Several(_) => {
                self.prefixes.remove(&prefix);
            }
        }
        self.routes -= 1;
        true
    }
}

/// The prefix of a unicast route.
fn key<P: UnicastKey>(nlri: &AnyNlriBuf) -> Option<P> {
    if let DestinationBuf::Prefix(prefix) = nlri.destination {
        P::of(prefix)
    } else {
        None
    }
}

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
            debug_assert!(false, "{nlri} is not of this family");
            return;
        };
        let path_id = nlri.path_id;
        let path = Path { path_id, held };
        let new = match self.prefixes.get_mut(&prefix) {
            Some(paths) => paths.insert(path),
            None => self.prefixes.insert(prefix, Paths::One(path)).is_none(),
        };
        self.routes += usize::from(new);
    }

    fn remove(&mut self, nlri: &AnyNlriBuf) -> Option<AnyNlriBuf> {
        let prefix: P = key(nlri)?;
        self.remove_path(prefix, nlri.path_id).then(|| nlri.clone())
    }

    fn iter(&self) -> Box<dyn Iterator<Item = (AnyNlriBuf, &Held)> + '_> {
        Box::new(self.prefixes.iter().flat_map(|(prefix, paths)| {
            let paths = paths.as_slice().iter();
            paths.map(move |path| (nlri(prefix, path.path_id), &path.held))
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
        gone: &mut dyn FnMut(&AnyNlriBuf),
    ) {
        let all = self.prefixes.iter();
        let found: Vec<_> = all
            .flat_map(|(prefix, paths)| {
                let unwanted = paths.as_slice().iter().filter(|path| unwanted(&path.held));
                unwanted.map(move |path| (prefix, path.path_id))
            })
            .collect();
        for (prefix, path_id) in found {
            self.remove_path(prefix, path_id);
            gone(&nlri(prefix, path_id));
        }
    }

    fn len(&self) -> usize {
        self.routes
    }
}

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

    /// Few addresses, and prefixes of every length around them.
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

    /// Both stores; a route goes to the one of its family.
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
                    let mut gone = Vec::new();
                    let stores: [&mut dyn Store; 2] = [&mut self.0, &mut self.1];
                    for store in stores {
                        store.remove_where(&|held| value(&held.route) == unwanted, &mut |nlri| {
                            gone.push(nlri.clone());
                        });
                    }
                    let expected = model.extract_if(.., |_, value| *value == unwanted);
                    let expected = expected.map(|((prefix, path_id), _)| Nlri { path_id, prefix });
                    assert_eq!(gone, expected.map(AnyNlriBuf::from).collect::<Vec<_>>());
                }
            }
        }
    }

    /// The longest prefix that holds the address, by looking at all.
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
        fn stores_agree_with_a_naive_model(steps in prop::collection::vec(step(), 0..200), addresses in prop::collection::vec(prefix(), 0..30)) {
            let (mut stores, mut model) = (Both::default(), Model::new());
            for step in &steps {
                stores.apply(step, &mut model);
                prop_assert_eq!(stores.0.len() + stores.1.len(), model.len());
            }
            let all = stores.0.iter().chain(stores.1.iter());
            let all: Vec<_> = all.map(|(nlri, held)| (nlri, value(&held.route))).collect();
            let expected = model.iter().map(|(&(prefix, path_id), value)| (Nlri { path_id, prefix }.into(), *value));
            prop_assert_eq!(all, expected.collect::<Vec<(AnyNlriBuf, u32)>>());
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
