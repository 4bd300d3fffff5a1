//! `AsPathBuf`: an AS path to send, and the merge of a received path with AS4_PATH (RFC 6793).

use alloc::vec::Vec;

use super::AsPath;
use super::as_path::AllowedSegments;
use crate::asn::Asn;
use crate::iana::SegmentType;
use crate::sink::Sink;

/// An AS path to send.
///
/// ```
/// use bgp_wire::{AsPathBuf, Asn};
/// let path = AsPathBuf::sequence([64512, 64513].map(Asn::new));
/// assert_eq!(path.prepend(Asn::new(1), 2).to_string(), "1 1 64512 64513");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsPathBuf {
    /// The segments, nearest AS first. Empty segments are not encoded.
    pub segments: Vec<SegmentBuf>,
}

/// One segment of an [`AsPathBuf`]. More than 255 AS numbers are encoded as several segments of the same type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SegmentBuf {
    /// The type of the segment.
    pub segment_type: SegmentType,
    /// The AS numbers, nearest first.
    pub asns: Vec<Asn>,
}

impl AsPathBuf {
    /// Appends a segment at the far end. Consecutive sequences become one.
    pub(crate) fn push(&mut self, segment: SegmentBuf) {
        // Two sequences mean the same as one; two sets do not, because each counts one in the path length.
        match self.segments.last_mut() {
            _ if segment.asns.is_empty() => {}
            Some(last)
                if last.segment_type == segment.segment_type && !segment.segment_type.is_set() =>
            {
                last.asns.extend(segment.asns);
            }
            _ => self.segments.push(segment),
        }
    }

    /// Creates a path of one AS_SEQUENCE. The path is empty if `asns` is.
    #[must_use]
    pub fn sequence(asns: impl IntoIterator<Item = Asn>) -> Self {
        let asns: Vec<_> = asns.into_iter().collect();
        let segment = SegmentBuf {
            segment_type: SegmentType::AS_SEQUENCE,
            asns,
        };
        Self {
            segments: if segment.asns.is_empty() {
                Vec::new()
            } else {
                [segment].into()
            },
        }
    }

    /// Returns the path with `asn` prepended `times` times (RFC 4271 section 5.1.2 (b)).
    #[must_use]
    pub fn prepend(mut self, asn: Asn, times: usize) -> Self {
        match self.segments.first_mut() {
            Some(first) if first.segment_type == SegmentType::AS_SEQUENCE => {
                first.asns.splice(0..0, core::iter::repeat_n(asn, times));
                self
            }
            _ => {
                let mut path = Self::sequence(core::iter::repeat_n(asn, times));
                path.segments.append(&mut self.segments);
                path
            }
        }
    }

    /// Returns the path length for route selection: a set counts one, and confederation segments count nothing
    /// (RFC 4271 section 9.1.2.2 (a), RFC 5065 section 5.3).
    #[must_use]
    pub fn length(&self) -> usize {
        let length = |segment: &SegmentBuf| match segment.segment_type {
            SegmentType::AS_SEQUENCE => segment.asns.len(),
            SegmentType::AS_SET => 1,
            _ => 0,
        };
        self.segments.iter().map(length).sum()
    }

    /// Returns this path, received with two-octet AS numbers, with its far end replaced by `as4_path` (RFC 6793 section
    /// 4.2.3).
    ///
    /// The near end keeps enough of this path to preserve the path length. If `as4_path` is longer than this path, it
    /// is ignored.
    #[must_use]
    pub fn merge(self, mut as4_path: Self) -> Self {
        // RFC 6793 section 6: confederation segments in AS4_PATH are discarded, because they belong only in AS_PATH.
        as4_path
            .segments
            .retain(|segment| !segment.segment_type.is_confederation());
        let Some(mut lead) = self.length().checked_sub(as4_path.length()) else {
            return self;
        };
        let mut merged = Self::default();
        let mut previous_stays = true;
        for mut segment in self.segments {
            match segment.segment_type {
                SegmentType::AS_SEQUENCE => {
                    segment.asns.truncate(lead);
                    lead -= segment.asns.len();
                }
                SegmentType::AS_SET if lead == 0 => segment.asns.clear(),
                SegmentType::AS_SET => lead -= 1,
                // RFC 6793 section 4.2.3: a confederation segment stays if it leads or is adjacent to one that stays.
                _ if previous_stays => {}
                _ => segment.asns.clear(),
            }
            previous_stays = !segment.asns.is_empty();
            merged.push(segment);
        }
        as4_path
            .segments
            .into_iter()
            .for_each(|segment| merged.push(segment));
        merged
    }

    /// Returns `true` if a peer accepts the path: only allowed segment types, and no AS 0.
    pub(super) fn is_legal(&self, allowed: AllowedSegments) -> bool {
        // Empty segments are not encoded, so the first encoded segment is the one that must be allowed to lead.
        let mut segments = self.segments.iter();
        let first = segments.clone().find(|segment| !segment.asns.is_empty());
        let begins = allowed.begins(first.map(|segment| segment.segment_type));
        begins
            && segments.all(|SegmentBuf { segment_type, asns }| {
                allowed.has(*segment_type) && asns.iter().all(|asn| asn.number() != 0)
            })
    }

