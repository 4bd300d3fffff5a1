//! `Pool`: shared values, each once, as long as routes use them.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};

/// The distinct values of a table.
#[derive(Debug)]
pub(super) struct Pool<T> {
    values: HashTable<Entry<T>>,
    hasher: DefaultHashBuilder,
    /// The number of values from which unused ones are dropped.
    sweep_at: usize,
}

#[derive(Debug)]
struct Entry<T> {
    value: Arc<T>,
    /// Kept because hashing long attributes again, when the table grows, would be slow.
    hash: u64,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self {
            values: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            sweep_at: MIN_SWEEP,
        }
    }
}

impl<T: Eq + Hash> Pool<T> {
    /// Returns the value of the pool that equals `value`, and adds it if there is none.
    pub(super) fn share(&mut self, value: T) -> Arc<T> {
        let hash = self.hasher.hash_one(&value);
        if let Some(known) = self.values.find(hash, |entry| *entry.value == value) {
            return Arc::clone(&known.value);
        }
        // Every user of a value counts its references, so that a replaced route needs no search of the pool. At least half
        // of the values are new since the last sweep, which makes its cost constant for each.
        if self.values.len() >= self.sweep_at {
            self.drop_unused();
        }
        let value = Arc::new(value);
        let entry = Entry {
            value: Arc::clone(&value),
            hash,
        };
        self.values.insert_unique(hash, entry, |entry| entry.hash);
        value
    }

    /// Returns the number of values, unused ones included.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Drops every value that no route uses.
    pub(super) fn drop_unused(&mut self) {
        self.values
            .retain(|entry| Arc::strong_count(&entry.value) > 1);
        self.values.shrink_to(self.values.len(), |entry| entry.hash);
        self.sweep_at = (self.values.len() * 2).max(MIN_SWEEP);
    }
}

/// Do not drop unused values below this many.
const MIN_SWEEP: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_shared_and_unused_ones_dropped() {
        let mut pool = Pool::default();
        let kept = pool.share(String::from("a"));
        assert!(Arc::ptr_eq(&kept, &pool.share(String::from("a"))));
        for number in 0..1000 {
            pool.share(number.to_string());
            assert!(pool.values.len() <= MIN_SWEEP);
        }
        assert!(Arc::ptr_eq(&kept, &pool.share(String::from("a"))));
        pool.drop_unused();
        assert_eq!(pool.values.len(), 1);
    }
}
