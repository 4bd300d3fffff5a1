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
    /// The destination prefix.
    DESTINATION = 1, "destination" | "destination-ipv4" | "destination-ipv6";
    /// The source prefix.
    SOURCE = 2, "source" | "source-ipv4" | "source-ipv6";
    /// The IP protocol, or the upper-layer protocol of IPv6.
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
    /// The flags of TCP.
    TCP_FLAGS = 9, "tcp-flags";
    /// The length of the packet, with its IP header.
    PACKET_LENGTH = 10, "packet-length";
    /// The Diffserv codepoint.
    DSCP = 11, "dscp" | "traffic-class";
    /// What kind of fragment it is.
    FRAGMENT = 12, "fragment";
    /// The flow label of IPv6.
    FLOW_LABEL = 13, "flow-label";
}

impl ComponentType {
    /// Whether the values are sets of bits; otherwise they are numbers.
    #[must_use]
    pub const fn is_bitmask(self) -> bool {
        matches!(self, Self::TCP_FLAGS | Self::FRAGMENT)
    }

    /// The octets that a value has at the most (RFC 8955 sections 4.2.2.9, 4.2.2.11 and 4.2.2.12; of other types it says
    /// only how many it should have).
    const fn max_value_length(self) -> usize {
        match self {
            Self::DSCP | Self::FRAGMENT => 1,
            Self::TCP_FLAGS => 2,
            _ => 8,
        }
    }

    /// The bits of an operator that mean something; the others are ignored.
    const fn operator_bits(self) -> u8 {
        if self.is_bitmask() { 3 } else { 7 }
    }

    const fn is_prefix(self) -> bool {
        matches!(self, Self::DESTINATION | Self::SOURCE)
    }

    const fn is_known(self, afi: Afi) -> bool {
        matches!(self.0, 1..=12) || (matches!(self, Self::FLOW_LABEL) && matches!(afi, Afi::IPV6))
    }
}

/// One component. `M` is what holds the matches: a view of the message, or a vector to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FlowSpecComponent<M> {
    /// The destination or source prefix, by its type.
    Prefix {
        /// [`ComponentType::DESTINATION`] or [`ComponentType::SOURCE`].
        component_type: ComponentType,
        /// The prefix. Of an IPv6 prefix the first `offset` bits are zero.
        prefix: IpNet,
        /// How many leading bits do not count (RFC 8956 section 3.1); 0 for IPv4.
        offset: u8,
    },
    /// Comparisons of a field, for every other type.
    Matches(ComponentType, M),
}

/// The comparisons of a received component, at least one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FlowSpecMatches<'a> {
    octets: &'a [u8],
    /// The bits of an operator that mean something.
    operator: u8,
}

/// One comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FlowSpecMatch {
    /// It has to hold together with the one before; otherwise either may. Never set in the first.
    pub and: bool,
    /// How the field is compared.
    pub operator: FlowSpecOperator,
    /// What it is compared with.
    pub value: u64,
}

/// How a field is compared: the low three bits of the operator octet (RFC 8955 sections 4.2.1.1 and 4.2.1.2).
///
/// For numbers they are *less*, *greater* and *equal*; for bits *not* and *match*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FlowSpecOperator(pub u8);

impl FlowSpecOperator {
    /// The numbers are equal.
    pub const EQUAL: Self = Self(1);
    /// The field is greater.
    pub const GREATER: Self = Self(2);
    /// The field is greater or equal.
    pub const NOT_LESS: Self = Self(3);
    /// The field is less.
    pub const LESS: Self = Self(4);
    /// The field is less or equal.
    pub const NOT_GREATER: Self = Self(5);
    /// The numbers are not equal.
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

const END: u8 = 0x80;
const AND: u8 = 0x40;

impl FlowSpecMatches<'_> {
    /// The comparisons, in order.
    pub fn iter(&self) -> impl Iterator<Item = FlowSpecMatch> + use<'_> {
        let (mut rest, mut first, mask) = (self.octets, true, self.operator);
        core::iter::from_fn(move || {
            let Ok((after, (operator, value))) = split_match(rest) else {
                debug_assert!(rest.is_empty(), "the matches were checked");
                return None;
            };
            rest = after;
            // RFC 8955 section 4.2.1.1: nothing stands before the first.
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

/// An operator octet and a value of one, two, four or eight octets.
fn split_match(input: &[u8]) -> Parsed<'_, (u8, u64)> {
    let (rest, operator) = octet(input)?;
    let (rest, octets) = take(rest, 1 << (operator >> 4 & 3))?;
    let value = octets
        .iter()
        .fold(0, |value, octet| value << 8 | u64::from(*octet));
    Ok((rest, (operator, value)))
}

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
            let operator = component_type.operator_bits();
            return Ok((rest, FlowSpecMatches { octets, operator }));
        }
    }
}

