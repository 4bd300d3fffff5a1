//! Helpers shared by the text parsers.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// The error for a text that is not a value of the requested type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseValueError {
    /// A description of a valid text, usually with an example.
    pub expected: &'static str,
}

impl fmt::Display for ParseValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl core::error::Error for ParseValueError {}

/// Parses a decimal number without a sign. Returns `None` if the text is not one or does not fit `T`.
pub(crate) fn number<T: FromStr>(text: &str) -> Option<T> {
    // `FromStr` of the integers accepts a plus sign, which would give a value several texts.
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// Parses hex digits without separators into `out`. Returns `None` unless they are exactly two for each octet of `out`.
pub(crate) fn hex(text: &str, out: &mut [u8]) -> Option<()> {
    // By octets, because a text may contain any character, and slicing a `str` inside of one panics.
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != out.len() {
        return None;
    }
    for (&[high, low], octet) in pairs.iter().zip(out) {
        *octet = hex_digit(high)? << 4 | hex_digit(low)?;
    }
    Some(())
}

/// Parses `0x` and two hex digits for each of `N` octets.
pub(crate) fn hex_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut octets = [0; N];
    hex(text.strip_prefix("0x")?, &mut octets)?;
    Some(octets)
}

/// Parses `0x` and two hex digits for each octet.
pub(crate) fn hex_octets(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    // An odd digit is left over here, and `hex` refuses it.
    let mut octets = vec![0; digits.len() / 2];
    hex(digits, &mut octets)?;
    Some(octets)
}

/// Displays octets in the format that [`hex_octets`] parses.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// Returns the value of a hex digit, or `None` for another character.
fn hex_digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}
