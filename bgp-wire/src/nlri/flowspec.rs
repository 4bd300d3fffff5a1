//! Flow specifications (RFC 8955, RFC 8956 for IPv6): what traffic a rule is about.

mod component;
mod text;

pub use component::{
    ComponentType, FlowSpecComponent, FlowSpecMatch, FlowSpecMatches, FlowSpecOperator,
};

use alloc::vec::Vec;

use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::parse::{Parsed, Short, array, be_u16, octet, take};
use crate::route_distinguisher::RouteDistinguisher;
use crate::sink::{Length, Sink, Slice};

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
            let (rest, component) = component::split(components, afi).ok()?;
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
    /// Whether a receiver accepts it in this family.
    pub(super) fn is_legal(&self, family: Family) -> bool {
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
            && self.value_length() <= 0x0fff
    }

    fn write_value(&self, out: &mut impl Sink) {
        if let Some(RouteDistinguisher(octets)) = self.distinguisher {
            out.put(&octets);
        }
        self.components
            .iter()
            .for_each(|component| component.write(out));
    }

    fn value_length(&self) -> usize {
        let mut length = Length::default();
        self.write_value(&mut length);
        length.0
    }

    pub(super) fn encoded_length(&self) -> usize {
        let length = self.value_length();
        length + if length < 0xf0 { 1 } else { 2 }
    }

    /// Writes to the start of `out`, which has room for it, and says how many octets.
    pub(super) fn write(&self, out: &mut [u8]) -> usize {
        let length = self.value_length();
        Slice::write(out, |out| {
            match (u8::try_from(length), u16::try_from(length)) {
                (Ok(length @ ..0xf0), _) => out.put(&[length]),
                (_, Ok(length)) => out.put(&(length | 0xf000).to_be_bytes()),
                _ => {}
            }
            self.write_value(out);
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
