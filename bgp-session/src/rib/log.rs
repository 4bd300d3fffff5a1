//! The compacted log of one family.
//!
//! An entry is a path: a destination with its path identifier (RFC 7911). Consumers without path identifiers read only the
//! path with the lowest identifier of each destination.

use bgp_wire::PathId;

use super::checkpoints::Checkpoints;
use super::entry::{Change, DEAD, Entry, Key, LogKey, TOMBSTONE, entry_at};
use super::intern::PathKey;
use super::membership::{Membership, MembershipRef};
use super::path_index::{Found, PathIndex};
use super::slots::DestinationSlots;
use crate::route::DEFAULT_PATH;

/// The changes of a family in order, each path at its newest change.
///
/// Compaction moves positions, and the consumers with them.
#[derive(Debug)]
pub(crate) struct Log<D> {
    entries: Vec<Entry<D>>,
    index: PathIndex<D>,
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
            index: PathIndex::default(),
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
        self.compact_if_due();
        let hash = self.index.hash(&key.destination);
        let found = self.index.find(&self.entries, &key, hash);
        let entry = found.position.and_then(|known| self.entry(known));
        let previous = entry.and_then(Entry::path);
        // Routes that differ only in labels have equal keys, but peers must be sent the new labels (RFC 8277 section 2.5).
        let same = previous == Some(path)
            && entry.is_some_and(|entry| entry.key.destination.is_same_value(&key.destination));
        if !same {
            self.push(key, hash, found, path.number());
            self.announced += usize::from(previous.is_none());
        }
        Set {
            previous,
            changed: !same,
        }
    }

    /// Withdraws a path. Returns its attributes, or `None` if it was not announced.
    pub(crate) fn remove(&mut self, key: Key<D>) -> Option<PathKey> {
        self.compact_if_due();
        let hash = self.index.hash(&key.destination);
        let found = self.index.find(&self.entries, &key, hash);
        let previous = self.entry(found.position?)?.path()?;
        // The tombstone stays until every consumer has passed it: a slow one must still withdraw the route.
        self.push(key, hash, found, TOMBSTONE);
        self.unused += 1;
        self.announced -= 1;
        Some(previous)
    }

    /// Returns the identifiers of the announced paths of a destination, in ascending order.
    pub(crate) fn path_ids(&self, destination: &D) -> Vec<PathId> {
        self.index.path_ids(&self.entries, destination)
    }

    /// Returns the key and the attributes of the best path of a destination, which is the one with the lowest identifier.
    pub(crate) fn best(&self, destination: &D) -> Option<(&Key<D>, PathKey)> {
        let best = self.index.best(&self.entries, destination, 0);
        let entry = self.entry(best.position?)?;
        Some((&entry.key, entry.path()?))
    }

    /// Returns every announced path, the oldest change first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key<D>, PathKey)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((&entry.key, entry.path()?)))
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
    // This case is rare, and inlining it makes the usual loop of `read` slower.
    #[inline(never)]
    fn best_change(&self, entry: &Entry<D>, position: usize, joined: usize) -> Option<Entry<D>> {
        let destination = &entry.key.destination;
        // Every position has 32 bits, so that the largest number is behind all of them.
        let joined = u32::try_from(joined).unwrap_or(u32::MAX);
        let best = self.index.best(&self.entries, destination, joined);
        if usize::try_from(best.read_at?) != Ok(position) {
            return None;
        }
        if let Some(best) = best.position {
            return self.entry(best).cloned();
        }
        let key = Key {
            destination: destination.clone(),
            path_id: DEFAULT_PATH,
        };
        Some(Entry::new(key, entry.slot, Change::Withdrawn))
    }

    /// Appends an entry and marks the path's older position, which was found, as dead.
    fn push(&mut self, key: Key<D>, hash: u64, found: Found, state: u32) {
        // Positions have 32 bits, which keeps the index small. Only entries of more than 64 GiB would exceed them.
        let Ok(position) = u32::try_from(self.entries.len()) else {
            debug_assert!(false, "position out of range");
            return;
        };
        let older = found
            .position
            .and_then(|known| usize::try_from(known).ok())
            .and_then(|known| self.entries.get_mut(known));
        let slot = if let Some(entry) = older {
            // A tombstone was counted when it was pushed.
            self.unused += usize::from(entry.state != TOMBSTONE);
            entry.state = DEAD;
            entry.slot
        } else {
            self.identified += usize::from(key.path_id != DEFAULT_PATH);
            self.index
                .slot(&self.entries, &key.destination, hash, found)
                .unwrap_or_else(|| self.slots.allocate())
        };
        self.entries.push(Entry { key, slot, state });
        self.index.set(&self.entries, hash, position, found);
    }

    /// Compacts the log if at least half of its entries are unused, so that the cost per change is constant.
    // Before the search for the path that changes, because compaction moves positions.
    #[inline]
    fn compact_if_due(&mut self) {
        if self.unused >= self.compact_at && self.unused * 2 >= self.entries.len() {
            self.compact();
        }
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
        self.index.rebuild(&self.entries);
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
    use std::cell::Cell;
    use std::hash::BuildHasher;

    use hashbrown::DefaultHashBuilder;
    use ipnet::Ipv4Net;

    use super::super::membership::TableId;
    use super::*;

    /// A destination that counts its comparisons.
    #[derive(Clone, Debug)]
    struct Counted(u32);

    thread_local! {
        static COMPARISONS: Cell<usize> = const { Cell::new(0) };
    }

    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            COMPARISONS.set(COMPARISONS.get() + 1);
            self.0 == other.0
        }
    }

    impl Eq for Counted {}

    impl LogKey for Counted {
        fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
            hasher.hash_one(self.0)
        }
    }

    /// Announces, reads, changes and withdraws this many paths of one destination. Returns the number of comparisons.
    fn comparisons(paths: u32) -> usize {
        COMPARISONS.set(0);
        let (mut log, table) = (Log::default(), TableId::default());
        let memberships = [false, true].map(|every_path| {
            let membership = Membership::new(&table);
            (log.join(every_path, &membership), membership)
        });
        let read = |log: &mut Log<Counted>| {
            memberships.each_ref().map(|(consumer, _)| {
                let mut window = Vec::new();
                log.read(*consumer, usize::MAX, &mut window);
                window.len()
            })
        };
        let path = |number| PathKey::from_number(number).unwrap();
        // Descending, so that each path is the best one when it is announced.
        for round in 0..2 {
            for number in (0..paths).rev() {
                log.set(key(Counted(1), PathId(number)), path(round));
            }
            assert_eq!(read(&mut log), [1, usize::try_from(paths).unwrap()]);
        }
        for path_id in log.path_ids(&Counted(1)) {
            assert_eq!(log.remove(key(Counted(1), path_id)), Some(path(1)));
            log.best(&Counted(1));
        }
        assert_eq!(read(&mut log), [1, usize::try_from(paths).unwrap()]);
        COMPARISONS.get()
    }

    fn key<D>(destination: D, path_id: PathId) -> Key<D> {
        Key {
            destination,
            path_id,
        }
    }

    #[test]
    fn comparisons_of_one_destination_do_not_grow_with_the_square_of_its_paths() {
        let (few, many) = (comparisons(200), comparisons(2000));
        assert!(many < few * 15, "{few} for 200 paths, {many} for 2000");
    }

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
