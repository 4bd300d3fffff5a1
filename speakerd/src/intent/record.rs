//! `Record`: one durable part of a change.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::announcement::Announcement;
use super::owner::Owner;
use crate::value::{Name, Prefix};

/// One part of a change, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Record {
    /// An owner announces a route, in place of what it announced for the prefix before.
    Announce {
        /// The owner.
        owner: Owner,
        /// The destination.
        prefix: Prefix,
        /// The attributes that the owner sets.
        #[serde(default)]
        announcement: Announcement,
    },
    /// An owner no longer announces a route.
    Withdraw {
        /// The owner.
        owner: Owner,
        /// The destination.
        prefix: Prefix,
    },
    /// A name holds an address.
    Lease {
        /// The name.
        name: Name,
        /// The address.
        address: IpAddr,
        /// The owner that asked for it.
        holder: Owner,
    },
    /// A name no longer holds an address.
    Release {
        /// The name.
        name: Name,
    },
}

impl Record {
    /// Returns `true` if the record only takes something away.
    #[must_use]
    pub fn is_removal(&self) -> bool {
        matches!(self, Self::Withdraw { .. } | Self::Release { .. })
    }
}
