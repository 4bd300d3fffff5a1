//! Extended communities of eight octets (RFC 4360, RFC 5668, RFC 8955) and of twenty octets (RFC 5701), with their text.

use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use crate::administrator::{self, Administered};
use crate::iana::TunnelType;
use crate::mac_address::MacAddress;
use crate::text::{Hex, hex_array, number};

/// An extended community of eight octets, written `target:64512:1`, or in hex if its type has no name.
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
    /// Returns a route target of a two-octet AS (RFC 4360 section 4).
    #[must_use]
    pub const fn route_target(asn: u16, number: u32) -> Self {
        let ([a, b], [c, d, e, f]) = (asn.to_be_bytes(), number.to_be_bytes());
        Self([administrator::TWO_OCTET_AS, ROUTE_TARGET, a, b, c, d, e, f])
    }

    /// Returns the FlowSpec action that limits traffic to a rate in octets per second (RFC 8955 section 7.1).
    ///
    /// A rate of 0 discards the traffic. `asn` is informative.
    #[must_use]
    pub fn traffic_rate(asn: u16, octets_per_second: f32) -> Self {
        let ([a, b], [c, d, e, f]) = (asn.to_be_bytes(), octets_per_second.to_be_bytes());
        Self([FLOWSPEC, TRAFFIC_RATE, a, b, c, d, e, f])
    }

    /// Returns `true` if the community may be passed to other ASes (RFC 4360 section 2).
    #[must_use]
    pub const fn is_transitive(self) -> bool {
        // The T bit is set for communities that are not transitive.
        let [high, ..] = self.0;
        high & 0x40 == 0
    }
}

/// The format of the six octets after type and subtype.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ValueFormat {
    /// An administrator and its assigned number. The low two bits of the type are the kind of administrator.
    Administered,
    /// A two-octet AS number and an IEEE 754 single-precision number.
    Rate,
    /// Zeros, then a number of the given length in octets.
    Number(u32),
    /// Zeros, then a tunnel type (RFC 9012 section 4.1).
    Tunnel,
    /// A MAC address.
    Mac,
    /// The sticky bit, a zero octet, a sequence number (RFC 7432 section 7.7).
    Mobility,
    /// The single-active bit, two zero octets, a label field (RFC 7432 section 7.5).
    EsiLabel,
    /// Zeros, then the sample and terminal bits (RFC 8955 section 7.3).
    Action,
    /// Zeros, then a validation state (RFC 8097).
    Validation,
}

/// Type, subtype, name and format, from the IANA registries "Transitive Two-Octet AS-Specific Extended Community
/// Sub-Types" and its siblings. For administered communities the low two bits of the type are the kind.
// One table for printing and parsing, so that every text reads back.
#[rustfmt::skip]
const NAMED: [(u8, u8, &str, ValueFormat); 23] = [
    (0x00, 0x02, "target",             ValueFormat::Administered), // RFC 4360 section 4
    (0x00, 0x03, "origin",             ValueFormat::Administered), // RFC 4360 section 5
    (0x00, 0x05, "ospf-domain",        ValueFormat::Administered), // RFC 4577
    (0x00, 0x07, "ospf-router",        ValueFormat::Administered), // RFC 4577
    (0x00, 0x09, "source-as",          ValueFormat::Administered), // RFC 6514
    (0x00, 0x0a, "l2vpn-id",           ValueFormat::Administered), // RFC 6074
    (0x00, 0x0b, "route-import",       ValueFormat::Administered), // RFC 6514
    (0x03, 0x0b, "color",              ValueFormat::Number(4)),    // RFC 9012 section 4.3
    (0x03, 0x0c, "encapsulation",      ValueFormat::Tunnel),       // RFC 9012 section 4.1
    (0x03, 0x0d, "default-gateway",    ValueFormat::Number(0)),    // RFC 7432 section 7.8
    (0x06, 0x00, "mac-mobility",       ValueFormat::Mobility),     // RFC 7432 section 7.7
    (0x06, 0x01, "esi-label",          ValueFormat::EsiLabel),     // RFC 7432 section 7.5
    (0x06, 0x02, "es-import",          ValueFormat::Mac),          // RFC 7432 section 7.6
    (0x06, 0x03, "router-mac",         ValueFormat::Mac),          // RFC 9135
    (0x40, 0x04, "link-bandwidth",     ValueFormat::Rate),         // draft-ietf-idr-link-bandwidth
    (0x43, 0x00, "validation",         ValueFormat::Validation),   // RFC 8097
    (0x80, 0x06, "rate-limit",         ValueFormat::Rate),         // RFC 8955 section 7.1
    (0x80, 0x0c, "rate-limit-packets", ValueFormat::Rate),         // RFC 8955 section 7.2
    (0x80, 0x07, "action",             ValueFormat::Action),       // RFC 8955 section 7.3
    (0x80, 0x08, "redirect",           ValueFormat::Administered), // RFC 8955 section 7.4
    (0x80, 0x09, "mark",               ValueFormat::Number(1)),    // RFC 8955 section 7.5
    (0x00, 0x04, "link-bandwidth-transitive", ValueFormat::Rate),  // draft-ietf-idr-link-bandwidth
    (0x08, 0x00, "redirect-to-next-hop", ValueFormat::Number(1)),  // draft-simpson-idr-flowspec-redirect
];

