//! `Change`: what an owner asks for, and what becomes of it.

use std::net::IpAddr;
use std::sync::Arc;

use super::announcement::Announcement;
use super::effect::Effect;
use super::owner::Owner;
use super::record::Record;
use super::write::Step;
use crate::pool::Request;
use crate::value::{Name, Prefix};

/// A request for an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRequest {
    /// The name that is to hold it. A name that holds one keeps it.
    pub name: Name,
    /// The address.
    pub request: Request,
}

/// A change. It is made whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The owner announces these routes, in place of what it announced for the same prefixes.
    Announce(Owner, Vec<(Prefix, Announcement)>),
    /// The owner no longer announces routes to these prefixes.
    Withdraw(Owner, Vec<Prefix>),
    /// Names get addresses, and routes to them are announced.
    Allocate(Owner, Vec<LeaseRequest>),
    /// Names give their addresses back.
    Release(Owner, Vec<Name>),
    /// The routes and leases of the owner are exactly these.
    Replace(Owner, Vec<(Prefix, Announcement)>, Vec<LeaseRequest>),
}

/// The result of one item of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The owner announces a route.
    Announced {
        /// The destination.
        prefix: Prefix,
        /// `false` if it announced the same route before.
        changed: bool,
        /// The owner that goes before and whose attributes are announced.
        behind: Option<Owner>,
    },
    /// The owner does not announce a route.
    Withdrawn {
        /// The destination.
        prefix: Prefix,
        /// `false` if it did not announce it before.
        changed: bool,
        /// The owner for which it stays announced.
        remains: Option<Owner>,
    },
    /// A name holds an address.
    Allocated {
        /// The name.
        name: Name,
        /// The address.
        address: IpAddr,
        /// Its pool.
        pool: Arc<str>,
        /// The prefixes that are announced for it.
        prefixes: Vec<Prefix>,
        /// `true` if the name held it before.
        known: bool,
    },
    /// A name does not hold an address any more.
    Released {
        /// The name.
        name: Name,
        /// The prefixes that were announced for it, each with the owner for which it stays announced.
        prefixes: Vec<(Prefix, Option<Owner>)>,
    },
}

/// A change that was made.
#[derive(Debug)]
#[must_use = "its records must become durable, and its effects must be carried out"]
pub struct Applied {
    /// What must become durable before the effects are carried out.
    pub records: Vec<Record>,
    /// The differences of the announced routes.
    pub effects: Vec<Effect>,
    /// The result of each item, in the order of the change. Those of `Replace` begin with what was removed.
    pub outcomes: Vec<Outcome>,
    pub(super) undo: Vec<Step>,
}
