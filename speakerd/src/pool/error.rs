//! `AllocateError`: the reasons for which no address is assigned.

use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error;

use crate::value::Name;

/// A request for an address was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AllocateError {
    /// The name has another lease than the requested one.
    #[error("`{name}` holds {address} of the pool `{pool}`; release it first")]
    Holds {
        /// The name.
        name: Name,
        /// Its address.
        address: IpAddr,
        /// The pool of that address.
        pool: Arc<str>,
    },
    /// No pool has this name.
    #[error("there is no pool `{pool}`; the BGP pools are {}", quoted(known))]
    UnknownPool {
        /// The requested name.
        pool: String,
        /// The names of the pools.
        known: Vec<Arc<str>>,
    },
    /// No pool has the address.
    #[error("{0} is in no pool")]
    NoPoolHas(IpAddr),
    /// The pool does not assign such addresses.
    #[error(
        "{address} ends in .0 or .255, and avoid-buggy-addresses (avoid-buggy-ips) of the pool `{pool}` keeps those back"
    )]
    Buggy {
        /// The requested address.
        address: IpAddr,
        /// Its pool.
        pool: Arc<str>,
    },
    /// Another name has the address.
    #[error("{address} is held by `{name}`")]
    InUse {
        /// The requested address.
        address: IpAddr,
        /// The name that holds it.
        name: Name,
    },
    /// The address is used without a lease.
    #[error("{address} cannot be assigned: it is {used}")]
    Taken {
        /// The requested address.
        address: IpAddr,
        /// Its use, such as `announced by the operator`.
        used: String,
    },
    /// No address of the pools that serve the request is free.
    #[error("no address is free in {}", quoted(pools))]
    Exhausted {
        /// The pools, in the order in which they were tried.
        pools: Vec<Arc<str>>,
    },
    /// The request names no pool, and no pool serves such requests.
    #[error("no BGP pool has auto-assign; name a pool")]
    NoPool,
}

fn quoted(names: &[Arc<str>]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    format!("`{}`", names.join("`, `"))
}
