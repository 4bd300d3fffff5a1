//! Reading EVPN routes.

use core::net::IpAddr;

use super::{EthernetSegmentIdentifier, EvpnRoute};
use crate::iana::Afi;
use crate::mac_address::MacAddress;
use crate::nlri::unicast::load;
use crate::parse::{Parsed, Short, array, be_u32, octet, take};
use crate::route_distinguisher::RouteDistinguisher;

/// A route type and its value, for types that are not known.
pub(in crate::nlri) type RawRoute<'a> = (u8, &'a [u8]);

/// One route behind its type and length.
pub(in crate::nlri) fn split(input: &[u8]) -> Parsed<'_, RawRoute<'_>> {
    let (rest, route_type) = octet(input)?;
    let (rest, length) = octet(rest)?;
    let (rest, value) = take(rest, length.into())?;
    Ok((rest, (route_type, value)))
}

impl EvpnRoute {
    /// `Ok(None)` for a type that is not known (RFC 7606 section 5.4), an error for a value that is not of its type.
    pub(in crate::nlri) fn decode(
        route_type: u8,
        value: &[u8],
    ) -> Result<Option<Self>, nom::Err<Short>> {
        let (rest, route) = match route_type {
            1 => auto_discovery(value),
            2 => mac_ip(value),
            3 => inclusive_multicast(value),
            4 => ethernet_segment(value),
            5 => ip_prefix(value),
            _ => return Ok(None),
        }?;
        if rest.is_empty() {
            Ok(Some(route))
        } else {
            Err(nom::Err::Error(Short))
        }
    }
}

fn distinguisher(input: &[u8]) -> Parsed<'_, RouteDistinguisher> {
    array(input).map(|(rest, octets)| (rest, RouteDistinguisher(octets)))
}

fn segment(input: &[u8]) -> Parsed<'_, EthernetSegmentIdentifier> {
    array(input).map(|(rest, octets)| (rest, EthernetSegmentIdentifier(octets)))
}

fn label(input: &[u8]) -> Parsed<'_, u32> {
    array(input).map(|(rest, [a, b, c])| (rest, u32::from_be_bytes([0, a, b, c])))
}

/// An address of so many bits.
fn address(input: &[u8], bits: u8) -> Parsed<'_, IpAddr> {
    match bits {
        32 => array::<4>(input).map(|(rest, octets)| (rest, octets.into())),
        128 => array::<16>(input).map(|(rest, octets)| (rest, octets.into())),
        _ => Err(nom::Err::Error(Short)),
    }
}

fn auto_discovery(input: &[u8]) -> Parsed<'_, EvpnRoute> {
    let (rest, distinguisher) = distinguisher(input)?;
    let (rest, segment) = segment(rest)?;
    let (rest, tag) = be_u32(rest)?;
    let (rest, label) = label(rest)?;
    let route = EvpnRoute::AutoDiscovery {
        distinguisher,
        segment,
        tag,
        label,
    };
    Ok((rest, route))
}

fn mac_ip(input: &[u8]) -> Parsed<'_, EvpnRoute> {
    let (rest, distinguisher) = distinguisher(input)?;
    let (rest, segment) = segment(rest)?;
    let (rest, tag) = be_u32(rest)?;
    let (rest, [mac_bits]) = array(rest)?;
    if mac_bits != 48 {
        return Err(nom::Err::Error(Short));
    }
    let (rest, mac) = array(rest)?;
    let (rest, bits) = octet(rest)?;
    let (rest, address) = match bits {
        0 => (rest, None),
        _ => address(rest, bits).map(|(rest, address)| (rest, Some(address)))?,
    };
    let (rest, first) = label(rest)?;
    let (rest, second_label) = match rest {
        [] => (rest, None),
        _ => label(rest).map(|(rest, label)| (rest, Some(label)))?,
    };
    let route = EvpnRoute::MacIp {
        distinguisher,
        segment,
        tag,
        mac: MacAddress(mac),
        address,
        label: first,
        second_label,
    };
    Ok((rest, route))
}

fn inclusive_multicast(input: &[u8]) -> Parsed<'_, EvpnRoute> {
    let (rest, distinguisher) = distinguisher(input)?;
    let (rest, tag) = be_u32(rest)?;
    let (rest, bits) = octet(rest)?;
    let (rest, originator) = address(rest, bits)?;
    let route = EvpnRoute::InclusiveMulticast {
        distinguisher,
        tag,
        originator,
    };
    Ok((rest, route))
}

fn ethernet_segment(input: &[u8]) -> Parsed<'_, EvpnRoute> {
    let (rest, distinguisher) = distinguisher(input)?;
    let (rest, segment) = segment(rest)?;
    let (rest, bits) = octet(rest)?;
    let (rest, originator) = address(rest, bits)?;
    let route = EvpnRoute::EthernetSegment {
        distinguisher,
        segment,
        originator,
    };
    Ok((rest, route))
}

/// The length of the route says which family it is of (RFC 9136 section 3.1).
fn ip_prefix(input: &[u8]) -> Parsed<'_, EvpnRoute> {
    let (width, afi) = match input.len() {
        34 => (32, Afi::IPV4),
        58 => (128, Afi::IPV6),
        _ => return Err(nom::Err::Error(Short)),
    };
    let (rest, distinguisher) = distinguisher(input)?;
    let (rest, segment) = segment(rest)?;
    let (rest, tag) = be_u32(rest)?;
    let (rest, length) = octet(rest)?;
    let (rest, octets) = take(rest, width / 8)?;
    let prefix = load(octets, length, afi).ok_or(nom::Err::Error(Short))?;
    let (rest, gateway) = address(rest, if afi == Afi::IPV4 { 32 } else { 128 })?;
    let (rest, label) = label(rest)?;
    let route = EvpnRoute::IpPrefix {
        distinguisher,
        segment,
        tag,
        prefix,
        gateway,
        label,
    };
    Ok((rest, route))
}
