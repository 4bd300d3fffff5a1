//! The compacted log of one family.
//!
//! An entry is a path: a destination with its path identifier (RFC 7911). All paths of a destination have the same hash, so
//! that the index finds the one with the lowest identifier for consumers without path identifiers.

use bgp_wire::PathId;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::checkpoints::Checkpoints;
use super::entry::{Change, DEAD, Entry, Key, LogKey, TOMBSTONE};
use super::intern::PathKey;
use super::membership::{Membership, MembershipRef};
use super::slots::{DestinationSlot, DestinationSlots};
use crate::route::DEFAULT_PATH;

/// The changes of a family in order, each path at its newest change.
///
/// Compaction moves positions, and the consumers with them.
#[derive(Debug)]
pub(crate) struct Log<D> {
    entries: Vec<Entry<D>>,
    /// The position of each path, by the hash of its destination.
    // Positions instead of keys keep the index small: a key of IPv6 takes 24 octets.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The numbers of the destinations of all entries.
    slots: DestinationSlots,
    consumers: Vec<Slot>,
    /// Positions in `consumers` whose consumer was gone when it was last looked for.
    free: Vec<usize>,
    /// The length of `consumers` at which gone ones are looked for.
    search_at: usize,
    checkpoints: Checkpoints,
    /// The number of announced paths.
    announced: usize,
    /// The number of indexed paths, tombstones included, whose identifier is not the default. If it is 0, no destination has
    /// two paths.
    identified: usize,
    /// The number of positions that compaction may free: dead ones and tombstones.
    unused: usize,
    /// The number of unused positions from which the log is compacted.
    compact_at: usize,
}

/// A consumer, whose slot is free once its membership has been dropped.
#[derive(Debug)]
struct Slot {
    membership: MembershipRef,
    consumer: Consumer,
}

#[derive(Clone, Copy, Debug)]
struct Consumer {
    /// The next position to read.
    offset: usize,
    /// Withdrawals before this position are skipped because the consumer joined later.
    joined: usize,
    /// `true` if the consumer reads every path, `false` if it reads only the best path of each destination.
    every_path: bool,
}

/// The result of [`Log::set`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    /// The previous attributes of the path, or `None` if it was not announced.
    pub(crate) previous: Option<PathKey>,
    /// `true` if the log has a new change.
    pub(crate) changed: bool,
}

/// The identifier of a consumer of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerId(usize);

impl<D> Default for Log<D> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            slots: DestinationSlots::default(),
            consumers: Vec::new(),
            free: Vec::new(),
            search_at: 0,
            checkpoints: Checkpoints::default(),
            announced: 0,
            identified: 0,
            unused: 0,
            compact_at: MIN_UNUSED,
        }
    }
}

impl<D: LogKey> Log<D> {
    /// Announces a path with these attributes, which replace its previous ones.
    pub(crate) fn set(&mut self, key: Key<D>, path: PathKey) -> Set {
        let hash = self.hash(&key.destination);
        let known = self.find_hashed(&key, hash);
        // Routes that differ only in labels have equal keys, but peers must be sent the new labels (RFC 8277 section 2.5).
        let same = known.is_some_and(|(entry, previous)| {
            previous == path && entry.key.destination.is_same_value(&key.destination)
        });
        let previous = known.map(|(_, previous)| previous);
        if !same {
            self.push(key, hash, path.number());
            self.announced += usize::from(previous.is_none());
        }
        Set {
            previous,
            changed: !same,
        }
    }

    /// Withdraws a path. Returns its attributes, or `None` if it was not announced.
    pub(crate) fn remove(&mut self, key: Key<D>) -> Option<PathKey> {
        let hash = self.hash(&key.destination);
        let (_, previous) = self.find_hashed(&key, hash)?;
        // The tombstone stays until every consumer has passed it: a slow one must still withdraw the route.
        self.push(key, hash, TOMBSTONE);
        self.unused += 1;
        self.announced -= 1;
        Some(previous)
    }

    fn hash(&self, destination: &D) -> u64 {
        destination.hash_with(&self.hasher)
    }

    /// Returns the entry and the attributes of a path, or `None` if it is not announced.
    fn find_hashed(&self, key: &Key<D>, hash: u64) -> Option<(&Entry<D>, PathKey)> {
        let position = *self.index.find(hash, |position| {
            self.entry(*position).is_some_and(|entry| entry.key == *key)
        })?;
        let entry = self.entry(position)?;
        Some((entry, PathKey::from_number(entry.state)?))
    }

