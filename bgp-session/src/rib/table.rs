//! `Table`: the log of every family. Only this file distinguishes families by the representation of their routes.
//!
//! The unicast families have logs of plain prefixes, which are small and fast. Every other family has its own log, whose keys
//! share the NLRI. A consumer of one family therefore never reads changes of another family, and End-of-RIB and route refresh
//! work the same in all families.

use std::collections::BTreeMap;
use std::sync::Arc;

use bgp_wire::{AnyNlriBuf, DestinationBuf, EncodeNlri, Family, FamilySet, Nlri, PathId};
use hashbrown::DefaultHashBuilder;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::entry::{Key, LogKey};
use super::intern::PathKey;
use super::log::{ConsumerId, Log, Set};
use super::membership::Membership;
use crate::destination::{Destination, DestinationKey, prefix_of};
use crate::identity::NlriKey;

/// The logs of the originated routes.
#[derive(Debug, Default)]
pub(super) struct Table {
    ipv4: Log<Ipv4Net>,
    ipv6: Log<Ipv6Net>,
    // A sorted map instead of a hash map, so that routes and counts have the same order in every run.
    others: BTreeMap<Family, Log<OtherKey>>,
}

/// The key of a route of another family than unicast. The NLRI has no path identifier.
// Shared, so that a copy for a window does not allocate while the table is locked.
type OtherKey = NlriKey<Arc<AnyNlriBuf>>;

impl Table {
    /// Announces a path with these attributes, which replace its previous ones.
    pub(super) fn set(&mut self, destination: &Destination, path_id: PathId, path: PathKey) -> Set {
        match destination.key() {
            DestinationKey::Unicast(IpNet::V4(prefix)) => self.ipv4.set(key(prefix, path_id), path),
            DestinationKey::Unicast(IpNet::V6(prefix)) => self.ipv6.set(key(prefix, path_id), path),
            DestinationKey::Other(family, nlri) => {
                OtherKey::log(self, family).set(key(nlri, path_id), path)
            }
        }
    }

    /// Withdraws a path. Returns its attributes, or `None` if it was not announced.
    pub(super) fn remove(&mut self, destination: &Destination, path_id: PathId) -> Option<PathKey> {
        match destination.key() {
            DestinationKey::Unicast(IpNet::V4(prefix)) => self.ipv4.remove(key(prefix, path_id)),
            DestinationKey::Unicast(IpNet::V6(prefix)) => self.ipv6.remove(key(prefix, path_id)),
            // Unlike `log`, this adds no log: a withdrawal of an unknown family must not use memory.
            DestinationKey::Other(family, nlri) => {
                self.others.get_mut(&family)?.remove(key(nlri, path_id))
            }
        }
    }

    /// Returns the identifiers of the announced paths of a destination, in ascending order.
    pub(super) fn path_ids(&self, destination: &Destination) -> Vec<PathId> {
        match destination.key() {
            DestinationKey::Unicast(IpNet::V4(prefix)) => self.ipv4.path_ids(&prefix),
            DestinationKey::Unicast(IpNet::V6(prefix)) => self.ipv6.path_ids(&prefix),
            DestinationKey::Other(family, nlri) => self
                .others
                .get(&family)
                .map(|log| log.path_ids(&nlri))
                .unwrap_or_default(),
        }
    }

    /// Returns the path of a destination with the lowest identifier, or `None` if no path is announced.
    pub(super) fn best(&self, destination: &Destination) -> Option<Entry> {
        match destination.key() {
            DestinationKey::Unicast(IpNet::V4(prefix)) => self.ipv4.best(&prefix).map(unicast),
            DestinationKey::Unicast(IpNet::V6(prefix)) => self.ipv6.best(&prefix).map(unicast),
            DestinationKey::Other(family, nlri) => self.others.get(&family)?.best(&nlri).map(other),
        }
    }

