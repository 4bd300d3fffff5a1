//! `Window`: changes that are taken from the table together, with all that encoding them needs.

use std::sync::Arc;

use super::by_path;
use super::intern::{Interner, PathKey};
use super::key::{Key, LogKey};
use super::log::{Change, ConsumerId, Log};
use super::route::Path;

/// Changes that one consumer has taken from a log, grouped by path.
///
/// It is filled while the table is locked and written after that.
#[derive(Debug)]
pub(super) struct Window<D> {
    changes: Vec<(Key<D>, Change)>,
    /// The groups, in their order: withdrawals, then each path in the order of its key.
    groups: Vec<Group>,
}

/// Changes of one path, one after the other.
#[derive(Debug)]
struct Group {
    /// `None` for withdrawals.
    path: Option<(PathKey, Arc<Path>)>,
    length: usize,
}

impl<D> Default for Window<D> {
    fn default() -> Self {
        Self {
            changes: Vec::new(),
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
        self.group(paths.limit(), |key| paths.path(key).cloned());
    }

    pub(super) fn clear(&mut self) {
        self.changes.clear();
        self.groups.clear();
    }

    /// Keeps, changes or removes every change, then groups what is left.
    pub(super) fn retain_mut(&mut self, mut keep: impl FnMut(&Key<D>, &mut Change) -> bool) {
        self.changes.retain_mut(|(key, change)| keep(key, change));
        let groups = std::mem::take(&mut self.groups);
        let last = groups.last().and_then(|group| group.path.as_ref());
        let limit = last.map_or(0, |(key, _)| {
            usize::try_from(key.number()).map_or(usize::MAX, |number| number + 1)
        });
        // Both are in the order of the keys.
        let mut paths = groups.into_iter().filter_map(|group| group.path);
        self.group(limit, |key| {
            paths.find(|(known, _)| *known == key).map(|(_, path)| path)
        });
    }

    /// Groups the changes. All paths have numbers below `limit`.
    fn group(&mut self, limit: usize, mut path: impl FnMut(PathKey) -> Option<Arc<Path>>) {
        by_path::group(&mut self.changes, limit);
        for run in self.changes.chunk_by(|(_, one), (_, other)| one == other) {
            let path = match run.first() {
                Some((_, Change::Announced(key))) => path(*key).map(|path| (*key, path)),
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
            (group.path.as_ref().map(|(_, path)| &**path), of_group)
        })
    }
}

/// The largest number of changes in a window.
const MAX_CHANGES: usize = 32768;

/// About how many octets the changes of a window may become, even if each has attributes of its own.
const MAX_OCTETS: usize = 2 << 20;
