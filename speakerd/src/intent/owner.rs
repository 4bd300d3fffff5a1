//! `Owner`: who wants a route announced.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::value::Name;

/// Who wants a route announced or holds a lease. Of several owners of a route the first in this order decides its attributes,
/// and the others wait behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The configuration.
    Config,
    /// A person or a script, by single requests.
    Operator,
    /// The lease of this name, whose address is announced.
    Lease(Name),
    /// A connection to the control socket. Its routes end with it.
    Client(u64),
    /// A program that replaces its whole set of routes and leases.
    External(Name),
}

impl Owner {
    /// Returns `true` if the routes of this owner survive a restart.
    ///
    /// Those of the configuration are read again, those of a lease follow from it, and those of a connection end with it.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        match self {
            Self::Operator | Self::External(_) => true,
            Self::Config | Self::Lease(_) | Self::Client(_) => false,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("the configuration"),
            Self::Operator => f.write_str("the operator"),
            Self::Lease(name) => write!(f, "the lease of `{name}`"),
            Self::Client(number) => write!(f, "client {number}"),
            Self::External(name) => write!(f, "`{name}`"),
        }
    }
}
