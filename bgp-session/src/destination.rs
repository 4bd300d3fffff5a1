//! `Destination`: the NLRI of an originated route of any family.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bgp_wire::{
    AnyNlriBuf, AttributeSet, ComponentType, Context, DestinationBuf, EncodeError, EvpnRoute,
    Family, FamilySet, FlowSpecComponent, Frame, Message, MessageLimit, NextHop, Nlri, Origin,
    ParseNlriError, PathId, PeerKind, encode_announcements,
};
use bytes::BytesMut;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::identity::NlriKey;

/// The destination of a route, of any family that can be originated: those in [`Family::PARSED`].
///
/// A peer that has negotiated the family accepts every value.
///
/// ```
/// use bgp_session::{Destination, DestinationError};
/// use bgp_wire::Family;
/// use ipnet::IpNet;
///
/// let host = Destination::from("192.168.10.1/32".parse::<IpNet>()?);
/// assert_eq!(host.family(), Family::IPV4_UNICAST);
/// let rule = Destination::parse(Family::IPV4_FLOWSPEC, "destination 192.0.2.1/32 protocol =udp")?;
/// assert_eq!(rule.prefix(), Some("192.0.2.1/32".parse()?));
/// assert_eq!(rule.to_nlri(None).to_string(), rule.to_string());
///
/// let without_distinguisher = Destination::parse(Family::IPV4_VPN, "10.0.0.0/8");
/// assert!(matches!(without_distinguisher, Err(DestinationError::Text(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination(Kind);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// A prefix of IPv4 or IPv6 unicast.
    // The usual case needs no allocation.
    Unicast(IpNet),
    /// An NLRI of any other family, without path identifier.
    // Shared, because some NLRI are long, and the table and every window hold the same one.
    Other(Arc<AnyNlriBuf>),
}

impl Destination {
    /// Creates a destination of this family. Clears the host bits of prefixes.
    ///
    /// ```
    /// use bgp_session::Destination;
    /// use bgp_wire::{DestinationBuf, Family, Label, LabeledPrefix};
    /// let value = LabeledPrefix {
    ///     labels: Label::new(100).ok_or("a label")?.into(),
    ///     prefix: "192.0.2.0/24".parse()?,
    /// };
    /// let destination = Destination::new(Family::IPV4_LABELED, &DestinationBuf::Labeled(value))?;
    /// assert_eq!(destination.to_string(), "192.0.2.0/24 label 100");
    /// assert!(Destination::new(Family::IPV6_LABELED, &DestinationBuf::Labeled(value)).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the family cannot be originated, if the value does not belong to the family, or if it does not
    /// fit into a message of 4096 octets.
    pub fn new(family: Family, value: &DestinationBuf) -> Result<Self, DestinationError> {
        if !is_served(family) {
            return Err(DestinationError::UnsupportedFamily(family));
        }
        // Reading back what a peer would read checks the value by the rules of the decoder, and brings it into one form.
        let nlri = read_back(family, value)
            .map_err(|error| DestinationError::Unencodable(family, error))?;
        if let DestinationBuf::Prefix(prefix) = nlri.destination
            && is_unicast(family)
        {
            return Ok(prefix.into());
        }
        Ok(Self(Kind::Other(Arc::new(nlri))))
    }

    /// Parses a destination of this family, in the form of [`AnyNlriBuf::parse`] without a path identifier.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a destination of this family, or if [`Destination::new`] rejects the destination.
    pub fn parse(family: Family, text: &str) -> Result<Self, DestinationError> {
        match AnyNlriBuf::parse(family, text) {
            // The path identifier belongs to the route (`Route::with_path_id`), not to its destination.
            Ok(nlri) if nlri.path_id.is_none() => Self::new(family, &nlri.destination),
            // No text would be valid, so that the family is the better explanation.
            _ if !is_served(family) => Err(DestinationError::UnsupportedFamily(family)),
            _ => Err(DestinationError::Text(ParseNlriError(family))),
        }
    }

    /// Returns the family.
    #[must_use]
    pub fn family(&self) -> Family {
        match &self.0 {
            Kind::Unicast(IpNet::V4(_)) => Family::IPV4_UNICAST,
            Kind::Unicast(IpNet::V6(_)) => Family::IPV6_UNICAST,
            Kind::Other(nlri) => nlri.family,
        }
    }

