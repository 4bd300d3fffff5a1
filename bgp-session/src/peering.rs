//! `Peering`: a session and the peer's position in the table. Decides what the peer is sent and when (RFC 4271 section
//! 9.2, RFC 2918, RFC 4724 section 2, RFC 7313).
//!
//! It does no I/O and reads no clock. It does not own the table, which all peers share: calls that may send something
//! have access to it.

mod flush;
mod outbox;

pub use flush::{FlushId, FlushOutcome, PeerFlush};

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgp_wire::{Family, UpdateBuf};
use bytes::BytesMut;
use ipnet::IpNet;

use crate::config::{ConfigError, LocalConfig, PeerChange, PeerConfig};
use crate::negotiate::Negotiated;
use crate::output::{ConnectionId, Output, SessionEvent};
use crate::rib::{AdjRibOut, Rib, RibAccess};
use crate::session::{RefreshError, SendError, Session, Shutdown};
use crate::withheld::WithheldCounts;
use flush::Flushes;
use outbox::Outbox;

/// A peer: its session, and its position in the table. The core of a driver.
///
/// Inputs are `handle_*` methods, commands are verbs, and the one output is [`Peering::poll_output`]. The contract is
/// that of [`Session`]: the driver calls `poll_output` after every `&mut self` call until it returns [`Output::Wait`].
/// Time never decreases. The same inputs give the same outputs.
///
/// A driver also reports every write with [`Peering::handle_written`] and every change of the table with
/// [`Peering::handle_table_changed`]. It never decides what to send:
///
/// - Routes are taken from the table only while few octets wait for the socket.
/// - End-of-RIB follows the first pass through the table.
/// - Requests for a refresh are answered at a limited rate.
/// - A session that ends releases its position in the table; so does dropping the `Peering`.
///
/// ```
/// use std::net::IpAddr;
/// use std::time::Instant;
/// use bgp_session::{LocalConfig, Output, PeerConfig, Peering, Rib, Route, Session};
/// use bgp_wire::Asn;
///
/// # #[allow(clippy::disallowed_methods)]
/// let now = Instant::now();
/// let mut rib = Rib::new();
/// rib.announce(&Route::new("192.168.10.1/32".parse()?));
///
/// let local = LocalConfig::new(Asn::new(64512), "192.168.0.111".parse()?);
/// let router = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512));
/// let mut peering = Peering::new(Session::new(local, router, now, 7)?);
/// peering.start(now);
/// loop {
///     match peering.poll_output(now, &mut rib) {
///         Output::Dial(connection) => peering.handle_connected(now, connection, IpAddr::from([192, 168, 0, 111])),
///         // A driver writes the octets to its socket and reports what the socket took.
///         Output::Transmit(connection, octets) => peering.handle_written(now, connection, octets.len()),
///         Output::Close(_) | Output::Event(_) => {}
///         Output::Wait(deadline) => break assert!(deadline.is_some(), "the wait for the peer's OPEN"),
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Peering {
    session: Session,
    established: Option<Established>,
    outbox: Outbox,
    /// Families that the peer requested again and whose pass has not begun.
    refreshes: Vec<Family>,
    /// The earliest start of the next answer to a ROUTE-REFRESH.
    next_refresh: Option<Instant>,
    draining: bool,
    /// `true` if the peer has been sent everything that was in the table when it was last read.
    up_to_date: bool,
    max_queued: usize,
    flushes: Flushes,
}

/// The peer's position in the table, and the connection on which the session is Established.
#[derive(Debug)]
struct Established {
    connection: ConnectionId,
    adj_rib_out: AdjRibOut,
}

