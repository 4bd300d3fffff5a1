//! The encoder of UPDATEs: as few messages as the limit permits for routes in the given order.
//!
//! [`Update::check`](crate::Update::check) accepts every message. As RFC 7606 section 5.1 requires, MP_REACH_NLRI or
//! MP_UNREACH_NLRI comes first, and a message has only one of Withdrawn Routes, NLRI, MP_REACH_NLRI and
//! MP_UNREACH_NLRI.

mod next_hop;
mod writer;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use bytes::{BufMut, BytesMut};

use crate::attribute::{AttributeFlags, AttributeSet};
use crate::context::Context;
use crate::distinct::grouped;
use crate::error::EncodeError;
use crate::family::Family;
use crate::iana::{AttributeCode, MessageType};
use crate::message::write_message;
use crate::next_hop::{NextHop, is_usable_ipv4};
use crate::nlri::{AnyNlriBuf, EncodeNlri, NlriFormat};
use next_hop::NextHopField;
use writer::{RouteField, UpdateWriter};

/// Appends UPDATEs that withdraw `routes` to `out`. Returns the number of messages.
///
/// The routes may be of any families. Their order is kept: each message has routes of one family, and consecutive
/// routes of one family share messages.
///
/// ```
/// use bgp_wire::{AnyNlriBuf, Context, Family, PeerKind, encode_withdrawals};
/// let family = Family::IPV4_FLOWSPEC;
/// let rules = [AnyNlriBuf::parse(family, "destination 192.0.2.0/24 protocol =udp")?];
/// let context = Context::new(PeerKind::Internal).with_families([family]);
/// let mut octets = bytes::BytesMut::new();
/// assert_eq!(encode_withdrawals(&context, &rules, &mut octets)?, 1, "one message");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Returns an error if a family is not negotiated or a route is malformed. Also if a route has a path identifier
/// without negotiated ADD-PATH, or none with it. `out` is then unchanged.
pub fn encode_withdrawals<R: EncodeNlri>(
    context: &Context,
    routes: impl IntoIterator<Item = R>,
    out: &mut BytesMut,
) -> Result<usize, EncodeError> {
    each_run(routes, out, |family, next, routes, out| {
        check_family(context, family)?;
        // RFC 4760 section 4 permits MP_UNREACH_NLRI too, but the field of RFC 4271 is shorter and every peer reads it.
        let route_field = if family == Family::IPV4_UNICAST {
            RouteField::Withdrawn
        } else {
            RouteField::MpUnreach
        };
        let writer = UpdateWriter {
            context,
            format: NlriFormat::new(family, context, true),
            route_field,
        };
        writer.write_run(next, routes, out)
    })
}

/// Appends UPDATEs that announce `routes` with `attributes` and `next_hop` to `out`. Returns the number of messages.
///
/// The routes may be of any families that permit the next hop. Their order is kept: each message has routes of one
/// family, and consecutive routes of one family share messages.
///
/// ```
/// use bgp_wire::{AttributeSet, Context, Family, LabeledPrefix, NextHop, Nlri, Origin, PeerKind, encode_announcements};
/// let routes: [LabeledPrefix; 2] = ["192.0.2.0/24 label 100".parse()?, "198.51.100.0/24 label 101".parse()?];
/// let context = Context::new(PeerKind::Internal).with_families([Family::IPV4_LABELED]);
/// let attributes = AttributeSet::new(Origin::IGP);
/// let next_hop = NextHop::Address([192, 0, 2, 1].into());
/// let mut octets = bytes::BytesMut::new();
/// let messages = encode_announcements(&context, &attributes, next_hop, routes.map(Nlri::new), &mut octets)?;
/// assert_eq!(messages, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Returns the errors of [`encode_withdrawals`]. Also an error if a family does not permit the next hop, or if the
/// attributes are malformed or leave no room for a route. `out` is then unchanged.
pub fn encode_announcements<R: EncodeNlri>(
    context: &Context,
    attributes: &AttributeSet,
    next_hop: NextHop,
    routes: impl IntoIterator<Item = R>,
    out: &mut BytesMut,
) -> Result<usize, EncodeError> {
    // Once, before any output: the check does not depend on the routes.
    attributes.check(context)?;
    each_run(routes, out, |family, next, routes, out| {
        check_family(context, family)?;
        let mut field = NextHopField::default();
        // IPv4 unicast with an IPv4 next hop uses NLRI and NEXT_HOP; RFC 8950 puts an IPv6 next hop into MP_REACH_NLRI.
        let route_field = match (family, next_hop) {
            (Family::IPV4_UNICAST, NextHop::Address(IpAddr::V4(address)))
                if is_usable_ipv4(address) =>
            {
                RouteField::Nlri(attributes, address)
            }
            _ => {
                field.put(context, family, next_hop)?;
                RouteField::MpReach(attributes, field.as_slice())
            }
        };
        let writer = UpdateWriter {
            context,
            format: NlriFormat::new(family, context, false),
            route_field,
        };
        writer.write_run(next, routes, out)
    })
}

