//! The compacted log of one family.
//!
//! What changes is a path: a destination with its path identifier (RFC 7911). Paths of one destination are neighbours in the
//! index, so that a consumer without path identifiers is told of the one with the lowest.

use std::hash::{BuildHasher, Hash};

use bgp_wire::PathId;
use hashbrown::{DefaultHashBuilder, HashTable};
use ipnet::{Ipv4Net, Ipv6Net};

use super::intern::PathKey;
use super::route::DEFAULT_PATH;

/// Changes in order, each path at its newest one.
///
/// Positions move when the log is compacted; consumers are moved with them.
#[derive(Debug)]
pub(crate) struct Log<D> {
    entries: Vec<Entry<D>>,
    /// The position of each path, by the hash of its destination.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    consumers: Vec<Option<Consumer>>,
    announced: usize,
    /// Positions in use, not dead ones, of paths with an identifier of their own: where there are none, a destination is a path.
    identified: usize,
    /// Positions that compaction may free: dead ones and tombstones.
    unused: usize,
    /// No compaction before so many are unused: keeps its cost per change constant.
    compact_at: usize,
}

/// One path to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key<D> {
    pub(crate) destination: D,
    pub(crate) path_id: PathId,
}

#[derive(Clone, Copy, Debug)]
struct Entry<D> {
    key: Key<D>,
    /// A path's number, `TOMBSTONE` or `DEAD`.
    state: u32,
}

#[derive(Clone, Copy, Debug)]
struct Consumer {
    /// The next position to read.
    offset: usize,
    /// Withdrawals before this position are of no concern: the consumer came later.
    joined: usize,
    /// It is told of every path, not of the best of each destination.
    every_path: bool,
}

/// What [`Log::set`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Set {
    /// The attributes that the path had.
    pub(crate) previous: Option<PathKey>,
    pub(crate) changed: bool,
}

/// Names a consumer of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerId(usize);

/// The newest state of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Announced(PathKey),
    Withdrawn,
}

impl<D> Entry<D> {
    /// Returns what a consumer is told of the entry at this position, if anything.
    #[inline]
    fn change(&self, position: usize, consumer: Consumer) -> Option<Change> {
        match self.state {
            DEAD => None,
            TOMBSTONE if position < consumer.joined => None,
            TOMBSTONE => Some(Change::Withdrawn),
            path => PathKey::from_number(path).map(Change::Announced),
        }
    }
}

impl<D> Default for Log<D> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            consumers: Vec::new(),
            announced: 0,
            identified: 0,
            unused: 0,
            compact_at: MIN_UNUSED,
        }
    }
}

impl<D: LogKey> Log<D> {
    /// Announces a path with these attributes, in place of those that it had.
    pub(crate) fn set(&mut self, key: Key<D>, path: PathKey) -> Set {
        let hash = self.hash(&key.destination);
        let known = self.find_hashed(&key, hash);
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

    /// Withdraws a path. Returns the attributes that it had, or `None` if it was not announced.
    pub(crate) fn remove(&mut self, key: Key<D>) -> Option<PathKey> {
        let hash = self.hash(&key.destination);
        let (_, previous) = self.find_hashed(&key, hash)?;
        self.push(key, hash, TOMBSTONE);
        self.unused += 1;
        self.announced -= 1;
        Some(previous)
    }

    fn hash(&self, destination: &D) -> u64 {
        destination.hash_with(&self.hasher)
    }

    /// The entry of a path and its attributes, if it is announced.
    fn find_hashed(&self, key: &Key<D>, hash: u64) -> Option<(&Entry<D>, PathKey)> {
        let position = *self.index.find(hash, |position| {
            self.entry(*position).is_some_and(|entry| entry.key == *key)
        })?;
        let entry = self.entry(position)?;
        Some((entry, PathKey::from_number(entry.state)?))
    }

    /// The announced paths of a destination, in no order: position, entry and attributes of each.
    fn paths(&self, destination: &D) -> impl Iterator<Item = (u32, &Entry<D>, PathKey)> {
        let positions = self.index.iter_hash(self.hash(destination)).copied();
        positions.filter_map(move |position| {
            let entry = self
                .entry(position)
                .filter(|entry| entry.key.destination == *destination)?;
            Some((position, entry, PathKey::from_number(entry.state)?))
        })
    }

    /// The identifiers of the announced paths of a destination, ascending.
    pub(crate) fn path_ids(&self, destination: &D) -> Vec<PathId> {
        let paths = self.paths(destination);
        let mut ids: Vec<_> = paths.map(|(_, entry, _)| entry.key.path_id).collect();
        ids.sort_unstable();
        ids
    }

    /// The path of a destination with the lowest identifier, and its attributes.
    pub(crate) fn best(&self, destination: &D) -> Option<(&Key<D>, PathKey)> {
        let (_, entry, path) = self.best_with_position(destination)?;
        Some((&entry.key, path))
    }

    fn best_with_position(&self, destination: &D) -> Option<(u32, &Entry<D>, PathKey)> {
        self.paths(destination)
            .min_by_key(|(_, entry, _)| entry.key.path_id)
    }

    /// Every announced path, oldest change first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key<D>, PathKey)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((&entry.key, PathKey::from_number(entry.state)?)))
    }

