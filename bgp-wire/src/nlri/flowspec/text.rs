//! Text of flow specifications in the notation of ExaBGP:
//! `destination 192.0.2.0/24 protocol =tcp destination-port >=1024&<=65535`.

use alloc::vec::Vec;
use core::fmt;

use ipnet::IpNet;

use super::{
    ComponentType, FlowSpec, FlowSpecBuf, FlowSpecComponent, FlowSpecMatch, FlowSpecOperator,
};
use crate::iana::Afi;
use crate::nlri::words::{Words, parse_from_words};
use crate::text::number;

/// The numeric operators, indexed by the bits less, greater and equal.
const NUMERIC: [&str; 8] = ["false:", "=", ">", ">=", "<", "<=", "!=", "true:"];
/// The bitmask operators, indexed by the bits not and match.
const BITMASK: [&str; 4] = ["", "=", "!", "!="];

/// IP protocol numbers with a name.
const PROTOCOLS: [(u64, &str); 9] = [
    (1, "icmp"),
    (2, "igmp"),
    (6, "tcp"),
    (17, "udp"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "icmpv6"),
    (132, "sctp"),
];

/// The bits of the TCP flags.
const TCP_FLAGS: [(u64, &str); 9] = [
    (1, "fin"),
    (2, "syn"),
    (4, "rst"),
    (8, "push"),
    (16, "ack"),
    (32, "urgent"),
    (64, "ece"),
    (128, "cwr"),
    (256, "ns"),
];

/// The bits of the fragment component (RFC 8955 section 4.2.2.12).
const FRAGMENTS: [(u64, &str); 4] = [
    (1, "dont-fragment"),
    (2, "is-fragment"),
    (4, "first-fragment"),
    (8, "last-fragment"),
];

/// ICMP types with a name.
const ICMP_TYPES: [(u64, &str); 9] = [
    (0, "echo-reply"),
    (3, "unreachable"),
    (5, "redirect"),
    (8, "echo-request"),
    (9, "router-advertisement"),
    (10, "router-solicit"),
    (11, "time-exceeded"),
    (12, "parameter-problem"),
    (13, "timestamp"),
];

/// ICMPv6 types with a name.
const ICMPV6_TYPES: [(u64, &str); 11] = [
    (1, "unreachable"),
    (2, "packet-too-big"),
    (3, "time-exceeded"),
    (4, "parameter-problem"),
    (128, "echo-request"),
    (129, "echo-reply"),
    (133, "router-solicit"),
    (134, "router-advertisement"),
    (135, "neighbor-solicit"),
    (136, "neighbor-advertisement"),
    (137, "redirect"),
];

/// Returns the names of the ICMP types of an address family.
const fn icmp_types(afi: Afi) -> &'static [(u64, &'static str)] {
    match afi {
        Afi::IPV6 => &ICMPV6_TYPES,
        _ => &ICMP_TYPES,
    }
}

/// Returns the names of the values or bits of a component type.
// ICMP types are parsed by name but printed as numbers, because an owned rule does not know its address family.
const fn names(component_type: ComponentType) -> &'static [(u64, &'static str)] {
    match component_type {
        ComponentType::PROTOCOL => &PROTOCOLS,
        ComponentType::TCP_FLAGS => &TCP_FLAGS,
        ComponentType::FRAGMENT => &FRAGMENTS,
        _ => &[],
    }
}

/// Returns the name of a value, if it has one.
fn name(names: &[(u64, &'static str)], value: u64) -> Option<&'static str> {
    names
        .iter()
        .find(|(known, _)| *known == value)
        .map(|(_, name)| *name)
}

impl fmt::Display for FlowSpec<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One implementation prints both forms. Printing may allocate, unlike decoding.
        FlowSpecBuf::from(*self).fmt(f)
    }
}

impl fmt::Debug for FlowSpec<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FlowSpec({self})")
    }
}

impl fmt::Display for FlowSpecBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        if let Some(distinguisher) = self.distinguisher {
            write!(f, "rd {distinguisher}")?;
            space = " ";
        }
        for component in &self.components {
            write!(f, "{space}{component}")?;
            space = " ";
        }
        Ok(())
    }
}

