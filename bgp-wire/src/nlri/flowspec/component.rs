//! The components of a flow specification (RFC 8955 section 4.2, RFC 8956 section 3).

use alloc::vec::Vec;

use ipnet::IpNet;

use super::malformed;
use crate::iana::Afi;
use crate::nlri::unicast::{load, network};
use crate::parse::{Parsed, Short, array, octet, take};
use crate::registry::registry;
use crate::sink::Sink;

registry! {
    /// Flow Spec Component Types (RFC 8955 section 4.2.2, RFC 8956 section 3).
    pub struct ComponentType(u8);
    /// The destination prefix (RFC 8955 section 4.2.2.1).
    DESTINATION = 1, "destination" | "destination-ipv4" | "destination-ipv6";
    /// The source prefix (RFC 8955 section 4.2.2.2).
    SOURCE = 2, "source" | "source-ipv4" | "source-ipv6";
    /// The IP protocol, or the upper-layer protocol of IPv6 (RFC 8956 section 3.3).
    PROTOCOL = 3, "protocol" | "next-header";
    /// The source or the destination port.
    PORT = 4, "port";
    /// The destination port.
    DESTINATION_PORT = 5, "destination-port";
    /// The source port.
    SOURCE_PORT = 6, "source-port";
    /// The ICMP type.
    ICMP_TYPE = 7, "icmp-type";
    /// The ICMP code.
    ICMP_CODE = 8, "icmp-code";
    /// The TCP flags, a bitmask.
    TCP_FLAGS = 9, "tcp-flags";
    /// The length of the packet in octets, including the IP header but not the layer 2 header.
    PACKET_LENGTH = 10, "packet-length";
    /// The Diffserv codepoint, 0 to 63.
    DSCP = 11, "dscp" | "traffic-class";
    /// The fragmentation of the packet, a bitmask.
    FRAGMENT = 12, "fragment";
    /// The IPv6 flow label (RFC 8956 section 3.7).
    FLOW_LABEL = 13, "flow-label";
}

impl ComponentType {
    /// Returns `true` if the values are bitmasks (RFC 8955 section 4.2.1.2), and `false` if they are numbers.
    #[must_use]
    pub const fn is_bitmask(self) -> bool {
        matches!(self, Self::TCP_FLAGS | Self::FRAGMENT)
    }

    /// Returns the maximum length of a value in octets.
    const fn max_value_length(self) -> usize {
        // RFC 8955 sections 4.2.2.9, 4.2.2.11 and 4.2.2.12 limit these types. For other types it only recommends a
        // length.
        match self {
            Self::DSCP | Self::FRAGMENT => 1,
            Self::TCP_FLAGS => 2,
            _ => 8,
        }
    }

    /// Returns the mask of the operator bits that are defined. Receivers ignore the others.
    const fn operator_bits(self) -> u8 {
        // RFC 8955 sections 4.2.1.1 and 4.2.1.2: less, greater and equal, or not and match.
        if self.is_bitmask() { 3 } else { 7 }
    }

    /// Returns `true` if the component is a prefix, and not a list of matches.
    const fn is_prefix(self) -> bool {
        matches!(self, Self::DESTINATION | Self::SOURCE)
    }

    /// Returns `true` if the type is defined for the address family.
    const fn is_known(self, afi: Afi) -> bool {
        // RFC 8956 section 3.7 defines the flow label for IPv6 only.
        matches!(self.0, 1..=12) || (matches!(self, Self::FLOW_LABEL) && matches!(afi, Afi::IPV6))
    }
}

/// One component of a rule.
///
/// `M` holds the matches: [`FlowSpecMatches`] in a received rule, a vector in an owned rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FlowSpecComponent<M> {
    /// The destination or source prefix.
    Prefix {
        /// [`ComponentType::DESTINATION`] or [`ComponentType::SOURCE`].
        component_type: ComponentType,
        /// The prefix. The first `offset` bits of an IPv6 prefix are zero.
        prefix: IpNet,
        /// The number of leading bits that are not compared (RFC 8956 section 3.1). It is 0 for IPv4.
        offset: u8,
    },
    /// Comparisons of a header field, for every other type.
    Matches(ComponentType, M),
}

