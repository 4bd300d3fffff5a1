//! Answers the requests of the control socket: changes the intent, makes it durable, and carries out the effects.

use std::io;
use std::sync::{Arc, RwLock};
use std::time::Instant;

use bgp_session::{PeerStatus, Speaker, SpeakerShutDown, State, WithheldReason};
use bgp_wire::{Asn, Family};

use super::commit::{CommitError, Committer, SharedIntent, read};
use crate::control::{
    Allocate, Announce, Answer, Changed, ControlError, ErrorCode, Handler, ItemResult, LeaseItem,
    PeerInfo, Release, Remaining, Replace, Request, RouteInfo, RouteItem, RouteSource, Withdraw,
};
use crate::intent::{
    Announcement, Change, Intent, LeaseRequest, NotInPools, Outcome, Owner, Refusal,
};
use crate::pool;
use crate::store::Store;
use crate::value::Prefix;

/// The speaker, the intent, and the thread that changes it.
#[derive(Debug)]
pub(super) struct Inner {
    speaker: Speaker,
    intent: SharedIntent,
    committer: Committer,
}

impl Inner {
    /// Starts the thread that makes changes.
    ///
    /// # Errors
    ///
    /// The system cannot start a thread.
    pub(super) fn start(speaker: Speaker, intent: Intent, store: Store) -> io::Result<Self> {
        let intent = Arc::new(RwLock::new(intent));
        let committer = Committer::start(Arc::clone(&intent), store, speaker.clone())?;
        Ok(Self {
            speaker,
            intent,
            committer,
        })
    }

    pub(super) fn speaker(&self) -> &Speaker {
        &self.speaker
    }

    /// Ends the thread that makes changes, and closes the journal.
    pub(super) async fn stop(&self) {
        self.committer.stop().await;
    }

    /// Makes a change, and answers with the result of each item.
    async fn change(&self, change: Change) -> Result<Answer, ControlError> {
        let committed = self.committer.commit(change).await.map_err(not_made)?;
        Answer::one(Changed {
            items: committed.outcomes.into_iter().map(item_result).collect(),
            durable: committed.is_durable,
        })
    }

    fn routes(&self) -> Result<Answer, ControlError> {
        let intent = read(&self.intent);
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
    async fn handle(&self, request: Request) -> Result<Answer, ControlError> {
        match request {
            Request::Announce(Announce { routes, .. }) => {
                let routes = routes.into_iter().map(announced_route).collect();
                self.change(Change::Announce(Owner::Operator, routes)).await
            }
            Request::Withdraw(Withdraw { prefixes, .. }) => {
                self.change(Change::Withdraw(Owner::Operator, prefixes))
                    .await
            }
            Request::Allocate(Allocate { leases, .. }) => {
                let leases = lease_requests(leases)?;
                self.change(Change::Allocate(Owner::Operator, leases)).await
            }
            Request::Release(Release { names, .. }) => {
                self.change(Change::Release(Owner::Operator, names)).await
            }
            Request::Replace(Replace {
                owner,
                routes,
                leases,
                ..
            }) => {
                let routes = routes.into_iter().map(announced_route).collect();
                let leases = lease_requests(leases)?;
                let owner = Owner::External(owner);
                self.change(Change::Replace(owner, routes, leases)).await
            }
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

fn announced_route(item: RouteItem) -> (Prefix, Announcement) {
    let announcement = Announcement {
        next_hop: item.next_hop,
        origin: item.origin,
        local_pref: item.local_pref,
        med: item.med,
        communities: item.communities.into_iter().collect(),
    };
    (item.prefix, announcement)
}

fn lease_requests(items: Vec<LeaseItem>) -> Result<Vec<LeaseRequest>, ControlError> {
    let request = |item: LeaseItem| {
        let request = match (item.pool, item.address) {
            (Some(_), Some(_)) => {
                let message = "a pool or an address can be asked for, not both";
                return Err(ControlError::new(ErrorCode::BadRequest, message));
            }
            (Some(pool), None) => pool::Request::Pool(pool),
            (None, Some(address)) => pool::Request::Address(address),
            (None, None) => pool::Request::Any,
        };
        Ok(LeaseRequest {
            name: item.name,
            request,
        })
    };
    items.into_iter().map(request).collect()
}

fn item_result(outcome: Outcome) -> ItemResult {
    let text = |owner: Owner| owner.to_string();
    match outcome {
        Outcome::Announced {
            prefix,
            changed,
            behind,
        } => ItemResult::Announced {
            prefix,
            changed,
            behind: behind.map(text),
        },
        Outcome::Withdrawn {
            prefix,
            changed,
            remains,
        } => ItemResult::Withdrawn {
            prefix,
            changed,
            remains: remains.map(text),
        },
        Outcome::Allocated {
            name,
            address,
            pool,
            prefixes,
            known,
        } => ItemResult::Allocated {
            name,
            address,
            pool: pool.to_string(),
            prefixes,
            known,
        },
        Outcome::Released { name, prefixes } => {
            let (mut withdrawn, mut remaining) = (Vec::new(), Vec::new());
            for (prefix, owner) in prefixes {
                match owner.map(text) {
                    None => withdrawn.push(prefix),
                    Some(owner) => remaining.push(Remaining { prefix, owner }),
                }
            }
            ItemResult::Released {
                name,
                withdrawn,
                remaining,
            }
        }
    }
}

fn outside(error: NotInPools) -> ControlError {
    ControlError::new(ErrorCode::OutsidePools, error)
        .hint("only prefixes of the configured BGP pools are announced")
}

fn not_made(error: CommitError) -> ControlError {
    match error {
        CommitError::Refused(refusal) => refused(refusal),
        CommitError::Storage(_) => ControlError::new(ErrorCode::Storage, error),
        CommitError::Stopping => SpeakerShutDown.into(),
    }
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
