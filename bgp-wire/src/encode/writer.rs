//! Writes UPDATEs of one family and kind. The routes are written first, because only their length is unknown before.

use core::net::Ipv4Addr;

use bytes::BytesMut;

use crate::attribute::{AttributeFlags, AttributeSet};
use crate::context::Context;
use crate::error::EncodeError;
use crate::frame::Frame;
use crate::iana::{AttributeCode, MessageType};
use crate::nlri::{EncodeNlri, NlriFormat, NlriValue, encoded_length, write};
use crate::sink::{Sink, Slice};

/// The field for the routes, with the values that the message has besides them.
#[derive(Clone, Copy)]
pub(super) enum RouteField<'a> {
    /// The Withdrawn Routes field.
    Withdrawn,
    /// The Network Layer Reachability Information field, after the attributes with NEXT_HOP.
    Nlri(&'a AttributeSet, Ipv4Addr),
    /// MP_REACH_NLRI with its next hop, before the other attributes (RFC 7606 section 5.1).
    MpReach(&'a AttributeSet, &'a [u8]),
    /// MP_UNREACH_NLRI.
    MpUnreach,
}

/// Writes messages with routes of one family.
pub(super) struct UpdateWriter<'a> {
    pub(super) context: &'a Context,
    pub(super) route_field: RouteField<'a>,
    pub(super) format: NlriFormat,
}

const NOT_OF_FAMILY: EncodeError =
    EncodeError::Illegal("route of another family or malformed route");

/// Octets of the two length fields: Withdrawn Routes Length and Total Path Attribute Length.
const SECTION_LENGTHS: usize = 4;

/// The Total Path Attribute Length of a message without attributes.
const NO_ATTRIBUTES: [u8; 2] = [0; 2];

/// Octets of a multiprotocol attribute up to and including its family: a header with an extended length, and AFI and
/// SAFI.
// Always an extended length, because the position of the routes is fixed before their length is known.
const MULTIPROTOCOL_HEADER: usize = 7;

impl<'a> UpdateWriter<'a> {
    /// Appends as few messages as the limit permits to `out`, for `next` and all following routes of the same family.
    /// Returns the number of messages.
    ///
    /// `next` is then the first route of another family. After an error the caller must truncate `out`.
    #[inline(always)]
    pub(super) fn write_run<R: EncodeNlri>(
        &self,
        next: &mut Option<R>,
        routes: &mut impl Iterator<Item = R>,
        out: &mut BytesMut,
    ) -> Result<usize, EncodeError> {
        if !R::Value::suits(self.format.family) {
            return Err(NOT_OF_FAMILY);
        }
        // Measured once for all messages of the run.
        let attributes = match self.route_field {
            RouteField::Withdrawn | RouteField::MpUnreach => 0,
            RouteField::Nlri(attributes, next_hop) => {
                attributes.encoded_length(self.context, Some(next_hop))
            }
            RouteField::MpReach(attributes, _) => attributes.encoded_length(self.context, None),
        };
        let mut messages = 0;
        while let Some(first) = *next
            && first.is_of(self.format.family)
        {
            self.write_update(attributes, first, next, routes, out)?;
            messages += 1;
        }
        Ok(messages)
    }

    /// Returns the number of octets before and after the routes.
    #[inline(always)]
    fn octets_around_routes(&self, attributes: usize) -> (usize, usize) {
        let fixed = Frame::HEADER_LENGTH + SECTION_LENGTHS;
        match self.route_field {
            RouteField::Withdrawn => (fixed - 2, 2),
            RouteField::Nlri(..) => (fixed + attributes, 0),
            // One octet for the length of the next hop, and a reserved one (RFC 4760 section 3).
            RouteField::MpReach(_, next_hop) => (
                fixed + MULTIPROTOCOL_HEADER + next_hop.len() + 2,
                attributes,
            ),
            RouteField::MpUnreach => (fixed + MULTIPROTOCOL_HEADER, 0),
        }
    }

    /// Writes one message with as many routes as fit, beginning with `next`. `first` is a copy of `next`.
    #[inline(always)]
    fn write_update<R: EncodeNlri>(
        &self,
        attributes: usize,
        first: R,
        next: &mut Option<R>,
        routes: &mut impl Iterator<Item = R>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let limit = self.context.message_limit.octets();
        let (before, after) = self.octets_around_routes(attributes);
        let min_length = before + encoded_length(&first, &self.format) + after;
        // Without this test a route that fits into no message would never be consumed.
        if min_length > limit {
            return Err(EncodeError::AttributesTooLong {
                length: min_length,
                limit,
            });
        }
        let start = out.len();
        let max_room = limit - before - after;
        let mut room = self.first_room(&first, routes).min(max_room);
        out.resize(start + before + room + after, 0);
        let message = out.get_mut(start..).unwrap_or_default();
        let field = message.get_mut(before..before + room).unwrap_or_default();
        let mut used = self.write_routes(next, routes, field)?;
        // For short values this is constant, and there is no loop.
        while !has_short_values::<R>() && room < max_room && self.needs_room(next, room - used) {
            room = (room * 2).min(max_room);
            out.resize(start + before + room + after, 0);
            let field = out.get_mut(start + before + used..start + before + room);
            used += self.write_routes(next, routes, field.unwrap_or_default())?;
        }
        if used == 0 {
            return Err(EncodeError::Illegal("empty NLRI"));
        }
        let length = before + used + after;
        let message = out.get_mut(start..).unwrap_or_default();
        debug_assert_eq!(message.len(), before + room + after, "resized above");
        Slice::write(message, |out| self.put_head(length, attributes, out));
        let behind = message.get_mut(before + used..).unwrap_or_default();
        match self.route_field {
            RouteField::Withdrawn => {
                Slice::write(behind, |out| out.put(&NO_ATTRIBUTES));
            }
            RouteField::MpReach(set, _) => set.write(self.context, None, behind),
            RouteField::Nlri(set, next_hop) => {
                let field = message.get_mut(before - attributes..).unwrap_or_default();
                set.write(self.context, Some(next_hop), field);
            }
            RouteField::MpUnreach => {}
        }
        out.truncate(start + length);
        Ok(())
    }