/// The type of the FlowSpec actions (RFC 8955 section 7).
const FLOWSPEC: u8 = 0x80;
/// The subtype of a route target.
const ROUTE_TARGET: u8 = 0x02;
/// The subtype of the action traffic-rate-bytes.
const TRAFFIC_RATE: u8 = 0x06;
/// The origin validation states, indexed by their value (RFC 8097 section 2).
const VALIDATION: [&str; 3] = ["valid", "not-found", "invalid"];
/// The combinations of the sample and terminal bits with a name.
const ACTIONS: [(u8, &str); 3] = [(1, "terminal"), (2, "sample"), (3, "sample-terminal")];

/// Returns the name and format of a type and subtype.
fn lookup(kind: u8, subtype: u8) -> Option<(&'static str, ValueFormat)> {
    let (.., name, format) = NAMED.iter().find(|(base, known, _, format)| {
        // There are three kinds of administrator, so 3 in the low bits is another type.
        let administered =
            *format == ValueFormat::Administered && kind & !3 == *base && kind & 3 != 3;
        *known == subtype && (kind == *base || administered)
    })?;
    Some((name, *format))
}

/// Returns the number in the last `octets` octets of `value`, or `None` if an octet before them is not zero.
fn padded_number(value: [u8; 6], octets: u32) -> Option<u32> {
    let word = u64::from_be_bytes([
        0, 0, value[0], value[1], value[2], value[3], value[4], value[5],
    ]);
    // A shift by 32 bits is not defined, and the conversion has already checked four octets.
    let number = u32::try_from(word).ok()?;
    (octets == 4 || number >> (octets * 8) == 0).then_some(number)
}

