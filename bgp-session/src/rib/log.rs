//! The compacted log of one family.
//!
//! What changes is a path: a prefix with its path identifier (RFC 7911). Paths of one prefix are neighbours in the index, so
//! that a consumer without path identifiers is told of the one with the lowest.

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
pub(crate) struct Log<P> {
    entries: Vec<Entry<P>>,
    /// The position of each path, by the hash of its prefix.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    consumers: Vec<Option<Consumer>>,
    announced: usize,
    /// Positions in use, not dead ones, of paths with an identifier of their own: where there are none, a prefix is a path.
    identified: usize,
    /// Positions that compaction may free: dead ones and tombstones.
    unused: usize,
    /// No compaction before so many are unused: keeps its cost per change constant.
    compact_at: usize,
}

/// One path to a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key<P> {
    pub(crate) prefix: P,
    pub(crate) path_id: PathId,
}

#[derive(Clone, Copy, Debug)]
struct Entry<P> {
    key: Key<P>,
    /// A path's number, `TOMBSTONE` or `DEAD`.
    state: u32,
}

#[derive(Clone, Copy, Debug)]
struct Consumer {
    /// The next position to read.
    offset: usize,
    /// Withdrawals before this position are of no concern: the consumer came later.
    joined: usize,
    /// It is told of every path, not of the best of each prefix.
    every_path: bool,
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

impl<P> Default for Log<P> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            index: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            consumers: Vec::new(),
            announced: 0,
            identified: 0,
            unused: 0,
            compact_at: LEAST_UNUSED,
        }
    }
}

impl<P: Numbered> Log<P> {
    /// Announces a path with these attributes; those that it had, which are the same where nothing changes.
    pub(crate) fn set(&mut self, key: Key<P>, path: PathKey) -> Option<PathKey> {
        let hash = self.hash(key.prefix);
        let previous = self.find_hashed(key, hash);
        if previous != Some(path) {
            self.push(key, hash, path.number());
            self.announced += usize::from(previous.is_none());
        }
        previous
    }

    /// Withdraws a path; the attributes that it had, if it was announced.
    pub(crate) fn remove(&mut self, key: Key<P>) -> Option<PathKey> {
        let hash = self.hash(key.prefix);
        let previous = self.find_hashed(key, hash)?;
        self.push(key, hash, TOMBSTONE);
        self.unused += 1;
        self.announced -= 1;
        Some(previous)
    }

    fn hash(&self, prefix: P) -> u64 {
        hash_of(&self.hasher, prefix)
    }

    /// The attributes of a path, if it is announced.
    fn find_hashed(&self, key: Key<P>, hash: u64) -> Option<PathKey> {
        let position = *self.index.find(hash, |position| {
            self.entry(*position).is_some_and(|entry| entry.key == key)
        })?;
        PathKey::from_number(self.entry(position)?.state)
    }

    /// The announced paths of a prefix, in no order: position, identifier and attributes of each.
    fn paths(&self, prefix: P) -> impl Iterator<Item = (u32, PathId, PathKey)> {
        let positions = self.index.iter_hash(self.hash(prefix)).copied();
        positions.filter_map(move |position| {
            let entry = self
                .entry(position)
                .filter(|entry| entry.key.prefix == prefix)?;
            let path = PathKey::from_number(entry.state)?;
            Some((position, entry.key.path_id, path))
        })
    }

    /// The identifiers of the announced paths of a prefix, ascending.
    pub(crate) fn path_ids(&self, prefix: P) -> Vec<PathId> {
        let mut ids: Vec<_> = self.paths(prefix).map(|(_, path_id, _)| path_id).collect();
        ids.sort_unstable();
        ids
    }

    /// The path of a prefix with the lowest identifier, and its attributes.
    pub(crate) fn best(&self, prefix: P) -> Option<(PathId, PathKey)> {
        let (_, path_id, path) = self.best_with_position(prefix)?;
        Some((path_id, path))
    }

    fn best_with_position(&self, prefix: P) -> Option<(u32, PathId, PathKey)> {
        self.paths(prefix).min_by_key(|(_, path_id, _)| *path_id)
    }

