//! AS_PATH and AS4_PATH (RFC 4271 section 5.1.2, RFC 5065, RFC 6793).

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::asn::Asn;
use crate::iana::SegmentType;
use crate::parse::{Parsed, octet, take};
use crate::sink::Sink;

/// An AS path that was checked: whole segments of known types, none empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsPath<'a> {
    value: &'a [u8],
    four_octet_as: bool,
}

/// Which kinds of segments a path may have besides AS_SEQUENCE.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segments {
    pub(crate) confederation: bool,
    pub(crate) sets: bool,
    /// Whether there has to be an AS_CONFED_SEQUENCE in front.
    pub(crate) first: bool,
}

impl Segments {
    fn has(self, segment_type: SegmentType) -> bool {
        match segment_type {
            SegmentType::AS_SEQUENCE => true,
            SegmentType::AS_SET => self.sets,
            SegmentType::AS_CONFED_SEQUENCE => self.confederation,
            SegmentType::AS_CONFED_SET => self.confederation && self.sets,
            _ => false,
        }
    }

    /// Whether a path may begin so (RFC 5065 section 5).
    fn begins(self, first: Option<SegmentType>) -> bool {
        !self.first || first == Some(SegmentType::AS_CONFED_SEQUENCE)
    }
}

/// One segment of an AS path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Its type.
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

    /// Whether the path is empty: the route originated in the peer's own AS.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.value.is_empty()
    }

    /// The segments, nearest AS first.
    #[inline]
    pub fn segments(&self) -> impl Iterator<Item = Segment<'a>> + use<'a> {
        let Self {
            mut value,
            four_octet_as,
        } = *self;
        core::iter::from_fn(
            #[inline(always)]
            move || {
                let (rest, segment) = segment(value, four_octet_as).ok()?;
                value = rest;
                Some(segment)
            },
        )
    }

    /// Every AS number of every segment, nearest first.
    #[inline]
    pub fn asns(&self) -> impl Iterator<Item = Asn> + use<'a> {
        self.segments().flat_map(|segment| segment.asns())
    }

    /// RFC 7606 section 7.2 and RFC 7607 section 2: known types, no segment empty or cut, no AS 0.
    #[inline]
    pub(super) fn is_well_formed(&self, allowed: Segments) -> bool {
        let mut rest = self.value;
        if !allowed.begins(rest.first().copied().map(SegmentType)) {
            return false;
        }
        while !rest.is_empty() {
            let Ok((after, segment)) = segment(rest, self.four_octet_as) else {
                return false;
            };
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
    /// The AS numbers, in order.
    #[inline]
    pub fn asns(&self) -> impl ExactSizeIterator<Item = Asn> + use<'a> {
        Asns {
            octets: self.asns,
            four_octet_as: self.four_octet_as,
        }
    }

    #[inline]
    fn has_as_0(&self) -> bool {
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
        let count = self.octets.len() / if self.four_octet_as { 4 } else { 2 };
        (count, Some(count))
    }

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

#[inline(always)]
fn segment(input: &[u8], four_octet_as: bool) -> Parsed<'_, Segment<'_>> {
    let (rest, segment_type) = octet(input)?;
    let (rest, count) = octet(rest)?;
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

impl fmt::Display for AsPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        AsPathBuf::from(*self).fmt(f)
    }
}

/// An AS path to send.
///
/// ```
/// use bgp_wire::{AsPathBuf, Asn};
/// let path = AsPathBuf::sequence([64512, 64513].map(Asn::new));
/// assert_eq!(path.prepend(Asn::new(1), 2).to_string(), "1 1 64512 64513");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsPathBuf {
    /// The segments, nearest AS first. Empty segments are not sent.
    pub segments: Vec<SegmentBuf>,
}

/// One segment of an [`AsPathBuf`]. More than 255 AS numbers are sent as several segments of its type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SegmentBuf {
    /// Its type.
    pub segment_type: SegmentType,
    /// The AS numbers, in order.
    pub asns: Vec<Asn>,
}

