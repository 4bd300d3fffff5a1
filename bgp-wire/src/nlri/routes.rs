//! `Routes`: an iterator over the routes of one NLRI field, of any family.

use super::{
    AnyNlri, Destination, EvpnRoute, FlowSpec, LabeledPrefix, NlriFormat, PathId,
    RouteTargetPrefix, VpnPrefix, evpn, unicast,
};
use crate::error::Span;
use crate::iana::Safi;
use crate::parse::{Parsed, Short, be_u32, octet, take};

/// An iterator over the routes of one NLRI field, of any family. The field was checked, so the iterator never fails.
#[derive(Clone, Copy, Debug)]
pub struct Routes<'a> {
    rest: &'a [u8],
    format: NlriFormat,
}

impl<'a> Routes<'a> {
    /// Checks that `field` is a list of routes of this format. `start` is the position of the field in its message.
    ///
    /// Returns the octets from the first malformed route to the end of the field as an error.
    pub(crate) fn check(field: &'a [u8], format: NlriFormat, start: usize) -> Result<Self, Span> {
        let mut rest = field;
        while !rest.is_empty() {
            let Ok((after, _)) = split(rest, &format) else {
                // Nothing after a malformed route can be trusted, because its length may be wrong.
                let end = start + field.len();
                return Err(Span::new(end - rest.len(), end));
            };
            rest = after;
        }
        Ok(Self {
            rest: field,
            format,
        })
    }

    /// Iterates over a field that was checked. In another field the iterator ends at the first malformed route.
    pub(crate) fn from_checked(field: &'a [u8], format: NlriFormat) -> Self {
        Self {
            rest: field,
            format,
        }
    }

    /// Returns the number of octets that the iterator has not taken yet.
    pub(crate) fn octets_left(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Routes<'a> {
    type Item = AnyNlri<'a>;

    fn next(&mut self) -> Option<AnyNlri<'a>> {
        let (rest, route) = split(self.rest, &self.format).ok()?;
        self.rest = rest;
        Some(route)
    }
}

/// Splits off one route.
fn split<'a>(input: &'a [u8], format: &NlriFormat) -> Parsed<'a, AnyNlri<'a>> {
    let family = format.family;
    let (rest, path_id) = if format.add_path {
        let (rest, path_id) = be_u32(input)?;
        (rest, Some(PathId(path_id)))
    } else {
        (input, None)
    };
    let (rest, destination) = match family.safi {
        // The grammar is unknown, so the whole field is one value.
        _ if family.bit() == 0 => {
            let (item, rest) = rest.split_at(rest.len());
            if item.is_empty() {
                return Err(nom::Err::Error(Short));
            }
            (rest, Destination::Unknown(item))
        }
        Safi::LABELED => LabeledPrefix::split(rest, format)
            .map(|(rest, item)| (rest, Destination::Labeled(item)))?,
        Safi::VPN => {
            VpnPrefix::split(rest, format).map(|(rest, item)| (rest, Destination::Vpn(item)))?
        }
        Safi::FLOWSPEC | Safi::FLOWSPEC_VPN => {
            FlowSpec::split(rest, family).map(|(rest, item)| (rest, Destination::FlowSpec(item)))?
        }
        Safi::EVPN => {
            // RFC 7606 section 5.4: an unknown route type is no error, and its length is known.
            let (rest, (route_type, value)) = evpn::split(rest)?;
            let destination = EvpnRoute::decode(route_type, value)?.map_or(
                Destination::OtherEvpn { route_type, value },
                Destination::Evpn,
            );
            (rest, destination)
        }
        Safi::ROUTE_TARGET => RouteTargetPrefix::split(rest, format)
            .map(|(rest, item)| (rest, Destination::RouteTarget(item)))?,
        _ => {
            debug_assert!(matches!(family.safi, Safi::UNICAST | Safi::MULTICAST));
            // The fast path of `Prefixes` has its own loop; here are the multicast families and mixed iteration.
            let (rest, bits) = octet(rest)?;
            let (rest, octets) = take(rest, usize::from(bits).div_ceil(8))?;
            let prefix = unicast::load(octets, bits, family.afi).ok_or(nom::Err::Error(Short))?;
            (rest, Destination::Prefix(prefix))
        }
    };
    let route = AnyNlri {
        family,
        path_id,
        destination,
    };
    Ok((rest, route))
}
