//! What the parsers of text share.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// The text is not a value of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseValueError {
    /// How one is written.
    pub expected: &'static str,
}

impl fmt::Display for ParseValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl core::error::Error for ParseValueError {}

/// A decimal number without a sign.
pub(crate) fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// Hex digits, two an octet and nothing between them, into all of `out`.
pub(crate) fn hex(text: &str, out: &mut [u8]) -> Option<()> {
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

/// `0x` and hex digits for so many octets.
pub(crate) fn hex_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut octets = [0; N];
    hex(text.strip_prefix("0x")?, &mut octets)?;
    Some(octets)
}

/// `0x` and hex digits, two an octet, as octets.
pub(crate) fn hex_octets(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    let mut octets = vec![0; digits.len() / 2];
    hex(digits, &mut octets)?;
    Some(octets)
}

/// Octets as [`hex_octets`] reads them.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

fn hex_digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        b'A'..=b'F' => Some(character - b'A' + 10),
        _ => None,
    }
}
