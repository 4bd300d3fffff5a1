//! The prefixes of one NLRI field. They are checked first and iterated afterwards.
//!
//! Both passes are hot, because a full table is a million prefixes.

use core::marker::PhantomData;
use core::ops::RangeInclusive;

use super::{Nlri, PathId, UnicastPrefix};
use crate::error::Span;

/// An iterator over the prefixes of a checked field. It never fails.
#[derive(Clone, Copy, Debug)]
pub struct Prefixes<'a, P> {
    rest: &'a [u8],
    add_path: bool,
    prefix: PhantomData<P>,
}

impl<'a, P: UnicastPrefix> Prefixes<'a, P> {
    /// Checks that `field` is a list of prefixes. `start` is the position of the field in its message.
    ///
    /// Returns `true` if the field is suspect: a prefix may be bogus, or the first prefix is a default route, which may be a path
    /// identifier. Returns the octets from the first malformed prefix to the end of the field as an error.
    #[inline(always)]
    pub(crate) fn check(field: &'a [u8], add_path: bool, start: usize) -> Result<bool, Span> {
        let scanned = if add_path {
            scan_paths::<P>(field)
        } else {
            scan_prefixes::<P, 0>(field)
        };
        let begins_with_default = field.first() == Some(&0);
        scanned
            .map(|suspect| suspect | begins_with_default)
            .ok_or_else(|| {
                let end = start + field.len();
                let malformed = Self::from_checked(field, add_path).malformed_tail_length();
                Span::new(end - malformed, end)
            })
    }

    /// Returns `true` if a prefix is bogus.
    // Not inlined, because few fields have a suspect.
    #[cold]
    pub(crate) fn any_bogus(mut self) -> bool {
        self.any(|nlri| nlri.prefix.is_bogus())
    }

    /// Iterates over a field that [`Self::check`] has accepted.
    #[inline]
    pub(crate) fn from_checked(field: &'a [u8], add_path: bool) -> Self {
        Self {
            rest: field,
            add_path,
            prefix: PhantomData,
        }
    }

    /// Returns the number of octets from the first malformed prefix to the end.
    // The fast check only returns a boolean. Nearly all fields pass it, so the position is searched afterwards.
    #[cold]
    fn malformed_tail_length(mut self) -> usize {
        while self.next().is_some() {}
        self.rest.len()
    }

    /// Takes the next prefix if its length is in the range. Returns `None` otherwise.
    #[inline(always)]
    fn split(&mut self, (lengths, length): &(RangeInclusive<u8>, usize)) -> Option<P> {
        let (bits, octets) = self.rest.split_first()?;
        if !lengths.contains(bits) {
            return None;
        }
        let prefix = P::load(*bits, octets)?;
        self.rest = octets.get(*length..)?;
        Some(prefix)
    }

    /// Takes the next prefix, whatever its length. Returns `None` at the end.
    #[inline(always)]
    fn step(&mut self, predictor: &mut LengthPredictor) -> Option<Nlri<P>> {
        let (path_id, rest) = if self.add_path {
            let (path_id, rest) = self.rest.split_first_chunk::<PATH_ID_LENGTH>()?;
            (Some(PathId(u32::from_be_bytes(*path_id))), rest)
        } else {
            (None, self.rest)
        };
        let (bits, octets) = rest.split_first()?;
        let prefix = P::load(*bits, octets)?;
        self.rest = octets.get(predictor.octets::<P>(*bits)..)?;
        Some(Nlri { path_id, prefix })
    }
}

/// Does [`scan_prefixes`] for prefixes with path identifiers.
// Not inlined: ADD-PATH is rare, and its copy of the loop would make the caller larger.
#[inline(never)]
fn scan_paths<P: UnicastPrefix>(field: &[u8]) -> Option<bool> {
    scan_prefixes::<P, PATH_ID_LENGTH>(field)
}

/// Decides how the start of the next prefix is found: by a branch or by arithmetic.
///
/// The start of a prefix depends on the length of the one before, so arithmetic waits for each load. If most lengths are
/// the usual ones, a predicted branch is three times as fast. If lengths are random, it is half as fast. The predictor
/// counts unusual lengths and gives up the branches after too many of them.
#[derive(Clone, Copy)]
struct LengthPredictor {
    /// The number of prefixes of unusual length so far.
    unusual: u32,
}

impl LengthPredictor {
    const START: Self = Self { unusual: 0 };

    /// Returns `true` while branches are worth their cost.
    #[inline(always)]
    fn is_regular(self) -> bool {
        // Low enough to give up early in a field of random lengths, high enough for a table with some of them.
        self.unusual < 32
    }

    /// Returns the number of octets of a prefix of `bits` bits.
    #[inline(always)]
    fn octets<P: UnicastPrefix>(&mut self, bits: u8) -> usize {
        let (usual, frequent) = (P::USUAL, P::FREQUENT);
        if !self.is_regular() {
            usize::from(bits).div_ceil(8)
        } else if usual.0.contains(&bits) {
            // A constant: the next load need not wait for this one.
            usual.1
        } else if frequent.0.contains(&bits) {
            frequent.1
        } else {
            self.unusual += 1;
            length_in_octets(bits)
        }
    }
}

