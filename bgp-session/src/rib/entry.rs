//! `Entry`: a position of a log. It holds the newest change of a path, or is dead.

use super::intern::PathKey;
use super::key::Key;

/// A position of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<D> {
    pub(super) key: Key<D>,
    /// The number of the path's attributes, `TOMBSTONE` or `DEAD`.
    // One number instead of an enum saves four octets an entry, of which a large table has millions.
    pub(super) state: u32,
}

impl<D> Entry<D> {
    /// Returns the attributes of the path, or `None` if it is not announced.
    #[inline]
    pub(super) fn path(&self) -> Option<PathKey> {
        PathKey::from_number(self.state)
    }
}

/// Returns the entry at this position, or `None` if it is out of range.
#[inline]
pub(super) fn entry_at<D>(entries: &[Entry<D>], position: u32) -> Option<&Entry<D>> {
    entries.get(usize::try_from(position).ok()?)
}

/// The state of a withdrawn path.
pub(super) const TOMBSTONE: u32 = u32::MAX - 1;

/// The state of a position whose path has a newer one.
pub(super) const DEAD: u32 = u32::MAX;
