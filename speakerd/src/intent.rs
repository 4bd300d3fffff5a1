//! The intent: what is to be announced, who wants it, and what follows from it. No I/O, no clock, no protocol.
//!
//! A [`Change`] of an [`Owner`] is applied in memory. Its records are then made durable, and only after that its effects are
//! carried out; if they cannot be made durable, the change is reverted. Several changes may be applied before the first of
//! them is durable, so that one write serves all. They are then reverted in the opposite order.

mod announcement;
mod change;
mod claims;
mod effect;
mod owner;
mod perform;
mod permitted;
mod record;
mod refusal;
mod winner;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

pub use announcement::{Announcement, Attributes};
pub use change::{Applied, Change, LeaseRequest, Outcome};
pub use effect::Effect;
pub use owner::Owner;
pub use permitted::{NotInPools, Permitted};
pub use record::Record;
pub use refusal::Refusal;

use claims::Claims;
use winner::Resolver;
use write::Draft;

use crate::pool::Allocator;
use crate::value::{Name, Prefix};

/// What is to be announced, and for whom.
///
/// ```
/// use speakerd::config::{ARTICLE, Config};
/// use speakerd::intent::{Change, Effect, Intent, LeaseRequest, Owner, Permitted};
/// use speakerd::pool::Request;
///
/// let loaded = Config::parse("metallb.yaml", ARTICLE)?;
/// let mut intent = Intent::new(Permitted::new(&loaded.config));
/// let lease = LeaseRequest { name: "nginx".parse()?, request: Request::Any };
/// let applied = intent.apply(Change::Allocate(Owner::Operator, vec![lease]))?;
/// let [Effect::Announce(prefix, _)] = &applied.effects[..] else { panic!("one route") };
/// assert_eq!(prefix.to_string(), "192.168.10.1/32");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Intent {
    permitted: Permitted,
    allocator: Allocator,
    /// The owner that asked for each lease.
    holders: BTreeMap<Name, Owner>,
    claims: BTreeMap<Prefix, Claims>,
    /// Leases for whose addresses the configuration has no place. A later configuration may have one.
    dormant: BTreeMap<Name, (IpAddr, Owner)>,
    /// The announcements in use, each once.
    announcements: BTreeSet<Arc<Announcement>>,
    /// The number of announcements at which those that are no longer used are removed.
    sweep_at: usize,
}

impl Intent {
    /// Creates an intent without routes and leases.
    #[must_use]
    pub fn new(permitted: Permitted) -> Self {
        Self {
            allocator: Allocator::new(permitted.address_pools()),
            permitted,
            holders: BTreeMap::new(),
            claims: BTreeMap::new(),
            dormant: BTreeMap::new(),
            announcements: BTreeSet::new(),
            sweep_at: 64,
        }
    }

    /// Makes a change, if all of it is possible.
    ///
    /// # Errors
    ///
    /// An item of the change is not possible. Nothing was changed.
    pub fn apply(&mut self, change: Change) -> Result<Applied, Refusal> {
        let mut draft = Draft::default();
        match self.perform(change, &mut draft) {
            Ok(outcomes) => Ok(Applied {
                effects: self.effects(&draft.before),
                records: draft.records,
                undo: draft.undo,
                outcomes,
            }),
            Err(refusal) => {
                self.undo(draft.undo);
                Err(refusal)
            }
        }
    }

    /// Undoes a change whose records could not be made durable. Later changes must have been undone before.
    pub fn revert(&mut self, applied: Applied) {
        self.undo(applied.undo);
    }

    /// Restores one record of the journal.
    ///
    /// # Errors
    ///
    /// Returns the reason if the route or the lease has no place in this configuration. It is kept, and returns with a
    /// configuration that has one.
    pub fn restore(&mut self, record: Record) -> Result<(), Refusal> {
        let draft = &mut Draft::default();
        match record {
            Record::Announce {
                owner,
                prefix,
                announcement,
            } => {
                let announcement = self.intern(announcement);
                self.set_claim(draft, prefix, &owner, Some(announcement));
                self.permitted.pool_of(prefix)?;
            }
            Record::Withdraw { owner, prefix } => drop(self.set_claim(draft, prefix, &owner, None)),
            Record::Lease {
                name,
                address,
                holder,
            } => {
                self.set_lease(draft, &name, None);
                self.dormant.remove(&name);
                if let Err(error) = self.lease_again(draft, &name, address, &holder) {
                    self.dormant.insert(name, (address, holder));
                    return Err(error);
                }
            }
            Record::Release { name } => {
                self.set_lease(draft, &name, None);
                self.dormant.remove(&name);
            }
        }
        Ok(())
    }

