//! `AdjRibOut`: the position of one peer in the table, and the UPDATEs that bring the peer up to date (RFC 4271 section 3.2).
//!
//! `AdjRibOut` pulls. When the transport has room, it takes a window of the log and groups it by path. It then applies the
//! peer's policy and packs messages up to the negotiated limit. Nothing is queued, so that backpressure and coalescing follow
//! by themselves. The table is locked only while a window is taken.

use bgp_wire::Family;
use bytes::BytesMut;
use ipnet::IpNet;

use super::cursor::{Cursor, Progress};
use super::export::Export;
use super::membership::Membership;
use super::withheld::WithheldRoutes;
use super::writer::Writer;
use super::{Rib, RibAccess};
use crate::config::{ExportPolicy, PeerConfig};
use crate::negotiate::Negotiated;
use crate::withheld::{Withheld, WithheldCounts, WithheldReason};

/// The part of the table that one peer has been sent. Create it when the session comes up and drop it when the session ends.
///
/// The table keeps withdrawals until every `AdjRibOut` has pulled them. Dropping one releases what was kept for it.
///
/// ```
/// use bgp_session::{AdjRibOut, Negotiated, PeerConfig, Rib};
/// use bytes::BytesMut;
///
/// /// Returns the messages that bring a new peer up to date.
/// fn whole_table(rib: &mut Rib, config: &PeerConfig, negotiated: &Negotiated) -> BytesMut {
///     let mut adj_rib_out = AdjRibOut::new(rib, config, negotiated);
///     let mut messages = BytesMut::new();
///     while !adj_rib_out.pull(rib, &mut messages, usize::MAX) {}
///     assert_eq!(adj_rib_out.version(), Some(rib.version()));
///     messages
/// }
///
/// /// Applies a changed policy and prepares the peer for the end of the session.
/// fn operate(adj_rib_out: &mut AdjRibOut, config: &PeerConfig, negotiated: &Negotiated) {
///     adj_rib_out.set_policy(config, negotiated);
///     adj_rib_out.set_draining(true);
///     println!("withheld: {}", adj_rib_out.withheld());
///     while let Some(withheld) = adj_rib_out.poll_withheld() {
///         println!("{withheld}; help: {}", withheld.reason.help());
///     }
/// }
/// ```
#[derive(Debug)]
pub struct AdjRibOut {
    export: Export,
    /// One cursor for each negotiated family, in the order of the set.
    cursors: Vec<Cursor>,
    /// The index of the cursor whose turn is next.
    next: usize,
    /// The number of passes that were requested because the form of the routes has changed.
    generation: u64,
    /// `true` if the peer may have been sent routes.
    has_pulled: bool,
    withheld: WithheldRoutes,
    /// Frees the positions of the cursors when it is dropped.
    membership: Membership,
}

impl AdjRibOut {
    /// Creates the state of a peer that has been sent nothing in any of the negotiated families. It reads this table only.
    #[must_use]
    pub fn new(rib: &mut Rib, config: &PeerConfig, negotiated: &Negotiated) -> Self {
        let paths = negotiated.sends.add_path();
        let membership = Membership::new(&rib.id);
        Self {
            export: Export::new(config, negotiated),
            // RFC 7911 section 4: a peer without the capability for a family is sent one path of each destination.
            cursors: negotiated
                .families()
                .iter()
                .map(|family| {
                    let every_path = paths.contains(family);
                    Cursor::new(&mut rib.table, family, every_path, &membership)
                })
                .collect(),
            next: 0,
            generation: 0,
            has_pulled: false,
            withheld: WithheldRoutes::default(),
            membership,
        }
    }

    /// Requests to send the routes of `family` once more (RFC 2918). Has no effect if the family is not negotiated.
    ///
    /// All requests that arrive while another one is being answered share a single further answer.
    pub fn refresh(&mut self, family: Family) {
        let cursor = self
            .cursors
            .iter_mut()
            .find(|cursor| cursor.family() == family);
        // RFC 2918 section 4: a request for a family that was not negotiated is ignored.
        if let Some(cursor) = cursor {
            cursor.refresh();
        }
    }

    /// Uses the export policy and the next hops of `config` from now on. `negotiated` is the result of the session's OPENs.
    ///
    /// If the policy or the next hops differ, all permitted routes are sent again, and routes that are no longer permitted
    /// are withdrawn.
    pub fn set_policy(&mut self, config: &PeerConfig, negotiated: &Negotiated) {
        if let Some(before) = self.export.change(config, negotiated) {
            self.readvertise(Some(&before));
        }
    }

    /// Uses `addresses` as next hops of the address family that the session does not run over. They are those of the interface
    /// that holds our end of the session, each with the length of its subnet.
    ///
    /// Of several addresses, global ones precede link-local ones, and those with a subnet precede single ones; the first of
    /// equal ones is used. If a next hop changes, all routes are sent again.
    pub fn set_interface_addresses(
        &mut self,
        config: &PeerConfig,
        negotiated: &Negotiated,
        addresses: &[IpNet],
    ) {
        if self.export.set_interface(config, negotiated, addresses) {
            self.readvertise(None);
        }
    }

    /// Returns `true` if routes of a negotiated family have a next hop only if
    /// [`AdjRibOut::set_interface_addresses`] provides one.
    #[must_use]
    pub fn needs_interface_addresses(&self) -> bool {
        self.export.needs_interface()
    }

