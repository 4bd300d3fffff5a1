//! EVPN routes of types 1 to 4 (RFC 7432 section 7) and 5 (RFC 9136 section 3), and their encoding.

mod decode;
mod text;

use core::net::IpAddr;

use ipnet::IpNet;

use super::NlriFormat;
use super::encode::{HasFamily, NlriValue, write_exactly};
use crate::family::Family;
use crate::mac_address::MacAddress;
use crate::route_distinguisher::RouteDistinguisher;
use crate::sink::{OctetCount, Sink};

pub(super) use decode::split;
pub use text::ParseEthernetSegmentIdentifierError;

/// An Ethernet Segment Identifier (RFC 7432 section 5), written as ten hex octets with colons between them, or `0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EthernetSegmentIdentifier(pub [u8; 10]);

/// An EVPN route of type 1 to 5.
///
/// A label field has 24 bits: a VNI, or an MPLS label in the high 20 bits. The text uses the keywords of GoBGP's command
/// line:
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
    /// Type 1, Ethernet Auto-discovery (RFC 7432 section 7.1).
    AutoDiscovery {
        /// The route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The Ethernet Segment Identifier.
        segment: EthernetSegmentIdentifier,
        /// The Ethernet Tag ID.
        tag: u32,
        /// The label field, 24 bits.
        label: u32,
    },
    /// Type 2, MAC/IP Advertisement (RFC 7432 section 7.2).
    MacIp {
        /// The route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The Ethernet Segment Identifier.
        segment: EthernetSegmentIdentifier,
        /// The Ethernet Tag ID.
        tag: u32,
        /// The MAC address.
        mac: MacAddress,
        /// The IP address of the host, if advertised.
        address: Option<IpAddr>,
        /// The first label field, 24 bits.
        label: u32,
        /// The second label field, 24 bits, if present.
        second_label: Option<u32>,
    },
    /// Type 3, Inclusive Multicast Ethernet Tag (RFC 7432 section 7.3).
    InclusiveMulticast {
        /// The route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The Ethernet Tag ID.
        tag: u32,
        /// The Originating Router's IP Address.
        originator: IpAddr,
    },
    /// Type 4, Ethernet Segment (RFC 7432 section 7.4).
    EthernetSegment {
        /// The route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The Ethernet Segment Identifier.
        segment: EthernetSegmentIdentifier,
        /// The Originating Router's IP Address.
        originator: IpAddr,
    },
    /// Type 5, IP Prefix (RFC 9136 section 3.1).
    IpPrefix {
        /// The route distinguisher.
        distinguisher: RouteDistinguisher,
        /// The Ethernet Segment Identifier.
        segment: EthernetSegmentIdentifier,
        /// The Ethernet Tag ID.
        tag: u32,
        /// The prefix. Its host bits are zero.
        prefix: IpNet,
        /// The gateway, of the same address family as the prefix. Zero means no gateway.
        gateway: IpAddr,
        /// The label field, 24 bits.
        label: u32,
    },
}

impl EvpnRoute {
    /// Returns the route type, 1 to 5.
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

    /// Writes the octets after type and length.
    fn write_value(&self, out: &mut impl Sink) {
        // Every type begins with the same fields, of which type 3 has no segment and type 4 no tag.
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
                // The MAC address length is in bits (RFC 7432 section 7.2).
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
                // The prefix is written in full whatever its length (RFC 9136 section 3.1), unlike a unicast prefix.
                out.put(&[prefix.prefix_len()]);
                put_octets(prefix.network(), out);
                put_octets(gateway, out);
                put_label(label, out);
            }
        }
    }

    /// Returns the Ethernet Segment Identifier, or `None` for type 3.
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

    /// Returns the Ethernet Tag ID, or `None` for type 4.
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

    /// Returns the route distinguisher.
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
}

impl NlriValue for EvpnRoute {
    // Type, length and the 58 octets of an IPv6 prefix route, the longest of all types.
    const MAX_LENGTH: usize = 60;

    fn suits(family: Family) -> bool {
        family == Family::L2VPN_EVPN
    }

    fn is_legal(&self, _: &NlriFormat) -> bool {
        // A label is a `u32` here, but its field has 24 bits.
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
            // The length of the route determines one address family for both (RFC 9136 section 3.1).
            } => fits(label) && prefix.addr().is_ipv4() == gateway.is_ipv4(),
        }
    }

    fn encoded_length(&self, _: &NlriFormat) -> usize {
        // Measured by a dry run, so that length and octets cannot disagree.
        let mut length = OctetCount::default();
        self.write_value(&mut length);
        2 + length.0
    }

    fn write<'o>(&self, format: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        let length = self.encoded_length(format);
        debug_assert!(
            length <= Self::MAX_LENGTH,
            "every type has a maximum length"
        );
        write_exactly(length, out, |out| {
            // The length octet does not count itself and the type.
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

/// Writes a label field of 24 bits.
fn put_label(label: u32, out: &mut impl Sink) {
    let [_, octets @ ..] = label.to_be_bytes();
    out.put(&octets);
}

/// Writes the length of an address in bits, 0 for `None`, followed by the address.
// The length of an absent address is 0, not omitted (RFC 7432 section 7.2).
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

/// Writes the octets of an address.
fn put_octets(address: IpAddr, out: &mut impl Sink) {
    match address {
        IpAddr::V4(address) => out.put(&address.octets()),
        IpAddr::V6(address) => out.put(&address.octets()),
    }
}
