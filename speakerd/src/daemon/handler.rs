//! Answers the requests of the control socket: changes the intent, makes it durable, and carries out the effects.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bgp_session::{PeerStatus, Speaker, State, WithheldReason};
use bgp_wire::{Asn, Family};

use crate::announce::bgp;
use crate::control::{
    Allocate, Allocated, Announce, Answer, Changed, ControlError, ErrorCode, Handler, PeerInfo,
    Remaining, Request, RouteInfo, RouteSource,
};
use crate::intent::{
    Announcement, Change, Intent, LeaseRequest, NotInPools, Outcome, Owner, Refusal,
};
use crate::pool;
use crate::store::Store;
use crate::value::{Name, Prefix};

/// The speaker, the intent and its journal.
#[derive(Debug)]
pub(super) struct Inner {
    speaker: Speaker,
    state: Mutex<DurableIntent>,
}

#[derive(Debug)]
struct DurableIntent {
    intent: Intent,
    store: Store,
}

impl Inner {
    pub(super) fn new(speaker: Speaker, intent: Intent, store: Store) -> Self {
        Self {
            speaker,
            state: Mutex::new(DurableIntent { intent, store }),
        }
    }

    pub(super) fn speaker(&self) -> &Speaker {
        &self.speaker
    }

    fn state(&self) -> MutexGuard<'_, DurableIntent> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a change durable, and carries it out. Returns the result of its only item, and whether it is durable.
    fn change(&self, change: Change) -> Result<(Option<Outcome>, bool), ControlError> {
        let DurableIntent { intent, store } = &mut *self.state();
        let mut applied = intent.apply(change).map_err(refused)?;
        if let Err(error) = store.append(&applied.records) {
            intent.revert(applied);
            let message = format!("nothing was changed: {error}");
            return Err(ControlError::new(ErrorCode::Storage, message));
        }
        bgp::carry_out(&self.speaker, &applied.effects)?;
        store.compact(intent.records());
        Ok((applied.outcomes.pop(), store.is_durable()))
    }

    fn announce(&self, announce: Announce) -> Result<Answer, ControlError> {
        let prefix = announce.prefix;
        let announcement = Announcement {
            next_hop: announce.next_hop,
            origin: announce.origin,
            local_pref: announce.local_pref,
            med: announce.med,
            communities: announce.communities.into_iter().collect(),
        };
        let change = Change::Announce(Owner::Operator, vec![(prefix, announcement)]);
        let (outcome, durable) = self.change(change)?;
        let changed = matches!(outcome, Some(Outcome::Announced { changed: true, .. }));
        Answer::one(Changed {
            changed,
            prefixes: vec![prefix],
            remaining: Vec::new(),
            durable,
        })
    }

    fn withdraw(&self, prefix: Prefix) -> Result<Answer, ControlError> {
        let change = Change::Withdraw(Owner::Operator, vec![prefix]);
        let (outcome, durable) = self.change(change)?;
        if let Some(Outcome::Withdrawn {
            changed: false,
            remains: Some(owner),
            ..
        }) = outcome
        {
            let message = format!("{prefix} is announced for {owner}");
            return Err(
                ControlError::new(ErrorCode::Leased, message).hint("release the lease instead")
            );
        }
        let Some(Outcome::Withdrawn {
            changed, remains, ..
        }) = outcome
        else {
            return Err(no_outcome());
        };
        let remaining = remains.map(|owner| remaining(prefix, &owner));
        Answer::one(Changed {
            changed,
            prefixes: vec![prefix],
            remaining: remaining.into_iter().collect(),
            durable,
        })
    }

    fn allocate(&self, allocate: Allocate) -> Result<Answer, ControlError> {
        let request = match (allocate.pool, allocate.address) {
            (Some(_), Some(_)) => {
                let message = "a pool or an address can be asked for, not both";
                return Err(ControlError::new(ErrorCode::BadRequest, message));
            }
            (Some(pool), None) => pool::Request::Pool(pool),
            (None, Some(address)) => pool::Request::Address(address),
            (None, None) => pool::Request::Any,
        };
        let name = parse_name(&allocate.name)?;
        let lease = LeaseRequest { name, request };
        let (outcome, durable) = self.change(Change::Allocate(Owner::Operator, vec![lease]))?;
        let Some(Outcome::Allocated {
            name,
            address,
            pool,
            prefixes,
            known,
        }) = outcome
        else {
            return Err(no_outcome());
        };
        Answer::one(Allocated {
            name: name.to_string(),
            address,
            pool: pool.to_string(),
            prefixes,
            known,
            durable,
        })
    }

    fn release(&self, name: &str) -> Result<Answer, ControlError> {
        let name = parse_name(name)?;
        let (outcome, durable) = self.change(Change::Release(Owner::Operator, vec![name]))?;
        let Some(Outcome::Released { prefixes, .. }) = outcome else {
            return Err(no_outcome());
        };
        let withdrawn = prefixes.iter().filter(|(_, remains)| remains.is_none());
        let remains = |(prefix, remains): &(Prefix, Option<Owner>)| {
            remains.as_ref().map(|owner| remaining(*prefix, owner))
        };
        Answer::one(Changed {
            changed: true,
            prefixes: withdrawn.map(|(prefix, _)| *prefix).collect(),
            remaining: prefixes.iter().filter_map(remains).collect(),
            durable,
        })
    }