    /// Asks the peer to prefer other speakers' routes before the session ends, or cancels the request (RFC 8326).
    ///
    /// All routes are sent again. While draining, they have the community GRACEFUL_SHUTDOWN, and LOCAL_PREF 0 towards
    /// internal peers.
    pub fn set_draining(&mut self, draining: bool) {
        if self.export.set_draining(draining) {
            self.readvertise(None);
        }
    }

    /// Requests to send all routes again. `before` is the previous policy, if it has changed.
    fn readvertise(&mut self, before: Option<&ExportPolicy>) {
        // The first pass sends every route with the new export.
        if !self.has_pulled {
            return;
        }
        self.generation += 1;
        for cursor in &mut self.cursors {
            cursor.readvertise(self.generation, before);
        }
    }

    /// Appends messages to `out`. Returns `true` if the peer is up to date, or `false` if `out` holds about `budget` octets
    /// and more messages are due.
    ///
    /// Another user of a shared table may change it during the call. Such changes may be left to the next call; see
    /// [`AdjRibOut::version`].
    ///
    /// A `table` that is not the one of [`AdjRibOut::new`] is a fault of the caller. Nothing is then read or written, the
    /// result is `true`, and [`AdjRibOut::version`] stays as it is, so that no flush takes the peer for up to date.
    ///
    /// # Panics
    ///
    /// In debug builds, if `table` is not the one of [`AdjRibOut::new`].
    pub fn pull(&mut self, table: &mut impl RibAccess, out: &mut BytesMut, budget: usize) -> bool {
        self.has_pulled = true;
        if !table.with_rib(|rib| self.begin(rib)) {
            debug_assert!(false, "{FOREIGN_TABLE}");
            return true;
        }
        let mut writer = Writer {
            export: &self.export,
            out,
            budget,
            withheld: &mut self.withheld,
        };
        // The loop does not stop at a full output: End-of-RIB and refresh marks of later families are due without room.
        let (later, first) = self.cursors.split_at_mut(self.next);
        let mut behind = None;
        for (cursor, index) in first.iter_mut().chain(later).zip(self.next..) {
            let has_room = !writer.is_full();
            if !cursor.pull(table, &mut writer) && behind.is_none() {
                // A family that has filled the output waits for a turn of the others, or it could starve them.
                behind = Some(index + usize::from(has_room));
            }
        }
        self.next = behind.map_or(0, |next| next % self.cursors.len());
        behind.is_none()
    }

    /// Counts the routes that are withheld whatever they are. Returns `false` if this is not the peer's table.
    fn begin(&mut self, rib: &Rib) -> bool {
        if !self.membership.is_in(&rib.id) {
            return false;
        }
        let families = self.export.context.families();
        let [exchanged, others] = rib.table.count_within(families);
        let denied = self.export.denied();
        self.withheld.set_whole(denied, exchanged, others);
        let reason = WithheldReason::FamilyNotNegotiated;
        if others > 0
            && self.withheld.is_unreported(reason)
            && let Some(destination) = rib.table.first_outside(families)
        {
            self.withheld.report(reason, None, || destination);
        }
        true
    }

    /// Returns the version of the table up to which every change has been pulled, as far as it is known. Later changes may
    /// also have been pulled.
    ///
    /// Returns `None` until every route of the table has been pulled in its current form, which a changed policy, changed
    /// next hops and draining change. A refresh has no effect.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        let progress = self.cursors.iter().map(Cursor::progress).min()?;
        progress
            .version
            .filter(|_| progress.generation == self.generation)
    }

    /// Returns the point that the peer reaches when it has been sent every change so far, of the table and of the form of
    /// its routes. No later change moves it.
    pub(crate) fn target(&self, table: &mut impl RibAccess) -> Progress {
        let target = table.with_rib(|rib| {
            let (is_own, version) = (self.membership.is_in(&rib.id), rib.version());
            for cursor in self.cursors.iter().filter(|_| is_own) {
                rib.table.add_checkpoint(cursor.family(), version);
            }
            is_own.then_some(Progress {
                generation: self.generation,
                version: Some(version),
            })
        });
        debug_assert!(target.is_some(), "{FOREIGN_TABLE}");
        target.unwrap_or(Progress::NEVER)
    }

    /// Returns `true` if the peer has been sent everything up to this point.
    pub(crate) fn has_reached(&self, target: Progress) -> bool {
        self.cursors
            .iter()
            .all(|cursor| cursor.progress() >= target)
    }

    /// Returns the numbers of routes of the table that the peer is not sent, by reason, as of the last
    /// [`AdjRibOut::pull`].
    ///
    /// Routes that the peer supports no path identifiers for are not counted (see
    /// [`Route::with_path_id`](crate::Route::with_path_id)). If no route of a family is sent, each path counts.
    #[must_use]
    pub fn withheld(&self) -> WithheldCounts {
        self.withheld.counts()
    }

    /// Returns the first route that was withheld for a reason, each reason once; `None` if no other is pending.
    pub fn poll_withheld(&mut self) -> Option<Withheld> {
        self.withheld.poll()
    }
}

/// The fault of a caller that passes another table.
const FOREIGN_TABLE: &str = "an AdjRibOut reads the table that it was created for";