/// Calls `write_run` with the next route and its family until no route remains. Returns the sum of the results.
///
/// After an error `out` is unchanged.
// Inlined with its closure, so that routes of a type with one family have no branch on the family.
#[inline(always)]
fn each_run<R: EncodeNlri, I: IntoIterator<Item = R>>(
    routes: I,
    out: &mut BytesMut,
    mut write_run: impl FnMut(
        Family,
        &mut Option<R>,
        &mut I::IntoIter,
        &mut BytesMut,
    ) -> Result<usize, EncodeError>,
) -> Result<usize, EncodeError> {
    let start = out.len();
    let mut messages = 0;
    let mut routes = routes.into_iter();
    let mut next = routes.next();
    while let Some(first) = next {
        let family = first.family();
        match write_run(family, &mut next, &mut routes, out) {
            Ok(written) => messages += written,
            Err(error) => {
                // Complete messages of earlier runs are also removed: a caller must not send a part of the routes.
                out.truncate(start);
                return Err(error);
            }
        }
        // A run ends with its family. For types with one family this is a constant, so they have no loop here, and the
        // loop over their routes keeps `next` in registers.
        if next.is_none_or(|following| following.is_of(family)) {
            break;
        }
    }
    Ok(messages)
}

/// Returns an error if the family may not be exchanged.
fn check_family(context: &Context, family: Family) -> Result<(), EncodeError> {
    if context.exchanges(family) {
        Ok(())
    } else {
        Err(EncodeError::NotNegotiated(family))
    }
}

/// Appends the End-of-RIB marker of `family` to `out` (RFC 4724 section 2).
pub fn encode_end_of_rib(family: Family, out: &mut BytesMut) {
    let written = write_message(out, MessageType::UPDATE, 4096, |out| {
        out.put_u16(0);
        // RFC 4724 section 2: the marker of IPv4 unicast is an UPDATE without any content.
        if family == Family::IPV4_UNICAST {
            out.put_u16(0);
        } else {
            out.put_u16(6);
            out.put_slice(&[
                AttributeFlags::OPTIONAL,
                AttributeCode::MP_UNREACH_NLRI.0,
                3,
            ]);
            out.put_u16(family.afi.0);
            out.put_u8(family.safi.0);
        }
        Ok(())
    });
    debug_assert_eq!(written, Ok::<(), EncodeError>(()), "29 octets fit");
}

/// Routes to announce and to withdraw, of any families.
///
/// ```
/// use bgp_wire::{AttributeSet, Context, Family, Origin, PeerKind, UpdateBuf};
/// let mut update = UpdateBuf::new(AttributeSet::new(Origin::IGP));
/// update.announce("192.168.10.1/32".parse::<ipnet::IpNet>()?);
/// update.set_next_hop(Family::IPV4_UNICAST, std::net::IpAddr::from([192, 168, 0, 111]));
/// let mut octets = bytes::BytesMut::new();
/// assert_eq!(update.encode(&Context::new(PeerKind::Internal), &mut octets)?, 1, "one message");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UpdateBuf {
    /// The attributes of the announced routes.
    pub attributes: AttributeSet,
    /// The next hop of each announced family.
    ///
    /// Only flow specifications and families that are not parsed may lack one.
    // A sorted map instead of a list, in which setting the next hops of many families would take quadratic time.
    pub next_hops: BTreeMap<Family, NextHop>,
    /// Routes to announce.
    pub announced: Vec<AnyNlriBuf>,
    /// Routes to withdraw.
    pub withdrawn: Vec<AnyNlriBuf>,
}

impl UpdateBuf {
    /// Creates an UPDATE without routes.
    #[must_use]
    pub const fn new(attributes: AttributeSet) -> Self {
        Self {
            attributes,
            next_hops: BTreeMap::new(),
            announced: Vec::new(),
            withdrawn: Vec::new(),
        }
    }

    /// Adds a route to announce.
    pub fn announce(&mut self, route: impl Into<AnyNlriBuf>) {
        self.announced.push(route.into());
    }

    /// Adds a route to withdraw.
    pub fn withdraw(&mut self, route: impl Into<AnyNlriBuf>) {
        self.withdrawn.push(route.into());
    }

    /// Sets the next hop for the announced routes of a family, in place of an earlier one.
    pub fn set_next_hop(&mut self, family: Family, next_hop: impl Into<NextHop>) {
        self.next_hops.insert(family, next_hop.into());
    }

    /// Appends as few messages as the limit permits to `out`. Returns the number of messages.
    ///
    /// Withdrawals come first. The routes of each family are together, in their order.
    ///
    /// # Errors
    ///
    /// Returns an error if a next hop is missing, the attributes leave no room for a route, or no receiver accepts a
    /// value. `out` is then unchanged.
    pub fn encode(&self, context: &Context, out: &mut BytesMut) -> Result<usize, EncodeError> {
        let start = out.len();
        self.encode_to(context, out)
            .inspect_err(|_| out.truncate(start))
    }

    /// Appends the messages to `out`. After an error `out` may have some of them.
    fn encode_to(&self, context: &Context, out: &mut BytesMut) -> Result<usize, EncodeError> {
        // Withdrawals first: a route in both lists is then announced at the end.
        let mut messages = encode_withdrawals(context, by_family(&self.withdrawn), out)?;
        let announced = by_family(&self.announced);
        for routes in announced.chunk_by(|one, other| one.family == other.family) {
            let family = routes.first().map(|route| route.family);
            let next_hop = family.and_then(|family| self.next_hops.get(&family).copied());
            let next_hop = next_hop.unwrap_or(NextHop::Absent);
            let routes = routes.iter().copied();
            messages += encode_announcements(context, &self.attributes, next_hop, routes, out)?;
        }
        Ok(messages)
    }
}

/// Returns the routes with those of each family together.
fn by_family(routes: &[AnyNlriBuf]) -> Vec<&AnyNlriBuf> {
    grouped(routes, |route| route.family)
}
