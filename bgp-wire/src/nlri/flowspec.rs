//! Flow specifications (RFC 8955, RFC 8956 for IPv6): rules that describe traffic by its packet headers.

mod component;
mod text;

pub use component::{
    ComponentType, FlowSpecComponent, FlowSpecMatch, FlowSpecMatches, FlowSpecOperator,
};

use alloc::vec::Vec;

use super::NlriFormat;
use super::encode::{NlriValue, write_exactly};
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::parse::{Parsed, Short, array, be_u16, octet, take};
use crate::route_distinguisher::RouteDistinguisher;
use crate::sink::{OctetCount, Sink, Slice};

/// A received flow specification. Its components were checked: they are complete, known, and in ascending order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FlowSpec<'a> {
    distinguisher: Option<RouteDistinguisher>,
    afi: Afi,
    components: &'a [u8],
}

impl<'a> FlowSpec<'a> {
    /// Returns the route distinguisher, or `None` outside of the VPN families (RFC 8955 section 8).
    #[must_use]
    pub const fn distinguisher(&self) -> Option<RouteDistinguisher> {
        self.distinguisher
    }

    /// Returns the components, in ascending order of their types. Traffic matches the rule if it matches all of them.
    pub fn components(
        &self,
    ) -> impl Iterator<Item = FlowSpecComponent<FlowSpecMatches<'a>>> + use<'a> {
        let Self {
            afi,
            mut components,
            ..
        } = *self;
        // Decoded again on each pass, which keeps the rule a view without allocations.
        core::iter::from_fn(move || {
            let Ok((rest, component)) = component::split(components, afi) else {
                debug_assert!(components.is_empty(), "the components were checked");
                return None;
            };
            components = rest;
            Some(component)
        })
    }

    /// Splits off one rule and checks its components.
    pub(super) fn split(input: &'a [u8], family: Family) -> Parsed<'a, Self> {
        let (rest, value) = length_value(input)?;
        // RFC 8955 section 8: the route distinguisher precedes the components and is part of the length.
        let (components, distinguisher) = if family.safi == Safi::FLOWSPEC_VPN {
            array(value).map(|(rest, octets)| (rest, Some(RouteDistinguisher(octets))))?
        } else {
            (value, None)
        };
        component::check(components, family.afi)?;
        let flow = Self {
            distinguisher,
            afi: family.afi,
            components,
        };
        Ok((rest, flow))
    }
}

/// Splits off the value of a rule by its length (RFC 8955 section 4.1).
fn length_value(input: &[u8]) -> Parsed<'_, &[u8]> {
    match octet(input)? {
        (rest, length @ ..0xf0) => take(rest, length.into()),
        // From 240 on the length has two octets, of which the first four bits are set.
        _ => {
            let (rest, length) = be_u16(input)?;
            take(rest, usize::from(length & 0x0fff))
        }
    }
}

/// An owned flow specification.
///
/// ```
/// use bgp_wire::{AnyNlriBuf, Family};
/// let text = "destination 192.0.2.0/24 protocol =tcp destination-port =80 =443 tcp-flags =syn";
/// let rule = AnyNlriBuf::parse(Family::IPV4_FLOWSPEC, text)?;
/// assert_eq!(rule.to_string(), text);
/// # Ok::<(), bgp_wire::ParseNlriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowSpecBuf {
    /// The route distinguisher. The encoder requires one exactly in the VPN families.
    pub distinguisher: Option<RouteDistinguisher>,
    /// The components. The encoder requires at least one, in ascending order of their types, each type once.
    pub components: Vec<FlowSpecComponent<Vec<FlowSpecMatch>>>,
}

impl FlowSpecBuf {
    /// Writes the octets after the length.
    fn write_value(&self, out: &mut impl Sink) {
        if let Some(RouteDistinguisher(octets)) = self.distinguisher {
            out.put(&octets);
        }
        self.components
            .iter()
            .for_each(|component| component.write(out));
    }

    /// Returns the number of octets after the length.
    fn value_length(&self) -> usize {
        // A dry run, because the width of each value depends on its magnitude.
        let mut length = OctetCount::default();
        self.write_value(&mut length);
        length.0
    }
}

