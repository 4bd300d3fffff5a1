//! `Export`: the decision whether one peer is sent a route, and with which attributes (RFC 4271 section 5.1, RFC 8212, RFC 8326,
//! RFC 9234, RFC 9494).

use std::borrow::Cow;

use bgp_wire::{Asn, AttributeSet, Community, Context, Family, FamilySet, NextHop, PeerKind, Role};
use ipnet::IpNet;

use super::next_hop::NextHops;
use crate::config::{ExportFilter, ExportPolicy, PeerConfig};
use crate::destination::is_unicast;
use crate::negotiate::Negotiated;
use crate::route::{Path, Route};
use crate::withheld::WithheldReason;

/// The decision about every route that one peer may be sent, and the changes to it.
#[derive(Debug)]
pub(super) struct Export {
    pub(super) context: Context,
    pub(super) enhanced_route_refresh: bool,
    pub(super) end_of_rib: bool,
    policy: ExportPolicy,
    /// The reason why no route at all is sent.
    denied: Option<WithheldReason>,
    filter: Option<ExportFilter>,
    next_hops: NextHops,
    /// The addresses of the interface of the session, if they are known.
    interface: Vec<IpNet>,
    local_as: Asn,
    leaks: Option<LeakPrevention>,
    /// The families in which the peer supports long-lived stale routes (RFC 9494).
    long_lived: FamilySet,
    draining: bool,
}

/// The measures against route leaks towards one peer (RFC 9234 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LeakPrevention {
    /// `true` to add OTC to routes without it.
    mark: bool,
    /// `true` to withhold routes with OTC.
    withhold: bool,
}

impl Export {
    pub(super) fn new(config: &PeerConfig, negotiated: &Negotiated) -> Self {
        Self::with_interface(config, negotiated, Vec::new())
    }

    fn with_interface(config: &PeerConfig, negotiated: &Negotiated, interface: Vec<IpNet>) -> Self {
        let external = negotiated.peer_kind() == PeerKind::External;
        let (policy, denied) = policy(config, external);
        Self {
            context: negotiated.sends,
            enhanced_route_refresh: negotiated.enhanced_route_refresh,
            end_of_rib: negotiated.end_of_rib,
            policy,
            denied,
            filter: config.export_filter.clone(),
            next_hops: NextHops::new(config, negotiated, &interface),
            interface,
            local_as: negotiated.local_as,
            // RFC 9234 section 3: a role describes the relationship of eBGP speakers.
            leaks: config
                .role
                .filter(|_| external)
                .map(LeakPrevention::for_role),
            long_lived: negotiated.peer_long_lived,
            draining: false,
        }
    }

    /// Uses the policy, the filter and the next hops of another configuration. Returns the previous policy, or `None` if none of
    /// them changes.
    pub(super) fn change(
        &mut self,
        config: &PeerConfig,
        negotiated: &Negotiated,
    ) -> Option<ExportPolicy> {
        let interface = std::mem::take(&mut self.interface);
        let new = Self::with_interface(config, negotiated, interface);
        // An equal policy must not send the whole table again.
        let same = new.policy == self.policy
            && new.filter == self.filter
            && new.next_hops == self.next_hops;
        let draining = self.draining;
        let before = std::mem::replace(self, Self { draining, ..new });
        (!same).then_some(before.policy)
    }

    /// Starts or stops asking the peer to prefer other speakers' routes (RFC 8326). Returns `true` if that is a change.
    pub(super) fn set_draining(&mut self, draining: bool) -> bool {
        std::mem::replace(&mut self.draining, draining) != draining
    }

    /// Uses the addresses of the session's interface as next hops of the other address family. Returns `true` if a next hop
    /// changes.
    pub(super) fn set_interface(
        &mut self,
        config: &PeerConfig,
        negotiated: &Negotiated,
        addresses: &[IpNet],
    ) -> bool {
        self.interface = addresses.to_vec();
        let next_hops = NextHops::new(config, negotiated, addresses);
        std::mem::replace(&mut self.next_hops, next_hops) != next_hops
    }

    /// Returns `true` if routes of a negotiated family have a next hop only if the interface of the session has an address of
    /// the other address family.
    pub(super) fn needs_interface(&self) -> bool {
        self.next_hops.needs_interface(self.context.families())
    }

    /// Returns the reason why no route at all is sent, or `None` if the routes differ.
    pub(super) fn denied(&self) -> Option<WithheldReason> {
        self.denied
    }