impl AsPathBuf {
    /// Adds a segment at the far end. A sequence goes on with the next one: between two there is no border.
    pub(crate) fn push(&mut self, segment: SegmentBuf) {
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

    /// The path of one AS_SEQUENCE; empty for no AS number.
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

    /// The path with `asn` in front `times` times (RFC 4271 section 5.1.2 (b)).
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

    /// The path length of RFC 4271 section 9.1.2.2 (a) and RFC 5065 section 5.3: a set counts one, confederation
    /// segments nothing.
    #[must_use]
    pub fn length(&self) -> usize {
        let length = |segment: &SegmentBuf| match segment.segment_type {
            SegmentType::AS_SEQUENCE => segment.asns.len(),
            SegmentType::AS_SET => 1,
            _ => 0,
        };
        self.segments.iter().map(length).sum()
    }

    /// This path, received in two octets, with `as4_path` as its far end (RFC 6793 section 4.2.3).
    ///
    /// Of this path so much stays in front that the length is what it was; if `as4_path` is longer, all of it.
    #[must_use]
    pub fn merge(self, mut as4_path: Self) -> Self {
        // RFC 6793 section 6: they should not be there.
        as4_path
            .segments
            .retain(|segment| !segment.segment_type.is_confederation());
        let Some(mut lead) = self.length().checked_sub(as4_path.length()) else {
            return self;
        };
        let mut merged = Self::default();
        let mut beside = true;
        for mut segment in self.segments {
            match segment.segment_type {
                SegmentType::AS_SEQUENCE => {
                    segment.asns.truncate(lead);
                    lead -= segment.asns.len();
                }
                SegmentType::AS_SET if lead == 0 => segment.asns.clear(),
                SegmentType::AS_SET => lead -= 1,
                // A confederation segment stays that leads, or stands beside one that stays.
                _ if beside => {}
                _ => segment.asns.clear(),
            }
            beside = !segment.asns.is_empty();
            merged.push(segment);
        }
        as4_path
            .segments
            .into_iter()
            .for_each(|segment| merged.push(segment));
        merged
    }

    /// Whether the peer accepts it: segments of these kinds only, no AS 0.
    pub(super) fn is_legal(&self, allowed: Segments) -> bool {
        let mut segments = self.segments.iter();
        let first = segments.clone().find(|segment| !segment.asns.is_empty());
        let begins = allowed.begins(first.map(|segment| segment.segment_type));
        begins
            && segments.all(|SegmentBuf { segment_type, asns }| {
                allowed.has(*segment_type) && asns.iter().all(|asn| asn.number() != 0)
            })
    }

    /// Whether every AS number fits into two octets.
    #[must_use]
    pub fn fits_two_octets(&self) -> bool {
        self.segments
            .iter()
            .flat_map(|segment| &segment.asns)
            .all(|asn| asn.number() <= u16::MAX.into())
    }

    /// What AS4_PATH carries: the segments of the confederation stay out (RFC 6793 section 4.2.2).
    pub(super) fn as4_segments(&self) -> impl Iterator<Item = &SegmentBuf> + Clone {
        let segments = self.segments.iter();
        segments.filter(|segment| !segment.segment_type.is_confederation())
    }
}

/// The octets that [`encode`] writes.
pub(super) fn encoded_length<'a>(
    segments: impl Iterator<Item = &'a SegmentBuf>,
    four_octet_as: bool,
) -> usize {
    let number = if four_octet_as { 4 } else { 2 };
    segments
        .map(|SegmentBuf { asns, .. }| {
            // Most paths are short: no division then.
            let headers = if asns.len() <= 255 {
                usize::from(!asns.is_empty())
            } else {
                asns.len().div_ceil(255)
            };
            headers * 2 + asns.len() * number
        })
        .sum()
}

/// Writes segments of at most 255 AS numbers each.
#[inline(always)]
pub(super) fn write<'a>(
    segments: impl Iterator<Item = &'a SegmentBuf>,
    four_octet_as: bool,
    out: &mut impl Sink,
) {
    for SegmentBuf { segment_type, asns } in segments {
        for part in asns.chunks(255) {
            out.put(&[segment_type.0, u8::try_from(part.len()).unwrap_or(u8::MAX)]);
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

impl FromStr for AsPathBuf {
    type Err = ParseAsPathError;

    /// AS numbers with spaces between them; a set as `{1,2}`, confederation segments as `(1 2)` and `[1,2]`.
    fn from_str(text: &str) -> Result<Self, ParseAsPathError> {
        let (mut path, mut rest) = (Self::default(), text.trim_start());
        while let Some(first) = rest.chars().next() {
            let (segment_type, close) = match first {
                '{' => (SegmentType::AS_SET, '}'),
                '(' => (SegmentType::AS_CONFED_SEQUENCE, ')'),
                '[' => (SegmentType::AS_CONFED_SET, ']'),
                _ => (SegmentType::AS_SEQUENCE, ' '),
            };
            let inside = rest.strip_prefix(['{', '(', '[']).unwrap_or(rest);
            let (asns, after) = if close == ' ' {
                let end = inside.find(['{', '(', '[']).unwrap_or(inside.len());
                inside.split_at(end)
            } else {
                inside.split_once(close).ok_or(ParseAsPathError)?
            };
            let separators: &[char] = if segment_type.is_set() {
                &[',']
            } else {
                &[' ']
            };
            let asns = asns
                .split(separators)
                .map(str::trim)
                .filter(|asn| segment_type.is_set() || !asn.is_empty())
                .map(|asn| asn.parse().map_err(|_| ParseAsPathError));
            let asns = asns.collect::<Result<Vec<Asn>, _>>()?;
            if asns.is_empty() {
                return Err(ParseAsPathError);
            }
            path.push(SegmentBuf { segment_type, asns });
            rest = after.trim_start();
        }
        Ok(path)
    }
}

/// The text is not an AS path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseAsPathError;

impl fmt::Display for ParseAsPathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an AS path is AS numbers with spaces between them; a set is written {1,2}, confederation segments (1 2) \
             and [1,2]",
        )
    }
}

