//! What is to be announced, and why: announcements by hand, and leases.
//!
//! Every change is judged, made durable, and only then made; a change that fails on the way has not been made.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use bgp_session::{Route, Speaker};
use bgp_wire::{
    AttributeSet, Community, Context, LargeCommunity, NextHop, Nlri, PeerKind, encode_announcements,
};
use bytes::BytesMut;
use ipnet::IpNet;

use crate::config::{Advertisement, Config, RouteDefaults};
use crate::control::{
    Allocate, Allocated, Announce, Changed, ControlError, ErrorCode, RouteInfo, RouteSource,
};
use crate::exit::Failure;
use crate::pool::{AllocateError, Allocator, Lease, NotInPools, Request};
use crate::store::{Record, State, Store};
use crate::value::{AnyCommunity, Prefix};

#[derive(Debug)]
pub(super) struct Desired {
    allocator: Allocator,
    announced: BTreeMap<Prefix, Announce>,
    /// What every lease needs announced. It goes before an announcement by hand of the same prefix.
    leased: BTreeMap<IpNet, Leased>,
    /// What is in the journal and the configuration has no place for. A configuration that has brings it back.
    dormant: State,
    defaults: RouteDefaults,
    store: Store,
}

#[derive(Debug)]
struct Leased {
    names: BTreeSet<String>,
    advertisement: Advertisement,
}

impl Desired {
    /// What was announced before the restart, and may still be.
    ///
    /// # Errors
    ///
    /// The state directory cannot be used.
    pub(super) fn open(
        config: &Config,
        directory: Option<&Path>,
    ) -> Result<(Self, Vec<Route>), Failure> {
        let (store, state) = Store::open(directory)?;
        if !store.is_durable() {
            tracing::warn!(
                "no state directory is configured: announcements and leases end with this process"
            );
        }
        let mut desired = Self {
            allocator: Allocator::new(&config.pools),
            announced: BTreeMap::new(),
            leased: BTreeMap::new(),
            dormant: State::default(),
            defaults: config.defaults,
            store,
        };
        for (name, address) in state.leases {
            match desired.allocator.restore(&name, address) {
                Ok(lease) => drop(desired.lease_routes(&lease)),
                Err(error) => {
                    tracing::error!(%name, %address, "a lease is not announced, the configuration has changed: {error}");
                    desired.dormant.leases.insert(name, address);
                }
            }
        }
        for (prefix, announce) in state.announced {
            if let Err(error) = desired.allocator.announceable(prefix.network()) {
                tracing::error!(%prefix, "not announced, the configuration has changed: {error}");
                desired.dormant.announced.insert(prefix, announce);
            } else {
                desired.announced.insert(prefix, announce);
            }
        }
        let announced = desired
            .announced
            .values()
            .map(|announce| desired.announced_route(announce));
        let leased = desired
            .leased
            .iter()
            .map(|(prefix, leased)| desired.leased_route(*prefix, &leased.advertisement));
        // Of two routes to one prefix the last counts: the lease's.
        let routes = announced.chain(leased).collect();
        Ok((desired, routes))
    }

    pub(super) fn announce(
        &mut self,
        speaker: &Speaker,
        announce: Announce,
    ) -> Result<Changed, ControlError> {
        let prefix = announce.prefix;
        self.allocator
            .announceable(prefix.network())
            .map_err(outside)?;
        self.refuse_leased(prefix, "release the lease first")?;
        let announce = Announce {
            wait: false,
            ..announce
        };
        let route = self.announced_route(&announce);
        check_route(prefix.network(), &route)?;
        let changed = self.announced.get(&prefix) != Some(&announce);
        if changed {
            self.append(&[Record::Announce(announce.clone())])?;
            self.dormant.announced.remove(&prefix);
            self.announced.insert(prefix, announce);
        }
        speaker.announce(&route)?;
        Ok(self.changed(changed, vec![prefix]))
    }

    pub(super) fn withdraw(
        &mut self,
        speaker: &Speaker,
        prefix: Prefix,
    ) -> Result<Changed, ControlError> {
        self.refuse_leased(prefix, "release the lease instead")?;
        let changed =
            self.announced.contains_key(&prefix) || self.dormant.announced.contains_key(&prefix);
        if changed {
            self.append(&[Record::Withdraw { prefix }])?;
            self.announced.remove(&prefix);
            self.dormant.announced.remove(&prefix);
        }
        speaker.withdraw(prefix.network())?;
        Ok(self.changed(changed, vec![prefix]))
    }

