//! `Peering`: a session together with the peer's place in the table. Decides what the peer is sent and when (RFC 4271
//! section 9.2, RFC 2918, RFC 4724 section 2, RFC 7313).
//!
//! It does no I/O and knows no clock. What it is not: the table itself, which all peers share and every call that may send
//! something is given access to.

mod flush;
mod outbox;

pub use flush::{FlushId, FlushOutcome};

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgp_wire::Family;
use bytes::BytesMut;

use crate::config::{LocalConfig, PeerConfig};
use crate::negotiate::Negotiated;
use crate::output::{ConnectionId, Output, SessionEvent};
use crate::rib::{AdjRibOut, Rib, RibAccess, Skipped};
use crate::session::{NotEstablished, Session, Shutdown};
use flush::Flushes;
use outbox::Outbox;

/// A peer: its session, and what it has been sent of the table. The core of a driver.
///
/// Inputs are `handle_*`, commands are verbs, and the one output is [`Peering::poll_output`]. The contract is that of
/// [`Session`]: every `&mut self` call is followed by calling `poll_output` until it returns [`Output::Wait`]; time never
/// decreases; the same inputs give the same outputs.
///
/// A driver also reports every write with [`Peering::handle_written`] and every change of the table with
/// [`Peering::handle_table_changed`]. In return it never decides what to send: routes are taken from the table only while
/// few octets wait for the socket, End-of-RIB follows the first pass, requests for a refresh are answered at a bounded
/// rate, and a session that ends gives up its place in the table.
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
/// let local = LocalConfig { asn: Asn::new(64512), router_id: "192.168.0.111".parse()? };
/// let router = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512));
/// let mut peering = Peering::new(Session::new(local, router, now, 7));
/// peering.start(now);
/// loop {
///     match peering.poll_output(now, &mut rib) {
///         Output::Dial(connection) => peering.handle_connected(now, connection, IpAddr::from([192, 168, 0, 111])),
///         // A driver writes the octets to its socket and reports what the socket took.
///         Output::Transmit(connection, octets) => peering.handle_written(now, connection, octets.len()),
///         Output::Close(_) | Output::Event(_) => {}
///         Output::Wait(deadline) => break assert!(deadline.is_some(), "the peer's OPEN may be late"),
///     }
/// }
/// peering.close(&mut rib);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Peering {
    session: Session,
    established: Option<Established>,
    outbox: Outbox,
    /// Families that the peer wants once more and that no pass has begun for.
    refreshes: Vec<Family>,
    /// The earliest start of the next answer to a ROUTE-REFRESH.
    next_refresh: Option<Instant>,
    draining: bool,
    /// The peer has been sent everything that was in the table when it was last read.
    up_to_date: bool,
    max_queued: usize,
    flushes: Flushes,
}

