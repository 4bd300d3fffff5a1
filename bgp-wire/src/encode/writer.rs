//! Writes UPDATEs of one family and kind. All lengths are known before an octet is written, but for that of the routes,
//! which are written first.

use core::net::Ipv4Addr;

use bytes::BytesMut;

use crate::attribute::{AttributeFlags, AttributeSet};
use crate::context::Context;
use crate::error::EncodeError;
use crate::frame::Frame;
use crate::iana::{AttributeCode, MessageType};
use crate::nlri::{Form, Nlri, NlriValue, encoded_length, write};
use crate::sink::{Sink, Slice};

/// Where the routes stand in the message, and what stands there with them.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// Withdrawn Routes.
    Withdrawn,
    /// Network Layer Reachability Information, behind the attributes and NEXT_HOP.
    Nlri(&'a AttributeSet, Ipv4Addr),
    /// MP_REACH_NLRI with its next hop, in front of the attributes (RFC 7606 section 5.1).
    MpReach(&'a AttributeSet, &'a [u8]),
    /// MP_UNREACH_NLRI.
    MpUnreach,
}

/// Writes messages until the routes are used up.
pub(super) struct UpdateWriter<'a> {
    pub(super) context: &'a Context,
    pub(super) place: Place<'a>,
    pub(super) form: Form,
}

/// Octets of the lengths of Withdrawn Routes and of the attributes.
const LENGTHS: usize = 4;

/// The length of the attributes of a message that has none.
const NO_ATTRIBUTES: [u8; 2] = [0; 2];

/// Octets of a multiprotocol attribute in front of its routes: its header, always an extended one, and the family.
const MULTIPROTOCOL: usize = 7;

impl<'a> UpdateWriter<'a> {
    /// Appends as few messages as the limit allows to `out`, and says how many; after an error `out` is as it was.
    #[inline(always)]
    pub(super) fn write_all<P: NlriValue>(
        &self,
        routes: impl IntoIterator<Item = Nlri<P>>,
        out: &mut BytesMut,
    ) -> Result<usize, EncodeError> {
        let attributes = match self.place {
            Place::Withdrawn | Place::MpUnreach => 0,
            Place::Nlri(attributes, next_hop) => {
                attributes.encoded_length(self.context, Some(next_hop))
            }
            Place::MpReach(attributes, _) => attributes.encoded_length(self.context, None),
        };
        let start = out.len();
        let mut messages = 0;
        let mut routes = routes.into_iter();
        let mut next = routes.next();
        while let Some(first) = next {
            if let Err(error) = self.write_one(attributes, first, &mut next, &mut routes, out) {
                out.truncate(start);
                return Err(error);
            }
            messages += 1;
        }
        Ok(messages)
    }

    /// Octets in front of the routes, and behind them.
    #[inline(always)]
    fn around(&self, attributes: usize) -> (usize, usize) {
        let fixed = Frame::HEADER_LENGTH + LENGTHS;
        match self.place {
            Place::Withdrawn => (fixed - 2, 2),
            Place::Nlri(..) => (fixed + attributes, 0),
            // The next hop behind its length, and a reserved octet.
            Place::MpReach(_, next_hop) => (fixed + MULTIPROTOCOL + next_hop.len() + 2, attributes),
            Place::MpUnreach => (fixed + MULTIPROTOCOL, 0),
        }
    }

