//! The routes that this speaker originates, and the position of each peer in them.
//!
//! Each family has a compacted log with consumers. A change to a destination is appended to the log, and its older position
//! becomes dead. A peer is only an offset: a slow peer costs no memory and sees each destination at most once, in its newest
//! state.

mod access;
mod adj_rib_out;
mod by_path;
mod checkpoints;
mod cursor;
mod entry;
mod export;
mod intern;
mod log;
mod membership;
mod next_hop;
mod path_index;
mod slot_set;
mod slots;
mod table;
mod window;
mod withheld;
mod writer;

pub use access::RibAccess;
pub use adj_rib_out::AdjRibOut;
pub(crate) use cursor::Progress;

use std::collections::BTreeMap;
use std::sync::Arc;

use bgp_wire::{Family, PathId};

use crate::destination::{Destination, DestinationKey};
use crate::route::{Path, Route};
use intern::Interner;
use membership::TableId;
use table::{Entry, Table};

/// The changes that a [`Rib::replace`] made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Replaced {
    /// The number of routes that are new or have changed.
    pub announced: usize,
    /// The number of withdrawn routes.
    pub withdrawn: usize,
}

/// The table of originated routes.
///
/// ```
/// use bgp_session::{Destination, Rib, Route};
/// use bgp_wire::Family;
/// let mut rib = Rib::new();
/// let route = Route::new("192.168.10.1/32".parse()?);
/// assert!(rib.announce(&route));
/// assert!(!rib.announce(&route), "nothing has changed");
/// assert_eq!(rib.routes().count(), 1);
///
/// // Replacing the whole table changes only the routes that differ.
/// let second = Route::new("192.168.10.2/32".parse()?).with_path_id(bgp_wire::PathId(2));
/// let version = rib.version();
/// let replaced = rib.replace([&route, &second]);
/// assert_eq!((replaced.announced, replaced.withdrawn), (1, 0));
/// assert_eq!((rib.len(), rib.version()), (2, version + 1));
/// assert!(rib.withdraw_path(second.destination(), bgp_wire::PathId(2)));
///
/// // The table also holds routes of other families than unicast.
/// let rule = Destination::parse(Family::IPV4_FLOWSPEC, "destination 192.168.10.1/32 protocol =udp")?;
/// rib.announce(&Route::to(&rule));
/// assert_eq!(rib.counts().last(), Some((Family::IPV4_FLOWSPEC, 1)));
/// assert_eq!(rib.count(Family::IPV4_UNICAST), 1);
/// assert!(rib.withdraw(rule));
///
/// // After a restart: do not send End-of-RIB before every route is in the table again.
/// rib.set_complete(false);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Rib {
    id: TableId,
    table: Table,
    paths: Interner,
    version: u64,
    incomplete: bool,
}

impl Rib {
    /// Creates an empty table, which counts as complete.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces a route and replaces a route with the same destination and path identifier. Returns `true` if the table
    /// changes.
    ///
    /// Labels do not identify a destination, nor do the segment and the gateway of an EVPN route: a route that differs only
    /// in them replaces the earlier route.
    pub fn announce(&mut self, route: &Route) -> bool {
        // The reference is taken before the old one is released: a path that stays the same is not freed between the two.
        let path = self.paths.intern(&route.path);
        let set = self.table.set(&route.destination, route.path_id, path);
        if let Some(previous) = set.previous {
            self.paths.release(previous);
        }
        // An unchanged route gets no version: peers would have to acknowledge a change that they are never sent.
        self.version += u64::from(set.changed);
        set.changed
    }

    /// Withdraws every route to this destination. Returns `true` if a route was announced.
    pub fn withdraw(&mut self, destination: impl Into<Destination>) -> bool {
        let destination = destination.into();
        let mut withdrawn = false;
        for path_id in self.table.path_ids(&destination) {
            withdrawn |= self.withdraw_one(&destination, path_id);
        }
        withdrawn
    }

    /// Withdraws the route to this destination with this path identifier. Returns `true` if it was announced.
    pub fn withdraw_path(&mut self, destination: impl Into<Destination>, path_id: PathId) -> bool {
        self.withdraw_one(&destination.into(), path_id)
    }

    fn withdraw_one(&mut self, destination: &Destination, path_id: PathId) -> bool {
        let previous = self.table.remove(destination, path_id);
        if let Some(previous) = previous {
            self.paths.release(previous);
            self.version += 1;
        }
        previous.is_some()
    }