/// Returns the number of octets that hold `bits` bits.
// A call stays behind its branch. Inlined, the compiler would turn branch and arithmetic into one select.
#[inline(never)]
fn length_in_octets(bits: u8) -> usize {
    usize::from(bits).div_ceil(8)
}

/// The length of a path identifier in octets (RFC 7911 section 3).
const PATH_ID_LENGTH: usize = 4;

/// Returns `None` unless the field is a list of prefixes, each after `SKIP` octets of path identifier. Otherwise returns `true`
/// if a prefix begins with a suspect octet.
#[inline(always)]
fn scan_prefixes<P: UnicastPrefix, const SKIP: usize>(field: &[u8]) -> Option<bool> {
    let is_suspect = |at: usize| field.get(at).is_some_and(|first| P::is_suspect(*first));
    let mut suspect = false;
    let (usual, length) = P::USUAL;
    let mut predictor = LengthPredictor::START;
    let mut at = 0;
    while predictor.is_regular() {
        // A separate loop, because the compiler would otherwise turn the branch into arithmetic.
        while let Some([bits, first]) = field.get(at + SKIP..at + SKIP + 2)
            && usual.contains(bits)
        {
            suspect |= P::is_suspect(*first);
            at += SKIP + 1 + length;
        }
        match field.get(at + SKIP) {
            Some(bits) if *bits > P::MAX_BITS => return None,
            Some(bits) => {
                suspect |= is_suspect(at + SKIP + 1);
                at += SKIP + 1 + predictor.octets::<P>(*bits);
            }
            None => return (at == field.len()).then_some(suspect),
        }
    }
    // Only the greatest length is checked, and only once, so that no branch of the loop depends on random lengths.
    let mut max_bits = 0;
    while let Some(bits) = field.get(at + SKIP) {
        max_bits = max_bits.max(*bits);
        suspect |= is_suspect(at + SKIP + 1);
        at += SKIP + 1 + usize::from(*bits).div_ceil(8);
    }
    (at == field.len() && max_bits <= P::MAX_BITS).then_some(suspect)
}

