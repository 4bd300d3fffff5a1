//! `AdjRibIn`: the routes that one peer has announced, for applications that store routes (RFC 4271 section 3.2).
//!
//! The table retains stale routes while the peer restarts (RFC 4724 section 4.2, RFC 9494). It does not choose among routes:
//! that is the application's decision.

mod pool;
mod replacements;
mod store;
mod unicast;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bgp_wire::{
    AnyNlriBuf, Asn, AttributeSet, Checked, Family, FamilySet, NextHop, Nlri, Role, UpdateBuf,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::destination::is_unicast;
use crate::negotiate::Negotiated;
use crate::output::{ReceivedUpdate, SessionEvent};
use crate::routes::{has_others, other_withdrawn};
use pool::Pool;
use replacements::{Replacements, mark_long_lived};
use store::{Held, OtherStore, SharedRoute, Store};
use unicast::UnicastStore;

/// The routes of every negotiated family that one peer has announced.
///
/// The table follows the events of the peer's session. Pass it all events in their order.
///
/// ```
/// use bgp_session::{AdjRibIn, RouteChange, SessionEvent};
///
/// fn print(table: &mut AdjRibIn, event: &SessionEvent) {
///     table.apply(event, |change| match change {
///         RouteChange::Announced(nlri, route) => println!("{nlri} via {}", route.next_hop),
///         RouteChange::Withdrawn(nlri) => println!("{nlri} withdrawn"),
///         _ => {}
///     });
/// }
///
/// /// Prints the peer's routes to this address, and the number of its routes.
/// fn trace(table: &AdjRibIn, address: std::net::IpAddr) {
///     for (nlri, route) in table.lookup(address) {
///         println!("{nlri} via {}", route.next_hop);
///     }
///     for (family, count) in table.counts() {
///         println!("{count} routes of {family}");
///     }
/// }
/// ```
#[derive(Debug, Default)]
pub struct AdjRibIn {
    ipv4: UnicastStore<Ipv4Net>,
    ipv6: UnicastStore<Ipv6Net>,
    others: BTreeMap<Family, OtherStore>,
    // A peer may send the same attributes with every route, and two routes of one message may differ in nothing else.
    attributes: Pool<AttributeSet>,
    shared: Pool<SharedRoute>,
    /// The number of withdrawn routes since the last sweep of the pools.
    removed: usize,
    refreshes: BTreeMap<Family, Refresh>,
    /// The OTC that is added to unicast routes without one (RFC 9234 section 5).
    only_to_customer: Option<Asn>,
}

/// The refreshes of one family (RFC 7313 section 4).
#[derive(Clone, Copy, Debug, Default)]
struct Refresh {
    /// The number of refreshes that have begun.
    // Routes hold the number at their announcement. Marking every route at BoRR instead would let a message of 23 octets
    // cost as much as the table.
    begun: u32,
    /// `true` between BoRR and EoRR.
    is_pending: bool,
}

/// A route that a peer has announced.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedRoute {
    /// The attributes, shared by the routes with equal ones.
    pub attributes: Arc<AttributeSet>,
    /// The next hop.
    pub next_hop: NextHop,
    /// The staleness with respect to this peer. A route that is stale at another speaker, and has the community LLGR_STALE
    /// from there, is fresh here.
    pub staleness: Staleness,
}

/// The degree of certainty that a peer still has a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Staleness {
    /// The peer has announced the route in the current session.
    Fresh,
    /// The session has ended and the peer has not announced the route again since (RFC 4724 section 4.2).
    Stale,
    /// The route has been stale for long, so that any other route is preferred (RFC 9494 section 4.2).
    LongLived,
}

/// A change of the table. The NLRI contains the family of the route.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum RouteChange<'a> {
    /// The route is new, the peer has announced it again, or its staleness has changed.
    Announced(&'a AnyNlriBuf, &'a ReceivedRoute),
    /// The route has been removed.
    Withdrawn(&'a AnyNlriBuf),
}

impl AdjRibIn {
    /// Creates an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns every route, grouped by family, with IPv4 and IPv6 unicast first. Unicast routes are in the order of prefixes.
    pub fn routes(&self) -> impl Iterator<Item = (AnyNlriBuf, &ReceivedRoute)> {
        self.stores()
            .flat_map(|(_, store)| store.iter())
            .map(|(nlri, held)| (nlri, &held.route.0))
    }

