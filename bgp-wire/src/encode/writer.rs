//! Writes UPDATEs of one family and kind. All lengths are known before an octet is written, but for that of the routes,
//! which are written first.

use core::net::Ipv4Addr;

use bytes::BytesMut;

use crate::attribute::{AttributeFlags, AttributeSet};
use crate::context::Context;
use crate::error::EncodeError;
use crate::frame::Frame;
use crate::iana::{AttributeCode, MessageType};
use crate::nlri::{EncodeNlri, NlriFormat, NlriValue, encoded_length, write};
use crate::sink::{Sink, Slice};

/// Where the routes stand in the message, and what stands there with them.
#[derive(Clone, Copy)]
pub(super) enum RouteField<'a> {
    /// Withdrawn Routes.
    Withdrawn,
    /// Network Layer Reachability Information, behind the attributes and NEXT_HOP.
    Nlri(&'a AttributeSet, Ipv4Addr),
    /// MP_REACH_NLRI with its next hop, in front of the attributes (RFC 7606 section 5.1).
    MpReach(&'a AttributeSet, &'a [u8]),
    /// MP_UNREACH_NLRI.
    MpUnreach,
}

/// Writes the messages of routes of one family.
pub(super) struct UpdateWriter<'a> {
    pub(super) context: &'a Context,
    pub(super) route_field: RouteField<'a>,
    pub(super) format: NlriFormat,
}

const NOT_OF_FAMILY: EncodeError =
    EncodeError::Illegal("a route that is not of its family or is malformed");

/// Octets of the lengths of Withdrawn Routes and of the attributes.
const SECTION_LENGTHS: usize = 4;

/// The length of the attributes of a message that has none.
const NO_ATTRIBUTES: [u8; 2] = [0; 2];

/// Octets of a multiprotocol attribute in front of its routes: its header, always an extended one, and the family.
const MULTIPROTOCOL_HEADER: usize = 7;

impl<'a> UpdateWriter<'a> {
    /// Appends as few messages as the limit allows to `out`, from `next` to the last route that is of the same family, and
    /// returns their number. `next` is then the first route of another family.
    ///
    /// After an error what was appended has to be removed.
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

    /// Octets in front of the routes, and behind them.
    #[inline(always)]
    fn octets_around_routes(&self, attributes: usize) -> (usize, usize) {
        let fixed = Frame::HEADER_LENGTH + SECTION_LENGTHS;
        match self.route_field {
            RouteField::Withdrawn => (fixed - 2, 2),
            RouteField::Nlri(..) => (fixed + attributes, 0),
            // The next hop behind its length, and a reserved octet.
            RouteField::MpReach(_, next_hop) => (
                fixed + MULTIPROTOCOL_HEADER + next_hop.len() + 2,
                attributes,
            ),
            RouteField::MpUnreach => (fixed + MULTIPROTOCOL_HEADER, 0),
        }
    }

    /// Writes one message of as many routes as have room in it, from `next`, which is `first`, on.
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
        if min_length > limit {
            return Err(EncodeError::AttributesTooLong {
                length: min_length,
                limit,
            });
        }
        let start = out.len();
        let max_room = limit - before - after;
        let max_length = usize::from(self.format.add_path) * 4 + R::Value::MAX_LENGTH;
        let count = routes.size_hint().1.and_then(|more| more.checked_add(1));
        let expected = count.and_then(|count| count.checked_mul(max_length));
        let room = expected.map_or(max_room, |expected| expected.min(max_room));
        out.resize(start + before + room + after, 0);
        let message = out.get_mut(start..).unwrap_or_default();
        debug_assert_eq!(message.len(), before + room + after, "resized above");
        let field = message.get_mut(before..before + room).unwrap_or_default();
        let used = self.write_routes(next, routes, field)?;
        let written = field.get(..used).unwrap_or_default();
        if written.is_empty() || self.format.has_unexpected_path_ids(written) {
            return Err(EncodeError::Illegal(
                "a route that takes no room, or the default route three times in a row,",
            ));
        }
        let length = before + used + after;
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

    /// What stands in front of the routes of a message of so many octets, but for the attributes.
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

    /// A multiprotocol attribute with so many octets behind its family, and others behind it.
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

    /// Writes routes of the family until none is left or the next has no room; returns the number of octets.
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
                    "a path identifier without ADD-PATH, or ADD-PATH without one,",
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
            *next = routes.next();
            if route.value().fills_field() {
                break;
            }
        }
        Ok(room - rest.len())
    }
}

/// A length that a message of at most 65535 octets has.
#[inline(always)]
fn two_octets(length: usize) -> [u8; 2] {
    debug_assert!(length <= 65535, "the message fits its limit");
    crate::error::position(length).to_be_bytes()
}
