//! Interned paths: routes with the same attributes share them.

use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::route::Path;

/// The key of an interned path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PathKey(u32);

impl PathKey {
    /// The first number that is not a key. The log marks positions without a path by numbers from here on.
    pub(crate) const LIMIT: u32 = u32::MAX - 2;

    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        if number < Self::LIMIT {
            Some(Self(number))
        } else {
            None
        }
    }
}

/// The distinct paths of a table, with reference counts.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_path: HashTable<u32>,
    /// The approximate length in octets of the longest attributes since the table was last empty: an upper bound.
    max_octets: usize,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Slot {
    /// Shared because peers encode paths after the table has been unlocked.
    path: Option<Arc<Path>>,
    /// Kept because hashing long attributes again, when the index grows, would be slow.
    hash: u64,
    references: usize,
}

impl Interner {
    /// Returns the key of `path` and adds a reference to it.
    pub(crate) fn intern(&mut self, path: &Path) -> PathKey {
        let hash = self.hash(path);
        let known = self.by_path.find(hash, |number| {
            slot(&self.slots, *number).is_some_and(|slot| slot.path.as_deref() == Some(path))
        });
        if let Some(&number) = known {
            if let Some(slot) = slot_mut(&mut self.slots, number) {
                slot.references += 1;
            }
            return PathKey(number);
        }
        self.max_octets = self.max_octets.max(octets(path));
        let new = Slot {
            path: Some(Arc::new(path.clone())),
            hash,
            references: 1,
        };
        // Free numbers are used first: keys stay small, and a counting sort by key stays cheap.
        let number = self.free.pop().unwrap_or_else(|| {
            // More distinct paths than `u32` can count do not fit into memory.
            u32::try_from(self.slots.len()).unwrap_or(PathKey::LIMIT)
        });
        match slot_mut(&mut self.slots, number) {
            Some(slot) => *slot = new,
            None => self.slots.push(new),
        }
        let slots = &self.slots;
        self.by_path.insert_unique(hash, number, |number| {
            slot(slots, *number).map_or(0, |slot| slot.hash)
        });
        PathKey(number)
    }

    /// Returns the approximate maximum number of octets that the attributes of one path take.
    pub(crate) fn max_octets(&self) -> usize {
        self.max_octets
    }

    /// Drops one reference to a path and frees the path with the last one.
    pub(crate) fn release(&mut self, key: PathKey) {
        let Some(slot) = slot_mut(&mut self.slots, key.0) else {
            // Keys come only from `intern`, and slots are never removed.
            debug_assert!(false, "unknown path {key:?}");
            return;
        };
        slot.references -= 1;
        if slot.references == 0 {
            // A window that is being encoded may still share the path, so that only the table's share ends here.
            slot.path = None;
            self.free.push(key.0);
            if let Ok(entry) = self
                .by_path
                .find_entry(slot.hash, |number| *number == key.0)
            {
                entry.remove();
            }
            if self.by_path.is_empty() {
                self.max_octets = 0;
            }
        }
    }

    /// Returns the number of slots, used or free: all keys are below it.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Returns every path, in the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PathKey, &Arc<Path>)> {
        let slots = self.slots.iter().zip(0..PathKey::LIMIT);
        slots.filter_map(|(slot, number)| Some((PathKey(number), slot.path.as_ref()?)))
    }

    /// Returns the path of a key, or `None` if the path has been freed.
    pub(crate) fn path(&self, key: PathKey) -> Option<&Arc<Path>> {
        slot(&self.slots, key.0)?.path.as_ref()
    }

    fn hash(&self, path: &Path) -> u64 {
        self.hasher.hash_one(path)
    }
}

fn slot(slots: &[Slot], number: u32) -> Option<&Slot> {
    slots.get(usize::try_from(number).ok()?)
}

fn slot_mut(slots: &mut [Slot], number: u32) -> Option<&mut Slot> {
    slots.get_mut(usize::try_from(number).ok()?)
}

/// Returns the approximate number of octets that the attributes of a path take in a message.
fn octets(path: &Path) -> usize {
    let attributes = &path.attributes;
    // An estimate is enough: it bounds a window's output, and the encoder enforces the message limit.
    FIXED
        + attributes
            .as_path
            .segments
            .iter()
            .map(|segment| segment.asns.len() * 4)
            .sum::<usize>()
        + attributes.communities.len() * 4
        + attributes.extended_communities.len() * 8
        + attributes.large_communities.len() * 12
        + attributes.cluster_list.len() * 4
        + attributes
            .unknown
            .iter()
            .map(|raw| raw.value.len())
            .sum::<usize>()
}

/// The approximate octets of the header, the lengths and the short attributes, which every message contains.
const FIXED: usize = 60;

#[cfg(test)]
mod tests {
    use super::super::Route;
    use super::*;

    #[test]
    fn released_path_frees_its_key() {
        let mut interner = Interner::default();
        let path = |preference| {
            Route::new("10.0.0.0/8".parse().unwrap())
                .with_local_pref(preference)
                .path
        };
        let first = interner.intern(&path(1));
        assert_eq!(interner.intern(&path(1)), first);
        let second = interner.intern(&path(2));
        assert_ne!(first, second);
        interner.release(first);
        assert!(interner.path(first).is_some(), "one reference is left");
        interner.release(first);
        assert_eq!(interner.path(first), None);
        assert_eq!(interner.intern(&path(3)), first, "the slot is used again");
        assert_eq!(interner.path(second), Some(&Arc::new(path(2))));
    }
}