    /// Returns the route with this NLRI, or `None` if the peer has not announced it. Compares the path identifier, but not
    /// labels.
    #[must_use]
    pub fn route(&self, nlri: &AnyNlriBuf) -> Option<&ReceivedRoute> {
        let held = self.store(nlri.family)?.get(nlri)?;
        Some(&held.route.0)
    }

    /// Returns the unicast routes to the longest prefix that contains this address, in ascending order of path identifiers.
    /// Returns no route if no prefix contains it.
    pub fn lookup(&self, address: IpAddr) -> impl Iterator<Item = (Nlri, &ReceivedRoute)> {
        let (ipv4, ipv6) = match IpNet::from(address) {
            IpNet::V4(host) => (Some(self.ipv4.lookup(host)), None),
            IpNet::V6(host) => (None, Some(self.ipv6.lookup(host))),
        };
        // One of the two is always empty. Chaining them gives both address families one type without an allocation.
        ipv4.into_iter().flatten().chain(ipv6.into_iter().flatten())
    }

    /// Returns the number of routes of each family with at least one route.
    pub fn counts(&self) -> impl Iterator<Item = (Family, usize)> {
        self.stores()
            .map(|(family, store)| (family, store.len()))
            .filter(|(_, count)| *count > 0)
    }

    /// Returns the number of routes of a family.
    #[must_use]
    pub fn count(&self, family: Family) -> usize {
        self.store(family).map_or(0, Store::len)
    }

