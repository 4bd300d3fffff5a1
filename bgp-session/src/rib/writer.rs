//! `Writer`: writes windows as the UPDATEs that one peer needs.

use bgp_wire::{
    EncodeError, Family, PathId, RefreshSubtype, RouteRefresh, encode_announcements,
    encode_end_of_rib, encode_withdrawals,
};
use bytes::BytesMut;

use super::export::Export;
use super::log::{Change, Key};
use super::route::Path;
use super::table::FamilyKey;
use super::window::Window;
use crate::config::ExportPolicy;

/// Routes that a peer is not sent because they cannot be encoded for it. They are withdrawn instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How often a route was passed over.
    pub routes: u64,
    /// Why the last one was.
    pub error: Option<EncodeError>,
}

/// Writes to the output of one peer.
pub(super) struct Writer<'a> {
    pub(super) export: &'a Export,
    pub(super) out: &'a mut BytesMut,
    /// About how many octets the output may hold.
    pub(super) budget: usize,
    pub(super) skipped: &'a mut Skipped,
}

impl Writer<'_> {
    pub(super) fn is_full(&self) -> bool {
        self.out.len() >= self.budget
    }

    /// Writes a window.
    ///
    /// What is not for the peer is passed over, unless the peer may have it by a policy of `before`: then it is withdrawn.
    pub(super) fn write<D: FamilyKey>(
        &mut self,
        family: Family,
        window: &mut Window<D>,
        before: [Option<&ExportPolicy>; 2],
    ) {
        let policy = self.export.policy();
        if !policy.allows_all() {
            window.retain_mut(|key, change| {
                let prefix = key.destination.prefix();
                if !policy.admits(family, prefix) {
                    *change = Change::Withdrawn;
                    let mut before = before.iter().flatten();
                    return before.any(|before| before.admits(family, prefix));
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

    /// Writes the changes of one path, or withdrawals.
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
        // Routes differ in length: one without room keeps back no other.
        if matches!(error, EncodeError::AttributesTooLong { .. }) && group.len() > 1 {
            for route in group.chunks(1) {
                self.write_group(family, identified, path, route);
            }
            return;
        }
        // The peer may hold an older state of the route, which is no longer true. Withdrawals always encode: a destination that
        // exists fits into a message.
        self.encode(family, identified, None, group).ok();
        self.skipped.routes += u64::try_from(group.len()).unwrap_or(u64::MAX);
        self.skipped.error = Some(error);
    }

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
        // A path that is not for this peer may have been for it before.
        let path = path.and_then(|path| Some((path, export.attributes(family, path)?)));
        let Some((path, attributes)) = path else {
            return encode_withdrawals(&export.context, routes, self.out);
        };
        let next_hop = export.next_hops.of(family, path);
        let next_hop = next_hop.ok_or(EncodeError::NextHopMissing(family))?;
        encode_announcements(&export.context, &attributes, next_hop, routes, self.out)
    }

    /// Writes End-of-RIB, if the peer makes use of it.
    pub(super) fn end_of_rib(&mut self, family: Family) {
        if self.export.end_of_rib {
            encode_end_of_rib(family, self.out);
        }
    }

    /// Writes BoRR or EoRR, if the peer understands them (RFC 7313).
    pub(super) fn mark(&mut self, family: Family, subtype: RefreshSubtype) {
        if self.export.enhanced_route_refresh {
            RouteRefresh { family, subtype }.encode(self.out);
        }
    }
}