    /// Returns the octets to reserve for the routes of a message. Zeroing a whole message for a few routes would cost more than
    /// writing them.
    #[inline(always)]
    fn first_room<R: EncodeNlri>(&self, first: &R, routes: &impl Iterator<Item = R>) -> usize {
        if !has_short_values::<R>() {
            // The maximum is a whole message, and the next routes may be of another family. The room grows when it is full.
            return encoded_length(first, &self.format).max(MIN_ROOM);
        }
        let max_length = usize::from(self.format.add_path) * 4 + R::Value::MAX_LENGTH;
        let count = routes.size_hint().1.and_then(|more| more.checked_add(1));
        let expected = count.and_then(|count| count.checked_mul(max_length));
        expected.unwrap_or(usize::MAX)
    }

    /// Returns `true` if the next route of the run belongs to the same message, and is longer than the room left.
    fn needs_room<R: EncodeNlri>(&self, next: &Option<R>, left: usize) -> bool {
        next.as_ref().is_some_and(|route| {
            let follows = route.is_of(self.format.family) && !route.value().fills_field();
            follows && encoded_length(route, &self.format) > left
        })
    }

    /// Writes the octets before the routes, without the attributes. `length` is that of the whole message.
    #[inline(always)]
    fn put_head(&self, length: usize, attributes: usize, out: &mut Slice<'_>) {
        let (before, after) = self.octets_around_routes(attributes);
        let used = length - before - after;
        out.put(&[0xff; 16]);
        out.put(&two_octets(length));
        out.put(&[MessageType::UPDATE.0]);
        match self.route_field {
            RouteField::Withdrawn => out.put(&two_octets(used)),
            RouteField::Nlri(..) => {
                out.put(&[0, 0]);
                out.put(&two_octets(attributes));
            }
            RouteField::MpReach(_, next_hop) => {
                let code = AttributeCode::MP_REACH_NLRI;
                self.put_multiprotocol(code, used + next_hop.len() + 2, attributes, out);
                let length = u8::try_from(next_hop.len());
                debug_assert!(length.is_ok(), "a next hop has at most 48 octets");
                out.put(&[length.unwrap_or(u8::MAX)]);
                out.put(next_hop);
                out.put(&[0]);
            }
            RouteField::MpUnreach => {
                self.put_multiprotocol(AttributeCode::MP_UNREACH_NLRI, used, 0, out);
            }
        }
    }

    /// Writes the section lengths and a multiprotocol attribute up to its family. `inside` is the number of octets
    /// after the family, and `others` that of the other attributes.
    fn put_multiprotocol(
        &self,
        code: AttributeCode,
        inside: usize,
        others: usize,
        out: &mut Slice<'_>,
    ) {
        let family = self.format.family;
        out.put(&[0, 0]);
        out.put(&two_octets(MULTIPROTOCOL_HEADER + inside + others));
        out.put(&[
            AttributeFlags::OPTIONAL | AttributeFlags::EXTENDED_LENGTH,
            code.0,
        ]);
        out.put(&two_octets(3 + inside));
        out.put(&family.afi.0.to_be_bytes());
        out.put(&[family.safi.0]);
    }

    /// Writes routes of the family until none remains or the next does not fit. Returns the number of octets written.
    #[inline(always)]
    fn write_routes<R: EncodeNlri>(
        &self,
        next: &mut Option<R>,
        routes: &mut impl Iterator<Item = R>,
        field: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let room = field.len();
        let mut rest = field;
        while let Some(route) = *next
            && route.is_of(self.format.family)
        {
            // RFC 7911 section 3: either every route of the family has a path identifier or none has.
            if route.path_id().is_some() != self.format.add_path {
                return Err(EncodeError::Illegal(
                    "path identifier without ADD-PATH, or ADD-PATH without path identifier",
                ));
            }
            if !route.value().is_legal(&self.format) {
                return Err(NOT_OF_FAMILY);
            }
            let left = rest.len();
            let Some(behind) = write(&route, &self.format, rest) else {
                return Ok(room - left);
            };
            rest = behind;
            // Only after the route is written: a route that does not fit opens the next message.
            *next = routes.next();
            // A route of a family that is not parsed is a whole field, to which no other can be appended.
            if route.value().fills_field() {
                break;
            }
        }
        Ok(room - rest.len())
    }
}

/// The first room for routes whose values may be long.
const MIN_ROOM: usize = 128;

/// Returns `true` if the maximum length of a value is a good estimate of its length.
#[inline(always)]
const fn has_short_values<R: EncodeNlri>() -> bool {
    R::Value::MAX_LENGTH <= 64
}

/// Returns the length of a part of a message, at most 65535 (RFC 8654), as two octets.
#[inline(always)]
fn two_octets(length: usize) -> [u8; 2] {
    debug_assert!(length <= 65535, "the message fits its limit");
    crate::error::position(length).to_be_bytes()
}
