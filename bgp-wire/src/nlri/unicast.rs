//! Prefixes of the unicast and multicast families (RFC 4271 section 4.3), with or without path identifier (RFC 7911).

use core::marker::PhantomData;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::Span;
use crate::iana::Afi;
use crate::parse::{Parsed, Short, be_u32, octet, take};

/// A path identifier (RFC 7911 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PathId(pub u32);

/// A prefix and, where ADD-PATH is negotiated, its path identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Nlri<P = IpNet> {
    /// Which of several paths to the prefix is meant.
    pub path_id: Option<PathId>,
    /// The prefix, host bits cleared.
    pub prefix: P,
}

impl<P> Nlri<P> {
    /// The prefix alone.
    pub const fn new(prefix: P) -> Self {
        Self {
            path_id: None,
            prefix,
        }
    }
}

impl<P: Into<IpNet>> Nlri<P> {
    pub(crate) fn widen(self) -> Nlri {
        Nlri {
            path_id: self.path_id,
            prefix: self.prefix.into(),
        }
    }
}

/// A prefix type of this grammar: [`Ipv4Net`] or [`Ipv6Net`].
pub trait UnicastPrefix: Copy + Into<IpNet> + private::Sealed {
    /// The address family whose prefixes these are.
    const AFI: Afi;

    /// The length in bits.
    fn length(self) -> u8;

    /// The lengths of nearly all prefixes of the internet, and how many octets each has: a branch that is predicted
    /// beats an address that depends on what was loaded.
    #[doc(hidden)]
    const USUAL: (core::ops::RangeInclusive<u8>, usize);

    #[doc(hidden)]
    const BITS: u8;

    /// The prefix of this length at the start of `input`, which has its octets.
    #[doc(hidden)]
    fn load(input: &[u8], bits: u8) -> Option<Self>;

    #[doc(hidden)]
    const OCTETS: usize;

    #[doc(hidden)]
    fn write(self, out: &mut [u8]) -> usize;
}

mod private {
    #[expect(
        unnameable_types,
        reason = "what cannot be named cannot be implemented elsewhere"
    )]
    pub trait Sealed {}
    impl Sealed for ipnet::Ipv4Net {}
    impl Sealed for ipnet::Ipv6Net {}
}

macro_rules! unicast_prefix {
    ($prefix:ty, $integer:ty, $octets:literal, $afi:expr, $usual:expr) => {
        impl UnicastPrefix for $prefix {
            const AFI: Afi = $afi;

            fn length(self) -> u8 {
                self.prefix_len()
            }

            const USUAL: (core::ops::RangeInclusive<u8>, usize) = $usual;

            const BITS: u8 = $octets * 8;

            #[inline(always)]
            fn load(input: &[u8], bits: u8) -> Option<Self> {
                // Loading whole words and masking beats copying a variable number of octets.
                let word = match input.first_chunk::<$octets>() {
                    Some(word) => *word,
                    None => {
                        let mut word = [0; $octets];
                        word.iter_mut()
                            .zip(input)
                            .for_each(|(to, from)| *to = *from);
                        word
                    }
                };
                let host_bits = <$integer>::BITS.checked_sub(bits.into())?;
                let mask = <$integer>::MAX.checked_shl(host_bits).unwrap_or(0);
                let network = <$integer>::from_be_bytes(word) & mask;
                Self::new(network.into(), bits).ok()
            }

            const OCTETS: usize = $octets;

            #[inline(always)]
            fn write(self, out: &mut [u8]) -> usize {
                let bits = self.prefix_len();
                let length = usize::from(bits).div_ceil(8);
                let network = self.network().octets();
                let Some((first, rest)) = out.split_first_mut() else {
                    return 0;
                };
                *first = bits;
                // A whole word where there is room for one: what is too much is written over or cut off.
                match rest.first_chunk_mut() {
                    Some(word) => *word = network,
                    None => rest
                        .iter_mut()
                        .zip(network)
                        .for_each(|(to, from)| *to = from),
                }
                1 + length
            }
        }
    };
}

unicast_prefix!(Ipv4Net, u32, 4, Afi::IPV4, (17..=24, 3));
unicast_prefix!(Ipv6Net, u128, 16, Afi::IPV6, (41..=48, 6));