/// The peer's place in the table, and the connection on which the session is Established.
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

    /// Sets how many octets may wait for the socket before no more routes are taken from the table; 65,536 by default.
    ///
    /// Changes are taken in windows, for the sake of full messages: the last one may exceed it by 2 MiB at most.
    #[must_use]
    pub fn with_max_queued(mut self, octets: usize) -> Self {
        self.max_queued = octets;
        self
    }

    /// Starts the session: dials the peer, or waits for it if it is passive.
    pub fn start(&mut self, now: Instant) {
        self.session.start(now);
    }

    /// Ends the session and leaves it in Idle.
    pub fn stop(&mut self, now: Instant, why: &Shutdown) {
        self.session.stop(now, why);
    }

    /// Replaces the configuration. A change that needs a new session resets it (see [`Session::update`]); otherwise
    /// routes whose export policy or next hop has changed are sent again.
    pub fn update(&mut self, now: Instant, config: PeerConfig) {
        self.session.update(now, config);
        // A reset has ended the session, although the event is still to be polled: its place in the table goes with it.
        let connection = self.session.connection_id();
        if let (Some(established), Some(negotiated)) =
            (&mut self.established, self.session.negotiated())
            && connection == Some(established.connection)
        {
            let config = self.session.config();
            established.adj_rib_out.set_policy(config, negotiated);
            self.up_to_date = false;
        }
    }

    /// Replaces our AS number and BGP Identifier. A session whose OPEN that changes is reset (see
    /// [`Session::update_local`]).
    pub fn update_local(&mut self, now: Instant, local: LocalConfig) {
        self.session.update_local(now, local);
    }

    /// Asks the peer for its routes of `family` once more (RFC 2918).
    ///
    /// # Errors
    ///
    /// No session is Established, or the peer does not support the request.
    pub fn refresh(&mut self, now: Instant, family: Family) -> Result<(), NotEstablished> {
        self.session.refresh(now, family)
    }

    /// Asks the peer to prefer the routes of other speakers, because this session is about to end; or ends that request
    /// (RFC 8326). Holds for later sessions, too.
    pub fn set_draining(&mut self, draining: bool) {
        self.draining = draining;
        if let Some(established) = &mut self.established {
            established.adj_rib_out.set_draining(draining);
            self.up_to_date = false;
        }
    }

    /// Begins to wait until the peer has acknowledged everything up to this version of the table (see
    /// [`Rib::version`]). [`Peering::poll_flushed`] returns the outcome.
    ///
    /// While [`Peering::awaits_acknowledgement`], the driver reports with [`Peering::handle_unacknowledged`].
    pub fn flush(&mut self, version: u64) -> FlushId {
        // The driver may not have heard of this version yet.
        self.up_to_date = false;
        self.flushes.begin(version, self.established.is_some())
    }

    /// Ends a wait whose outcome is no longer of interest.
    pub fn cancel_flush(&mut self, id: FlushId) {
        self.flushes.cancel(id);
    }

    /// Returns the outcome of a flush that has ended, each once.
    pub fn poll_flushed(&mut self) -> Option<(FlushId, FlushOutcome)> {
        self.flushes.poll()
    }

    /// Returns `true` while a flush waits for the peer.
    #[must_use]
    pub fn awaits_acknowledgement(&self) -> bool {
        self.flushes.is_waiting()
    }

    /// Offers a connection that the peer has made. Returns its name if the session accepts it. `local_address` is our end.
    pub fn accept(&mut self, now: Instant, local_address: IpAddr) -> Option<ConnectionId> {
        self.session.accept(now, local_address)
    }

    /// Reports that the connection of [`Output::Dial`] has been made. `local_address` is our end.
    pub fn handle_connected(&mut self, now: Instant, id: ConnectionId, local_address: IpAddr) {
        self.session.handle_connected(now, id, local_address);
    }

    /// Reports that the connection has ended, or that the dial has failed.
    pub fn handle_closed(&mut self, now: Instant, id: ConnectionId) {
        self.outbox.close(id);
        self.session.handle_closed(now, id);
    }

    /// Takes whole messages off `buffer`, which holds what the connection has received (see [`Session::handle_bytes`]).
    pub fn handle_bytes(&mut self, now: Instant, id: ConnectionId, buffer: &mut BytesMut) {
        self.session.handle_bytes(now, id, buffer);
    }

    /// Reports that the socket has taken `taken` octets of what was to be sent, or that it takes none for now: `0`.
    ///
    /// The session ends if that lasts for the send hold time (RFC 9687).
    pub fn handle_written(&mut self, now: Instant, id: ConnectionId, taken: usize) {
        let left = self.outbox.written(id, taken);
        self.session.handle_written(now, id, taken, left);
    }

    /// Reports how many octets of those that the socket has taken the peer has not acknowledged.
    pub fn handle_unacknowledged(&mut self, id: ConnectionId, unacknowledged: usize) {
        let acknowledged = self.outbox.acknowledged(id, unacknowledged);
        let established = self.established.as_ref();
        if let Some(it) = established.filter(|it| it.connection == id) {
            let version = it.adj_rib_out.version();
            let queued = self.outbox.total(id);
            self.flushes.acknowledge(version, queued, acknowledged);
        }
    }

    /// Reports that the table has changed.
    pub fn handle_table_changed(&mut self) {
        self.up_to_date = false;
    }

    /// Lets every timer expire that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
    }

    /// Returns the next thing to do; [`Output::Wait`] when that is all.
    ///
    /// Takes routes from `table` while there is room for them. Nothing is encoded while the table is locked.
    pub fn poll_output(&mut self, now: Instant, table: &mut impl RibAccess) -> Output {
        loop {
            let output = self.session.poll_output();
            match &output {
                Output::Wait(deadline) => {
                    if !self.pull(now, table) {
                        let refresh = self.refresh_deadline(now);
                        let deadline = deadline.iter().chain(&refresh).min();
                        return Output::Wait(deadline.copied());
                    }
                }
                Output::Event(event) => {
                    self.follow(event, table);
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

    /// Gives up the peer's place in the table, without which withdrawals stay in it. For the end of the peering.
    pub fn close(self, table: &mut impl RibAccess) {
        if let Some(Established { adj_rib_out, .. }) = self.established {
            table.with_rib(|rib| adj_rib_out.close(rib));
        }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Returns `true` if the peer has been sent everything that was in the table when it was last read.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.up_to_date
    }

    /// The connection on which the peer is sent routes.
    #[must_use]
    pub fn connection_id(&self) -> Option<ConnectionId> {
        self.established.as_ref().map(|it| it.connection)
    }

    /// Routes that the peer was not sent in this session.
    #[must_use]
    pub fn skipped(&self) -> Skipped {
        self.established
            .as_ref()
            .map(|it| it.adj_rib_out.skipped())
            .unwrap_or_default()
    }

    /// Keeps the peer's place in the table by the events of the session.
    fn follow(&mut self, event: &SessionEvent, table: &mut impl RibAccess) {
        if let SessionEvent::Up { negotiated, .. } = event {
            self.up(negotiated, table);
        } else if let SessionEvent::Down { .. } = event {
            self.down(table);
        } else if let SessionEvent::Refresh(family) = event
            // Equal requests that arrive before the answer begins get one answer.
            && !self.refreshes.contains(family)
        {
            self.refreshes.push(*family);
        }
    }

    fn up(&mut self, negotiated: &Negotiated, table: &mut impl RibAccess) {
        // The session may have ended in the same call in which it came up; its Down follows.
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

    fn down(&mut self, table: &mut impl RibAccess) {
        if let Some(Established { adj_rib_out, .. }) = self.established.take() {
            table.with_rib(|rib| adj_rib_out.close(rib));
        }
        self.refreshes.clear();
        self.up_to_date = false;
        self.flushes.fail();
    }

    /// Takes routes from the table if there is room. Returns `true` if the session was given something to send.
    fn pull(&mut self, now: Instant, table: &mut impl RibAccess) -> bool {
        let Some(Established {
            connection,
            adj_rib_out,
        }) = &mut self.established
        else {
            return false;
        };
        let queued = self.outbox.queued(*connection);
        // A peer that asks all the time must not keep us busy: an answer begins once the last one has left.
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
        !messages.is_empty() && self.session.send(now, messages.freeze()).is_ok()
    }

    /// The time at which the next answer to a ROUTE-REFRESH may begin, if time is what it waits for.
    fn refresh_deadline(&self, now: Instant) -> Option<Instant> {
        let waits = self.established.is_some() && !self.refreshes.is_empty();
        self.next_refresh.filter(|next| waits && *next > now)
    }
}

/// The default of [`Peering::with_max_queued`].
const MAX_QUEUED: usize = 64 * 1024;

/// The minimum time between the beginnings of two answers to ROUTE-REFRESH.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
