//! Why an address was not handed out, or a prefix may not be announced.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use thiserror::Error;

/// A request for an address was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AllocateError {
    /// The name has a lease already, and it is not what was asked for.
    #[error("`{name}` holds {address} of the pool `{pool}`; release it first")]
    Holds {
        /// The name.
        name: String,
        /// Its address.
        address: IpAddr,
        /// The pool of that address.
        pool: String,
    },
    /// The configuration has no pool of that name.
    #[error("there is no pool `{pool}`; the BGP pools are {}", quoted(known))]
    UnknownPool {
        /// The name that was asked for.
        pool: String,
        /// The names of the BGP pools.
        known: Vec<String>,
    },
    /// The pool is there, but its addresses are not announced.
    #[error("the pool `{pool}` is a layer2 pool, which is not announced by BGP")]
    Layer2 {
        /// The pool.
        pool: String,
    },
    /// The address is in no pool that is announced.
    #[error(transparent)]
    NotInPools(#[from] NotInPools),
    /// The pool keeps such addresses back.
    #[error(
        "{address} ends in .0 or .255, and avoid-buggy-addresses (avoid-buggy-ips) of the pool `{pool}` keeps those back"
    )]
    Buggy {
        /// The address that was asked for.
        address: IpAddr,
        /// Its pool.
        pool: String,
    },
    /// The address is someone else's.
    #[error("{address} is held by `{name}`")]
    InUse {
        /// The address that was asked for.
        address: IpAddr,
        /// Who holds it.
        name: String,
    },
    /// All addresses of the pools that could serve the request are held.
    #[error("no address is free in {}", quoted(pools))]
    Exhausted {
        /// The pools, in the order in which they were tried.
        pools: Vec<String>,
    },
    /// The request names no pool, and no pool serves such requests.
    #[error("no BGP pool has auto-assign; name a pool")]
    NoPool,
}

/// A prefix does not lie in a BGP pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotInPools {
    /// The prefix.
    pub prefix: IpNet,
    /// The layer2 pool that it lies in.
    pub layer2: Option<String>,
    /// The BGP pools and their ranges.
    pub pools: Vec<(String, Vec<IpNet>)>,
}

impl fmt::Display for NotInPools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.layer2 {
            Some(pool) => write!(
                f,
                "{} lies in the pool `{pool}`, a layer2 pool, which is not announced by BGP",
                self.prefix
            )?,
            None => write!(f, "{} does not lie in a BGP pool", self.prefix)?,
        }
        if self.pools.is_empty() {
            return f.write_str("; the configuration has no BGP pool");
        }
        f.write_str("; the BGP pools are ")?;
        for (index, (name, ranges)) in self.pools.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}`{name}` (")?;
            for (index, range) in ranges.iter().enumerate() {
                let separator = if index == 0 { "" } else { ", " };
                write!(f, "{separator}{range}")?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl std::error::Error for NotInPools {}

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    format!("`{}`", names.join("`, `"))
}
