//! `Window`: changes that are taken from the table together, with all that encoding them needs.

use std::sync::Arc;

use super::by_path;
use super::intern::{Interner, PathKey};
use super::key::{Key, LogKey};
use super::log::{Change, ConsumerId, Log};
use super::route::Path;

/// Changes that one consumer has taken from a log, with the paths that they name.
///
/// It is filled while the table is locked, and grouped and written after that: all peers wait for the lock.
#[derive(Debug)]
pub(super) struct Window<D> {
    changes: Vec<(Key<D>, Change)>,
    /// The paths that the changes name, and perhaps more, each once.
    paths: Vec<(PathKey, Arc<Path>)>,
    named: KeySet,
    /// The groups, in their order: withdrawals, then each path in the order of its key.
    groups: Vec<Group>,
}

/// Changes of one path, one after the other.
#[derive(Debug)]
struct Group {
    /// The position in `paths`, or `None` for withdrawals.
    path: Option<usize>,
    length: usize,
}

impl<D> Default for Window<D> {
    fn default() -> Self {
        Self {
            changes: Vec::new(),
            paths: Vec::new(),
            named: KeySet::default(),
            groups: Vec::new(),
        }
    }
}

impl<D: LogKey> Window<D> {
    /// Replaces the content by the next changes of a log.
    pub(super) fn fill(&mut self, log: &mut Log<D>, consumer: ConsumerId, paths: &Interner) {
        self.clear();
        // Attributes may be as long as a message: no window becomes more than `MAX_OCTETS`.
        let longest = paths.longest().max(1);
        let limit = (MAX_OCTETS / longest).clamp(1, MAX_CHANGES);
        log.read(consumer, limit, &mut self.changes);
        // Most tables have few paths: to take them all is cheaper than to look at every change.
        if paths.slots() * 8 <= self.changes.len() {
            let all = paths.iter().map(|(key, path)| (key, Arc::clone(path)));
            self.paths.extend(all);
        } else {
            self.take_named(paths);
        }
    }

    /// Takes the paths that the changes name, each once.
    fn take_named(&mut self, paths: &Interner) {
        // A set has a bit for every path of the table: a few changes are not worth making one.
        let is_small = self.changes.len() <= SMALL;
        let mut last = None;
        for (_, change) in &self.changes {
            let Change::Announced(key) = *change else {
                continue;
            };
            // Neighbors mostly share their path, which spares the search.
            if last.replace(key) == Some(key) {
                continue;
            }
            let is_new = if is_small {
                self.paths.iter().all(|(known, _)| *known != key)
            } else {
                self.named.insert(key)
            };
            if is_new {
                let path = paths.path(key);
                self.paths.extend(path.map(|path| (key, Arc::clone(path))));
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.changes.clear();
        self.groups.clear();
        for (key, _) in self.paths.drain(..) {
            self.named.remove(key);
        }
    }

    /// Keeps, changes or removes every change.
    pub(super) fn retain_mut(&mut self, mut keep: impl FnMut(&Key<D>, &mut Change) -> bool) {
        self.changes.retain_mut(|(key, change)| keep(key, change));
    }

    /// Groups the changes by path.
    pub(super) fn group(&mut self) {
        self.paths.sort_unstable_by_key(|(key, _)| *key);
        let limit = self.paths.last().map_or(0, |(key, _)| {
            usize::try_from(key.number()).map_or(usize::MAX, |number| number + 1)
        });
        by_path::group(&mut self.changes, limit);
        self.groups.clear();
        // Groups and paths are in the order of the keys. Not every path has changes.
        let mut paths = self.paths.iter().enumerate();
        for run in self.changes.chunk_by(|(_, one), (_, other)| one == other) {
            let path = match run.first() {
                Some((_, Change::Announced(key))) => paths
                    .find(|(_, (known, _))| known == key)
                    .map(|(position, _)| position),
                _ => None,
            };
            let length = run.len();
            self.groups.push(Group { path, length });
        }
    }

    /// Returns the groups: a path, or `None` for withdrawals, and its changes.
    pub(super) fn groups(&self) -> impl Iterator<Item = (Option<&Path>, &[(Key<D>, Change)])> {
        let mut changes = self.changes.as_slice();
        self.groups.iter().map(move |group| {
            let of_group = changes.split_off(..group.length).unwrap_or_default();
            let path = group.path.and_then(|position| self.paths.get(position));
            (path.map(|(_, path)| &**path), of_group)
        })
    }
}

/// A set of paths, one bit for each key up to the highest that was ever in it.
#[derive(Debug, Default)]
struct KeySet(Vec<u64>);

impl KeySet {
    /// Adds a key. Returns `false` if it was there.
    fn insert(&mut self, key: PathKey) -> bool {
        let (word, bit) = Self::place(key);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let Some(word) = self.0.get_mut(word) else {
            return false;
        };
        let absent = *word & bit == 0;
        *word |= bit;
        absent
    }

    fn remove(&mut self, key: PathKey) {
        let (word, bit) = Self::place(key);
        if let Some(word) = self.0.get_mut(word) {
            *word &= !bit;
        }
    }

    fn place(key: PathKey) -> (usize, u64) {
        let number = usize::try_from(key.number()).unwrap_or(usize::MAX);
        (number / 64, 1 << (number % 64))
    }
}

/// Up to this number of changes, paths are searched one by one.
const SMALL: usize = 16;

/// The largest number of changes in a window. Large enough that grouping pays, and that a peer that waits for the lock is
/// woken a hundred times less often than it would be with windows of a few hundred.
const MAX_CHANGES: usize = 32768;

/// About how many octets the changes of a window may become, even if each has attributes of its own.
const MAX_OCTETS: usize = 2 << 20;
