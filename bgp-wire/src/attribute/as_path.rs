//! Received AS_PATH and AS4_PATH (RFC 4271 section 5.1.2, RFC 5065, RFC 6793).

use crate::asn::Asn;
use crate::iana::SegmentType;
use crate::parse::{Parsed, octet, take};

/// A valid AS path: complete segments of known types, none empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsPath<'a> {
    value: &'a [u8],
    four_octet_as: bool,
}

/// The segment types that a path may have besides AS_SEQUENCE.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AllowedSegments {
    pub(crate) confederation: bool,
    pub(crate) sets: bool,
    /// The path must begin with an AS_CONFED_SEQUENCE.
    pub(crate) first: bool,
}

impl AllowedSegments {
    /// Returns `true` if a path may have segments of this type.
    pub(super) fn has(self, segment_type: SegmentType) -> bool {
        match segment_type {
            SegmentType::AS_SEQUENCE => true,
            SegmentType::AS_SET => self.sets,
            SegmentType::AS_CONFED_SEQUENCE => self.confederation,
            // RFC 9774 section 3 forbids this type also inside of a confederation.
            SegmentType::AS_CONFED_SET => self.confederation && self.sets,
            _ => false,
        }
    }

    /// Returns `true` if a path may begin with a segment of this type (RFC 5065 section 5).
    pub(super) fn begins(self, first: Option<SegmentType>) -> bool {
        !self.first || first == Some(SegmentType::AS_CONFED_SEQUENCE)
    }
}

/// One segment of an AS path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The type of the segment.
    pub segment_type: SegmentType,
    asns: &'a [u8],
    four_octet_as: bool,
}

impl<'a> AsPath<'a> {
    pub(crate) fn new(value: &'a [u8], four_octet_as: bool) -> Self {
        Self {
            value,
            four_octet_as,
        }
    }

    /// Returns `true` if the path is empty: the route originated in the peer's own AS.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// Returns the segments, nearest AS first.
    #[inline]
    pub fn segments(&self) -> impl Iterator<Item = Segment<'a>> + use<'a> {
        let Self {
            mut value,
            four_octet_as,
        } = *self;
        core::iter::from_fn(
            // Without the attribute the compiler may keep the closure as a call for each segment.
            #[inline(always)]
            move || {
                // A checked path has no incomplete segment: this fails only at the end.
                let (rest, segment) = segment(value, four_octet_as).ok()?;
                value = rest;
                Some(segment)
            },
        )
    }

    /// Returns the AS numbers of all segments, nearest first.
    #[inline]
    pub fn asns(&self) -> impl Iterator<Item = Asn> + use<'a> {
        self.segments().flat_map(|segment| segment.asns())
    }

    /// Returns `true` if an AS number is in a segment of the path.
    #[must_use]
    #[inline]
    pub fn contains(&self, asn: Asn) -> bool {
        // Octets are compared as arrays: nothing is converted, and each segment has one quick loop.
        if self.four_octet_as {
            let wanted = asn.number().to_be_bytes();
            self.segments()
                .any(|segment| segment.asns.as_chunks().0.contains(&wanted))
        } else {
            u16::try_from(asn.number()).is_ok_and(|asn| {
                let wanted = asn.to_be_bytes();
                self.segments()
                    .any(|segment| segment.asns.as_chunks().0.contains(&wanted))
            })
        }
    }

    /// Returns `true` if the path is well-formed (RFC 7606 section 7.2, RFC 7607 section 2).
    ///
    /// Every segment must be complete, not empty and of an allowed type, without AS 0.
    #[inline]
    pub(super) fn is_well_formed(&self, allowed: AllowedSegments) -> bool {
        let mut rest = self.value;
        if !allowed.begins(rest.first().copied().map(SegmentType)) {
            return false;
        }
        while !rest.is_empty() {
            let Ok((after, segment)) = segment(rest, self.four_octet_as) else {
                return false;
            };
            // The comparison with the usual type comes first and saves the match of `has`.
            let legal = segment.segment_type == SegmentType::AS_SEQUENCE
                || allowed.has(segment.segment_type);
            if !legal || segment.asns.is_empty() || segment.has_as_0() {
                return false;
            }
            rest = after;
        }
        true
    }
}

impl<'a> Segment<'a> {
    /// Returns the AS numbers, nearest first.
    #[inline]
    pub fn asns(&self) -> impl ExactSizeIterator<Item = Asn> + use<'a> {
        Asns {
            octets: self.asns,
            four_octet_as: self.four_octet_as,
        }
    }

    /// Returns `true` if an AS number is 0, which RFC 7607 section 2 forbids.
    #[inline]
    fn has_as_0(&self) -> bool {
        // Arrays of a fixed size compare as one number each, without a conversion of byte order.
        if self.four_octet_as {
            self.asns.as_chunks().0.contains(&[0; 4])
        } else {
            self.asns.as_chunks().0.contains(&[0; 2])
        }
    }
}

