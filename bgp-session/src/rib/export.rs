//! `Export`: how a route changes on its way to one peer, but for its next hop (RFC 4271 section 5.1, RFC 8212, RFC 8326,
//! RFC 9234, RFC 9494).

use std::borrow::Cow;

use bgp_wire::{Asn, AttributeSet, Community, Context, Family, FamilySet, PeerKind, Role};

use super::next_hop::NextHops;
use super::route::Path;
use crate::config::{ExportPolicy, PeerConfig};
use crate::destination::is_unicast;
use crate::negotiate::Negotiated;

/// The changes that one peer needs made to every route.
#[derive(Debug)]
pub(super) struct Export {
    pub(super) context: Context,
    pub(super) enhanced_route_refresh: bool,
    pub(super) end_of_rib: bool,
    policy: ExportPolicy,
    pub(super) next_hops: NextHops,
    local_as: Asn,
    leaks: Option<Leaks>,
    /// The families in which the peer supports long-lived stale routes (RFC 9494).
    long_lived: FamilySet,
    draining: bool,
}

/// The measures against leaks towards this peer (RFC 9234 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leaks {
    /// Add OTC to routes without it.
    mark: bool,
    /// Do not send routes with OTC.
    hold: bool,
}

impl Export {
    pub(super) fn new(config: &PeerConfig, negotiated: &Negotiated) -> Self {
        let external = negotiated.peer_kind() == PeerKind::External;
        Self {
            context: negotiated.sends,
            enhanced_route_refresh: negotiated.enhanced_route_refresh,
            end_of_rib: negotiated.end_of_rib,
            policy: policy(config, external),
            next_hops: NextHops::new(config, negotiated),
            local_as: negotiated.local_as,
            leaks: config.role.filter(|_| external).map(Leaks::towards),
            long_lived: long_lived(negotiated),
            draining: false,
        }
    }

    /// Uses the policy and the next hops of another configuration. Returns the policy before, or `None` if nothing has
    /// changed.
    pub(super) fn change(
        &mut self,
        config: &PeerConfig,
        negotiated: &Negotiated,
    ) -> Option<ExportPolicy> {
        let new = Self::new(config, negotiated);
        let same = new.policy == self.policy && new.next_hops == self.next_hops;
        let draining = self.draining;
        let before = std::mem::replace(self, Self { draining, ..new });
        (!same).then_some(before.policy)
    }

    /// Asks the peer to prefer the routes of others (RFC 8326), or no longer. Returns `true` if that is a change.
    pub(super) fn set_draining(&mut self, draining: bool) -> bool {
        std::mem::replace(&mut self.draining, draining) != draining
    }

    pub(super) fn policy(&self) -> &ExportPolicy {
        &self.policy
    }

    /// Returns the attributes with which a route of this path is sent, or `None` if the peer may not have it.
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
        // RFC 9234 section 5: other families are left alone.
        let leaks = self.leaks.filter(|_| is_unicast(family));
        if leaks.is_some_and(|leaks| leaks.hold) && otc.is_some() {
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
        if leaks.is_some_and(|leaks| leaks.mark) && otc.is_none() {
            attributes.to_mut().only_to_customer = Some(self.local_as);
        }
        if self.draining {
            drain(attributes.to_mut());
        }
        // RFC 4271 section 5.1.2: (a) an internal peer is sent the path as it is, and would take our AS for a loop; (b) others
        // see us in front. No session is within a confederation yet.
        let times = match self.context.peer_kind() {
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

/// RFC 8212: an external peer is sent nothing without a policy.
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

/// RFC 8326 section 4.1: external peers act on the community, internal ones on LOCAL_PREF.
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
    /// The measures by our role towards the peer.
    fn towards(role: Role) -> Self {
        Self {
            mark: [Role::PROVIDER, Role::PEER, Role::ROUTE_SERVER].contains(&role),
            hold: [Role::CUSTOMER, Role::PEER, Role::ROUTE_SERVER_CLIENT].contains(&role),
        }
    }
}