    /// Returns every announced path, grouped by family. Within a family the oldest change comes first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> {
        let others = self.others.values().flat_map(Log::iter);
        (self.ipv4.iter().map(unicast))
            .chain(self.ipv6.iter().map(unicast))
            .chain(others.map(other))
    }

    /// Returns the number of announced paths of each family. A family whose paths have all been withdrawn has count 0.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Family, usize)> {
        [
            (Family::IPV4_UNICAST, self.ipv4.len()),
            (Family::IPV6_UNICAST, self.ipv6.len()),
        ]
        .into_iter()
        .chain(self.others.iter().map(|(family, log)| (*family, log.len())))
    }

    /// Returns the number of announced paths of these families, and the number of those of all others.
    pub(super) fn count_within(&self, families: FamilySet) -> [usize; 2] {
        self.counts()
            .fold([0; 2], |[within, others], (family, count)| {
                if families.contains(family) {
                    [within + count, others]
                } else {
                    [within, others + count]
                }
            })
    }

    /// Returns the destination of a path that is not of these families, or `None` if no such path is announced.
    pub(super) fn first_outside(&self, families: FamilySet) -> Option<Destination> {
        let outside = |family| !families.contains(family);
        let ipv4 = self
            .ipv4
            .iter()
            .take_while(|_| outside(Family::IPV4_UNICAST));
        let ipv6 = self
            .ipv6
            .iter()
            .take_while(|_| outside(Family::IPV6_UNICAST));
        let others = self.others.iter().filter(|(family, _)| outside(**family));
        (ipv4.map(unicast))
            .chain(ipv6.map(unicast))
            .chain(others.flat_map(|(_, log)| log.iter()).map(other))
            .map(|(destination, ..)| destination)
            .next()
    }

    /// Adds a consumer that starts with the oldest change. It reads every path, or else only the best path of each
    /// destination. It is removed when `membership` is dropped.
    pub(super) fn join(
        &mut self,
        family: Family,
        every_path: bool,
        membership: &Membership,
    ) -> ConsumerId {
        for_family(
            family,
            Join {
                table: self,
                family,
                every_path,
                membership,
            },
        )
    }

    /// Records in the log of `family` that it holds every change up to `version`.
    pub(super) fn add_checkpoint(&mut self, family: Family, version: u64) {
        for_family(
            family,
            AddCheckpoint {
                table: self,
                family,
                version,
            },
        );
    }
}

/// An announced path: its destination, its path identifier and its attributes.
pub(super) type Entry = (Destination, PathId, PathKey);

fn key<D>(destination: D, path_id: PathId) -> Key<D> {
    Key {
        destination,
        path_id,
    }
}

/// Returns the entry of a unicast path.
fn unicast<D: Copy + Into<IpNet>>((key, path): (&Key<D>, PathKey)) -> Entry {
    let prefix: IpNet = key.destination.into();
    (prefix.into(), key.path_id, path)
}

/// Returns the entry of a path of another family.
fn other((key, path): (&Key<OtherKey>, PathKey)) -> Entry {
    (key.destination.destination(), key.path_id, path)
}

/// The keys of the log of a family.
pub(super) trait FamilyKey: LogKey {
    /// The form of a key that the encoders accept.
    type Item<'a>: EncodeNlri
    where
        Self: 'a;

    /// Returns the log of this family, whose keys must be of this type.
    fn log(table: &mut Table, family: Family) -> &mut Log<Self>;

    /// Returns the key as the encoders accept it, with this path identifier.
    fn item(&self, path_id: Option<PathId>) -> Self::Item<'_>;

    /// Returns the prefix that a policy matches, or `None` if the route has no prefix.
    fn prefix(&self) -> Option<IpNet>;

    /// Returns the key as a destination.
    fn destination(&self) -> Destination;
}

impl FamilyKey for Ipv4Net {
    type Item<'a> = Nlri<Self>;

