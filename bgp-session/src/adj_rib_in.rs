//! `AdjRibIn`: what one peer has announced, for applications that keep routes; stale ones over a restart of the peer
//! (RFC 4271 section 3.2, RFC 4724 section 4.2, RFC 9494).

use std::collections::BTreeMap;
use std::sync::Arc;

use bgp_wire::{Asn, AttributeSet, Community, Family, FamilySet, NextHop, Nlri, PathId, Role};
use ipnet::IpNet;

use crate::negotiate::Negotiated;
use crate::output::{ReceivedUpdate, SessionEvent};

/// What one peer has announced, kept by the events of its session, all of which it has to be told in their order.
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
/// ```
#[derive(Debug, Default)]
pub struct AdjRibIn {
    routes: BTreeMap<Key, Held>,
    /// What OTC routes get that have none (RFC 9234 section 5).
    only_to_customer: Option<Asn>,
}

type Key = (IpNet, Option<PathId>);

#[derive(Debug)]
struct Held {
    route: ReceivedRoute,
    /// A refresh is under way that has not named it yet (RFC 7313 section 4).
    unconfirmed: bool,
}

/// A route that a peer has announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedRoute {
    /// Its attributes, shared by the routes of one message.
    pub attributes: Arc<AttributeSet>,
    /// Its next hop.
    pub next_hop: NextHop,
    /// Whether the peer still stands by it. Where it has told of another's stale route, its attributes have LLGR_STALE, too.
    pub staleness: Staleness,
}

/// Whether a peer stands by a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Staleness {
    /// It does.
    Fresh,
    /// It restarts, and has not said so since.
    Stale,
    /// It has been away for long: any other route is better (RFC 9494 section 4.2).
    LongLived,
}

/// What has changed.
#[derive(Clone, Copy, Debug)]
pub enum RouteChange<'a> {
    /// A route is new, or other than it was.
    Announced(Nlri, &'a ReceivedRoute),
    /// A route is gone.
    Withdrawn(Nlri),
}

impl AdjRibIn {
    /// Nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every route, by prefix.
    pub fn routes(&self) -> impl Iterator<Item = (Nlri, &ReceivedRoute)> {
        let routes = self.routes.iter();
        routes.map(|(key, held)| (nlri(*key), &held.route))
    }

    /// The route to exactly this prefix, by this path.
    #[must_use]
    pub fn route(&self, nlri: Nlri) -> Option<&ReceivedRoute> {
        let held = self.routes.get(&(nlri.prefix, nlri.path_id))?;
        Some(&held.route)
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is no route.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Changes the table by what has happened, and says each change.
    ///
    /// A session that delivers no updates has nothing to say here (see
    /// [`PeerConfig::deliver_updates`](crate::PeerConfig::deliver_updates)).
    pub fn apply(&mut self, event: &SessionEvent, mut change: impl FnMut(RouteChange<'_>)) {
        match event {
            SessionEvent::Up { negotiated, .. } => {
                self.only_to_customer = only_to_customer(negotiated);
            }
            SessionEvent::Update(update) => self.update(update, &mut change),
            SessionEvent::Down { retained, .. } => self.keep(*retained, &mut change),
            SessionEvent::StaleRoutesGone(families) => self.forget(*families, &mut change),
            SessionEvent::StaleRoutesLongLived(families) => self.outlive(*families, &mut change),
            SessionEvent::RefreshBegins(refreshed) => {
                let routes = self.routes.iter_mut();
                let of_family = routes.filter(|(key, _)| family(key) == *refreshed);
                of_family.for_each(|(_, held)| held.unconfirmed = true);
            }
            SessionEvent::RefreshEnds(refreshed) => self.remove(&mut change, |key, held| {
                family(key) == *refreshed && held.unconfirmed
            }),
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
            if self
                .routes
                .remove(&(withdrawn.prefix, withdrawn.path_id))
                .is_some()
            {
                change(RouteChange::Withdrawn(withdrawn));
            }
        }
        let mut announced = checked.announced_with_next_hops().peekable();
        if announced.peek().is_none() {
            return;
        }
        let mut attributes = AttributeSet::from(&checked);
        attributes.only_to_customer = attributes.only_to_customer.or(self.only_to_customer);
        let attributes = Arc::new(attributes);
        for (next_hop, announced) in announced {
            let route = ReceivedRoute {
                attributes: Arc::clone(&attributes),
                next_hop,
                staleness: Staleness::Fresh,
            };
            change(RouteChange::Announced(announced, &route));
            let held = Held {
                route,
                unconfirmed: false,
            };
            self.routes
                .insert((announced.prefix, announced.path_id), held);
        }
    }

    /// The session is down. RFC 4724 section 4.2: what was stale before is gone; RFC 9494 section 4.2: a last resort stays.
    fn keep(&mut self, retained: FamilySet, change: &mut impl FnMut(RouteChange<'_>)) {
        self.remove(change, |key, held| {
            !retained.contains(family(key)) || held.route.staleness == Staleness::Stale
        });
        for (key, Held { route, unconfirmed }) in &mut self.routes {
            *unconfirmed = false;
            if route.staleness == Staleness::Fresh {
                route.staleness = Staleness::Stale;
                change(RouteChange::Announced(nlri(*key), route));
            }
        }
    }

    fn forget(&mut self, families: FamilySet, change: &mut impl FnMut(RouteChange<'_>)) {
        self.remove(change, |key, held| {
            families.contains(family(key)) && held.route.staleness != Staleness::Fresh
        });
    }

    /// RFC 9494 section 4.2.
    fn outlive(&mut self, families: FamilySet, change: &mut impl FnMut(RouteChange<'_>)) {
        let stale = |key: &Key, route: &ReceivedRoute| {
            families.contains(family(key)) && route.staleness == Staleness::Stale
        };
        self.remove(change, |key, Held { route, .. }| {
            let unwanted = route.attributes.communities.contains(&Community::NO_LLGR);
            unwanted && stale(key, route)
        });
        for (key, Held { route, .. }) in &mut self.routes {
            if stale(key, route) {
                route.staleness = Staleness::LongLived;
                let communities = &mut Arc::make_mut(&mut route.attributes).communities;
                if !communities.contains(&Community::LLGR_STALE) {
                    communities.push(Community::LLGR_STALE);
                }
                change(RouteChange::Announced(nlri(*key), route));
            }
        }
    }

    fn remove(
        &mut self,
        change: &mut impl FnMut(RouteChange<'_>),
        gone: impl Fn(&Key, &Held) -> bool,
    ) {
        let gone = self.routes.extract_if(.., |key, held| gone(key, held));
        for (key, _) in gone {
            change(RouteChange::Withdrawn(nlri(key)));
        }
    }
}

fn nlri((prefix, path_id): Key) -> Nlri {
    Nlri { path_id, prefix }
}

fn family((prefix, _): &Key) -> Family {
    family_of(*prefix)
}

/// The family of unicast routes to a prefix.
pub(crate) fn family_of(prefix: IpNet) -> Family {
    match prefix {
        IpNet::V4(_) => Family::IPV4_UNICAST,
        IpNet::V6(_) => Family::IPV6_UNICAST,
    }
}

/// RFC 9234 section 5: routes from providers, peers and route servers get OTC with the neighbor's AS.
fn only_to_customer(negotiated: &Negotiated) -> Option<Asn> {
    let role = negotiated.context.peer_role()?;
    let marks = matches!(role, Role::PROVIDER | Role::PEER | Role::ROUTE_SERVER);
    marks.then_some(negotiated.peer_as)
}
