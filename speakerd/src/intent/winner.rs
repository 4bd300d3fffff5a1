//! The owner that decides a route, and the attributes that follow.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use super::claims::Claims;
use super::{Announcement, Attributes, Effect, Intent, Owner, Permitted};
use crate::value::Prefix;

/// What decides the attributes of a route.
#[derive(Clone, Debug)]
pub(super) struct Winner {
    announcement: Arc<Announcement>,
    /// An address of the pool.
    address: IpAddr,
}

impl PartialEq for Winner {
    fn eq(&self, other: &Self) -> bool {
        // Announcements are interned.
        Arc::ptr_eq(&self.announcement, &other.announcement) && self.address == other.address
    }
}

impl Intent {
    /// Returns the differences of the touched routes.
    pub(super) fn effects(&self, before: &BTreeMap<Prefix, Option<Winner>>) -> Vec<Effect> {
        let mut resolver = Resolver::new(&self.permitted);
        let effect = |(prefix, before): (&Prefix, &Option<Winner>)| {
            let after = self.winner(*prefix);
            if after == *before {
                return None;
            }
            let Some(after) = after else {
                return Some(Effect::Withdraw(*prefix));
            };
            let attributes = resolver.resolve(*prefix, &after);
            // Another owner may announce the same route.
            let old = before
                .as_ref()
                .map(|before| resolver.resolve(*prefix, before));
            (old.as_ref() != Some(&attributes)).then_some(Effect::Announce(*prefix, attributes))
        };
        before.iter().filter_map(effect).collect()
    }

    /// Returns the first of the owners whose routes are permitted.
    pub(super) fn first_owner(&self, prefix: Prefix) -> Option<Owner> {
        let claims = self.claims.get(&prefix)?;
        let permitted = self.permitted.pool_of(prefix).is_ok();
        let mut owners = claims.iter().map(|(owner, _)| owner);
        owners
            .find(|owner| permitted || matches!(owner, Owner::Lease(_)))
            .cloned()
    }

    pub(super) fn winner(&self, prefix: Prefix) -> Option<Winner> {
        self.winner_of(prefix, self.claims.get(&prefix)?)
    }

    pub(super) fn winner_of(&self, prefix: Prefix, claims: &Claims) -> Option<Winner> {
        // An aggregate of a lease may have addresses outside of the pool: the configuration asks for it.
        let permitted = self.permitted.pool_of(prefix).is_ok();
        claims.iter().find_map(|(owner, announcement)| {
            let address = match owner {
                Owner::Lease(name) => self.allocator.lease(name)?.address,
                Owner::Config | Owner::Operator | Owner::Client(_) | Owner::External(_) => {
                    permitted.then(|| prefix.network().network())?
                }
            };
            Some(Winner {
                announcement: Arc::clone(announcement),
                address,
            })
        })
    }
}

/// Resolves attributes, and shares equal ones.
pub(super) struct Resolver<'a> {
    permitted: &'a Permitted,
    /// By announcement, position of the pool, and prefix length. Nothing else decides.
    known: HashMap<(*const Announcement, Option<usize>, u8), Arc<Attributes>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(permitted: &'a Permitted) -> Self {
        Self {
            permitted,
            known: HashMap::new(),
        }
    }

    pub(super) fn resolve(&mut self, prefix: Prefix, winner: &Winner) -> Arc<Attributes> {
        let key = (
            Arc::as_ptr(&winner.announcement),
            self.permitted.position_of(winner.address),
            prefix.network().prefix_len(),
        );
        let attributes = || {
            let permitted = self.permitted;
            Arc::new(permitted.resolve(prefix, winner.address, &winner.announcement))
        };
        Arc::clone(self.known.entry(key).or_insert_with(attributes))
    }
}