impl fmt::Display for FlowSpecComponent<Vec<FlowSpecMatch>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.component_type())?;
        match self {
            Self::Prefix {
                prefix, offset: 0, ..
            } => write!(f, "{prefix}"),
            Self::Prefix { prefix, offset, .. } => write!(f, "{prefix}/{offset}"),
            Self::Matches(component_type, matches) => {
                for (position, item) in matches.iter().enumerate() {
                    // `&` and the space bind like the AND bit and its absence: AND before OR.
                    let before = match (position, item.and) {
                        (0, _) => "",
                        (_, true) => "&",
                        (_, false) => " ",
                    };
                    f.write_str(before)?;
                    write_match(item, *component_type, f)?;
                }
                Ok(())
            }
        }
    }
}

#[expect(clippy::expect_used, reason = "a masked index is in range")]
/// Writes the operator and value of one comparison.
fn write_match(
    item: &FlowSpecMatch,
    component_type: ComponentType,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let operator = usize::from(item.operator.0);
    if component_type.is_bitmask() {
        f.write_str(BITMASK.get(operator & 3).expect("two bits, four operators"))?;
        return write_bits(item.value, names(component_type), f);
    }
    f.write_str(
        NUMERIC
            .get(operator & 7)
            .expect("three bits, eight operators"),
    )?;
    // Numbers without a name, such as ports, are printed in decimal.
    match name(names(component_type), item.value) {
        Some(name) => f.write_str(name),
        None => write!(f, "{}", item.value),
    }
}

/// Writes the names of the bits with `+` between them, or the value in hex if a bit has no name.
fn write_bits(value: u64, names: &[(u64, &str)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let named = names.iter().fold(0, |all, (bit, _)| all | bit);
    // No name stands for the value 0, and a mixture of names and hex would not read back.
    if value == 0 || value & !named != 0 {
        return write!(f, "0x{value:x}");
    }
    let set = names.iter().filter(|(bit, _)| value & bit != 0);
    for (position, (_, name)) in set.enumerate() {
        write!(f, "{}{name}", if position == 0 { "" } else { "+" })?;
    }
    Ok(())
}

impl FlowSpecBuf {
    /// Parses a rule. The components may be in any order and are sorted by type. Returns `None` if a type occurs twice.
    ///
    /// `afi` determines the meaning of ICMP type names.
    pub(in crate::nlri) fn parse(words: &mut Words<'_>, afi: Afi) -> Option<Self> {
        // Only the VPN families have a distinguisher; `is_legal` compares it with the family.
        let distinguisher = match words.peek()? {
            "rd" => Some(words.value("rd")?),
            _ => None,
        };
        let mut components = Vec::new();
        while let Some(keyword) = words.next() {
            let component_type = ComponentType::from_name(keyword)?;
            components.push(parse_component(component_type, afi, words)?);
        }
        // RFC 8955 section 4.2 requires this order on the wire, and each type once.
        components.sort_by_key(FlowSpecComponent::component_type);
        components
            .is_sorted_by(|one, other| one.component_type() < other.component_type())
            .then_some(Self {
                distinguisher,
                components,
            })
    }
}

parse_from_words! {
    // The family is not known here, so names of ICMP types mean those of IPv4. AnyNlriBuf::parse knows the family.
    FlowSpecBuf, |words| FlowSpecBuf::parse(words, Afi::IPV4),
    "components of a rule: destination 192.0.2.0/24 protocol =udp source-port =53"
}

/// Parses the value of a component of the given type.
fn parse_component(
    component_type: ComponentType,
    afi: Afi,
    words: &mut Words<'_>,
) -> Option<FlowSpecComponent<Vec<FlowSpecMatch>>> {
    if matches!(
        component_type,
        ComponentType::DESTINATION | ComponentType::SOURCE
    ) {
        let text = words.next()?;
        let (prefix, offset) = match text.rsplit_once('/') {
            // The offset is a second number after a slash, as in `2001:db8::/64/32`.
            Some((prefix, offset)) if prefix.contains('/') => (prefix, number(offset)?),
            _ => (text, 0),
        };
        let prefix = prefix.parse::<IpNet>().ok()?.trunc();
        return Some(FlowSpecComponent::Prefix {
            component_type,
            prefix,
            offset,
        });
    }
    let mut matches = Vec::new();
    let bracket = words.take("[");
    // Without brackets, a keyword begins the next component: no comparison looks like a keyword.
    while let Some(word) = words.peek().filter(|word| {
        if bracket {
            *word != "]"
        } else {
            ComponentType::from_name(word).is_none()
        }
    }) {
        // A word is a chain of comparisons that all have to match; the next word is an alternative.
        for (position, item) in word.split('&').enumerate() {
            let (operator, value) = parse_match(item, component_type, afi)?;
            matches.push(FlowSpecMatch {
                and: position > 0,
                operator: FlowSpecOperator(operator),
                value,
            });
        }
        words.next();
    }
    if matches.is_empty() || (bracket && !words.take("]")) {
        return None;
    }
    Some(FlowSpecComponent::Matches(component_type, matches))
}

/// Parses one comparison into its operator bits and its value. A number without an operator is compared for equality.
fn parse_match(text: &str, component_type: ComponentType, afi: Afi) -> Option<(u8, u64)> {
    let operators: &[&str] = if component_type.is_bitmask() {
        &BITMASK
    } else {
        &NUMERIC
    };
    // The longest match wins, because `>` is also the beginning of `>=`.
    let (operator, symbol) = operators
        .iter()
        .enumerate()
        .filter(|(_, symbol)| !symbol.is_empty() && text.starts_with(**symbol))
        .max_by_key(|(_, symbol)| symbol.len())
        .unwrap_or_else(|| (usize::from(!component_type.is_bitmask()), &""));
    let operand = text.strip_prefix(symbol)?;
    let value = if component_type.is_bitmask() {
        parse_bits(operand, names(component_type))?
    } else {
        let names = match component_type {
            ComponentType::ICMP_TYPE => icmp_types(afi),
            _ => names(component_type),
        };
        let named = names
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(operand));
        named.map_or_else(|| number(operand), |(number, _)| Some(*number))?
    };
    Some((u8::try_from(operator).ok()?, value))
}

