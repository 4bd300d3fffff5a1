//! Makes the changes: checks each item, sets claims and leases, and notes what must become durable.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::claims::Claims;
use super::write::{Draft, Step};
use super::{Announcement, Change, Intent, LeaseRequest, Outcome, Owner, Record, Refusal};
use crate::pool::Request;
use crate::value::{Name, Prefix};

impl Intent {
    pub(super) fn perform(
        &mut self,
        change: Change,
        draft: &mut Draft,
    ) -> Result<Vec<Outcome>, Refusal> {
        match change {
            Change::Announce(owner, routes) => self.announce_all(draft, &owner, routes),
            Change::Withdraw(owner, prefixes) => {
                let withdraw = |prefix| self.withdraw(draft, &owner, prefix);
                Ok(prefixes.into_iter().map(withdraw).collect())
            }
            Change::Allocate(holder, requests) => self.allocate_all(draft, &holder, requests),
            Change::Release(owner, names) => {
                let release = |name| self.release(draft, &owner, name);
                names.into_iter().map(release).collect()
            }
            Change::Replace(owner, routes, leases) => self.replace(draft, &owner, routes, leases),
        }
    }

    fn replace(
        &mut self,
        draft: &mut Draft,
        owner: &Owner,
        routes: Vec<(Prefix, Announcement)>,
        leases: Vec<LeaseRequest>,
    ) -> Result<Vec<Outcome>, Refusal> {
        let kept: BTreeSet<_> = routes.iter().map(|(prefix, _)| *prefix).collect();
        let obsolete = self
            .claims
            .iter()
            .filter(|(prefix, claims)| !kept.contains(*prefix) && claims.get(owner).is_some());
        let obsolete: Vec<_> = obsolete.map(|(prefix, _)| *prefix).collect();
        let names: BTreeSet<_> = leases.iter().map(|lease| &lease.name).collect();
        let dormant = self
            .dormant
            .iter()
            .map(|(name, (_, holder))| (name, holder));
        let held = self.holders.iter().chain(dormant);
        let released = held.filter(|(name, holder)| *holder == owner && !names.contains(name));
        let released: Vec<_> = released.map(|(name, _)| name.clone()).collect();
        // What is freed first may be assigned again.
        let mut outcomes = Vec::new();
        for prefix in obsolete {
            outcomes.push(self.withdraw(draft, owner, prefix));
        }
        for name in released {
            outcomes.push(self.release(draft, owner, name)?);
        }
        outcomes.extend(self.allocate_all(draft, owner, leases)?);
        outcomes.extend(self.announce_all(draft, owner, routes)?);
        Ok(outcomes)
    }

    fn announce_all(
        &mut self,
        draft: &mut Draft,
        owner: &Owner,
        routes: Vec<(Prefix, Announcement)>,
    ) -> Result<Vec<Outcome>, Refusal> {
        let announce = |(prefix, announcement)| self.announce(draft, owner, prefix, announcement);
        routes.into_iter().map(announce).collect()
    }

    fn announce(
        &mut self,
        draft: &mut Draft,
        owner: &Owner,
        prefix: Prefix,
        announcement: Announcement,
    ) -> Result<Outcome, Refusal> {
        self.permitted.pool_of(prefix)?;
        let address = prefix.network().network();
        let attributes = self.permitted.resolve(prefix, address, &announcement);
        attributes.check(prefix).map_err(Refusal::Unusable)?;
        let announcement = self.intern(announcement);
        let changed = self.set_claim(draft, prefix, owner, Some(Arc::clone(&announcement)));
        if changed && owner.is_durable() {
            draft.records.push(Record::Announce {
                owner: owner.clone(),
                prefix,
                announcement: (*announcement).clone(),
            });
        }
        Ok(Outcome::Announced {
            prefix,
            changed,
            behind: self.first_owner(prefix).filter(|first| first != owner),
        })
    }

