//! `Table`: the log of every family. Only this file tells families apart by how their routes are kept.
//!
//! The unicast families have logs of plain prefixes, which are small and quick. Every other family has a log of its own whose
//! keys share the NLRI: a consumer of one family then passes over no changes of another, and End-of-RIB and a refresh mean
//! the same in all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bgp_wire::{AnyNlriBuf, DestinationBuf, EncodeNlri, Family, Nlri, PathId};
use hashbrown::DefaultHashBuilder;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::intern::PathKey;
use super::key::{Key, LogKey};
use super::log::{ConsumerId, Log, Set};
use crate::destination::{Destination, DestinationKey, prefix_of};
use crate::identity::NlriKey;

/// The logs of the originated routes.
#[derive(Debug, Default)]
pub(super) struct Table {
    ipv4: Log<Ipv4Net>,
    ipv6: Log<Ipv6Net>,
    others: BTreeMap<Family, Log<OtherKey>>,
}

/// The key of a route that is no unicast route. The NLRI has no path identifier.
type OtherKey = NlriKey<Arc<AnyNlriBuf>>;

impl Table {
    /// Announces a path with these attributes, in place of those that it had.
    pub(super) fn set(&mut self, destination: &Destination, path_id: PathId, path: PathKey) -> Set {
        match destination.key() {
            DestinationKey::Unicast(IpNet::V4(prefix)) => self.ipv4.set(key(prefix, path_id), path),
            DestinationKey::Unicast(IpNet::V6(prefix)) => self.ipv6.set(key(prefix, path_id), path),
            DestinationKey::Other(family, nlri) => {
                OtherKey::log(self, family).set(key(nlri, path_id), path)
            }
        }
    }

    /// Withdraws a path. Returns the attributes that it had, or `None` if it was not announced.
    pub(super) fn remove(&mut self, destination: &Destination, path_id: PathId) -> Option<PathKey> {
        match destination.key() {
            DestinationKey::Unicast(IpNet::V4(prefix)) => self.ipv4.remove(key(prefix, path_id)),
            DestinationKey::Unicast(IpNet::V6(prefix)) => self.ipv6.remove(key(prefix, path_id)),
            DestinationKey::Other(family, nlri) => {
                self.others.get_mut(&family)?.remove(key(nlri, path_id))
            }
        }
    }

    /// The identifiers of the announced paths of a destination, ascending.
    pub(super) fn path_ids(&self, destination: &Destination) -> Vec<PathId> {
        match destination.key() {
            DestinationKey::Unicast(IpNet::V4(prefix)) => self.ipv4.path_ids(&prefix),
            DestinationKey::Unicast(IpNet::V6(prefix)) => self.ipv6.path_ids(&prefix),
            DestinationKey::Other(family, nlri) => {
                let log = self.others.get(&family);
                log.map(|log| log.path_ids(&nlri)).unwrap_or_default()
            }
        }
    }

    /// The path of a destination with the lowest identifier, and its attributes.
    pub(super) fn best(&self, destination: &Destination) -> Option<Entry> {
        match destination.key() {
            DestinationKey::Unicast(IpNet::V4(prefix)) => self.ipv4.best(&prefix).map(unicast),
            DestinationKey::Unicast(IpNet::V6(prefix)) => self.ipv6.best(&prefix).map(unicast),
            DestinationKey::Other(family, nlri) => self.others.get(&family)?.best(&nlri).map(other),
        }
    }

    /// Every announced path, family by family, oldest change first.
    pub(super) fn iter(&self) -> impl Iterator<Item = Entry> {
        let others = self.others.values().flat_map(Log::iter);
        (self.ipv4.iter().map(unicast))
            .chain(self.ipv6.iter().map(unicast))
            .chain(others.map(other))
    }

    /// The number of announced paths of every family that has or had some.
    pub(super) fn counts(&self) -> impl Iterator<Item = (Family, usize)> {
        let others = self.others.iter();
        [
            (Family::IPV4_UNICAST, self.ipv4.len()),
            (Family::IPV6_UNICAST, self.ipv6.len()),
        ]
        .into_iter()
        .chain(others.map(|(family, log)| (*family, log.len())))
    }

