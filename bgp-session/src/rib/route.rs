//! `Route`: a destination and what is announced of it.

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
/// let route = Route::new("192.168.10.1/32".parse()?).local_pref(0).origin(Origin::INCOMPLETE);
/// assert_eq!(route.attributes().local_pref, Some(0));
///
/// // Everything that it may carry, or all at once.
/// let rich = Route::new("192.168.10.1/32".parse()?)
///     .multi_exit_disc(50)
///     .community("64512:100".parse()?)
///     .large_community("64512:1:2".parse()?)
///     .next_hop("192.168.0.112".parse()?);
/// let same = Route::to(rich.destination())
///     .with_attributes(rich.attributes().clone())
///     .next_hop(rich.explicit_next_hop().ok_or("a next hop")?);
/// assert_eq!(rich, same);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub(super) destination: Destination,
    pub(super) path_id: PathId,
    pub(super) path: Path,
}

/// The attributes and next hops of a route; shared by all routes that have the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub(crate) attributes: AttributeSet,
    pub(crate) next_hop_ipv4: Option<Ipv4Addr>,
    pub(crate) next_hop_ipv6: Option<Ipv6Addr>,
}

impl Route {
    /// A unicast route of origin IGP with the speaker itself as next hop. Host bits of the prefix are cleared.
    #[must_use]
    pub fn new(prefix: IpNet) -> Self {
        Self::to(prefix)
    }

    /// A route of any family, of origin IGP with the speaker itself as next hop.
    ///
    /// ```
    /// use bgp_session::{Destination, Route};
    /// use bgp_wire::{ExtendedCommunity, Family};
    /// // A peer that is sent this rule discards the traffic (RFC 8955 section 7.1).
    /// let attack = Destination::parse(Family::IPV4_FLOWSPEC, "destination 192.0.2.1/32 protocol =udp")?;
    /// let rule = Route::to(attack).with_extended_community(ExtendedCommunity::traffic_rate(64512, 0.0));
    /// assert_eq!(rule.destination().family(), Family::IPV4_FLOWSPEC);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to(destination: impl Into<Destination>) -> Self {
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

    /// The same route with these attributes.
    #[must_use]
    pub fn with_attributes(mut self, attributes: AttributeSet) -> Self {
        self.path.attributes = attributes;
        self
    }

    /// ORIGIN.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.path.attributes.origin = origin;
        self
    }

    /// LOCAL_PREF, for internal peers.
    #[must_use]
    pub fn local_pref(mut self, preference: u32) -> Self {
        self.path.attributes.local_pref = Some(preference);
        self
    }

    /// MULTI_EXIT_DISC.
    #[must_use]
    pub fn multi_exit_disc(mut self, discriminator: u32) -> Self {
        self.path.attributes.multi_exit_disc = Some(discriminator);
        self
    }

    /// One more community.
    #[must_use]
    pub fn community(mut self, community: Community) -> Self {
        self.path.attributes.communities.push(community);
        self
    }

    /// One more large community.
    #[must_use]
    pub fn large_community(mut self, community: LargeCommunity) -> Self {
        self.path.attributes.large_communities.push(community);
        self
    }

    /// One more extended community: a route target, an encapsulation, the action of a flow specification.
    #[must_use]
    pub fn with_extended_community(mut self, community: ExtendedCommunity) -> Self {
        self.path.attributes.extended_communities.push(community);
        self
    }

    /// An attribute that [`AttributeSet`] has no field for, like PMSI_TUNNEL, in place of one with the same code.
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
        attributes.retain(|known| known.code != attribute.code);
        // RFC 4271 section 5: attributes are sent in the order of their codes.
        let place = attributes.partition_point(|known| known.code < attribute.code);
        attributes.insert(place, attribute);
        self
    }

    /// The identifier among several paths to the destination (RFC 7911); 1 unless given. A peer without ADD-PATH is sent the
    /// path with the lowest identifier.
    #[must_use]
    pub fn path_id(mut self, path_id: PathId) -> Self {
        self.path_id = path_id;
        self
    }

    /// The next hop, in place of the speaker's own address. One of each family may be given.
    ///
    /// IPv4 routes use the IPv4 address, or the IPv6 address towards peers that take it (RFC 8950), IPv6 routes the IPv6
    /// address. Labelled and VPN routes of IPv6 also use the IPv4 address, as an IPv4-mapped one (RFC 4659 section 3.2.1.2).
    /// EVPN routes and route targets use either, flow specifications none.
    #[must_use]
    pub fn next_hop(mut self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.path.next_hop_ipv4 = Some(address),
            IpAddr::V6(address) => self.path.next_hop_ipv6 = Some(address),
        }
        self
    }

    /// The destination.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The prefix of the destination, if it has one (see [`Destination::prefix`]).
    #[must_use]
    pub fn prefix(&self) -> Option<IpNet> {
        self.destination.prefix()
    }

    /// The destination and its path identifier, which together name the route.
    #[must_use]
    pub fn nlri(&self) -> AnyNlriBuf {
        self.destination.to_nlri(Some(self.path_id))
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &AttributeSet {
        &self.path.attributes
    }

    /// The next hop that was given, the IPv4 one first.
    #[must_use]
    pub fn explicit_next_hop(&self) -> Option<IpAddr> {
        let ipv4 = self.path.next_hop_ipv4.map(Into::into);
        ipv4.or_else(|| self.path.next_hop_ipv6.map(Into::into))
    }
}

/// The identifier of a path that was given none.
pub(crate) const DEFAULT_PATH: PathId = PathId(1);