    /// Makes `routes` the whole content of the table: announces new and changed routes, and withdraws missing ones.
    ///
    /// If several routes have the same destination and path identifier, the last one is used.
    pub fn replace<'a>(&mut self, routes: impl IntoIterator<Item = &'a Route>) -> Replaced {
        self.replace_with(Wanted::new(routes))
    }

    /// Does the work of [`Rib::replace`] that needs the table.
    pub(crate) fn replace_with(&mut self, Wanted(wanted): Wanted<'_>) -> Replaced {
        let mut replaced = Replaced::default();
        let missing: Vec<_> = self
            .table
            .iter()
            .filter(|(destination, path_id, _)| {
                !wanted.contains_key(&(destination.key(), *path_id))
            })
            .collect();
        // Withdrawals go first: a peer with a prefix limit never counts the old and the new routes together.
        for (destination, path_id, _) in missing {
            replaced.withdrawn += usize::from(self.withdraw_one(&destination, path_id));
        }
        for route in wanted.into_values() {
            replaced.announced += usize::from(self.announce(route));
        }
        replaced
    }

    /// Marks the table as complete or incomplete; a new table is complete.
    ///
    /// While the table is incomplete, no peer is sent End-of-RIB, so that peers keep the routes from before a restart
    /// (RFC 4724 section 4.1).
    pub fn set_complete(&mut self, complete: bool) {
        // A change counts as a version because End-of-RIB, which it permits, still has to be sent.
        self.version += u64::from(self.incomplete == complete);
        self.incomplete = !complete;
    }

    /// Returns the route to exactly this destination, or `None` if it is not announced. Of several paths, returns the one
    /// with the lowest path identifier.
    #[must_use]
    pub fn route(&self, destination: impl Into<Destination>) -> Option<Route> {
        let shared = self.assemble(self.table.best(&destination.into())?)?;
        Some(shared.into_route())
    }

    /// Returns every route, grouped by family, with IPv4 and IPv6 unicast first.
    ///
    /// Within a family the oldest change comes first.
    pub fn routes(&self) -> impl Iterator<Item = Route> {
        self.shared_routes().map(SharedRoute::into_route)
    }

    /// Returns what [`Rib::routes`] returns, without copies of the attributes.
    pub(crate) fn shared_routes(&self) -> impl Iterator<Item = SharedRoute> {
        self.table.iter().filter_map(|entry| self.assemble(entry))
    }

    /// Returns the number of routes of each family with at least one route.
    pub fn counts(&self) -> impl Iterator<Item = (Family, usize)> {
        self.table.counts().filter(|(_, count)| *count > 0)
    }

    /// Returns the number of routes of a family.
    #[must_use]
    pub fn count(&self, family: Family) -> usize {
        self.table
            .counts()
            .find(|(known, _)| *known == family)
            .map_or(0, |(_, count)| count)
    }

    /// Returns the number of routes of all families.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.counts().map(|(_, count)| count).sum()
    }

    /// Returns `true` if the table holds no route.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the version of the table, which grows by 1 with every change. A peer whose
    /// [`AdjRibOut::version`] equals it has been sent every change so far.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    fn assemble(&self, (destination, path_id, path): Entry) -> Option<SharedRoute> {
        let path = self.paths.path(path);
        // Every announced entry holds a reference to its path.
        debug_assert!(path.is_some(), "the path of {destination} was freed");
        Some(SharedRoute {
            destination,
            path_id,
            path: Arc::clone(path?),
        })
    }
}

/// The routes of [`Rib::replace`] in order, without duplicates.
// Apart from the table, so that a shared table is not locked while they are sorted.
pub(crate) struct Wanted<'a>(BTreeMap<(DestinationKey, PathId), &'a Route>);

impl<'a> Wanted<'a> {
    pub(crate) fn new(routes: impl IntoIterator<Item = &'a Route>) -> Self {
        let keyed = routes
            .into_iter()
            .map(|route| ((route.destination.key(), route.path_id), route));
        // A later item replaces an earlier one with an equal key.
        Self(keyed.collect())
    }
}

/// A route that shares its attributes with the table.
pub(crate) struct SharedRoute {
    destination: Destination,
    path_id: PathId,
    path: Arc<Path>,
}

impl SharedRoute {
    /// Copies the attributes.
    pub(crate) fn into_route(self) -> Route {
        Route {
            destination: self.destination,
            path_id: self.path_id,
            path: Path::clone(&self.path),
        }
    }
}

#[cfg(test)]
impl Rib {
    /// Returns the number of positions in use in the log of IPv4 unicast, dead ones included.
    pub(crate) fn ipv4_positions(&self) -> usize {
        self.table.ipv4_positions()
    }
}

#[cfg(test)]
mod tests;