impl core::error::Error for ParseAsPathError {}

impl From<AsPath<'_>> for AsPathBuf {
    /// The same ASes in the same order. A sequence in several segments is one: where it was cut means nothing.
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

impl fmt::Display for AsPathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As they are sent: none empty.
        let segments = self.segments.iter();
        let segments = segments.filter(|segment| !segment.asns.is_empty());
        for (position, SegmentBuf { segment_type, asns }) in segments.enumerate() {
            let (open, separator, close) = match *segment_type {
                SegmentType::AS_SET => ("{", ",", "}"),
                SegmentType::AS_CONFED_SEQUENCE => ("(", " ", ")"),
                SegmentType::AS_CONFED_SET => ("[", ",", "]"),
                _ => ("", " ", ""),
            };
            write!(f, "{}{open}", if position == 0 { "" } else { " " })?;
            for (position, asn) in asns.iter().enumerate() {
                write!(f, "{}{asn}", if position == 0 { "" } else { separator })?;
            }
            f.write_str(close)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    use crate::sink::Slice;

    #[test]
    fn faults() {
        const PLAIN: Segments = Segments {
            confederation: false,
            sets: false,
            first: false,
        };
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
            Segments {
                confederation: true,
                ..PLAIN
            },
            Segments {
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

    #[test]
    fn text() {
        for text in ["", "1", "1 2 3", "{1,2}", "1 {2,3} 4", "(1 2) [3,4] 5"] {
            assert_eq!(text.parse::<AsPathBuf>().unwrap().to_string(), text);
        }
        assert_eq!(
            " 1  2{3, 4}5 ".parse::<AsPathBuf>().unwrap().to_string(),
            "1 2 {3,4} 5"
        );
        let empty = SegmentBuf {
            segment_type: SegmentType::AS_SET,
            asns: Vec::new(),
        };
        let mut path = AsPathBuf::sequence([Asn::new(1)]);
        path.segments.insert(0, empty);
        assert_eq!(path.to_string(), "1");
        for text in [
            "x", "1,2", "{}", "{1", "1}", "()", "{1,,2}", "{1 2}", "(1", "-1",
        ] {
            assert_eq!(text.parse::<AsPathBuf>(), Err(ParseAsPathError), "{text}");
        }
    }

    #[test]
    fn merging() {
        let path = |text: &str| text.parse::<AsPathBuf>().unwrap();
        for (narrow, wide, merged) in [
            ("1 23456 3", "70000 3", "1 70000 3"),
            ("23456 3", "70000 3", "70000 3"),
            // A longer AS4_PATH is ignored.
            ("1", "70000 3", "1"),
            ("1 2", "", "1 2"),
            // Across the borders of segments, and with a set that counts one.
            (
                "1 2 {23456,5} 23456",
                "{70000,5} 70001",
                "1 2 {70000,5} 70001",
            ),
            ("(9) 1 23456", "70000", "(9) 1 70000"),
            // A confederation segment stays that leads, or stands beside one that stays.
            ("23456 (5) 23456", "70000 70001", "70000 70001"),
            ("1 (5) 23456", "70000", "1 (5) 70000"),
        ] {
            assert_eq!(path(narrow).merge(path(wide)).to_string(), merged);
        }
    }

    #[test]
    fn long_sequences_are_split() {
        let path = AsPathBuf::sequence((0..300).map(|_| Asn::new(70_000)));
        let mut out = vec![0; encoded_length(path.segments.iter(), true)];
        let used = Slice::write(&mut out, |out| write(path.segments.iter(), true, out));
        assert_eq!(used, out.len());
        assert_eq!(
            (out.len(), out[1], out[2 + 255 * 4 + 1]),
            (2 + 255 * 4 + 2 + 45 * 4, 255, 45)
        );
        let view = AsPath::new(&out, true);
        assert!(view.is_well_formed(Segments {
            confederation: false,
            sets: false,
            first: false,
        }));
        assert_eq!(view.asns().count(), 300);
    }
}