/// A prefix; of IPv6 only the bits behind the offset are written.
fn split_prefix(input: &[u8], afi: Afi) -> Parsed<'_, (IpNet, u8)> {
    let (rest, bits) = octet(input)?;
    if afi != Afi::IPV6 {
        let (rest, octets) = take(rest, usize::from(bits).div_ceil(8))?;
        let prefix = load(octets, bits, afi).ok_or(malformed())?;
        return Ok((rest, (prefix, 0)));
    }
    let (rest, offset) = octet(rest)?;
    // RFC 8956 section 3.1: the offset is less than the length, or both are 0.
    let pattern = bits.checked_sub(offset).ok_or(malformed())?;
    if bits > 128 || (pattern == 0 && bits != 0) {
        return Err(malformed());
    }
    let (rest, octets) = take(rest, usize::from(pattern).div_ceil(8))?;
    let pattern = load(octets, pattern, afi).ok_or(malformed())?;
    let prefix = shift(pattern, offset, true).and_then(|address| {
        let prefix = IpNet::new(address.into(), bits).ok()?;
        Some((rest, (prefix, offset)))
    });
    debug_assert!(prefix.is_some(), "the length was checked");
    prefix.ok_or(malformed())
}

/// The address of an IPv6 prefix shifted by so many bits, right or left.
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
    Some(shifted.unwrap_or(0).into())
}

/// One component.
pub(super) fn split(input: &[u8], afi: Afi) -> Parsed<'_, FlowSpecComponent<FlowSpecMatches<'_>>> {
    let (rest, [component_type]) = array(input)?;
    let component_type = ComponentType(component_type);
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

/// Whether these are components, at least one, each type once and in order (RFC 8955 section 4.2).
pub(super) fn check(components: &[u8], afi: Afi) -> Result<(), nom::Err<Short>> {
    let (mut rest, mut last) = (components, ComponentType(0));
    loop {
        let (after, component) = split(rest, afi)?;
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
    /// The type.
    pub const fn component_type(&self) -> ComponentType {
        match self {
            Self::Prefix { component_type, .. } | Self::Matches(component_type, _) => {
                *component_type
            }
        }
    }
}

impl FlowSpecComponent<FlowSpecMatches<'_>> {
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
    pub(super) fn is_legal(&self, afi: Afi) -> bool {
        match self {
            Self::Prefix {
                component_type,
                prefix,
                offset,
            } => {
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
                let first = matches.first().is_some_and(|first| !first.and);
                let comparisons = matches.iter().all(|item| {
                    item.operator.0 <= component_type.operator_bits()
                        && octets(item.value) <= component_type.max_value_length()
                });
                component_type.is_known(afi) && !component_type.is_prefix() && first && comparisons
            }
        }
    }

    pub(super) fn write(&self, out: &mut impl Sink) {
        out.put(&[self.component_type().0]);
        match self {
            Self::Prefix { prefix, offset, .. } => {
                out.put(&[prefix.prefix_len()]);
                if let Some(pattern) = shift(*prefix, *offset, false) {
                    out.put(&[*offset]);
                    // Illegal rules are measured, too, before they are refused.
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

/// How many octets hold a value: one, two, four or eight.
const fn octets(value: u64) -> usize {
    match value {
        0..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x1_0000_0000 => 4,
        _ => 8,
    }
}

impl FlowSpecMatch {
    /// The value in as few octets as hold it.
    fn write(&self, last: bool, out: &mut impl Sink) {
        let value = self.value.to_be_bytes();
        let length = octets(self.value);
        debug_assert!(matches!(length, 1 | 2 | 4 | 8), "the widths of RFC 8955");
        let width = u8::try_from(length.ilog2()).unwrap_or(3);
        let end = if last { END } else { 0 };
        let and = if self.and { AND } else { 0 };
        out.put(&[end | and | width << 4 | self.operator.0 & 7]);
        out.put(value.get(value.len() - length..).unwrap_or_default());
    }
}
