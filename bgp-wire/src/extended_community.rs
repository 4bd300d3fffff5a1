//! Extended communities of eight octets (RFC 4360, RFC 5668, RFC 8955) and of twenty (RFC 5701), with their text.

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// An extended community: eight octets, written `target:64512:1`, or in hex where its type has no text.
///
/// ```
/// use bgp_wire::ExtendedCommunity;
/// let target: ExtendedCommunity = "target:64512:1".parse()?;
/// assert_eq!(target.0, [0, 2, 0xfc, 0, 0, 0, 0, 1]);
/// assert_eq!(ExtendedCommunity([0x43, 9, 0, 0, 0, 0, 0, 1]).to_string(), "0x4309000000000001");
/// # Ok::<(), bgp_wire::ParseExtendedCommunityError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

impl ExtendedCommunity {
    /// A route target of a two-octet AS (RFC 4360 section 4).
    #[must_use]
    pub const fn route_target(asn: u16, number: u32) -> Self {
        let ([a, b], [c, d, e, f]) = (asn.to_be_bytes(), number.to_be_bytes());
        Self([TWO_OCTET_AS, ROUTE_TARGET, a, b, c, d, e, f])
    }

    /// Limits traffic to this many octets a second; 0 discards it (RFC 8955 section 7.1).
    #[must_use]
    pub fn traffic_rate(asn: u16, octets_per_second: f32) -> Self {
        let ([a, b], [c, d, e, f]) = (asn.to_be_bytes(), octets_per_second.to_be_bytes());
        Self([FLOWSPEC, TRAFFIC_RATE, a, b, c, d, e, f])
    }

    /// Whether speakers of other ASes are to be told (RFC 4360 section 2).
    #[must_use]
    pub const fn is_transitive(self) -> bool {
        let [high, ..] = self.0;
        high & 0x40 == 0
    }
}

const TWO_OCTET_AS: u8 = 0x00;
const IPV4_ADDRESS: u8 = 0x01;
const FOUR_OCTET_AS: u8 = 0x02;
const FLOWSPEC: u8 = 0x80;
const ROUTE_TARGET: u8 = 0x02;
const ROUTE_ORIGIN: u8 = 0x03;
const TRAFFIC_RATE: u8 = 0x06;

/// The names of subtypes that have an administrator and a number.
const ADMINISTERED: [(u8, &str); 2] = [(ROUTE_TARGET, "target"), (ROUTE_ORIGIN, "origin")];

impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [high, low, a, b, c, d, e, g] = self.0;
        let short = u16::from_be_bytes([e, g]);
        let name = ADMINISTERED
            .iter()
            .find(|(subtype, _)| *subtype == low)
            .map(|(_, name)| name);
        match (high, name) {
            (TWO_OCTET_AS, Some(name)) => {
                write!(
                    f,
                    "{name}:{}:{}",
                    u16::from_be_bytes([a, b]),
                    u32::from_be_bytes([c, d, e, g])
                )
            }
            (IPV4_ADDRESS, Some(name)) => write!(f, "{name}:{}:{short}", Ipv4Addr::new(a, b, c, d)),
            // The suffix tells a number that would fit into two octets from one that has two.
            (FOUR_OCTET_AS, Some(name)) => {
                write!(f, "{name}:{}L:{short}", u32::from_be_bytes([a, b, c, d]))
            }
            (FLOWSPEC, _) if low == TRAFFIC_RATE => {
                let rate = f32::from_be_bytes([c, d, e, g]);
                if rate.to_bits() == 0 {
                    write!(f, "discard:{}", u16::from_be_bytes([a, b]))
                } else {
                    write!(f, "rate-limit:{}:{rate:?}", u16::from_be_bytes([a, b]))
                }
            }
            _ => write!(f, "0x{:016x}", u64::from_be_bytes(self.0)),
        }
    }
}

impl fmt::Debug for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtendedCommunity({self})")
    }
}

/// The text is not an extended community.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseExtendedCommunityError;

impl fmt::Display for ParseExtendedCommunityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an extended community is target:64512:1 or origin:64512:1 (the administrator an AS, an AS with L behind \
             it for four octets, or an IPv4 address), discard:64512, rate-limit:64512:1000.0, or 0x and 16 hex digits",
        )
    }
}

impl core::error::Error for ParseExtendedCommunityError {}

