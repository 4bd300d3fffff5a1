//! Capabilities that are lists of families with parameters.

use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::family::Family;
use crate::iana::{Afi, Safi};

/// One entry of a capability that is a list.
// Sealed: an entry of another size or meaning would need a variant of `Capability`.
pub trait CapabilityEntry: Copy + private::Sealed {
    #[doc(hidden)]
    const OCTETS: usize;

    #[doc(hidden)]
    fn decode(octets: &[u8]) -> Option<Self>;

    #[doc(hidden)]
    fn encode(self, out: &mut Vec<u8>);
}

/// The entries of a capability, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapabilityEntries<'a, T> {
    octets: &'a [u8],
    entry: PhantomData<T>,
}

impl<'a, T: CapabilityEntry> CapabilityEntries<'a, T> {
    /// Creates a list of `octets`. Returns `None` if the last entry is incomplete.
    pub(super) fn new(octets: &'a [u8]) -> Option<Self> {
        // With an incomplete entry it is unknown which entries the sender meant, so none is used.
        octets.len().is_multiple_of(T::OCTETS).then_some(Self {
            octets,
            entry: PhantomData,
        })
    }

    /// Returns the entries.
    pub fn iter(self) -> impl Iterator<Item = T> + use<'a, T> {
        self.octets.chunks_exact(T::OCTETS).filter_map(|octets| {
            let entry = T::decode(octets);
            debug_assert!(entry.is_some(), "every whole entry decodes");
            entry
        })
    }
}

/// A family in a Graceful Restart capability (RFC 4724 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GracefulRestartFamily {
    /// The family whose routes are kept.
    pub family: Family,
    /// The F bit: the sender preserved its forwarding state over the restart.
    pub forwarding: bool,
}

/// A family in a Long-Lived Graceful Restart capability (RFC 9494 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LongLivedRestartFamily {
    /// The family whose routes are kept as stale.
    pub family: Family,
    /// The F bit: the sender preserved its forwarding state over the restart.
    pub forwarding: bool,
    /// Stale time in seconds, at most 2^24 - 1. A larger value is sent as this maximum.
    pub stale_time: u32,
}

/// A family whose routes may have a next hop of another family (RFC 8950 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExtendedNextHop {
    /// The family of the routes. Its SAFI has two octets in the message.
    pub family: Family,
    /// The family of the next hop.
    pub next_hop: Afi,
}

/// A family for which the sender sends or receives several paths to one prefix (RFC 7911 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AddPathFamily {
    /// The family of the routes.
    pub family: Family,
    /// 1 to receive, 2 to send, 3 for both. Ignore an entry with any other value.
    // Raw, because RFC 7911 section 4 ignores other values and a tool still shows them.
    pub directions: u8,
}

impl AddPathFamily {
    /// Returns `true` if the sender of the capability receives path identifiers.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self.directions, 1 | 3)
    }

    /// Returns `true` if the sender of the capability offers to send path identifiers.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self.directions, 2 | 3)
    }
}

/// The number of labels that a prefix of a family may have (RFC 8277 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MultipleLabelsFamily {
    /// The family of the routes.
    pub family: Family,
    /// Maximum number of labels that the sender of the capability accepts; 255 for any number. Ignore 0 and 1.
    pub count: u8,
}

mod private {
    #[expect(
        unnameable_types,
        reason = "a sealed trait: no other crate can implement it"
    )]
    pub trait Sealed {}
    impl Sealed for super::GracefulRestartFamily {}
    impl Sealed for super::LongLivedRestartFamily {}
    impl Sealed for super::ExtendedNextHop {}
    impl Sealed for super::AddPathFamily {}
    impl Sealed for super::MultipleLabelsFamily {}
}

/// Returns a family from its octets.
fn family(afi: [u8; 2], safi: u8) -> Family {
    Family::new(Afi(u16::from_be_bytes(afi)), Safi(safi))
}

/// Appends AFI and SAFI.
fn put_family(family: Family, out: &mut Vec<u8>) {
    out.extend(family.afi.0.to_be_bytes());
    out.push(family.safi.0);
}

impl CapabilityEntry for GracefulRestartFamily {
    const OCTETS: usize = 4;

    fn decode(octets: &[u8]) -> Option<Self> {
        let &[a, b, safi, flags] = octets.first_chunk()?;
        // RFC 4724 section 3: the other bits of the flags are reserved and ignored.
        Some(Self {
            family: family([a, b], safi),
            forwarding: flags & 0x80 != 0,
        })
    }

    fn encode(self, out: &mut Vec<u8>) {
        put_family(self.family, out);
        out.push(u8::from(self.forwarding) << 7);
    }
}

impl CapabilityEntry for LongLivedRestartFamily {
    const OCTETS: usize = 7;

    fn decode(octets: &[u8]) -> Option<Self> {
        let &[a, b, safi, flags, high, middle, low] = octets.first_chunk()?;
        let stale_time = u32::from_be_bytes([0, high, middle, low]);
        Some(Self {
            family: family([a, b], safi),
            forwarding: flags & 0x80 != 0,
            stale_time,
        })
    }

    fn encode(self, out: &mut Vec<u8>) {
        put_family(self.family, out);
        out.push(u8::from(self.forwarding) << 7);
        // RFC 9494 section 3.1: the field has 24 bits. A wrapped time could end the retention at once.
        let [_, stale_time @ ..] = self.stale_time.min(0xff_ffff).to_be_bytes();
        out.extend(stale_time);
    }
}

impl CapabilityEntry for ExtendedNextHop {
    const OCTETS: usize = 6;

    fn decode(octets: &[u8]) -> Option<Self> {
        // RFC 8950 section 4: the SAFI has two octets here, of which the first is zero for every registered SAFI.
        let &[a, b, _, safi, c, d] = octets.first_chunk()?;
        Some(Self {
            family: family([a, b], safi),
            next_hop: Afi(u16::from_be_bytes([c, d])),
        })
    }

    fn encode(self, out: &mut Vec<u8>) {
        out.extend(self.family.afi.0.to_be_bytes());
        out.extend([0, self.family.safi.0]);
        out.extend(self.next_hop.0.to_be_bytes());
    }
}

impl CapabilityEntry for AddPathFamily {
    const OCTETS: usize = 4;

    fn decode(octets: &[u8]) -> Option<Self> {
        let &[a, b, safi, directions] = octets.first_chunk()?;
        Some(Self {
            family: family([a, b], safi),
            directions,
        })
    }

    fn encode(self, out: &mut Vec<u8>) {
        put_family(self.family, out);
        out.push(self.directions);
    }
}

impl CapabilityEntry for MultipleLabelsFamily {
    const OCTETS: usize = 4;

    fn decode(octets: &[u8]) -> Option<Self> {
        let &[a, b, safi, count] = octets.first_chunk()?;
        // RFC 8277 section 2.1 ignores 0 and 1. The caller does so, because a tool still shows them.
        Some(Self {
            family: family([a, b], safi),
            count,
        })
    }

    fn encode(self, out: &mut Vec<u8>) {
        put_family(self.family, out);
        out.push(self.count);
    }
}