/// The comparisons of a received component. There is at least one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FlowSpecMatches<'a> {
    octets: &'a [u8],
    /// The mask of the operator bits that are defined for the component type.
    operator_bits: u8,
}

/// One comparison of a header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FlowSpecMatch {
    /// Combines the comparison with the one before it by AND instead of OR. Always `false` in the first.
    pub and: bool,
    /// The operator of the comparison.
    pub operator: FlowSpecOperator,
    /// The value that the field is compared with.
    pub value: u64,
}

/// The operator of a comparison: the low three bits of the operator octet (RFC 8955 sections 4.2.1.1 and 4.2.1.2).
///
/// The bits are *less*, *greater* and *equal* for numbers, and *not* and *match* for bitmasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FlowSpecOperator(pub u8);

impl FlowSpecOperator {
    /// The field equals the value.
    pub const EQUAL: Self = Self(1);
    /// The field is greater than the value.
    pub const GREATER: Self = Self(2);
    /// The field is greater than or equal to the value.
    pub const NOT_LESS: Self = Self(3);
    /// The field is less than the value.
    pub const LESS: Self = Self(4);
    /// The field is less than or equal to the value.
    pub const NOT_GREATER: Self = Self(5);
    /// The field differs from the value.
    pub const NOT_EQUAL: Self = Self(6);
    /// Any bit of the value is set in the field.
    pub const ANY_BIT: Self = Self(0);
    /// Every bit of the value is set in the field.
    pub const ALL_BITS: Self = Self(1);
    /// No bit of the value is set in the field.
    pub const NO_BIT: Self = Self(2);
    /// Not every bit of the value is set in the field.
    pub const NOT_ALL_BITS: Self = Self(3);
}

/// The operator bit that marks the last comparison of a component.
const END: u8 = 0x80;
/// The operator bit that combines a comparison with the one before it by AND.
const AND: u8 = 0x40;

impl FlowSpecMatches<'_> {
    /// Returns the comparisons, in the order of the message.
    pub fn iter(&self) -> impl Iterator<Item = FlowSpecMatch> + use<'_> {
        let (mut rest, mut first, mask) = (self.octets, true, self.operator_bits);
        core::iter::from_fn(move || {
            let Ok((after, (operator, value))) = split_match(rest) else {
                debug_assert!(rest.is_empty(), "the matches were checked");
                return None;
            };
            rest = after;
            // RFC 8955 section 4.2.1.1: the AND bit of the first comparison has nothing to refer to and is ignored.
            let leading = core::mem::replace(&mut first, false);
            Some(FlowSpecMatch {
                and: operator & AND != 0 && !leading,
                operator: FlowSpecOperator(operator & mask),
                value,
            })
        })
    }
}

impl core::fmt::Debug for FlowSpecMatches<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Splits off an operator octet and a value of one, two, four or eight octets.
fn split_match(input: &[u8]) -> Parsed<'_, (u8, u64)> {
    let (rest, operator) = octet(input)?;
    // The length of the value is a power of two, and the operator holds the exponent.
    let (rest, octets) = take(rest, 1 << (operator >> 4 & 3))?;
    let value = octets
        .iter()
        .fold(0, |value, octet| value << 8 | u64::from(*octet));
    Ok((rest, (operator, value)))
}

