//! What one peer needs done to every route: filters, attributes, next hops (RFC 4271 section 5.1, RFC 8212, RFC 8326,
//! RFC 8950, RFC 9234, RFC 9494).

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_wire::{
    AttributeSet, Community, Context, Family, FamilySet, NextHop, PeerKind, Role, UnicastPrefix,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Rib;
use super::intern::Interner;
use super::log::{Log, LogKey};
use super::route::Path;
use crate::config::{ExportPolicy, PeerConfig};
use crate::negotiate::Negotiated;

/// What a peer needs done to every route.
#[derive(Debug)]
pub(super) struct Export {
    pub(super) context: Context,
    pub(super) enhanced_route_refresh: bool,
    pub(super) end_of_rib: bool,
    policy: ExportPolicy,
    local_as: bgp_wire::Asn,
    next_hop_ipv4: Option<Ipv4Addr>,
    next_hop_ipv6: Option<Ipv6Addr>,
    leaks: Leaks,
    /// The families in which the peer knows what to make of a route that is a last resort (RFC 9494).
    long_lived: FamilySet,
    draining: bool,
}

/// What RFC 9234 section 5 asks for towards this peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leaks {
    /// Routes without OTC get it.
    mark: bool,
    /// Routes with OTC are not for this peer.
    hold: bool,
}

impl Export {
    pub(super) fn new(config: &PeerConfig, negotiated: &Negotiated) -> Self {
        let (local_ipv4, local_ipv6) = match negotiated.local_address {
            IpAddr::V4(address) => (Some(address), None),
            IpAddr::V6(address) => (None, Some(address)),
        };
        let external = negotiated.peer_kind() == PeerKind::External;
        Self {
            context: negotiated.sends,
            enhanced_route_refresh: negotiated.enhanced_route_refresh,
            end_of_rib: negotiated.end_of_rib,
            policy: policy(config, external),
            local_as: negotiated.local_as,
            next_hop_ipv4: config.next_hop_ipv4.or(local_ipv4),
            next_hop_ipv6: config.next_hop_ipv6.or(local_ipv6),
            leaks: Leaks::towards(config.role.filter(|_| external)),
            long_lived: long_lived(negotiated),
            draining: false,
        }
    }

    /// Puts the policy and the next hops of another configuration in place of the present ones; the policy that was, if
    /// anything has changed.
    pub(super) fn change(
        &mut self,
        config: &PeerConfig,
        negotiated: &Negotiated,
    ) -> Option<ExportPolicy> {
        let new = Self::new(config, negotiated);
        let same = new.policy == self.policy
            && new.next_hop_ipv4 == self.next_hop_ipv4
            && new.next_hop_ipv6 == self.next_hop_ipv6;
        let draining = self.draining;
        let before = std::mem::replace(self, Self { draining, ..new });
        (!same).then_some(before.policy)
    }

    /// Whether routes are to be given up by whoever has others (RFC 8326); whether that is new.
    pub(super) fn set_draining(&mut self, draining: bool) -> bool {
        std::mem::replace(&mut self.draining, draining) != draining
    }

    /// Whether every route is sent, whatever its prefix.
    pub(super) fn allows_all(&self) -> bool {
        self.policy.allows_all()
    }

    /// Whether routes to this prefix are sent.
    pub(super) fn allows(&self, prefix: IpNet) -> bool {
        self.policy.allows(prefix)
    }

    /// The attributes with which a route of this path is sent; `None` if it is not for this peer.
    pub(super) fn attributes<'a>(
        &self,
        family: Family,
        path: &'a Path,
    ) -> Option<Cow<'a, AttributeSet>> {
        let policy = &self.policy;
        // RFC 9494 section 4.3.
        let last_resort = path.attributes.communities.contains(&Community::LLGR_STALE);
        if last_resort && !self.long_lived.contains(family) {
            return None;
        }
        let otc = path.attributes.only_to_customer;
        if self.leaks.hold && otc.is_some() {
            return None;
        }
        let mut attributes = Cow::Borrowed(&path.attributes);
        if !policy.communities.is_empty() {
            let communities = &mut attributes.to_mut().communities;
            communities.extend(&policy.communities);
        }
        if !policy.large_communities.is_empty() {
            let communities = &mut attributes.to_mut().large_communities;
            communities.extend(&policy.large_communities);
        }
        if policy.multi_exit_disc.is_some() {
            attributes.to_mut().multi_exit_disc = policy.multi_exit_disc;
        }
        if policy.local_pref.is_some() {
            attributes.to_mut().local_pref = policy.local_pref;
        }
        if self.leaks.mark && otc.is_none() {
            attributes.to_mut().only_to_customer = Some(self.local_as);
        }
        if self.draining {
            drain(attributes.to_mut());
        }
        // RFC 4271 section 5.1.2: (a) an internal peer is sent the path as it is, and would take our AS for a loop; (b) others
        // see us in front. No session is within a confederation yet.
        let times = match self.context.peer() {
            PeerKind::Internal => 0,
            PeerKind::External | PeerKind::Confederation => policy.prepend.saturating_add(1),
        };
        if times > 0 {
            let attributes = attributes.to_mut();
            let as_path = std::mem::take(&mut attributes.as_path);
            attributes.as_path = as_path.prepend(self.local_as, times.into());
        }
        Some(attributes)
    }
}

