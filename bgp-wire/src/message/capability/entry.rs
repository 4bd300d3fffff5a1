//! Capabilities that are lists: of families with what holds for each.

use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::family::Family;
use crate::iana::{Afi, Safi};

/// One item of a capability that is a list.
pub trait CapabilityEntry: Copy + private::Sealed {
    #[doc(hidden)]
    const OCTETS: usize;

    #[doc(hidden)]
    fn decode(octets: &[u8]) -> Option<Self>;

    #[doc(hidden)]
    fn encode(self, out: &mut Vec<u8>);
}

/// The items of such a capability, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapabilityEntries<'a, T> {
    octets: &'a [u8],
    entry: PhantomData<T>,
}

impl<'a, T: CapabilityEntry> CapabilityEntries<'a, T> {
    /// The whole of `octets` as items; `None` if the last one is cut short.
    pub(super) fn new(octets: &'a [u8]) -> Option<Self> {
        octets.len().is_multiple_of(T::OCTETS).then_some(Self {
            octets,
            entry: PhantomData,
        })
    }

    /// The items.
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
    /// The family whose routes survive.
    pub family: Family,
    /// The F bit: forwarding of its routes went on over the restart.
    pub forwarding: bool,
}

/// A family in a Long-Lived Graceful Restart capability (RFC 9494 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LongLivedRestartFamily {
    /// The family whose routes are kept as stale.
    pub family: Family,
    /// The F bit: forwarding of its routes went on over the restart.
    pub forwarding: bool,
    /// For how many seconds; 24 bits are sent.
    pub stale_time: u32,
}

/// Routes of a family that may have a next hop of another one (RFC 8950 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ExtendedNextHop {
    /// The family of the routes. Its SAFI has two octets on the wire.
    pub family: Family,
    /// The family of the next hop.
    pub next_hop: Afi,
}

/// Whether several paths to one prefix are sent or understood (RFC 7911 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AddPathFamily {
    /// The family of the routes.
    pub family: Family,
    /// 1 receive, 2 send, 3 both; an entry with another value is to be ignored.
    pub directions: u8,
}

impl AddPathFamily {
    /// Whether the sender of the capability understands path identifiers.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self.directions, 1 | 3)
    }

    /// Whether the sender of the capability wants to send path identifiers.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self.directions, 2 | 3)
    }
}

/// How many labels a prefix of a family may have (RFC 8277 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MultipleLabelsFamily {
    /// The family of the routes.
    pub family: Family,
    /// The most labels that the sender of the capability accepts; 0 and 1 are to be ignored, 255 stands for any number.
    pub count: u8,
}

mod private {
    #[expect(
        unnameable_types,
        reason = "what cannot be named cannot be implemented elsewhere"
    )]
    pub trait Sealed {}
    impl Sealed for super::GracefulRestartFamily {}
    impl Sealed for super::LongLivedRestartFamily {}
    impl Sealed for super::ExtendedNextHop {}
    impl Sealed for super::AddPathFamily {}
    impl Sealed for super::MultipleLabelsFamily {}
}

fn family(afi: [u8; 2], safi: u8) -> Family {
    Family::new(Afi(u16::from_be_bytes(afi)), Safi(safi))
}

fn put_family(family: Family, out: &mut Vec<u8>) {
    out.extend(family.afi.0.to_be_bytes());
    out.push(family.safi.0);
}

impl CapabilityEntry for GracefulRestartFamily {
    const OCTETS: usize = 4;

    fn decode(octets: &[u8]) -> Option<Self> {
        let &[a, b, safi, flags] = octets.first_chunk()?;
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
        let [_, stale_time @ ..] = self.stale_time.min(0xff_ffff).to_be_bytes();
        out.extend(stale_time);
    }
}

impl CapabilityEntry for ExtendedNextHop {
    const OCTETS: usize = 6;

    fn decode(octets: &[u8]) -> Option<Self> {
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
