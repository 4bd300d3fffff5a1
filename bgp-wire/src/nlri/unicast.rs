//! Prefixes of the unicast and multicast families (RFC 4271 section 4.3).

use core::net::IpAddr;
use core::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::NlriFormat;
use super::encode::{HasFamily, NlriValue};
use crate::family::Family;
use crate::iana::{Afi, Safi};

/// A prefix type of this grammar: [`Ipv4Net`] or [`Ipv6Net`].
pub trait UnicastPrefix: Copy + Into<IpNet> + private::Sealed {
    /// The address family whose prefixes these are.
    const AFI: Afi;

    /// The length in bits.
    fn length(self) -> u8;

    #[doc(hidden)]
    const OCTETS: usize;

    /// The largest length in bits.
    #[doc(hidden)]
    const MAX_BITS: u8;

    /// The lengths of nearly all prefixes of the internet, and how many octets each has.
    #[doc(hidden)]
    const USUAL: (RangeInclusive<u8>, usize);

    /// The same for those that come next.
    #[doc(hidden)]
    const FREQUENT: (RangeInclusive<u8>, usize);

    /// The prefix of this length at the start of `octets`, whatever stands behind it.
    #[doc(hidden)]
    fn load(bits: u8, octets: &[u8]) -> Option<Self>;

    /// Writes the prefix to the start of `out`; what is behind it, or `None` if there is no room.
    #[doc(hidden)]
    fn write(self, out: &mut [u8]) -> Option<&mut [u8]>;
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
    ($prefix:ty, $integer:ty, $octets:literal, $masks:ident, $afi:expr, $usual:expr, $frequent:expr) => {
        /// By length, the bits of the network, as they stand in memory.
        #[expect(
            clippy::as_conversions,
            clippy::indexing_slicing,
            reason = "evaluated at compile time"
        )]
        static $masks: [$integer; $octets * 8 + 1] = {
            let mut masks = [<$integer>::MAX; $octets * 8 + 1];
            let mut host_bits = $octets * 8;
            while host_bits > 0 {
                let mask = <$integer>::MAX.unbounded_shl(host_bits);
                masks[$octets * 8 - host_bits as usize] = mask.to_be();
                host_bits -= 1;
            }
            masks
        };

        impl UnicastPrefix for $prefix {
            const AFI: Afi = $afi;

            fn length(self) -> u8 {
                self.prefix_len()
            }

            const OCTETS: usize = $octets;

            const MAX_BITS: u8 = $octets * 8;

            const USUAL: (RangeInclusive<u8>, usize) = $usual;

            const FREQUENT: (RangeInclusive<u8>, usize) = $frequent;

            #[inline(always)]
            fn load(bits: u8, octets: &[u8]) -> Option<Self> {
                // Loading whole words and masking beats copying a variable number of octets.
                let word = match octets.first_chunk::<$octets>() {
                    Some(word) => *word,
                    None => pad(octets),
                };
                let network = <$integer>::from_ne_bytes(word) & $masks.get(usize::from(bits))?;
                Self::new(network.to_ne_bytes().into(), bits).ok()
            }

            #[inline(always)]
            fn write(self, out: &mut [u8]) -> Option<&mut [u8]> {
                let bits = self.prefix_len();
                let mask = $masks.get(usize::from(bits))?;
                let network = <$integer>::from_ne_bytes(self.addr().octets()) & mask;
                let (first, rest) = out.split_first_mut()?;
                let length = usize::from(bits).div_ceil(8);
                // A whole word where there is room for one: what is too much is written over or cut off.
                if let Some(word) = rest.first_chunk_mut() {
                    *word = network.to_ne_bytes();
                } else {
                    let octets = rest.get_mut(..length)?.iter_mut();
                    octets
                        .zip(network.to_ne_bytes())
                        .for_each(|(to, from)| *to = from);
                }
                *first = bits;
                rest.get_mut(length..)
            }
        }
    };
}

