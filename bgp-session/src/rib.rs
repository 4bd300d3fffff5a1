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
mod window;

pub use access::RibAccess;
pub use adj_rib_out::{AdjRibOut, Skipped};

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use bgp_wire::{AttributeSet, Community, LargeCommunity, Nlri, Origin, PathId};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use intern::{Interner, PathKey};
use log::{DEFAULT_PATH, Key, Log};

/// A route to announce.
///
/// ```
/// use bgp_session::Route;
/// use bgp_wire::Origin;
/// let route = Route::new("192.168.10.1/32".parse()?).local_pref(0).origin(Origin::INCOMPLETE);
/// assert_eq!(route.attributes().local_pref, Some(0));
///
/// // Everything that it may carry, or all at once.
/// let rich = Route::new("192.168.10.1/32".parse()?)
///     .multi_exit_disc(50)
///     .community("64512:100".parse()?)
///     .large_community("64512:1:2".parse()?)
///     .next_hop("192.168.0.112".parse()?);
/// let same = Route::new(rich.prefix())
///     .with_attributes(rich.attributes().clone())
///     .next_hop(rich.explicit_next_hop().ok_or("a next hop")?);
/// assert_eq!(rich, same);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    prefix: IpNet,
    path_id: PathId,
    path: Path,
}

/// What a route carries besides its prefix; shared by all routes that carry the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub(crate) attributes: AttributeSet,
    pub(crate) next_hop_ipv4: Option<Ipv4Addr>,
    pub(crate) next_hop_ipv6: Option<Ipv6Addr>,
}

impl Route {
    /// A route of origin IGP with the speaker itself as next hop. Host bits of the prefix are cleared.
    #[must_use]
    pub fn new(prefix: IpNet) -> Self {
        let attributes = AttributeSet::new(Origin::IGP);
        Self {
            prefix: prefix.trunc(),
            path_id: DEFAULT_PATH,
            path: Path {
                attributes,
                next_hop_ipv4: None,
                next_hop_ipv6: None,
            },
        }
    }

    /// The same route with these attributes.
    #[must_use]
    pub fn with_attributes(mut self, attributes: AttributeSet) -> Self {
        self.path.attributes = attributes;
        self
    }

    /// ORIGIN.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.path.attributes.origin = origin;
        self
    }

    /// LOCAL_PREF, for internal peers.
    #[must_use]
    pub fn local_pref(mut self, preference: u32) -> Self {
        self.path.attributes.local_pref = Some(preference);
        self
    }

    /// MULTI_EXIT_DISC.
    #[must_use]
    pub fn multi_exit_disc(mut self, discriminator: u32) -> Self {
        self.path.attributes.multi_exit_disc = Some(discriminator);
        self
    }

    /// One more community.
    #[must_use]
    pub fn community(mut self, community: Community) -> Self {
        self.path.attributes.communities.push(community);
        self
    }

    /// One more large community.
    #[must_use]
    pub fn large_community(mut self, community: LargeCommunity) -> Self {
        self.path.attributes.large_communities.push(community);
        self
    }

    /// Which of several paths to its prefix this is (RFC 7911); 1 unless given. A peer without ADD-PATH is sent the path with
    /// the lowest identifier.
    #[must_use]
    pub fn path_id(mut self, path_id: PathId) -> Self {
        self.path_id = path_id;
        self
    }

    /// The next hop, in place of the speaker's own address. Its family must be the prefix's, or IPv6 for IPv4 routes to peers
    /// that take it (RFC 8950), to be of use. One of each family may be given.
    #[must_use]
    pub fn next_hop(mut self, address: std::net::IpAddr) -> Self {
        match address {
            std::net::IpAddr::V4(address) => self.path.next_hop_ipv4 = Some(address),
            std::net::IpAddr::V6(address) => self.path.next_hop_ipv6 = Some(address),
        }
        self
    }

    /// The prefix.
    #[must_use]
    pub fn prefix(&self) -> IpNet {
        self.prefix
    }

    /// The prefix and which of its paths this is: what the table tells routes apart by.
    #[must_use]
    pub fn nlri(&self) -> Nlri {
        Nlri {
            path_id: Some(self.path_id),
            prefix: self.prefix,
        }
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &AttributeSet {
        &self.path.attributes
    }

    /// The next hop that was given.
    #[must_use]
    pub fn explicit_next_hop(&self) -> Option<std::net::IpAddr> {
        let ipv4 = self.path.next_hop_ipv4.map(Into::into);
        ipv4.or_else(|| self.path.next_hop_ipv6.map(Into::into))
    }
}

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
        let replaced = match route.prefix {
            IpNet::V4(prefix) => self.ipv4.set(Key { prefix, path_id }, key),
            IpNet::V6(prefix) => self.ipv6.set(Key { prefix, path_id }, key),
        };
        if let Some(previous) = replaced {
            self.paths.release(previous);
        }
        let changed = replaced != Some(key);
        self.version += u64::from(changed);
        changed
    }

    /// Withdraws every route to this prefix; whether there was one.
    pub fn withdraw(&mut self, prefix: IpNet) -> bool {
        let prefix = prefix.trunc();
        let paths = match prefix {
            IpNet::V4(prefix) => self.ipv4.path_ids(prefix),
            IpNet::V6(prefix) => self.ipv6.path_ids(prefix),
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
            IpNet::V4(prefix) => self.ipv4.remove(Key { prefix, path_id }),
            IpNet::V6(prefix) => self.ipv6.remove(Key { prefix, path_id }),
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
            IpNet::V4(prefix) => self.ipv4.best(prefix),
            IpNet::V6(prefix) => self.ipv6.best(prefix),
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
        let ipv4 = ipv4.map(|(route, key)| (IpNet::from(route.prefix), route.path_id, key));
        let ipv6 = self.ipv6.iter();
        let ipv6 = ipv6.map(|(route, key)| (IpNet::from(route.prefix), route.path_id, key));
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
