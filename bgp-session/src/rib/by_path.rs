//! Grouping a window of changes by path: what is to be written together is put together.

use super::log::{Change, Key, LogKey};

/// Withdrawals come first, then every path's routes, by its number; within each the order stays. All paths have numbers below
/// `limit`.
///
/// Paths are numbered from 0, so that counting does for all but the largest numbers what sorting would take far longer for.
pub(super) fn group<D: LogKey>(window: &mut Vec<(Key<D>, Change)>, limit: usize) {
    if window.is_sorted_by_key(|(_, change)| rank(change)) {
        return;
    }
    let few = window.len() * 2;
    let ranks = || window.iter().map(|(_, change)| rank(change));
    // The largest number in the window is worth looking for only if counting does not pay anyway.
    let highest = Some(limit).filter(|limit| *limit <= few);
    match highest.or_else(|| ranks().max()) {
        Some(highest) if highest <= few => count(window, highest),
        _ => window.sort_by_key(|(_, change)| rank(change)),
    }
}

fn rank(change: &Change) -> usize {
    match change {
        Change::Withdrawn => 0,
        Change::Announced(key) => usize::try_from(key.number()).map_or(usize::MAX, |rank| rank + 1),
    }
}

fn count<D: LogKey>(window: &mut Vec<(Key<D>, Change)>, highest: usize) {
    // How many changes each rank has; then where the next of each goes.
    let mut places = vec![0; highest + 1];
    for (_, change) in window.iter() {
        if let Some(count) = places.get_mut(rank(change)) {
            *count += 1;
        }
    }
    let mut total = 0;
    for place in &mut places {
        total += std::mem::replace(place, total);
    }
    let mut grouped = window.clone();
    for item in window.iter() {
        if let Some(place) = places.get_mut(rank(&item.1))
            && let Some(slot) = grouped.get_mut(*place)
        {
            *slot = (D::copy(&item.0), item.1);
            *place += 1;
        }
    }
    *window = grouped;
}

#[cfg(test)]
mod tests {
    use ipnet::Ipv4Net;

    use super::super::intern::PathKey;
    use super::super::route::DEFAULT_PATH;
    use super::*;

    #[test]
    fn groups_as_sorting_would() {
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