/// Parses names of bits with `+` between them, or a hex number after `0x`.
fn parse_bits(text: &str, names: &[(u64, &str)]) -> Option<u64> {
    if let Some(digits) = text.strip_prefix("0x") {
        // `from_str_radix` accepts a plus sign, which is not part of this notation.
        return u64::from_str_radix(digits, 16)
            .ok()
            .filter(|_| !digits.starts_with('+'));
    }
    let mut bits = 0;
    for part in text.split('+') {
        let (bit, _) = names
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(part))?;
        bits |= bit;
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use crate::{AnyNlriBuf, Family, FlowSpecBuf};

    #[test]
    fn flowspec_text_in_another_notation_prints_as_the_canonical_one() {
        for (family, other, text) in [
            (
                Family::IPV4_FLOWSPEC,
                "source-ipv4 192.0.2.0/24 destination-port [ =80 =443 >1024&<2048 ] protocol [ tcp udp ]",
                "source 192.0.2.0/24 protocol =tcp =udp destination-port =80 =443 >1024&<2048",
            ),
            (
                Family::IPV4_FLOWSPEC,
                "protocol icmp icmp-type [ echo-request unreachable ]",
                "protocol =icmp icmp-type =8 =3",
            ),
            (
                Family::IPV6_FLOWSPEC,
                "next-header icmpv6 icmp-type echo-request traffic-class 46",
                "protocol =icmpv6 icmp-type =128 dscp =46",
            ),
            (
                Family::IPV4_FLOWSPEC,
                "tcp-flags [ =syn+ack fin ] fragment [ !is-fragment ]",
                "tcp-flags =syn+ack fin fragment !is-fragment",
            ),
        ] {
            assert_eq!(AnyNlriBuf::parse(family, other).unwrap().to_string(), text);
        }
        for text in [
            "protocol [ tcp",
            "protocol [ ]",
            "protocol",
            "protocol ]",
            "protocol tcp ]",
            "80",
        ] {
            assert!(
                AnyNlriBuf::parse(Family::IPV4_FLOWSPEC, text).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn repeated_flowspec_component_is_refused() {
        // RFC 8955 section 4.2: each type occurs at most once.
        for text in [
            "destination-port =80 destination-port =443",
            "destination 192.0.2.0/24 protocol =udp destination 198.51.100.0/24",
            "protocol =tcp next-header =udp",
        ] {
            assert!(text.parse::<FlowSpecBuf>().is_err(), "{text}");
            assert!(
                AnyNlriBuf::parse(Family::IPV4_FLOWSPEC, text).is_err(),
                "{text}"
            );
        }
        let rule: FlowSpecBuf = "destination-port =80 =443".parse().unwrap();
        assert_eq!(rule.components.len(), 1);
    }
}
