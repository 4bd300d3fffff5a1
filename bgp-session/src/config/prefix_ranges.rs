//! `PrefixRanges`: the prefixes that a policy permits, with an index if there are many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;

use super::prefix_range::PrefixRange;

/// A list of ranges. A prefix is in it if it is in one of the ranges.
// Every route of the table is looked up, and the caller decides the numbers of both: looking at every range for every route
// would take quadratic time for a policy that lists each route.
#[derive(Clone, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(from = "Vec<PrefixRange>", into = "Vec<PrefixRange>")
)]
pub(super) struct PrefixRanges {
    ranges: Vec<PrefixRange>,
    /// Shared by the copies of a policy, of which each peer has one. `None` for a few ranges.
    index: Option<Arc<Index>>,
}

/// The permitted lengths by prefix.
#[derive(Debug, Default)]
struct Index {
    permitted: BTreeMap<IpNet, Lengths>,
    /// The lengths of the prefixes in `permitted`.
    lengths: BTreeSet<u8>,
}

/// A set of prefix lengths.
#[derive(Clone, Copy, Debug, Default)]
struct Lengths {
    /// `true` if length 0 is in the set.
    zero: bool,
    /// A bit for each length from 1 to 128.
    others: u128,
}

impl PrefixRanges {
    /// Returns the ranges, in the order in which they were given.
    pub(super) fn as_slice(&self) -> &[PrefixRange] {
        &self.ranges
    }

    /// Returns `true` if the prefix is in one of the ranges.
    pub(super) fn contains(&self, prefix: IpNet) -> bool {
        match &self.index {
            Some(index) => index.contains(prefix),
            None => self.ranges.iter().any(|range| range.contains(prefix)),
        }
    }
}

impl From<Vec<PrefixRange>> for PrefixRanges {
    fn from(ranges: Vec<PrefixRange>) -> Self {
        let is_indexed = ranges.len() > MAX_SEARCHED;
        Self {
            index: is_indexed.then(|| Arc::new(Index::new(&ranges))),
            ranges,
        }
    }
}

#[cfg(feature = "serde")]
impl From<PrefixRanges> for Vec<PrefixRange> {
    fn from(ranges: PrefixRanges) -> Self {
        ranges.ranges
    }
}

impl PartialEq for PrefixRanges {
    fn eq(&self, other: &Self) -> bool {
        self.ranges == other.ranges
    }
}

impl Eq for PrefixRanges {}

impl Index {
    fn new(ranges: &[PrefixRange]) -> Self {
        let mut index = Self::default();
        for range in ranges {
            let permitted = index.permitted.entry(range.prefix).or_default();
            for length in range.min_length..=range.max_length {
                permitted.insert(length);
            }
            index.lengths.insert(range.prefix.prefix_len());
        }
        index
    }

    /// Returns `true` if the prefix is in one of the ranges.
    fn contains(&self, prefix: IpNet) -> bool {
        let length = prefix.prefix_len();
        // A prefix is inside of at most one prefix of each length.
        self.lengths.range(..=length).any(|&outer| {
            let outer = IpNet::new(prefix.addr(), outer).ok();
            outer
                .and_then(|outer| self.permitted.get(&outer.trunc()))
                .is_some_and(|permitted| permitted.contains(length))
        })
    }
}

impl Lengths {
    fn insert(&mut self, length: u8) {
        match length.checked_sub(1) {
            Some(bit) => self.others |= 1 << bit,
            None => self.zero = true,
        }
    }

    fn contains(self, length: u8) -> bool {
        match length.checked_sub(1) {
            Some(bit) => self.others >> bit & 1 == 1,
            None => self.zero,
        }
    }
}

/// The maximum number of ranges that are searched one by one.
const MAX_SEARCHED: usize = 8;

#[cfg(test)]
mod tests {
    use ipnet::{Ipv4Net, Ipv6Net};
    use proptest::prelude::*;

    use super::*;

    /// Returns few addresses with prefixes of every length, so that ranges contain each other.
    fn prefix() -> impl Strategy<Value = IpNet> {
        let ipv4 = (0..4u8, 0..4u8, 0..=32u8).prop_map(|(high, low, length)| {
            Ipv4Net::new_assert([192 + high, 0, 2, low].into(), length).into()
        });
        let ipv6 = (0..4u16, 0..4u16, 0..=128u8).prop_map(|(high, low, length)| {
            Ipv6Net::new_assert([0x2001, 0xdb8 + high, 0, 0, 0, 0, 0, low].into(), length).into()
        });
        prop_oneof![ipv4, ipv6].prop_map(|prefix: IpNet| prefix.trunc())
    }

    fn range() -> impl Strategy<Value = PrefixRange> {
        (prefix(), 0..200u8, 0..200u8).prop_map(|(prefix, minimum, maximum)| {
            let (shortest, longest) = (prefix.prefix_len(), prefix.max_prefix_len());
            let minimum = minimum.clamp(shortest, longest);
            PrefixRange::lengths(prefix, minimum, maximum.clamp(minimum, longest)).unwrap()
        })
    }

    proptest! {
        #[test]
        fn index_equals_a_search_of_the_ranges(ranges in prop::collection::vec(range(), 0..40), prefixes in prop::collection::vec(prefix(), 40)) {
            let index = Index::new(&ranges);
            for prefix in prefixes {
                let expected = ranges.iter().any(|range| range.contains(prefix));
                prop_assert_eq!(index.contains(prefix), expected, "{}", prefix);
                prop_assert_eq!(PrefixRanges::from(ranges.clone()).contains(prefix), expected);
            }
        }
    }

    #[test]
    fn many_ranges_are_searched_by_their_lengths() {
        let host = |number: u32| Ipv4Net::new_assert((0x0a00_0000 + number).into(), 32).into();
        let ranges: Vec<_> = (0..10_000)
            .map(|number| PrefixRange::exactly(host(number)))
            .collect();
        let ranges = PrefixRanges::from(ranges);
        let index = ranges.index.as_ref().unwrap();
        assert_eq!((index.lengths.len(), index.permitted.len()), (1, 10_000));
        assert!(ranges.contains(host(9999)) && !ranges.contains(host(10_000)));
        assert!(Arc::ptr_eq(index, ranges.clone().index.as_ref().unwrap()));
    }
}
