//! `Announcement`: the attributes that an owner sets, and `Attributes`: those that a route has in the end.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_wire::{AttributeSet, Context, NextHop, Nlri, Origin, PeerKind, encode_announcements};
use bytes::BytesMut;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::value::{AnyCommunity, Prefix, origin};

/// The attributes that an owner sets for a route. The pool's advertisement and the defaults supply the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Announcement {
    /// The next hop, in place of the speaker's own address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<IpAddr>,
    /// ORIGIN.
    #[serde(skip_serializing_if = "Option::is_none", with = "origin")]
    pub origin: Option<Origin>,
    /// LOCAL_PREF.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub med: Option<u32>,
    /// Communities, beside those of the pool's advertisement.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub communities: BTreeSet<AnyCommunity>,
}

/// The attributes of an announced route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// The next hop; `None` for the speaker's own address.
    pub next_hop: Option<IpAddr>,
    /// ORIGIN.
    pub origin: Origin,
    /// LOCAL_PREF, which only internal peers are sent.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// Communities and large communities.
    pub communities: BTreeSet<AnyCommunity>,
}

impl Attributes {
    /// Checks that a route with these attributes can be announced: that the next hop is usable for the family, and that the
    /// attributes fit into a message.
    ///
    /// # Errors
    ///
    /// Returns the reason as text.
    pub(super) fn check(&self, prefix: Prefix) -> Result<(), String> {
        let network = prefix.network();
        // Without a next hop of its own the route gets an address of this host.
        let example = match network {
            IpNet::V4(_) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            IpNet::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        };
        let next_hop = self.next_hop.unwrap_or(example);
        if next_hop.is_ipv4() != example.is_ipv4() {
            return Err(format!(
                "next hop {next_hop} and prefix {prefix} are of different families"
            ));
        }
        if next_hop.is_unspecified() || next_hop.is_multicast() || next_hop.is_loopback() {
            return Err(format!(
                "{next_hop} is no host's address and cannot be a next hop"
            ));
        }
        // Internal peers and four-octet AS numbers need the most room.
        let (context, mut octets) = (Context::new(PeerKind::Internal), BytesMut::new());
        let routes = [Nlri::new(network)];
        let next_hop = NextHop::Address(next_hop);
        encode_announcements(&context, &self.into(), next_hop, routes, &mut octets)
            .map(drop)
            .map_err(|error| format!("{prefix} cannot be announced: {error}"))
    }
}

impl From<&Attributes> for AttributeSet {
    /// Converts everything but the next hop.
    fn from(attributes: &Attributes) -> Self {
        let mut set = Self::new(attributes.origin);
        set.local_pref = attributes.local_pref;
        set.multi_exit_disc = attributes.med;
        for community in &attributes.communities {
            match community {
                AnyCommunity::Community(community) => set.communities.push(*community),
                AnyCommunity::Large(community) => set.large_communities.push(*community),
            }
        }
        set
    }
}
