//! `Checkpoints`: the positions of a log up to which a version of the table is complete.
//!
//! An entry of the log has no version, which would cost eight octets an entry. A flush needs one position only: that of
//! the last change before it.

/// Checkpoints in ascending order of both position and version, at most one for each position of the log.
#[derive(Debug)]
pub(super) struct Checkpoints {
    all: Vec<Checkpoint>,
    /// The number of checkpoints at which passed ones are looked for.
    search_at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Checkpoint {
    /// Every change up to `version` is before this position.
    position: usize,
    version: u64,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            search_at: MIN_SEARCH,
        }
    }
}

impl Checkpoints {
    /// Records that every change up to `version` is before `end`, the end of the log.
    pub(super) fn add(&mut self, end: usize, version: u64) {
        match self.all.last_mut() {
            // Changes of other logs have made the versions since.
            Some(last) if last.position == end => last.version = version,
            last => {
                debug_assert!(last.is_none_or(|last| last.position < end));
                self.all.push(Checkpoint {
                    position: end,
                    version,
                });
            }
        }
    }

    /// Returns the highest known version of which every change is before `position`.
    pub(super) fn version_before(&self, position: usize) -> Option<u64> {
        let passed = self
            .all
            .partition_point(|checkpoint| checkpoint.position <= position);
        let last = passed.checked_sub(1)?;
        self.all.get(last).map(|checkpoint| checkpoint.version)
    }

    /// Returns `true` if there are enough checkpoints to look for passed ones.
    pub(super) fn is_search_due(&self) -> bool {
        self.all.len() >= self.search_at
    }

    /// Removes the checkpoints before `slowest`, the lowest position of a consumer.
    pub(super) fn remove_passed(&mut self, slowest: usize) {
        let passed = self
            .all
            .partition_point(|checkpoint| checkpoint.position < slowest);
        self.all.drain(..passed);
        // A search at every addition would cost a look at every consumer each time.
        self.search_at = (2 * self.all.len()).max(MIN_SEARCH);
    }

    /// Returns the positions of the checkpoints.
    pub(super) fn positions(&self) -> impl Iterator<Item = usize> {
        self.all.iter().map(|checkpoint| checkpoint.position)
    }

    /// Moves the checkpoints because the entries of the log have moved.
    pub(super) fn relocate(&mut self, new_position: impl Fn(usize) -> usize) {
        for checkpoint in &mut self.all {
            checkpoint.position = new_position(checkpoint.position);
        }
        // The entries between two checkpoints may all be gone. The later one then includes the earlier one.
        self.all.dedup_by(|later, earlier| {
            let is_same = later.position == earlier.position;
            if is_same {
                earlier.version = later.version;
            }
            is_same
        });
    }
}

/// Do not look for passed checkpoints below this number.
const MIN_SEARCH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn with(checkpoints: &[(usize, u64)]) -> Checkpoints {
        let mut all = Checkpoints::default();
        for (position, version) in checkpoints {
            all.add(*position, *version);
        }
        all
    }

    #[test]
    fn version_is_that_of_the_last_checkpoint_up_to_the_position() {
        let checkpoints = with(&[(3, 10), (3, 11), (7, 20)]);
        let versions = [0, 2, 3, 6, 7, 8].map(|position| checkpoints.version_before(position));
        let expected = [None, None, Some(11), Some(11), Some(20), Some(20)];
        assert_eq!(versions, expected);
    }

    #[test]
    fn moved_checkpoints_with_one_position_become_one() {
        let mut checkpoints = with(&[(3, 10), (5, 11), (7, 20)]);
        checkpoints.relocate(|position| position / 4);
        assert_eq!(checkpoints.all, with(&[(0, 10), (1, 20)]).all);
    }

    #[test]
    fn passed_checkpoints_are_removed_after_a_number_of_additions() {
        let mut checkpoints = Checkpoints::default();
        let mut searches = 0;
        for position in 0..10_000_usize {
            if checkpoints.is_search_due() {
                checkpoints.remove_passed(position.saturating_sub(5));
                searches += 1;
            }
            checkpoints.add(position, 1);
        }
        assert!(checkpoints.all.len() <= MIN_SEARCH);
        assert!(searches <= 10_000 / (MIN_SEARCH - 5) + 1, "{searches}");
        // A consumer that has stopped keeps the checkpoints after it, and searches become rare.
        let mut searches = 0;
        for position in 10_000..20_000 {
            if checkpoints.is_search_due() {
                checkpoints.remove_passed(9_990);
                searches += 1;
            }
            checkpoints.add(position, 1);
        }
        assert!(searches < 10, "{searches}");
    }
}
