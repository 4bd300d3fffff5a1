//! `RouteDistinguisher`: makes the same prefix in two VPNs distinct (RFC 4364 section 4.2).

use core::fmt;
use core::str::FromStr;

use crate::administrator::{Administered, FOUR_OCTET_AS};
use crate::text::hex_array;

/// A route distinguisher of eight octets, written `64512:1`, `192.0.2.1:1` or `70000:1` by its type.
///
/// A four-octet AS number below 65536 is written `64512L:1`. An unknown type is written in hex.
///
/// ```
/// use bgp_wire::RouteDistinguisher;
/// let distinguisher: RouteDistinguisher = "64512:1".parse()?;
/// assert_eq!(distinguisher.0, [0, 0, 0xfc, 0, 0, 0, 0, 1]);
/// assert_eq!(RouteDistinguisher([0, 9, 0, 0, 0, 0, 0, 1]).to_string(), "0x0009000000000001");
/// # Ok::<(), bgp_wire::ParseRouteDistinguisherError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteDistinguisher(pub [u8; 8]);

impl fmt::Display for RouteDistinguisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // RFC 4364 section 4.2 defines the types 0, 1 and 2. Octets of another type are kept as they are.
            [0, kind @ ..=FOUR_OCTET_AS, octets @ ..] => Administered { kind, octets }.fmt(f),
            // Sixteen digits, so that the text reads back as eight octets.
            octets => write!(f, "0x{:016x}", u64::from_be_bytes(octets)),
        }
    }
}

impl fmt::Debug for RouteDistinguisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RouteDistinguisher({self})")
    }
}

impl FromStr for RouteDistinguisher {
    type Err = ParseRouteDistinguisherError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Hex covers every type, also those that have a text of their own.
        if let Some(octets) = hex_array(text) {
            return Ok(Self(octets));
        }
        let Administered { kind, octets } =
            Administered::parse(text).ok_or(ParseRouteDistinguisherError)?;
        // The type is two octets, of which the three known types use one.
        let [a, b, c, d, e, f] = octets;
        Ok(Self([0, kind, a, b, c, d, e, f]))
    }
}

/// The error for a text that is not a route distinguisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseRouteDistinguisherError;

impl fmt::Display for ParseRouteDistinguisherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a route distinguisher is 64512:1, 192.0.2.1:1, 70000:1, 64512L:1 (an AS number in four octets), \
             or 0x and 16 hex digits",
        )
    }
}

impl core::error::Error for ParseRouteDistinguisherError {}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn route_distinguisher_text_parses_and_prints_or_is_refused() {
        for (text, octets) in [
            ("64512:4294967295", 0x0000_fc00_ffff_ffff_u64),
            ("192.0.2.1:7", 0x0001_c000_0201_0007),
            ("70000:7", 0x0002_0001_1170_0007),
            ("64512L:7", 0x0002_0000_fc00_0007),
            ("0:0", 0),
            ("0x0003000000000000", 0x0003_0000_0000_0000),
            ("0xff00000000000001", 0xff00_0000_0000_0001),
        ] {
            let distinguisher = RouteDistinguisher(octets.to_be_bytes());
            assert_eq!(text.parse(), Ok(distinguisher), "{text}");
            assert_eq!(distinguisher.to_string(), text);
        }
        for text in [
            "",
            "1",
            "1:",
            ":1",
            "70000:70000",
            "1.2.3.4:65536",
            "0x12",
            "+1:1",
            "1:1:1",
        ] {
            assert_eq!(
                text.parse::<RouteDistinguisher>(),
                Err(ParseRouteDistinguisherError),
                "{text}"
            );
        }
    }
}
