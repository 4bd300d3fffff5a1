//! Prefixes of the unicast and multicast families (RFC 4271 section 4.3).

use core::net::IpAddr;
use core::ops::RangeInclusive;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::NlriFormat;
use super::bogus::{is_bogus_ipv4, is_bogus_ipv6, is_suspect_ipv4, is_suspect_ipv6};
use super::encode::{HasFamily, NlriValue};
use crate::family::Family;
use crate::iana::{Afi, Safi};

/// A prefix type with the grammar of RFC 4271 section 4.3: [`Ipv4Net`] or [`Ipv6Net`].
pub trait UnicastPrefix: Copy + Into<IpNet> + private::Sealed {
    /// The address family of the prefixes.
    const AFI: Afi;

    /// Returns the length in bits.
    fn length(self) -> u8;

    /// The length of an address in octets.
    #[doc(hidden)]
    const OCTETS: usize;

    /// The maximum length in bits.
    #[doc(hidden)]
    const MAX_BITS: u8;

    /// The lengths of most prefixes in the internet's routing table, and their number of octets.
    #[doc(hidden)]
    const USUAL: (RangeInclusive<u8>, usize);

    /// The next most frequent lengths, and their number of octets.
    #[doc(hidden)]
    const FREQUENT: (RangeInclusive<u8>, usize);

    /// Returns `true` if a bogus prefix may begin with this octet.
    #[doc(hidden)]
    fn is_suspect(first: u8) -> bool;

    /// Returns `true` if the prefix is bogus (see [`is_bogus_prefix`](crate::is_bogus_prefix)).
    #[doc(hidden)]
    fn is_bogus(self) -> bool;

    /// Decodes a prefix of `bits` bits from the start of `octets`, which may be longer.
    ///
    /// Returns `None` if `bits` is greater than [`Self::MAX_BITS`]. Missing octets count as zero.
    #[doc(hidden)]
    fn load(bits: u8, octets: &[u8]) -> Option<Self>;

    /// Writes the prefix to the start of `out`. Returns the rest of `out`, or `None` if `out` is too short.
    #[doc(hidden)]
    fn write(self, out: &mut [u8]) -> Option<&mut [u8]>;
}

mod private {
    #[expect(
        unnameable_types,
        reason = "a trait that cannot be named cannot be implemented elsewhere"
    )]
    pub trait Sealed {}
    impl Sealed for ipnet::Ipv4Net {}
    impl Sealed for ipnet::Ipv6Net {}
}

macro_rules! unicast_prefix {
    ($prefix:ty, $integer:ty, $octets:literal, $masks:ident, $afi:expr, $usual:expr, $frequent:expr, $is_suspect:expr, $is_bogus:expr) => {
        /// The network masks by prefix length, in network byte order.
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
            fn is_suspect(first: u8) -> bool {
                $is_suspect(first)
            }

            // Not inlined: it is called only for messages that have a bogus prefix.
            #[inline(never)]
            fn is_bogus(self) -> bool {
                $is_bogus(self)
            }

            #[inline(always)]
            fn load(bits: u8, octets: &[u8]) -> Option<Self> {
                // Loading a whole word and masking it is faster than copying a variable number of octets, which would
                // be a call to memcpy.
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
                // A whole word if there is room for one. The next prefix overwrites its unused octets, or the message is
                // truncated before them.
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
    // A /24 is the longest prefix that most networks accept.
    (17..=24, 3),
    (25..=32, 4),
    is_suspect_ipv4,
    is_bogus_ipv4
);
unicast_prefix!(
    Ipv6Net,
    u128,
    16,
    IPV6_MASKS,
    Afi::IPV6,
    // A /48 is the longest, and a /32 the usual allocation of a network.
    (41..=48, 6),
    (25..=32, 4),
    is_suspect_ipv6,
    is_bogus_ipv6
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

/// Returns the first `N` octets, with zeros for those that are missing.
#[inline(always)]
fn pad<const N: usize>(octets: &[u8]) -> [u8; N] {
    let mut word = [0; N];
    // The compiler unrolls this and keeps the word in a register. A copied slice would go through memory.
    for (position, octet) in word.iter_mut().enumerate() {
        *octet = octets.get(position).copied().unwrap_or(0);
    }
    word
}

/// Decodes a prefix of `bits` bits of an address family. Returns `None` if `bits` is too great or octets are missing.
pub(super) fn load(octets: &[u8], bits: u8, afi: Afi) -> Option<IpNet> {
    debug_assert!(
        matches!(afi, Afi::IPV4 | Afi::IPV6),
        "other address families have no prefixes"
    );
    // `UnicastPrefix::load` pads missing octets with zeros, but here they make the route malformed.
    if usize::from(bits) > octets.len() * 8 {
        return None;
    }
    if afi == Afi::IPV6 {
        Ipv6Net::load(bits, octets).map(IpNet::V6)
    } else {
        Ipv4Net::load(bits, octets).map(IpNet::V4)
    }
}

/// Returns the octets of the network that the prefix length covers. `into` provides the memory.
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
