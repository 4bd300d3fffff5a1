//! Writes claims and leases, with the steps that undo it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::claims::Claims;
use super::winner::Winner;
use super::{Announcement, Intent, Owner, Record, Refusal};
use crate::pool::Lease;
use crate::value::{Name, Prefix};

/// A change on its way.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) records: Vec<Record>,
    pub(super) undo: Vec<Step>,
    /// What decided the touched routes before the change.
    pub(super) before: BTreeMap<Prefix, Option<Winner>>,
}

/// One step back: the value that a part of the intent had.
#[derive(Debug)]
pub(super) enum Step {
    Claim(Prefix, Owner, Option<Arc<Announcement>>),
    Lease(Name, Option<(IpAddr, Owner)>),
    Dormant(Name, Option<(IpAddr, Owner)>),
}

impl Intent {
    /// Gives a name the address that it held before.
    pub(super) fn lease_again(
        &mut self,
        draft: &mut Draft,
        name: &Name,
        address: IpAddr,
        holder: &Owner,
    ) -> Result<(), Refusal> {
        self.permitted.pool_of(IpNet::from(address).into())?;
        self.allocator.check(address)?;
        self.set_lease(draft, name, Some((address, holder.clone())));
        Ok(())
    }

    /// Sets or removes the announcement of an owner. Returns `true` if that is a change.
    pub(super) fn set_claim(
        &mut self,
        draft: &mut Draft,
        prefix: Prefix,
        owner: &Owner,
        announcement: Option<Arc<Announcement>>,
    ) -> bool {
        let old = self
            .claims
            .get(&prefix)
            .and_then(|claims| claims.get(owner))
            .cloned();
        if old == announcement {
            return false;
        }
        let before = self.winner(prefix);
        draft.before.entry(prefix).or_insert(before);
        draft.undo.push(Step::Claim(prefix, owner.clone(), old));
        self.write_claim(prefix, owner, announcement);
        true
    }

    fn write_claim(
        &mut self,
        prefix: Prefix,
        owner: &Owner,
        announcement: Option<Arc<Announcement>>,
    ) {
        match (self.claims.get_mut(&prefix), announcement) {
            (None, None) => {}
            (None, Some(announcement)) => {
                self.claims
                    .insert(prefix, Claims::One(owner.clone(), announcement));
            }
            (Some(claims), Some(announcement)) => {
                claims.insert(owner.clone(), announcement);
            }
            (Some(claims), None) => {
                if matches!(claims, Claims::One(only, _) if only == owner) {
                    self.claims.remove(&prefix);
                } else {
                    claims.remove(owner);
                }
                // The address may be free for a lease now.
                self.allocator.freed(prefix.network().addr());
            }
        }
    }

    /// Sets or removes the lease of a name, and the routes that follow from it.
    pub(super) fn set_lease(
        &mut self,
        draft: &mut Draft,
        name: &Name,
        lease: Option<(IpAddr, Owner)>,
    ) {
        let old = self
            .allocator
            .lease(name)
            .zip(self.holders.get(name).cloned());
        let owner = Owner::Lease(name.clone());
        if let Some((Lease { address, .. }, holder)) = old {
            for prefix in self.permitted.prefixes_for(address) {
                self.set_claim(draft, prefix, &owner, None);
            }
            self.write_lease(name, None);
            draft
                .undo
                .push(Step::Lease(name.clone(), Some((address, holder))));
        }
        if let Some((address, holder)) = lease {
            self.write_lease(name, Some((address, holder)));
            draft.undo.push(Step::Lease(name.clone(), None));
            let announcement = self.intern(Announcement::default());
            for prefix in self.permitted.prefixes_for(address) {
                self.set_claim(draft, prefix, &owner, Some(Arc::clone(&announcement)));
            }
        }
    }

    fn write_lease(&mut self, name: &Name, lease: Option<(IpAddr, Owner)>) {
        match lease {
            None => {
                self.allocator.remove(name);
                self.holders.remove(name);
            }
            Some((address, holder)) => {
                let inserted = self.allocator.insert(name.clone(), address);
                debug_assert!(inserted.is_ok(), "the address was found free: {inserted:?}");
                self.holders.insert(name.clone(), holder);
            }
        }
    }

    pub(super) fn undo(&mut self, steps: Vec<Step>) {
        for step in steps.into_iter().rev() {
            match step {
                Step::Claim(prefix, owner, old) => self.write_claim(prefix, &owner, old),
                Step::Lease(name, old) => self.write_lease(&name, old),
                Step::Dormant(name, Some(old)) => drop(self.dormant.insert(name, old)),
                Step::Dormant(name, None) => drop(self.dormant.remove(&name)),
            }
        }
    }

    /// Returns a shared copy of an announcement.
    pub(super) fn intern(&mut self, announcement: Announcement) -> Arc<Announcement> {
        if let Some(known) = self.announcements.get(&announcement) {
            return Arc::clone(known);
        }
        if self.announcements.len() >= self.sweep_at {
            self.announcements
                .retain(|known| Arc::strong_count(known) > 1);
            // At twice what is in use, so that a sweep costs little for each announcement.
            self.sweep_at = (2 * self.announcements.len()).max(64);
        }
        let shared = Arc::new(announcement);
        self.announcements.insert(Arc::clone(&shared));
        shared
    }
}
