//! `Session`: the relation to one peer, with up to two connections at a time. Does no I/O and knows no clock.

mod connection;
mod connections;
mod inbound;
mod limit;
mod perform;
mod retention;

use std::collections::VecDeque;
use std::net::IpAddr;
#[cfg(feature = "tokio")]
use std::sync::Arc;
use std::time::Instant;

use bgp_wire::{Family, FamilySet, NotificationBuf, Reason, RefreshSubtype, RouteRefresh};
use bytes::{Bytes, BytesMut};

use crate::backoff::Backoff;
use crate::collision::Initiator;
use crate::config::{LocalConfig, PeerConfig};
use crate::fsm::{Event, State};
use crate::negotiate::{Negotiated, PeerRestart};
use crate::output::{ConnectionId, DownReason, Output, SessionEvent, SessionId};
use crate::stats::Statistics;
use crate::timer::{Timer, earlier};
use connection::{Cause, Connection, Transport};
use connections::{Connections, Slot};
use limit::PrefixLimit;
use retention::Retention;

/// A BGP session without I/O: inputs are `handle_*` and commands, everything to be done comes out of
/// [`Session::poll_output`].
///
/// The contract: after every `&mut self` call, drain `poll_output` until it returns [`Output::Wait`]; time never goes
/// back; the same inputs give the same outputs. Input for a connection that has ended is ignored, so that no race
/// between network and session needs care.
///
/// ```
/// use std::time::{Duration, Instant};
/// use bgp_session::{LocalConfig, Output, PeerConfig, Session, SessionEvent, State};
/// use bgp_wire::Asn;
///
/// # #[allow(clippy::disallowed_methods)]
/// let mut now = Instant::now();
/// let local = LocalConfig { asn: Asn::new(64512), router_id: "192.168.0.111".parse()? };
/// let mut session = Session::new(local, PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512)), now, 7);
/// session.start(now);
/// let Output::Dial(connection) = session.poll_output() else { panic!("dial") };
/// assert!(matches!(session.poll_output(), Output::Event(SessionEvent::StateChanged { to: State::Connect, .. })));
/// assert!(matches!(session.poll_output(), Output::Wait(Some(_))));
///
/// // The driver could not connect: the session waits a while in Idle and dials again.
/// session.handle_closed(now, connection);
/// now = loop {
///     if let Output::Wait(deadline) = session.poll_output() {
///         break deadline.expect("a time to try again");
///     }
/// };
/// session.handle_timeout(now);
/// assert!(matches!(session.poll_output(), Output::Dial(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What an operator may do, and what a driver tells a session that is up:
///
/// ```
/// use std::time::Instant;
/// use bgp_session::{NotEstablished, PeerConfig, Session, Shutdown};
/// use bgp_wire::Family;
///
/// fn operate(session: &mut Session, now: Instant, config: PeerConfig) {
///     // What needs a reset is reset with Cease/Other Configuration Change.
///     session.update(now, config);
///     if session.refresh(now, Family::IPV4_UNICAST) == Err(NotEstablished) {
///         println!("later, then");
///     }
///     let why = [
///         Shutdown::administrative("maintenance until noon"),
///         Shutdown::reset(""),
///         Shutdown::deconfigured(),
///         Shutdown::configuration_change(),
///         Shutdown::restart(),
///     ];
///     session.stop(now, &why[0]);
///     assert!(!session.retains_routes());
///     println!("{} messages received", session.statistics().received.total());
/// }
///
/// fn written(session: &mut Session, now: Instant, taken: usize, left: usize) {
///     if let Some(connection) = session.connection_id() {
///         session.handle_written(now, connection, taken, left);
///     }
/// }
///
/// /// This program has been restarted: its first OPENs say so.
/// fn again(session: Session) -> Session {
///     session.restarted()
/// }
/// ```
#[derive(Debug)]
pub struct Session {
    local: LocalConfig,
    config: PeerConfig,
    connections: Connections,
    /// Whether the operator wants the session.
    enabled: bool,
    /// Whether the wait in Idle is for want of a connection only, so that the peer may end it by connecting.
    admits_in_idle: bool,
    backoff: Backoff,
    outputs: VecDeque<Output>,
    sessions: u64,
    /// Since when the session is Established.
    established: Option<(SessionId, Instant)>,
    /// This speaker has just restarted, and no session has come up since.
    restarted: bool,
    /// The peer has refused an OPEN with capabilities.
    plain: bool,
    retention: Retention,
    limit: Option<Box<PrefixLimit>>,
    statistics: Statistics,
}

/// A command that needs an Established session was given while there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotEstablished;

impl std::fmt::Display for NotEstablished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the session is not Established")
    }
}

impl std::error::Error for NotEstablished {}

/// Why the operator ends a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    reason: Reason,
    text: String,
    restart: bool,
}

