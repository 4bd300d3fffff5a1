//! The routes that this speaker originates, and each peer's place in them.
//!
//! A compacted log with consumers for each family: every change to a destination takes the log's end and its older position
//! is dead. A peer is an offset, nothing more: a slow one costs no memory and sees each destination at most once, at its
//! newest state.

mod access;
mod adj_rib_out;
mod by_path;
mod cursor;
mod export;
mod intern;
mod key;
mod log;
mod next_hop;
mod route;
mod table;
mod window;
mod writer;

pub use access::RibAccess;
pub use adj_rib_out::AdjRibOut;
pub use route::Route;
pub use writer::Skipped;

use std::collections::BTreeMap;

use bgp_wire::{Family, PathId};

use crate::destination::Destination;
use intern::Interner;
use route::Path;
use table::{Entry, Table};

/// The changes that a [`Rib::replace`] made.
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
/// use bgp_session::{Destination, Rib, Route};
/// use bgp_wire::Family;
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
/// assert_eq!((rib.len(), rib.version()), (2, version + 1));
/// assert!(rib.withdraw_path(second.destination(), bgp_wire::PathId(2)));
///
/// // Routes of other families, beside those of unicast.
/// let rule = Destination::parse(Family::IPV4_FLOWSPEC, "destination 192.168.10.1/32 protocol =udp")?;
/// rib.announce(&Route::to(&rule));
/// assert_eq!(rib.counts().last(), Some((Family::IPV4_FLOWSPEC, 1)));
/// assert_eq!(rib.count(Family::IPV4_UNICAST), 1);
/// assert!(rib.withdraw(rule));
///
/// // After a restart: no End-of-RIB before everything is back.
/// rib.set_complete(false);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Rib {
    table: Table,
    paths: Interner,
    version: u64,
    incomplete: bool,
}

impl Rib {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Announces a route, in place of one with the same destination and path identifier. Returns `true` if that changes
    /// anything.
    ///
    /// Labels, and of an EVPN route the segment and the gateway, are no part of what names a destination: a route with others
    /// replaces the earlier one.
    pub fn announce(&mut self, route: &Route) -> bool {
        let path = self.paths.intern(&route.path);
        let set = self.table.set(&route.destination, route.path_id, path);
        if let Some(previous) = set.previous {
            self.paths.release(previous);
        }
        self.version += u64::from(set.changed);
        set.changed
    }

    /// Withdraws every route to this destination. Returns `true` if there was one.
    pub fn withdraw(&mut self, destination: impl Into<Destination>) -> bool {
        let destination = destination.into();
        let mut withdrawn = false;
        for path_id in self.table.path_ids(&destination) {
            withdrawn |= self.withdraw_one(&destination, path_id);
        }
        withdrawn
    }

    /// Withdraws one of the routes to this destination. Returns `true` if there was one.
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

    /// Makes `routes` all there is: announces what is new or different, withdraws what is missing. Of several routes with one
    /// destination and path identifier the last counts.
    pub fn replace<'a>(&mut self, routes: impl IntoIterator<Item = &'a Route>) -> Replaced {
        let wanted: BTreeMap<_, _> = routes
            .into_iter()
            .map(|route| ((route.destination.key(), route.path_id), route))
            .collect();
        let mut replaced = Replaced::default();
        let known = self.table.iter();
        let gone: Vec<_> = known
            .filter(|(destination, path_id, _)| {
                !wanted.contains_key(&(destination.key(), *path_id))
            })
            .collect();
        for (destination, path_id, _) in gone {
            replaced.withdrawn += usize::from(self.withdraw_one(&destination, path_id));
        }
        for route in wanted.into_values() {
            replaced.announced += usize::from(self.announce(route));
        }
        replaced
    }

    /// Marks the table as complete or incomplete; a new table is complete. While it is incomplete no peer is sent End-of-RIB,
    /// so that peers keep the routes from before a restart (RFC 4724 section 4.1).
    pub fn set_complete(&mut self, complete: bool) {
        self.version += u64::from(self.incomplete == complete);
        self.incomplete = !complete;
    }

    /// The route to exactly this destination; of several the one with the lowest path identifier.
    #[must_use]
    pub fn route(&self, destination: impl Into<Destination>) -> Option<Route> {
        self.assemble(self.table.best(&destination.into())?)
    }

    /// Every route, family by family, IPv4 and IPv6 unicast first, and oldest change first.
    pub fn routes(&self) -> impl Iterator<Item = Route> {
        self.table.iter().filter_map(|entry| self.assemble(entry))
    }

    /// The number of routes of each family that has some.
    pub fn counts(&self) -> impl Iterator<Item = (Family, usize)> {
        self.table.counts().filter(|(_, count)| *count > 0)
    }

    /// The number of routes of a family.
    #[must_use]
    pub fn count(&self, family: Family) -> usize {
        let mut counts = self.table.counts();
        counts
            .find(|(known, _)| *known == family)
            .map_or(0, |(_, count)| count)
    }

    /// The number of routes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.counts().map(|(_, count)| count).sum()
    }

    /// Returns `true` if there is no route.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts changes; a peer that has sent up to a version has sent every change up to then.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    fn assemble(&self, (destination, path_id, path): Entry) -> Option<Route> {
        Some(Route {
            destination,
            path_id,
            path: Path::clone(self.paths.path(path)?),
        })
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
