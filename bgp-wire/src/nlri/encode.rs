//! The routes that the encoders take: [`EncodeNlri`] for the items, and [`NlriValue`] for the values in them.
//!
//! Both traits are sealed, so that the crate can add methods without breaking a caller.

use super::{Nlri, NlriFormat, PathId};
use crate::family::Family;
use crate::sink::Slice;

/// A route that [`encode_announcements`](crate::encode_announcements) and
/// [`encode_withdrawals`](crate::encode_withdrawals) write.
///
/// | item | family |
/// |---|---|
/// | [`Nlri<Ipv4Net>`](ipnet::Ipv4Net), [`Nlri<Ipv6Net>`](ipnet::Ipv6Net), [`Nlri<IpNet>`](ipnet::IpNet) | unicast |
/// | [`Nlri<LabeledPrefix>`](crate::LabeledPrefix) | labeled unicast |
/// | [`Nlri<VpnPrefix>`](crate::VpnPrefix) | VPN |
/// | [`Nlri<EvpnRoute>`](crate::EvpnRoute) | EVPN |
/// | [`Nlri<RouteTargetPrefix>`](crate::RouteTargetPrefix) | route target membership |
/// | [`AnyNlri`](crate::AnyNlri), [`&AnyNlriBuf`](crate::AnyNlriBuf) | the family in the item |
/// | `(Family, Nlri<V>)` | the given family |
/// | a reference to any of them | that of the item |
///
/// The last form is for values that do not determine their family: [`&FlowSpecBuf`](crate::FlowSpecBuf),
/// [`FlowSpec`](crate::FlowSpec), [`&DestinationBuf`](crate::DestinationBuf), [`Destination`](crate::Destination), and
/// prefixes of the multicast families. `V` may also be any of the types above.
///
/// ```
/// use bgp_wire::{Context, EncodeNlri, Family, Nlri, PeerKind, RouteTargetPrefix, encode_withdrawals};
/// let route = Nlri::new(RouteTargetPrefix::DEFAULT);
/// assert_eq!((route.family(), route.path_id()), (Family::ROUTE_TARGET, None));
///
/// let context = Context::new(PeerKind::Internal).with_families([Family::ROUTE_TARGET, Family::IPV4_MULTICAST]);
/// let mut octets = bytes::BytesMut::new();
/// assert_eq!(encode_withdrawals(&context, [route], &mut octets)?, 1, "one message");
/// let prefix: Nlri = "192.0.2.0/24".parse()?;
/// assert_eq!(encode_withdrawals(&context, [(Family::IPV4_MULTICAST, prefix)], &mut octets)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
// `Copy`, because a route that no longer fits is kept and starts the next message.
pub trait EncodeNlri: Copy + private::Sealed {
    /// Returns the family of the route.
    fn family(&self) -> Family;

    /// Returns the path identifier (RFC 7911 section 3), or `None` if the route has none.
    fn path_id(&self) -> Option<PathId>;

    #[doc(hidden)]
    type Value: NlriValue;

    /// Returns the value that follows the path identifier.
    #[doc(hidden)]
    fn value(&self) -> Self::Value;

    /// Returns `true` if the route is of `family`. Types of one family override it, so that the comparison costs nothing.
    #[doc(hidden)]
    #[inline(always)]
    fn is_of(&self, family: Family) -> bool {
        self.family() == family
    }
}

/// A value in an NLRI field, without its path identifier.
#[expect(
    unnameable_types,
    reason = "a hidden part of EncodeNlri, which cannot be implemented elsewhere"
)]
pub trait NlriValue: Copy {
    /// The maximum number of octets that [`Self::write`] writes.
    const MAX_LENGTH: usize;

    /// Returns `true` if values of this type can be routes of `family`.
    fn suits(family: Family) -> bool;

    /// Returns `true` if the value fills its field, so that no route can follow.
    #[inline(always)]
    fn fills_field(&self) -> bool {
        false
    }

    /// Returns `true` if a receiver decodes the same value. The caller has checked [`Self::suits`].
    fn is_legal(&self, format: &NlriFormat) -> bool;

    /// Returns the number of octets that [`Self::write`] writes.
    fn encoded_length(&self, format: &NlriFormat) -> usize;