impl ExtendedCommunity {
    /// Returns the name of the type, with which the text begins, or `None` if the type has no name.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        let [kind, subtype, ..] = self.0;
        lookup(kind, subtype).map(|(name, _)| name)
    }

    /// Writes the text with a name. Returns `None` without writing if the octets have no such text.
    // Reserved octets that are not zero have no text, because the text would not read back to the same octets.
    fn write_named(self, f: &mut fmt::Formatter<'_>) -> Option<fmt::Result> {
        let [kind, subtype, value @ ..] = self.0;
        let (name, format) = lookup(kind, subtype)?;
        let [a, b, c, d, e, g] = value;
        Some(match format {
            ValueFormat::Administered => {
                let administered = Administered {
                    kind: kind & 3,
                    octets: value,
                };
                write!(f, "{name}:{administered}")
            }
            ValueFormat::Rate => {
                let (asn, rate) = (u16::from_be_bytes([a, b]), f32::from_be_bytes([c, d, e, g]));
                match rate {
                    _ if (kind, subtype) == (FLOWSPEC, TRAFFIC_RATE) && rate.to_bits() == 0 => {
                        write!(f, "discard:{asn}")
                    }
                    // NaN has many encodings, and its text does not tell which.
                    _ if rate.is_nan() => return None,
                    // `{:?}` prints as many digits as the number needs to read back.
                    _ => write!(f, "{name}:{asn}:{rate:?}"),
                }
            }
            ValueFormat::Number(0) => (value == [0; 6]).then(|| f.write_str(name))?,
            ValueFormat::Number(octets) => write!(f, "{name}:{}", padded_number(value, octets)?),
            ValueFormat::Tunnel => {
                let tunnel = u16::try_from(padded_number(value, 2)?).ok()?;
                write!(f, "{name}:{}", TunnelType(tunnel))
            }
            ValueFormat::Mac => write!(f, "{name}:{}", MacAddress(value)),
            ValueFormat::Mobility => {
                let sticky = match (a, b) {
                    (0, 0) => "",
                    (1, 0) => "sticky:",
                    _ => return None,
                };
                write!(f, "{name}:{sticky}{}", u32::from_be_bytes([c, d, e, g]))
            }
            ValueFormat::EsiLabel => {
                let mode = match (a, b, c) {
                    (0, 0, 0) => "all-active",
                    (1, 0, 0) => "single-active",
                    _ => return None,
                };
                write!(f, "{name}:{mode}:{}", u32::from_be_bytes([0, d, e, g]))
            }
            ValueFormat::Action => {
                let bits = padded_number(value, 1)?;
                let (_, action) = ACTIONS
                    .iter()
                    .find(|(known, _)| u32::from(*known) == bits)?;
                write!(f, "{name}:{action}")
            }
            ValueFormat::Validation => {
                let state = usize::try_from(padded_number(value, 1)?).ok()?;
                write!(f, "{name}:{}", VALIDATION.get(state)?)
            }
        })
    }
}

impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_named(f)
            .unwrap_or_else(|| write!(f, "0x{:016x}", u64::from_be_bytes(self.0)))
    }
}

impl fmt::Debug for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtendedCommunity({self})")
    }
}

/// The error for a text that is not an extended community.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseExtendedCommunityError;

impl fmt::Display for ParseExtendedCommunityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an extended community is its type's name and value, as target:64512:1, origin:192.0.2.1:1, \
             redirect:70000:1, color:100, discard:64512, rate-limit:64512:1000.0 or es-import:aa:bb:cc:dd:ee:ff, \
             or 0x and 16 hex digits (40 for one with an IPv6 address)",
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

/// Parses a name and a value, or hex.
fn parse(text: &str) -> Option<ExtendedCommunity> {
    // Hex covers every type, also those with a name.
    if let Some(octets) = hex_array(text) {
        return Some(ExtendedCommunity(octets));
    }
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    // FlowSpec rules that discard are so common that the action has a name of its own.
    if name == "discard" {
        return Some(ExtendedCommunity::traffic_rate(number(rest)?, 0.0));
    }
    // Aliases from the configuration languages of routers.
    let name = match name {
        "rt" | "route-target" => "target",
        "soo" | "ro" | "site-of-origin" => "origin",
        _ => name,
    };
    let (mut kind, subtype, _, format) = *NAMED.iter().find(|(_, _, known, _)| *known == name)?;
    let [a, b, c, d, e, f] = match format {
        ValueFormat::Administered => {
            let administered = Administered::parse(rest)?;
            // The table holds the type for the two-octet kind, whose low bits are zero.
            kind |= administered.kind;
            administered.octets
        }
        ValueFormat::Rate => parse_rate(rest)?,
        // A community without a value has no colon either.
        ValueFormat::Number(0) => text.split_once(':').is_none().then_some([0; 6])?,
        ValueFormat::Number(octets) => {
            let number: u32 = number(rest)?;
            (octets == 4 || number >> (octets * 8) == 0).then(|| pad_number(number))?
        }
        ValueFormat::Tunnel => pad_number(rest.parse::<TunnelType>().ok()?.0.into()),
        ValueFormat::Mac => rest.parse::<MacAddress>().ok()?.0,
        ValueFormat::Mobility => {
            let (sticky, sequence) = match rest.strip_prefix("sticky:") {
                Some(sequence) => (1, sequence),
                None => (0, rest),
            };
            let [c, d, e, f] = number::<u32>(sequence)?.to_be_bytes();
            [sticky, 0, c, d, e, f]
        }
        ValueFormat::EsiLabel => {
            let (mode, label) = rest.split_once(':')?;
            let single = match mode {
                "all-active" => 0,
                "single-active" => 1,
                _ => return None,
            };
            // The label field has three octets.
            let [0, d, e, f] = number::<u32>(label)?.to_be_bytes() else {
                return None;
            };
            [single, 0, 0, d, e, f]
        }
        ValueFormat::Action => {
            let (bits, _) = ACTIONS.iter().find(|(_, known)| *known == rest)?;
            pad_number((*bits).into())
        }
        ValueFormat::Validation => {
            let state = VALIDATION.iter().position(|known| *known == rest)?;
            pad_number(u32::try_from(state).ok()?)
        }
    };
    Some(ExtendedCommunity([kind, subtype, a, b, c, d, e, f]))
}