    /// Returns the position, the entry and the attributes of every announced path of a destination, in no particular order.
    fn paths(&self, destination: &D) -> impl Iterator<Item = (u32, &Entry<D>, PathKey)> {
        // Different destinations may have equal hashes, so that the key is compared as well.
        self.index
            .iter_hash(self.hash(destination))
            .filter_map(move |position| {
                let entry = self
                    .entry(*position)
                    .filter(|entry| entry.key.destination == *destination)?;
                Some((*position, entry, PathKey::from_number(entry.state)?))
            })
    }

    /// Returns the identifiers of the announced paths of a destination, in ascending order.
    pub(crate) fn path_ids(&self, destination: &D) -> Vec<PathId> {
        let mut ids: Vec<_> = self
            .paths(destination)
            .map(|(_, entry, _)| entry.key.path_id)
            .collect();
        // The order of the index depends on the hash; callers act in the order of the result.
        ids.sort_unstable();
        ids
    }

    /// Returns the key and the attributes of the best path of a destination, which is the one with the lowest identifier.
    pub(crate) fn best(&self, destination: &D) -> Option<(&Key<D>, PathKey)> {
        let (_, entry, path) = self.best_with_position(destination)?;
        Some((&entry.key, path))
    }

    fn best_with_position(&self, destination: &D) -> Option<(u32, &Entry<D>, PathKey)> {
        self.paths(destination)
            .min_by_key(|(_, entry, _)| entry.key.path_id)
    }