impl Peering {
    /// Creates the peering of a session that has not been started.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self {
            session,
            established: None,
            outbox: Outbox::default(),
            refreshes: Vec::new(),
            next_refresh: None,
            draining: false,
            up_to_date: false,
            max_queued: MAX_QUEUED,
            flushes: Flushes::default(),
        }
    }

    /// Sets the number of octets that may wait for the socket before no more routes are taken from the table; 65,536 by
    /// default.
    ///
    /// Changes are taken in windows, to fill messages. The last window may exceed the limit by up to 2 MiB of attributes and
    /// the destinations of up to 32,768 routes.
    #[must_use]
    pub fn with_max_queued(mut self, octets: usize) -> Self {
        self.max_queued = octets;
        self
    }

    /// Starts the session: dials the peer, or waits for its connection if the session is passive.
    pub fn start(&mut self, now: Instant) {
        self.session.start(now);
    }

    /// Ends the session and leaves it in Idle.
    pub fn stop(&mut self, now: Instant, shutdown: &Shutdown) {
        self.session.stop(now, shutdown);
    }

    /// Replaces the configuration. A change that needs a new session resets it (see [`Session::update`]); otherwise
    /// routes whose export policy or next hop has changed are sent again. Returns the differences.
    ///
    /// # Errors
    ///
    /// The configuration is not possible (see [`PeerConfig::validate`]). Nothing changes.
    pub fn update(&mut self, now: Instant, config: PeerConfig) -> Result<PeerChange, ConfigError> {
        let change = self.session.update(now, config)?;
        self.change_export(|adj_rib_out, config, negotiated| {
            adj_rib_out.set_policy(config, negotiated);
        });
        Ok(change)
    }

    /// Replaces our AS number and BGP Identifier. A session whose OPEN that changes is reset (see
    /// [`Session::update_local`]).
    ///
    /// # Errors
    ///
    /// The AS number is 0. Nothing changes.
    pub fn update_local(&mut self, now: Instant, local: LocalConfig) -> Result<(), ConfigError> {
        self.session.update_local(now, local)
    }

    /// Asks the peer to send its routes of `family` again (RFC 2918).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Session::refresh`].
    pub fn refresh(&mut self, now: Instant, family: Family) -> Result<(), RefreshError> {
        self.session.refresh(now, family)
    }

    /// Sends an UPDATE to this peer as it is (see [`Session::send_update`]). Returns the number of messages.
    ///
    /// The table does not know these routes, and neither does the peer's [`AdjRibOut`]:
    ///
    /// - The export policy, draining and End-of-RIB do not take account of them.
    /// - They are not sent again after a ROUTE-REFRESH, a changed policy or in the next session.
    /// - A later change of a route to the same destination in the table replaces or withdraws them at the peer.
    ///
    /// The UPDATE follows everything that was pulled from the table before. A later [`Peering::flush`] also waits for it.
    ///
    /// # Errors
    ///
    /// No session is Established, or the negotiated context does not permit the UPDATE. Nothing is sent then.
    pub fn send_update(&mut self, now: Instant, update: &UpdateBuf) -> Result<usize, SendError> {
        self.session.send_update(now, update)
    }

    /// Asks the peer to prefer the routes of other speakers because this session will end, or ends that request (RFC
    /// 8326).
    ///
    /// Also applies to later sessions.
    pub fn set_draining(&mut self, draining: bool) {
        self.draining = draining;
        if let Some(established) = &mut self.established {
            established.adj_rib_out.set_draining(draining);
            self.up_to_date = false;
        }
    }

    /// Starts to wait until the peer has acknowledged every change that has been made so far: those of the table, of the
    /// export policy and next hops, of draining, and the UPDATEs of [`Peering::send_update`]. [`Peering::poll_flushed`]
    /// returns the outcome.
    ///
    /// Later changes do not prolong the wait, except that changes are sent in windows: it also covers the rest of the window
    /// with the last change (see [`Peering::with_max_queued`]). It does not cover:
    ///
    /// - the newest state of a route that changed again before it was sent. The older state is never sent.
    /// - End-of-RIB and answers to ROUTE-REFRESH. They are due when the peer has been sent the whole table.
    ///
    /// While [`Peering::awaits_acknowledgement`] returns `true`, the driver calls [`Peering::handle_unacknowledged`].
    /// `table` is that of [`Peering::poll_output`].
    pub fn flush(&mut self, table: &mut impl RibAccess) -> FlushId {
        // The driver may not have reported the newest changes yet.
        self.up_to_date = false;
        let established = self.established.as_ref();
        self.flushes
            .begin(established.map(|established| established.adj_rib_out.target(table)))
    }

    /// Ends a wait whose outcome is no longer of interest.
    pub fn cancel_flush(&mut self, id: FlushId) {
        self.flushes.cancel(id);
    }

    /// Returns the result of the oldest flush that has ended, each once; `None` if no other has ended.
    ///
    /// The counts are those at the time of this call. No outcome is [`FlushOutcome::Pending`].
    pub fn poll_flushed(&mut self) -> Option<(FlushId, PeerFlush)> {
        let (id, outcome) = self.flushes.poll()?;
        let withheld = self.withheld();
        Some((id, PeerFlush { outcome, withheld }))
    }

    /// Returns `true` while a flush waits for the peer.
    #[must_use]
    pub fn awaits_acknowledgement(&self) -> bool {
        self.flushes.is_waiting()
    }

    /// Offers a connection that the peer has made. Returns its identifier, or `None` if the driver must close it.
    /// `local_address` is our end.
    pub fn accept(&mut self, now: Instant, local_address: IpAddr) -> Option<ConnectionId> {
        self.session.accept(now, local_address)
    }

    /// Reports that the connection of [`Output::Dial`] has been made. `local_address` is our end.
    pub fn handle_connected(&mut self, now: Instant, id: ConnectionId, local_address: IpAddr) {
        self.session.handle_connected(now, id, local_address);
    }

    /// Reports that the peer has closed the connection, or that the dial has failed for an unknown reason.
    pub fn handle_closed(&mut self, now: Instant, id: ConnectionId) {
        // Before the session learns of it: the octets of an ended connection are never acknowledged.
        self.outbox.close(id);
        self.session.handle_closed(now, id);
    }

    /// Reports that the connection, or the dial, has failed with this error.
    pub fn handle_error(&mut self, now: Instant, id: ConnectionId, error: io::ErrorKind) {
        self.outbox.close(id);
        self.session.handle_error(now, id, error);
    }

    /// Processes the whole messages in `buffer`, the received octets of a connection (see [`Session::handle_bytes`]).
    pub fn handle_bytes(&mut self, now: Instant, id: ConnectionId, buffer: &mut BytesMut) {
        self.session.handle_bytes(now, id, buffer);
    }

    /// Reports that the socket has taken `taken` octets; 0 if it takes none at present.
    ///
    /// The session ends if it takes none for the send hold time (RFC 9687).
    pub fn handle_written(&mut self, now: Instant, id: ConnectionId, taken: usize) {
        let left = self.outbox.written(id, taken);
        self.session.handle_written(now, id, taken, left);
    }

    /// Reports the number of octets that the socket has taken and the peer has not acknowledged.
    pub fn handle_unacknowledged(&mut self, id: ConnectionId, unacknowledged: usize) {
        let acknowledged = self.outbox.acknowledged(id, unacknowledged);
        // A flush waits for routes, and they are sent on the Established connection only.
        if self.connection_id() == Some(id) {
            self.flushes.acknowledge(acknowledged);
        }
    }

    /// Reports that the table has changed.
    pub fn handle_table_changed(&mut self) {
        self.up_to_date = false;
    }

    /// Reports the addresses of the interface that holds our end of the session, each with the length of its subnet. They are
    /// the next hops of routes of the address family that the session does not run over.
    ///
    /// Of several addresses, global ones precede link-local ones, and those with a subnet precede single ones; the first of
    /// equal ones is used. A link-local address is used only if the peer is in a subnet of the interface.
    ///
    /// A driver calls it after [`SessionEvent::Up`], if [`Peering::needs_interface_addresses`] returns `true`, and again when
    /// the addresses change. Has no effect if no session is Established.
    pub fn handle_interface_addresses(&mut self, addresses: &[IpNet]) {
        self.change_export(|adj_rib_out, config, negotiated| {
            adj_rib_out.set_interface_addresses(config, negotiated, addresses);
        });
    }

    /// Calls `change`, which may change the form of the peer's routes, if the session is Established.
    fn change_export(&mut self, change: impl FnOnce(&mut AdjRibOut, &PeerConfig, &Negotiated)) {
        // After a reset the Down is still to be polled: the position in the table belongs to the old session.
        let connection = self.session.connection_id();
        if let (Some(established), Some(negotiated)) =
            (&mut self.established, self.session.negotiated())
            && connection == Some(established.connection)
        {
            change(
                &mut established.adj_rib_out,
                self.session.config(),
                negotiated,
            );
            self.up_to_date = false;
        }
    }

    /// Processes every timer whose deadline has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
    }

    /// Returns the next output; [`Output::Wait`] if no other is pending.
    ///
    /// Takes routes from `table` while the queue has room. Encodes nothing while the table is locked. Every call of one
    /// peering has the same table (see [`AdjRibOut::pull`]).
    pub fn poll_output(&mut self, now: Instant, table: &mut impl RibAccess) -> Output {
        loop {
            let output = self.session.poll_output();
            match &output {
                // Only now: an event that is still queued may end the session that the routes are for.
                Output::Wait(deadline) => {
                    if !self.pull(now, table) {
                        if let Some(event) = self.poll_withheld() {
                            return Output::Event(event);
                        }
                        let refresh = self.refresh_deadline(now);
                        let deadline = deadline.iter().chain(&refresh).min();
                        return Output::Wait(deadline.copied());
                    }
                }
                Output::Event(event) => {
                    self.handle_event(event, table);
                    return output;
                }
                Output::Transmit(id, octets) => {
                    self.outbox.queue(*id, octets.len());
                    return output;
                }
                Output::Close(id) => {
                    self.outbox.close(*id);
                    return output;
                }
                Output::Dial(_) => return output,
            }
        }
    }

    /// Returns the session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Returns `true` if the peer has been sent everything that was in the table when it was last read.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.up_to_date
    }

    /// Returns the connection on which the peer is sent routes, or `None` if no session is Established.
    #[must_use]
    pub fn connection_id(&self) -> Option<ConnectionId> {
        self.established
            .as_ref()
            .map(|established| established.connection)
    }

    /// Returns `true` if the session is Established and routes of a negotiated family have a next hop only if
    /// [`Peering::handle_interface_addresses`] provides one.
    #[must_use]
    pub fn needs_interface_addresses(&self) -> bool {
        self.established
            .as_ref()
            .is_some_and(|established| established.adj_rib_out.needs_interface_addresses())
    }

    /// Returns the numbers of routes of the table that the peer is not sent, by reason, as of the last time that the table was
    /// read. None are counted unless a session is Established.
    #[must_use]
    pub fn withheld(&self) -> WithheldCounts {
        self.established
            .as_ref()
            .map(|established| established.adj_rib_out.withheld())
            .unwrap_or_default()
    }

    /// Returns the event of the next route that was withheld for a new reason.
    fn poll_withheld(&mut self) -> Option<SessionEvent> {
        let established = self.established.as_mut()?;
        established
            .adj_rib_out
            .poll_withheld()
            .map(SessionEvent::Withheld)
    }

    /// Updates the peer's position in the table after an event of the session.
    fn handle_event(&mut self, event: &SessionEvent, table: &mut impl RibAccess) {
        if let SessionEvent::Up { negotiated, .. } = event {
            self.up(negotiated, table);
        } else if let SessionEvent::Down { .. } = event {
            self.down();
        } else if let SessionEvent::Refresh(family) = event
            // Equal requests that arrive before the answer begins get one answer, so that the list has at most one entry for
            // each negotiated family.
            && !self.refreshes.contains(family)
        {
            self.refreshes.push(*family);
        }
    }

    /// Creates the peer's position in the table.
    fn up(&mut self, negotiated: &Negotiated, table: &mut impl RibAccess) {
        // The session may have ended in the call that established it; its Down follows.
        let Some(connection) = self.session.connection_id() else {
            return;
        };
        let config = self.session.config();
        let mut adj_rib_out =
            table.with_rib(|rib: &mut Rib| AdjRibOut::new(rib, config, negotiated));
        adj_rib_out.set_draining(self.draining);
        self.established = Some(Established {
            connection,
            adj_rib_out,
        });
        self.up_to_date = false;
    }

    /// Releases the peer's position in the table.
    fn down(&mut self) {
        self.established = None;
        // The next session sends the whole table anyway.
        self.refreshes.clear();
        self.up_to_date = false;
        self.flushes.fail();
    }

    /// Takes routes from the table if the queue has room. Returns `true` if the session was given something to send.
    fn pull(&mut self, now: Instant, table: &mut impl RibAccess) -> bool {
        let Some(Established {
            connection,
            adj_rib_out,
        }) = &mut self.established
        else {
            return false;
        };
        // Before later changes are taken. Every octet of earlier ones has been handed to the driver, or the session would
        // have had another output.
        let total = self.outbox.total(*connection);
        self.flushes
            .reach(total, |target| adj_rib_out.has_reached(target));
        let queued = self.outbox.queued(*connection);
        // A peer that sends requests all the time must not keep us busy: an answer begins after the last one has left.
        let may_refresh = queued == 0 && self.next_refresh.is_none_or(|next| now >= next);
        if may_refresh && !self.refreshes.is_empty() {
            for family in self.refreshes.drain(..) {
                adj_rib_out.refresh(family);
            }
            self.next_refresh = Some(now + REFRESH_INTERVAL);
            self.up_to_date = false;
        }
        if self.up_to_date || queued >= self.max_queued {
            return false;
        }
        let mut messages = BytesMut::new();
        self.up_to_date = adj_rib_out.pull(table, &mut messages, self.max_queued);
        if messages.is_empty() {
            return false;
        }
        let sent = self.session.send(now, messages.freeze());
        debug_assert!(sent.is_ok(), "the Down of a session precedes the Wait");
        sent.is_ok()
    }

    /// Returns the time at which the next answer to a ROUTE-REFRESH may begin, if only time prevents it now.
    fn refresh_deadline(&self, now: Instant) -> Option<Instant> {
        let waits = self.established.is_some() && !self.refreshes.is_empty();
        // A past time is no deadline: the answer then waits for the socket, and a driver would spin.
        self.next_refresh.filter(|next| waits && *next > now)
    }
}

/// Default of [`Peering::with_max_queued`].
const MAX_QUEUED: usize = 64 * 1024;

/// Minimum time between the beginnings of two answers to ROUTE-REFRESH.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
