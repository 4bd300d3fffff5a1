//! Writing UPDATEs: as few messages as the limit allows for routes in their order, each of which
//! [`Update::check`](crate::Update::check) accepts.
//!
//! RFC 7606 section 5.1: MP_REACH_NLRI or MP_UNREACH_NLRI stands first, the other attributes ascend, and no message has
//! more than one of Withdrawn Routes, NLRI, MP_REACH_NLRI and MP_UNREACH_NLRI.

use alloc::vec::Vec;
use core::iter::Peekable;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};

use crate::attribute::rules::is_host;
use crate::attribute::{AttributeFlags, AttributeSet, MpReach};
use crate::check::Checked;
use crate::context::Context;
use crate::error::EncodeError;
use crate::family::{Family, FamilySet};
use crate::frame::Frame;
use crate::iana::{Afi, AttributeCode, MessageType, Safi};
use crate::message::{patch_u16, write_message};
use crate::nlri::{
    AnyNlriBuf, DestinationBuf, Form, Nlri, NlriValue, UnicastPrefix, encoded_length, write,
};

/// The next hop of announced routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum NextHop {
    /// One address. A VPN's gets the route distinguisher zero in front.
    Address(IpAddr),
    /// A global IPv6 address and the link-local one behind it (RFC 2545 section 3).
    GlobalAndLinkLocal(Ipv6Addr, Ipv6Addr),
    /// None, for flow specifications (RFC 8955 section 4) and for families that are not parsed.
    Absent,
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

/// Appends UPDATEs that withdraw unicast `prefixes` to `out` and says how many.
///
/// # Errors
///
/// A prefix has a path identifier and ADD-PATH is not negotiated, or the other way round. `out` is then as it was.
pub fn encode_withdrawals<P: UnicastPrefix>(
    context: &Context,
    prefixes: impl IntoIterator<Item = Nlri<P>>,
    out: &mut BytesMut,
) -> Result<usize, EncodeError> {
    withdraw(context, Family::new(P::AFI, Safi::UNICAST), prefixes, out)
}

fn withdraw<P: NlriValue>(
    context: &Context,
    family: Family,
    routes: impl IntoIterator<Item = Nlri<P>>,
    out: &mut BytesMut,
) -> Result<usize, EncodeError> {
    let writer = UpdateWriter {
        context,
        place: if family == Family::IPV4_UNICAST {
            Place::Withdrawn
        } else {
            Place::MpUnreach
        },
        form: Form::new(family, context, true),
        attributes: None,
        next_hop: &[],
    };
    writer.write_all(routes, out)
}

/// Appends UPDATEs that announce unicast `prefixes` with `attributes` to `out` and says how many.
///
/// # Errors
///
/// The next hop does not suit the family, or the attributes leave no room for a prefix. `out` is then as it was.
pub fn encode_announcements<P: UnicastPrefix>(
    context: &Context,
    attributes: &AttributeSet,
    next_hop: NextHop,
    prefixes: impl IntoIterator<Item = Nlri<P>>,
    out: &mut BytesMut,
) -> Result<usize, EncodeError> {
    let family = Family::new(P::AFI, Safi::UNICAST);
    announce(context, family, attributes, next_hop, prefixes, out)
}

fn announce<P: NlriValue>(
    context: &Context,
    family: Family,
    attributes: &AttributeSet,
    next_hop: NextHop,
    routes: impl IntoIterator<Item = Nlri<P>>,
    out: &mut BytesMut,
) -> Result<usize, EncodeError> {
    attributes.check(context)?;
    let mut field = NextHopField::default();
    let legacy = match (family, next_hop) {
        (Family::IPV4_UNICAST, NextHop::Address(IpAddr::V4(address))) if is_host(address) => {
            Some(address)
        }
        _ => {
            field.put(context, family, next_hop)?;
            None
        }
    };
    let writer = UpdateWriter {
        context,
        place: match legacy {
            Some(_) => Place::Nlri,
            None => Place::MpReach,
        },
        form: Form::new(family, context, false),
        attributes: Some((attributes, legacy)),
        next_hop: field.as_slice(),
    };
    writer.write_all(routes, out)
}

/// The Network Address of Next Hop field of MP_REACH_NLRI.
#[derive(Default)]
struct NextHopField {
    octets: [[u8; 16]; 3],
    length: usize,
}