    /// Adds a consumer that starts with the oldest change: of every path, or of the best path of each destination.
    pub(super) fn join(&mut self, family: Family, every_path: bool) -> ConsumerId {
        for_family(
            family,
            Join {
                table: self,
                family,
                every_path,
            },
        )
    }

    /// Removes a consumer.
    pub(super) fn leave(&mut self, family: Family, consumer: ConsumerId) {
        for_family(
            family,
            Leave {
                table: self,
                family,
                consumer,
            },
        );
    }
}

/// An announced path.
pub(super) type Entry = (Destination, PathId, PathKey);

fn key<D>(destination: D, path_id: PathId) -> Key<D> {
    Key {
        destination,
        path_id,
    }
}

fn unicast<D: Copy + Into<IpNet>>((key, path): (&Key<D>, PathKey)) -> Entry {
    let prefix: IpNet = key.destination.into();
    (prefix.into(), key.path_id, path)
}

fn other((key, path): (&Key<OtherKey>, PathKey)) -> Entry {
    let NlriKey(nlri) = &key.destination;
    (
        Destination::from_shared(Arc::clone(nlri)),
        key.path_id,
        path,
    )
}

/// The keys of the log of a family.
pub(super) trait FamilyKey: LogKey {
    /// The form in which the encoders take a key.
    type Item<'a>: EncodeNlri
    where
        Self: 'a;

    /// The log of this family, whose keys are of this type.
    fn log(table: &mut Table, family: Family) -> &mut Log<Self>;

    fn item(&self, path_id: Option<PathId>) -> Self::Item<'_>;

    /// The prefix that a policy goes by, if there is one.
    fn prefix(&self) -> Option<IpNet>;
}

impl FamilyKey for Ipv4Net {
    type Item<'a> = Nlri<Self>;

    fn log(table: &mut Table, _: Family) -> &mut Log<Self> {
        &mut table.ipv4
    }

    fn item(&self, path_id: Option<PathId>) -> Nlri<Self> {
        let prefix = *self;
        Nlri { path_id, prefix }
    }

    fn prefix(&self) -> Option<IpNet> {
        Some((*self).into())
    }
}

impl FamilyKey for Ipv6Net {
    type Item<'a> = Nlri<Self>;

    fn log(table: &mut Table, _: Family) -> &mut Log<Self> {
        &mut table.ipv6
    }

    fn item(&self, path_id: Option<PathId>) -> Nlri<Self> {
        let prefix = *self;
        Nlri { path_id, prefix }
    }

    fn prefix(&self) -> Option<IpNet> {
        Some((*self).into())
    }
}

impl LogKey for OtherKey {
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
        std::hash::BuildHasher::hash_one(hasher, self)
    }

    fn is_same_value(&self, other: &Self) -> bool {
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
}

/// An action on the log of a family, generic over its keys.
pub(super) trait ForKeys {
    type Output;

    fn run<D: FamilyKey>(self) -> Self::Output;
}

/// Runs `action` with the key type of this family.
pub(super) fn for_family<A: ForKeys>(family: Family, action: A) -> A::Output {
    match family {
        Family::IPV4_UNICAST => action.run::<Ipv4Net>(),
        Family::IPV6_UNICAST => action.run::<Ipv6Net>(),
        _ => action.run::<OtherKey>(),
    }
}

struct Join<'a> {
    table: &'a mut Table,
    family: Family,
    every_path: bool,
}

impl ForKeys for Join<'_> {
    type Output = ConsumerId;

    fn run<D: FamilyKey>(self) -> ConsumerId {
        D::log(self.table, self.family).join(self.every_path)
    }
}

struct Leave<'a> {
    table: &'a mut Table,
    family: Family,
    consumer: ConsumerId,
}

impl ForKeys for Leave<'_> {
    type Output = ();

    fn run<D: FamilyKey>(self) {
        D::log(self.table, self.family).leave(self.consumer);
    }
}

#[cfg(test)]
impl Table {
    /// Positions in use in the log of IPv4 unicast, dead ones too.
    pub(super) fn ipv4_positions(&self) -> usize {
        self.ipv4.positions()
    }
}