    fn refuse_leased(&self, prefix: Prefix, hint: &str) -> Result<(), ControlError> {
        let Some(leased) = self.leased.get(&prefix.network()) else {
            return Ok(());
        };
        let names: Vec<_> = leased
            .names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let message = format!(
            "{prefix} is announced for the lease of {}",
            names.join(", ")
        );
        Err(ControlError::new(ErrorCode::Leased, message).hint(hint))
    }

    pub(super) fn allocate(
        &mut self,
        speaker: &Speaker,
        allocate: &Allocate,
    ) -> Result<Allocated, ControlError> {
        let request = match (&allocate.pool, allocate.address) {
            (Some(_), Some(_)) => {
                return Err(ControlError::new(
                    ErrorCode::BadRequest,
                    "a pool or an address can be asked for, not both",
                ));
            }
            (Some(pool), None) => Request::Pool(pool),
            (None, Some(address)) => Request::Address(address),
            (None, None) => Request::Any,
        };
        check_name(&allocate.name)?;
        let known = self.allocator.lease(&allocate.name).is_some();
        let lease = self
            .allocator
            .allocate(&allocate.name, request)
            .map_err(refused)?;
        if !known {
            let record = Record::Lease {
                name: lease.name.clone(),
                address: lease.address,
            };
            if let Err(error) = self.append(&[record]) {
                self.allocator.release(&lease.name);
                return Err(error);
            }
            self.dormant.leases.remove(&lease.name);
        }
        let prefixes = self.lease_routes(&lease);
        for prefix in &prefixes {
            if let Some(leased) = self.leased.get(&prefix.network()) {
                speaker.announce(&self.leased_route(prefix.network(), &leased.advertisement))?;
            }
        }
        let Lease {
            name,
            address,
            pool,
        } = lease;
        Ok(Allocated {
            name,
            address,
            pool,
            prefixes,
            known,
            durable: self.store.is_durable(),
        })
    }

    /// Notes what a lease needs announced.
    fn lease_routes(&mut self, lease: &Lease) -> Vec<Prefix> {
        let mut prefixes = Vec::new();
        for (prefix, advertisement) in self.allocator.routes(lease.address) {
            prefixes.push(prefix.into());
            let new = || Leased {
                names: BTreeSet::new(),
                advertisement,
            };
            self.leased
                .entry(prefix)
                .or_insert_with(new)
                .names
                .insert(lease.name.clone());
        }
        prefixes
    }

    pub(super) fn release(
        &mut self,
        speaker: &Speaker,
        name: &str,
    ) -> Result<Changed, ControlError> {
        let lease = self.allocator.lease(name).cloned();
        if lease.is_none() && !self.dormant.leases.contains_key(name) {
            return Err(ControlError::new(
                ErrorCode::NotFound,
                format!("`{name}` has no lease"),
            ));
        }
        self.append(&[Record::Release {
            name: name.to_owned(),
        }])?;
        self.dormant.leases.remove(name);
        self.allocator.release(name);
        let mut prefixes = Vec::new();
        for (prefix, _) in lease
            .into_iter()
            .flat_map(|lease| self.allocator.routes(lease.address))
        {
            let Some(leased) = self.leased.get_mut(&prefix) else {
                continue;
            };
            leased.names.remove(name);
            // An aggregate stays while another lease needs it.
            if leased.names.is_empty() {
                self.leased.remove(&prefix);
                prefixes.push(prefix.into());
                match self.announced.get(&prefix.into()) {
                    Some(announce) => speaker.announce(&self.announced_route(announce))?,
                    None => speaker.withdraw(prefix)?,
                };
            }
        }
        Ok(self.changed(true, prefixes))
    }

    pub(super) fn routes(&self, speaker: &Speaker) -> Vec<RouteInfo> {
        let info = |route: &Route| {
            // Every route here is to a prefix.
            let prefix = route.prefix()?;
            let leased = self
                .leased
                .get(&prefix)
                .map(|leased| leased.names.iter().cloned().collect());
            let source = leased.map_or(RouteSource::Announced, RouteSource::Leases);
            Some(route_info(prefix, route, source))
        };
        let mut routes: Vec<_> = speaker.routes().iter().filter_map(info).collect();
        routes.sort_by_key(|route| route.prefix);
        routes
    }