impl Shutdown {
    fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self {
            reason,
            text: text.into(),
            restart: false,
        }
    }

    /// Until further notice, with a text for the other operator (RFC 9003); empty for none.
    #[must_use]
    pub fn administrative(text: impl Into<String>) -> Self {
        Self::new(Reason::ADMINISTRATIVE_SHUTDOWN, text)
    }

    /// To be started again at once (RFC 9003).
    #[must_use]
    pub fn reset(text: impl Into<String>) -> Self {
        Self::new(Reason::ADMINISTRATIVE_RESET, text)
    }

    /// The peer is no longer configured.
    #[must_use]
    pub fn deconfigured() -> Self {
        Self::new(Reason::PEER_DECONFIGURED, "")
    }

    /// The configuration of the session changes; it starts again at once.
    #[must_use]
    pub fn configuration_change() -> Self {
        Self::new(Reason::OTHER_CONFIGURATION_CHANGE, "")
    }

    /// For a restart of this program: a peer that keeps our routes meanwhile is not told (RFC 4724 section 4.1), any other
    /// one is sent Administrative Reset.
    #[must_use]
    pub fn restart() -> Self {
        Self {
            restart: true,
            ..Self::reset("restart")
        }
    }

    fn notification(&self) -> NotificationBuf {
        NotificationBuf::with_text(self.reason, &self.text)
    }
}

impl Session {
    /// A session in Idle that does nothing until [`Session::start`]. `seed` decides its jitter.
    #[must_use]
    pub fn new(local: LocalConfig, config: PeerConfig, now: Instant, seed: u64) -> Self {
        let backoff = Backoff::new(config.idle_hold, config.idle_hold_maximum, seed);
        let limit = PrefixLimit::new(&config.maximum_prefixes);
        Self {
            local,
            config,
            connections: Connections::new(),
            enabled: false,
            admits_in_idle: false,
            backoff,
            outputs: VecDeque::new(),
            sessions: 0,
            established: None,
            restarted: false,
            plain: false,
            retention: Retention::default(),
            limit,
            statistics: Statistics::new(now),
        }
    }

    /// Says that this speaker has just restarted: until a session has come up, or the restart time is over, its OPENs have
    /// the R bit (RFC 4724 section 3).
    #[must_use]
    pub fn restarted(mut self) -> Self {
        self.restarted = true;
        self
    }

    /// Starts the session: dials the peer, or waits for it if it is passive.
    pub fn start(&mut self, now: Instant) {
        self.enabled = true;
        self.backoff.reset();
        self.connections.primary.timers.stop(Timer::IdleHold);
        self.step(now, Slot::Primary, Event::ManualStart, Cause::default());
    }

    /// Ends the session and leaves it in Idle.
    pub fn stop(&mut self, now: Instant, why: &Shutdown) {
        self.enabled = false;
        let keeps = |negotiated: &Negotiated| negotiated.restart.is_some();
        let silent = why.restart && self.negotiated().is_some_and(keeps);
        let cause = || Cause {
            notification: Some(why.notification()),
            silent,
            ..Cause::default()
        };
        self.step(now, Slot::Secondary, Event::ManualStop, cause());
        self.step(now, Slot::Primary, Event::ManualStop, cause());
        self.connections.primary.timers.stop_all();
        let gone = self.retention.clear();
        self.emit_gone(gone);
    }

    /// Puts another configuration of the same peer in place. What [`PeerConfig::change`] says needs a reset gets one: the
    /// session ends, and starts again if it is wanted.
    pub fn update(&mut self, now: Instant, config: PeerConfig) {
        let resets = !self.config.change(&config).resets.is_empty();
        let enabled = self.enabled;
        if resets {
            self.stop(now, &Shutdown::configuration_change());
        }
        if self.config.maximum_prefixes != config.maximum_prefixes && self.established.is_none() {
            self.limit = PrefixLimit::new(&config.maximum_prefixes);
        }
        self.backoff
            .set_waits(config.idle_hold, config.idle_hold_maximum);
        self.config = config;
        if resets && enabled {
            self.start(now);
        }
    }

    /// Replaces our AS number and BGP Identifier. A session whose OPEN that changes is reset with Cease/Other Configuration
    /// Change, and starts again if it is wanted; one with values of its own in the configuration stays.
    pub fn update_local(&mut self, now: Instant, local: LocalConfig) {
        let resets = self.config.local(self.local) != self.config.local(local);
        let enabled = self.enabled;
        if resets {
            self.stop(now, &Shutdown::configuration_change());
        }
        self.local = local;
        if resets && enabled {
            self.start(now);
        }
    }

    /// Whether stale routes of the peer are still to be kept.
    #[must_use]
    pub fn retains_routes(&self) -> bool {
        self.retention.deadline().is_some()
    }

