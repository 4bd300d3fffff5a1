//! `Window`: changes that are taken from the table together, with all that encoding them needs.

use std::sync::Arc;

use super::Path;
use super::group;
use super::intern::{Interner, PathKey};
use super::log::{Change, ConsumerId, Key, Log, Numbered};

/// Changes that one consumer has taken from a log, grouped by path.
///
/// It is filled while the table is locked and written after that.
#[derive(Debug)]
pub(super) struct Window<P> {
    pub(super) changes: Vec<(Key<P>, Change)>,
    /// Each path of the changes once, in the order of its key, which is that of the groups.
    paths: Vec<(PathKey, Arc<Path>)>,
}

impl<P> Default for Window<P> {
    fn default() -> Self {
        Self {
            changes: Vec::new(),
            paths: Vec::new(),
        }
    }
}

impl<P: Numbered> Window<P> {
    /// Replaces the content by the next changes of a log.
    pub(super) fn fill(&mut self, log: &mut Log<P>, consumer: ConsumerId, paths: &Interner) {
        self.clear();
        // Attributes may be as long as a message: no window becomes more than `MAX_OCTETS`.
        let longest = paths.longest().max(1);
        let limit = (MAX_OCTETS / longest).clamp(1, MAX_CHANGES);
        log.read(consumer, limit, &mut self.changes);
        group::by_path(&mut self.changes);
        for run in self.changes.chunk_by(|(_, one), (_, other)| one == other) {
            if let Some((_, Change::Announced(key))) = run.first() {
                self.paths
                    .extend(paths.path(*key).map(|path| (*key, Arc::clone(path))));
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.changes.clear();
        self.paths.clear();
    }

    /// Returns the changes in runs of one path each, withdrawals with `None` first.
    ///
    /// `changes` must be grouped.
    pub(super) fn runs(&self) -> impl Iterator<Item = (Option<&Path>, &[(Key<P>, Change)])> {
        let mut paths = self.paths.iter();
        self.changes
            .chunk_by(|(_, one), (_, other)| one == other)
            .map(move |run| {
                let path = match run.first() {
                    // Runs and paths are both in the order of the keys; a run may be missing.
                    Some((_, Change::Announced(key))) => paths.find(|(known, _)| known == key),
                    _ => None,
                };
                (path.map(|(_, path)| &**path), run)
            })
    }
}

/// The largest number of changes in a window.
const MAX_CHANGES: usize = 32768;

/// About how many octets the changes of a window may become, even if each has attributes of its own.
const MAX_OCTETS: usize = 2 << 20;