/// Iterates the prefixes of a field that was checked; never fails.
#[derive(Clone, Copy, Debug)]
pub struct Prefixes<'a, P> {
    rest: &'a [u8],
    add_path: bool,
    prefix: PhantomData<P>,
}

impl<'a, P: UnicastPrefix> Prefixes<'a, P> {
    /// Whether `field` is a list of prefixes; the octets of the first that is not, if one is not.
    ///
    /// `start` is the position of the field in its message.
    pub(crate) fn check(field: &'a [u8], add_path: bool, start: usize) -> Result<Self, Span> {
        let mut rest = field;
        while !rest.is_empty() {
            let Ok((after, _)) = split::<P>(rest, add_path) else {
                let end = start + field.len();
                return Err(Span::new(end - rest.len(), end));
            };
            rest = after;
        }
        Ok(Self::of_checked(field, add_path))
    }

    pub(crate) fn empty() -> Self {
        Self::of_checked(&[], false)
    }

    /// `field` was checked.
    pub(crate) fn of_checked(field: &'a [u8], add_path: bool) -> Self {
        Self {
            rest: field,
            add_path,
            prefix: PhantomData,
        }
    }
}

impl<P: UnicastPrefix> Iterator for Prefixes<'_, P> {
    type Item = Nlri<P>;

    #[inline(always)]
    fn next(&mut self) -> Option<Nlri<P>> {
        let (rest, (path_id, bits, octets)) = split::<P>(self.rest, self.add_path).ok()?;
        self.rest = rest;
        Some(Nlri {
            path_id,
            prefix: P::load(octets, bits)?,
        })
    }
}

/// Path identifier, length in bits, and what starts with the octets of the prefix.
type Item<'a> = (Option<PathId>, u8, &'a [u8]);

/// One prefix: the same step checks and iterates.
#[inline(always)]
fn split<P: UnicastPrefix>(input: &[u8], add_path: bool) -> Parsed<'_, Item<'_>> {
    let (rest, path_id) = if add_path {
        let (rest, path_id) = be_u32(input)?;
        (rest, Some(PathId(path_id)))
    } else {
        (input, None)
    };
    let (octets, bits) = octet(rest)?;
    let (usual, length) = P::USUAL;
    let rest = if usual.contains(&bits) {
        octets.get(length..)
    } else {
        behind(octets, bits, P::BITS)
    };
    Ok((rest.ok_or(nom::Err::Error(Short))?, (path_id, bits, octets)))
}

/// What follows a prefix of any length.
#[inline(never)]
fn behind(octets: &[u8], bits: u8, most: u8) -> Option<&[u8]> {
    if bits > most {
        None
    } else {
        octets.get(usize::from(bits).div_ceil(8)..)
    }
}

/// The octets of a next hop behind their one-octet length.
pub(crate) fn next_hop(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, length) = octet(input)?;
    take(rest, length.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::prelude::v1::*;

    use crate::nlri::{Form, encoded_length, write};

    const FORM: Form = Form {
        family: crate::Family::IPV4_UNICAST,
        add_path: true,
        multiple_labels: false,
        withdrawn: false,
    };

    fn ipv4(field: &[u8]) -> Result<Vec<String>, Span> {
        Ok(Prefixes::<Ipv4Net>::check(field, false, 100)?
            .map(|nlri| nlri.prefix.to_string())
            .collect())
    }

    #[test]
    fn host_bits_are_cleared() {
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
        let prefixes = Prefixes::<Ipv6Net>::check(&field, false, 0).unwrap();
        let text: Vec<_> = prefixes.map(|nlri| nlri.prefix.to_string()).collect();
        assert_eq!(text, ["::/0", "fe00::/7", "2001:db8:0:1::/64"]);
    }

    #[test]
    fn faults_name_their_octets() {
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
    fn path_identifiers() {
        let field = [0, 0, 0, 7, 8, 10, 0xff, 0, 0, 0, 0];
        let prefixes: Vec<_> = Prefixes::<Ipv4Net>::check(&field, true, 0)
            .unwrap()
            .collect();
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
            at += write(nlri, &FORM, &mut out[at..]);
        }
        assert_eq!((at, out), (11, field));
        assert_eq!(
            prefixes
                .iter()
                .map(|nlri| encoded_length(nlri, &FORM))
                .sum::<usize>(),
            field.len()
        );
    }
}