impl NextHopField {
    /// What `next_hop` is for routes of `family`: the counterpart of what [`crate::MpReach`] accepts.
    fn put(
        &mut self,
        context: &Context,
        family: Family,
        next_hop: NextHop,
    ) -> Result<(), EncodeError> {
        let extended = context.extended_next_hop.contains(family);
        let ip = matches!(
            family.safi,
            Safi::UNICAST | Safi::MULTICAST | Safi::LABELED | Safi::VPN
        );
        let (ipv4, ipv6) = match family.afi {
            Afi::IPV4 if ip => (true, extended),
            Afi::IPV6 if ip => (false, true),
            _ => (true, true),
        };
        let flowspec = matches!(family.safi, Safi::FLOWSPEC | Safi::FLOWSPEC_VPN);
        let unknown = family.bit() == 0;
        let vpn = family.safi == Safi::VPN;
        match next_hop {
            NextHop::Absent if flowspec || unknown => {}
            NextHop::Absent => return Err(EncodeError::NextHopMissing(family)),
            NextHop::Address(IpAddr::V4(address))
                if ipv4 && is_host(address) && family != Family::IPV4_UNICAST =>
            {
                self.push(vpn, &address.octets());
            }
            NextHop::Address(IpAddr::V6(address)) if ipv6 => self.push(vpn, &address.octets()),
            NextHop::GlobalAndLinkLocal(global, link_local) if ipv6 && ip => {
                self.push(vpn, &global.octets());
                self.push(vpn, &link_local.octets());
            }
            NextHop::Address(address) => return Err(EncodeError::NextHopUnusable(address)),
            NextHop::GlobalAndLinkLocal(address, _) => {
                return Err(EncodeError::NextHopUnusable(address.into()));
            }
        }
        Ok(())
    }

    fn push(&mut self, vpn: bool, address: &[u8]) {
        self.length += if vpn { 8 } else { 0 };
        let field = self.octets.as_flattened_mut();
        if let Some(slot) = field.get_mut(self.length..self.length + address.len()) {
            slot.copy_from_slice(address);
        }
        self.length += address.len();
    }

    fn as_slice(&self) -> &[u8] {
        self.octets
            .as_flattened()
            .get(..self.length)
            .unwrap_or_default()
    }
}

