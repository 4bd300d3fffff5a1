//! The entries of a log, their keys, and the hashes of these.

use std::hash::{BuildHasher, Hash};

use bgp_wire::PathId;
use hashbrown::DefaultHashBuilder;
use ipnet::{Ipv4Net, Ipv6Net};

use super::intern::PathKey;
use super::slots::DestinationSlot;

/// The key of one path to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key<D> {
    pub(super) destination: D,
    pub(super) path_id: PathId,
}

/// A path in a log or, as a change, in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<D> {
    pub(super) key: Key<D>,
    /// The number of the destination, which its paths share. It is free once every consumer has read that no path is left.
    pub(super) slot: DestinationSlot,
    /// The number of the path's attributes, `TOMBSTONE` or `DEAD`.
    // One number instead of an enum saves four octets an entry, of which a large table has millions.
    pub(super) state: u32,
}

/// The newest state of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Announced(PathKey),
    Withdrawn,
}

/// A destination as a log identifies it.
///
/// `Eq` and `hash_with` cover only the fields that identify a route: a route replaces an earlier one with an equal key.
pub(super) trait LogKey: Clone + Eq {
    /// Returns the hash of the key. Equal keys have equal hashes.
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64;

    /// Returns `true` if equal keys also agree in the fields that do not identify the route, for example labels.
    fn is_same_value(&self, _: &Self) -> bool {
        true
    }

    /// Returns a copy of an entry.
    // The derived `clone` goes field by field, which is slow for prefixes.
    fn copy(entry: &Entry<Self>) -> Entry<Self> {
        entry.clone()
    }
}

impl<D> Entry<D> {
    /// Creates the entry of a change.
    pub(super) fn new(key: Key<D>, slot: DestinationSlot, change: Change) -> Self {
        let state = match change {
            Change::Announced(path) => path.number(),
            Change::Withdrawn => TOMBSTONE,
        };
        Self { key, slot, state }
    }

    /// Returns the attributes of the path, or `None` if it is not announced.
    #[inline]
    pub(super) fn path(&self) -> Option<PathKey> {
        PathKey::from_number(self.state)
    }

    /// Returns the change that the entry is. It must not be dead.
    #[inline]
    pub(super) fn change(&self) -> Change {
        debug_assert_ne!(self.state, DEAD, "no consumer reads dead entries");
        self.path().map_or(Change::Withdrawn, Change::Announced)
    }

    /// Makes the change a withdrawal.
    pub(super) fn withdraw(&mut self) {
        self.state = TOMBSTONE;
    }

    /// Returns `true` if a consumer that joined at the position `joined` reads the entry at this position.
    #[inline]
    pub(super) fn is_read(&self, position: usize, joined: usize) -> bool {
        match self.state {
            DEAD => false,
            // Before it joined, the consumer was never sent the route.
            TOMBSTONE => position >= joined,
            _ => true,
        }
    }
}

/// Returns the entry at this position, or `None` if it is out of range.
#[inline]
pub(super) fn entry_at<D>(entries: &[Entry<D>], position: u32) -> Option<&Entry<D>> {
    entries.get(usize::try_from(position).ok()?)
}

impl LogKey for Ipv4Net {
    fn hash_with(&self, hasher: &DefaultHashBuilder) -> u64 {
        let host_bits = u32::from(32 - self.prefix_len());
        // The shift of the default route is 32 bits, which overflows; its network number is 0.
        let network = self.addr().to_bits().checked_shr(host_bits).unwrap_or(0);
        let number = u64::from(network) | u64::from(self.prefix_len()) << u32::BITS;
        hash_in_blocks(hasher, number / BLOCK, number % BLOCK)
    }

    fn copy(entry: &Entry<Self>) -> Entry<Self> {
        *entry
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

    fn copy(entry: &Entry<Self>) -> Entry<Self> {
        *entry
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

/// The state of a withdrawn path.
pub(super) const TOMBSTONE: u32 = u32::MAX - 1;

/// The state of a position whose path has a newer one.
pub(super) const DEAD: u32 = u32::MAX;