/// Parses a rate in octets or packets per second, with an optional AS number in front.
fn parse_rate(text: &str) -> Option<[u8; 6]> {
    // RFC 8955 section 7.1: the AS number is informative, so operators often omit it.
    let (asn, rate) = text.split_once(':').unwrap_or(("0", text));
    let rate: f32 = rate.parse().ok().filter(|rate: &f32| !rate.is_nan())?;
    let ([a, b], [c, d, e, f]) = (number::<u16>(asn)?.to_be_bytes(), rate.to_be_bytes());
    Some([a, b, c, d, e, f])
}

/// Returns the six octets of a number with zeros in front.
fn pad_number(number: u32) -> [u8; 6] {
    let [c, d, e, f] = number.to_be_bytes();
    [0, 0, c, d, e, f]
}

/// An IPv6 address specific extended community of twenty octets (RFC 5701).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ipv6ExtendedCommunity(pub [u8; 20]);

impl fmt::Display for Ipv6ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [kind, subtype, address @ .., e, g] = self.0;
        // The first octet is 0 for transitive communities; others are printed in hex.
        match IPV6_NAMED
            .iter()
            .find(|(known, _)| (kind, subtype) == (0, *known))
        {
            Some((_, name)) => write!(
                f,
                "{name}:{}:{}",
                Ipv6Addr::from(address),
                u16::from_be_bytes([e, g])
            ),
            None => Hex(&self.0).fmt(f),
        }
    }
}

/// Subtype and name (RFC 5701 section 2).
const IPV6_NAMED: [(u8, &str); 2] = [(0x02, "target"), (0x03, "origin")];