/// Splits off the comparisons of one component, up to the one with the END bit.
fn split_matches(input: &[u8], component_type: ComponentType) -> Parsed<'_, FlowSpecMatches<'_>> {
    let max_value_length = component_type.max_value_length();
    let mut rest = input;
    loop {
        let (after, (operator, _)) = split_match(rest)?;
        if rest.len() - after.len() - 1 > max_value_length {
            return Err(malformed());
        }
        rest = after;
        if operator & END != 0 {
            let (octets, rest) = input.split_at(input.len() - rest.len());
            let operator_bits = component_type.operator_bits();
            let matches = FlowSpecMatches {
                octets,
                operator_bits,
            };
            return Ok((rest, matches));
        }
    }
}

/// Splits off a prefix and its offset, which is 0 for IPv4.
fn split_prefix(input: &[u8], afi: Afi) -> Parsed<'_, (IpNet, u8)> {
    let (rest, bits) = octet(input)?;
    if afi != Afi::IPV6 {
        let (rest, octets) = take(rest, usize::from(bits).div_ceil(8))?;
        let prefix = load(octets, bits, afi).ok_or(malformed())?;
        return Ok((rest, (prefix, 0)));
    }
    let (rest, offset) = octet(rest)?;
    // RFC 8956 section 3.1: the offset is less than the length, or both are 0. Only the bits after the offset follow.
    let pattern_length = bits.checked_sub(offset).ok_or(malformed())?;
    if bits > 128 || (pattern_length == 0 && bits != 0) {
        return Err(malformed());
    }
    let (rest, octets) = take(rest, usize::from(pattern_length).div_ceil(8))?;
    let pattern = load(octets, pattern_length, afi).ok_or(malformed())?;
    let prefix = shift(pattern, offset, true).and_then(|address| {
        let prefix = IpNet::new(address.into(), bits).ok()?;
        Some((rest, (prefix, offset)))
    });
    debug_assert!(prefix.is_some(), "the length was checked");
    prefix.ok_or(malformed())
}

/// Returns the address of an IPv6 prefix shifted by `offset` bits, or `None` for an IPv4 prefix.
fn shift(prefix: IpNet, offset: u8, right: bool) -> Option<core::net::Ipv6Addr> {
    let IpNet::V6(prefix) = prefix else {
        return None;
    };
    let bits = prefix.network().to_bits();
    let shifted = if right {
        bits.checked_shr(offset.into())
    } else {
        bits.checked_shl(offset.into())
    };
    // A shift by 128 bits leaves nothing, but the integer operations do not define it.
    Some(shifted.unwrap_or(0).into())
}

/// Splits off one component.
pub(super) fn split(input: &[u8], afi: Afi) -> Parsed<'_, FlowSpecComponent<FlowSpecMatches<'_>>> {
    let (rest, [component_type]) = array(input)?;
    let component_type = ComponentType(component_type);
    // A component without its grammar hides the end of the rule (RFC 8955 section 4.2).
    if !component_type.is_known(afi) {
        return Err(malformed());
    }
    if component_type.is_prefix() {
        let (rest, (prefix, offset)) = split_prefix(rest, afi)?;
        let component = FlowSpecComponent::Prefix {
            component_type,
            prefix,
            offset,
        };
        Ok((rest, component))
    } else {
        let (rest, matches) = split_matches(rest, component_type)?;
        Ok((rest, FlowSpecComponent::Matches(component_type, matches)))
    }
}

/// Checks that the octets are at least one component, in ascending order, each type once (RFC 8955 section 4.2).
pub(super) fn check(components: &[u8], afi: Afi) -> Result<(), nom::Err<Short>> {
    let (mut rest, mut last) = (components, ComponentType(0));
    loop {
        let (after, component) = split(rest, afi)?;
        // Ascending types also exclude a type that occurs twice.
        if component.component_type() <= last {
            return Err(malformed());
        }
        if after.is_empty() {
            return Ok(());
        }
        (rest, last) = (after, component.component_type());
    }
}

impl<M> FlowSpecComponent<M> {
    /// Returns the component type.
    pub const fn component_type(&self) -> ComponentType {
        match self {
            Self::Prefix { component_type, .. } | Self::Matches(component_type, _) => {
                *component_type
            }
        }
    }
}

