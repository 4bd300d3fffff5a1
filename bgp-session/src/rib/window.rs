//! `Window`: changes that are taken from the table together, with the paths that encoding them needs.

use std::sync::Arc;

use super::by_path;
use super::entry::{Change, Entry, LogKey};
use super::intern::{Interner, PathKey};
use super::log::{ConsumerId, Log};
use crate::route::Path;

/// Changes that one consumer has taken from a log, with their paths.
///
/// A window is filled while the table is locked. It is grouped and written after that because all peers wait for the lock.
#[derive(Debug)]
pub(super) struct Window<D> {
    changes: Vec<Entry<D>>,
    /// The paths of the changes, each once. There may be paths without a change.
    paths: Vec<(PathKey, Arc<Path>)>,
    /// The keys in `paths`, if the window is not small.
    path_set: KeySet,
    /// The groups: withdrawals first, then the paths in the order of their keys.
    groups: Vec<Group>,
}

/// A run of consecutive changes with one path.
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
            path_set: KeySet::default(),
            groups: Vec::new(),
        }
    }
}

impl<D: LogKey> Window<D> {
    /// Replaces the content by the next changes of a log. `paths` holds the paths of that log.
    pub(super) fn fill(&mut self, log: &mut Log<D>, consumer: ConsumerId, paths: &Interner) {
        self.clear();
        // The attributes of every change may fill a message: a limit on changes alone would not bound the output.
        let max_octets = paths.max_octets().max(1);
        let limit = (MAX_OCTETS / max_octets).clamp(1, MAX_CHANGES);
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
        // The set has a bit for every path of the table, which costs more than it saves for a few changes.
        let is_small = self.changes.len() <= MAX_LINEAR_SEARCH;
        let mut last = None;
        for route in &self.changes {
            let Change::Announced(key) = route.change() else {
                continue;
            };
            // Consecutive changes usually have the same path, which makes the search unnecessary.
            if last.replace(key) == Some(key) {
                continue;
            }
            let is_new = if is_small {
                self.paths.iter().all(|(known, _)| *known != key)
            } else {
                self.path_set.insert(key)
            };
            if is_new {
                let path = paths.path(key);
                debug_assert!(path.is_some(), "the path of an announced entry was freed");
                self.paths.extend(path.map(|path| (key, Arc::clone(path))));
            }
        }
    }

    /// Removes all changes and keeps the allocated memory.
    pub(super) fn clear(&mut self) {
        self.changes.clear();
        self.groups.clear();
        // Removing the known keys is cheaper than zeroing a set with a bit for every path of the table.
        for (key, _) in self.paths.drain(..) {
            self.path_set.remove(key);
        }
    }

    /// Calls `keep` with every change, which it may modify, and removes the changes for which it returns `false`.
    pub(super) fn retain_mut(&mut self, keep: impl FnMut(&mut Entry<D>) -> bool) {
        self.changes.retain_mut(keep);
    }

    /// Groups the changes by path.
    pub(super) fn group(&mut self) {
        self.paths.sort_unstable_by_key(|(key, _)| *key);
        let limit = self.paths.last().map_or(0, |(key, _)| {
            usize::try_from(key.number()).map_or(usize::MAX, |number| number + 1)
        });
        by_path::group(&mut self.changes, limit);
        self.groups.clear();
        // Groups and paths have the same order, so that one pass over the paths finds each group's path. The search skips
        // paths without a change.
        let mut paths = self.paths.iter().enumerate();
        for run in self.changes.chunk_by(|one, other| one.state == other.state) {
            let path = match run.first().map(Entry::change) {
                Some(Change::Announced(key)) => paths
                    .find(|(_, (known, _))| *known == key)
                    .map(|(position, _)| position),
                _ => None,
            };
            let length = run.len();
            self.groups.push(Group { path, length });
        }
    }

    /// Returns the groups: each a path, or `None` for withdrawals, with its changes.
    pub(super) fn groups(&self) -> impl Iterator<Item = (Option<&Path>, &[Entry<D>])> {
        let mut changes = self.changes.as_slice();
        self.groups.iter().map(move |group| {
            // The lengths of the groups add up to the number of changes.
            debug_assert!(group.length <= changes.len(), "group out of range");
            let of_group = changes.split_off(..group.length).unwrap_or_default();
            let path = group.path.and_then(|position| self.paths.get(position));
            (path.map(|(_, path)| &**path), of_group)
        })
    }
}

/// A set of path keys, with one bit for each key up to the highest one that was ever in the set.
#[derive(Debug, Default)]
struct KeySet(Vec<u64>);

impl KeySet {
    /// Adds a key. Returns `false` if the set already contains it.
    fn insert(&mut self, key: PathKey) -> bool {
        let (word, bit) = Self::position(key);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let Some(word) = self.0.get_mut(word) else {
            debug_assert!(false, "word out of range after resizing");
            return false;
        };
        let absent = *word & bit == 0;
        *word |= bit;
        absent
    }

    fn remove(&mut self, key: PathKey) {
        let (word, bit) = Self::position(key);
        if let Some(word) = self.0.get_mut(word) {
            *word &= !bit;
        }
    }

    /// Returns the index of the word of a key, and its bit in the word.
    fn position(key: PathKey) -> (usize, u64) {
        let number = usize::try_from(key.number()).unwrap_or(usize::MAX);
        (number / 64, 1 << (number % 64))
    }
}

/// The maximum number of changes for which paths are searched one by one.
const MAX_LINEAR_SEARCH: usize = 16;

/// The maximum number of changes in a window.
// Windows of a few hundred changes would group badly, and would wake a peer that waits for the lock a hundred times as often.
const MAX_CHANGES: usize = 32768;

/// The approximate maximum number of octets of attributes that a window encodes to, even if each change has its own.
const MAX_OCTETS: usize = 2 << 20;
