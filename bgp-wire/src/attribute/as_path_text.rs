//! AS paths in text form: `64512 64513 {1,2}`.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::{AsPath, AsPathBuf, SegmentBuf};
use crate::asn::Asn;
use crate::iana::SegmentType;

impl fmt::Display for AsPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Joins sequences that are split over several segments, so that equal paths have equal texts.
        AsPathBuf::from(*self).fmt(f)
    }
}

impl fmt::Display for AsPathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Empty segments are not encoded, so the text does not show them either.
        let segments = self
            .segments
            .iter()
            .filter(|segment| !segment.asns.is_empty());
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

impl FromStr for AsPathBuf {
    type Err = ParseAsPathError;

    /// Parses AS numbers with spaces between them, sets as `{1,2}`, and confederation segments as `(1 2)` and `[1,2]`.
    fn from_str(text: &str) -> Result<Self, ParseAsPathError> {
        let (mut path, mut rest) = (Self::default(), text.trim_start());
        while let Some(first) = rest.chars().next() {
            let (segment_type, close) = match first {
                '{' => (SegmentType::AS_SET, '}'),
                '(' => (SegmentType::AS_CONFED_SEQUENCE, ')'),
                '[' => (SegmentType::AS_CONFED_SET, ']'),
                _ => (SegmentType::AS_SEQUENCE, ' '),
            };
            // A sequence has no bracket of its own: it ends before the next one or with the text.
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
            // Several spaces separate two numbers like one, but an empty item between two commas is an error.
            let asns = asns
                .split(separators)
                .map(str::trim)
                .filter(|asn| segment_type.is_set() || !asn.is_empty())
                .map(|asn| asn.parse().map_err(|_| ParseAsPathError))
                .collect::<Result<Vec<Asn>, _>>()?;
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
            "invalid AS path; write AS numbers with spaces between them, a set as {1,2}, and confederation segments as \
             (1 2) and [1,2]",
        )
    }
}

impl core::error::Error for ParseAsPathError {}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn as_path_text_round_trips() {
        for text in ["", "1", "1 2 3", "{1,2}", "1 {2,3} 4", "(1 2) [3,4] 5"] {
            assert_eq!(text.parse::<AsPathBuf>().unwrap().to_string(), text);
        }
        assert_eq!(
            " 1  2{3, 4}5 ".parse::<AsPathBuf>().unwrap().to_string(),
            "1 2 {3,4} 5"
        );
        // The fields are public, so a caller can build a path with an empty segment.
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
}
