//! Lists without their duplicates, in the order of the first of each.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Calls `act` with the first of each equal items.
pub(crate) fn each_distinct<T: Ord>(items: &[T], mut act: impl FnMut(&T)) {
    if items.len() <= MAX_SEARCHED {
        // Comparing all pairs of a few items is faster than a set, and allocates nothing.
        for (position, item) in items.iter().enumerate() {
            if !items.iter().take(position).any(|earlier| earlier == item) {
                act(item);
            }
        }
    } else {
        let mut seen = BTreeSet::new();
        for item in items {
            if seen.insert(item) {
                act(item);
            }
        }
    }
}

/// Removes duplicates: keeps the first of each.
pub(crate) fn dedup<T: Ord + Copy>(items: &mut Vec<T>) {
    let mut kept = Vec::with_capacity(items.len());
    each_distinct(items, |item| kept.push(*item));
    *items = kept;
}

/// Returns the items grouped by `key`, the groups in the order of their first items.
pub(crate) fn grouped<T, K: Ord>(items: &[T], key: impl Fn(&T) -> K) -> Vec<&T> {
    let mut groups = BTreeMap::new();
    let mut ranked: Vec<_> = items
        .iter()
        .map(|item| {
            let next = groups.len();
            (*groups.entry(key(item)).or_insert(next), item)
        })
        .collect();
    // Stable: the order inside of a group is that of the caller.
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, item)| item).collect()
}

/// The maximum number of items of which all pairs are compared.
const MAX_SEARCHED: usize = 16;

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::cmp::Ordering;
    use std::prelude::v1::*;

    use super::*;

    /// A number that counts its comparisons.
    #[derive(Clone, Copy, Debug)]
    struct Counted<'a>(u32, &'a Cell<usize>);

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.cmp(other) == Ordering::Equal
        }
    }

    impl Eq for Counted<'_> {}

    impl PartialOrd for Counted<'_> {
        fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }

    impl Ord for Counted<'_> {
        fn cmp(&self, other: &Self) -> Ordering {
            self.1.set(self.1.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    /// Returns the comparisons that `run` makes of this many different items.
    fn comparisons(count: u32, run: impl FnOnce(&mut Vec<Counted<'_>>)) -> usize {
        let counter = Cell::new(0);
        // Neither ascending nor descending, which a sort would recognize.
        let mut items = (0..count)
            .map(|number| Counted(number.wrapping_mul(0x9e37_79b9), &counter))
            .collect();
        run(&mut items);
        counter.get()
    }

    #[test]
    fn comparisons_do_not_grow_with_the_square() {
        fn deduplicate(items: &mut Vec<Counted<'_>>) {
            dedup(items);
        }
        fn group(items: &mut Vec<Counted<'_>>) {
            assert_eq!(grouped(items.as_slice(), |item| *item).len(), items.len());
        }
        let runs: [fn(&mut Vec<Counted<'_>>); 2] = [deduplicate, group];
        for run in runs {
            let (few, many) = (comparisons(1000, run), comparisons(100_000, run));
            // A hundred times the items, and a factor for the logarithm.
            assert!(many < few * 300, "{few} for 1000, {many} for 100000");
        }
    }

    #[test]
    fn first_of_equal_items_stays_in_order() {
        for length in [0, 5, 16, 17, 300] {
            let mut items: Vec<u32> = (0..length).map(|number| number * 7 % 10).collect();
            dedup(&mut items);
            let expected: Vec<u32> = (0..length.min(10)).map(|number| number * 7 % 10).collect();
            assert_eq!(items, expected, "{length}");
        }
    }

    #[test]
    fn groups_are_in_the_order_of_their_first_items() {
        let items = ["b1", "a1", "b2", "c1", "a2"];
        let first = |item: &&str| item.chars().next();
        assert_eq!(grouped(&items, first), [&"b1", &"b2", &"a1", &"a2", &"c1"]);
    }
}
