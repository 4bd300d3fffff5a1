//! `AdjRibOut`: the position of one peer in the table, and the UPDATEs that bring the peer up to date (RFC 4271 section 3.2).
//!
//! `AdjRibOut` pulls. When the transport has room, it takes a window of the log and groups it by path. It then applies the
//! peer's policy and packs messages up to the negotiated limit. Nothing is queued, so that backpressure and coalescing follow
//! by themselves. The table is locked only while a window is taken.

use bgp_wire::Family;
use bytes::BytesMut;

use super::cursor::Cursor;
use super::export::Export;
use super::membership::Membership;
use super::writer::{Skipped, Writer};
use super::{Rib, RibAccess};
use crate::config::{ExportPolicy, PeerConfig};
use crate::negotiate::Negotiated;

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
///     let bgp_session::Skipped { routes, error } = adj_rib_out.skipped();
///     println!("{routes} routes skipped: {error:?}");
/// }
/// ```
#[derive(Debug)]
pub struct AdjRibOut {
    export: Export,
    /// One cursor for each negotiated family, in the order of the set.
    cursors: Vec<Cursor>,
    /// The version of the table up to which every change has been pulled.
    version: Option<u64>,
    skipped: Skipped,
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
            version: None,
            skipped: Skipped::default(),
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
            self.version = None;
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
        for cursor in &mut self.cursors {
            cursor.readvertise(before);
        }
        self.version = None;
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
        // The version is read before the windows: a later change may or may not be in them.
        let (version, is_own) =
            table.with_rib(|rib| (rib.version(), self.membership.is_in(&rib.id)));
        debug_assert!(
            is_own,
            "an AdjRibOut reads the table that it was created for"
        );
        if !is_own {
            return true;
        }
        let mut writer = Writer {
            export: &self.export,
            out,
            budget,
            skipped: &mut self.skipped,
        };
        // The loop does not stop at a full output: End-of-RIB and refresh marks of later families are due without room.
        let mut up_to_date = true;
        for cursor in &mut self.cursors {
            up_to_date &= cursor.pull(table, &mut writer);
        }
        if up_to_date {
            self.version = Some(version);
        }
        up_to_date
    }

    /// Returns the version of the table up to which every change has been pulled. Returns `None` until the first pass, or a
    /// pass requested later, has ended.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// Returns the count of routes that were withdrawn because they cannot be encoded, and the last error.
    #[must_use]
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }
}