fn long_lived(negotiated: &Negotiated) -> FamilySet {
    let restart = negotiated.restart.as_ref();
    let families = restart.into_iter().flat_map(|restart| &restart.long_lived);
    families.map(|(family, _)| *family).collect()
}

/// RFC 8212: what an external peer is sent has to be said.
fn policy(config: &PeerConfig, external: bool) -> ExportPolicy {
    let default = || {
        if external {
            ExportPolicy::only([])
        } else {
            ExportPolicy::all()
        }
    };
    config.export.clone().unwrap_or_else(default)
}

/// RFC 8326 section 4.1: external peers know the community, internal ones look at LOCAL_PREF.
fn drain(attributes: &mut AttributeSet) {
    if !attributes
        .communities
        .contains(&Community::GRACEFUL_SHUTDOWN)
    {
        attributes.communities.push(Community::GRACEFUL_SHUTDOWN);
    }
    attributes.local_pref = Some(0);
}

impl Leaks {
    /// By what we are to the peer.
    fn towards(role: Option<Role>) -> Self {
        let is = |roles: &[Role]| role.is_some_and(|role| roles.contains(&role));
        Self {
            mark: is(&[Role::PROVIDER, Role::PEER, Role::ROUTE_SERVER]),
            hold: is(&[Role::CUSTOMER, Role::PEER, Role::ROUTE_SERVER_CLIENT]),
        }
    }
}

/// A family that can be announced.
pub(super) trait Exported: UnicastPrefix + LogKey {
    const FAMILY: Family;

    /// Returns the log of the family, and the paths that it names.
    fn log(rib: &mut Rib) -> (&mut Log<Self>, &Interner);

    /// The next hop of the policy, the route's own, the peer's, or the speaker's address: the first that there is.
    fn next_hop(path: &Path, export: &Export) -> Option<NextHop>;
}

impl Exported for Ipv4Net {
    const FAMILY: Family = Family::IPV4_UNICAST;

    fn log(rib: &mut Rib) -> (&mut Log<Self>, &Interner) {
        (&mut rib.ipv4, &rib.paths)
    }

    fn next_hop(path: &Path, export: &Export) -> Option<NextHop> {
        let own = export.policy.next_hop_ipv4.or(path.next_hop_ipv4);
        let extended = export
            .context
            .extended_next_hop_set()
            .contains(Self::FAMILY);
        // RFC 8950: an IPv6 address where there is no IPv4 one.
        let own_ipv6 = export.policy.next_hop_ipv6.or(path.next_hop_ipv6);
        let ours = || match own_ipv6 {
            Some(address) if extended => Some(address.into()),
            _ => export.next_hop_ipv4.map(IpAddr::from),
        };
        let last = || export.next_hop_ipv6.filter(|_| extended).map(IpAddr::from);
        let address = own.map(IpAddr::from).or_else(ours).or_else(last);
        address.map(NextHop::Address)
    }
}

impl Exported for Ipv6Net {
    const FAMILY: Family = Family::IPV6_UNICAST;

    fn log(rib: &mut Rib) -> (&mut Log<Self>, &Interner) {
        (&mut rib.ipv6, &rib.paths)
    }

    fn next_hop(path: &Path, export: &Export) -> Option<NextHop> {
        let own = export.policy.next_hop_ipv6.or(path.next_hop_ipv6);
        let address = own.or(export.next_hop_ipv6);
        address.map(|address| NextHop::Address(address.into()))
    }
}