/// The maximum length of a rule in octets, without the length itself (RFC 8955 section 4.1).
const MAX_VALUE_LENGTH: usize = 0x0fff;

/// Returns the number of octets of a rule, including its length.
const fn encoded_length(value_length: usize) -> usize {
    // RFC 8955 section 4.1: the length has one octet below 240, and two from there on.
    value_length + if value_length < 0xf0 { 1 } else { 2 }
}

/// Writes the length of a rule (RFC 8955 section 4.1).
fn write_length(value_length: usize, out: &mut Slice<'_>) {
    debug_assert!(value_length <= MAX_VALUE_LENGTH, "is_legal() limits it");
    match (u8::try_from(value_length), u16::try_from(value_length)) {
        (Ok(length @ ..0xf0), _) => out.put(&[length]),
        (_, Ok(length)) => out.put(&(length | 0xf000).to_be_bytes()),
        _ => {}
    }
}

/// Returns `true` if the routes of `family` are flow specifications.
fn is_flowspec(family: Family) -> bool {
    matches!(
        family,
        Family::IPV4_FLOWSPEC
            | Family::IPV6_FLOWSPEC
            | Family::IPV4_FLOWSPEC_VPN
            | Family::IPV6_FLOWSPEC_VPN
    )
}

impl NlriValue for &FlowSpecBuf {
    const MAX_LENGTH: usize = encoded_length(MAX_VALUE_LENGTH);

    fn suits(family: Family) -> bool {
        is_flowspec(family)
    }

    fn is_legal(&self, format: &NlriFormat) -> bool {
        let family = format.family;
        let types = self
            .components
            .iter()
            .map(|component| component.component_type().0);
        // RFC 8955 section 4.2: components ascend strictly by type. Receivers treat any other order as malformed.
        self.distinguisher.is_some() == (family.safi == Safi::FLOWSPEC_VPN)
            && !self.components.is_empty()
            && types.is_sorted_by(|one, other| one < other)
            && self
                .components
                .iter()
                .all(|component| component.is_legal(family.afi))
            && self.value_length() <= MAX_VALUE_LENGTH
    }

    fn encoded_length(&self, _: &NlriFormat) -> usize {
        encoded_length(self.value_length())
    }

    fn write<'o>(&self, _: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        let length = self.value_length();
        write_exactly(encoded_length(length), out, |out| {
            write_length(length, out);
            self.write_value(out);
        })
    }
}

impl FlowSpec<'_> {
    /// Returns the number of octets after the length.
    fn value_length(&self) -> usize {
        self.distinguisher.map_or(0, |_| 8) + self.components.len()
    }
}

impl NlriValue for FlowSpec<'_> {
    const MAX_LENGTH: usize = encoded_length(MAX_VALUE_LENGTH);

    fn suits(family: Family) -> bool {
        is_flowspec(family)
    }

    fn is_legal(&self, format: &NlriFormat) -> bool {
        // The components were checked on reception, but by the grammar of their own address family.
        self.distinguisher.is_some() == (format.family.safi == Safi::FLOWSPEC_VPN)
            && self.afi == format.family.afi
    }

    fn encoded_length(&self, _: &NlriFormat) -> usize {
        encoded_length(self.value_length())
    }

    fn write<'o>(&self, _: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        let length = self.value_length();
        write_exactly(encoded_length(length), out, |out| {
            write_length(length, out);
            if let Some(RouteDistinguisher(octets)) = self.distinguisher {
                out.put(&octets);
            }
            // Copied as received: a value may be wider than this codec would encode it.
            out.put(self.components);
        })
    }
}

impl From<FlowSpec<'_>> for FlowSpecBuf {
    fn from(flow: FlowSpec<'_>) -> Self {
        Self {
            distinguisher: flow.distinguisher,
            components: flow.components().map(FlowSpecComponent::to_owned).collect(),
        }
    }
}

/// Returns the error of the parsers of this module, which have one kind of failure.
pub(super) const fn malformed() -> nom::Err<Short> {
    nom::Err::Error(Short)
}