    /// Returns every announced path, the oldest change first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key<D>, PathKey)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((&entry.key, PathKey::from_number(entry.state)?)))
    }

    /// Returns the number of announced paths.
    pub(crate) fn len(&self) -> usize {
        self.announced
    }

    /// Adds a consumer that starts with the oldest change. It reads every path, or else only the best path of each
    /// destination. It is removed when `membership` is dropped.
    pub(super) fn join(&mut self, every_path: bool, membership: &Membership) -> ConsumerId {
        let slot = Slot {
            membership: membership.downgrade(),
            consumer: Consumer {
                offset: 0,
                joined: self.entries.len(),
                every_path,
            },
        };
        // Slots are used again, so that peers that go up and down do not grow the list.
        if self.free.is_empty() && self.consumers.len() >= self.search_at {
            self.find_free();
        }
        if let Some(free) = self.free.pop()
            && let Some(known) = self.consumers.get_mut(free)
        {
            *known = slot;
            return ConsumerId(free);
        }
        self.consumers.push(slot);
        ConsumerId(self.consumers.len() - 1)
    }

    /// Finds the slots of consumers that are gone.
    fn find_free(&mut self) {
        let slots = self.consumers.iter().enumerate();
        let gone = slots.filter(|(_, slot)| !slot.membership.is_alive());
        self.free.extend(gone.map(|(position, _)| position));
        // A search at every join would cost a look at every peer each time.
        self.search_at = 2 * (self.consumers.len() - self.free.len());
    }

    /// Makes a consumer read all announced paths once more, from the oldest change.
    pub(crate) fn rewind(&mut self, consumer: ConsumerId) {
        debug_assert!(self.consumer(consumer).is_some(), "unknown {consumer:?}");
        let end = self.entries.len();
        if let Some(Slot { consumer, .. }) = self.consumers.get_mut(consumer.0) {
            // The consumer has read the withdrawals before its offset; those after it are still due.
            consumer.joined = consumer.joined.max(consumer.offset).min(end);
            consumer.offset = 0;
        }
    }

    /// Records that the log holds every change up to `version`, for [`Log::version_read`].
    pub(super) fn add_checkpoint(&mut self, version: u64) {
        if self.checkpoints.is_search_due() {
            let slowest = slowest(self.live_consumers());
            self.checkpoints.remove_passed(slowest);
        }
        self.checkpoints.add(self.entries.len(), version);
    }

    /// Returns the highest version with a checkpoint of which the consumer has read every change since its last rewind.
    pub(super) fn version_read(&self, consumer: ConsumerId) -> Option<u64> {
        let offset = self.consumer(consumer)?.offset;
        self.checkpoints.version_before(offset)
    }

    /// Returns `true` if the consumer has read every change.
    pub(crate) fn is_at_end(&self, consumer: ConsumerId) -> bool {
        self.consumer(consumer)
            .is_none_or(|consumer| consumer.offset >= self.entries.len())
    }

    /// Returns `true` if every position that the consumer has read was there when it joined.
    pub(crate) fn is_before_joined(&self, consumer: ConsumerId) -> bool {
        self.consumer(consumer)
            .is_some_and(|consumer| consumer.offset <= consumer.joined)
    }

    /// Reads the next `limit` positions and appends their changes to `window`.
    ///
    /// Positions without a change for the consumer add nothing, so that fewer than `limit` changes do not mean the end.
    pub(crate) fn read(&mut self, consumer: ConsumerId, limit: usize, window: &mut Vec<Entry<D>>) {
        let Some(slot) = self.consumer(consumer).copied() else {
            debug_assert!(false, "unknown {consumer:?}");
            return;
        };
        let start = slot.offset.min(self.entries.len());
        let end = self.entries.len().min(start.saturating_add(limit));
        let unread = self.entries.get(start..end).unwrap_or_default();
        window.reserve(unread.len());
        let changes = unread
            .iter()
            .zip(start..)
            .filter(|(entry, position)| entry.is_read(*position, slot.joined));
        // Without path identifiers every destination has one path, so that most tables need no search for the best one.
        if slot.every_path || self.identified == 0 {
            window.extend(changes.map(|(entry, _)| D::copy(entry)));
        } else {
            window
                .extend(changes.filter_map(|(entry, position)| {
                    self.best_change(entry, position, slot.joined)
                }));
        }
        if let Some(slot) = self.consumers.get_mut(consumer.0) {
            slot.consumer.offset = end;
        }
    }

    /// Returns the change of an entry for a consumer that reads only best paths and no withdrawals before `joined`.
    ///
    /// A destination may have several positions. Only the last position that affects the best path returns a change: that
    /// of the path itself, or the withdrawal of a better one.
    // This case is rare, and inlining it makes the usual loop of `read` slower.
    #[inline(never)]
    fn best_change(&self, entry: &Entry<D>, position: usize, joined: usize) -> Option<Entry<D>> {
        let (slot, destination) = (entry.slot, &entry.key.destination);
        let best = self.best_with_position(destination);
        // A change for each position would send the destination several times, although the consumer knows one path of it.
        let last = self
            .index
            .iter_hash(self.hash(destination))
            .filter_map(|position| {
                let entry = self.entry(*position)?;
                let at = usize::try_from(*position).ok()?;
                let is_relevant = match best {
                    Some((best, known, _)) => {
                        let is_withdrawn = entry.state == TOMBSTONE && at >= joined;
                        best == *position || (is_withdrawn && entry.key.path_id < known.key.path_id)
                    }
                    // No path is left, so that every position of the destination is a tombstone.
                    None => at >= joined,
                };
                (is_relevant && entry.key.destination == *destination).then_some(at)
            })
            .max();
        if last != Some(position) {
            return None;
        }
        Some(match best {
            Some((_, entry, _)) => entry.clone(),
            None => {
                let key = Key {
                    destination: destination.clone(),
                    path_id: DEFAULT_PATH,
                };
                Entry::new(key, slot, Change::Withdrawn)
            }
        })
    }

    /// Appends an entry and marks the path's older position as dead.
    fn push(&mut self, key: Key<D>, hash: u64, state: u32) {
        // At least half of the entries are freed, so that the cost per change is constant.
        if self.unused >= self.compact_at && self.unused * 2 >= self.entries.len() {
            self.compact();
        }
        // Positions have 32 bits, which keeps the index small. Only entries of more than 64 GiB would exceed them.
        let Ok(position) = u32::try_from(self.entries.len()) else {
            debug_assert!(false, "position out of range");
            return;
        };
        let entries = &mut self.entries;
        let known = self
            .index
            .find_mut(hash, |known| {
                entry_at(entries, *known).is_some_and(|entry| entry.key == key)
            })
            .map(|known| std::mem::replace(known, position));
        let older = known
            .and_then(|known| usize::try_from(known).ok())
            .and_then(|known| entries.get_mut(known));
        let slot = if let Some(entry) = older {
            // A tombstone was counted when it was pushed.
            self.unused += usize::from(entry.state != TOMBSTONE);
            entry.state = DEAD;
            entry.slot
        } else {
            let slot = self.slot_of(&key, hash);
            self.identified += usize::from(key.path_id != DEFAULT_PATH);
            self.insert(hash, position);
            slot
        };
        self.entries.push(Entry { key, slot, state });
    }

    /// Returns the slot for the destination of a path that is not indexed.
    fn slot_of(&mut self, key: &Key<D>, hash: u64) -> DestinationSlot {
        // Without path identifiers no destination has a second path, so that most tables need no search.
        let other = if self.identified > 0 || key.path_id != DEFAULT_PATH {
            self.index.find(hash, |position| {
                self.entry(*position)
                    .is_some_and(|entry| entry.key.destination == key.destination)
            })
        } else {
            None
        };
        let known = other.and_then(|position| Some(self.entry(*position)?.slot));
        known.unwrap_or_else(|| self.slots.allocate())
    }

    /// Frees dead positions, and the tombstones that every consumer has passed.
    fn compact(&mut self) {
        let slowest = slowest(self.live_consumers());
        self.checkpoints.remove_passed(slowest);
        // Every position that is referred to moves. They are sorted so that one pass over the entries moves them all.
        let mut marks: Vec<_> = self
            .live_consumers()
            .flat_map(|consumer| [consumer.offset, consumer.joined])
            .chain(self.checkpoints.positions())
            .collect();
        marks.sort_unstable();
        marks.dedup();
        let mut moved = Vec::with_capacity(marks.len());
        let mut kept = Vec::with_capacity(self.announced + MIN_UNUSED);
        (self.unused, self.identified) = (0, 0);
        let mut frees_tombstones = false;
        for (position, entry) in self.entries.drain(..).enumerate() {
            if marks.get(moved.len()) == Some(&position) {
                moved.push(kept.len());
            }
            let passed = position < slowest;
            if entry.state == DEAD || (entry.state == TOMBSTONE && passed) {
                frees_tombstones |= entry.state == TOMBSTONE;
                continue;
            }
            self.unused += usize::from(entry.state == TOMBSTONE);
            self.identified += usize::from(entry.key.path_id != DEFAULT_PATH);
            kept.push(entry);
        }
        // A mark at the end of the log stays there.
        let end = kept.len();
        let new_position = |mark| {
            marks
                .binary_search(&mark)
                .ok()
                .and_then(|index| moved.get(index).copied())
                .unwrap_or(end)
        };
        for Slot { consumer, .. } in &mut self.consumers {
            // Free slots move as well, to the end: they are overwritten when a consumer joins.
            consumer.offset = new_position(consumer.offset);
            consumer.joined = new_position(consumer.joined);
        }
        self.checkpoints.relocate(new_position);
        self.entries = kept;
        if frees_tombstones {
            // No consumer knows a destination whose last tombstone all of them have passed.
            self.slots
                .retain(self.entries.iter().map(|entry| entry.slot));
        }
        // Tombstones for a slow consumer may remain. Waiting until their number doubles avoids compacting at every change.
        self.compact_at = (self.unused * 2).max(MIN_UNUSED);
        self.reindex();
    }

    /// Indexes all entries, none of which is dead.
    fn reindex(&mut self) {
        // Clearing keeps the memory of the index, which needs about as many positions as before.
        self.index.clear();
        let end = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        for position in 0..end {
            if let Some(entry) = self.entry(position) {
                self.insert(self.hash(&entry.key.destination), position);
            }
        }
    }

    /// Adds a position to the index. The index must not contain the path.
    fn insert(&mut self, hash: u64, position: u32) {
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.index.insert_unique(hash, position, |known| {
            entry_at(entries, *known).map_or(0, |entry| entry.key.destination.hash_with(hasher))
        });
    }

    fn entry(&self, position: u32) -> Option<&Entry<D>> {
        entry_at(&self.entries, position)
    }

    fn consumer(&self, consumer: ConsumerId) -> Option<&Consumer> {
        self.consumers.get(consumer.0).map(|slot| &slot.consumer)
    }

    /// Returns the consumers whose owners exist.
    // A consumer whose owner is gone would keep tombstones for ever.
    fn live_consumers(&self) -> impl Iterator<Item = Consumer> {
        self.consumers
            .iter()
            .filter(|slot| slot.membership.is_alive())
            .map(|slot| slot.consumer)
    }
}

