//! `PathIndex`: the position of each path in a log, and the best path of each destination.
//!
//! All paths of a destination have the same hash, so that a search for the hash finds them. The caller decides how many there
//! are: a destination with many paths is *crowded*, and has sorted maps instead, in which nothing looks at every path.

use std::collections::BTreeMap;

use bgp_wire::PathId;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::entry::{Entry, Key, LogKey, entry_at};
use super::slots::DestinationSlot;

/// The positions of the paths in a log. Every method takes the entries of that log.
#[derive(Debug)]
pub(super) struct PathIndex<D> {
    /// The positions of the paths, by the hash of the destination, without those of crowded destinations.
    // Positions instead of keys keep the index small: a key of IPv6 takes 24 octets.
    positions: HashTable<u32>,
    /// The crowded destinations, by their hash.
    crowds: HashTable<Crowd<D>>,
    hasher: DefaultHashBuilder,
}

/// The paths of a crowded destination.
#[derive(Debug)]
struct Crowd<D> {
    destination: D,
    /// The number of the destination, which its paths share.
    slot: DestinationSlot,
    /// The position of each announced path.
    announced: BTreeMap<PathId, u32>,
    /// The position of each withdrawn path.
    withdrawn: BTreeMap<PathId, u32>,
    /// The position of the last change of the best path.
    best_changed: u32,
}

/// The result of the search for a path. Valid until the index changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// The position of the path, announced or withdrawn.
    pub(super) position: Option<u32>,
    /// The bucket of `PathIndex::positions` that holds it, which saves a second search.
    bucket: Option<usize>,
    /// The number of other paths of the destination that the search has met.
    // Counted where they are compared anyway: a table without path identifiers never meets one.
    others: u32,
}

/// The best path of a destination, which is the announced one with the lowest identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BestPath {
    /// Its position, or `None` if no path is announced.
    pub(super) position: Option<u32>,
    /// The position at which a consumer of best paths reads the destination, or `None` if it does not.
    pub(super) read_at: Option<u32>,
}

