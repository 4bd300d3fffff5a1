//! The keys of a log, and their hashes.

use std::hash::{BuildHasher, Hash};

use bgp_wire::PathId;
use hashbrown::DefaultHashBuilder;
use ipnet::{Ipv4Net, Ipv6Net};

/// The key of one path to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key<D> {
    pub(crate) destination: D,
    pub(crate) path_id: PathId,
}

/// A destination as a log identifies it.
///
/// `Eq` and `hash_with` cover only the fields that identify a route: a route replaces an earlier one with an equal key.
pub(crate) trait LogKey: Clone + Eq {
    /// Returns the hash of the key. Equal keys have equal hashes.
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64;

    /// Returns `true` if equal keys also agree in the fields that do not identify the route, for example labels.
    fn is_same_value(&self, _: &Self) -> bool {
        true
    }

    /// Returns a copy of a key.
    // The derived `clone` goes field by field, which is slow for prefixes.
    fn copy(key: &Key<Self>) -> Key<Self> {
        key.clone()
    }
}

impl LogKey for Ipv4Net {
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
        let host_bits = u32::from(32 - self.prefix_len());
        // The shift of the default route is 32 bits, which overflows; its network number is 0.
        let network = self.addr().to_bits().checked_shr(host_bits).unwrap_or(0);
        let number = u64::from(network) | u64::from(self.prefix_len()) << u32::BITS;
        hash_in_blocks(hasher, number / BLOCK, number % BLOCK)
    }

    fn copy(key: &Key<Self>) -> Key<Self> {
        *key
    }
}

impl LogKey for Ipv6Net {
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
        let host_bits = u32::from(128 - self.prefix_len());
        let network = self.addr().to_bits().checked_shr(host_bits).unwrap_or(0);
        let offset = u64::try_from(network % u128::from(BLOCK)).unwrap_or(0);
        let block = (network / u128::from(BLOCK), self.prefix_len());
        hash_in_blocks(hasher, block, offset)
    }

    fn copy(key: &Key<Self>) -> Key<Self> {
        *key
    }
}

/// Returns a hash that keeps adjacent prefixes together in the index.
///
/// `block` is equal for all prefixes that differ only in their last bits, and `offset` is the position among them.
fn hash_in_blocks(hasher: &DefaultHashBuilder, block: impl Hash, offset: u64) -> u64 {
    // Adjacent prefixes are usually announced together. In a table larger than the processor's cache, scattered ones would
    // cost a cache miss each.
    //
    // The index places an item by the lower bits and compares the upper ones first.
    (hasher.hash_one(block) & !(BLOCK - 1)) ^ offset ^ offset << TAG
}

/// The number of adjacent prefixes that are kept together; a power of two.
const BLOCK: u64 = 16;

/// The position of the upper seven bits, which the index compares.
const TAG: u32 = u64::BITS - 7;