/// The AS numbers of a segment.
struct Asns<'a> {
    octets: &'a [u8],
    four_octet_as: bool,
}

impl Iterator for Asns<'_> {
    type Item = Asn;

    #[inline(always)]
    fn next(&mut self) -> Option<Asn> {
        let (number, rest) = if self.four_octet_as {
            let (number, rest) = self.octets.split_first_chunk()?;
            (u32::from_be_bytes(*number), rest)
        } else {
            let (number, rest) = self.octets.split_first_chunk()?;
            (u16::from_be_bytes(*number).into(), rest)
        };
        self.octets = rest;
        Some(Asn::new(number))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        // Exact, so that collecting the numbers allocates once.
        let count = self.octets.len() / if self.four_octet_as { 4 } else { 2 };
        (count, Some(count))
    }

    // The size of the numbers is tested once here instead of once for each number in `next`.
    #[inline(always)]
    fn fold<B, F: FnMut(B, Asn) -> B>(self, start: B, mut step: F) -> B {
        if self.four_octet_as {
            let numbers = self.octets.as_chunks().0.iter();
            numbers.fold(start, |all, number| {
                step(all, Asn::new(u32::from_be_bytes(*number)))
            })
        } else {
            let numbers = self.octets.as_chunks().0.iter();
            numbers.fold(start, |all, number| {
                step(all, Asn::new(u16::from_be_bytes(*number).into()))
            })
        }
    }
}

impl ExactSizeIterator for Asns<'_> {}

/// Splits the first segment off `input`. Fails if the segment is incomplete.
#[inline(always)]
fn segment(input: &[u8], four_octet_as: bool) -> Parsed<'_, Segment<'_>> {
    let (rest, segment_type) = octet(input)?;
    let (rest, count) = octet(rest)?;
    // RFC 4271 section 4.3: the length of a segment counts AS numbers, not octets.
    let (rest, asns) = take(rest, usize::from(count) * if four_octet_as { 4 } else { 2 })?;
    Ok((
        rest,
        Segment {
            segment_type: SegmentType(segment_type),
            asns,
            four_octet_as,
        },
    ))
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn a_path_contains_the_numbers_of_all_segments() {
        // 1, 65536 in a sequence and 2 in a set; the octets of 65536 in front of a 0 must not count as another number.
        let octets = [2, 2, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 2];
        let path = AsPath::new(&octets, true);
        for (asn, contained) in [
            (1, true),
            (65536, true),
            (2, true),
            (3, false),
            (256, false),
            (0, false),
        ] {
            assert_eq!(path.contains(Asn::new(asn)), contained, "{asn}");
        }
        let octets = [2, 2, 0, 1, 0, 2, 1, 1, 0xfc, 0];
        let path = AsPath::new(&octets, false);
        for (asn, contained) in [
            (1, true),
            (2, true),
            (64512, true),
            (3, false),
            (65537, false),
        ] {
            assert_eq!(path.contains(Asn::new(asn)), contained, "{asn}");
        }
        assert!(!AsPath::new(&[], true).contains(Asn::new(1)));
    }

    #[test]
    fn malformed_or_forbidden_segments_are_rejected() {
        const PLAIN: AllowedSegments = AllowedSegments {
            confederation: false,
            sets: false,
            first: false,
        };
        // Two-octet AS numbers; types 1 and 3 to 4 depend on `AllowedSegments`, types 0 and 5 are never valid.
        let verdict = |octets: &[u8]| AsPath::new(octets, false).is_well_formed(PLAIN);
        for (octets, legal) in [
            (&[][..], true),
            (&[2, 1, 0xfc, 0], true),
            (&[1, 1, 0xfc, 0, 2, 1, 0, 1], false),
            (&[2, 0], false),
            (&[2], false),
            (&[0, 1, 0, 1], false),
            (&[5, 1, 0, 1], false),
            (&[3, 1, 0, 1], false),
            (&[2, 2, 0, 1], false),
            (&[2, 1, 0, 1, 2], false),
            (&[2, 1, 0, 0], false),
        ] {
            assert_eq!(verdict(octets), legal, "{octets:?}");
        }
        let (confederation, sets) = (
            AllowedSegments {
                confederation: true,
                ..PLAIN
            },
            AllowedSegments {
                sets: true,
                ..PLAIN
            },
        );
        for (segment_type, in_confederation, with_sets) in [
            (1, false, true),
            (2, true, true),
            (3, true, false),
            (4, false, false),
        ] {
            let octets = [segment_type, 1, 0, 1];
            let path = AsPath::new(&octets, false);
            assert_eq!(path.is_well_formed(confederation), in_confederation);
            assert_eq!(path.is_well_formed(sets), with_sets);
        }
    }
}
