//! Decodes EVPN routes (RFC 7432 section 7, RFC 9136 section 3.1).

use core::net::IpAddr;

use super::{EthernetSegmentIdentifier, EvpnRoute};
use crate::iana::Afi;
use crate::mac_address::MacAddress;
use crate::nlri::unicast::load;
use crate::parse::{Parsed, Short, array, be_u32, octet, take};
use crate::route_distinguisher::RouteDistinguisher;

/// A route type and its undecoded value.
pub(in crate::nlri) type RawRoute<'a> = (u8, &'a [u8]);

/// Splits off one route by its type and length.
pub(in crate::nlri) fn split(input: &[u8]) -> Parsed<'_, RawRoute<'_>> {
    let (rest, route_type) = octet(input)?;
    let (rest, length) = octet(rest)?;
    let (rest, value) = take(rest, length.into())?;
    Ok((rest, (route_type, value)))
}

impl EvpnRoute {
    /// Decodes a route. Returns `Ok(None)` for an unknown type, and an error for a malformed value of a known type.
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
            // RFC 7606 section 5.4: routes of an unknown type are no error.
            _ => return Ok(None),
        }?;
        // Left-over octets mean that the fields were not those of this type.
        if rest.is_empty() {
            Ok(Some(route))
        } else {
            Err(nom::Err::Error(Short))
        }
    }
}

/// Parses a route distinguisher.
fn distinguisher(input: &[u8]) -> Parsed<'_, RouteDistinguisher> {
    array(input).map(|(rest, octets)| (rest, RouteDistinguisher(octets)))
}

/// Parses an Ethernet Segment Identifier.
fn segment(input: &[u8]) -> Parsed<'_, EthernetSegmentIdentifier> {
    array(input).map(|(rest, octets)| (rest, EthernetSegmentIdentifier(octets)))
}

/// Parses a label field of 24 bits.
fn label(input: &[u8]) -> Parsed<'_, u32> {
    array(input).map(|(rest, [a, b, c])| (rest, u32::from_be_bytes([0, a, b, c])))
}

/// Parses an address of `bits` bits, which have to be 32 or 128.
fn address(input: &[u8], bits: u8) -> Parsed<'_, IpAddr> {
    match bits {
        32 => array::<4>(input).map(|(rest, octets)| (rest, octets.into())),
        128 => array::<16>(input).map(|(rest, octets)| (rest, octets.into())),
        _ => Err(nom::Err::Error(Short)),
    }
}

/// Decodes an Ethernet Auto-discovery route.
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

/// Decodes a MAC/IP Advertisement route.
fn mac_ip(input: &[u8]) -> Parsed<'_, EvpnRoute> {
    let (rest, distinguisher) = distinguisher(input)?;
    let (rest, segment) = segment(rest)?;
    let (rest, tag) = be_u32(rest)?;
    let (rest, [mac_bits]) = array(rest)?;
    // RFC 7432 section 7.2 defines no other length.
    if mac_bits != 48 {
        return Err(nom::Err::Error(Short));
    }
    let (rest, mac) = array(rest)?;
    let (rest, bits) = octet(rest)?;
    // RFC 7432 section 7.2: the length is 0 if the route advertises the MAC address alone.
    let (rest, address) = match bits {
        0 => (rest, None),
        _ => address(rest, bits).map(|(rest, address)| (rest, Some(address)))?,
    };
    let (rest, first) = label(rest)?;
    // MPLS Label2 is optional, and only the route's length shows if it is present.
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

/// Decodes an Inclusive Multicast Ethernet Tag route.
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

/// Decodes an Ethernet Segment route.
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

/// Decodes an IP Prefix route.
fn ip_prefix(input: &[u8]) -> Parsed<'_, EvpnRoute> {
    // RFC 9136 section 3.1: the length alone determines the address family.
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