impl FromStr for ExtendedCommunity {
    type Err = ParseExtendedCommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or(ParseExtendedCommunityError)
    }
}

fn parse(text: &str) -> Option<ExtendedCommunity> {
    if let Some(digits) = text.strip_prefix("0x") {
        let exact = digits.len() == 16 && !digits.starts_with('+');
        return Some(ExtendedCommunity(
            u64::from_str_radix(digits, 16)
                .ok()
                .filter(|_| exact)?
                .to_be_bytes(),
        ));
    }
    let (name, rest) = text.split_once(':')?;
    if name == "discard" {
        return Some(ExtendedCommunity::traffic_rate(number(rest)?, 0.0));
    }
    let (administrator, value) = rest.split_once(':')?;
    if name == "rate-limit" {
        let rate: f32 = value.parse().ok()?;
        return Some(ExtendedCommunity::traffic_rate(
            number(administrator)?,
            rate,
        ));
    }
    let (subtype, _) = ADMINISTERED.iter().find(|(_, known)| *known == name)?;
    let four_octets = |kind, [a, b, c, d]: [u8; 4]| {
        let [e, g] = number::<u16>(value)?.to_be_bytes();
        Some(ExtendedCommunity([kind, *subtype, a, b, c, d, e, g]))
    };
    if let Some(asn) = administrator.strip_suffix('L') {
        return four_octets(FOUR_OCTET_AS, number::<u32>(asn)?.to_be_bytes());
    }
    if let Ok(address) = administrator.parse::<Ipv4Addr>() {
        return four_octets(IPV4_ADDRESS, address.octets());
    }
    let asn: u32 = number(administrator)?;
    match u16::try_from(asn) {
        Ok(asn) => {
            let ([a, b], [c, d, e, g]) = (asn.to_be_bytes(), number::<u32>(value)?.to_be_bytes());
            Some(ExtendedCommunity([
                TWO_OCTET_AS,
                *subtype,
                a,
                b,
                c,
                d,
                e,
                g,
            ]))
        }
        Err(_) => four_octets(FOUR_OCTET_AS, asn.to_be_bytes()),
    }
}

/// A decimal number without a sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// An IPv6 address specific extended community: twenty octets (RFC 5701).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipv6ExtendedCommunity(pub [u8; 20]);

impl fmt::Display for Ipv6ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [high, low, address @ .., e, g] = self.0;
        let name = ADMINISTERED
            .iter()
            .find(|(subtype, _)| high == 0 && *subtype == low)
            .map(|(_, name)| name);
        match name {
            Some(name) => write!(
                f,
                "{name}:{}:{}",
                Ipv6Addr::from(address),
                u16::from_be_bytes([e, g])
            ),
            None => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn both_ways() {
        for (text, octets) in [
            ("target:64512:1", 0x0002_fc00_0000_0001_u64),
            ("origin:64512:4294967295", 0x0003_fc00_ffff_ffff),
            ("target:192.0.2.1:7", 0x0102_c000_0201_0007),
            ("target:70000L:7", 0x0202_0001_1170_0007),
            ("target:1L:7", 0x0202_0000_0001_0007),
            ("discard:64512", 0x8006_fc00_0000_0000),
            ("rate-limit:0:1000.0", 0x8006_0000_447a_0000),
            ("0x0300000000000000", 0x0300_0000_0000_0000),
        ] {
            let community = ExtendedCommunity(octets.to_be_bytes());
            assert_eq!(text.parse(), Ok(community), "{text}");
            assert_eq!(community.to_string(), text);
        }
        assert_eq!(
            "target:70000:7".parse(),
            "target:70000L:7".parse::<ExtendedCommunity>()
        );
        for text in [
            "",
            "target",
            "target:1",
            "target:1:",
            "target:x:1",
            "target:70000:70000",
            "0x12",
            "x:1:1",
            "target:+1:1",
        ] {
            assert!(text.parse::<ExtendedCommunity>().is_err(), "{text}");
        }
    }

    #[test]
    fn twenty_octets() {
        let mut octets = [0; 20];
        octets[1] = 2;
        octets[2..4].copy_from_slice(&[0x20, 1]);
        octets[19] = 7;
        assert_eq!(Ipv6ExtendedCommunity(octets).to_string(), "target:2001:::7");
    }
}
