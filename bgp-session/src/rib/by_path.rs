//! Groups a window of changes by path, so that routes with the same attributes share messages.

use super::entry::{Change, Entry, LogKey};

/// Sorts withdrawals first, then announcements by the number of their path. The sort is stable. All numbers are below
/// `limit`.
pub(super) fn group<D: LogKey>(window: &mut Vec<Entry<D>>, limit: usize) {
    // A table with one set of attributes is always sorted.
    if window.is_sorted_by_key(rank) {
        return;
    }
    let max_rank = window.len() * 2;
    // Finding the highest rank takes a pass over the window, which is wasted if `limit` is low enough already.
    let highest = Some(limit)
        .filter(|limit| *limit <= max_rank)
        .or_else(|| window.iter().map(rank).max());
    // Paths are numbered from 0. Counting is much faster than comparing, unless the numbers are large for the window.
    match highest {
        Some(highest) if highest <= max_rank => counting_sort(window, highest),
        _ => window.sort_by_key(rank),
    }
}

/// Returns the position of a change's group in the order of the groups.
fn rank<D>(route: &Entry<D>) -> usize {
    match route.change() {
        Change::Withdrawn => 0,
        Change::Announced(key) => usize::try_from(key.number()).map_or(usize::MAX, |rank| rank + 1),
    }
}

/// Sorts a window whose ranks are at most `highest`.
fn counting_sort<D: LogKey>(window: &mut Vec<Entry<D>>, highest: usize) {
    // First the number of changes of each rank; after the second loop the position of the next change of each rank.
    let mut positions = vec![0; highest + 1];
    for route in window.iter() {
        let count = positions.get_mut(rank(route));
        debug_assert!(
            count.is_some(),
            "rank of {:?} above {highest}",
            route.change()
        );
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
    for route in window.iter() {
        if let Some(position) = positions.get_mut(rank(route))
            && let Some(place) = grouped.get_mut(*position)
        {
            *place = D::copy(route);
            *position += 1;
        }
    }
    *window = grouped;
}

#[cfg(test)]
mod tests {
    use ipnet::Ipv4Net;

    use super::super::entry::Key;
    use super::super::intern::PathKey;
    use super::super::slots::DestinationSlots;
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
            let mut slots = DestinationSlots::default();
            let mut window: Vec<_> = (0..100)
                .map(|number| Entry::new(key(number), slots.allocate(), change(number)))
                .collect();
            let mut sorted = window.clone();
            sorted.sort_by_key(rank);
            group(&mut window, usize::try_from(paths).unwrap());
            assert_eq!(window, sorted, "{paths} paths");
        }
    }
}
