//! `DestinationSlots`: the numbers of the destinations of a log.
//!
//! The numbers are dense, so that a peer can have a set of destinations with one bit for each.

/// The number of a destination in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct DestinationSlot(u32);

impl DestinationSlot {
    /// Returns the number as an index.
    pub(super) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The numbers that are in use, and those that are free.
#[derive(Debug, Default)]
pub(super) struct DestinationSlots {
    /// All numbers in use are below it.
    end: u32,
    /// The free numbers below `end`, in descending order.
    free: Vec<u32>,
}

impl DestinationSlots {
    /// Returns a number that is not in use.
    pub(super) fn allocate(&mut self) -> DestinationSlot {
        // Low numbers are used first: sets of numbers stay small after a large table has become a small one.
        let slot = self.free.pop().unwrap_or_else(|| {
            let slot = self.end;
            // A log has fewer positions than `u32` has values, and each destination has a position.
            debug_assert!(slot < u32::MAX, "slot out of range");
            self.end = slot.saturating_add(1);
            slot
        });
        DestinationSlot(slot)
    }

    /// Frees all numbers that are not among these.
    pub(super) fn retain(&mut self, slots: impl Iterator<Item = DestinationSlot>) {
        let mut used = vec![false; DestinationSlot(self.end).index()];
        for slot in slots {
            if let Some(used) = used.get_mut(slot.index()) {
                *used = true;
            }
        }
        let end = used
            .iter()
            .rposition(|used| *used)
            .map_or(0, |last| last + 1);
        self.end = u32::try_from(end).unwrap_or(u32::MAX);
        self.free.clear();
        let unused = (0..self.end).rev().zip(used.iter().take(end).rev());
        self.free
            .extend(unused.filter(|(_, used)| !**used).map(|(slot, _)| slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lowest_free_slot_is_allocated_first() {
        let mut slots = DestinationSlots::default();
        let numbers = |slots: &mut DestinationSlots, count: usize| -> Vec<usize> {
            (0..count).map(|_| slots.allocate().index()).collect()
        };
        assert_eq!(numbers(&mut slots, 5), [0, 1, 2, 3, 4]);
        slots.retain([3, 1].map(DestinationSlot).into_iter());
        assert_eq!(numbers(&mut slots, 4), [0, 2, 4, 5]);
        slots.retain(std::iter::empty());
        assert_eq!(numbers(&mut slots, 2), [0, 1]);
    }
}
