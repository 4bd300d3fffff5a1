//! `AdjRibIn`: what one peer has announced, for applications that keep routes; stale ones over a restart of the peer
//! (RFC 4271 section 3.2, RFC 4724 section 4.2, RFC 9494).

mod store;
mod unicast;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use bgp_wire::{
    AnyNlriBuf, Asn, AttributeSet, Checked, Community, Family, FamilySet, NextHop, Nlri, Role,
    UpdateBuf,
};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::destination::is_unicast;
use crate::negotiate::Negotiated;
use crate::output::{ReceivedUpdate, SessionEvent};
use crate::routes::{has_others, other_withdrawn};
use store::{OtherStore, Store};
use unicast::UnicastStore;

/// The routes of every negotiated family that one peer has announced. It follows the events of the peer's session and must be
/// given all of them in their order.
///
/// ```
/// use bgp_session::{AdjRibIn, RouteChange, SessionEvent};
///
/// fn print(table: &mut AdjRibIn, event: &SessionEvent) {
///     table.apply(event, |change| match change {
///         RouteChange::Announced(nlri, route) => println!("{nlri} via {}", route.next_hop),
///         RouteChange::Withdrawn(nlri) => println!("{nlri} is gone"),
///     });
/// }
///
/// /// Where the peer would send this address.
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
    /// The OTC that unicast routes without one get (RFC 9234 section 5).
    only_to_customer: Option<Asn>,
}

/// A route that a peer has announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRoute {
    /// Its attributes, shared by the routes of one message.
    pub attributes: Arc<AttributeSet>,
    /// Its next hop.
    pub next_hop: NextHop,
    /// Whether the peer still stands by it. Another speaker's stale route is fresh here and has the community LLGR_STALE.
    pub staleness: Staleness,
}

/// How certain it is that a peer still stands by a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Staleness {
    /// The session is up, and the peer has announced the route in it.
    Fresh,
    /// The peer has restarted and has not announced the route since.
    Stale,
    /// The peer has been away for long, so that any other route is better (RFC 9494 section 4.2).
    LongLived,
}

/// A change of the table. The NLRI tells the family of the route.
#[derive(Clone, Copy, Debug)]
pub enum RouteChange<'a> {
    /// A route is new or has changed.
    Announced(&'a AnyNlriBuf, &'a ReceivedRoute),
    /// A route has been removed.
    Withdrawn(&'a AnyNlriBuf),
}

impl AdjRibIn {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every route, family by family, those of IPv4 and IPv6 unicast first and by prefix.
    pub fn routes(&self) -> impl Iterator<Item = (AnyNlriBuf, &ReceivedRoute)> {
        let routes = self.stores().flat_map(|(_, store)| store.iter());
        routes.map(|(nlri, held)| (nlri, &held.route))
    }

    /// The route that this NLRI names, by its path identifier and without regard to labels.
    #[must_use]
    pub fn route(&self, nlri: &AnyNlriBuf) -> Option<&ReceivedRoute> {
        let held = self.store(nlri.family)?.get(nlri)?;
        Some(&held.route)
    }

    /// The unicast routes to the longest prefix that holds this address, by ascending path identifier; none if no prefix does.
    pub fn lookup(&self, address: IpAddr) -> impl Iterator<Item = (Nlri, &ReceivedRoute)> {
        let (ipv4, ipv6) = match IpNet::from(address) {
            IpNet::V4(host) => (Some(self.ipv4.lookup(host)), None),
            IpNet::V6(host) => (None, Some(self.ipv6.lookup(host))),
        };
        let ipv4 = ipv4.into_iter().flatten();
        ipv4.chain(ipv6.into_iter().flatten())
    }

    /// The number of routes of each family that has some.
    pub fn counts(&self) -> impl Iterator<Item = (Family, usize)> {
        let counts = self.stores().map(|(family, store)| (family, store.len()));
        counts.filter(|(_, count)| *count > 0)
    }

    /// The number of routes of a family.
    #[must_use]
    pub fn count(&self, family: Family) -> usize {
        self.store(family).map_or(0, Store::len)
    }

