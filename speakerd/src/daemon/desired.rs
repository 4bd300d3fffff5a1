//! What is to be announced, and why: announcements by hand, and leases.
//!
//! Every change is judged, made durable, and only then made; a change that fails on the way has not been made.

use std::collections::BTreeMap;
use std::path::Path;

use bgp_session::{Route, Speaker};
use bgp_wire::{AttributeSet, Community, LargeCommunity};
use ipnet::IpNet;

use crate::config::{Advertisement, Config, RouteDefaults};
use crate::control::{
    Allocate, Allocated, Announce, AnyCommunity, Changed, ControlError, ErrorCode, Prefix,
    RouteInfo, RouteSource,
};
use crate::exit::Failure;
use crate::pool::{AllocateError, Allocator, Lease, NotInPools, Request};
use crate::store::{Record, Store};

#[derive(Debug)]
pub(super) struct Desired {
    allocator: Allocator,
    announced: BTreeMap<Prefix, Announce>,
    defaults: RouteDefaults,
    store: Store,
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
        let mut allocator = Allocator::new(&config.pools);
        for (name, address) in &state.leases {
            // The lease stays in the journal: a configuration that has room for it brings it back.
            if let Err(error) = allocator.restore(name, *address) {
                tracing::error!(%name, %address, "a lease is not announced, the configuration has changed: {error}");
            }
        }
        let mut announced = state.announced;
        announced.retain(|prefix, _| match allocator.announceable(prefix.network()) {
            Ok(_) => true,
            Err(error) => {
                tracing::error!(%prefix, "not announced, the configuration has changed: {error}");
                false
            }
        });
        let desired = Self {
            allocator,
            announced,
            defaults: config.defaults,
            store,
        };
        let announced = desired
            .announced
            .values()
            .map(|announce| desired.announced_route(announce));
        let leased = desired
            .leased()
            .into_iter()
            .map(|(prefix, leased)| desired.leased_route(prefix, &leased.advertisement));
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
        if let Some(leased) = self.leased().get(&prefix.network()) {
            let message = format!(
                "{prefix} is announced for the lease of {}",
                names(&leased.names)
            );
            return Err(
                ControlError::new(ErrorCode::Leased, message).hint("release the lease first")
            );
        }
        if let Some(next_hop) = announce
            .next_hop
            .filter(|next_hop| next_hop.is_ipv4() != prefix.network().addr().is_ipv4())
        {
            let message =
                format!("next hop {next_hop} and prefix {prefix} are of different families");
            return Err(ControlError::new(ErrorCode::BadRequest, message));
        }
        let announce = Announce {
            wait: false,
            ..announce
        };
        let changed = self.announced.get(&prefix) != Some(&announce);
        if changed {
            self.append(&[Record::Announce(announce.clone())])?;
            speaker.announce(&self.announced_route(&announce));
            self.announced.insert(prefix, announce);
        }
        Ok(self.changed(changed, vec![prefix]))
    }

    pub(super) fn withdraw(
        &mut self,
        speaker: &Speaker,
        prefix: Prefix,
    ) -> Result<Changed, ControlError> {
        if let Some(leased) = self.leased().get(&prefix.network()) {
            let message = format!(
                "{prefix} is announced for the lease of {}",
                names(&leased.names)
            );
            return Err(
                ControlError::new(ErrorCode::Leased, message).hint("release the lease instead")
            );
        }
        let changed = self.announced.contains_key(&prefix);
        if changed {
            self.append(&[Record::Withdraw { prefix }])?;
            self.announced.remove(&prefix);
            speaker.withdraw(prefix.network());
        }
        Ok(self.changed(changed, vec![prefix]))
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
        if allocate.name.is_empty() {
            return Err(ControlError::new(
                ErrorCode::BadRequest,
                "the name is empty",
            ));
        }
        let known = self.allocator.lease(&allocate.name).is_some();
        let lease = self
            .allocator
            .allocate(&allocate.name, request)
            .map_err(refused)?;
        if !known && let Err(error) = self.keep(&lease) {
            self.allocator.release(&lease.name);
            return Err(error);
        }
        let mut prefixes = Vec::new();
        for (prefix, advertisement) in self.allocator.routes(lease.address) {
            prefixes.push(Prefix::from(prefix));
            speaker.announce(&self.leased_route(prefix, &advertisement));
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

    /// Makes a new lease durable. An announcement by hand of the same prefix gives way to it.
    fn keep(&mut self, lease: &Lease) -> Result<(), ControlError> {
        let mut records = vec![Record::Lease {
            name: lease.name.clone(),
            address: lease.address,
        }];
        let prefixes: Vec<_> = self
            .allocator
            .routes(lease.address)
            .into_iter()
            .map(|(prefix, _)| prefix.into())
            .collect();
        let replaced = prefixes
            .iter()
            .copied()
            .filter(|prefix| self.announced.contains_key(prefix));
        records.extend(replaced.map(|prefix| Record::Withdraw { prefix }));
        self.append(&records)?;
        self.announced
            .retain(|prefix, _| !prefixes.contains(prefix));
        Ok(())
    }

    pub(super) fn release(
        &mut self,
        speaker: &Speaker,
        name: &str,
    ) -> Result<Changed, ControlError> {
        let Some(lease) = self.allocator.lease(name).cloned() else {
            return Err(ControlError::new(
                ErrorCode::NotFound,
                format!("`{name}` has no lease"),
            ));
        };
        self.append(&[Record::Release {
            name: name.to_owned(),
        }])?;
        self.allocator.release(name);
        let still = self.leased();
        let mut prefixes = Vec::new();
        for (prefix, _) in self.allocator.routes(lease.address) {
            // An aggregate stays while another lease needs it.
            if !still.contains_key(&prefix) {
                prefixes.push(prefix.into());
                speaker.withdraw(prefix);
            }
        }
        Ok(self.changed(true, prefixes))
    }

    pub(super) fn routes(&self, speaker: &Speaker) -> Vec<RouteInfo> {
        let leased = self.leased();
        let mut routes: Vec<_> = speaker
            .routes()
            .iter()
            .map(|route| {
                let names = leased
                    .get(&route.prefix())
                    .map(|leased| leased.names.clone());
                route_info(
                    route,
                    names.map_or(RouteSource::Announced, RouteSource::Leases),
                )
            })
            .collect();
        routes.sort_by_key(|route| route.prefix);
        routes
    }

    /// Every prefix that a lease needs, and the names that need it.
    fn leased(&self) -> BTreeMap<IpNet, Leased> {
        let mut leased = BTreeMap::new();
        for lease in self.allocator.leases() {
            for (prefix, advertisement) in self.allocator.routes(lease.address) {
                let entry = leased.entry(prefix).or_insert_with(|| Leased {
                    names: Vec::new(),
                    advertisement,
                });
                entry.names.push(lease.name.clone());
            }
        }
        leased
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
            Some(address) => route.next_hop(address),
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

struct Leased {
    names: Vec<String>,
    advertisement: Advertisement,
}

fn route_info(route: &Route, source: RouteSource) -> RouteInfo {
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
        prefix: route.prefix().into(),
        next_hop: route.explicit_next_hop(),
        origin: Some(attributes.origin),
        local_pref: attributes.local_pref,
        med: attributes.multi_exit_disc,
        communities: communities.chain(large).collect(),
        source,
    }
}

fn names(names: &[String]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
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
