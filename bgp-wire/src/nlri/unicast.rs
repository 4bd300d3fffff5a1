//! Prefixes of the unicast and multicast families (RFC 4271 section 4.3), with or without path identifier (RFC 7911).

use core::marker::PhantomData;

use bytes::{BufMut, BytesMut};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::Span;
use crate::iana::Afi;
use crate::parse::{Parsed, Short, be_u32, octet, take};

/// A path identifier (RFC 7911 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

/// A prefix and, where ADD-PATH is negotiated, its path identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl<P: UnicastPrefix> Nlri<P> {
    /// Octets that [`Nlri::encode`] writes.
    pub(crate) fn encoded_length(&self) -> usize {
        self.path_id.map_or(0, |_| 4) + 1 + usize::from(self.prefix.length()).div_ceil(8)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        if let Some(PathId(path_id)) = self.path_id {
            out.put_u32(path_id);
        }
        out.put_u8(self.prefix.length());
        self.prefix.put_network(out);
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

    #[doc(hidden)]
    fn read(input: &[u8], bits: u8) -> Option<(&[u8], Self)>;

    #[doc(hidden)]
    fn put_network(self, out: &mut BytesMut);
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
    ($prefix:ty, $integer:ty, $octets:literal, $afi:expr) => {
        impl UnicastPrefix for $prefix {
            const AFI: Afi = $afi;

            fn length(self) -> u8 {
                self.prefix_len()
            }

            #[inline(always)]
            fn read(input: &[u8], bits: u8) -> Option<(&[u8], Self)> {
                let (octets, rest) = input.split_at_checked(usize::from(bits).div_ceil(8))?;
                // Loading whole words and masking beats copying a variable number of octets.
                let word = match input.first_chunk::<$octets>() {
                    Some(word) => *word,
                    None => {
                        let mut word = [0; $octets];
                        word.get_mut(..octets.len())?.copy_from_slice(octets);
                        word
                    }
                };
                let host_bits = <$integer>::BITS.checked_sub(bits.into())?;
                let mask = <$integer>::MAX.checked_shl(host_bits).unwrap_or(0);
                let network = <$integer>::from_be_bytes(word) & mask;
                Some((rest, Self::new(network.into(), bits).ok()?))
            }

            fn put_network(self, out: &mut BytesMut) {
                let length = usize::from(self.prefix_len()).div_ceil(8);
                out.put_slice(self.network().octets().get(..length).unwrap_or_default());
            }
        }
    };
}

unicast_prefix!(Ipv4Net, u32, 4, Afi::IPV4);
unicast_prefix!(Ipv6Net, u128, 16, Afi::IPV6);

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
            let Ok((after, _)) = nlri::<P>(rest, add_path) else {
                let end = start + field.len();
                return Err(Span::new(end - rest.len(), end));
            };
            rest = after;
        }
        Ok(Self {
            rest: field,
            add_path,
            prefix: PhantomData,
        })
    }

    pub(crate) fn empty() -> Self {
        Self {
            rest: &[],
            add_path: false,
            prefix: PhantomData,
        }
    }
}

impl<P: UnicastPrefix> Iterator for Prefixes<'_, P> {
    type Item = Nlri<P>;

    #[inline(always)]
    fn next(&mut self) -> Option<Nlri<P>> {
        let (rest, item) = nlri(self.rest, self.add_path).ok()?;
        self.rest = rest;
        Some(item)
    }
}

/// One prefix: the same step checks and iterates.
#[inline(always)]
fn nlri<P: UnicastPrefix>(input: &[u8], add_path: bool) -> Parsed<'_, Nlri<P>> {
    let (rest, path_id) = if add_path {
        let (rest, path_id) = be_u32(input)?;
        (rest, Some(PathId(path_id)))
    } else {
        (input, None)
    };
    let (rest, bits) = octet(rest)?;
    let (rest, prefix) = P::read(rest, bits).ok_or(nom::Err::Error(Short))?;
    Ok((rest, Nlri { path_id, prefix }))
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
        let mut out = BytesMut::new();
        prefixes.iter().for_each(|nlri| nlri.encode(&mut out));
        assert_eq!(out, field[..]);
        assert_eq!(
            prefixes.iter().map(Nlri::encoded_length).sum::<usize>(),
            field.len()
        );
    }
}
