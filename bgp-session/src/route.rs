//! `Route`: a destination with the attributes and the next hop that are announced for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_wire::{
    AnyNlriBuf, AttributeSet, Community, ExtendedCommunity, LargeCommunity, Origin, PathId,
    RawAttributeBuf,
};
use ipnet::IpNet;

use crate::destination::Destination;

/// A route to announce.
///
/// ```
/// use bgp_session::Route;
/// use bgp_wire::Origin;
/// let route = Route::new("192.168.10.1/32".parse()?).with_local_pref(0).with_origin(Origin::INCOMPLETE);
/// assert_eq!(route.attributes().local_pref, Some(0));
///
/// // Attributes are added one by one or set together.
/// let rich = Route::new("192.168.10.1/32".parse()?)
///     .with_multi_exit_disc(50)
///     .with_community("64512:100".parse()?)
///     .with_large_community("64512:1:2".parse()?)
///     .with_next_hop("192.168.0.112".parse()?);
/// let same = Route::to(rich.destination())
///     .with_attributes(rich.attributes().clone())
///     .with_next_hop(rich.next_hop().ok_or("a next hop")?);
/// assert_eq!(rich, same);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub(crate) destination: Destination,
    pub(crate) path_id: PathId,
    pub(crate) path: Path,
}

/// The attributes and next hops of a route. Routes with equal ones share them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub(crate) attributes: AttributeSet,
    pub(crate) next_hop_ipv4: Option<Ipv4Addr>,
    pub(crate) next_hop_ipv6: Option<Ipv6Addr>,
}

impl Route {
    /// Creates a unicast route of origin IGP with the speaker itself as next hop. Clears the host bits of the prefix.
    #[must_use]
    pub fn new(prefix: IpNet) -> Self {
        Self::to(prefix)
    }