    /// Returns the number of routes of all families.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stores().map(|(_, store)| store.len()).sum()
    }

    /// Returns `true` if the table holds no route.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Applies an event to the table and calls `change` with each change.
    ///
    /// The session must deliver updates (see
    /// [`PeerConfig::with_deliver_updates`](crate::PeerConfig::with_deliver_updates)).
    pub fn apply(&mut self, event: &SessionEvent, mut change: impl FnMut(RouteChange<'_>)) {
        match event {
            SessionEvent::Up { negotiated, .. } => {
                self.only_to_customer = only_to_customer(negotiated);
            }
            SessionEvent::Update(update) => self.update(update, &mut change),
            SessionEvent::Down { retained, .. } => self.handle_down(*retained, &mut change),
            SessionEvent::StaleRoutesGone(families) => self.remove_stale(*families, &mut change),
            SessionEvent::StaleRoutesLongLived(families) => {
                self.mark_long_lived(*families, &mut change);
            }
            SessionEvent::RefreshBegins(family) => {
                let refresh = self.refreshes.entry(*family).or_default();
                refresh.begun = refresh.begun.wrapping_add(1);
                refresh.is_pending = true;
            }
            SessionEvent::RefreshEnds(family) => self.end_refresh(*family, &mut change),
            // At End-of-RIB the session emits `StaleRoutesGone` as well. A refresh concerns the routes that we send.
            SessionEvent::StateChanged { .. }
            | SessionEvent::Failed { .. }
            | SessionEvent::UpdateFault(_)
            | SessionEvent::UnexpectedPathIds(_)
            | SessionEvent::RoutesIgnored { .. }
            | SessionEvent::Refresh(_)
            | SessionEvent::EndOfRib(_)
            | SessionEvent::Withheld(_) => {}
        }
    }

    /// Applies the withdrawals of an UPDATE, then its announcements.
    fn update(&mut self, update: &ReceivedUpdate, change: &mut impl FnMut(RouteChange<'_>)) {
        let checked = update.check();
        // RFC 4271 section 4.3: a prefix in both lists counts as announced, so that withdrawals go first.
        for withdrawn in checked.withdrawn() {
            self.removed += usize::from(self.withdraw(&withdrawn.into(), change));
        }
        for withdrawn in other_withdrawn(&checked) {
            self.removed += usize::from(self.withdraw(&withdrawn.into(), change));
        }
        let mut announced = checked.announced_with_next_hops().peekable();
        // Converting the attributes allocates, which a message of withdrawals does not need.
        if announced.peek().is_some() {
            let mut attributes = AttributeSet::from(&checked);
            attributes.only_to_customer = attributes.only_to_customer.or(self.only_to_customer);
            let attributes = self.attributes.share(attributes);
            let mut last: Option<Arc<SharedRoute>> = None;
            for (next_hop, nlri) in announced {
                // A message has at most two next hops, one after the other.
                let route = last
                    .take()
                    .filter(|route| route.0.next_hop == next_hop)
                    .unwrap_or_else(|| self.fresh(&attributes, next_hop));
                self.announce(&nlri.into(), &route, change);
                last = Some(route);
            }
        }
        if has_others(&checked) {
            self.announce_others(&checked, change);
        }
        // For every two values that a sweep looks at, a route was removed: the cost for each is constant, even if the
        // application keeps the values.
        let values = self.shared.len().max(self.attributes.len());
        if self.removed > 0 && self.removed * 2 >= values {
            self.drop_unused();
        }
    }

    /// Removes a route. Returns `false` if the table does not hold it.
    fn withdraw(&mut self, nlri: &AnyNlriBuf, change: &mut impl FnMut(RouteChange<'_>)) -> bool {
        let known = self.store_mut(nlri.family).remove(nlri);
        if let Some(known) = &known {
            change(RouteChange::Withdrawn(known));
        }
        known.is_some()
    }

    /// Drops the attributes that no route uses.
    fn drop_unused(&mut self) {
        self.removed = 0;
        // The shared routes go first because they use attributes.
        self.shared.drop_unused();
        self.attributes.drop_unused();
    }

    /// Returns a fresh route with these attributes, which are of the pool.
    fn fresh(&mut self, attributes: &Arc<AttributeSet>, next_hop: NextHop) -> Arc<SharedRoute> {
        self.shared.share(SharedRoute(ReceivedRoute {
            attributes: Arc::clone(attributes),
            next_hop,
            staleness: Staleness::Fresh,
        }))
    }

    /// Adds or replaces a route.
    fn announce(
        &mut self,
        nlri: &AnyNlriBuf,
        route: &Arc<SharedRoute>,
        change: &mut impl FnMut(RouteChange<'_>),
    ) {
        change(RouteChange::Announced(nlri, &route.0));
        let refresh = self.refresh(nlri.family).begun;
        let route = Arc::clone(route);
        self.store_mut(nlri.family)
            .insert(nlri, Held { route, refresh });
    }

    /// Adds the routes of other families than unicast. All of them have the next hop of MP_REACH_NLRI.
    fn announce_others(&mut self, checked: &Checked<'_>, change: &mut impl FnMut(RouteChange<'_>)) {
        let update = UpdateBuf::from(checked);
        let attributes = self.attributes.share(update.attributes);
        let others = update
            .announced
            .iter()
            .filter(|nlri| !is_unicast(nlri.family));
        let Some(first) = others.clone().next() else {
            return;
        };
        let next_hop = update
            .next_hops
            .get(&first.family)
            .copied()
            .unwrap_or(NextHop::Absent);
        let route = self.fresh(&attributes, next_hop);
        others.for_each(|nlri| self.announce(nlri, &route, change));
    }

    /// Removes the routes of a family that the peer has not announced since BoRR.
    fn end_refresh(&mut self, family: Family, change: &mut impl FnMut(RouteChange<'_>)) {
        let Some(refresh) = self.refreshes.get_mut(&family) else {
            return;
        };
        // RFC 7313 section 4: EoRR without BoRR has no effect.
        if std::mem::take(&mut refresh.is_pending) {
            let begun = refresh.begun;
            // A peer cannot repeat this walk at a low cost: the routes that remain were announced since BoRR.
            self.store_mut(family)
                .remove_where(&|held| held.refresh != begun, &mut |nlri| {
                    change(RouteChange::Withdrawn(nlri));
                });
            self.drop_unused();
        }
    }

    /// Returns the refreshes of a family.
    fn refresh(&self, family: Family) -> Refresh {
        self.refreshes.get(&family).copied().unwrap_or_default()
    }

    /// Marks the routes of the retained families as stale and removes all others.
    fn handle_down(&mut self, retained: FamilySet, change: &mut impl FnMut(RouteChange<'_>)) {
        for (family, store) in self.stores_mut() {
            let is_retained = retained.contains(family);
            // RFC 4724 section 4.2: routes that are still stale when the session ends again are removed. RFC 9494 section 4.2:
            // long-lived stale routes stay until their own time is over.
            store.remove_where(
                &|held| !is_retained || held.route.0.staleness == Staleness::Stale,
                &mut |nlri| change(RouteChange::Withdrawn(nlri)),
            );
        }
        // A refresh ends with its session, and no EoRR will follow.
        self.refreshes.clear();
        let mut pool = std::mem::take(&mut self.shared);
        let mut stale = Replacements::default();
        for (_, store) in self.stores_mut() {
            store.for_each_mut(&mut |nlri, held| {
                held.refresh = 0;
                if held.route.0.staleness == Staleness::Fresh {
                    let replacement = stale.find(&held.route, |route| {
                        Some(pool.share(route.with_staleness(Staleness::Stale)))
                    });
                    if let Some(replacement) = replacement {
                        held.route = Arc::clone(replacement);
                    }
                    change(RouteChange::Announced(nlri, &held.route.0));
                }
            });
        }
        drop(stale);
        self.shared = pool;
        self.drop_unused();
    }

    /// Removes the stale routes of these families, long-lived ones included.
    fn remove_stale(&mut self, families: FamilySet, change: &mut impl FnMut(RouteChange<'_>)) {
        for family in families.iter() {
            self.store_mut(family).remove_where(
                &|held| held.route.0.staleness != Staleness::Fresh,
                &mut |nlri| change(RouteChange::Withdrawn(nlri)),
            );
        }
        self.drop_unused();
    }

    /// Makes the stale routes of these families long-lived stale (RFC 9494 section 4.2).
    fn mark_long_lived(&mut self, families: FamilySet, change: &mut impl FnMut(RouteChange<'_>)) {
        let (mut sets, mut pool) = (
            std::mem::take(&mut self.attributes),
            std::mem::take(&mut self.shared),
        );
        let mut marked = Replacements::default();
        for family in families.iter() {
            let store = self.store_mut(family);
            store.for_each_mut(&mut |_, held| {
                if held.route.0.staleness == Staleness::Stale {
                    marked.find(&held.route, |route| {
                        let attributes = mark_long_lived(&route.0.attributes, &mut sets)?;
                        let route = ReceivedRoute {
                            attributes,
                            next_hop: route.0.next_hop,
                            staleness: Staleness::LongLived,
                        };
                        Some(pool.share(SharedRoute(route)))
                    });
                }
            });
            // RFC 9494 section 4.2: routes with NO_LLGR must not be retained for longer.
            store.remove_where(
                &|held| matches!(marked.known(&held.route), Some(None)),
                &mut |nlri| change(RouteChange::Withdrawn(nlri)),
            );
            store.for_each_mut(&mut |nlri, held| {
                if let Some(Some(marked)) = marked.known(&held.route) {
                    held.route = Arc::clone(marked);
                    change(RouteChange::Announced(nlri, &held.route.0));
                }
            });
        }
        drop(marked);
        (self.attributes, self.shared) = (sets, pool);
        self.drop_unused();
    }

    /// Returns the routes of a family, or `None` if the peer has announced none.
    fn store(&self, family: Family) -> Option<&dyn Store> {
        Some(match family {
            Family::IPV4_UNICAST => &self.ipv4,
            Family::IPV6_UNICAST => &self.ipv6,
            _ => self.others.get(&family)?,
        })
    }

    /// Returns the routes of a family. Creates an empty store if necessary.
    fn store_mut(&mut self, family: Family) -> &mut dyn Store {
        match family {
            Family::IPV4_UNICAST => &mut self.ipv4,
            Family::IPV6_UNICAST => &mut self.ipv6,
            _ => self.others.entry(family).or_default(),
        }
    }

    /// Returns the routes of all families, in the order of [`AdjRibIn::routes`].
    fn stores(&self) -> impl Iterator<Item = (Family, &dyn Store)> {
        let unicast: [(Family, &dyn Store); 2] = [
            (Family::IPV4_UNICAST, &self.ipv4),
            (Family::IPV6_UNICAST, &self.ipv6),
        ];
        unicast
            .into_iter()
            .chain(self.others.iter().map(|(family, store)| {
                let store: &dyn Store = store;
                (*family, store)
            }))
    }

    /// Returns the routes of all families, in the order of [`AdjRibIn::routes`].
    fn stores_mut(&mut self) -> impl Iterator<Item = (Family, &mut dyn Store)> {
        let unicast: [(Family, &mut dyn Store); 2] = [
            (Family::IPV4_UNICAST, &mut self.ipv4),
            (Family::IPV6_UNICAST, &mut self.ipv6),
        ];
        unicast
            .into_iter()
            .chain(self.others.iter_mut().map(|(family, store)| {
                let store: &mut dyn Store = store;
                (*family, store)
            }))
    }
}

/// Returns the OTC for routes without one, or `None` if they remain without.
fn only_to_customer(negotiated: &Negotiated) -> Option<Asn> {
    // RFC 9234 section 5, ingress: routes from a provider, a peer or a route server get OTC with the AS number of the sender.
    let role = negotiated.context.peer_role()?;
    let marks = matches!(role, Role::PROVIDER | Role::PEER | Role::ROUTE_SERVER);
    marks.then_some(negotiated.peer_as)
}

#[cfg(test)]
mod tests;