unicast_prefix!(
    Ipv4Net,
    u32,
    4,
    IPV4_MASKS,
    Afi::IPV4,
    (17..=24, 3),
    (25..=32, 4)
);
unicast_prefix!(
    Ipv6Net,
    u128,
    16,
    IPV6_MASKS,
    Afi::IPV6,
    (41..=48, 6),
    (25..=32, 4)
);

impl<P: UnicastPrefix> NlriValue for P {
    const MAX_LENGTH: usize = 1 + P::OCTETS;

    #[inline(always)]
    fn suits(family: Family) -> bool {
        family.afi == P::AFI && matches!(family.safi, Safi::UNICAST | Safi::MULTICAST)
    }

    #[inline(always)]
    fn is_legal(&self, _: &NlriFormat) -> bool {
        true
    }

    #[inline(always)]
    fn encoded_length(&self, _: &NlriFormat) -> usize {
        1 + usize::from(self.length()).div_ceil(8)
    }

    #[inline(always)]
    fn write<'o>(&self, _: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        UnicastPrefix::write(*self, out)
    }
}

impl<P: UnicastPrefix> HasFamily for P {
    #[inline(always)]
    fn family(&self) -> Family {
        Family::new(P::AFI, Safi::UNICAST)
    }

    #[inline(always)]
    fn is_of(&self, _: Family) -> bool {
        true
    }
}

impl NlriValue for IpNet {
    const MAX_LENGTH: usize = 17;

    fn suits(family: Family) -> bool {
        matches!(family.afi, Afi::IPV4 | Afi::IPV6)
            && matches!(family.safi, Safi::UNICAST | Safi::MULTICAST)
    }

    fn is_legal(&self, format: &NlriFormat) -> bool {
        self.family().afi == format.family.afi
    }

    fn encoded_length(&self, _: &NlriFormat) -> usize {
        1 + usize::from(self.prefix_len()).div_ceil(8)
    }

    fn write<'o>(&self, _: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        match self {
            Self::V4(prefix) => UnicastPrefix::write(*prefix, out),
            Self::V6(prefix) => UnicastPrefix::write(*prefix, out),
        }
    }
}

impl HasFamily for IpNet {
    fn family(&self) -> Family {
        match self {
            Self::V4(_) => Family::IPV4_UNICAST,
            Self::V6(_) => Family::IPV6_UNICAST,
        }
    }
}

/// The octets at the end of a field, and zeros.
#[inline(always)]
fn pad<const N: usize>(octets: &[u8]) -> [u8; N] {
    let mut word = [0; N];
    // One by one, not in a loop, or they would go through memory.
    for (position, octet) in word.iter_mut().enumerate() {
        *octet = octets.get(position).copied().unwrap_or(0);
    }
    word
}

/// The prefix of so many bits at the start of `octets`, of the kind of its family.
pub(super) fn load(octets: &[u8], bits: u8, afi: Afi) -> Option<IpNet> {
    debug_assert!(matches!(afi, Afi::IPV4 | Afi::IPV6), "it has prefixes");
    if usize::from(bits) > octets.len() * 8 {
        return None;
    }
    if afi == Afi::IPV6 {
        Ipv6Net::load(bits, octets).map(IpNet::V6)
    } else {
        Ipv4Net::load(bits, octets).map(IpNet::V4)
    }
}

/// The octets of the network, of which the first `bits` count.
pub(super) fn network(prefix: IpNet, into: &mut [u8; 16]) -> &[u8] {
    let bits = prefix.prefix_len();
    match prefix.network() {
        IpAddr::V4(address) => *into = pad(&address.octets()),
        IpAddr::V6(address) => *into = address.octets(),
    }
    let octets = into.get(..usize::from(bits).div_ceil(8));
    debug_assert!(octets.is_some(), "no prefix is longer than its address");
    octets.unwrap_or_default()
}
