//! Address pools: which address a name gets, and which prefixes may be announced.
//!
//! The rules are those of MetalLB's allocator, with the two that it leaves to chance decided: pools are tried in the
//! order of the file, and a name that holds an address keeps it. The first free address is the lowest.

mod error;
mod range;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

pub use error::{AllocateError, NotInPools};

use crate::config::{Advertisement, Pool, Protocol};

/// Which address is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// One of any pool that has `auto_assign`.
    Any,
    /// One of the pool of this name.
    Pool(&'a str),
    /// This one.
    Address(IpAddr),
}

/// An address that a name holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it: one lease a name. (A second family would make this name and family.)
    pub name: String,
    /// The address.
    pub address: IpAddr,
    /// The name of the pool that the address is in.
    pub pool: String,
}

/// How full a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage<'a> {
    /// The pool.
    pub pool: &'a Pool,
    /// How many addresses it can hand out; at most `u128::MAX`.
    pub capacity: u128,
    /// How many are held.
    pub in_use: usize,
}

/// The pools, and who holds which address of them.
///
/// ```
/// use speakerd::config::{ARTICLE, Config};
/// use speakerd::pool::{Allocator, Request};
///
/// let loaded = Config::parse("metallb.yaml", ARTICLE)?;
/// let mut allocator = Allocator::new(&loaded.config.pools);
/// let lease = allocator.allocate("nginx", Request::Any)?;
/// assert_eq!(lease.address.to_string(), "192.168.10.1");
/// let routes = allocator.routes(lease.address);
/// assert_eq!(routes[0].0.to_string(), "192.168.10.1/32");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Allocator {
    pools: Vec<Pool>,
    leases: BTreeMap<String, Lease>,
    holders: BTreeMap<IpAddr, String>,
    /// For the first address of a range, one below which the range has none free; without an entry, that is the first.
    floors: BTreeMap<IpAddr, IpAddr>,
}

impl Allocator {
    /// An allocator of which no address is held.
    #[must_use]
    pub fn new(pools: &[Pool]) -> Self {
        Self {
            pools: pools.to_vec(),
            leases: BTreeMap::new(),
            holders: BTreeMap::new(),
            floors: BTreeMap::new(),
        }
    }

    /// Hands an address to a name. A name that holds one gets that one, if it is what is asked for.
    ///
    /// # Errors
    ///
    /// If the request contradicts the name's lease or the pools, or nothing is free.
    pub fn allocate(&mut self, name: &str, request: Request<'_>) -> Result<Lease, AllocateError> {
        if let Some(lease) = self.leases.get(name) {
            return held(lease, request);
        }
        let (address, pool) = match request {
            Request::Any => {
                self.first_free(|pool| pool.auto_assign && pool.protocol == Protocol::Bgp)?
            }
            Request::Pool(pool) => {
                self.known(pool)?;
                self.first_free(|candidate| candidate.name == pool)?
            }
            Request::Address(address) => self.exactly(address)?,
        };
        let lease = Lease {
            name: name.to_owned(),
            address,
            pool,
        };
        self.holders.insert(address, name.to_owned());
        self.leases.insert(name.to_owned(), lease.clone());
        Ok(lease)
    }

    /// Hands a name the address that it held before a restart: before any new request, so that old owners win.
    ///
    /// # Errors
    ///
    /// As [`Allocator::allocate`] of that address: it is no longer in the pools, say.
    pub fn restore(&mut self, name: &str, address: IpAddr) -> Result<Lease, AllocateError> {
        self.allocate(name, Request::Address(address))
    }

    /// Takes the address of a name back. The next request may get it.
    pub fn release(&mut self, name: &str) -> Option<Lease> {
        let lease = self.leases.remove(name)?;
        self.holders.remove(&lease.address);
        let range = self
            .pools
            .iter()
            .flat_map(|pool| &pool.ranges)
            .find(|range| range.contains(&lease.address));
        if let Some(floor) = range.and_then(|range| self.floors.get_mut(&range.network())) {
            *floor = lease.address.min(*floor);
        }
        Some(lease)
    }

    /// The lease of a name.
    #[must_use]
    pub fn lease(&self, name: &str) -> Option<&Lease> {
        self.leases.get(name)
    }