/// Returns the position of the slowest consumer, or the maximum if there is none.
fn slowest(consumers: impl Iterator<Item = Consumer>) -> usize {
    let offsets = consumers.map(|consumer| consumer.offset);
    offsets.min().unwrap_or(usize::MAX)
}

fn entry_at<D>(entries: &[Entry<D>], position: u32) -> Option<&Entry<D>> {
    entries.get(usize::try_from(position).ok()?)
}

/// Do not compact below this many unused entries.
const MIN_UNUSED: usize = 64;

#[cfg(test)]
impl<D> Log<D> {
    /// Returns the number of positions in use, dead ones included.
    pub(crate) fn positions(&self) -> usize {
        self.entries.len()
    }

    /// Returns the number of checkpoints.
    pub(crate) fn checkpoint_count(&self) -> usize {
        self.checkpoints.positions().count()
    }
}

#[cfg(test)]
mod tests {
    use ipnet::Ipv4Net;

    use super::super::membership::TableId;
    use super::*;

    #[test]
    fn slots_of_dropped_memberships_are_used_again() {
        let (mut log, table) = (Log::<Ipv4Net>::default(), TableId::default());
        let mut kept = Vec::new();
        for round in 0..1000 {
            let membership = Membership::new(&table);
            let consumer = log.join(false, &membership);
            // Two consumers never have one slot.
            assert!(kept.iter().all(|(known, _)| *known != consumer));
            if round < 100 {
                kept.push((consumer, membership));
            }
        }
        assert!(
            log.consumers.len() <= 2 * 100 + 1,
            "{}",
            log.consumers.len()
        );
    }
}