    /// Returns the records that restore all durable routes and leases.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let routes = self.claims.iter().flat_map(|(prefix, claims)| {
            let durable = claims.iter().filter(|(owner, _)| owner.is_durable());
            durable.map(|(owner, announcement)| Record::Announce {
                owner: owner.clone(),
                prefix: *prefix,
                announcement: (**announcement).clone(),
            })
        });
        let active = self.allocator.leases().filter_map(|lease| {
            let holder = self.holders.get(&lease.name)?.clone();
            Some((lease.name, lease.address, holder))
        });
        let dormant = self.dormant.iter();
        let dormant =
            dormant.map(|(name, (address, holder))| (name.clone(), *address, holder.clone()));
        let leases = active
            .chain(dormant)
            .filter(|(_, _, holder)| holder.is_durable());
        routes.chain(leases.map(|(name, address, holder)| Record::Lease {
            name,
            address,
            holder,
        }))
    }

    /// Replaces pools, defaults and reserved addresses. Returns the differences of the announced routes.
    ///
    /// Leases for whose addresses there is no place any more are kept, but not announced.
    pub fn configure(&mut self, permitted: Permitted) -> Vec<Effect> {
        let before: BTreeMap<_, _> = self.announced().collect();
        let leases: Vec<_> = self.allocator.leases().collect();
        let mut draft = Draft::default();
        let mut all = std::mem::take(&mut self.dormant);
        for lease in leases {
            if let Some(holder) = self.holders.get(&lease.name).cloned() {
                all.insert(lease.name.clone(), (lease.address, holder));
            }
            self.set_lease(&mut draft, &lease.name, None);
        }
        self.allocator = Allocator::new(permitted.address_pools());
        self.permitted = permitted;
        for (name, (address, holder)) in all {
            if self
                .lease_again(&mut draft, &name, address, &holder)
                .is_err()
            {
                self.dormant.insert(name, (address, holder));
            }
        }
        let after: BTreeMap<_, _> = self.announced().collect();
        let gone = before.keys().filter(|prefix| !after.contains_key(*prefix));
        let withdrawn = gone.map(|prefix| Effect::Withdraw(*prefix));
        let changed = after
            .iter()
            .filter(|(prefix, attributes)| before.get(*prefix) != Some(*attributes));
        let announced =
            changed.map(|(prefix, attributes)| Effect::Announce(*prefix, Arc::clone(attributes)));
        withdrawn.chain(announced).collect()
    }

    /// Returns every announced route with its attributes, by prefix.
    pub fn announced(&self) -> impl Iterator<Item = (Prefix, Arc<Attributes>)> {
        let mut resolver = Resolver::new(&self.permitted);
        self.claims.iter().filter_map(move |(prefix, claims)| {
            let winner = self.winner_of(*prefix, claims)?;
            Some((*prefix, resolver.resolve(*prefix, &winner)))
        })
    }

    /// Returns the owners of a route, the one that decides first.
    pub fn owners(&self, prefix: Prefix) -> impl Iterator<Item = &Owner> {
        let claims = self.claims.get(&prefix).into_iter();
        claims.flat_map(Claims::iter).map(|(owner, _)| owner)
    }

    /// Returns the durable routes and leases that are not announced, because the configuration has no place for them, each with
    /// the reason.
    pub fn dormant(&self) -> impl Iterator<Item = (String, String)> {
        let routes = self.claims.keys().filter_map(|prefix| {
            let error = self.permitted.pool_of(*prefix).err()?;
            let announced = self.winner(*prefix).is_some();
            (!announced).then(|| (prefix.to_string(), error.to_string()))
        });
        let leases = self.dormant.iter().map(|(name, (address, _))| {
            let error = self.permitted.pool_of(IpNet::from(*address).into()).err();
            let reason = match (error, self.allocator.check(*address).err()) {
                (Some(error), _) => error.to_string(),
                (None, Some(error)) => error.to_string(),
                (None, None) => "the address was in use".to_owned(),
            };
            (format!("{address} of `{name}`"), reason)
        });
        routes.chain(leases)
    }

    /// Returns the addresses that names hold.
    #[must_use]
    pub fn allocator(&self) -> &Allocator {
        &self.allocator
    }
}

#[cfg(test)]
mod tests;