impl FromStr for Ipv6ExtendedCommunity {
    type Err = ParseExtendedCommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            if let Some(octets) = hex_array(text) {
                return Some(Self(octets));
            }
            let mut octets = [0; 20];
            let (name, rest) = text.split_once(':')?;
            // From the end, because an IPv6 address contains colons.
            let (address, value) = rest.rsplit_once(':')?;
            let (subtype, _) = IPV6_NAMED.iter().find(|(_, known)| *known == name)?;
            let address: Ipv6Addr = address.parse().ok()?;
            let [_, kind, middle @ .., e, f] = &mut octets;
            *kind = *subtype;
            *middle = address.octets();
            [*e, *f] = number::<u16>(value)?.to_be_bytes();
            Some(Self(octets))
        };
        parse().ok_or(ParseExtendedCommunityError)
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    const TABLE: [(&str, u64); 33] = [
        ("target:64512:1", 0x0002_fc00_0000_0001),
        ("origin:64512:4294967295", 0x0003_fc00_ffff_ffff),
        ("target:192.0.2.1:7", 0x0102_c000_0201_0007),
        ("target:70000:7", 0x0202_0001_1170_0007),
        ("target:1L:7", 0x0202_0000_0001_0007),
        ("discard:64512", 0x8006_fc00_0000_0000),
        ("rate-limit:0:1000.0", 0x8006_0000_447a_0000),
        ("0x0300000000000000", 0x0300_0000_0000_0000),
        ("ospf-domain:1:2", 0x0005_0001_0000_0002),
        ("route-import:192.0.2.1:2", 0x010b_c000_0201_0002),
        ("color:100", 0x030b_0000_0000_0064),
        ("0x030b400000000064", 0x030b_4000_0000_0064),
        ("encapsulation:vxlan", 0x030c_0000_0000_0008),
        ("encapsulation:65535", 0x030c_0000_0000_ffff),
        ("default-gateway", 0x030d_0000_0000_0000),
        ("0x030d000000000001", 0x030d_0000_0000_0001),
        ("mac-mobility:5", 0x0600_0000_0000_0005),
        ("mac-mobility:sticky:5", 0x0600_0100_0000_0005),
        ("esi-label:single-active:100", 0x0601_0100_0000_0064),
        ("es-import:aa:bb:cc:dd:ee:ff", 0x0602_aabb_ccdd_eeff),
        ("router-mac:00:00:5e:00:53:01", 0x0603_0000_5e00_5301),
        ("link-bandwidth:64512:125000.0", 0x4004_fc00_47f4_2400),
        ("validation:invalid", 0x4300_0000_0000_0002),
        ("0x4300000000000003", 0x4300_0000_0000_0003),
        ("action:sample-terminal", 0x8007_0000_0000_0003),
        ("0x8007000000000000", 0x8007_0000_0000_0000),
        ("redirect:64512:1", 0x8008_fc00_0000_0001),
        ("redirect:192.0.2.1:1", 0x8108_c000_0201_0001),
        ("redirect:70000:1", 0x8208_0001_1170_0001),
        ("0x8308000111700001", 0x8308_0001_1170_0001),
        ("mark:46", 0x8009_0000_0000_002e),
        ("rate-limit-packets:0:10.0", 0x800c_0000_4120_0000),
        ("0x800600007fc00001", 0x8006_0000_7fc0_0001),
    ];

    #[test]
    fn extended_community_text_parses_and_prints_or_is_refused() {
        for (text, octets) in TABLE {
            let community = ExtendedCommunity(octets.to_be_bytes());
            assert_eq!(text.parse(), Ok(community), "{text}");
            assert_eq!(community.to_string(), text);
        }
        assert_eq!(
            "target:70000:7".parse(),
            "target:70000L:7".parse::<ExtendedCommunity>(),
            "the L is not needed"
        );
        for (other, text) in [
            ("rt:64512:1", "target:64512:1"),
            ("soo:64512:1", "origin:64512:1"),
            ("encapsulation:8", "encapsulation:vxlan"),
            ("rate-limit:1000", "rate-limit:0:1000.0"),
        ] {
            let community: ExtendedCommunity = other.parse().unwrap();
            assert_eq!(community.to_string(), text);
        }
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
            "mark:256",
            "mark:",
            "color",
            "default-gateway:1",
            "rate-limit:1:NaN",
            "es-import:aa:bb",
            "validation:maybe",
        ] {
            assert!(text.parse::<ExtendedCommunity>().is_err(), "{text}");
        }
    }

    #[test]
    fn ipv6_extended_community_text_prints_and_parses() {
        let mut octets = [0; 20];
        octets[1] = 2;
        octets[2..4].copy_from_slice(&[0x20, 1]);
        octets[19] = 7;
        for (first, text) in [
            (0, "target:2001:::7"),
            (0x40, "0x4002200100000000000000000000000000000007"),
        ] {
            octets[0] = first;
            let community = Ipv6ExtendedCommunity(octets);
            assert_eq!(community.to_string(), text);
            assert_eq!(text.parse(), Ok(community));
        }
    }
}
