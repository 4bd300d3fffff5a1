//! The keys of a log: what names a route, and how it is hashed.

use std::hash::{BuildHasher, Hash};

use bgp_wire::PathId;
use hashbrown::DefaultHashBuilder;
use ipnet::{Ipv4Net, Ipv6Net};

/// One path to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key<D> {
    pub(crate) destination: D,
    pub(crate) path_id: PathId,
}

/// The name of a destination in a log.
///
/// `Eq` and `hash_with` compare what names a route: of two routes with equal keys the later one replaces the earlier.
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

/// Returns a hash that keeps neighbouring prefixes together in the index. They are announced together, so that a table larger
/// than the processor's cache is read in one place.
///
/// `block` is equal for all prefixes that differ in the last bits only; `place` is the position among them.
fn hash_in_blocks(hasher: &DefaultHashBuilder, block: impl Hash, place: u64) -> u64 {
    // The index places an item by the lower bits and compares the upper ones first.
    (hasher.hash_one(block) & !(BLOCK - 1)) ^ place ^ place << TAG
}

/// The number of neighbours that are kept together; a power of two.
const BLOCK: u64 = 16;

/// The position of the upper bits that the index compares.
const TAG: u32 = u64::BITS - 7;