impl<D> Default for PathIndex<D> {
    fn default() -> Self {
        Self {
            positions: HashTable::new(),
            crowds: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl<D: LogKey> PathIndex<D> {
    /// Returns the hash of a destination.
    pub(super) fn hash(&self, destination: &D) -> u64 {
        destination.hash_with(&self.hasher)
    }

    /// Searches for a path. `hash` is that of its destination.
    // A call would cost a tenth of a change.
    #[inline(always)]
    pub(super) fn find(&self, entries: &[Entry<D>], key: &Key<D>, hash: u64) -> Found {
        let mut others = 0;
        let bucket = self.positions.find_bucket_index(hash, |position| {
            entry_at(entries, *position).is_some_and(|entry| {
                let is_same = entry.key.destination == key.destination;
                let is_found = is_same && entry.key.path_id == key.path_id;
                others += u32::from(is_same && !is_found);
                is_found
            })
        });
        let mut position = bucket
            .and_then(|bucket| self.positions.get_bucket(bucket))
            .copied();
        if position.is_none() && !self.crowds.is_empty() {
            let crowd = self.crowd(&key.destination, hash);
            position = crowd.and_then(|crowd| crowd.find(key.path_id));
        }
        Found {
            position,
            bucket,
            others,
        }
    }

    /// Returns the number of a destination, or `None` if it has no path. `found` is the result of the search for a path that it
    /// does not have.
    #[inline]
    pub(super) fn slot(
        &self,
        entries: &[Entry<D>],
        destination: &D,
        hash: u64,
        found: Found,
    ) -> Option<DestinationSlot> {
        // Most tables need no second search, because they have one path for each destination.
        if found.others == 0 && self.crowds.is_empty() {
            return None;
        }
        self.search_slot(entries, destination, hash)
    }

    /// Searches the paths of a destination for its number.
    // Out of line because it is rare.
    #[inline(never)]
    fn search_slot(
        &self,
        entries: &[Entry<D>],
        destination: &D,
        hash: u64,
    ) -> Option<DestinationSlot> {
        let mut paths = self.search(entries, destination, hash);
        paths
            .next()
            .map(|(_, entry)| entry.slot)
            .or_else(|| Some(self.crowd(destination, hash)?.slot))
    }

    /// Sets the position of the path whose entry is there. `found` is the result of the search for it.
    #[inline]
    pub(super) fn set(&mut self, entries: &[Entry<D>], hash: u64, position: u32, found: Found) {
        if let Some(bucket) = found.bucket
            && let Some(known) = self.positions.get_bucket_mut(bucket)
        {
            *known = position;
            return;
        }
        if found.others >= MAX_SEARCHED || !self.crowds.is_empty() {
            self.set_crowded(entries, hash, position, found);
        } else {
            self.insert(entries, hash, position);
        }
    }

    /// Sets the position of a path that is new or belongs to a crowd.
    // Out of line because it is rare.
    #[inline(never)]
    fn set_crowded(&mut self, entries: &[Entry<D>], hash: u64, position: u32, found: Found) {
        let Some(entry) = entry_at(entries, position) else {
            debug_assert!(false, "position out of range");
            return;
        };
        let destination = &entry.key.destination;
        if found.others >= MAX_SEARCHED {
            self.make_crowd(entries, destination, entry.slot, hash);
        }
        let crowd = self
            .crowds
            .find_mut(hash, |crowd| crowd.destination == *destination);
        match crowd {
            Some(crowd) => crowd.set(entry, position),
            None => self.insert(entries, hash, position),
        }
    }

    /// Adds a position of a destination that is not crowded. The index must not contain the path.
    #[inline]
    fn insert(&mut self, entries: &[Entry<D>], hash: u64, position: u32) {
        let hasher = &self.hasher;
        self.positions.insert_unique(hash, position, |known| {
            entry_at(entries, *known).map_or(0, |entry| entry.key.destination.hash_with(hasher))
        });
    }

    /// Makes a destination crowded.
    fn make_crowd(
        &mut self,
        entries: &[Entry<D>],
        destination: &D,
        slot: DestinationSlot,
        hash: u64,
    ) {
        let mut paths: Vec<_> = self.search(entries, destination, hash).collect();
        paths.sort_unstable_by_key(|(position, _)| *position);
        let mut crowd = Crowd::new(destination.clone(), slot);
        for (position, entry) in paths {
            crowd.set(entry, position);
            if let Ok(known) = self.positions.find_entry(hash, |it| *it == position) {
                known.remove();
            }
        }
        let hasher = &self.hasher;
        self.crowds
            .insert_unique(hash, crowd, |crowd| crowd.destination.hash_with(hasher));
    }

    /// Replaces the content by the paths of these entries, none of which is dead. No destination may have more paths than
    /// before.
    pub(super) fn rebuild(&mut self, entries: &[Entry<D>]) {
        let has_crowds = !self.crowds.is_empty();
        // Clearing keeps the memory of the index, which needs about as many positions as before.
        self.positions.clear();
        self.crowds.clear();
        for (entry, position) in entries.iter().zip(0..u32::MAX) {
            let hash = self.hash(&entry.key.destination);
            if has_crowds {
                let found = self.find(entries, &entry.key, hash);
                self.set(entries, hash, position, found);
            } else {
                // Without crowds before, no destination can have one now, which saves the search.
                self.insert(entries, hash, position);
            }
        }
    }

    /// Returns the identifiers of the announced paths of a destination, in ascending order.
    pub(super) fn path_ids(&self, entries: &[Entry<D>], destination: &D) -> Vec<PathId> {
        let hash = self.hash(destination);
        if let Some(crowd) = self.crowd(destination, hash) {
            return crowd.announced.keys().copied().collect();
        }
        let mut ids: Vec<_> = self
            .search(entries, destination, hash)
            .filter(|(_, entry)| entry.path().is_some())
            .map(|(_, entry)| entry.key.path_id)
            .collect();
        // The order of the index depends on the hash; callers act in the order of the result.
        ids.sort_unstable();
        ids
    }

    /// Returns the best path of a destination for a consumer that reads no withdrawals before `joined`.
    ///
    /// A destination may have several positions. The consumer reads it at the last one that affects the best path: that of
    /// the path itself, or the withdrawal of a better one.
    // A change for each position would send the destination several times, although the consumer knows one path of it.
    pub(super) fn best(&self, entries: &[Entry<D>], destination: &D, joined: u32) -> BestPath {
        let hash = self.hash(destination);
        match self.crowd(destination, hash) {
            Some(crowd) => crowd.best(joined),
            None => best_of(self.search(entries, destination, hash), joined),
        }
    }

    /// Returns the paths of a destination that is not crowded.
    fn search<'a>(
        &self,
        entries: &'a [Entry<D>],
        destination: &D,
        hash: u64,
    ) -> impl Iterator<Item = (u32, &'a Entry<D>)> + Clone {
        self.positions.iter_hash(hash).filter_map(move |position| {
            // Different destinations may have equal hashes.
            let entry = entry_at(entries, *position)?;
            (entry.key.destination == *destination).then_some((*position, entry))
        })
    }

    fn crowd(&self, destination: &D, hash: u64) -> Option<&Crowd<D>> {
        self.crowds
            .find(hash, |crowd| crowd.destination == *destination)
    }
}

impl<D> Crowd<D> {
    fn new(destination: D, slot: DestinationSlot) -> Self {
        Self {
            destination,
            slot,
            announced: BTreeMap::new(),
            withdrawn: BTreeMap::new(),
            best_changed: 0,
        }
    }

    fn find(&self, path_id: PathId) -> Option<u32> {
        let known = self.announced.get(&path_id);
        known.or_else(|| self.withdrawn.get(&path_id)).copied()
    }

    /// Sets the position of a path. Each position must be higher than the ones before.
    fn set(&mut self, entry: &Entry<D>, position: u32) {
        let path_id = entry.key.path_id;
        let (kind, other) = match entry.path() {
            Some(_) => (&mut self.announced, &mut self.withdrawn),
            None => (&mut self.withdrawn, &mut self.announced),
        };
        other.remove(&path_id);
        kind.insert(path_id, position);
        // The path is the best one, or it was until this withdrawal.
        let best = self.announced.first_key_value();
        if best.is_none_or(|(best, _)| path_id <= *best) {
            self.best_changed = position;
        }
    }

    fn best(&self, joined: u32) -> BestPath {
        let best = self.announced.first_key_value();
        let position = best.map(|(_, position)| *position);
        // A withdrawal before `joined` is skipped, and the best path is older than the withdrawal.
        let changed = Some(self.best_changed).filter(|changed| *changed >= joined);
        BestPath {
            position,
            read_at: changed.or(position),
        }
    }
}

/// Finds the best one of all paths of a destination. See [`PathIndex::best`].
fn best_of<'a, D: 'a>(
    paths: impl Iterator<Item = (u32, &'a Entry<D>)> + Clone,
    joined: u32,
) -> BestPath {
    let best = paths
        .clone()
        .filter(|(_, entry)| entry.path().is_some())
        .min_by_key(|(_, entry)| entry.key.path_id);
    let read_at = paths
        .filter(|(position, entry)| match best {
            Some((best, _)) if best == *position => true,
            // No announced path is better than the best one, so that a better one is a withdrawal.
            Some((_, best)) => *position >= joined && entry.key.path_id < best.key.path_id,
            // No path is left, so that every position is a withdrawal.
            None => *position >= joined,
        })
        .map(|(position, _)| position)
        .max();
    BestPath {
        position: best.map(|(position, _)| position),
        read_at,
    }
}

/// The maximum number of paths of one destination that are searched one by one.
const MAX_SEARCHED: u32 = 16;

#[cfg(test)]
mod tests {
    use ipnet::Ipv4Net;
    use proptest::prelude::*;

    use super::super::entry::{DEAD, TOMBSTONE};
    use super::super::slots::DestinationSlots;
    use super::*;

    /// A log without its consumers.
    #[derive(Default)]
    struct Changes {
        entries: Vec<Entry<Ipv4Net>>,
        index: PathIndex<Ipv4Net>,
        slots: DestinationSlots,
    }

    impl Changes {
        /// Appends a change of a path.
        fn push(&mut self, host: u8, path_id: u32, state: u32) {
            let key = Key {
                destination: Ipv4Net::new_assert([192, 0, 2, host].into(), 32),
                path_id: PathId(path_id),
            };
            let hash = self.index.hash(&key.destination);
            let found = self.index.find(&self.entries, &key, hash);
            let searched = self.live().find(|(_, entry)| entry.key == key);
            assert_eq!(found.position, searched.map(|(position, _)| position));
            let slot = if let Some(known) = found.position {
                let known = &mut self.entries[usize::try_from(known).unwrap()];
                known.state = DEAD;
                known.slot
            } else {
                self.index
                    .slot(&self.entries, &key.destination, hash, found)
                    .unwrap_or_else(|| self.slots.allocate())
            };
            self.entries.push(Entry { key, slot, state });
            let position = u32::try_from(self.entries.len() - 1).unwrap();
            self.index.set(&self.entries, hash, position, found);
        }

        /// Removes dead entries and those before `start`, and indexes the others again.
        fn compact(&mut self, start: usize) {
            let mut position = 0..;
            self.entries.retain(|entry| {
                let passed = position.next().unwrap() < start && entry.state == TOMBSTONE;
                entry.state != DEAD && !passed
            });
            self.slots
                .retain(self.entries.iter().map(|entry| entry.slot));
            self.index.rebuild(&self.entries);
        }

        /// Returns the newest change of each path.
        fn live(&self) -> impl Iterator<Item = (u32, &Entry<Ipv4Net>)> + Clone {
            (0..)
                .zip(&self.entries)
                .filter(|(_, entry)| entry.state != DEAD)
        }
    }

    proptest! {
        #[test]
        fn index_equals_a_search_of_the_log(steps in prop::collection::vec((0..2u8, 0..40u32, 0..4u32), 0..400), compact_every in 1..200usize) {
            let mut changes = Changes::default();
            for (number, &(host, path_id, state)) in steps.iter().enumerate() {
                // A path that is withdrawn twice has a second tombstone here; the log has none.
                changes.push(host, path_id, if state == 0 { TOMBSTONE } else { state });
                if number % compact_every == 0 {
                    changes.compact(changes.entries.len() / 2);
                }
                let destination = Ipv4Net::new_assert([192, 0, 2, host].into(), 32);
                let paths = changes.live().filter(|(_, entry)| entry.key.destination == destination);
                for joined in [0, changes.entries.len() / 2, changes.entries.len()] {
                    let joined = u32::try_from(joined).unwrap();
                    let best = changes.index.best(&changes.entries, &destination, joined);
                    prop_assert_eq!(best, best_of(paths.clone(), joined), "joined at {}", joined);
                }
                let slot = changes.entries.last().map(|entry| entry.slot);
                for (_, entry) in changes.live() {
                    let is_same = entry.key.destination == destination;
                    prop_assert_eq!(Some(entry.slot) == slot, is_same, "{:?}", entry);
                }
                let announced = paths.filter(|(_, entry)| entry.path().is_some());
                let mut ids: Vec<_> = announced.map(|(_, entry)| entry.key.path_id).collect();
                ids.sort_unstable();
                prop_assert_eq!(changes.index.path_ids(&changes.entries, &destination), ids);
            }
        }
    }

    #[test]
    fn only_destinations_with_many_paths_are_crowded() {
        let mut changes = Changes::default();
        for host in 0..100 {
            (0..16).for_each(|path_id| changes.push(host, path_id, 0));
        }
        assert!(changes.index.crowds.is_empty());
        (0..1000).for_each(|path_id| changes.push(7, path_id, 0));
        assert_eq!(changes.index.crowds.len(), 1);
        assert_eq!(changes.index.positions.len(), 99 * 16);
    }
}