    /// Writes one message of as many routes as have room in it, from `next`, which is `first`, on.
    #[inline(always)]
    fn write_one<P: NlriValue>(
        &self,
        attributes: usize,
        first: Nlri<P>,
        next: &mut Option<Nlri<P>>,
        routes: &mut impl Iterator<Item = Nlri<P>>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let limit = self.context.limit.octets();
        let (before, after) = self.around(attributes);
        let shortest = before + encoded_length(&first, &self.form) + after;
        if shortest > limit {
            return Err(EncodeError::AttributesTooLong {
                length: shortest,
                limit,
            });
        }
        let start = out.len();
        let most = limit - before - after;
        let longest = usize::from(self.form.add_path) * 4 + P::LONGEST;
        let count = routes.size_hint().1.and_then(|more| more.checked_add(1));
        let expected = count.and_then(|count| count.checked_mul(longest));
        let room = expected.map_or(most, |expected| expected.min(most));
        out.resize(start + before + room + after, 0);
        let message = out.get_mut(start..).unwrap_or_default();
        let field = message.get_mut(before..before + room).unwrap_or_default();
        let used = self.fill(next, routes, field)?;
        let written = field.get(..used).unwrap_or_default();
        if written.is_empty() || self.form.is_mistaken_for(written) {
            return Err(EncodeError::Illegal(
                "a route that takes no room, or the default route three times in a row,",
            ));
        }
        let length = before + used + after;
        Slice::write(message, |out| self.put_head(length, attributes, out));
        let behind = message.get_mut(before + used..).unwrap_or_default();
        match self.place {
            Place::Withdrawn => {
                Slice::write(behind, |out| out.put(&NO_ATTRIBUTES));
            }
            Place::MpReach(set, _) => set.write(self.context, None, behind),
            Place::Nlri(set, next_hop) => {
                let field = message.get_mut(before - attributes..).unwrap_or_default();
                set.write(self.context, Some(next_hop), field);
            }
            Place::MpUnreach => {}
        }
        out.truncate(start + length);
        Ok(())
    }

    /// What stands in front of the routes of a message of so many octets, but for the attributes.
    #[inline(always)]
    fn put_head(&self, length: usize, attributes: usize, out: &mut Slice<'_>) {
        let (before, after) = self.around(attributes);
        let used = length - before - after;
        out.put(&[0xff; 16]);
        out.put(&two_octets(length));
        out.put(&[MessageType::UPDATE.0]);
        match self.place {
            Place::Withdrawn => out.put(&two_octets(used)),
            Place::Nlri(..) => {
                out.put(&[0, 0]);
                out.put(&two_octets(attributes));
            }
            Place::MpReach(_, next_hop) => {
                let code = AttributeCode::MP_REACH_NLRI;
                self.put_multiprotocol(code, used + next_hop.len() + 2, attributes, out);
                out.put(&[u8::try_from(next_hop.len()).unwrap_or(u8::MAX)]);
                out.put(next_hop);
                out.put(&[0]);
            }
            Place::MpUnreach => {
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
        let family = self.form.family;
        out.put(&[0, 0]);
        out.put(&two_octets(MULTIPROTOCOL + inside + others));
        out.put(&[
            AttributeFlags::OPTIONAL | AttributeFlags::EXTENDED_LENGTH,
            code.0,
        ]);
        out.put(&two_octets(3 + inside));
        out.put(&family.afi.0.to_be_bytes());
        out.put(&[family.safi.0]);
    }

    /// Writes routes until none is left or the next has no room; says how many octets.
    #[inline(always)]
    fn fill<P: NlriValue>(
        &self,
        next: &mut Option<Nlri<P>>,
        routes: &mut impl Iterator<Item = Nlri<P>>,
        field: &mut [u8],
    ) -> Result<usize, EncodeError> {
        let room = field.len();
        let mut rest = field;
        while let Some(nlri) = *next {
            // RFC 7911 section 3: either every route of the family has a path identifier or none has.
            if nlri.path_id.is_some() != self.form.add_path {
                return Err(EncodeError::Illegal(
                    "a path identifier without ADD-PATH, or ADD-PATH without one,",
                ));
            }
            nlri.prefix.check(&self.form)?;
            let left = rest.len();
            let Some(behind) = write(&nlri, &self.form, rest) else {
                return Ok(room - left);
            };
            rest = behind;
            *next = routes.next();
            if nlri.prefix.is_alone() {
                break;
            }
        }
        Ok(room - rest.len())
    }
}

/// A length that a message of at most 65535 octets has.
#[inline(always)]
fn two_octets(length: usize) -> [u8; 2] {
    crate::error::position(length).to_be_bytes()
}