    /// Returns the prefix of the addresses that the route concerns, or `None` if the route has no prefix.
    ///
    /// - Unicast, multicast, labelled and VPN routes, and EVPN routes of type 5, have a prefix.
    /// - A flow specification has the prefix that it matches destination addresses with, if any.
    /// - An EVPN route of type 2 has its IP address as a host prefix, if it contains one.
    #[must_use]
    pub fn prefix(&self) -> Option<IpNet> {
        match &self.0 {
            Kind::Unicast(prefix) => Some(*prefix),
            Kind::Other(nlri) => prefix_of(&nlri.destination),
        }
    }

    /// Returns the NLRI of the destination with this path identifier.
    #[must_use]
    pub fn to_nlri(&self, path_id: Option<PathId>) -> AnyNlriBuf {
        match &self.0 {
            Kind::Unicast(prefix) => Nlri {
                path_id,
                prefix: *prefix,
            }
            .into(),
            Kind::Other(nlri) => AnyNlriBuf {
                path_id,
                ..AnyNlriBuf::clone(nlri)
            },
        }
    }

    /// Returns the identity of the destination.
    pub(crate) fn key(&self) -> DestinationKey {
        match &self.0 {
            Kind::Unicast(prefix) => DestinationKey::Unicast(*prefix),
            Kind::Other(nlri) => DestinationKey::Other(nlri.family, NlriKey(Arc::clone(nlri))),
        }
    }

    /// Returns the destination with this NLRI, which must come from [`Destination::key`].
    pub(crate) fn from_shared(nlri: Arc<AnyNlriBuf>) -> Self {
        // `Kind::Unicast` is the only form of a unicast destination: `==` compares the forms.
        debug_assert!(!is_unicast(nlri.family), "unicast NLRI {nlri}");
        Self(Kind::Other(nlri))
    }
}

/// The identity of a destination, which ignores labels and other fields that do not identify a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DestinationKey {
    Unicast(IpNet),
    Other(Family, NlriKey<Arc<AnyNlriBuf>>),
}

impl From<&Self> for Destination {
    fn from(destination: &Self) -> Self {
        destination.clone()
    }
}

impl From<IpNet> for Destination {
    /// Creates a unicast destination. Clears the host bits.
    fn from(prefix: IpNet) -> Self {
        // Without the host bits, equal prefixes have equal keys in the table.
        Self(Kind::Unicast(prefix.trunc()))
    }
}

impl From<Ipv4Net> for Destination {
    fn from(prefix: Ipv4Net) -> Self {
        IpNet::from(prefix).into()
    }
}

impl From<Ipv6Net> for Destination {
    fn from(prefix: Ipv6Net) -> Self {
        IpNet::from(prefix).into()
    }
}

impl TryFrom<AnyNlriBuf> for Destination {
    type Error = DestinationError;

    /// Creates the destination of a received route, without its path identifier.
    fn try_from(nlri: AnyNlriBuf) -> Result<Self, DestinationError> {
        // RFC 7911 section 3: a path identifier is only meaningful between its sender and the receiver.
        Self::new(nlri.family, &nlri.destination)
    }
}

impl fmt::Display for Destination {
    /// Writes the text that [`Destination::parse`] accepts, without the family.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Unicast(prefix) => prefix.fmt(f),
            Kind::Other(nlri) => nlri.destination.fmt(f),
        }
    }
}

/// The reason that a destination is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DestinationError {
    /// Routes of this family cannot be originated.
    UnsupportedFamily(Family),
    /// The text is not a destination of the family.
    Text(ParseNlriError),
    /// The value does not belong to the family, or does not fit into a message.
    Unencodable(Family, EncodeError),
}

impl fmt::Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedFamily(family) => write!(f, "unsupported family {family}"),
            Self::Text(error) => error.fmt(f),
            Self::Unencodable(family, error) => write!(f, "invalid route of {family}: {error}"),
        }
    }
}

impl std::error::Error for DestinationError {}

/// Returns `true` if routes of this family can be originated and received.
pub(crate) fn is_served(family: Family) -> bool {
    // A `FamilySet` can only contain the families that the codec parses.
    FamilySet::EMPTY.with(family).contains(family)
}

/// Returns `true` for IPv4 and IPv6 unicast.
pub(crate) fn is_unicast(family: Family) -> bool {
    matches!(family, Family::IPV4_UNICAST | Family::IPV6_UNICAST)
}