    /// Every announced path, oldest change first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key<P>, PathKey)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((entry.key, PathKey::from_number(entry.state)?)))
    }

    /// How many paths are announced.
    pub(crate) fn len(&self) -> usize {
        self.announced
    }

    /// A consumer that starts with the oldest change: of every path, or of the best path of each prefix.
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

    /// Moves at most `most` changes that the consumer has not read into `window`.
    pub(crate) fn read(
        &mut self,
        consumer: ConsumerId,
        most: usize,
        window: &mut Vec<(Key<P>, Change)>,
    ) {
        let Some(slot) = self.consumer(consumer).copied() else {
            return;
        };
        let by_prefix = !slot.every_path && self.identified > 0;
        let mut position = slot.offset;
        let unread = self.entries.len().saturating_sub(position);
        window.reserve(unread.min(most.saturating_sub(window.len())));
        for entry in self.entries.get(slot.offset..).unwrap_or_default() {
            if window.len() >= most {
                break;
            }
            let change = match entry.state {
                DEAD => None,
                TOMBSTONE if position < slot.joined => None,
                TOMBSTONE => Some(Change::Withdrawn),
                path => PathKey::from_number(path).map(Change::Announced),
            };
            if by_prefix {
                let of_prefix = || self.of_prefix(entry.key.prefix, position, slot.joined);
                window.extend(change.and_then(|_| of_prefix()));
            } else {
                window.extend(change.map(|change| (entry.key, change)));
            }
            position += 1;
        }
        if let Some(Some(slot)) = self.consumers.get_mut(consumer.0) {
            slot.offset = position;
        }
    }

    /// What is at this position to who knows one path of each prefix, and nothing of what was withdrawn before it `joined`.
    ///
    /// Of the positions that a prefix has, the last one that bears on its best path says it: that of the path itself, or the
    /// end of a better one.
    fn of_prefix(&self, prefix: P, position: usize, joined: usize) -> Option<(Key<P>, Change)> {
        let best = self.best_with_position(prefix);
        let bears = |position: &u32| {
            let entry = self.entry(*position).filter(|it| it.key.prefix == prefix)?;
            let at = usize::try_from(*position).ok()?;
            let bears = match best {
                Some((best, path_id, _)) => {
                    let ended = entry.state == TOMBSTONE && at >= joined;
                    best == *position || (ended && entry.key.path_id < path_id)
                }
                None => at >= joined,
            };
            bears.then_some(at)
        };
        let positions = self.index.iter_hash(self.hash(prefix));
        if positions.filter_map(bears).max() != Some(position) {
            return None;
        }
        let (path_id, change) = match best {
            Some((_, path_id, path)) => (path_id, Change::Announced(path)),
            None => (DEFAULT_PATH, Change::Withdrawn),
        };
        Some((Key { prefix, path_id }, change))
    }

    fn push(&mut self, key: Key<P>, hash: u64, state: u32) {
        if self.unused >= self.compact_at && self.unused * 2 >= self.entries.len() {
            self.compact();
        }
        // Positions are 32 bits wide: four thousand million changes between compactions do not happen.
        let Ok(position) = u32::try_from(self.entries.len()) else {
            return;
        };
        self.entries.push(Entry { key, state });
        let entries = &mut self.entries;
        let known = self.index.find_mut(hash, |known| {
            entry_at(entries, *known).is_some_and(|entry| entry.key == key)
        });
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
            self.identified += usize::from(key.path_id != DEFAULT_PATH);
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
        let mut kept = Vec::with_capacity(self.announced + LEAST_UNUSED);
        (self.unused, self.identified) = (0, 0);
        for (position, entry) in self.entries.iter().enumerate() {
            if marks.get(moved.len()) == Some(&position) {
                moved.push(kept.len());
            }
            let passed = position < slowest;
            if entry.state == DEAD || (entry.state == TOMBSTONE && passed) {
                continue;
            }
            self.unused += usize::from(entry.state == TOMBSTONE);
            self.identified += usize::from(entry.key.path_id != DEFAULT_PATH);
            kept.push(*entry);
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
        self.compact_at = (self.unused * 2).max(LEAST_UNUSED);
        self.reindex();
    }

    fn reindex(&mut self) {
        self.index.clear();
        let end = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        for position in 0..end {
            if let Some(entry) = self.entry(position) {
                self.insert(self.hash(entry.key.prefix), position);
            }
        }
    }

    /// Puts a position into the index, where its path has none.
    fn insert(&mut self, hash: u64, position: u32) {
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.index.insert_unique(hash, position, |known| {
            entry_at(entries, *known).map_or(0, |entry| hash_of(hasher, entry.key.prefix))
        });
    }

    fn entry(&self, position: u32) -> Option<&Entry<P>> {
        entry_at(&self.entries, position)
    }

    fn consumer(&self, consumer: ConsumerId) -> Option<&Consumer> {
        self.consumers.get(consumer.0)?.as_ref()
    }
}

fn entry_at<P>(entries: &[Entry<P>], position: u32) -> Option<&Entry<P>> {
    entries.get(usize::try_from(position).ok()?)
}

/// A prefix as a number among those of its length.
pub(crate) trait Numbered: Copy + Eq {
    /// The prefixes that differ in the last bits only, and which of them this is.
    fn block(self) -> (impl Hash, u64);
}

impl Numbered for Ipv4Net {
    fn block(self) -> (impl Hash, u64) {
        let host_bits = u32::from(32 - self.prefix_len());
        let number = self.addr().to_bits().checked_shr(host_bits).unwrap_or(0);
        let number = u64::from(number) | u64::from(self.prefix_len()) << u32::BITS;
        (number / BLOCK, number % BLOCK)
    }
}

impl Numbered for Ipv6Net {
    fn block(self) -> (impl Hash, u64) {
        let host_bits = u32::from(128 - self.prefix_len());
        let number = self.addr().to_bits().checked_shr(host_bits).unwrap_or(0);
        let place = u64::try_from(number % u128::from(BLOCK)).unwrap_or(0);
        ((number / u128::from(BLOCK), self.prefix_len()), place)
    }
}

/// A hash by which neighbours are neighbours in the index, too: they are announced together, and a table that is larger than
/// the processor's memory is not looked at in another place for each of them.
fn hash_of<P: Numbered>(hasher: &DefaultHashBuilder, prefix: P) -> u64 {
    let (block, place) = prefix.block();
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

/// Compacting less than this is not worth the while.
const LEAST_UNUSED: usize = 64;

#[cfg(test)]
impl<P> Log<P> {
    /// Positions in use, dead ones too.
    pub(crate) fn positions(&self) -> usize {
        self.entries.len()
    }
}
