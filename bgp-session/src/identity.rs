//! The identity of a route within its family: a route replaces an earlier one with the same identity.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use bgp_wire::{
    AnyNlriBuf, DestinationBuf, EthernetSegmentIdentifier, EvpnRoute, MacAddress, PathId,
    RouteDistinguisher,
};
use ipnet::IpNet;

/// The fields of an NLRI that identify the route, without labels and other attributes of the route.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Identity<'a> {
    // RFC 8277 section 2.4: a withdrawal contains no valid label, so that the label cannot identify the route.
    Labeled(IpNet),
    // RFC 4364 section 4.3.4: the NLRI is encoded as in RFC 8277, with the distinguisher as part of the prefix.
    Vpn(RouteDistinguisher, IpNet),
    // RFC 7432 section 7.1: the label is not part of the key.
    AutoDiscovery(RouteDistinguisher, EthernetSegmentIdentifier, u32),
    // RFC 7432 section 7.2: the segment and the labels are attributes of the route.
    MacIp(RouteDistinguisher, u32, MacAddress, Option<IpAddr>),
    // RFC 9136 section 3.1: the segment, the gateway and the label are attributes of the route.
    IpPrefix(RouteDistinguisher, u32, IpNet),
    /// The whole value, for every other kind.
    Whole(&'a DestinationBuf),
}

impl<'a> From<&'a DestinationBuf> for Identity<'a> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the whole value identifies every other route, also of kinds that are added to the codec"
    )]
    fn from(destination: &'a DestinationBuf) -> Self {
        match destination {
            DestinationBuf::Labeled(route) => Self::Labeled(route.prefix),
            DestinationBuf::Vpn(route) => Self::Vpn(route.distinguisher, route.prefix),
            DestinationBuf::Evpn(EvpnRoute::AutoDiscovery {
                distinguisher,
                segment,
                tag,
                ..
            }) => Self::AutoDiscovery(*distinguisher, *segment, *tag),
            DestinationBuf::Evpn(EvpnRoute::MacIp {
                distinguisher,
                tag,
                mac,
                address,
                ..
            }) => Self::MacIp(*distinguisher, *tag, *mac, *address),
            DestinationBuf::Evpn(EvpnRoute::IpPrefix {
                distinguisher,
                tag,
                prefix,
                ..
            }) => Self::IpPrefix(*distinguisher, *tag, *prefix),
            _ => Self::Whole(destination),
        }
    }
}

/// An NLRI that is compared by the identity of its route and the path identifier. All keys of a collection have one family.
#[derive(Clone, Debug)]
pub(crate) struct NlriKey<N>(pub(crate) N);

impl<N: Borrow<AnyNlriBuf>> NlriKey<N> {
    /// Returns the values that are compared.
    // All comparisons and the hash use it, so that they agree with each other.
    fn parts(&self) -> (Identity<'_>, Option<PathId>) {
        let nlri = self.0.borrow();
        (Identity::from(&nlri.destination), nlri.path_id)
    }
}

impl<N: Borrow<AnyNlriBuf>> PartialEq for NlriKey<N> {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl<N: Borrow<AnyNlriBuf>> Eq for NlriKey<N> {}

impl<N: Borrow<AnyNlriBuf>> PartialOrd for NlriKey<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<N: Borrow<AnyNlriBuf>> Ord for NlriKey<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl<N: Borrow<AnyNlriBuf>> Hash for NlriKey<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use bgp_wire::Family;

    use super::*;

    /// Two routes of a family, and `true` if they have the same identity.
    const PAIRS: [(Family, &str, &str, bool); 10] = [
        (
            Family::IPV4_LABELED,
            "10.0.0.0/8 label 1",
            "10.0.0.0/8 label 2",
            true,
        ),
        (
            Family::IPV4_LABELED,
            "10.0.0.0/8 label 1",
            "10.0.0.0/9 label 1",
            false,
        ),
        (
            Family::IPV6_VPN,
            "2001:db8::/32 rd 1:1 label 1",
            "2001:db8::/32 rd 1:1 label 2",
            true,
        ),
        (
            Family::IPV6_VPN,
            "2001:db8::/32 rd 1:1 label 1",
            "2001:db8::/32 rd 1:2 label 1",
            false,
        ),
        (
            Family::IPV4_FLOWSPEC,
            "protocol =udp",
            "protocol =tcp",
            false,
        ),
        (
            Family::L2VPN_EVPN,
            "macadv rd 1:1 esi 0 etag 0 mac 00:00:5e:00:53:01 ip 192.0.2.1 label 100",
            "macadv rd 1:1 esi 00:01:02:03:04:05:06:07:08:09 etag 0 mac 00:00:5e:00:53:01 ip 192.0.2.1 label 7",
            true,
        ),
        (
            Family::L2VPN_EVPN,
            "macadv rd 1:1 esi 0 etag 0 mac 00:00:5e:00:53:01 ip 192.0.2.1 label 100",
            "macadv rd 1:1 esi 0 etag 0 mac 00:00:5e:00:53:01 ip 192.0.2.2 label 100",
            false,
        ),
        (
            Family::L2VPN_EVPN,
            "multicast rd 1:1 etag 0 ip 192.0.2.1",
            "multicast rd 1:1 etag 1 ip 192.0.2.1",
            false,
        ),
        (
            Family::ROUTE_TARGET,
            "64512 target:64512:1",
            "64512 target:64512:2",
            false,
        ),
        (
            Family::IPV4_VPN,
            "10.0.0.0/8 rd 1:1 label 1 path-id 1",
            "10.0.0.0/8 rd 1:1 label 1 path-id 2",
            false,
        ),
    ];

    #[test]
    fn identity_ignores_labels_and_attributes() {
        for (family, one, other, same) in PAIRS {
            // Maps use the order, and windows the equality: both must agree.
            let key = |text| NlriKey(AnyNlriBuf::parse(family, text).unwrap());
            assert_eq!(key(one) == key(other), same, "{one}, {other}");
            assert_eq!(key(one).cmp(&key(other)).is_eq(), same, "{one}, {other}");
        }
    }
}
