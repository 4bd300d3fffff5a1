//! Address pools: the address that each name holds. Nothing here depends on how addresses are announced.
//!
//! The rules are those of MetalLB's allocator. It leaves two things to chance: here pools are tried in the order of the
//! configuration, and a name that holds an address keeps it. The first free address is the lowest.

mod error;
mod range;
mod ranges;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

pub use error::AllocateError;
pub(crate) use ranges::Ranges;

use crate::value::Name;

/// A requested address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Any address of a pool with `auto_assign`.
    Any,
    /// Any address of the pool with this name.
    Pool(String),
    /// This address.
    Address(IpAddr),
}

/// The address that a name holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The name. It holds one address.
    pub name: Name,
    /// The address.
    pub address: IpAddr,
    /// The name of the address's pool.
    pub pool: Arc<str>,
}

/// A pool of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressPool {
    /// The name, unique among the pools.
    pub name: Arc<str>,
    /// The addresses: networks that do not overlap, within a pool or across pools.
    pub ranges: Vec<IpNet>,
    /// `true` if IPv4 addresses that end in .0 or .255 are not assigned.
    pub avoid_buggy_addresses: bool,
    /// `true` if a request that names no pool may get an address of this one.
    pub auto_assign: bool,
}

/// The use of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage<'a> {
    /// The pool.
    pub pool: &'a AddressPool,
    /// The number of addresses that it can assign, at most `u128::MAX`.
    pub capacity: u128,
    /// The number of held addresses.
    pub in_use: usize,
}

/// The pools, and the name that holds each address.
///
/// ```
/// use speakerd::pool::{AddressPool, Allocator, Request};
///
/// let mut allocator = Allocator::new(vec![AddressPool {
///     name: "default".into(),
///     ranges: vec!["192.168.10.0/24".parse()?],
///     avoid_buggy_addresses: true,
///     auto_assign: true,
/// }]);
/// let address = allocator.find(&"nginx".parse()?, &Request::Any, |_| None)?;
/// assert_eq!(address.to_string(), "192.168.10.1");
/// allocator.insert("nginx".parse()?, address)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Allocator {
    pools: Vec<AddressPool>,
    ranges: Ranges,
    leases: BTreeMap<Name, IpAddr>,
    holders: BTreeMap<IpAddr, Name>,
    /// For the first address of a range, an address below which none of the range is free. Without an entry, the first.
    floors: BTreeMap<IpAddr, IpAddr>,
}

impl Allocator {
    /// Creates an allocator that has assigned no address.
    #[must_use]
    pub fn new(pools: Vec<AddressPool>) -> Self {
        Self {
            ranges: Ranges::new(pools.iter().map(|pool| pool.ranges.as_slice())),
            pools,
            leases: BTreeMap::new(),
            holders: BTreeMap::new(),
            floors: BTreeMap::new(),
        }
    }

    /// Returns the address that a name gets on a request: the one that it holds, or a free one. `used` returns the use of an
    /// address that cannot be assigned although no name holds it.
    ///
    /// # Errors
    ///
    /// The request contradicts the name's lease or the pools, or no address is free.
    pub fn find(
        &mut self,
        name: &Name,
        request: &Request,
        used: impl Fn(IpAddr) -> Option<Cow<'static, str>>,
    ) -> Result<IpAddr, AllocateError> {
        if let Some(lease) = self.lease(name) {
            return held(lease, request);
        }
        match request {
            Request::Any => self.first_free(|pool| pool.auto_assign, used),
            Request::Pool(wanted) => {
                if !self.pools.iter().any(|pool| &*pool.name == wanted) {
                    return Err(AllocateError::UnknownPool {
                        pool: wanted.clone(),
                        known: self
                            .pools
                            .iter()
                            .map(|pool| Arc::clone(&pool.name))
                            .collect(),
                    });
                }
                self.first_free(|pool| &*pool.name == wanted, used)
            }
            Request::Address(address) => {
                self.check(*address)?;
                match used(*address) {
                    None => Ok(*address),
                    Some(used) => Err(AllocateError::Taken {
                        address: *address,
                        used: used.into_owned(),
                    }),
                }
            }
        }
    }

    /// Assigns an address to a name that holds none. Returns the lease.
    ///
    /// # Errors
    ///
    /// No pool assigns the address, or another name holds it.
    pub fn insert(&mut self, name: Name, address: IpAddr) -> Result<Lease, AllocateError> {
        let pool = self.check(address)?;
        if let Some(lease) = self.lease(&name) {
            return Err(AllocateError::Holds {
                name,
                address: lease.address,
                pool: lease.pool,
            });
        }
        self.holders.insert(address, name.clone());
        self.leases.insert(name.clone(), address);
        Ok(Lease {
            name,
            address,
            pool,
        })
    }

    /// Takes the address of a name back. The next request may get it.
    pub fn remove(&mut self, name: &Name) -> Option<Lease> {
        let lease = self.lease(name)?;
        self.leases.remove(name);
        self.holders.remove(&lease.address);
        self.freed(lease.address);
        Some(lease)
    }

