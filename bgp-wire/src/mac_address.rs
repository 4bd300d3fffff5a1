//! `MacAddress`: the six-octet address that EVPN routes carry (RFC 7432 section 7.2).

use core::fmt;
use core::str::FromStr;

use crate::text::hex;

/// A MAC address, written `aa:bb:cc:dd:ee:ff`.
///
/// ```
/// use bgp_wire::MacAddress;
/// assert_eq!("00:00:5E:00:53:01".parse(), Ok(MacAddress([0, 0, 0x5e, 0, 0x53, 1])));
/// assert_eq!(MacAddress([0, 0, 0x5e, 0, 0x53, 1]).to_string(), "00:00:5e:00:53:01");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Every value is legal: a received route is not judged by its MAC address.
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_colon_hex(&self.0, f)
    }
}

impl FromStr for MacAddress {
    type Err = ParseMacAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_colon_hex(text).map(Self).ok_or(ParseMacAddressError)
    }
}

/// Writes octets in hex with colons between them.
pub(crate) fn write_colon_hex(octets: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (position, octet) in octets.iter().enumerate() {
        let colon = if position == 0 { "" } else { ":" };
        write!(f, "{colon}{octet:02x}")?;
    }
    Ok(())
}

/// Parses the output of [`write_colon_hex`], in either case. Returns `None` unless the text has exactly `N` octets.
pub(crate) fn parse_colon_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut octets = [0; N];
    let mut parts = text.split(':');
    for octet in &mut octets {
        hex(parts.next()?, core::slice::from_mut(octet))?;
    }
    // A longer text is an error, not a value with a suffix.
    parts.next().is_none().then_some(octets)
}

/// The text is not a MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseMacAddressError;

impl fmt::Display for ParseMacAddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a MAC address is six octets in hex with colons between them: 00:00:5e:00:53:01",
        )
    }
}

impl core::error::Error for ParseMacAddressError {}
