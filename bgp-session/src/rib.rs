//! The routes that this speaker originates, and each peer's place in them.
//!
//! A compacted log with consumers: every change to a prefix takes the log's end and its older position is dead. A peer
//! is an offset, nothing more: a slow one costs no memory and sees each prefix at most once, at its newest state.

mod access;
mod adj_rib_out;
mod by_path;
mod export;
mod intern;
mod log;
mod route;
mod window;

pub use access::RibAccess;
pub use adj_rib_out::{AdjRibOut, Skipped};
pub use route::Route;

use std::collections::BTreeMap;

use bgp_wire::PathId;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use intern::{Interner, PathKey};
use log::{Key, Log};
use route::Path;

/// What a declarative [`Rib::replace`] changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Routes that are new or have other attributes.
    pub announced: usize,
    /// Routes that are gone.
    pub withdrawn: usize,
}

/// The table of originated routes.
///
/// ```
/// use bgp_session::{Rib, Route};
/// let mut rib = Rib::new();
/// let route = Route::new("192.168.10.1/32".parse()?);
/// assert!(rib.announce(&route));
/// assert!(!rib.announce(&route), "nothing has changed");
/// assert_eq!(rib.routes().count(), 1);
///
/// // A table as a whole, changed by what is different.
/// let second = Route::new("192.168.10.2/32".parse()?).path_id(bgp_wire::PathId(2));
/// let version = rib.version();
/// let replaced = rib.replace([&route, &second]);
/// assert_eq!(replaced, bgp_session::Replaced { announced: 1, withdrawn: 0 });
/// assert_eq!((rib.counts(), rib.version()), ((2, 0), version + 1));
/// assert!(rib.withdraw_path(second.prefix(), bgp_wire::PathId(2)));
/// // After a restart: no End-of-RIB before everything is back.
/// rib.set_complete(false);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Rib {
    pub(crate) ipv4: Log<Ipv4Net>,
    pub(crate) ipv6: Log<Ipv6Net>,
    pub(crate) paths: Interner,
    version: u64,
    pub(crate) incomplete: bool,
}

impl Rib {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces a route, in place of one with the same prefix and path identifier; whether that changes anything.
    pub fn announce(&mut self, route: &Route) -> bool {
        let key = self.paths.intern(&route.path);
        let path_id = route.path_id;
        let set = match route.prefix {
            IpNet::V4(destination) => self.ipv4.set(
                Key {
                    destination,
                    path_id,
                },
                key,
            ),
            IpNet::V6(destination) => self.ipv6.set(
                Key {
                    destination,
                    path_id,
                },
                key,
            ),
        };
        if let Some(previous) = set.previous {
            self.paths.release(previous);
        }
        self.version += u64::from(set.changed);
        set.changed
    }

    /// Withdraws every route to this prefix; whether there was one.
    pub fn withdraw(&mut self, prefix: IpNet) -> bool {
        let prefix = prefix.trunc();
        let paths = match prefix {
            IpNet::V4(prefix) => self.ipv4.path_ids(&prefix),
            IpNet::V6(prefix) => self.ipv6.path_ids(&prefix),
        };
        let mut withdrawn = false;
        for path_id in paths {
            withdrawn |= self.withdraw_path(prefix, path_id);
        }
        withdrawn
    }

    /// Withdraws one of the routes to this prefix; whether there was one.
    pub fn withdraw_path(&mut self, prefix: IpNet, path_id: PathId) -> bool {
        let previous = match prefix.trunc() {
            IpNet::V4(destination) => self.ipv4.remove(Key {
                destination,
                path_id,
            }),
            IpNet::V6(destination) => self.ipv6.remove(Key {
                destination,
                path_id,
            }),
        };
        if let Some(previous) = previous {
            self.paths.release(previous);
            self.version += 1;
        }
        previous.is_some()
    }

    /// Makes `routes` all there is: announces what is new or different, withdraws what is missing. Of several routes with one
    /// prefix and path identifier the last counts.
    pub fn replace<'a>(&mut self, routes: impl IntoIterator<Item = &'a Route>) -> Replaced {
        let wanted: BTreeMap<_, _> = routes
            .into_iter()
            .map(|route| ((route.prefix, route.path_id), route))
            .collect();
        let mut replaced = Replaced::default();
        let keys = self.keys().map(|(prefix, path_id, _)| (prefix, path_id));
        let gone: Vec<_> = keys.filter(|key| !wanted.contains_key(key)).collect();
        for (prefix, path_id) in gone {
            replaced.withdrawn += usize::from(self.withdraw_path(prefix, path_id));
        }
        for route in wanted.into_values() {
            replaced.announced += usize::from(self.announce(route));
        }
        replaced
    }

    /// Whether all that is to be announced is here. While it is not, no peer is sent End-of-RIB, so that it keeps the routes
    /// from before a restart (RFC 4724 section 4.1). It is unless this says otherwise.
    pub fn set_complete(&mut self, complete: bool) {
        self.version += u64::from(self.incomplete == complete);
        self.incomplete = !complete;
    }

    /// The route to exactly this prefix; of several the one with the lowest path identifier.
    #[must_use]
    pub fn route(&self, prefix: IpNet) -> Option<Route> {
        let prefix = prefix.trunc();
        let (path_id, key) = match prefix {
            IpNet::V4(prefix) => self
                .ipv4
                .best(&prefix)
                .map(|(key, path)| (key.path_id, path)),
            IpNet::V6(prefix) => self
                .ipv6
                .best(&prefix)
                .map(|(key, path)| (key.path_id, path)),
        }?;
        self.assemble(prefix, path_id, key)
    }

    /// Every route, oldest change first, IPv4 before IPv6.
    pub fn routes(&self) -> impl Iterator<Item = Route> {
        self.keys()
            .filter_map(|(prefix, path_id, key)| self.assemble(prefix, path_id, key))
    }

    fn keys(&self) -> impl Iterator<Item = (IpNet, PathId, PathKey)> {
        let ipv4 = self.ipv4.iter();
        let ipv4 = ipv4.map(|(route, key)| (IpNet::from(route.destination), route.path_id, key));
        let ipv6 = self.ipv6.iter();
        let ipv6 = ipv6.map(|(route, key)| (IpNet::from(route.destination), route.path_id, key));
        ipv4.chain(ipv6)
    }

    /// How many IPv4 and how many IPv6 routes there are.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.ipv4.len(), self.ipv6.len())
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ipv4.len() + self.ipv6.len()
    }

    /// Whether there is no route.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts changes; a peer that has sent up to a version has sent every change up to then.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    fn assemble(&self, prefix: IpNet, path_id: PathId, key: PathKey) -> Option<Route> {
        Some(Route {
            prefix,
            path_id,
            path: Path::clone(self.paths.path(key)?),
        })
    }
}

#[cfg(test)]
mod tests;