    /// Notes that an address may be free again that was used without a lease.
    pub fn freed(&mut self, address: IpAddr) {
        let range = self.ranges.of_address(address);
        if let Some(floor) = range.and_then(|(range, _)| self.floors.get_mut(&range.network())) {
            *floor = address.min(*floor);
        }
    }

    /// Returns the lease of a name.
    #[must_use]
    pub fn lease(&self, name: &Name) -> Option<Lease> {
        let address = *self.leases.get(name)?;
        Some(Lease {
            name: name.clone(),
            address,
            pool: self.pool_name(address)?,
        })
    }

    /// Returns all leases, by name.
    pub fn leases(&self) -> impl Iterator<Item = Lease> {
        self.leases.iter().filter_map(|(name, address)| {
            Some(Lease {
                name: name.clone(),
                address: *address,
                pool: self.pool_name(*address)?,
            })
        })
    }

    /// Returns the use of each pool, in the order of the configuration.
    pub fn usage(&self) -> impl Iterator<Item = Usage<'_>> {
        self.pools.iter().map(|pool| Usage {
            pool,
            capacity: range::capacity(pool),
            in_use: pool.ranges.iter().map(|range| self.in_use(*range)).sum(),
        })
    }

    fn pool_name(&self, address: IpAddr) -> Option<Arc<str>> {
        let (_, position) = self.ranges.of_address(address)?;
        Some(Arc::clone(&self.pools.get(position)?.name))
    }

    fn in_use(&self, range: IpNet) -> usize {
        self.holders
            .range(range.network()..=range.broadcast())
            .count()
    }

    /// Returns the name of the pool that can assign an address.
    ///
    /// # Errors
    ///
    /// No pool assigns the address, or a name holds it.
    pub fn check(&self, address: IpAddr) -> Result<Arc<str>, AllocateError> {
        let position = self.ranges.of_address(address);
        let pool = position.and_then(|(_, position)| self.pools.get(position));
        let pool = pool.ok_or(AllocateError::NoPoolHas(address))?;
        if !range::is_usable(pool, address) {
            return Err(AllocateError::Buggy {
                address,
                pool: Arc::clone(&pool.name),
            });
        }
        match self.holders.get(&address) {
            Some(name) => Err(AllocateError::InUse {
                address,
                name: name.clone(),
            }),
            None => Ok(Arc::clone(&pool.name)),
        }
    }

    /// Returns the lowest free address of the first pool that has one.
    fn first_free(
        &mut self,
        serves: impl Fn(&AddressPool) -> bool,
        used: impl Fn(IpAddr) -> Option<Cow<'static, str>>,
    ) -> Result<IpAddr, AllocateError> {
        let pools = || self.pools.iter().filter(|pool| serves(pool));
        for pool in pools() {
            for range in &pool.ranges {
                let first = range.network();
                let floor = self.floors.get(&first).copied().unwrap_or(first);
                let found = lowest_free(pool, *range, floor, &self.holders, &used);
                self.floors
                    .insert(first, found.unwrap_or_else(|| range.broadcast()));
                if let Some(address) = found {
                    return Ok(address);
                }
            }
        }
        let pools: Vec<_> = pools().map(|pool| Arc::clone(&pool.name)).collect();
        if pools.is_empty() {
            Err(AllocateError::NoPool)
        } else {
            Err(AllocateError::Exhausted { pools })
        }
    }
}

/// Returns the lowest address of a range, from `floor` on, that the pool assigns and that is not in use.
fn lowest_free(
    pool: &AddressPool,
    range: IpNet,
    floor: IpAddr,
    holders: &BTreeMap<IpAddr, Name>,
    used: impl Fn(IpAddr) -> Option<Cow<'static, str>>,
) -> Option<IpAddr> {
    let last = range.broadcast();
    let mut candidate = floor;
    let mut held = holders
        .range(floor..=last)
        .map(|(address, _)| *address)
        .peekable();
    // Each turn passes an address that is in use, or one of the two in 256 that are not assigned.
    loop {
        let is_held = held.next_if_eq(&candidate).is_some();
        if !is_held && range::is_usable(pool, candidate) && used(candidate).is_none() {
            return Some(candidate);
        }
        candidate = range::successor(candidate).filter(|next| *next <= last)?;
    }
}

/// Returns the address of a lease if it answers the request.
fn held(lease: Lease, request: &Request) -> Result<IpAddr, AllocateError> {
    let answers = match request {
        Request::Any => true,
        Request::Pool(pool) => *pool == *lease.pool,
        Request::Address(address) => lease.address == *address,
    };
    if answers {
        Ok(lease.address)
    } else {
        Err(AllocateError::Holds {
            name: lease.name,
            address: lease.address,
            pool: lease.pool,
        })
    }
}

#[cfg(test)]
mod tests;
