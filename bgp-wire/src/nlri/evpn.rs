//! EVPN routes: types 1 to 4 (RFC 7432 section 7) and 5 (RFC 9136 section 3).

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use ipnet::IpNet;

use super::Form;
use super::encode::{HasFamily, NlriValue, write_exactly};
use super::label::load;
use super::words::{Words, in_words};
use crate::family::Family;
use crate::iana::Afi;
use crate::mac_address::{MacAddress, colons, from_colons};
use crate::parse::{Parsed, Short, array, be_u32, octet, take};
use crate::route_distinguisher::RouteDistinguisher;
use crate::sink::{Length, Sink};

/// An Ethernet Segment Identifier (RFC 7432 section 5), written as ten octets with colons between them, or `0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EthernetSegmentIdentifier(pub [u8; 10]);

/// An EVPN route of a known type. Labels are the 24 bits of their field: a VNI, or a label in the high 20 bits.
///
/// It is written as GoBGP's command line names its parts:
///
/// ```
/// use bgp_wire::{AnyNlriBuf, Family};
/// let text = "macadv rd 64512:1 esi 0 etag 0 mac 00:00:5e:00:53:01 ip 192.0.2.1 label 100";
/// let route = AnyNlriBuf::parse(Family::L2VPN_EVPN, text)?;
/// assert_eq!(route.to_string(), text);
/// # Ok::<(), bgp_wire::ParseNlriError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EvpnRoute {
    /// Type 1, Ethernet Auto-discovery.
    AutoDiscovery {
        /// The route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment.
        segment: EthernetSegmentIdentifier,
        /// The Ethernet Tag ID.
        tag: u32,
        /// The label field, 24 bits.
        label: u32,
    },
    /// Type 2, MAC/IP Advertisement.
    MacIp {
        /// The route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment.
        segment: EthernetSegmentIdentifier,
        /// The Ethernet Tag ID.
        tag: u32,
        /// The MAC address.
        mac: MacAddress,
        /// The IP address, if there is one.
        address: Option<IpAddr>,
        /// The first label field, 24 bits.
        label: u32,
        /// The second label field, 24 bits, if there is one.
        second_label: Option<u32>,
    },
    /// Type 3, Inclusive Multicast Ethernet Tag.
    InclusiveMulticast {
        /// The route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The Ethernet Tag ID.
        tag: u32,
        /// The Originating Router's IP Address.
        originator: IpAddr,
    },
    /// Type 4, Ethernet Segment.
    EthernetSegment {
        /// The route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment.
        segment: EthernetSegmentIdentifier,
        /// The Originating Router's IP Address.
        originator: IpAddr,
    },
    /// Type 5, IP Prefix.
    IpPrefix {
        /// The route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The segment.
        segment: EthernetSegmentIdentifier,
        /// The Ethernet Tag ID.
        tag: u32,
        /// The prefix, host bits cleared.
        prefix: IpNet,
        /// The gateway, of the prefix's family; zero where there is none.
        gateway: IpAddr,
        /// The label field, 24 bits.
        label: u32,
    },
}

/// A route type and its value, for types that are not known.
pub(super) type RawRoute<'a> = (u8, &'a [u8]);

/// One route behind its type and length.
pub(super) fn split(input: &[u8]) -> Parsed<'_, RawRoute<'_>> {
    let (rest, route_type) = octet(input)?;
    let (rest, length) = octet(rest)?;
    let (rest, value) = take(rest, length.into())?;
    Ok((rest, (route_type, value)))
}