/// Appends the End-of-RIB marker of `family` to `out` (RFC 4724 section 2).
pub fn encode_end_of_rib(family: Family, out: &mut BytesMut) {
    let written = write_message(out, MessageType::UPDATE, 4096, |out| {
        out.put_u16(0);
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

/// Where the routes stand in the message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Withdrawn Routes.
    Withdrawn,
    /// Network Layer Reachability Information, behind the attributes.
    Nlri,
    /// MP_REACH_NLRI, in front of the attributes.
    MpReach,
    /// MP_UNREACH_NLRI.
    MpUnreach,
}

/// Writes messages of one family and kind until its routes are used up.
struct UpdateWriter<'a> {
    context: &'a Context,
    place: Place,
    form: Form,
    /// What the routes carry, and NEXT_HOP. They are written anew into each message: that costs less than a copy.
    attributes: Option<(&'a AttributeSet, Option<Ipv4Addr>)>,
    next_hop: &'a [u8],
}

impl UpdateWriter<'_> {
    fn write_all<P: NlriValue>(
        &self,
        routes: impl IntoIterator<Item = Nlri<P>>,
        out: &mut BytesMut,
    ) -> Result<usize, EncodeError> {
        let mut routes = routes.into_iter().peekable();
        let start = out.len();
        let mut messages = 0;
        while routes.peek().is_some() {
            if let Err(error) = self.write_one(&mut routes, out) {
                out.truncate(start);
                return Err(error);
            }
            messages += 1;
        }
        Ok(messages)
    }

    fn write_one<P: NlriValue>(
        &self,
        routes: &mut Peekable<impl Iterator<Item = Nlri<P>>>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let limit = self.context.limit.octets();
        write_message(out, MessageType::UPDATE, limit, |out| {
            let room = Room {
                start: out.len() - Frame::HEADER_LENGTH,
                limit,
                form: self.form,
            };
            let field = out.len();
            out.put_u16(0);
            if self.place == Place::Withdrawn {
                room.fill(routes, 2, out)?;
                close_u16(out, field)?;
                out.put_u16(0);
                return Ok(());
            }
            let field = out.len();
            out.put_u16(0);
            if self.place != Place::Nlri {
                self.put_multiprotocol(routes, &room, out)?;
            }
            self.put_attributes(out)?;
            close_u16(out, field)?;
            if self.place == Place::Nlri {
                room.fill(routes, 0, out)?;
            }
            Ok(())
        })
    }

    fn put_attributes(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self.attributes {
            Some((attributes, next_hop)) => attributes.encode(self.context, next_hop, out),
            None => Ok(()),
        }
    }

    /// How many octets [`Self::put_attributes`] writes.
    fn measure_attributes(&self, out: &mut BytesMut) -> Result<usize, EncodeError> {
        let before = out.len();
        self.put_attributes(out)?;
        let length = out.len() - before;
        out.truncate(before);
        Ok(length)
    }

    fn put_multiprotocol<P: NlriValue>(
        &self,
        routes: &mut Peekable<impl Iterator<Item = Nlri<P>>>,
        room: &Room,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let reserved = self.measure_attributes(out)?;
        let code = if self.place == Place::MpReach {
            AttributeCode::MP_REACH_NLRI
        } else {
            AttributeCode::MP_UNREACH_NLRI
        };
        out.put_slice(&[
            AttributeFlags::OPTIONAL | AttributeFlags::EXTENDED_LENGTH,
            code.0,
        ]);
        let field = out.len();
        out.put_u16(0);
        out.put_u16(self.form.family.afi.0);
        out.put_u8(self.form.family.safi.0);
        if self.place == Place::MpReach {
            let too_long = EncodeError::PartTooLong {
                part: "the next hop",
                length: self.next_hop.len(),
            };
            out.put_u8(u8::try_from(self.next_hop.len()).map_err(|_| too_long)?);
            out.put_slice(self.next_hop);
            out.put_u8(0);
        }
        room.fill(routes, reserved, out)?;
        close_u16(out, field)
    }
}

/// Where a message starts, how many octets it may have, and how its routes are written.
struct Room {
    start: usize,
    limit: usize,
    form: Form,
}

impl Room {
    /// Writes routes until none is left or the next one would leave less than `reserved` octets.
    fn fill<P: NlriValue>(
        &self,
        routes: &mut Peekable<impl Iterator<Item = Nlri<P>>>,
        reserved: usize,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let before = out.len();
        let most = (self.start + self.limit).saturating_sub(before + reserved);
        let longest = usize::from(self.form.add_path) * 4 + P::LONGEST;
        let expected = routes
            .size_hint()
            .1
            .and_then(|count| count.checked_mul(longest));
        // Room for all that fits, written over by whole words and cut to what is used.
        out.resize(
            before + expected.map_or(most, |expected| expected.min(most)),
            0,
        );
        let mut rest = out.get_mut(before..).unwrap_or_default();
        let mut used = 0;
        while let Some(nlri) = routes.next_if(|nlri| encoded_length(nlri, &self.form) <= rest.len())
        {
            // RFC 7911 section 3: either every route of the family has a path identifier or none has.
            if nlri.path_id.is_some() != self.form.add_path {
                return Err(EncodeError::Illegal(
                    "a path identifier without ADD-PATH, or ADD-PATH without one,",
                ));
            }
            nlri.prefix.check(&self.form)?;
            let length = write(&nlri, &self.form, rest);
            used += length;
            rest = rest.get_mut(length..).unwrap_or_default();
        }
        out.truncate(before + used);
        match routes.peek() {
            Some(nlri) if used == 0 => {
                let length = before - self.start + encoded_length(nlri, &self.form) + reserved;
                Err(EncodeError::AttributesTooLong {
                    length,
                    limit: self.limit,
                })
            }
            _ => Ok(()),
        }
    }
}

/// Writes into the two octets at `field` how many follow them.
fn close_u16(out: &mut BytesMut, field: usize) -> Result<(), EncodeError> {
    let length = out.len() - field - 2;
    let value = u16::try_from(length).map_err(|_| EncodeError::PartTooLong {
        part: "a field",
        length,
    })?;
    patch_u16(out, field, value);
    Ok(())
}

/// Routes to announce and withdraw, of any families.
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
    /// What the announced routes carry.
    pub attributes: AttributeSet,
    /// The next hop of each announced family; the first of a family counts. Without one there is none, which only flow
    /// specifications can do without.
    pub next_hops: Vec<(Family, NextHop)>,
    /// Routes to announce.
    pub announced: Vec<AnyNlriBuf>,
    /// Routes to withdraw.
    pub withdrawn: Vec<AnyNlriBuf>,
}