impl FlowSpecComponent<FlowSpecMatches<'_>> {
    /// Copies the matches into a vector.
    pub(super) fn to_owned(self) -> FlowSpecComponent<Vec<FlowSpecMatch>> {
        match self {
            Self::Prefix {
                component_type,
                prefix,
                offset,
            } => FlowSpecComponent::Prefix {
                component_type,
                prefix,
                offset,
            },
            Self::Matches(component_type, matches) => {
                FlowSpecComponent::Matches(component_type, matches.iter().collect())
            }
        }
    }
}

impl FlowSpecComponent<Vec<FlowSpecMatch>> {
    /// Returns `true` if a receiver decodes the same component.
    pub(super) fn is_legal(&self, afi: Afi) -> bool {
        match self {
            Self::Prefix {
                component_type,
                prefix,
                offset,
            } => {
                // Bits in front of the offset are not sent, so they have to be zero to survive.
                let suits = matches!(prefix, IpNet::V6(_)) == (afi == Afi::IPV6);
                let offset = match prefix {
                    IpNet::V4(_) => *offset == 0,
                    IpNet::V6(net) => {
                        let leading = net.network().to_bits().leading_zeros();
                        *offset == 0 || (*offset < net.prefix_len() && leading >= (*offset).into())
                    }
                };
                component_type.is_prefix() && suits && offset
            }
            Self::Matches(component_type, matches) => {
                // RFC 8955 section 4.2.1.1: the first comparison has nothing to be combined with.
                let first = matches.first().is_some_and(|first| !first.and);
                let comparisons = matches.iter().all(|item| {
                    item.operator.0 <= component_type.operator_bits()
                        && octets(item.value) <= component_type.max_value_length()
                });
                component_type.is_known(afi) && !component_type.is_prefix() && first && comparisons
            }
        }
    }

    /// Writes the component with its type.
    pub(super) fn write(&self, out: &mut impl Sink) {
        out.put(&[self.component_type().0]);
        match self {
            Self::Prefix { prefix, offset, .. } => {
                out.put(&[prefix.prefix_len()]);
                if let Some(pattern) = shift(*prefix, *offset, false) {
                    out.put(&[*offset]);
                    // The encoder measures a rule before it checks it, so the offset may exceed the length.
                    let bits = prefix.prefix_len().saturating_sub(*offset);
                    let pattern = IpNet::new(pattern.into(), bits);
                    debug_assert!(pattern.is_ok(), "no IPv6 prefix is longer than 128");
                    if let Ok(pattern) = pattern {
                        out.put(network(pattern, &mut [0; 16]));
                    }
                } else {
                    out.put(network(*prefix, &mut [0; 16]));
                }
            }
            Self::Matches(_, matches) => {
                let last = matches.len().saturating_sub(1);
                for (position, item) in matches.iter().enumerate() {
                    item.write(position == last, out);
                }
            }
        }
    }
}

/// Returns the number of octets that hold a value: one, two, four or eight.
const fn octets(value: u64) -> usize {
    match value {
        0..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 4,
        _ => 8,
    }
}

impl FlowSpecMatch {
    /// Writes the comparison, with the value in as few octets as possible.
    fn write(&self, last: bool, out: &mut impl Sink) {
        let value = self.value.to_be_bytes();
        let length = octets(self.value);
        debug_assert!(matches!(length, 1 | 2 | 4 | 8), "the widths of RFC 8955");
        let width = u8::try_from(length.ilog2()).unwrap_or(3);
        // RFC 8955 section 4.2.1.1: END, AND, two bits of length, the operator.
        let end = if last { END } else { 0 };
        let and = if self.and { AND } else { 0 };
        out.put(&[end | and | width << 4 | self.operator.0 & 7]);
        out.put(value.get(value.len() - length..).unwrap_or_default());
    }
}