    /// Writes the value to the start of `out`. Returns the rest of `out`, or `None` if `out` is too short.
    fn write<'o>(&self, format: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]>;
}

/// A value that determines its family.
#[expect(
    unnameable_types,
    reason = "a hidden part of EncodeNlri, which cannot be implemented elsewhere"
)]
pub trait HasFamily: NlriValue {
    /// Returns the family of the value.
    fn family(&self) -> Family;

    /// Returns `true` if the value is of `family`.
    #[inline(always)]
    fn is_of(&self, family: Family) -> bool {
        self.family() == family
    }
}

// A public trait in a private module: callers can use the methods but not implement the trait.
pub(super) mod private {
    #[expect(
        unnameable_types,
        reason = "a trait that cannot be named cannot be implemented elsewhere"
    )]
    pub trait Sealed {}
}

impl<V: HasFamily> private::Sealed for Nlri<V> {}

impl<V: HasFamily> EncodeNlri for Nlri<V> {
    type Value = V;

    #[inline(always)]
    fn family(&self) -> Family {
        self.prefix.family()
    }

    #[inline(always)]
    fn path_id(&self) -> Option<PathId> {
        self.path_id
    }

    #[inline(always)]
    fn value(&self) -> V {
        self.prefix
    }

    // For unicast prefixes this is a constant, and the loop over a full table has no comparison of families.
    #[inline(always)]
    fn is_of(&self, family: Family) -> bool {
        self.prefix.is_of(family)
    }
}

impl<V: NlriValue> private::Sealed for (Family, Nlri<V>) {}

impl<V: NlriValue> EncodeNlri for (Family, Nlri<V>) {
    type Value = V;

    fn family(&self) -> Family {
        self.0
    }

    fn path_id(&self) -> Option<PathId> {
        self.1.path_id
    }

    fn value(&self) -> V {
        self.1.prefix
    }
}

impl<R: EncodeNlri> private::Sealed for &R {}

// A route by reference, so that the items of a slice need not be copied by the caller.
impl<R: EncodeNlri> EncodeNlri for &R {
    type Value = R::Value;

    #[inline(always)]
    fn family(&self) -> Family {
        (**self).family()
    }

    #[inline(always)]
    fn path_id(&self) -> Option<PathId> {
        (**self).path_id()
    }

    #[inline(always)]
    fn value(&self) -> R::Value {
        (**self).value()
    }

    #[inline(always)]
    fn is_of(&self, family: Family) -> bool {
        (**self).is_of(family)
    }
}

/// Returns the number of octets that [`write`] writes.
#[inline(always)]
pub(crate) fn encoded_length<R: EncodeNlri>(route: &R, format: &NlriFormat) -> usize {
    // A path identifier is four octets (RFC 7911 section 3).
    route.path_id().map_or(0, |_| 4) + route.value().encoded_length(format)
}

/// Writes a route to the start of `out`. Returns the rest of `out`, or `None` if `out` is too short.
#[inline(always)]
pub(crate) fn write<'o, R: EncodeNlri>(
    route: &R,
    format: &NlriFormat,
    out: &'o mut [u8],
) -> Option<&'o mut [u8]> {
    // The caller has checked that the route has an identifier exactly if ADD-PATH is negotiated.
    let Some(PathId(path_id)) = route.path_id() else {
        return route.value().write(format, out);
    };
    let (identifier, rest) = out.split_first_chunk_mut()?;
    *identifier = path_id.to_be_bytes();
    route.value().write(format, rest)
}

/// Calls `write` with the first `length` octets of `out`, all of which it has to fill. Returns the rest of `out`, or `None`
/// if `out` is shorter.
pub(super) fn write_exactly(
    length: usize,
    out: &mut [u8],
    write: impl FnOnce(&mut Slice<'_>),
) -> Option<&mut [u8]> {
    // Room is checked before the first octet, so that a route without room leaves nothing behind.
    let (field, rest) = out.split_at_mut_checked(length)?;
    let written = Slice::write(field, write);
    debug_assert_eq!(written, length, "encoded_length() and write() agree");
    Some(rest)
}