/// Encodes a route and returns it as a peer decodes it.
fn read_back(family: Family, value: &DestinationBuf) -> Result<AnyNlriBuf, EncodeError> {
    let context = Context::new(PeerKind::Internal).with_families([family]);
    let route = Nlri {
        path_id: None,
        prefix: value,
    };
    let mut octets = BytesMut::new();
    encode_announcements(
        &context,
        &AttributeSet::new(Origin::IGP),
        any_next_hop(family),
        [(family, route)],
        &mut octets,
    )?;
    let unreadable = EncodeError::Illegal("a route that peers do not read");
    // The standard limit: a peer need not support extended messages (RFC 8654).
    let frame = Frame::split(&mut octets, MessageLimit::Standard)
        .ok()
        .flatten()
        .ok_or(unreadable)?;
    let Ok(Message::Update(update)) = frame.decode(&context) else {
        return Err(unreadable);
    };
    // The decoder skips a route that is malformed in itself, so that none is left.
    let checked = update.check().map_err(|_| unreadable)?;
    checked
        .announced_routes()
        .next()
        .map(AnyNlriBuf::from)
        .ok_or(unreadable)
}

/// Returns a next hop that is valid for routes of this family.
fn any_next_hop(family: Family) -> NextHop {
    use bgp_wire::{Afi, Safi};
    match (family.afi, family.safi) {
        // RFC 8955 section 4.
        (_, Safi::FLOWSPEC | Safi::FLOWSPEC_VPN) => NextHop::Absent,
        (Afi::IPV6, _) => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]).into(),
        _ => IpAddr::from([192, 0, 2, 1]).into(),
    }
}

/// Returns the prefix of a value, as [`Destination::prefix`] defines it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "kinds that are added to the codec have no prefix until this function defines one"
)]
pub(crate) fn prefix_of(destination: &DestinationBuf) -> Option<IpNet> {
    match destination {
        DestinationBuf::Prefix(prefix) => Some(*prefix),
        DestinationBuf::Labeled(route) => Some(route.prefix),
        DestinationBuf::Vpn(route) => Some(route.prefix),
        DestinationBuf::FlowSpec(flow) => flow.components.iter().find_map(destination_prefix),
        DestinationBuf::Evpn(EvpnRoute::IpPrefix { prefix, .. }) => Some(*prefix),
        DestinationBuf::Evpn(EvpnRoute::MacIp { address, .. }) => address.map(IpNet::from),
        _ => None,
    }
}