    fn append(&mut self, records: &[Record]) -> Result<(), ControlError> {
        self.store.append(records).map_err(|error| {
            ControlError::new(ErrorCode::Storage, format!("nothing was changed: {error}"))
        })
    }

    fn changed(&self, changed: bool, prefixes: Vec<Prefix>) -> Changed {
        Changed {
            changed,
            prefixes,
            durable: self.store.is_durable(),
        }
    }

    fn announced_route(&self, announce: &Announce) -> Route {
        let mut attributes = AttributeSet::new(announce.origin.unwrap_or(self.defaults.origin));
        attributes.local_pref = announce.local_pref.or(self.defaults.local_pref);
        attributes.multi_exit_disc = announce.med;
        for community in &announce.communities {
            match community {
                AnyCommunity::Community(community) => attributes.communities.push(*community),
                AnyCommunity::Large(community) => attributes.large_communities.push(*community),
            }
        }
        let route = Route::new(announce.prefix.network()).with_attributes(attributes);
        match announce.next_hop {
            Some(address) => route.with_next_hop(address),
            None => route,
        }
    }

    fn leased_route(&self, prefix: IpNet, advertisement: &Advertisement) -> Route {
        let attributes = AttributeSet {
            local_pref: advertisement.local_pref.or(self.defaults.local_pref),
            communities: advertisement.communities.clone(),
            large_communities: advertisement.large_communities.clone(),
            ..AttributeSet::new(self.defaults.origin)
        };
        Route::new(prefix).with_attributes(attributes)
    }
}

fn route_info(prefix: IpNet, route: &Route, source: RouteSource) -> RouteInfo {
    let attributes = route.attributes();
    let communities = attributes
        .communities
        .iter()
        .copied()
        .map(|community: Community| community.into());
    let large = attributes
        .large_communities
        .iter()
        .copied()
        .map(|community: LargeCommunity| community.into());
    RouteInfo {
        prefix: prefix.into(),
        next_hop: route.next_hop(),
        origin: Some(attributes.origin),
        local_pref: attributes.local_pref,
        med: attributes.multi_exit_disc,
        communities: communities.chain(large).collect(),
        source,
    }
}

/// Whether any router could use the route: what is acknowledged is also sent.
fn check_route(prefix: IpNet, route: &Route) -> Result<(), ControlError> {
    let unusable = |message: String| Err(ControlError::new(ErrorCode::BadRequest, message));
    let example = match prefix {
        IpNet::V4(_) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        IpNet::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    };
    let next_hop = route.next_hop().unwrap_or(example);
    if next_hop.is_ipv4() != example.is_ipv4() {
        return unusable(format!(
            "next hop {next_hop} and prefix {prefix} are of different families"
        ));
    }
    if next_hop.is_unspecified() || next_hop.is_multicast() || next_hop.is_loopback() {
        return unusable(format!(
            "{next_hop} is no host's address and cannot be a next hop"
        ));
    }
    // Internal peers and four-octet AS numbers need the most room.
    let (context, mut octets) = (Context::new(PeerKind::Internal), BytesMut::new());
    let (attributes, next_hop) = (route.attributes(), NextHop::Address(next_hop));
    let routes = [Nlri::new(prefix)];
    encode_announcements(&context, attributes, next_hop, routes, &mut octets)
        .map(drop)
        .or_else(|error| unusable(format!("{prefix} cannot be announced: {error}")))
}

/// Names are shown on terminals.
fn check_name(name: &str) -> Result<(), ControlError> {
    if (1..=253).contains(&name.len()) && !name.contains(char::is_control) {
        return Ok(());
    }
    let message = "a name has 1 to 253 octets and no control characters";
    Err(ControlError::new(ErrorCode::BadRequest, message))
}

fn outside(error: NotInPools) -> ControlError {
    ControlError::new(ErrorCode::OutsidePools, error)
        .hint("only prefixes of the configured BGP pools are announced")
}

fn refused(error: AllocateError) -> ControlError {
    if let AllocateError::NotInPools(error) = error {
        outside(error)
    } else {
        ControlError::new(ErrorCode::Allocation, error)
    }
}
