//! `Route`: a prefix and what is announced of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_wire::{AttributeSet, Community, LargeCommunity, Nlri, Origin, PathId};
use ipnet::IpNet;

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
/// let same = Route::new(rich.prefix())
///     .with_attributes(rich.attributes().clone())
///     .next_hop(rich.explicit_next_hop().ok_or("a next hop")?);
/// assert_eq!(rich, same);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub(super) prefix: IpNet,
    pub(super) path_id: PathId,
    pub(super) path: Path,
}

/// What a route carries besides its prefix; shared by all routes that carry the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub(crate) attributes: AttributeSet,
    pub(crate) next_hop_ipv4: Option<Ipv4Addr>,
    pub(crate) next_hop_ipv6: Option<Ipv6Addr>,
}

impl Route {
    /// A route of origin IGP with the speaker itself as next hop. Host bits of the prefix are cleared.
    #[must_use]
    pub fn new(prefix: IpNet) -> Self {
        let attributes = AttributeSet::new(Origin::IGP);
        Self {
            prefix: prefix.trunc(),
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

    /// Which of several paths to its prefix this is (RFC 7911); 1 unless given. A peer without ADD-PATH is sent the path with
    /// the lowest identifier.
    #[must_use]
    pub fn path_id(mut self, path_id: PathId) -> Self {
        self.path_id = path_id;
        self
    }

    /// The next hop, in place of the speaker's own address. Its family must be the prefix's, or IPv6 for IPv4 routes to peers
    /// that take it (RFC 8950), to be of use. One of each family may be given.
    #[must_use]
    pub fn next_hop(mut self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.path.next_hop_ipv4 = Some(address),
            IpAddr::V6(address) => self.path.next_hop_ipv6 = Some(address),
        }
        self
    }

    /// The prefix.
    #[must_use]
    pub fn prefix(&self) -> IpNet {
        self.prefix
    }

    /// The prefix and which of its paths this is: what the table tells routes apart by.
    #[must_use]
    pub fn nlri(&self) -> Nlri {
        Nlri {
            path_id: Some(self.path_id),
            prefix: self.prefix,
        }
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &AttributeSet {
        &self.path.attributes
    }

    /// The next hop that was given.
    #[must_use]
    pub fn explicit_next_hop(&self) -> Option<IpAddr> {
        let ipv4 = self.path.next_hop_ipv4.map(Into::into);
        ipv4.or_else(|| self.path.next_hop_ipv6.map(Into::into))
    }
}

/// The identifier of a path that was given none.
pub(crate) const DEFAULT_PATH: PathId = PathId(1);