    /// How many paths are announced.
    pub(crate) fn len(&self) -> usize {
        self.announced
    }

    /// A consumer that starts with the oldest change: of every path, or of the best path of each destination.
    pub(crate) fn join(&mut self, every_path: bool) -> ConsumerId {
        let consumer = Some(Consumer {
            offset: 0,
            joined: self.entries.len(),
            every_path,
        });
        match self.consumers.iter().position(Option::is_none) {
            Some(free) => {
                if let Some(slot) = self.consumers.get_mut(free) {
                    *slot = consumer;
                }
                ConsumerId(free)
            }
            None => {
                self.consumers.push(consumer);
                ConsumerId(self.consumers.len() - 1)
            }
        }
    }

    /// The consumer reads no more.
    pub(crate) fn leave(&mut self, consumer: ConsumerId) {
        if let Some(slot) = self.consumers.get_mut(consumer.0) {
            *slot = None;
        }
    }

    /// Starts again with the oldest change, for the announced paths only.
    pub(crate) fn rewind(&mut self, consumer: ConsumerId) {
        let end = self.entries.len();
        if let Some(Some(slot)) = self.consumers.get_mut(consumer.0) {
            // Withdrawals that were not read yet must still be.
            slot.joined = slot.joined.max(slot.offset).min(end);
            slot.offset = 0;
        }
    }

    /// Whether the consumer has read everything.
    pub(crate) fn is_at_end(&self, consumer: ConsumerId) -> bool {
        self.consumer(consumer)
            .is_none_or(|consumer| consumer.offset >= self.entries.len())
    }

    /// Appends the changes at the next `limit` positions that the consumer has not read to `window`: fewer than `limit`
    /// changes, or none, if some of the positions are dead.
    pub(crate) fn read(
        &mut self,
        consumer: ConsumerId,
        limit: usize,
        window: &mut Vec<(Key<D>, Change)>,
    ) {
        let Some(slot) = self.consumer(consumer).copied() else {
            return;
        };
        let start = slot.offset.min(self.entries.len());
        let end = self.entries.len().min(start.saturating_add(limit));
        let unread = self.entries.get(start..end).unwrap_or_default();
        window.reserve(unread.len());
        let changes = unread
            .iter()
            .zip(start..)
            .filter_map(|(entry, position)| Some((entry, position, entry.change(position, slot)?)));
        // A destination has one path unless a path identifier was given, so that most tables need no search for the best.
        if slot.every_path || self.identified == 0 {
            window.extend(changes.map(|(entry, _, change)| (D::copy(&entry.key), change)));
        } else {
            window.extend(changes.filter_map(|(entry, position, _)| {
                self.best_change(&entry.key.destination, position, slot.joined)
            }));
        }
        if let Some(Some(slot)) = self.consumers.get_mut(consumer.0) {
            slot.offset = end;
        }
    }

    /// Returns the change at this position for a consumer that knows one path of each destination, and nothing of what was
    /// withdrawn before it `joined`.
    ///
    /// A destination may have several positions. Only the last one that concerns its best path counts: that of the path
    /// itself, or the withdrawal of a better one.
    #[inline(never)]
    fn best_change(
        &self,
        destination: &D,
        position: usize,
        joined: usize,
    ) -> Option<(Key<D>, Change)> {
        let best = self.best_with_position(destination);
        let counts = |position: &u32| {
            let entry = self.entry(*position)?;
            let at = usize::try_from(*position).ok()?;
            let counts = match best {
                Some((best, known, _)) => {
                    let ended = entry.state == TOMBSTONE && at >= joined;
                    best == *position || (ended && entry.key.path_id < known.key.path_id)
                }
                None => at >= joined,
            };
            (counts && entry.key.destination == *destination).then_some(at)
        };
        let positions = self.index.iter_hash(self.hash(destination));
        if positions.filter_map(counts).max() != Some(position) {
            return None;
        }
        Some(match best {
            Some((_, entry, path)) => (entry.key.clone(), Change::Announced(path)),
            None => {
                let destination = destination.clone();
                let path_id = DEFAULT_PATH;
                let key = Key {
                    destination,
                    path_id,
                };
                (key, Change::Withdrawn)
            }
        })
    }

    fn push(&mut self, key: Key<D>, hash: u64, state: u32) {
        if self.unused >= self.compact_at && self.unused * 2 >= self.entries.len() {
            self.compact();
        }
        // Positions are 32 bits wide: four thousand million changes between compactions do not happen.
        let Ok(position) = u32::try_from(self.entries.len()) else {
            return;
        };
        let entries = &mut self.entries;
        let known = self.index.find_mut(hash, |known| {
            entry_at(entries, *known).is_some_and(|entry| entry.key == key)
        });
        let identified = key.path_id != DEFAULT_PATH;
        entries.push(Entry { key, state });
        if let Some(known) = known {
            if let Some(entry) = usize::try_from(*known)
                .ok()
                .and_then(|known| entries.get_mut(known))
            {
                // A tombstone was counted when it was made.
                self.unused += usize::from(entry.state != TOMBSTONE);
                entry.state = DEAD;
            }
            *known = position;
        } else {
            self.identified += usize::from(identified);
            self.insert(hash, position);
        }
    }

