//! Groups a window of changes by path, so that routes with the same attributes share messages.

use super::key::{Key, LogKey};
use super::log::Change;

/// Sorts withdrawals first, then announcements by the number of their path. The sort is stable. All numbers are below
/// `limit`.
pub(super) fn group<D: LogKey>(window: &mut Vec<(Key<D>, Change)>, limit: usize) {
    // A table with one set of attributes is always sorted.
    if window.is_sorted_by_key(|(_, change)| rank(change)) {
        return;
    }
    let max_rank = window.len() * 2;
    // Finding the highest rank takes a pass over the window, which is wasted if `limit` is low enough already.
    let highest = Some(limit)
        .filter(|limit| *limit <= max_rank)
        .or_else(|| window.iter().map(|(_, change)| rank(change)).max());
    // Paths are numbered from 0. Counting is much faster than comparing, unless the numbers are large for the window.
    match highest {
        Some(highest) if highest <= max_rank => counting_sort(window, highest),
        _ => window.sort_by_key(|(_, change)| rank(change)),
    }
}

/// Returns the position of a change's group in the order of the groups.
fn rank(change: &Change) -> usize {
    match change {
        Change::Withdrawn => 0,
        Change::Announced(key) => usize::try_from(key.number()).map_or(usize::MAX, |rank| rank + 1),
    }
}

/// Sorts a window whose ranks are at most `highest`.
fn counting_sort<D: LogKey>(window: &mut Vec<(Key<D>, Change)>, highest: usize) {
    // First the number of changes of each rank; after the second loop the position of the next change of each rank.
    let mut positions = vec![0; highest + 1];
    for (_, change) in window.iter() {
        let count = positions.get_mut(rank(change));
        debug_assert!(count.is_some(), "rank of {change:?} above {highest}");
        if let Some(count) = count {
            *count += 1;
        }
    }
    let mut total = 0;
    for position in &mut positions {
        total += std::mem::replace(position, total);
    }
    // Cloning gives a buffer of the right length without a default key, which `D` need not have.
    let mut grouped = window.clone();
    for item in window.iter() {
        if let Some(position) = positions.get_mut(rank(&item.1))
            && let Some(slot) = grouped.get_mut(*position)
        {
            *slot = (D::copy(&item.0), item.1);
            *position += 1;
        }
    }
    *window = grouped;
}

#[cfg(test)]
mod tests {
    use ipnet::Ipv4Net;

    use super::super::intern::PathKey;
    use super::*;
    use crate::route::DEFAULT_PATH;

    #[test]
    fn grouped_window_equals_sorted_window() {
        // Few paths are counted, a thousand are sorted.
        for paths in [1, 3, 90, 1000] {
            let change = |number: u32| match number % 7 {
                0 => Change::Withdrawn,
                _ => Change::Announced(PathKey::from_number(number * 37 % paths).unwrap()),
            };
            let key = |number: u32| Key {
                destination: Ipv4Net::new_assert(number.into(), 32),
                path_id: DEFAULT_PATH,
            };
            let mut window: Vec<_> = (0..100)
                .map(|number| (key(number), change(number)))
                .collect();
            let mut sorted = window.clone();
            sorted.sort_by_key(|(_, change)| rank(change));
            group(&mut window, usize::try_from(paths).unwrap());
            assert_eq!(window, sorted, "{paths} paths");
        }
    }
}
