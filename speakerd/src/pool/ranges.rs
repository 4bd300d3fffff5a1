//! `Ranges`: the ranges of all pools, found by address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::range::size;

/// Networks that do not overlap, each with the position of its pool.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges(BTreeMap<IpAddr, (IpNet, usize)>);

impl Ranges {
    /// Creates the index of the ranges of pools, in their order.
    pub(crate) fn new<'a>(pools: impl IntoIterator<Item = &'a [IpNet]>) -> Self {
        let ranges = pools.into_iter().enumerate().flat_map(|(pool, ranges)| {
            let entry = move |range: &IpNet| (range.network(), (*range, pool));
            ranges.iter().map(entry)
        });
        Self(ranges.collect())
    }

    /// Returns the range with an address, and the position of its pool.
    pub(crate) fn of_address(&self, address: IpAddr) -> Option<(IpNet, usize)> {
        let (_, found) = self.0.range(..=address).next_back()?;
        found.0.contains(&address).then_some(*found)
    }

    /// Returns the position of the pool whose ranges cover a prefix.
    pub(crate) fn pool_of(&self, prefix: IpNet) -> Option<usize> {
        if let Some((range, pool)) = self.of_address(prefix.network())
            && range.contains(&prefix)
        {
            return Some(pool);
        }
        // The prefix is longer than each range that it has: together they must have all of its addresses.
        let mut inside = self.0.range(prefix.network()..=prefix.broadcast());
        let (_, (first, pool)) = inside.next()?;
        let mut covered = size(*first);
        for (_, (range, other)) in inside {
            if other != pool {
                return None;
            }
            covered = covered.saturating_add(size(*range));
        }
        (prefix.contains(first) && covered == size(prefix)).then_some(*pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_found_in_the_ranges_of_one_pool() {
        let parse = |ranges: &[&str]| -> Vec<IpNet> {
            ranges.iter().map(|range| range.parse().unwrap()).collect()
        };
        let pools = [
            parse(&["10.0.0.0/25", "10.0.0.128/25", "10.0.2.0/24"]),
            parse(&["10.0.4.0/25"]),
            parse(&["10.0.4.128/25", "::/1", "8000::/1"]),
        ];
        let ranges = Ranges::new(pools.iter().map(Vec::as_slice));
        for (prefix, pool) in [
            ("10.0.0.0/24", Some(0)),
            ("10.0.0.7/32", Some(0)),
            ("10.0.0.128/25", Some(0)),
            ("10.0.0.0/23", None),
            ("10.0.2.0/24", Some(0)),
            ("10.0.2.0/23", None),
            ("10.0.1.255/32", None),
            ("9.255.255.255/32", None),
            ("10.0.4.200/32", Some(2)),
            // Half of it belongs to another pool.
            ("10.0.4.0/24", None),
            ("0.0.0.0/0", None),
            ("::/0", Some(2)),
            ("2001:db8::/32", Some(2)),
        ] {
            assert_eq!(ranges.pool_of(prefix.parse().unwrap()), pool, "{prefix}");
        }
    }
}
