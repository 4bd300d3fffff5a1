//! Flow specifications (RFC 8955, RFC 8956 for IPv6): what traffic a rule is about.

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

/// A received flow specification that was checked: its components are whole, known, and in ascending order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FlowSpec<'a> {
    distinguisher: Option<RouteDistinguisher>,
    afi: Afi,
    components: &'a [u8],
}

impl<'a> FlowSpec<'a> {
    /// The route distinguisher, in the VPN families (RFC 8955 section 8).
    #[must_use]
    pub const fn distinguisher(&self) -> Option<RouteDistinguisher> {
        self.distinguisher
    }

    /// The components, in the order of their types. Traffic matches the rule if it matches every one.
    pub fn components(
        &self,
    ) -> impl Iterator<Item = FlowSpecComponent<FlowSpecMatches<'a>>> + use<'a> {
        let Self {
            afi,
            mut components,
            ..
        } = *self;
        core::iter::from_fn(move || {
            let Ok((rest, component)) = component::split(components, afi) else {
                debug_assert!(components.is_empty(), "the components were checked");
                return None;
            };
            components = rest;
            Some(component)
        })
    }

    pub(super) fn split(input: &'a [u8], family: Family) -> Parsed<'a, Self> {
        let (rest, value) = framed(input)?;
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

/// A rule behind its length, which has two octets from 240 on (RFC 8955 section 4.1).
fn framed(input: &[u8]) -> Parsed<'_, &[u8]> {
    match octet(input)? {
        (rest, length @ ..0xf0) => take(rest, length.into()),
        _ => {
            let (rest, length) = be_u16(input)?;
            take(rest, usize::from(length & 0x0fff))
        }
    }
}

/// A flow specification to send.
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
    /// The route distinguisher, in the VPN families and only there.
    pub distinguisher: Option<RouteDistinguisher>,
    /// The components, in the order of their types, each type once.
    pub components: Vec<FlowSpecComponent<Vec<FlowSpecMatch>>>,
}

impl FlowSpecBuf {
    fn write_value(&self, out: &mut impl Sink) {
        if let Some(RouteDistinguisher(octets)) = self.distinguisher {
            out.put(&octets);
        }
        self.components
            .iter()
            .for_each(|component| component.write(out));
    }

    fn value_length(&self) -> usize {
        let mut length = OctetCount::default();
        self.write_value(&mut length);
        length.0
    }
}

/// The most octets of a rule (RFC 8955 section 4.1).
const MAX_VALUE_LENGTH: usize = 0x0fff;

/// Returns the number of octets of a rule with its length, which has two octets from 240 on.
const fn framed_length(value_length: usize) -> usize {
    value_length + if value_length < 0xf0 { 1 } else { 2 }
}

/// Writes the length of a rule.
fn write_length(value_length: usize, out: &mut Slice<'_>) {
    debug_assert!(value_length <= MAX_VALUE_LENGTH, "is_legal() limits it");
    match (u8::try_from(value_length), u16::try_from(value_length)) {
        (Ok(length @ ..0xf0), _) => out.put(&[length]),
        (_, Ok(length)) => out.put(&(length | 0xf000).to_be_bytes()),
        _ => {}
    }
}

/// Returns `true` if `family` is one of flow specifications.
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
    const MAX_LENGTH: usize = framed_length(MAX_VALUE_LENGTH);

    fn suits(family: Family) -> bool {
        is_flowspec(family)
    }

    fn is_legal(&self, format: &NlriFormat) -> bool {
        let family = format.family;
        let types = self
            .components
            .iter()
            .map(|component| component.component_type().0);
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
        framed_length(self.value_length())
    }

    fn write<'o>(&self, _: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        let length = self.value_length();
        write_exactly(framed_length(length), out, |out| {
            write_length(length, out);
            self.write_value(out);
        })
    }
}

impl FlowSpec<'_> {
    fn value_length(&self) -> usize {
        self.distinguisher.map_or(0, |_| 8) + self.components.len()
    }
}

impl NlriValue for FlowSpec<'_> {
    const MAX_LENGTH: usize = framed_length(MAX_VALUE_LENGTH);

    fn suits(family: Family) -> bool {
        is_flowspec(family)
    }

    /// The components were checked when the rule was received.
    fn is_legal(&self, format: &NlriFormat) -> bool {
        self.distinguisher.is_some() == (format.family.safi == Safi::FLOWSPEC_VPN)
            && self.afi == format.family.afi
    }

    fn encoded_length(&self, _: &NlriFormat) -> usize {
        framed_length(self.value_length())
    }

    fn write<'o>(&self, _: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        let length = self.value_length();
        write_exactly(framed_length(length), out, |out| {
            write_length(length, out);
            if let Some(RouteDistinguisher(octets)) = self.distinguisher {
                out.put(&octets);
            }
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

/// What is left of an input whose item is not what it should be.
pub(super) const fn malformed() -> nom::Err<Short> {
    nom::Err::Error(Short)
}