    /// Creates a route of any family, of origin IGP with the speaker itself as next hop.
    ///
    /// ```
    /// use bgp_session::{Destination, Route};
    /// use bgp_wire::{ExtendedCommunity, Family};
    /// // A peer that applies this rule discards the traffic (RFC 8955 section 7.1).
    /// let attack = Destination::parse(Family::IPV4_FLOWSPEC, "destination 192.0.2.1/32 protocol =udp")?;
    /// let rule = Route::to(attack).with_extended_community(ExtendedCommunity::traffic_rate(64512, 0.0));
    /// assert_eq!(rule.destination().family(), Family::IPV4_FLOWSPEC);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to(destination: impl Into<Destination>) -> Self {
        // IGP is the most preferred origin (RFC 4271 section 9.1.2.2), and the usual one of an address that we serve.
        let attributes = AttributeSet::new(Origin::IGP);
        Self {
            destination: destination.into(),
            path_id: DEFAULT_PATH,
            path: Path {
                attributes,
                next_hop_ipv4: None,
                next_hop_ipv6: None,
            },
        }
    }

    /// Replaces all attributes. The next hop and the path identifier stay.
    #[must_use]
    pub fn with_attributes(mut self, attributes: AttributeSet) -> Self {
        self.path.attributes = attributes;
        self
    }

    /// Sets ORIGIN (RFC 4271 section 5.1.1).
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.path.attributes.origin = origin;
        self
    }

    /// Sets LOCAL_PREF, which only internal peers are sent (RFC 4271 section 5.1.5). A higher value is preferred.
    #[must_use]
    pub fn with_local_pref(mut self, preference: u32) -> Self {
        self.path.attributes.local_pref = Some(preference);
        self
    }

    /// Sets MULTI_EXIT_DISC (RFC 4271 section 5.1.4). A lower value is preferred.
    #[must_use]
    pub fn with_multi_exit_disc(mut self, discriminator: u32) -> Self {
        self.path.attributes.multi_exit_disc = Some(discriminator);
        self
    }

    /// Adds a community (RFC 1997).
    #[must_use]
    pub fn with_community(mut self, community: Community) -> Self {
        self.path.attributes.communities.push(community);
        self
    }

    /// Adds a large community (RFC 8092).
    #[must_use]
    pub fn with_large_community(mut self, community: LargeCommunity) -> Self {
        self.path.attributes.large_communities.push(community);
        self
    }

    /// Adds an extended community (RFC 4360), for example a route target or the action of a flow specification.
    #[must_use]
    pub fn with_extended_community(mut self, community: ExtendedCommunity) -> Self {
        self.path.attributes.extended_communities.push(community);
        self
    }

    /// Sets an attribute for which [`AttributeSet`] has no field, for example PMSI_TUNNEL. Replaces one with the same code.
    ///
    /// ```
    /// use bgp_session::{Destination, Route};
    /// use bgp_wire::{ExtendedCommunity, Family, PmsiTunnel, PmsiTunnelType, RawAttributeBuf};
    /// let flood = Destination::parse(Family::L2VPN_EVPN, "multicast rd 192.0.2.1:100 etag 0 ip 192.0.2.1")?;
    /// let tunnel = PmsiTunnel {
    ///     flags: 0,
    ///     tunnel_type: PmsiTunnelType::INGRESS_REPLICATION,
    ///     label: 100,
    ///     identifier: &[192, 0, 2, 1],
    /// };
    /// let route = Route::to(flood)
    ///     .with_extended_community(ExtendedCommunity::route_target(64512, 100))
    ///     .with_extended_community("encapsulation:vxlan".parse()?)
    ///     .with_attribute(RawAttributeBuf::pmsi_tunnel(tunnel));
    /// assert_eq!(route.attributes().unknown.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_attribute(mut self, attribute: RawAttributeBuf) -> Self {
        let attributes = &mut self.path.attributes.unknown;
        // RFC 4271 section 5: an attribute may occur once in a message.
        attributes.retain(|known| known.code != attribute.code);
        // RFC 4271 section 5: attributes should be sent in the order of their codes.
        let position = attributes.partition_point(|known| known.code < attribute.code);
        attributes.insert(position, attribute);
        self
    }

    /// Sets the path identifier (RFC 7911), which is 1 by default. It distinguishes several paths to one destination.
    ///
    /// A peer without ADD-PATH is sent the path with the lowest identifier.
    #[must_use]
    pub fn with_path_id(mut self, path_id: PathId) -> Self {
        self.path_id = path_id;
        self
    }

    /// Sets the next hop, which is the speaker's own address by default. A route may have one of each address family.
    ///
    /// - IPv4 routes use the IPv4 address, or the IPv6 address if the peer accepts it (RFC 8950). If it accepts neither, the
    ///   route is withheld.
    /// - IPv6 routes use the IPv6 address. With an IPv4 address alone the route is withheld.
    /// - Labelled and VPN routes of IPv6 also use the IPv4 address, in IPv4-mapped form (RFC 4659 section 3.2.1.2).
    /// - EVPN routes and route targets use either address.
    /// - Flow specifications have no next hop.
    #[must_use]
    pub fn with_next_hop(mut self, address: IpAddr) -> Self {
        // Both are kept: which one is sent depends on the family and on the peer.
        match address {
            IpAddr::V4(address) => self.path.next_hop_ipv4 = Some(address),
            IpAddr::V6(address) => self.path.next_hop_ipv6 = Some(address),
        }
        self
    }

    /// Returns the destination.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Returns the prefix of the destination, or `None` if it has no prefix (see [`Destination::prefix`]).
    #[must_use]
    pub fn prefix(&self) -> Option<IpNet> {
        self.destination.prefix()
    }

    /// Returns the destination with the path identifier. Together they identify the route.
    #[must_use]
    pub fn nlri(&self) -> AnyNlriBuf {
        self.destination.to_nlri(Some(self.path_id))
    }

    /// Returns the attributes.
    #[must_use]
    pub fn attributes(&self) -> &AttributeSet {
        &self.path.attributes
    }

    /// Returns the next hop that was set, or `None` if it is the speaker's own address. If the route has one of each address
    /// family, returns the IPv4 one.
    #[must_use]
    pub fn next_hop(&self) -> Option<IpAddr> {
        self.path
            .next_hop_ipv4
            .map(IpAddr::V4)
            .or_else(|| self.path.next_hop_ipv6.map(IpAddr::V6))
    }
}

/// The default path identifier.
// A log skips the search for best paths while every path has this identifier.
pub(crate) const DEFAULT_PATH: PathId = PathId(1);