    /// Asks the peer for its routes of `family` once more (RFC 2918).
    ///
    /// # Errors
    ///
    /// There is no Established session, or the peer does not understand the request.
    pub fn refresh(&mut self, now: Instant, family: Family) -> Result<(), NotEstablished> {
        match &self.connections.primary.negotiated {
            Some(negotiated) if negotiated.route_refresh => {
                let mut octets = BytesMut::new();
                RouteRefresh {
                    family,
                    subtype: RefreshSubtype::REQUEST,
                }
                .encode(&mut octets);
                self.send(now, octets.freeze())
            }
            _ => Err(NotEstablished),
        }
    }

    /// Sends whole messages, encoded for the context that was negotiated; an UPDATE counts as a sign of life.
    ///
    /// # Errors
    ///
    /// There is no Established session: nothing is sent.
    pub fn send(&mut self, now: Instant, messages: Bytes) -> Result<(), NotEstablished> {
        let Some(transport) = self
            .connections
            .primary
            .transport
            .filter(|_| self.established.is_some())
        else {
            return Err(NotEstablished);
        };
        if messages.is_empty() {
            return Ok(());
        }
        let updates = self.statistics.sent.update;
        self.statistics.count_sent(&messages);
        self.outputs
            .push_back(Output::Transmit(transport.id, messages));
        // RFC 4271 section 8.2.2: an UPDATE stands for a KEEPALIVE; a ROUTE-REFRESH does not.
        if self.statistics.sent.update > updates {
            self.start_timer(now, Slot::Primary, Timer::Keepalive);
        }
        Ok(())
    }