    /// Frees dead positions, and tombstones that every consumer has passed.
    fn compact(&mut self) {
        let consumers = self.consumers.iter().flatten();
        let slowest = consumers
            .clone()
            .map(|consumer| consumer.offset)
            .min()
            .unwrap_or(usize::MAX);
        let mut marks: Vec<_> = consumers
            .flat_map(|consumer| [consumer.offset, consumer.joined])
            .collect();
        marks.sort_unstable();
        marks.dedup();
        let mut moved = Vec::with_capacity(marks.len());
        let mut kept = Vec::with_capacity(self.announced + MIN_UNUSED);
        (self.unused, self.identified) = (0, 0);
        for (position, entry) in self.entries.drain(..).enumerate() {
            if marks.get(moved.len()) == Some(&position) {
                moved.push(kept.len());
            }
            let passed = position < slowest;
            if entry.state == DEAD || (entry.state == TOMBSTONE && passed) {
                continue;
            }
            self.unused += usize::from(entry.state == TOMBSTONE);
            self.identified += usize::from(entry.key.path_id != DEFAULT_PATH);
            kept.push(entry);
        }
        // A mark at the end of the log stays there.
        let end = kept.len();
        let place = |mark| {
            marks
                .binary_search(&mark)
                .ok()
                .and_then(|index| moved.get(index).copied())
                .unwrap_or(end)
        };
        for consumer in self.consumers.iter_mut().flatten() {
            consumer.offset = place(consumer.offset);
            consumer.joined = place(consumer.joined);
        }
        self.entries = kept;
        self.compact_at = (self.unused * 2).max(MIN_UNUSED);
        self.reindex();
    }

    fn reindex(&mut self) {
        self.index.clear();
        let end = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        for position in 0..end {
            if let Some(entry) = self.entry(position) {
                self.insert(self.hash(&entry.key.destination), position);
            }
        }
    }

    /// Puts a position into the index, where its path has none.
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
        self.consumers.get(consumer.0)?.as_ref()
    }
}

fn entry_at<D>(entries: &[Entry<D>], position: u32) -> Option<&Entry<D>> {
    entries.get(usize::try_from(position).ok()?)
}

/// What a log names its routes by.
///
/// `Eq` and `hash_with` are about what names a route: of two routes with equal keys the later one replaces the earlier.
pub(crate) trait LogKey: Clone + Eq {
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64;

    /// Returns `true` if equal keys are also the same in what does not name the route, like labels.
    fn is_same_value(&self, _: &Self) -> bool {
        true
    }

    /// Copies a key. The derived `clone` goes field by field, which is slow for prefixes.
    fn copy(key: &Key<Self>) -> Key<Self> {
        key.clone()
    }
}

impl LogKey for Ipv4Net {
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
        let host_bits = u32::from(32 - self.prefix_len());
        let number = self.addr().to_bits().checked_shr(host_bits).unwrap_or(0);
        let number = u64::from(number) | u64::from(self.prefix_len()) << u32::BITS;
        hash_in_blocks(hasher, number / BLOCK, number % BLOCK)
    }

    fn copy(key: &Key<Self>) -> Key<Self> {
        *key
    }
}

impl LogKey for Ipv6Net {
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
        let host_bits = u32::from(128 - self.prefix_len());
        let number = self.addr().to_bits().checked_shr(host_bits).unwrap_or(0);
        let place = u64::try_from(number % u128::from(BLOCK)).unwrap_or(0);
        let block = (number / u128::from(BLOCK), self.prefix_len());
        hash_in_blocks(hasher, block, place)
    }

    fn copy(key: &Key<Self>) -> Key<Self> {
        *key
    }
}

/// A hash by which neighbours are neighbours in the index, too: they are announced together, and a table that is larger than
/// the processor's memory is not looked at in another place for each of them.
///
/// `block` is of the prefixes that differ in the last bits only, `place` which of them this is.
fn hash_in_blocks(hasher: &DefaultHashBuilder, block: impl Hash, place: u64) -> u64 {
    // The index goes by the lower bits, and tells apart what it finds there by the upper ones.
    (hasher.hash_one(block) & !(BLOCK - 1)) ^ place ^ place << TAG
}

/// How many neighbours are kept together; a power of two.
const BLOCK: u64 = 16;

/// Where the upper bits begin that the index looks at.
const TAG: u32 = u64::BITS - 7;

/// The path is withdrawn.
const TOMBSTONE: u32 = u32::MAX - 1;

/// A newer change of the path stands further on.
const DEAD: u32 = u32::MAX;

/// Do not compact below this many unused entries.
const MIN_UNUSED: usize = 64;

#[cfg(test)]
impl<D> Log<D> {
    /// Positions in use, dead ones too.
    pub(crate) fn positions(&self) -> usize {
        self.entries.len()
    }
}