    /// Returns the policy, which permits routes by their destination.
    pub(super) fn policy(&self) -> &ExportPolicy {
        &self.policy
    }

    /// Returns `true` if each route is to be filtered by itself.
    pub(super) fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// Returns the path of a route after the filter, or `None` if the filter withholds the route.
    pub(super) fn filter(&self, route: Route) -> Option<Path> {
        match &self.filter {
            Some(filter) => filter.apply(route).map(|route| route.path),
            None => Some(route.path),
        }
    }

    /// Returns the attributes and the next hop that a permitted route with this path is sent with, or the reason why the peer
    /// is not sent it.
    pub(super) fn route<'a>(
        &self,
        family: Family,
        path: &'a Path,
    ) -> Result<(Cow<'a, AttributeSet>, NextHop), WithheldReason> {
        let attributes = self.attributes(family, path)?;
        let next_hop = self.next_hops.of(family, path)?;
        Ok((attributes, next_hop))
    }

    /// Returns the attributes that a route with this path is sent with.
    fn attributes<'a>(
        &self,
        family: Family,
        path: &'a Path,
    ) -> Result<Cow<'a, AttributeSet>, WithheldReason> {
        let policy = &self.policy;
        // RFC 9494 section 4.3: peers that do not support long-lived stale routes would not prefer other routes to this one.
        let last_resort = path.attributes.communities.contains(&Community::LLGR_STALE);
        if last_resort && !self.long_lived.contains(family) {
            return Err(WithheldReason::LongLivedStale);
        }
        let otc = path.attributes.only_to_customer;
        // RFC 9234 section 5: OTC is defined only for IPv4 and IPv6 unicast.
        let leaks = self.leaks.filter(|_| is_unicast(family));
        if leaks.is_some_and(|leaks| leaks.withhold) && otc.is_some() {
            return Err(WithheldReason::RouteLeak);
        }
        // Internal peers without a policy get the attributes unchanged, which a borrowed value does not copy.
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
        if leaks.is_some_and(|leaks| leaks.mark) && otc.is_none() {
            attributes.to_mut().only_to_customer = Some(self.local_as);
        }
        if self.draining {
            drain(attributes.to_mut());
        }
        // RFC 4271 section 5.1.2: (a) AS_PATH is not modified towards an internal peer, which would take our AS number for a
        // loop; (b) our AS number is prepended towards an external peer. No session is within a confederation yet.
        let times = match self.context.peer_kind() {
            PeerKind::Internal => 0,
            PeerKind::External | PeerKind::Confederation => policy.prepend.saturating_add(1),
        };
        if times > 0 {
            let attributes = attributes.to_mut();
            let as_path = std::mem::take(&mut attributes.as_path);
            attributes.as_path = as_path.prepend(self.local_as, times.into());
        }
        Ok(attributes)
    }
}

/// Returns the policy of a peer, and the reason if it permits no route. The policy is the configured one or else the default
/// for the kind of peer.
fn policy(config: &PeerConfig, external: bool) -> (ExportPolicy, Option<WithheldReason>) {
    match &config.export {
        Some(policy) => {
            let denied = policy.denies_all().then_some(WithheldReason::Denied);
            (policy.clone(), denied)
        }
        // RFC 8212: without a policy no routes are sent to an external peer. A filter is a policy.
        None if external && config.export_filter.is_none() => {
            (ExportPolicy::only([]), Some(WithheldReason::NoPolicy))
        }
        None => (ExportPolicy::all(), None),
    }
}

/// Makes a route the least preferred one.
fn drain(attributes: &mut AttributeSet) {
    // RFC 8326 section 4.1: external peers lower their preference because of the community. Internal peers are sent
    // LOCAL_PREF, which the encoder leaves out towards external ones (RFC 4271 section 5.1.5).
    if !attributes
        .communities
        .contains(&Community::GRACEFUL_SHUTDOWN)
    {
        attributes.communities.push(Community::GRACEFUL_SHUTDOWN);
    }
    attributes.local_pref = Some(0);
}

impl LeakPrevention {
    /// Returns the measures for our role towards the peer.
    fn for_role(role: Role) -> Self {
        // RFC 9234 section 5, egress: the peer's role is the counterpart of ours, so that a provider sends to a customer.
        Self {
            mark: [Role::PROVIDER, Role::PEER, Role::ROUTE_SERVER].contains(&role),
            withhold: [Role::CUSTOMER, Role::PEER, Role::ROUTE_SERVER_CLIENT].contains(&role),
        }
    }
}