    /// The number of routes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stores().map(|(_, store)| store.len()).sum()
    }

    /// Returns `true` if there is no route.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Applies an event to the table and calls `change` with each change.
    ///
    /// The session must deliver updates (see [`PeerConfig::deliver_updates`](crate::PeerConfig::deliver_updates)).
    pub fn apply(&mut self, event: &SessionEvent, mut change: impl FnMut(RouteChange<'_>)) {
        match event {
            SessionEvent::Up { negotiated, .. } => {
                self.only_to_customer = only_to_customer(negotiated);
            }
            SessionEvent::Update(update) => self.update(update, &mut change),
            SessionEvent::Down { retained, .. } => self.keep(*retained, &mut change),
            SessionEvent::StaleRoutesGone(families) => self.forget(*families, &mut change),
            SessionEvent::StaleRoutesLongLived(families) => self.outlive(*families, &mut change),
            SessionEvent::RefreshBegins(family) => {
                let store = self.store_mut(*family);
                store.for_each_mut(&mut |_, held| held.unconfirmed = true);
            }
            SessionEvent::RefreshEnds(family) => {
                let store = self.store_mut(*family);
                store.remove_where(&|held| held.unconfirmed, &mut |nlri| {
                    change(RouteChange::Withdrawn(nlri));
                });
            }
            SessionEvent::StateChanged { .. }
            | SessionEvent::Failed { .. }
            | SessionEvent::UpdateFault(_)
            | SessionEvent::Refresh(_)
            | SessionEvent::EndOfRib(_) => {}
        }
    }

    fn update(&mut self, update: &ReceivedUpdate, change: &mut impl FnMut(RouteChange<'_>)) {
        // The session has made this check before.
        let Ok(checked) = update.check() else { return };
        for withdrawn in checked.withdrawn() {
            self.withdraw(&withdrawn.into(), change);
        }
        for withdrawn in other_withdrawn(&checked) {
            self.withdraw(&withdrawn.into(), change);
        }
        let mut announced = checked.announced_with_next_hops().peekable();
        if announced.peek().is_some() {
            let mut attributes = AttributeSet::from(&checked);
            attributes.only_to_customer = attributes.only_to_customer.or(self.only_to_customer);
            let attributes = Arc::new(attributes);
            for (next_hop, nlri) in announced {
                self.announce(&nlri.into(), next_hop, &attributes, change);
            }
        }
        if has_others(&checked) {
            self.announce_others(&checked, change);
        }
    }

    fn withdraw(&mut self, nlri: &AnyNlriBuf, change: &mut impl FnMut(RouteChange<'_>)) {
        if let Some(known) = self.store_mut(nlri.family).remove(nlri) {
            change(RouteChange::Withdrawn(&known));
        }
    }

    fn announce(
        &mut self,
        nlri: &AnyNlriBuf,
        next_hop: NextHop,
        attributes: &Arc<AttributeSet>,
        change: &mut impl FnMut(RouteChange<'_>),
    ) {
        let route = ReceivedRoute {
            attributes: Arc::clone(attributes),
            next_hop,
            staleness: Staleness::Fresh,
        };
        change(RouteChange::Announced(nlri, &route));
        self.store_mut(nlri.family).insert(nlri, route.into());
    }

    /// Adds the routes that are not of unicast, all of which have one next hop: that of MP_REACH_NLRI.
    fn announce_others(&mut self, checked: &Checked<'_>, change: &mut impl FnMut(RouteChange<'_>)) {
        let update = UpdateBuf::from(checked);
        let attributes = Arc::new(update.attributes);
        for nlri in &update.announced {
            if is_unicast(nlri.family) {
                continue;
            }
            let mut next_hops = update.next_hops.iter();
            let next_hop = next_hops.find(|(family, _)| *family == nlri.family);
            let next_hop = next_hop.map_or(NextHop::Absent, |(_, next_hop)| *next_hop);
            self.announce(nlri, next_hop, &attributes, change);
        }
    }

    /// The session is down. RFC 4724 section 4.2: what was stale before is gone; RFC 9494 section 4.2: a last resort stays.
    fn keep(&mut self, retained: FamilySet, change: &mut impl FnMut(RouteChange<'_>)) {
        for (family, store) in self.stores_mut() {
            let kept = retained.contains(family);
            store.remove_where(
                &|held| !kept || held.route.staleness == Staleness::Stale,
                &mut |nlri| change(RouteChange::Withdrawn(nlri)),
            );
        }
        for (_, store) in self.stores_mut() {
            store.for_each_mut(&mut |nlri, held| {
                held.unconfirmed = false;
                if held.route.staleness == Staleness::Fresh {
                    held.route.staleness = Staleness::Stale;
                    change(RouteChange::Announced(nlri, &held.route));
                }
            });
        }
    }

    fn forget(&mut self, families: FamilySet, change: &mut impl FnMut(RouteChange<'_>)) {
        for family in families.iter() {
            self.store_mut(family).remove_where(
                &|held| held.route.staleness != Staleness::Fresh,
                &mut |nlri| change(RouteChange::Withdrawn(nlri)),
            );
        }
    }

    /// RFC 9494 section 4.2.
    fn outlive(&mut self, families: FamilySet, change: &mut impl FnMut(RouteChange<'_>)) {
        let stale = |route: &ReceivedRoute| route.staleness == Staleness::Stale;
        let unwanted = |route: &ReceivedRoute| {
            let communities = &route.attributes.communities;
            stale(route) && communities.contains(&Community::NO_LLGR)
        };
        let mut marked = Marked::default();
        for family in families.iter() {
            let store = self.store_mut(family);
            store.remove_where(&|held| unwanted(&held.route), &mut |nlri| {
                change(RouteChange::Withdrawn(nlri));
            });
            store.for_each_mut(&mut |nlri, held| {
                if stale(&held.route) {
                    held.route.staleness = Staleness::LongLived;
                    marked.mark(&mut held.route.attributes);
                    change(RouteChange::Announced(nlri, &held.route));
                }
            });
        }
    }

    fn store(&self, family: Family) -> Option<&dyn Store> {
        Some(match family {
            Family::IPV4_UNICAST => &self.ipv4,
            Family::IPV6_UNICAST => &self.ipv6,
            _ => self.others.get(&family)?,
        })
    }

    fn store_mut(&mut self, family: Family) -> &mut dyn Store {
        match family {
            Family::IPV4_UNICAST => &mut self.ipv4,
            Family::IPV6_UNICAST => &mut self.ipv6,
            _ => self.others.entry(family).or_default(),
        }
    }

    fn stores(&self) -> impl Iterator<Item = (Family, &dyn Store)> {
        let unicast: [(Family, &dyn Store); 2] = [
            (Family::IPV4_UNICAST, &self.ipv4),
            (Family::IPV6_UNICAST, &self.ipv6),
        ];
        let others = self.others.iter();
        unicast.into_iter().chain(others.map(|(family, store)| {
            let store: &dyn Store = store;
            (*family, store)
        }))
    }

    fn stores_mut(&mut self) -> impl Iterator<Item = (Family, &mut dyn Store)> {
        let unicast: [(Family, &mut dyn Store); 2] = [
            (Family::IPV4_UNICAST, &mut self.ipv4),
            (Family::IPV6_UNICAST, &mut self.ipv6),
        ];
        let others = self.others.iter_mut();
        unicast.into_iter().chain(others.map(|(family, store)| {
            let store: &mut dyn Store = store;
            (*family, store)
        }))
    }
}

/// Attribute sets that have got LLGR_STALE, by the address of those without, so that routes go on sharing them.
#[derive(Default)]
struct Marked(HashMap<*const AttributeSet, [Arc<AttributeSet>; 2]>);

impl Marked {
    /// Adds LLGR_STALE (RFC 9494 section 4.2).
    fn mark(&mut self, attributes: &mut Arc<AttributeSet>) {
        let communities = &attributes.communities;
        if communities.contains(&Community::LLGR_STALE) {
            return;
        }
        let known = self.0.entry(Arc::as_ptr(attributes));
        let [_, marked] = known.or_insert_with(|| {
            let mut marked = AttributeSet::clone(attributes);
            marked.communities.push(Community::LLGR_STALE);
            // The old set is kept: as long as it is there, its address means no other one.
            [Arc::clone(attributes), Arc::new(marked)]
        });
        *attributes = Arc::clone(marked);
    }
}

/// RFC 9234 section 5: routes from providers, peers and route servers get OTC with the neighbor's AS.
fn only_to_customer(negotiated: &Negotiated) -> Option<Asn> {
    let role = negotiated.context.peer_role()?;
    let marks = matches!(role, Role::PROVIDER | Role::PEER | Role::ROUTE_SERVER);
    marks.then_some(negotiated.peer_as)
}

#[cfg(test)]
mod tests;
