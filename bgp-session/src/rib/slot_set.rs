//! `SlotSet`: a set of destinations, with one bit for each.

use super::slots::DestinationSlot;

/// A set of destinations of one log. An empty set uses no memory.
#[derive(Debug, Default)]
pub(super) struct SlotSet {
    /// The bits in order. A chunk without a bit that is set is absent.
    chunks: Vec<Option<Box<Chunk>>>,
    /// The number of chunks that are present.
    present: usize,
}

/// The bits of [`CHUNK_SLOTS`] consecutive slots.
#[derive(Debug)]
struct Chunk {
    words: [u64; CHUNK_SLOTS / WORD_SLOTS],
    /// The number of bits that are set.
    count: usize,
}

impl SlotSet {
    /// Returns `true` if the set contains no slot.
    pub(super) fn is_empty(&self) -> bool {
        self.present == 0
    }

    /// Adds a slot. Returns `false` if the set already contains it.
    pub(super) fn insert(&mut self, slot: DestinationSlot) -> bool {
        let (chunk, word, bit) = position(slot);
        if chunk >= self.chunks.len() {
            self.chunks.resize_with(chunk + 1, || None);
        }
        let Some(chunk) = self.chunks.get_mut(chunk) else {
            debug_assert!(false, "chunk out of range after resizing");
            return false;
        };
        let chunk = chunk.get_or_insert_with(|| {
            self.present += 1;
            Box::new(Chunk {
                words: [0; CHUNK_SLOTS / WORD_SLOTS],
                count: 0,
            })
        });
        match chunk.words.get_mut(word) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                chunk.count += 1;
                true
            }
            _ => false,
        }
    }

    /// Removes a slot. Returns `false` if the set does not contain it.
    pub(super) fn remove(&mut self, slot: DestinationSlot) -> bool {
        let (index, word, bit) = position(slot);
        let Some(entry) = self.chunks.get_mut(index) else {
            return false;
        };
        let Some(chunk) = entry else {
            return false;
        };
        match chunk.words.get_mut(word) {
            Some(word) if *word & bit != 0 => *word &= !bit,
            _ => return false,
        }
        chunk.count -= 1;
        if chunk.count == 0 {
            *entry = None;
            self.present -= 1;
            if self.present == 0 {
                self.chunks = Vec::new();
            }
        }
        true
    }
}

/// Returns the index of the chunk of a slot, the index of the word in the chunk, and the bit in the word.
fn position(slot: DestinationSlot) -> (usize, usize, u64) {
    let index = slot.index();
    let word = index % CHUNK_SLOTS / WORD_SLOTS;
    (index / CHUNK_SLOTS, word, 1 << (index % WORD_SLOTS))
}

/// The number of slots in a chunk: 512 octets of bits.
const CHUNK_SLOTS: usize = 4096;

/// The number of slots in a word.
const WORD_SLOTS: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::slots::DestinationSlots;
    use super::*;

    /// Returns slots at the ends of words and chunks.
    fn slots() -> Vec<DestinationSlot> {
        let mut slots = DestinationSlots::default();
        (0..3 * CHUNK_SLOTS).map(|_| slots.allocate()).collect()
    }

    #[test]
    fn set_equals_a_sorted_set() {
        let slots = slots();
        let (mut set, mut model) = (SlotSet::default(), BTreeSet::new());
        // A step that has no factor in common with the number of slots visits all of them.
        for step in 0..slots.len() {
            let slot = slots[step * 37 % slots.len()];
            if step % 3 == 0 {
                assert_eq!(set.insert(slot), model.insert(slot.index()));
                assert!(!set.insert(slot));
            }
            let other = slots[step * 1001 % slots.len()];
            assert_eq!(set.remove(other), model.remove(&other.index()));
        }
        assert!(!model.is_empty());
        for slot in slots {
            assert_eq!(set.remove(slot), model.remove(&slot.index()));
            assert_eq!(set.is_empty(), model.is_empty());
        }
    }

    #[test]
    fn chunks_without_slots_are_freed() {
        let slots = slots();
        let mut set = SlotSet::default();
        slots.iter().for_each(|slot| assert!(set.insert(*slot)));
        assert_eq!(set.present, 3);
        for slot in &slots[..CHUNK_SLOTS] {
            assert!(set.remove(*slot));
        }
        assert_eq!(set.present, 2);
        assert!(set.chunks[0].is_none() && set.chunks[1].is_some());
        for slot in &slots[CHUNK_SLOTS..] {
            assert!(set.remove(*slot));
        }
        assert_eq!((set.present, set.chunks.capacity()), (0, 0));
    }
}
