//! `Writer`: encodes windows as the UPDATEs for one peer, and records the routes that the peer is not sent.

use bgp_wire::{
    AttributeSet, EncodeError, Family, NextHop, RefreshSubtype, RouteRefresh, encode_announcements,
    encode_end_of_rib, encode_withdrawals,
};
use bytes::BytesMut;

use super::entry::{Change, Entry};
use super::export::Export;
use super::table::FamilyKey;
use super::window::Window;
use super::withheld::{Scope, WithheldRoutes};
use crate::config::ExportPolicy;
use crate::route::{Path, Route};
use crate::withheld::WithheldReason;

/// The output of one peer, with the changes that the peer's routes need.
pub(super) struct Writer<'a> {
    pub(super) export: &'a Export,
    pub(super) out: &'a mut BytesMut,
    /// The number of octets from which the output is full.
    pub(super) budget: usize,
    pub(super) withheld: &'a mut WithheldRoutes,
}

/// The routes of a window that the peer may have been sent before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<'a> {
    /// `true` if it has been sent none of them.
    pub(super) is_first: bool,
    /// The policies that it may have been sent them with, if the policy has changed.
    pub(super) before: [Option<&'a ExportPolicy>; 2],
}

impl Writer<'_> {
    /// Returns `true` if no further window should be written.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= self.budget
    }

    /// Writes a window.
    ///
    /// Routes that the policy does not permit are left out. If a policy in `sent` permitted them, they are withdrawn.
    pub(super) fn write<D: FamilyKey>(
        &mut self,
        family: Family,
        window: &mut Window<D>,
        sent: Sent<'_>,
    ) {
        let identified = self.export.context.add_path().contains(family);
        let scope = Scope { family, identified };
        // Before the policy, which turns other routes into withdrawals.
        if !self.withheld.is_empty(family) {
            // The peer does not have a route that was withheld, so that its withdrawal would only cost octets.
            window.retain_mut(|route| {
                route.change() != Change::Withdrawn || !self.withheld.remove(scope, route)
            });
        }
        // Matching prefixes is the slowest part of a pull, and the usual policy of an internal peer permits all of them.
        if !self.export.policy().allows_all() {
            self.apply_policy(scope, window, sent);
        }
        window.group();
        for (path, group) in window.groups() {
            match path {
                None => self.withdraw(scope, group),
                Some(path) if self.export.has_filter() => {
                    self.write_filtered(scope, sent, path, group);
                }
                Some(path) => self.announce(scope, sent, path, group),
            }
        }
    }

    /// Removes the routes that the policy does not permit, or turns them into withdrawals if an earlier policy permitted them.
    fn apply_policy<D: FamilyKey>(&mut self, scope: Scope, window: &mut Window<D>, sent: Sent<'_>) {
        let (export, family) = (self.export, scope.family);
        let (policy, denied) = (export.policy(), export.denied());
        window.retain_mut(|route| {
            let prefix = route.key.destination.prefix();
            if denied.is_none() && policy.admits(family, prefix) {
                return true;
            }
            if matches!(route.change(), Change::Announced(_)) {
                let reason = denied.unwrap_or(WithheldReason::Denied);
                self.withheld
                    .report(reason, None, || route.key.destination.destination());
                // If no route is sent, the size of the table is the count.
                if denied.is_none() && !self.withheld.insert(scope, route, reason) {
                    return false;
                }
                route.withdraw();
            }
            // A withdrawal of a route that the peer was never sent would only cost octets.
            let mut before = sent.before.iter().flatten();
            !sent.is_first && before.any(|before| before.admits(family, prefix))
        });
    }

    /// Filters each route of a group by itself, and announces consecutive routes with the same result together.
    fn write_filtered<D: FamilyKey>(
        &mut self,
        scope: Scope,
        sent: Sent<'_>,
        path: &Path,
        group: &[Entry<D>],
    ) {
        let export = self.export;
        let filter = |route: &Entry<D>| {
            export.filter(Route {
                destination: route.key.destination.destination(),
                path_id: route.key.path_id,
                path: path.clone(),
            })
        };
        let filtered: Vec<Option<Path>> = group.iter().map(filter).collect();
        for (path, routes) in runs(&filtered, group) {
            match path {
                Some(path) => self.announce(scope, sent, path, routes),
                None => self.withhold(scope, sent, routes, WithheldReason::Denied, None),
            }
        }
    }

    /// Announces routes with one path, or records the reason why they are withheld.
    fn announce<D: FamilyKey>(
        &mut self,
        scope: Scope,
        sent: Sent<'_>,
        path: &Path,
        group: &[Entry<D>],
    ) {
        let (attributes, next_hop) = match self.export.route(scope.family, path) {
            Ok(route) => route,
            Err(reason) => return self.withhold(scope, sent, group, reason, None),
        };
        let routes = items(scope, group);
        let context = &self.export.context;
        match encode_announcements(context, &attributes, next_hop, routes, self.out) {
            Ok(_) => {
                // Usually no route is withheld, and this check is the whole cost.
                if !self.withheld.is_empty(scope.family) {
                    for route in group {
                        self.withheld.remove(scope, route);
                    }
                }
            }
            // NLRI differ in length. A route that does not fit beside its attributes must not prevent the others of its path.
            Err(error @ EncodeError::AttributesTooLong { .. }) if group.len() > 1 => {
                let fitting = self.fitting(scope, &attributes, next_hop, group);
                for (fits, routes) in runs(&fitting, group) {
                    if *fits {
                        self.announce(scope, sent, path, routes);
                    } else {
                        self.fail(scope, sent, routes, error);
                    }
                }
            }
            Err(error) => self.fail(scope, sent, group, error),
        }
    }

    /// Returns `true` for each route that fits into a message beside these attributes.
    fn fitting<D: FamilyKey>(
        &mut self,
        scope: Scope,
        attributes: &AttributeSet,
        next_hop: NextHop,
        group: &[Entry<D>],
    ) -> Vec<bool> {
        let (context, start) = (&self.export.context, self.out.len());
        let fits = |route: &[Entry<D>]| {
            let routes = items(scope, route);
            let encoded = encode_announcements(context, attributes, next_hop, routes, self.out);
            self.out.truncate(start);
            encoded.is_ok()
        };
        group.chunks(1).map(fits).collect()
    }

    /// Withholds routes that cannot be encoded.
    fn fail<D: FamilyKey>(
        &mut self,
        scope: Scope,
        sent: Sent<'_>,
        group: &[Entry<D>],
        error: EncodeError,
    ) {
        self.withhold(
            scope,
            sent,
            group,
            WithheldReason::from_error(error),
            Some(error),
        );
    }

    /// Records the reason why routes are not sent, and withdraws those that the peer may have an older state of.
    fn withhold<D: FamilyKey>(
        &mut self,
        scope: Scope,
        sent: Sent<'_>,
        group: &[Entry<D>],
        reason: WithheldReason,
        error: Option<EncodeError>,
    ) {
        if let Some(route) = group.first() {
            self.withheld
                .report(reason, error, || route.key.destination.destination());
        }
        let mut announced = Vec::new();
        for route in group {
            // Each further pass meets the route again, and the peer does not have it.
            if self.withheld.insert(scope, route, reason) && !sent.is_first {
                announced.push(route);
            }
        }
        if !announced.is_empty() {
            self.withdraw(scope, announced);
        }
    }

    /// Withdraws routes.
    fn withdraw<'a, D: FamilyKey + 'a>(
        &mut self,
        scope: Scope,
        routes: impl IntoIterator<Item = &'a Entry<D>>,
    ) {
        let routes = items(scope, routes);
        // Withdrawals always encode because a `Destination` fits into a message.
        let withdrawn = encode_withdrawals(&self.export.context, routes, self.out);
        debug_assert!(withdrawn.is_ok(), "withdrawal: {withdrawn:?}");
    }

    /// Writes End-of-RIB (RFC 4724 section 2), if the peer uses it.
    pub(super) fn end_of_rib(&mut self, family: Family) {
        if self.export.end_of_rib {
            encode_end_of_rib(family, self.out);
        }
    }

    /// Writes BoRR or EoRR, if the peer supports enhanced route refresh (RFC 7313 section 4).
    pub(super) fn mark(&mut self, family: Family, subtype: RefreshSubtype) {
        if self.export.enhanced_route_refresh {
            RouteRefresh { family, subtype }.encode(self.out);
        }
    }
}

/// Splits a group into runs of routes with equal values. `values` has one for each route.
fn runs<'a, T: PartialEq, C>(
    values: &'a [T],
    mut group: &'a [C],
) -> impl Iterator<Item = (&'a T, &'a [C])> {
    debug_assert_eq!(values.len(), group.len());
    values.chunk_by(T::eq).filter_map(move |run| {
        let routes = group.split_off(..run.len())?;
        Some((run.first()?, routes))
    })
}

/// Returns routes as the encoders accept them.
fn items<'a, D: FamilyKey + 'a>(
    scope: Scope,
    routes: impl IntoIterator<Item = &'a Entry<D>>,
) -> impl Iterator<Item = D::Item<'a>> {
    routes.into_iter().map(move |route| {
        let path_id = scope.path_id(route.key.path_id);
        route.key.destination.item(path_id)
    })
}