    fn log(table: &mut Table, family: Family) -> &mut Log<Self> {
        // `for_family` is the only caller that chooses the type, and it chooses it by the family.
        debug_assert_eq!(family, Family::IPV4_UNICAST);
        &mut table.ipv4
    }

    fn item(&self, path_id: Option<PathId>) -> Nlri<Self> {
        let prefix = *self;
        Nlri { path_id, prefix }
    }

    fn prefix(&self) -> Option<IpNet> {
        Some((*self).into())
    }

    fn destination(&self) -> Destination {
        IpNet::from(*self).into()
    }
}

impl FamilyKey for Ipv6Net {
    type Item<'a> = Nlri<Self>;

    fn log(table: &mut Table, family: Family) -> &mut Log<Self> {
        debug_assert_eq!(family, Family::IPV6_UNICAST);
        &mut table.ipv6
    }

    fn item(&self, path_id: Option<PathId>) -> Nlri<Self> {
        let prefix = *self;
        Nlri { path_id, prefix }
    }

    fn prefix(&self) -> Option<IpNet> {
        Some((*self).into())
    }

    fn destination(&self) -> Destination {
        IpNet::from(*self).into()
    }
}

impl LogKey for OtherKey {
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
        // Other families have no common order of their destinations, so that their hashes are not kept in blocks.
        std::hash::BuildHasher::hash_one(hasher, self)
    }

    fn is_same_value(&self, other: &Self) -> bool {
        // `NlriKey` ignores labels and the like; the NLRI itself compares them (RFC 8277 section 2.5).
        self.0 == other.0
    }
}

impl FamilyKey for OtherKey {
    type Item<'a> = (Family, Nlri<&'a DestinationBuf>);

    fn log(table: &mut Table, family: Family) -> &mut Log<Self> {
        table.others.entry(family).or_default()
    }

    fn item(&self, path_id: Option<PathId>) -> Self::Item<'_> {
        let prefix = &self.0.destination;
        (self.0.family, Nlri { path_id, prefix })
    }

    fn prefix(&self) -> Option<IpNet> {
        prefix_of(&self.0.destination)
    }

    fn destination(&self) -> Destination {
        Destination::from_shared(Arc::clone(&self.0))
    }
}

/// An action on the log of a family, generic over its keys.
// It stands for a generic closure, which Rust does not have.
pub(super) trait ForKeys {
    type Output;

    fn run<D: FamilyKey>(self) -> Self::Output;
}

/// Runs `action` with the key type of this family.
pub(super) fn for_family<A: ForKeys>(family: Family, action: A) -> A::Output {
    // A trait instead of a closure because closures cannot be generic. Each family runs code for its own keys, so that the
    // unicast families do not pay for the others.
    match family {
        Family::IPV4_UNICAST => action.run::<Ipv4Net>(),
        Family::IPV6_UNICAST => action.run::<Ipv6Net>(),
        _ => action.run::<OtherKey>(),
    }
}

/// [`Table::join`], generic over the keys of the family.
struct Join<'a> {
    table: &'a mut Table,
    family: Family,
    every_path: bool,
    membership: &'a Membership,
}

impl ForKeys for Join<'_> {
    type Output = ConsumerId;

    fn run<D: FamilyKey>(self) -> ConsumerId {
        D::log(self.table, self.family).join(self.every_path, self.membership)
    }
}

/// [`Table::add_checkpoint`], generic over the keys of the family.
struct AddCheckpoint<'a> {
    table: &'a mut Table,
    family: Family,
    version: u64,
}

impl ForKeys for AddCheckpoint<'_> {
    type Output = ();

    fn run<D: FamilyKey>(self) {
        D::log(self.table, self.family).add_checkpoint(self.version);
    }
}

#[cfg(test)]
impl Table {
    /// Returns the number of positions in use in the log of IPv4 unicast, dead ones included.
    pub(super) fn ipv4_positions(&self) -> usize {
        self.ipv4.positions()
    }
}