    fn withdraw(&mut self, draft: &mut Draft, owner: &Owner, prefix: Prefix) -> Outcome {
        let changed = self.set_claim(draft, prefix, owner, None);
        if changed && owner.is_durable() {
            draft.records.push(Record::Withdraw {
                owner: owner.clone(),
                prefix,
            });
        }
        Outcome::Withdrawn {
            prefix,
            changed,
            remains: self.first_owner(prefix),
        }
    }

    fn allocate_all(
        &mut self,
        draft: &mut Draft,
        holder: &Owner,
        requests: Vec<LeaseRequest>,
    ) -> Result<Vec<Outcome>, Refusal> {
        let allocate =
            |LeaseRequest { name, request }| self.allocate(draft, holder, name, &request);
        requests.into_iter().map(allocate).collect()
    }

    fn allocate(
        &mut self,
        draft: &mut Draft,
        holder: &Owner,
        name: Name,
        request: &Request,
    ) -> Result<Outcome, Refusal> {
        match request {
            Request::Pool(pool) if self.permitted.is_layer2(pool) => {
                return Err(Refusal::Layer2(pool.clone()));
            }
            Request::Address(address) => {
                self.permitted.pool_of(IpNet::from(*address).into())?;
            }
            Request::Pool(_) | Request::Any => {}
        }
        if let Some(other) = self
            .holders
            .get(&name)
            .filter(|other| !may_use(holder, other))
        {
            return Err(Refusal::HeldBy {
                name,
                holder: other.clone(),
            });
        }
        let Self {
            allocator,
            permitted,
            claims,
            ..
        } = self;
        let used = |address| {
            permitted
                .used(address)
                .or_else(|| announced_use(claims, address))
        };
        let address = allocator.find(&name, request, used)?;
        let known = allocator.lease(&name).is_some();
        if !known {
            let dormant = self.dormant.remove(&name);
            draft.undo.push(Step::Dormant(name.clone(), dormant));
            self.set_lease(draft, &name, Some((address, holder.clone())));
            if holder.is_durable() {
                draft.records.push(Record::Lease {
                    name: name.clone(),
                    address,
                    holder: holder.clone(),
                });
            }
        }
        let lease = self.allocator.lease(&name);
        Ok(Outcome::Allocated {
            address,
            pool: lease.map_or_else(|| "".into(), |lease| lease.pool),
            prefixes: self.permitted.prefixes_for(address),
            known,
            name,
        })
    }

    fn release(
        &mut self,
        draft: &mut Draft,
        owner: &Owner,
        name: Name,
    ) -> Result<Outcome, Refusal> {
        let dormant = self.dormant.get(&name).map(|(_, holder)| holder);
        let Some(holder) = self.holders.get(&name).or(dormant).cloned() else {
            return Err(Refusal::NoLease(name));
        };
        if !may_use(owner, &holder) {
            return Err(Refusal::HeldBy { name, holder });
        }
        let lease = self.allocator.lease(&name);
        self.set_lease(draft, &name, None);
        let dormant = self.dormant.remove(&name);
        draft.undo.push(Step::Dormant(name.clone(), dormant));
        if holder.is_durable() {
            draft.records.push(Record::Release { name: name.clone() });
        }
        let prefixes =
            lease.map_or_else(Vec::new, |lease| self.permitted.prefixes_for(lease.address));
        let prefixes = prefixes
            .into_iter()
            .map(|prefix| (prefix, self.first_owner(prefix)));
        Ok(Outcome::Released {
            prefixes: prefixes.collect(),
            name,
        })
    }
}

/// Returns `true` if an owner may use or release the lease of another.
fn may_use(owner: &Owner, holder: &Owner) -> bool {
    owner == holder || *owner == Owner::Operator
}

/// Returns the use of an address that an owner announces as a host route without a lease.
fn announced_use(claims: &BTreeMap<Prefix, Claims>, address: IpAddr) -> Option<Cow<'static, str>> {
    let claims = claims.get(&IpNet::from(address).into())?;
    let mut owners = claims.iter().map(|(owner, _)| owner);
    let owner = owners.find(|owner| !matches!(owner, Owner::Lease(_)))?;
    Some(format!("announced by {owner}").into())
}