impl EvpnRoute {
    /// `Ok(None)` for a type that is not known (RFC 7606 section 5.4), an error for a value that is not of its type.
    pub(super) fn decode(route_type: u8, value: &[u8]) -> Result<Option<Self>, nom::Err<Short>> {
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

    /// The route type.
    #[must_use]
    pub const fn route_type(&self) -> u8 {
        match self {
            Self::AutoDiscovery { .. } => 1,
            Self::MacIp { .. } => 2,
            Self::InclusiveMulticast { .. } => 3,
            Self::EthernetSegment { .. } => 4,
            Self::IpPrefix { .. } => 5,
        }
    }

    fn write_value(&self, out: &mut impl Sink) {
        out.put(&self.distinguisher().0);
        if let Some(segment) = self.segment() {
            out.put(&segment.0);
        }
        if let Some(tag) = self.tag() {
            out.put(&tag.to_be_bytes());
        }
        match *self {
            Self::AutoDiscovery { label, .. } => put_label(label, out),
            Self::MacIp {
                mac,
                address,
                label,
                second_label,
                ..
            } => {
                out.put(&[48]);
                out.put(&mac.0);
                put_address(address, out);
                put_label(label, out);
                second_label
                    .into_iter()
                    .for_each(|label| put_label(label, out));
            }
            Self::InclusiveMulticast { originator, .. }
            | Self::EthernetSegment { originator, .. } => {
                put_address(Some(originator), out);
            }
            Self::IpPrefix {
                prefix,
                gateway,
                label,
                ..
            } => {
                out.put(&[prefix.prefix_len()]);
                put_octets(prefix.network(), out);
                put_octets(gateway, out);
                put_label(label, out);
            }
        }
    }

    /// The Ethernet Segment Identifier, for every type but 3.
    #[must_use]
    pub const fn segment(&self) -> Option<EthernetSegmentIdentifier> {
        match self {
            Self::AutoDiscovery { segment, .. }
            | Self::MacIp { segment, .. }
            | Self::EthernetSegment { segment, .. }
            | Self::IpPrefix { segment, .. } => Some(*segment),
            Self::InclusiveMulticast { .. } => None,
        }
    }

    /// The Ethernet Tag ID, for every type but 4.
    #[must_use]
    pub const fn tag(&self) -> Option<u32> {
        match self {
            Self::AutoDiscovery { tag, .. }
            | Self::MacIp { tag, .. }
            | Self::InclusiveMulticast { tag, .. }
            | Self::IpPrefix { tag, .. } => Some(*tag),
            Self::EthernetSegment { .. } => None,
        }
    }

    /// The route distinguisher.
    #[must_use]
    pub const fn distinguisher(&self) -> RouteDistinguisher {
        match self {
            Self::AutoDiscovery { distinguisher, .. }
            | Self::MacIp { distinguisher, .. }
            | Self::InclusiveMulticast { distinguisher, .. }
            | Self::EthernetSegment { distinguisher, .. }
            | Self::IpPrefix { distinguisher, .. } => *distinguisher,
        }
    }

    pub(super) fn parse(words: &mut Words<'_>) -> Option<Self> {
        let kind = words.next()?;
        let distinguisher = words.value("rd")?;
        let label = |words: &mut Words<'_>| words.number("label").filter(|label| *label < 1 << 24);
        Some(match kind {
            "a-d" => Self::AutoDiscovery {
                distinguisher,
                segment: words.value("esi")?,
                tag: words.number("etag")?,
                label: label(words)?,
            },
            "macadv" => Self::MacIp {
                distinguisher,
                segment: words.value("esi")?,
                tag: words.number("etag")?,
                mac: words.value("mac")?,
                address: match words.peek()? {
                    "ip" => Some(words.value("ip")?),
                    _ => None,
                },
                label: label(words)?,
                second_label: match words.peek() {
                    Some(_) => Some(label(words)?),
                    None => None,
                },
            },
            "multicast" => Self::InclusiveMulticast {
                distinguisher,
                tag: words.number("etag")?,
                originator: words.value("ip")?,
            },
            "esi" => Self::EthernetSegment {
                distinguisher,
                segment: words.value("esi")?,
                originator: words.value("ip")?,
            },
            "prefix" => {
                let segment = words.value("esi")?;
                let tag = words.number("etag")?;
                let prefix = words.value::<IpNet>("prefix")?.trunc();
                let gateway = words.value::<IpAddr>("gw")?;
                Self::IpPrefix {
                    distinguisher,
                    segment,
                    tag,
                    prefix,
                    gateway: Some(gateway).filter(|gw| gw.is_ipv4() == prefix.addr().is_ipv4())?,
                    label: label(words)?,
                }
            }
            _ => return None,
        })
    }
}

impl NlriValue for EvpnRoute {
    /// The length of a type 5 route for an IPv6 prefix.
    const MAX_LENGTH: usize = 60;

    fn suits(family: Family) -> bool {
        family == Family::L2VPN_EVPN
    }