    fn routes(&self) -> Result<Answer, ControlError> {
        let DurableIntent { intent, .. } = &*self.state();
        Answer::list(intent.announced().map(|(prefix, attributes)| {
            let mut names = Vec::new();
            let mut by_hand = false;
            for owner in intent.owners(prefix) {
                match owner {
                    Owner::Lease(name) => names.push(name.to_string()),
                    Owner::Config | Owner::Operator | Owner::Client(_) | Owner::External(_) => {
                        by_hand = true;
                    }
                }
            }
            RouteInfo {
                prefix,
                next_hop: attributes.next_hop,
                origin: Some(attributes.origin),
                local_pref: attributes.local_pref,
                med: attributes.med,
                communities: attributes.communities.iter().copied().collect(),
                source: if by_hand {
                    RouteSource::Announced
                } else {
                    RouteSource::Leases(names)
                },
            }
        }))
    }
}

impl Handler for Inner {
    fn handle(&self, request: Request) -> Result<Answer, ControlError> {
        match request {
            Request::Announce(announce) => self.announce(announce),
            Request::Withdraw(withdraw) => self.withdraw(withdraw.prefix),
            Request::Allocate(allocate) => self.allocate(allocate),
            Request::Release(release) => self.release(&release.name),
            Request::Routes(_) => self.routes(),
            Request::Peers(_) => {
                let counts = self.speaker.route_counts();
                let peers = self.speaker.peers();
                let info = |peer: &bgp_session::Peer| peer_info(&peer.status(), &counts);
                Answer::list(peers.iter().map(info))
            }
        }
    }

    async fn flush(&self) {
        self.speaker.flush().await;
    }
}

fn remaining(prefix: Prefix, owner: &Owner) -> Remaining {
    Remaining {
        prefix,
        owner: owner.to_string(),
    }
}

fn parse_name(text: &str) -> Result<Name, ControlError> {
    text.parse().map_err(|error: crate::value::ParseNameError| {
        ControlError::new(ErrorCode::BadRequest, error)
    })
}

fn no_outcome() -> ControlError {
    debug_assert!(false, "a change of one item has one outcome");
    ControlError::new(ErrorCode::BadRequest, "the request has no item")
}

fn outside(error: NotInPools) -> ControlError {
    ControlError::new(ErrorCode::OutsidePools, error)
        .hint("only prefixes of the configured BGP pools are announced")
}

fn refused(refusal: Refusal) -> ControlError {
    match refusal {
        Refusal::NotInPools(error) => outside(error),
        Refusal::Unusable(message) => ControlError::new(ErrorCode::BadRequest, message),
        Refusal::NoLease(_) => ControlError::new(ErrorCode::NotFound, refusal),
        Refusal::Layer2(_) | Refusal::Allocate(_) | Refusal::HeldBy { .. } => {
            ControlError::new(ErrorCode::Allocation, refusal)
        }
    }
}

/// Returns the number of seconds since an event.
#[expect(clippy::disallowed_methods, reason = "ages are told to people")]
fn age(event: Instant) -> u64 {
    Instant::now().saturating_duration_since(event).as_secs()
}

fn peer_info(status: &PeerStatus, counts: &[(Family, usize)]) -> PeerInfo {
    let negotiated = status
        .negotiated
        .as_ref()
        .filter(|_| status.state == State::Established);
    let families = negotiated
        .map(|negotiated| negotiated.families())
        .unwrap_or_default();
    let sent = counts
        .iter()
        .filter(|(family, _)| families.contains(*family));
    let prefixes: usize = sent.map(|(_, count)| count).sum();
    let prefixes = u64::try_from(prefixes).unwrap_or(u64::MAX);
    let negotiated_as = negotiated.map(|negotiated| negotiated.peer_as);
    let remote_as = negotiated_as.or_else(|| status.remote_as.asn());
    // The routes of other families are not in `prefixes`.
    let withheld =
        status.withheld.total() - status.withheld.count(WithheldReason::FamilyNotNegotiated);
    let withheld = u64::try_from(withheld).unwrap_or(u64::MAX);
    PeerInfo {
        address: status.address,
        remote_as: remote_as.map_or(0, Asn::number),
        description: status.description.clone(),
        state: status.state.to_string(),
        uptime: status.established_since.map(age),
        messages_received: status.statistics.received.total(),
        messages_sent: status.statistics.sent.total(),
        prefixes_received: status.statistics.prefixes_announced(),
        prefixes_sent: status.up_to_date.then(|| prefixes.saturating_sub(withheld)),
        hold_time: negotiated.map(|negotiated| negotiated.hold_time.seconds()),
        router_id: negotiated.map(|negotiated| negotiated.peer_router_id.to_string()),
        established: status.statistics.established,
        last_error: status.last_error.as_ref().map(ToString::to_string),
        last_error_age: status.last_error_at.map(age),
        last_notification: status.last_notification.as_ref().map(ToString::to_string),
        last_notification_age: status.last_notification.as_ref().map(|last| age(last.at)),
    }
}
