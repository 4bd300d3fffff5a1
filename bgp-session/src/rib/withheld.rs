//! `WithheldRoutes`: the routes that one peer is not sent, and the counts of them by reason.
//!
//! Routes that the peer is sent are not in it. A reason that applies to a whole family or to every route is a number that is
//! derived from the size of the table.

use std::collections::VecDeque;

use bgp_wire::{EncodeError, Family, PathId};
use hashbrown::HashMap;

use super::entry::Entry;
use super::slot_set::SlotSet;
use super::slots::DestinationSlot;
use crate::destination::Destination;
use crate::route::DEFAULT_PATH;
use crate::withheld::{Withheld, WithheldCounts, WithheldReason};

/// The routes that one peer is not sent.
#[derive(Debug, Default)]
pub(super) struct WithheldRoutes {
    /// The routes that are withheld one by one, for each family with any.
    families: Vec<FamilyRoutes>,
    /// The counts of the routes in `families`.
    single: WithheldCounts,
    /// The counts of reasons that apply to whole families.
    whole: WithheldCounts,
    /// The reasons of which a route has been reported in this session.
    reported: Vec<WithheldReason>,
    /// Reports that have not been polled.
    reports: VecDeque<Withheld>,
}

/// The withheld routes of one family, by reason.
#[derive(Debug)]
struct FamilyRoutes {
    family: Family,
    /// Routes without a path identifier, for each reason with any.
    // A bit for each destination: a policy may withhold a large table from many peers.
    destinations: Vec<(WithheldReason, SlotSet)>,
    /// Routes with a path identifier.
    // A destination has any number of them, so that they have no dense numbers.
    paths: HashMap<(DestinationSlot, PathId), WithheldReason>,
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

    /// Returns the path identifier of a route, if the peer may know other routes to the same destination.
    fn other_path<D>(self, route: &Entry<D>) -> Option<PathId> {
        // Most tables have the default identifier only.
        self.path_id(route.key.path_id)
            .filter(|path_id| *path_id != DEFAULT_PATH)
    }
}

impl WithheldRoutes {
    /// Returns `true` if no single route of the family is recorded.
    pub(super) fn is_empty(&self, family: Family) -> bool {
        self.families.iter().all(|routes| routes.family != family)
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
    pub(super) fn is_unreported(&self, reason: WithheldReason) -> bool {
        !self.reported.contains(&reason)
    }

    /// Reports a route if it is the first one for this reason.
    pub(super) fn report(
        &mut self,
        reason: WithheldReason,
        error: Option<EncodeError>,
        destination: impl FnOnce() -> Destination,
    ) {
        if self.is_unreported(reason) {
            self.reported.push(reason);
            self.reports.push_back(Withheld {
                destination: destination(),
                reason,
                error,
            });
        }
    }

    /// Records that a route is withheld, in place of an earlier reason. Returns `false` if it already was.
    pub(super) fn insert<D>(
        &mut self,
        scope: Scope,
        route: &Entry<D>,
        reason: WithheldReason,
    ) -> bool {
        let known = self
            .families
            .iter()
            .position(|routes| routes.family == scope.family);
        let index = known.unwrap_or_else(|| {
            self.families.push(FamilyRoutes::new(scope.family));
            self.families.len() - 1
        });
        let Some(routes) = self.families.get_mut(index) else {
            debug_assert!(false, "family out of range");
            return true;
        };
        let before = match scope.other_path(route) {
            None => routes.insert(route.slot, reason),
            Some(path_id) => routes.paths.insert((route.slot, path_id), reason),
        };
        if before != Some(reason) {
            self.uncount(before);
            count(&mut self.single, reason, |counter| counter + 1);
        }
        before.is_none()
    }

    /// Records that a route is sent or withdrawn. Returns `true` if it was withheld.
    pub(super) fn remove<D>(&mut self, scope: Scope, route: &Entry<D>) -> bool {
        let Some(index) = self
            .families
            .iter()
            .position(|routes| routes.family == scope.family)
        else {
            return false;
        };
        let Some(routes) = self.families.get_mut(index) else {
            return false;
        };
        let before = match scope.other_path(route) {
            None => routes.remove(route.slot, None),
            Some(path_id) => routes.paths.remove(&(route.slot, path_id)),
        };
        if before.is_some() && routes.is_empty() {
            self.families.swap_remove(index);
        }
        self.uncount(before);
        before.is_some()
    }

    /// Subtracts a route that is no longer withheld for this reason.
    fn uncount(&mut self, reason: Option<WithheldReason>) {
        if let Some(reason) = reason {
            count(&mut self.single, reason, |counter| {
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
            self.families.clear();
            self.single = WithheldCounts::default();
            count(&mut self.whole, reason, |_| exchanged);
        }
    }
}

impl FamilyRoutes {
    fn new(family: Family) -> Self {
        Self {
            family,
            destinations: Vec::new(),
            paths: HashMap::new(),
        }
    }

    fn is_empty(&self) -> bool {
        self.destinations.is_empty() && self.paths.is_empty()
    }

    /// Adds a route without a path identifier. Returns the reason for which it was already withheld.
    fn insert(&mut self, slot: DestinationSlot, reason: WithheldReason) -> Option<WithheldReason> {
        let known = self
            .destinations
            .iter_mut()
            .find(|(known, _)| *known == reason);
        if let Some((_, slots)) = known {
            if !slots.insert(slot) {
                return Some(reason);
            }
            return self.remove(slot, Some(reason));
        }
        let before = self.remove(slot, None);
        let mut slots = SlotSet::default();
        slots.insert(slot);
        self.destinations.push((reason, slots));
        before
    }

    /// Removes a route without a path identifier from the sets of all reasons, or all but one. Returns its reason.
    fn remove(
        &mut self,
        slot: DestinationSlot,
        except: Option<WithheldReason>,
    ) -> Option<WithheldReason> {
        let index = self
            .destinations
            .iter_mut()
            .position(|(reason, slots)| Some(*reason) != except && slots.remove(slot))?;
        let (reason, slots) = self.destinations.get(index)?;
        let reason = *reason;
        if slots.is_empty() {
            self.destinations.swap_remove(index);
        }
        Some(reason)
    }
}

/// Changes the counter of a reason.
fn count(counts: &mut WithheldCounts, reason: WithheldReason, change: impl FnOnce(usize) -> usize) {
    if let Some(counter) = counts.of_mut(reason) {
        *counter = change(*counter);
    }
}