impl<P: UnicastPrefix> Iterator for Prefixes<'_, P> {
    type Item = Nlri<P>;

    #[inline(always)]
    fn next(&mut self) -> Option<Nlri<P>> {
        // One step has no history to predict from; `fold`, which `for_each` and `count` use, keeps it.
        let mut predictor = LengthPredictor::START;
        self.step(&mut predictor)
    }

    #[inline(always)]
    fn fold<B, F: FnMut(B, Nlri<P>) -> B>(mut self, start: B, mut step: F) -> B {
        let (usual, frequent) = (P::USUAL, P::FREQUENT);
        let (mut all, mut predictor) = (start, LengthPredictor::START);
        loop {
            if !self.add_path && predictor.is_regular() {
                // Separate loops, because the compiler would otherwise turn the branches into arithmetic.
                while let Some(prefix) = self.split(&usual) {
                    all = step(all, Nlri::new(prefix));
                }
                if let Some(prefix) = self.split(&frequent) {
                    all = step(all, Nlri::new(prefix));
                    continue;
                }
            }
            match self.step(&mut predictor) {
                Some(nlri) => all = step(all, nlri),
                None => {
                    debug_assert!(self.rest.is_empty(), "the field was checked");
                    return all;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use ipnet::{Ipv4Net, Ipv6Net};

    use super::*;
    use crate::nlri::{NlriFormat, encoded_length, write};

    const FORMAT: NlriFormat = NlriFormat {
        family: crate::Family::IPV4_UNICAST,
        add_path: true,
        multiple_labels: false,
        withdrawn: false,
    };

    fn ipv4(field: &[u8]) -> Result<Vec<String>, Span> {
        Prefixes::<Ipv4Net>::check(field, false, 100)?;
        Ok(Prefixes::<Ipv4Net>::from_checked(field, false)
            .map(|nlri| nlri.prefix.to_string())
            .collect())
    }

    #[test]
    fn host_bits_of_received_prefixes_are_cleared() {
        let field = [
            0, 1, 0xff, 23, 10, 253, 255, 32, 192, 168, 10, 1, 24, 10, 0, 1,
        ];
        assert_eq!(
            ipv4(&field).unwrap(),
            [
                "0.0.0.0/0",
                "128.0.0.0/1",
                "10.253.254.0/23",
                "192.168.10.1/32",
                "10.0.1.0/24"
            ]
        );
        let field = [0, 7, 0xff, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 1];
        assert!(Prefixes::<Ipv6Net>::check(&field, false, 0).is_ok());
        let prefixes = Prefixes::<Ipv6Net>::from_checked(&field, false);
        let text: Vec<_> = prefixes.map(|nlri| nlri.prefix.to_string()).collect();
        assert_eq!(text, ["::/0", "fe00::/7", "2001:db8:0:1::/64"]);
    }

    #[test]
    fn malformed_prefixes_are_reported_with_their_octets() {
        for (field, start) in [
            (&[33, 1, 2, 3, 4, 5][..], 100),
            (&[8, 10, 24, 1, 2], 102),
            (&[32], 100),
            (&[8, 1, 255], 102),
        ] {
            let end = u16::try_from(100 + field.len()).unwrap();
            assert_eq!(ipv4(field), Err(Span { start, end }), "{field:?}");
        }
    }

    #[test]
    fn bogus_prefix_is_found_among_regular_and_irregular_lengths() {
        // 40 prefixes of unusual lengths end the regular loop.
        let irregular = [9, 10, 0].repeat(40);
        for before in [&[][..], &[24, 10, 0, 1], &irregular] {
            for (last, bogus) in [
                (&[24, 127, 0, 1][..], true),
                (&[4, 0xe0], true),
                (&[32, 255, 255, 255, 255], true),
                // A suspect that is not bogus.
                (&[16, 255, 255], false),
                (&[24, 10, 0, 2], false),
            ] {
                let field = [before, last].concat();
                let suspect = Prefixes::<Ipv4Net>::check(&field, false, 0).unwrap();
                let prefixes = Prefixes::<Ipv4Net>::from_checked(&field, false);
                assert_eq!(suspect && prefixes.any_bogus(), bogus, "{field:?}");
            }
        }
        let ordinary = [24, 10, 0, 1, 9, 10, 0];
        assert_eq!(Prefixes::<Ipv4Net>::check(&ordinary, false, 0), Ok(false));
        let path = [0, 0, 0, 7, 8, 127];
        assert_eq!(Prefixes::<Ipv4Net>::check(&path, true, 0), Ok(true));
    }

    #[test]
    fn suspects_and_faults_are_found_at_every_place_of_a_field() {
        // A field of usual lengths, one of frequent ones, and one whose lengths end the regular loop.
        let ipv4: [&[u8]; 4] = [&[], &[24, 10, 0, 1], &[32, 10, 0, 1, 1], &[9, 10, 0]];
        let tails: [(&[u8], Option<bool>); 9] = [
            (&[], Some(false)),
            (&[24, 127, 0, 1], Some(true)),
            (&[4, 0xe0], Some(true)),
            (&[32, 255, 255, 255, 255], Some(true)),
            (&[24, 10, 0, 2], Some(false)),
            (&[0], Some(false)),
            (&[33, 10, 0, 1, 1, 1], None),
            (&[24, 10, 0], None),
            (&[9, 10], None),
        ];
        let path_id = |add_path: bool| if add_path { &[1, 0, 0, 9][..] } else { &[] };
        for add_path in [false, true] {
            for (before, count) in ipv4
                .into_iter()
                .flat_map(|before| [(before, 1), (before, 40)])
            {
                let before = if before.is_empty() {
                    Vec::new()
                } else {
                    [path_id(add_path), before].concat().repeat(count)
                };
                for (tail, expected) in tails {
                    let leading = path_id(add_path && !tail.is_empty());
                    let field = [&before, leading, tail].concat();
                    let begins_with_default = field.first() == Some(&0);
                    let found = Prefixes::<Ipv4Net>::check(&field, add_path, 100);
                    let expected = expected
                        .map(|suspect| suspect || begins_with_default)
                        .ok_or_else(|| Span::new(100 + before.len(), 100 + field.len()));
                    assert_eq!(found, expected, "{add_path} {field:?}");
                    // A bogus prefix in front of an ordinary one.
                    if expected == Ok(true) && !begins_with_default {
                        let field = [leading, tail, &before].concat();
                        let found = Prefixes::<Ipv4Net>::check(&field, add_path, 100);
                        assert_eq!(found, Ok(true), "{add_path} {field:?}");
                    }
                }
            }
        }
        // A default route and a bogus prefix are two reasons for one answer.
        assert_eq!(Prefixes::<Ipv4Net>::check(&[0, 8, 127], false, 0), Ok(true));
        assert_eq!(Prefixes::<Ipv4Net>::check(&[8, 10, 0], false, 0), Ok(false));
    }

    #[test]
    fn prefixes_with_path_ids_decode_and_encode_to_the_same_octets() {
        let field = [0, 0, 0, 7, 8, 10, 0xff, 0, 0, 0, 0];
        assert!(Prefixes::<Ipv4Net>::check(&field, true, 0).is_ok());
        let prefixes: Vec<_> = Prefixes::<Ipv4Net>::from_checked(&field, true).collect();
        assert_eq!(
            prefixes[0],
            Nlri {
                path_id: Some(PathId(7)),
                prefix: "10.0.0.0/8".parse().unwrap()
            }
        );
        assert_eq!(prefixes[1].path_id, Some(PathId(0xff00_0000)));
        assert!(Prefixes::<Ipv4Net>::check(&field[..4], true, 0).is_err());
        let mut out = [0; 11];
        let mut at = 0;
        for nlri in &prefixes {
            let rest = write(nlri, &FORMAT, &mut out[at..]).unwrap().len();
            at = out.len() - rest;
        }
        assert_eq!((at, out), (11, field));
        assert_eq!(
            prefixes
                .iter()
                .map(|nlri| encoded_length(nlri, &FORMAT))
                .sum::<usize>(),
            field.len()
        );
    }
}