    /// Returns `true` if every AS number fits into two octets.
    #[must_use]
    pub fn fits_two_octets(&self) -> bool {
        self.segments
            .iter()
            .flat_map(|segment| &segment.asns)
            .all(|asn| asn.number() <= u16::MAX.into())
    }

    /// Returns the segments for AS4_PATH: all except those of a confederation (RFC 6793 section 4.2.2).
    pub(super) fn as4_segments(&self) -> impl Iterator<Item = &SegmentBuf> + Clone {
        self.segments
            .iter()
            .filter(|segment| !segment.segment_type.is_confederation())
    }
}

/// Returns the number of octets that [`write()`] writes.
pub(super) fn encoded_length<'a>(
    segments: impl Iterator<Item = &'a SegmentBuf>,
    four_octet_as: bool,
) -> usize {
    let number = if four_octet_as { 4 } else { 2 };
    segments
        .map(|SegmentBuf { asns, .. }| {
            // Fast path without a division: few paths have more than 255 AS numbers.
            let headers = if asns.len() <= 255 {
                usize::from(!asns.is_empty())
            } else {
                asns.len().div_ceil(255)
            };
            headers * 2 + asns.len() * number
        })
        .sum()
}

/// Writes the segments, each split into parts of at most 255 AS numbers.
#[inline(always)]
pub(super) fn write<'a>(
    segments: impl Iterator<Item = &'a SegmentBuf>,
    four_octet_as: bool,
    out: &mut impl Sink,
) {
    for SegmentBuf { segment_type, asns } in segments {
        // RFC 4271 section 4.3: the count of a segment has one octet. An empty segment, which is malformed, has no
        // chunk.
        for part in asns.chunks(255) {
            let count = u8::try_from(part.len());
            debug_assert!(count.is_ok(), "a part has at most 255 AS numbers");
            out.put(&[segment_type.0, count.unwrap_or(u8::MAX)]);
            for asn in part {
                if four_octet_as {
                    out.put(&asn.number().to_be_bytes());
                } else {
                    out.put(&asn.to_two_octets().to_be_bytes());
                }
            }
        }
    }
}

impl From<AsPath<'_>> for AsPathBuf {
    /// Copies the AS numbers in order. Consecutive sequences become one, because their borders have no meaning.
    fn from(path: AsPath<'_>) -> Self {
        let mut owned = Self::default();
        for segment in path.segments() {
            owned.push(SegmentBuf {
                segment_type: segment.segment_type,
                asns: segment.asns().collect(),
            });
        }
        owned
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;
    use crate::sink::Slice;

    #[test]
    fn merge_with_as4_path_keeps_path_length() {
        let path = |text: &str| text.parse::<AsPathBuf>().unwrap();
        for (narrow, wide, merged) in [
            ("1 23456 3", "70000 3", "1 70000 3"),
            ("23456 3", "70000 3", "70000 3"),
            // RFC 6793 section 4.2.3: a longer AS4_PATH is ignored.
            ("1", "70000 3", "1"),
            ("1 2", "", "1 2"),
            // Across the borders of segments. A set counts one.
            (
                "1 2 {23456,5} 23456",
                "{70000,5} 70001",
                "1 2 {70000,5} 70001",
            ),
            ("(9) 1 23456", "70000", "(9) 1 70000"),
            // A confederation segment stays if it leads or is adjacent to one that stays.
            ("23456 (5) 23456", "70000 70001", "70000 70001"),
            ("1 (5) 23456", "70000", "1 (5) 70000"),
            ("1 {2} (5) 23456", "70000", "1 {2} (5) 70000"),
            ("1 {2} 23456 (5)", "70000", "1 {2} 70000"),
            // Numbers and sets that stay are counted one by one.
            ("1 {2,3} 4 5", "70000 70001", "1 {2,3} 70000 70001"),
            ("1 {2,3} 4 5", "70000", "1 {2,3} 4 70000"),
            ("{1} 2 3 4", "70000", "{1} 2 3 70000"),
            ("{1} {2} 3", "70000 70001", "{1} 70000 70001"),
            ("1 2 3 {4} 5 6", "70000 70001", "1 2 3 {4} 70000 70001"),
            // Confederation segments of AS4_PATH are discarded, and do not count.
            ("1 23456", "(7) 70000 [8,9]", "1 70000"),
        ] {
            // No segment is left empty, so that the path is equal to the one that its text means.
            assert_eq!(
                path(narrow).merge(path(wide)),
                path(merged),
                "{narrow}, {wide}"
            );
        }
    }

    #[test]
    fn sequence_over_255_is_split() {
        let path = AsPathBuf::sequence((0..300).map(|_| Asn::new(70_000)));
        let mut out = vec![0; encoded_length(path.segments.iter(), true)];
        let used = Slice::write(&mut out, |out| write(path.segments.iter(), true, out));
        assert_eq!(used, out.len());
        assert_eq!(
            (out.len(), out[1], out[2 + 255 * 4 + 1]),
            (2 + 255 * 4 + 2 + 45 * 4, 255, 45)
        );
        let view = AsPath::new(&out, true);
        assert!(view.is_well_formed(AllowedSegments {
            confederation: false,
            sets: false,
            first: false,
        }));
        assert_eq!(view.asns().count(), 300);
    }
}