impl UpdateBuf {
    /// An UPDATE without routes.
    #[must_use]
    pub const fn new(attributes: AttributeSet) -> Self {
        Self {
            attributes,
            next_hops: Vec::new(),
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

    /// Says what the next hop of the announced routes of a family is.
    pub fn set_next_hop(&mut self, family: Family, next_hop: impl Into<NextHop>) {
        self.next_hops.retain(|(known, _)| *known != family);
        self.next_hops.push((family, next_hop.into()));
    }

    fn next_hop(&self, family: Family) -> NextHop {
        self.next_hops
            .iter()
            .find(|(known, _)| *known == family)
            .map_or(NextHop::Absent, |(_, next_hop)| *next_hop)
    }

    /// Appends as few messages as the limit allows to `out` and says how many: withdrawals first, family by family, the
    /// routes of each in their order.
    ///
    /// # Errors
    ///
    /// A next hop is missing, the attributes leave no room for a route, or a value is one that no receiver would accept.
    /// `out` is then as it was.
    pub fn encode(&self, context: &Context, out: &mut BytesMut) -> Result<usize, EncodeError> {
        let start = out.len();
        self.encode_to(context, out)
            .inspect_err(|_| out.truncate(start))
    }

    fn encode_to(&self, context: &Context, out: &mut BytesMut) -> Result<usize, EncodeError> {
        let mut messages = 0;
        each_family(&self.withdrawn, |family| {
            messages += withdraw(context, family, of_family(&self.withdrawn, family), out)?;
            Ok(())
        })?;
        each_family(&self.announced, |family| {
            let routes = of_family(&self.announced, family);
            let next_hop = self.next_hop(family);
            messages += announce(context, family, &self.attributes, next_hop, routes, out)?;
            Ok(())
        })?;
        Ok(messages)
    }
}

impl From<&Checked<'_>> for UpdateBuf {
    /// The same routes with the same next hops, and the attributes that are passed on with them (see
    /// [`AttributeSet::from`]).
    fn from(checked: &Checked<'_>) -> Self {
        let mut update = Self::new(checked.into());
        if let Some(address) = checked.next_hop() {
            update.set_next_hop(Family::IPV4_UNICAST, IpAddr::V4(address));
        }
        if let Some(reach) = checked.mp_reach()
            && let Some(next_hop) = NextHop::of(&reach)
        {
            update.set_next_hop(reach.family(), next_hop);
        }
        update
            .announced
            .extend(checked.announced_routes().map(AnyNlriBuf::from));
        update
            .withdrawn
            .extend(checked.withdrawn_routes().map(AnyNlriBuf::from));
        update
    }
}

impl NextHop {
    fn of(reach: &MpReach<'_>) -> Option<Self> {
        match (reach.next_hop()?, reach.link_local_next_hop()) {
            (IpAddr::V6(global), Some(link_local)) => {
                Some(Self::GlobalAndLinkLocal(global, link_local))
            }
            (address, _) => Some(Self::Address(address)),
        }
    }
}

/// Each family that has routes, once.
fn each_family(
    routes: &[AnyNlriBuf],
    mut act: impl FnMut(Family) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let mut seen = FamilySet::EMPTY;
    for (position, AnyNlriBuf { family, .. }) in routes.iter().enumerate() {
        let earlier = || {
            routes
                .iter()
                .take(position)
                .any(|route| route.family == *family)
        };
        // The set has no place for families that are not parsed.
        let known = seen.contains(*family) || (family.bit() == 0 && earlier());
        if !known {
            seen = seen.with(*family);
            act(*family)?;
        }
    }
    Ok(())
}

fn of_family(routes: &[AnyNlriBuf], family: Family) -> impl Iterator<Item = Nlri<&DestinationBuf>> {
    let routes = routes.iter().filter(move |route| route.family == family);
    routes.map(|route| Nlri {
        path_id: route.path_id,
        prefix: &route.destination,
    })
}
