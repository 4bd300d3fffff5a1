//! The primitives of the grammar: nom's signature over our own bodies.
//!
//! nom 8's stock integers loop over octets and its plain `parse` answers `Incomplete` on complete input; these do
//! neither. A parser is always given its own octets, never "the rest of the message".

use nom::{Err, IResult};

/// The input ended before the item did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short;

/// The result of a parser: what is left, and the item.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Short>;

/// One octet.
#[inline(always)]
pub(crate) fn octet(input: &[u8]) -> Parsed<'_, u8> {
    let (&value, rest) = input.split_first().ok_or(Err::Error(Short))?;
    Ok((rest, value))
}

/// Exactly `N` octets.
#[inline(always)]
pub(crate) fn array<const N: usize>(input: &[u8]) -> Parsed<'_, [u8; N]> {
    let (value, rest) = input.split_first_chunk().ok_or(Err::Error(Short))?;
    Ok((rest, *value))
}

/// A 16-bit integer in network order.
#[inline(always)]
pub(crate) fn be_u16(input: &[u8]) -> Parsed<'_, u16> {
    array(input).map(|(rest, value)| (rest, u16::from_be_bytes(value)))
}

/// A 32-bit integer in network order.
#[inline(always)]
pub(crate) fn be_u32(input: &[u8]) -> Parsed<'_, u32> {
    array(input).map(|(rest, value)| (rest, u32::from_be_bytes(value)))
}

/// `length` octets.
#[inline(always)]
pub(crate) fn take(input: &[u8], length: usize) -> Parsed<'_, &[u8]> {
    let (value, rest) = input.split_at_checked(length).ok_or(Err::Error(Short))?;
    Ok((rest, value))
}

/// A value behind its one-octet length.
#[inline(always)]
pub(crate) fn length_value_u8(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, length) = octet(input)?;
    take(rest, usize::from(length))
}

/// A value behind its two-octet length.
#[inline(always)]
pub(crate) fn length_value_u16(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, length) = be_u16(input)?;
    take(rest, usize::from(length))
}