    /// Labels fit their fields, and a gateway is of its prefix's family.
    fn is_legal(&self, _: &Form) -> bool {
        let fits = |label: u32| label < 1 << 24;
        match *self {
            Self::AutoDiscovery { label, .. } => fits(label),
            Self::MacIp {
                label,
                second_label,
                ..
            } => fits(label) && second_label.is_none_or(fits),
            Self::InclusiveMulticast { .. } | Self::EthernetSegment { .. } => true,
            Self::IpPrefix {
                prefix,
                gateway,
                label,
                ..
            } => fits(label) && prefix.addr().is_ipv4() == gateway.is_ipv4(),
        }
    }

    fn encoded_length(&self, _: &Form) -> usize {
        let mut length = Length::default();
        self.write_value(&mut length);
        2 + length.0
    }

    fn write<'o>(&self, form: &Form, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        let length = self.encoded_length(form);
        write_exactly(length, out, |out| {
            let value_length = u8::try_from(length - 2).unwrap_or(u8::MAX);
            out.put(&[self.route_type(), value_length]);
            self.write_value(out);
        })
    }
}

impl HasFamily for EvpnRoute {
    fn family(&self) -> Family {
        Family::L2VPN_EVPN
    }
}

in_words! {
    EvpnRoute, EvpnRoute::parse,
    "a route of type a-d, macadv, multicast, esi or prefix: multicast rd 64512:1 etag 0 ip 192.0.2.1"
}

/// The 24 bits of a label field.
fn put_label(label: u32, out: &mut impl Sink) {
    let [_, octets @ ..] = label.to_be_bytes();
    out.put(&octets);
}

/// An address behind its length in bits, 0 for none.
fn put_address(address: Option<IpAddr>, out: &mut impl Sink) {
    out.put(&[match address {
        None => 0,
        Some(IpAddr::V4(_)) => 32,
        Some(IpAddr::V6(_)) => 128,
    }]);
    address
        .into_iter()
        .for_each(|address| put_octets(address, out));
}

fn put_octets(address: IpAddr, out: &mut impl Sink) {
    match address {
        IpAddr::V4(address) => out.put(&address.octets()),
        IpAddr::V6(address) => out.put(&address.octets()),
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

impl fmt::Display for EvpnRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AutoDiscovery {
                distinguisher,
                segment,
                tag,
                label,
            } => {
                write!(
                    f,
                    "a-d rd {distinguisher} esi {segment} etag {tag} label {label}"
                )
            }
            Self::MacIp {
                distinguisher,
                segment,
                tag,
                mac,
                address,
                label,
                second_label,
            } => {
                write!(
                    f,
                    "macadv rd {distinguisher} esi {segment} etag {tag} mac {mac}"
                )?;
                if let Some(address) = address {
                    write!(f, " ip {address}")?;
                }
                write!(f, " label {label}")?;
                second_label.map_or(Ok(()), |second| write!(f, " label {second}"))
            }
            Self::InclusiveMulticast {
                distinguisher,
                tag,
                originator,
            } => {
                write!(f, "multicast rd {distinguisher} etag {tag} ip {originator}")
            }
            Self::EthernetSegment {
                distinguisher,
                segment,
                originator,
            } => {
                write!(f, "esi rd {distinguisher} esi {segment} ip {originator}")
            }
            Self::IpPrefix {
                distinguisher,
                segment,
                tag,
                prefix,
                gateway,
                label,
            } => write!(
                f,
                "prefix rd {distinguisher} esi {segment} etag {tag} prefix {prefix} gw {gateway} label {label}"
            ),
        }
    }
}

impl fmt::Display for EthernetSegmentIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == [0; 10] {
            f.write_str("0")
        } else {
            colons(&self.0, f)
        }
    }
}

impl FromStr for EthernetSegmentIdentifier {
    type Err = ParseEthernetSegmentIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "0" => Some(Self::default()),
            _ => from_colons(text).map(Self),
        }
        .ok_or(ParseEthernetSegmentIdentifierError)
    }
}

/// The text is not an Ethernet Segment Identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseEthernetSegmentIdentifierError;

impl fmt::Display for ParseEthernetSegmentIdentifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an Ethernet Segment Identifier is 0, or ten octets in hex with colons between them",
        )
    }
}

impl core::error::Error for ParseEthernetSegmentIdentifierError {}
