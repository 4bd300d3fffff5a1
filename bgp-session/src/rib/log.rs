//! The compacted log of one family.

use std::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::intern::PathKey;

/// Changes in order, each prefix at its newest one.
///
/// Positions move when the log is compacted; consumers are moved with them.
#[derive(Debug)]
pub(crate) struct Log<P> {
    entries: Vec<Entry<P>>,
    /// The position of each prefix.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    consumers: Vec<Option<Consumer>>,
    announced: usize,
    /// Positions that compaction may free: dead ones and tombstones.
    unused: usize,
    /// No compaction before so many are unused: keeps its cost per change constant.
    compact_at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry<P> {
    prefix: P,
    /// A path's number, `TOMBSTONE` or `DEAD`.
    state: u32,
}

#[derive(Clone, Copy, Debug)]
struct Consumer {
    /// The next position to read.
    offset: usize,
    /// Withdrawals before this position are of no concern: the consumer came later.
    joined: usize,
}

/// Names a consumer of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerId(usize);

/// The newest state of a prefix.
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
            unused: 0,
            compact_at: LEAST_UNUSED,
        }
    }
}

impl<P: Copy + Eq + Hash> Log<P> {
    /// Announces `prefix` with `path`; the path that it had, which is `path` itself where nothing changes.
    pub(crate) fn set(&mut self, prefix: P, path: PathKey) -> Option<PathKey> {
        let previous = self.find(prefix);
        if previous != Some(path) {
            self.push(prefix, path.number());
            self.announced += usize::from(previous.is_none());
        }
        previous
    }

    /// Withdraws `prefix`; the path that it had, if it was announced.
    pub(crate) fn remove(&mut self, prefix: P) -> Option<PathKey> {
        let previous = self.find(prefix)?;
        self.push(prefix, TOMBSTONE);
        self.unused += 1;
        self.announced -= 1;
        Some(previous)
    }

    /// The path of `prefix`, if it is announced.
    pub(crate) fn find(&self, prefix: P) -> Option<PathKey> {
        let hash = self.hasher.hash_one(prefix);
        let position = *self
            .index
            .find(hash, |position| self.prefix(*position) == Some(prefix))?;
        PathKey::from_number(self.entry(position)?.state)
    }

    /// Every announced prefix, oldest change first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (P, PathKey)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((entry.prefix, PathKey::from_number(entry.state)?)))
    }

    /// How many prefixes are announced.
    pub(crate) fn len(&self) -> usize {
        self.announced
    }

    /// A consumer that starts with the oldest change.
    pub(crate) fn join(&mut self) -> ConsumerId {
        let consumer = Some(Consumer {
            offset: 0,
            joined: self.entries.len(),
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

    /// Starts again with the oldest change, for the announced prefixes only.
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
        window: &mut Vec<(P, Change)>,
    ) {
        let Some(Some(slot)) = self.consumers.get_mut(consumer.0) else {
            return;
        };
        let mut read = 0;
        for entry in self.entries.get(slot.offset..).unwrap_or_default() {
            if window.len() >= most {
                break;
            }
            match entry.state {
                DEAD => {}
                TOMBSTONE if slot.offset + read < slot.joined => {}
                TOMBSTONE => window.push((entry.prefix, Change::Withdrawn)),
                path => window.extend(
                    PathKey::from_number(path).map(|path| (entry.prefix, Change::Announced(path))),
                ),
            }
            read += 1;
        }
        slot.offset += read;
    }

    fn push(&mut self, prefix: P, state: u32) {
        if self.unused >= self.compact_at && self.unused * 2 >= self.entries.len() {
            self.compact();
        }
        // Positions are 32 bits wide: four thousand million changes between compactions do not happen.
        let Ok(position) = u32::try_from(self.entries.len()) else {
            return;
        };
        self.entries.push(Entry { prefix, state });
        let hash = self.hasher.hash_one(prefix);
        let entries = &mut self.entries;
        let known = self.index.find_mut(hash, |known| {
            usize::try_from(*known)
                .ok()
                .and_then(|known| entries.get(known))
                .is_some_and(|entry| entry.prefix == prefix)
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
            let (entries, hasher) = (&self.entries, &self.hasher);
            self.index.insert_unique(hash, position, |known| {
                let entry = usize::try_from(*known)
                    .ok()
                    .and_then(|known| entries.get(known));
                entry.map_or(0, |entry| hasher.hash_one(entry.prefix))
            });
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
        self.unused = 0;
        for (position, entry) in self.entries.iter().enumerate() {
            if marks.get(moved.len()) == Some(&position) {
                moved.push(kept.len());
            }
            let passed = position < slowest;
            if entry.state == DEAD || (entry.state == TOMBSTONE && passed) {
                continue;
            }
            self.unused += usize::from(entry.state == TOMBSTONE);
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
        let (entries, hasher) = (&self.entries, &self.hasher);
        for (position, entry) in (0u32..).zip(entries) {
            self.index
                .insert_unique(hasher.hash_one(entry.prefix), position, |known| {
                    let entry = usize::try_from(*known)
                        .ok()
                        .and_then(|known| entries.get(known));
                    entry.map_or(0, |entry| hasher.hash_one(entry.prefix))
                });
        }
    }

    fn entry(&self, position: u32) -> Option<&Entry<P>> {
        self.entries.get(usize::try_from(position).ok()?)
    }

    fn prefix(&self, position: u32) -> Option<P> {
        self.entry(position).map(|entry| entry.prefix)
    }

    fn consumer(&self, consumer: ConsumerId) -> Option<&Consumer> {
        self.consumers.get(consumer.0)?.as_ref()
    }
}

/// The prefix is withdrawn.
const TOMBSTONE: u32 = u32::MAX - 1;

/// A newer change of the prefix stands further on.
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