/// Returns the prefix of a destination component of a flow specification.
fn destination_prefix<M>(component: &FlowSpecComponent<M>) -> Option<IpNet> {
    match component {
        // RFC 8956 section 3.1: with an offset the component matches any first bits, which no prefix expresses.
        FlowSpecComponent::Prefix {
            component_type: ComponentType::DESTINATION,
            prefix,
            offset: 0,
        } => Some(*prefix),
        FlowSpecComponent::Prefix { .. } | FlowSpecComponent::Matches(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Destinations of every served family and of every EVPN route type, with their prefixes.
    const TEXTS: [(Family, &str, Option<&str>); 20] = [
        (Family::IPV4_UNICAST, "192.0.2.1/32", Some("192.0.2.1/32")),
        (Family::IPV6_UNICAST, "2001:db8::/32", Some("2001:db8::/32")),
        (Family::IPV4_MULTICAST, "192.0.2.0/24", Some("192.0.2.0/24")),
        (Family::IPV6_MULTICAST, "::/0", Some("::/0")),
        (
            Family::IPV4_LABELED,
            "192.0.2.0/24 label 100",
            Some("192.0.2.0/24"),
        ),
        (
            Family::IPV6_LABELED,
            "2001:db8::/32 label 3",
            Some("2001:db8::/32"),
        ),
        (
            Family::IPV4_VPN,
            "192.0.2.0/24 rd 64512:1 label 100",
            Some("192.0.2.0/24"),
        ),
        (
            Family::IPV6_VPN,
            "2001:db8::/32 rd 64512:1 label 100",
            Some("2001:db8::/32"),
        ),
        (
            Family::IPV4_FLOWSPEC,
            "destination 192.0.2.0/24 protocol =udp",
            Some("192.0.2.0/24"),
        ),
        (
            Family::IPV4_FLOWSPEC,
            "source 192.0.2.0/24 protocol =udp",
            None,
        ),
        (
            Family::IPV6_FLOWSPEC,
            "destination 2001:db8::/32",
            Some("2001:db8::/32"),
        ),
        (Family::IPV6_FLOWSPEC, "destination ::1234:0:0/104/64", None),
        (
            Family::IPV4_FLOWSPEC_VPN,
            "rd 64512:1 destination 192.0.2.0/24",
            Some("192.0.2.0/24"),
        ),
        (Family::IPV6_FLOWSPEC_VPN, "rd 64512:1 protocol =udp", None),
        (
            Family::L2VPN_EVPN,
            "a-d rd 64512:1 esi 0 etag 0 label 100",
            None,
        ),
        (
            Family::L2VPN_EVPN,
            "macadv rd 64512:1 esi 0 etag 0 mac 00:00:5e:00:53:01 ip 192.0.2.1 label 100",
            Some("192.0.2.1/32"),
        ),
        (
            Family::L2VPN_EVPN,
            "multicast rd 64512:1 etag 0 ip 192.0.2.1",
            None,
        ),
        (
            Family::L2VPN_EVPN,
            "esi rd 64512:1 esi 0 ip 192.0.2.1",
            None,
        ),
        (
            Family::L2VPN_EVPN,
            "prefix rd 64512:1 esi 0 etag 0 prefix 192.0.2.0/24 gw 0.0.0.0 label 100",
            Some("192.0.2.0/24"),
        ),
        (Family::ROUTE_TARGET, "64512 target:64512:1", None),
    ];

    #[test]
    fn destination_of_every_served_family_round_trips() {
        for (family, text, prefix) in TEXTS {
            let destination = Destination::parse(family, text).unwrap();
            assert_eq!(
                (destination.to_string().as_str(), destination.family()),
                (text, family)
            );
            assert_eq!(
                destination.prefix(),
                prefix.map(|prefix| prefix.parse().unwrap()),
                "{text}"
            );
            let nlri = destination.to_nlri(Some(PathId(7)));
            assert_eq!((nlri.family, nlri.path_id), (family, Some(PathId(7))));
            assert_eq!(Destination::try_from(nlri), Ok(destination));
        }
        for &family in Family::PARSED {
            assert!(TEXTS.iter().any(|(known, ..)| *known == family), "{family}");
        }
    }

    #[test]
    fn destination_that_cannot_be_sent_is_rejected() {
        let other = "16388/71".parse().unwrap();
        let long = (0..3000)
            .map(|port| format!(" ={port}"))
            .collect::<String>();
        for (family, text, expected) in [
            (other, "0x00", "unsupported family bgp-ls bgp-ls"),
            (
                Family::IPV4_UNICAST,
                "2001:db8::/32",
                "invalid route of ipv4 unicast; example: 192.168.10.1/32",
            ),
            (
                Family::IPV4_UNICAST,
                "10.0.0.0/8 path-id 1",
                "invalid route of ipv4 unicast; example: 192.168.10.1/32",
            ),
            (
                Family::IPV4_LABELED,
                "10.0.0.0/8 label 1/2",
                "invalid route of ipv4 labeled-unicast: cannot encode: route of another family or malformed route",
            ),
            (
                Family::IPV4_FLOWSPEC,
                &format!("destination-port{long}"),
                "invalid route of ipv4 flowspec; example: destination 192.0.2.0/24 protocol =udp source-port =53",
            ),
        ] {
            let error = Destination::parse(family, text).unwrap_err();
            assert_eq!(error.to_string(), expected, "{text:.40}");
        }
        // The maximum length of a flow specification (RFC 8955 section 4.1) leaves no room for the rest of the message.
        let ports = (0..1350)
            .map(|port| format!(" ={}", 1000 + port))
            .collect::<String>();
        let error = Destination::parse(Family::IPV4_FLOWSPEC, &format!("port{ports}")).unwrap_err();
        assert!(error.to_string().contains("limit 4096"), "{error}");
    }

    #[test]
    fn prefix_with_host_bits_is_truncated() {
        let value = DestinationBuf::Prefix("192.0.2.7/24".parse().unwrap());
        for family in [Family::IPV4_UNICAST, Family::IPV4_MULTICAST] {
            let destination = Destination::new(family, &value).unwrap();
            assert_eq!(destination.to_string(), "192.0.2.0/24");
        }
        let prefix: IpNet = "2001:db8::1/32".parse().unwrap();
        assert_eq!(Destination::from(prefix).to_string(), "2001:db8::/32");
    }
}
