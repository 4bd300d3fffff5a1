//! `WithheldRoutes`: the routes that one peer is not sent, and the counts of them by reason.
//!
//! Routes that the peer is sent are not in it. A reason that applies to a whole family or to every route is a number that is
//! derived from the size of the table.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use bgp_wire::{EncodeError, Family, PathId};
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::key::{Key, LogKey};
use crate::destination::Destination;
use crate::withheld::{Withheld, WithheldCounts, WithheldReason};

/// The routes that one peer is not sent.
#[derive(Debug, Default)]
pub(super) struct WithheldRoutes {
    /// The hash of each withheld route, with the reason.
    // A hash instead of the route takes the same few octets for every family. Two routes with one hash of 64 bits would be
    // counted as one; nothing else depends on it.
    routes: HashTable<(u64, WithheldReason)>,
    hasher: DefaultHashBuilder,
    /// The counts of `routes`.
    single: WithheldCounts,
    /// The counts of reasons that apply to whole families.
    whole: WithheldCounts,
    /// The reasons of which a route has been reported in this session.
    reported: Vec<WithheldReason>,
    /// Reports that have not been polled.
    reports: VecDeque<Withheld>,
}

/// The family and the form in which the peer is sent the routes of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    pub(super) family: Family,
    /// `true` if the routes have path identifiers (RFC 7911).
    pub(super) identified: bool,
}

impl Scope {
    /// Returns the path identifier that the peer knows, if the routes have path identifiers.
    pub(super) fn path_id(self, path_id: PathId) -> Option<PathId> {
        self.identified.then_some(path_id)
    }
}

impl WithheldRoutes {
    /// Returns `true` if no single route is recorded.
    pub(super) fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    pub(super) fn counts(&self) -> WithheldCounts {
        let mut sum = self.single;
        for (reason, routes) in self.whole.iter() {
            count(&mut sum, reason, |counter| counter + routes);
        }
        sum
    }

    /// Returns the next report: the first route that was withheld for a reason in this session.
    pub(super) fn poll(&mut self) -> Option<Withheld> {
        self.reports.pop_front()
    }

    /// Returns `true` if no route has been reported for this reason.
    pub(super) fn is_first(&self, reason: WithheldReason) -> bool {
        !self.reported.contains(&reason)
    }

    /// Reports a route if it is the first one for this reason.
    pub(super) fn report(
        &mut self,
        reason: WithheldReason,
        error: Option<EncodeError>,
        destination: impl FnOnce() -> Destination,
    ) {
        if self.is_first(reason) {
            self.reported.push(reason);
            self.reports.push_back(Withheld {
                destination: destination(),
                reason,
                error,
            });
        }
    }

    /// Records that a route is withheld, in place of an earlier reason.
    pub(super) fn insert<D: LogKey>(&mut self, scope: Scope, key: &Key<D>, reason: WithheldReason) {
        let hash = self.hash(scope, key);
        match self
            .routes
            .entry(hash, |(known, _)| *known == hash, |(known, _)| *known)
        {
            Entry::Occupied(mut entry) => {
                let (_, before) = std::mem::replace(entry.get_mut(), (hash, reason));
                count(&mut self.single, before, |counter| {
                    counter.saturating_sub(1)
                });
            }
            Entry::Vacant(entry) => {
                entry.insert((hash, reason));
            }
        }
        count(&mut self.single, reason, |counter| counter + 1);
    }

    /// Records that a route is sent or withdrawn.
    pub(super) fn remove<D: LogKey>(&mut self, scope: Scope, key: &Key<D>) {
        let hash = self.hash(scope, key);
        if let Ok(entry) = self.routes.find_entry(hash, |(known, _)| *known == hash) {
            let ((_, before), _) = entry.remove();
            count(&mut self.single, before, |counter| {
                counter.saturating_sub(1)
            });
        }
    }

    /// Sets the numbers of routes that are withheld whatever their attributes are. `exchanged` is the number of routes of
    /// negotiated families, of which none is sent if `denied` is a reason. `others` is the number of routes of other families.
    pub(super) fn set_whole(
        &mut self,
        denied: Option<WithheldReason>,
        exchanged: usize,
        others: usize,
    ) {
        self.whole = WithheldCounts::default();
        count(&mut self.whole, WithheldReason::FamilyNotNegotiated, |_| {
            others
        });
        if let Some(reason) = denied {
            // The policy precedes every other reason, so that no route counts twice.
            self.routes.clear();
            self.single = WithheldCounts::default();
            count(&mut self.whole, reason, |_| exchanged);
        }
    }

    fn hash<D: LogKey>(&self, scope: Scope, key: &Key<D>) -> u64 {
        let destination = key.destination.hash_with(&self.hasher);
        let path_id = scope.path_id(key.path_id).map(|PathId(number)| number);
        self.hasher.hash_one((scope.family, destination, path_id))
    }
}

/// Changes the counter of a reason.
fn count(counts: &mut WithheldCounts, reason: WithheldReason, change: impl FnOnce(usize) -> usize) {
    if let Some(counter) = counts.of_mut(reason) {
        *counter = change(*counter);
    }
}