    /// The peer has connected to us: whether this connection is wanted, and its name. `local_address` is our end.
    ///
    /// Until its OPEN shows that it is the peer, it neither ends nor delays our own attempts.
    pub fn accept(&mut self, now: Instant, local_address: IpAddr) -> Option<ConnectionId> {
        let silent = |connection: &Connection| {
            let old = connection
                .transport
                .is_some_and(|transport| !transport.is_young(now));
            connection.state == State::OpenSent && old
        };
        if self.connections.secondary.as_ref().is_some_and(silent) {
            // It has said nothing: another one may have more to say.
            self.step(
                now,
                Slot::Secondary,
                Event::OpenCollisionDump,
                Cause::default(),
            );
        }
        let slot = match self.connections.primary.state {
            State::Idle if !self.enabled || !self.admits_in_idle => return None,
            State::Active
                if self.config.passive && self.connections.primary.transport.is_none() =>
            {
                Slot::Primary
            }
            _ if self.connections.secondary.is_some() => return None,
            // In Idle this is event 5: the peer is there before we have tried again.
            State::Idle
            | State::Connect
            | State::Active
            | State::OpenSent
            | State::OpenConfirm
            | State::Established => {
                self.connections.secondary = Some(Connection {
                    state: State::Active,
                    ..Connection::idle()
                });
                Slot::Secondary
            }
        };
        let id = self.connections.next_id();
        let initiator = Initiator::Remote;
        let transport = Transport {
            id,
            initiator,
            local_address: Some(local_address),
            since: now,
        };
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.transport = Some(transport);
        }
        self.step(now, slot, Event::TcpConnected, Cause::default());
        Some(id)
    }

    /// The connection that [`Output::Dial`] asked for is there. `local_address` is our end.
    pub fn handle_connected(&mut self, now: Instant, id: ConnectionId, local_address: IpAddr) {
        let Some(slot) = self.connections.slot(id) else {
            return;
        };
        if let Some(transport) = self
            .connections
            .get_mut(slot)
            .and_then(|connection| connection.transport.as_mut())
        {
            transport.local_address = Some(local_address);
            transport.since = now;
        }
        self.step(now, slot, Event::TcpConnected, Cause::default());
    }

    /// The connection has ended, or the dial has failed.
    pub fn handle_closed(&mut self, now: Instant, id: ConnectionId) {
        let Some(slot) = self.connections.slot(id) else {
            return;
        };
        self.step(now, slot, Event::TcpConnectionFails, Cause::default());
    }

    /// The transport has taken so many octets of what is to be sent, and so many are left. A driver that says so after every
    /// attempt to write lets the session end when the peer takes nothing for long (RFC 9687).
    pub fn handle_written(&mut self, now: Instant, id: ConnectionId, taken: usize, left: usize) {
        if self.connection_id() != Some(id) {
            return;
        }
        let timers = &mut self.connections.primary.timers;
        if left == 0 {
            timers.stop(Timer::SendHold);
        } else if taken > 0 || timers.deadline(Timer::SendHold).is_none() {
            self.start_timer(now, Slot::Primary, Timer::SendHold);
        }
    }

    /// Lets every timer expire whose time has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.retention.deadline().is_some_and(|until| until <= now) {
            let expired = self.retention.expire(now);
            self.emit_gone(expired.gone);
            if !expired.long_lived.is_empty() {
                self.emit(SessionEvent::StaleRoutesLongLived(expired.long_lived));
            }
        }
        for slot in [Slot::Primary, Slot::Secondary] {
            // Every pass stops or moves one timer; a timer that is started anew is due later.
            for _ in Timer::ALL {
                let connection = self.connections.get_mut(slot);
                let Some(timer) = connection.and_then(|connection| connection.timers.expire(now))
                else {
                    break;
                };
                self.step(now, slot, Event::TimerExpires(timer), Cause::default());
            }
        }
    }

    /// What is to be done next; [`Output::Wait`] when that is all.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        // The next ones use the same memory again, not all of it in turn.
        self.outputs.clear();
        Output::Wait(self.next_deadline())
    }

    /// The state of the foremost connection.
    #[must_use]
    pub fn state(&self) -> State {
        self.connections.primary.state
    }

    /// What the peer and we have agreed on, while the session is Established.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.connections
            .primary
            .negotiated
            .as_deref()
            .filter(|_| self.established.is_some())
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn shared_negotiated(&self) -> Option<Arc<Negotiated>> {
        let negotiated = self.connections.primary.negotiated.as_ref();
        negotiated.filter(|_| self.established.is_some()).cloned()
    }

    /// The connection that the session is Established on.
    #[must_use]
    pub fn connection_id(&self) -> Option<ConnectionId> {
        self.connections
            .primary
            .transport
            .filter(|_| self.established.is_some())
            .map(|transport| transport.id)
    }

    /// Counters since the session was made.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Our AS number and BGP Identifier, unless the configuration of the peer has others.
    #[must_use]
    pub fn local(&self) -> LocalConfig {
        self.local
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &PeerConfig {
        &self.config
    }

    fn next_deadline(&self) -> Option<Instant> {
        earlier(self.connections.next_deadline(), self.retention.deadline())
    }

    fn emit(&mut self, event: SessionEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Ends a stay in Established, or an attempt at one. `negotiated` is what it ran on.
    fn emit_down(&mut self, now: Instant, reason: DownReason, negotiated: Option<&Negotiated>) {
        let Some((session, since)) = self.established.take() else {
            return self.emit_failed(reason);
        };
        // It may know better by now.
        self.plain = false;
        // Only a session that stayed up shows that what failed before is mended.
        if now.saturating_duration_since(since) >= STABLE {
            self.backoff.reset();
        }
        if is_excess(&reason) {
            self.backoff.despair();
        }
        self.statistics.count_down(&reason);
        let restart = negotiated.and_then(|negotiated| negotiated.restart.as_ref());
        let retained = match restart.filter(|restart| is_graceful(&reason, restart)) {
            Some(restart) => self.retention.keep(now, restart),
            None => {
                self.retention.clear();
                FamilySet::EMPTY
            }
        };
        // Nothing is counted any more; the limits may have changed meanwhile.
        self.limit = PrefixLimit::new(&self.config.maximum_prefixes);
        self.emit(SessionEvent::Down {
            session,
            reason,
            retained,
        });
    }

    fn emit_gone(&mut self, families: FamilySet) {
        if !families.is_empty() {
            self.emit(SessionEvent::StaleRoutesGone(families));
        }
    }

    fn emit_failed(&mut self, reason: DownReason) {
        // A second connection beside an Established one says nothing of the session.
        if self.established.is_none() {
            self.statistics.count_down(&reason);
        }
        self.emit(SessionEvent::Failed { reason });
    }
}

/// Whether we have ended the session for too many prefixes, which there will be again.
fn is_excess(reason: &DownReason) -> bool {
    let DownReason::Local(notification) = reason else {
        return false;
    };
    let Reason { code, subcode } = Reason::MAXIMUM_PREFIXES_REACHED;
    notification.reason == Reason::MAXIMUM_PREFIXES_REACHED
        || (notification.reason == Reason::HARD_RESET
            && notification.data.starts_with(&[code, subcode]))
}

/// Whether the peer's routes are kept (RFC 4724 section 4.2): it is to be expected back. A NOTIFICATION says so only where
/// both have agreed on that, and it is no Hard Reset (RFC 8538 section 3).
fn is_graceful(reason: &DownReason, restart: &PeerRestart) -> bool {
    match reason {
        DownReason::Closed | DownReason::TimedOut => true,
        DownReason::Local(notification) | DownReason::Remote(notification) => {
            restart.notification && notification.reason != Reason::HARD_RESET
        }
        DownReason::Stopped(_) | DownReason::Restarting => false,
    }
}

/// How long a session must stay up for earlier failures to be forgotten.
const STABLE: std::time::Duration = std::time::Duration::from_secs(60);
