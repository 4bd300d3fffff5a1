//! `Writer`: encodes windows as the UPDATEs for one peer.

use bgp_wire::{
    EncodeError, Family, PathId, RefreshSubtype, RouteRefresh, encode_announcements,
    encode_end_of_rib, encode_withdrawals,
};
use bytes::BytesMut;

use super::export::Export;
use super::key::Key;
use super::log::Change;
use super::route::Path;
use super::table::FamilyKey;
use super::window::Window;
use crate::config::ExportPolicy;

/// The routes that could not be encoded for a peer and were withdrawn instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Skipped {
    /// The number of skipped routes. A route counts once each time it is skipped.
    pub routes: u64,
    /// The error of the last skipped route, or `None` if no route was skipped.
    #[cfg_attr(
        feature = "serde",
        serde(serialize_with = "crate::serialize::optional_text")
    )]
    pub error: Option<EncodeError>,
}

/// The output of one peer, with the changes that the peer's routes need.
pub(super) struct Writer<'a> {
    pub(super) export: &'a Export,
    pub(super) out: &'a mut BytesMut,
    /// The number of octets from which the output is full.
    pub(super) budget: usize,
    pub(super) skipped: &'a mut Skipped,
}

impl Writer<'_> {
    /// Returns `true` if no further window should be written.
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= self.budget
    }

    /// Writes a window.
    ///
    /// Routes that the policy does not permit are skipped. If a policy in `before` permitted them, they are withdrawn.
    pub(super) fn write<D: FamilyKey>(
        &mut self,
        family: Family,
        window: &mut Window<D>,
        before: [Option<&ExportPolicy>; 2],
    ) {
        let policy = self.export.policy();
        // Matching prefixes is the slowest part of a pull, and the usual policy of an internal peer permits all of them.
        if !policy.allows_all() {
            window.retain_mut(|key, change| {
                let prefix = key.destination.prefix();
                if !policy.admits(family, prefix) {
                    *change = Change::Withdrawn;
                    // A withdrawal of a route that the peer was never sent would only cost octets.
                    return before
                        .iter()
                        .flatten()
                        .any(|before| before.admits(family, prefix));
                }
                true
            });
        }
        window.group();
        let identified = self.export.context.add_path().contains(family);
        for (path, group) in window.groups() {
            self.write_group(family, identified, path, group);
        }
    }

    /// Writes the changes of one path, or withdrawals if there is no path.
    fn write_group<D: FamilyKey>(
        &mut self,
        family: Family,
        identified: bool,
        path: Option<&Path>,
        group: &[(Key<D>, Change)],
    ) {
        let Err(error) = self.encode(family, identified, path, group) else {
            return;
        };
        // NLRI differ in length. A route that does not fit beside its attributes must not prevent the others of its path.
        if matches!(error, EncodeError::AttributesTooLong { .. }) && group.len() > 1 {
            for route in group.chunks(1) {
                self.write_group(family, identified, path, route);
            }
            return;
        }
        // The peer may have an older state of the route, which is no longer valid. Withdrawals always encode because a
        // `Destination` fits into a message.
        let withdrawn = self.encode(family, identified, None, group);
        debug_assert!(withdrawn.is_ok(), "withdrawal: {withdrawn:?}");
        self.skipped.routes += u64::try_from(group.len()).unwrap_or(u64::MAX);
        self.skipped.error = Some(error);
    }

    /// Encodes announcements with `path`, or withdrawals if it is `None` or is not for this peer.
    fn encode<D: FamilyKey>(
        &mut self,
        family: Family,
        identified: bool,
        path: Option<&Path>,
        group: &[(Key<D>, Change)],
    ) -> Result<usize, EncodeError> {
        let export = self.export;
        let path_id = |path_id: PathId| identified.then_some(path_id);
        let routes = group
            .iter()
            .map(|(key, _)| key.destination.item(path_id(key.path_id)));
        let announced = path.and_then(|path| Some((path, export.attributes(family, path)?)));
        // A path that must not be sent to this peer is withdrawn: the peer may have an earlier path of the route.
        let Some((path, attributes)) = announced else {
            return encode_withdrawals(&export.context, routes, self.out);
        };
        let next_hop = export
            .next_hops
            .of(family, path)
            .ok_or(EncodeError::NextHopMissing(family))?;
        encode_announcements(&export.context, &attributes, next_hop, routes, self.out)
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
