//! Parser primitives with nom's signature and bodies of our own.
//!
//! The integers of nom 8 loop over octets, and its `parse` returns `Incomplete` on complete input. These primitives do
//! neither. A parser is always given exactly its own octets, never the rest of the message.

use nom::{Err, IResult};

/// The error of a parser: the input is shorter than the item, or the item is malformed.
// Zero-sized, because an error that is returned by value slows down the successful path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Short;

/// The result of a parser: the rest of the input, and the item.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Short>;

/// Takes one octet.
#[inline(always)]
pub(crate) fn octet(input: &[u8]) -> Parsed<'_, u8> {
    let (&value, rest) = input.split_first().ok_or(Err::Error(Short))?;
    Ok((rest, value))
}

/// Takes exactly `N` octets.
#[inline(always)]
pub(crate) fn array<const N: usize>(input: &[u8]) -> Parsed<'_, [u8; N]> {
    // One bounds check for the whole array, and no loop.
    let (value, rest) = input.split_first_chunk().ok_or(Err::Error(Short))?;
    Ok((rest, *value))
}

/// Takes a 16-bit integer in network byte order.
#[inline(always)]
pub(crate) fn be_u16(input: &[u8]) -> Parsed<'_, u16> {
    array(input).map(|(rest, value)| (rest, u16::from_be_bytes(value)))
}

/// Takes a 32-bit integer in network byte order.
#[inline(always)]
pub(crate) fn be_u32(input: &[u8]) -> Parsed<'_, u32> {
    array(input).map(|(rest, value)| (rest, u32::from_be_bytes(value)))
}

/// Takes `length` octets.
#[inline(always)]
pub(crate) fn take(input: &[u8], length: usize) -> Parsed<'_, &[u8]> {
    let (value, rest) = input.split_at_checked(length).ok_or(Err::Error(Short))?;
    Ok((rest, value))
}

/// Takes a one-octet length and the value of that length.
#[inline(always)]
pub(crate) fn length_value_u8(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, length) = octet(input)?;
    take(rest, usize::from(length))
}

/// Takes a two-octet length and the value of that length.
#[inline(always)]
pub(crate) fn length_value_u16(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, length) = be_u16(input)?;
    take(rest, usize::from(length))
}
