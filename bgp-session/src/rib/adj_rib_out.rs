//! `AdjRibOut`: one peer's place in the table, and the UPDATEs that bring the peer up to date.
//!
//! It pulls: when the transport has room it takes a window of the log, grouped by path, applies what this peer needs
//! and packs messages to the negotiated limit. Backpressure and coalescing follow from that; nothing is queued. The table
//! is locked only while a window is taken.

use bgp_wire::Family;
use bytes::BytesMut;

use super::cursor::Cursor;
use super::export::Export;
use super::writer::{Skipped, Writer};
use super::{Rib, RibAccess};
use crate::config::{ExportPolicy, PeerConfig};
use crate::negotiate::Negotiated;

/// The part of the table that one peer has been sent. Made when the session comes up, closed when it goes down.
///
/// Dropping it without [`AdjRibOut::close`] keeps withdrawals in the table for ever.
///
/// ```
/// use bgp_session::{AdjRibOut, Negotiated, PeerConfig, Rib};
/// use bytes::BytesMut;
///
/// /// Everything that a peer is to be sent when its session comes up.
/// fn whole_table(rib: &mut Rib, config: &PeerConfig, negotiated: &Negotiated) -> BytesMut {
///     let mut adj_rib_out = AdjRibOut::new(rib, config, negotiated);
///     let mut messages = BytesMut::new();
///     while !adj_rib_out.pull(rib, &mut messages, usize::MAX) {}
///     assert_eq!(adj_rib_out.version(), Some(rib.version()));
///     adj_rib_out.close(rib);
///     messages
/// }
///
/// /// The operator has changed the policy, and is about to stop the speaker.
/// fn operate(adj_rib_out: &mut AdjRibOut, config: &PeerConfig, negotiated: &Negotiated) {
///     adj_rib_out.set_policy(config, negotiated);
///     adj_rib_out.set_draining(true);
///     let bgp_session::Skipped { routes, error } = adj_rib_out.skipped();
///     println!("{routes} routes were passed over: {error:?}");
/// }
/// ```
#[derive(Debug)]
pub struct AdjRibOut {
    export: Export,
    /// One for each negotiated family, in the order in which sets iterate.
    cursors: Vec<Cursor>,
    /// The version of the table that has been pulled whole.
    version: Option<u64>,
    skipped: Skipped,
}

impl AdjRibOut {
    /// Returns the state of a peer that has been sent nothing yet, in every negotiated family.
    #[must_use]
    pub fn new(rib: &mut Rib, config: &PeerConfig, negotiated: &Negotiated) -> Self {
        let paths = negotiated.sends.add_path();
        let families = negotiated.families();
        let cursors = families
            .iter()
            .map(|family| Cursor::new(&mut rib.table, family, paths.contains(family)));
        Self {
            export: Export::new(config, negotiated),
            cursors: cursors.collect(),
            version: None,
            skipped: Skipped::default(),
        }
    }

    /// Gives up the peer's place in the table when the session is down.
    pub fn close(self, rib: &mut Rib) {
        for cursor in self.cursors {
            cursor.close(&mut rib.table);
        }
    }

    /// Sends the routes of `family` once more (RFC 2918). Requests that arrive while one is being answered share one further
    /// answer.
    pub fn refresh(&mut self, family: Family) {
        let mut cursors = self.cursors.iter_mut();
        if let Some(cursor) = cursors.find(|cursor| cursor.family() == family) {
            cursor.refresh();
            self.version = None;
        }
    }

    /// Uses the export policy and the next hops of `config` from now on. Routes that change are sent again, routes that are no
    /// longer allowed are withdrawn. `negotiated` is that of the session.
    pub fn set_policy(&mut self, config: &PeerConfig, negotiated: &Negotiated) {
        if let Some(before) = self.export.change(config, negotiated) {
            self.readvertise(Some(&before));
        }
    }

    /// Asks the peer to prefer the routes of others because the session is about to end, or takes that back (RFC 8326).
    /// External peers are sent the community GRACEFUL_SHUTDOWN, internal ones also LOCAL_PREF 0.
    pub fn set_draining(&mut self, draining: bool) {
        if self.export.set_draining(draining) {
            self.readvertise(None);
        }
    }

    fn readvertise(&mut self, before: Option<&ExportPolicy>) {
        for cursor in &mut self.cursors {
            cursor.readvertise(before);
        }
        self.version = None;
    }

    /// Appends messages to `out` until it holds about `budget` octets, then returns `false`, or until the peer is up to date,
    /// then returns `true`.
    ///
    /// Changes that are made while this runs, where others share the table, may be left to the next call; see
    /// [`AdjRibOut::version`].
    pub fn pull(&mut self, table: &mut impl RibAccess, out: &mut BytesMut, budget: usize) -> bool {
        let version = table.with_rib(|rib| rib.version());
        let mut writer = Writer {
            export: &self.export,
            out,
            budget,
            skipped: &mut self.skipped,
        };
        // Every family is looked at, also behind one that has no room: its marks are due without room.
        let mut up_to_date = true;
        for cursor in &mut self.cursors {
            up_to_date &= cursor.pull(table, &mut writer);
        }
        if up_to_date {
            self.version = Some(version);
        }
        up_to_date
    }

    /// Returns the version of the table up to which every change has been pulled, or `None` while the first pass or one that
    /// was asked for is under way.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.version
    }

    /// The routes that the peer was not sent.
    #[must_use]
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }
}
