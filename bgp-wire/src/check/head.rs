//! A fast path for ORIGIN, AS_PATH and NEXT_HOP if they come first and in this order, as in nearly every message.
//!
//! It accepts obviously valid attributes by the same rules as the table, and leaves the rest to the table.

use super::index::Index;
use crate::attribute::rules::slot;
use crate::attribute::{AttributeFlags, RawAttribute, RawAttributes};
use crate::context::{Context, PeerKind};
use crate::iana::{AttributeCode, SegmentType};
use crate::next_hop::is_usable_ipv4;

/// Indexes the leading attributes that are obviously valid. Returns the attributes after them, and a mask with the bit
/// of each accepted code.
#[inline(always)]
pub(super) fn check_head<'a>(
    attributes: RawAttributes<'a>,
    message: &[u8],
    context: &Context,
    index: &mut Index,
) -> (RawAttributes<'a>, u64) {
    const ORIGIN: u8 = AttributeCode::ORIGIN.0;
    const NEXT_HOP: u8 = AttributeCode::NEXT_HOP.0;
    // RFC 4271 section 5.1.1: the values 0 to 2 are defined.
    let start = attributes.start();
    let [AttributeFlags::TRANSITIVE, ORIGIN, 1, 0..=2, rest @ ..] = attributes.octets() else {
        return (attributes, 0);
    };
    index.insert(slot(AttributeCode::ORIGIN), start);
    let mut seen = 1 << ORIGIN;
    let attributes = attributes.with_rest(rest);

    let start = attributes.start();
    let Ok((after, raw)) = RawAttribute::split(rest, start) else {
        return (attributes, seen);
    };
    // FRR sets Extended Length for every AS_PATH, which RFC 4271 section 4.3 does not forbid for a short value.
    let well_known = raw.flags.0 & !AttributeFlags::EXTENDED_LENGTH == AttributeFlags::TRANSITIVE;
    if !(raw.code == AttributeCode::AS_PATH && well_known && is_short_path(&raw, message, context))
    {
        return (attributes, seen);
    }
    index.insert(slot(AttributeCode::AS_PATH), start);
    seen |= 1 << AttributeCode::AS_PATH.0;
    let attributes = attributes.with_rest(after);

    let [
        AttributeFlags::TRANSITIVE,
        NEXT_HOP,
        4,
        a,
        b,
        c,
        d,
        rest @ ..,
    ] = after
    else {
        return (attributes, seen);
    };
    // Another address is malformed only if a route uses it, which `check_usable` decides.
    if !is_usable_ipv4([*a, *b, *c, *d].into()) {
        return (attributes, seen);
    }
    index.insert(slot(AttributeCode::NEXT_HOP), attributes.start());
    (attributes.with_rest(rest), seen | 1 << NEXT_HOP)
}

/// Returns `true` if a path is empty or one sequence of at most eight four-octet AS numbers, none of them 0.
#[inline(always)]
fn is_short_path(raw: &RawAttribute<'_>, message: &[u8], context: &Context) -> bool {
    const SEQUENCE: u8 = SegmentType::AS_SEQUENCE.0;
    if raw.value.is_empty() {
        return context.peer_kind != PeerKind::Confederation;
    }
    // Always eight numbers, even those after the path, so that no branch depends on the length of the path. A message
    // that ends earlier takes the slow path.
    let start = usize::from(raw.start) + raw.header_length() + 2;
    let octets = message
        .get(start..)
        .and_then(|octets| octets.first_chunk::<32>());
    let ([SEQUENCE, count @ 1..=8, ..], Some(octets)) = (raw.value, octets) else {
        return false;
    };
    let numbers = octets.as_chunks::<4>().0.iter().enumerate();
    let zeros = numbers.fold(0, |zeros, (position, number)| {
        zeros | u32::from(*number == [0; 4]) << position
    });
    context.four_octet_as
        && context.peer_kind != PeerKind::Confederation
        && raw.value.len() == 2 + usize::from(*count) * 4
        && zeros & ((1 << count) - 1) == 0
}