    /// All leases, by name.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values()
    }

    /// How full each BGP pool is, in the order of the file.
    pub fn usage(&self) -> impl Iterator<Item = Usage<'_>> {
        self.bgp_pools().map(|pool| Usage {
            pool,
            capacity: range::capacity(pool),
            in_use: pool.ranges.iter().map(|range| self.in_use(*range)).sum(),
        })
    }

    /// The BGP pool that the prefix lies wholly in.
    ///
    /// This is for prefixes that someone asks to announce; the aggregates of [`Allocator::routes`] are the
    /// configuration's own, and of a pool that begins inside a network they may reach beyond it.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn announceable(&self, prefix: IpNet) -> Result<&Pool, NotInPools> {
        let mut pools = self.pools.iter();
        let pool = pools.find(|pool| range::covers(&pool.ranges, prefix));
        match pool {
            Some(pool) if pool.protocol == Protocol::Bgp => Ok(pool),
            layer2 => Err(NotInPools {
                prefix,
                layer2: layer2.map(|pool| pool.name.clone()),
                pools: self
                    .bgp_pools()
                    .map(|pool| (pool.name.clone(), pool.ranges.clone()))
                    .collect(),
            }),
        }
    }

    /// The routes that make an address of a BGP pool known: one for each aggregation length of its pool. Where two
    /// advertisements give the same route, it carries the communities of both.
    #[must_use]
    pub fn routes(&self, address: IpAddr) -> Vec<(IpNet, Advertisement)> {
        let Ok(pool) = self.announceable(IpNet::from(address)) else {
            return Vec::new();
        };
        let mut routes = BTreeMap::<IpNet, Advertisement>::new();
        for advertisement in &pool.advertisements {
            let length = match address {
                IpAddr::V4(_) => advertisement.aggregation_length,
                IpAddr::V6(_) => advertisement.aggregation_length_v6,
            };
            let host = |_| IpNet::from(address);
            let prefix = IpNet::new(address, length).unwrap_or_else(host).trunc();
            routes
                .entry(prefix)
                .and_modify(|route| merge(route, advertisement))
                .or_insert_with(|| advertisement.clone());
        }
        routes.into_iter().collect()
    }

    fn bgp_pools(&self) -> impl Iterator<Item = &Pool> {
        self.pools
            .iter()
            .filter(|pool| pool.protocol == Protocol::Bgp)
    }

    fn in_use(&self, range: IpNet) -> usize {
        self.holders
            .range(range.network()..=range.broadcast())
            .count()
    }

    /// Refuses the name of a pool that cannot serve.
    fn known(&self, name: &str) -> Result<(), AllocateError> {
        match self.pools.iter().find(|pool| pool.name == name) {
            Some(pool) if pool.protocol == Protocol::Bgp => Ok(()),
            Some(pool) => Err(AllocateError::Layer2 {
                pool: pool.name.clone(),
            }),
            None => Err(AllocateError::UnknownPool {
                pool: name.to_owned(),
                known: self.bgp_pools().map(|pool| pool.name.clone()).collect(),
            }),
        }
    }

    fn exactly(&self, address: IpAddr) -> Result<(IpAddr, String), AllocateError> {
        let pool = self.announceable(IpNet::from(address))?;
        if !range::is_usable(pool, address) {
            return Err(AllocateError::Buggy {
                address,
                pool: pool.name.clone(),
            });
        }
        match self.holders.get(&address) {
            Some(name) => Err(AllocateError::InUse {
                address,
                name: name.clone(),
            }),
            None => Ok((address, pool.name.clone())),
        }
    }

    /// The lowest free address of the first pool that has one.
    fn first_free(
        &mut self,
        serves: impl Fn(&Pool) -> bool,
    ) -> Result<(IpAddr, String), AllocateError> {
        let pools = || self.pools.iter().filter(|pool| serves(pool));
        for pool in pools() {
            for range in &pool.ranges {
                let first = range.network();
                let floor = self.floors.get(&first).copied().unwrap_or(first);
                let found = lowest_free(pool, *range, floor, &self.holders);
                self.floors
                    .insert(first, found.unwrap_or_else(|| range.broadcast()));
                if let Some(address) = found {
                    return Ok((address, pool.name.clone()));
                }
            }
        }
        let pools: Vec<_> = pools().map(|pool| pool.name.clone()).collect();
        if pools.is_empty() {
            Err(AllocateError::NoPool)
        } else {
            Err(AllocateError::Exhausted { pools })
        }
    }
}

/// The lowest address of the range, from `floor` on, that the pool hands out and nobody holds.
fn lowest_free(
    pool: &Pool,
    range: IpNet,
    floor: IpAddr,
    holders: &BTreeMap<IpAddr, String>,
) -> Option<IpAddr> {
    let last = range.broadcast();
    let mut candidate = floor;
    let mut held = holders
        .range(floor..=last)
        .map(|(address, _)| *address)
        .peekable();
    // Each turn passes an address that is held, or one of the two in 256 that are kept back.
    loop {
        let is_held = held.next_if_eq(&candidate).is_some();
        if !is_held && range::is_usable(pool, candidate) {
            return Some(candidate);
        }
        candidate = range::successor(candidate).filter(|next| *next <= last)?;
    }
}

/// The lease that a name has, if it answers the request.
fn held(lease: &Lease, request: Request<'_>) -> Result<Lease, AllocateError> {
    let answers = match request {
        Request::Any => true,
        Request::Pool(pool) => lease.pool == pool,
        Request::Address(address) => lease.address == address,
    };
    if answers {
        Ok(lease.clone())
    } else {
        Err(AllocateError::Holds {
            name: lease.name.clone(),
            address: lease.address,
            pool: lease.pool.clone(),
        })
    }
}

/// Adds the communities of another advertisement of the same route.
fn merge(route: &mut Advertisement, other: &Advertisement) {
    let communities: BTreeSet<_> = route
        .communities
        .iter()
        .chain(&other.communities)
        .copied()
        .collect();
    let large = route
        .large_communities
        .iter()
        .chain(&other.large_communities);
    let large: BTreeSet<_> = large.copied().collect();
    route.communities = communities.into_iter().collect();
    route.large_communities = large.into_iter().collect();
}

#[cfg(test)]
mod tests;
