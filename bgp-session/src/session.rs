//! `Session`: the protocol towards one peer, on up to two connections at a time. It does no I/O and reads no clock.

mod connection;
mod connections;
mod ending;
mod error;
mod inbound;
mod limit;
mod perform;
mod retention;
mod send;
mod shutdown;

pub use error::{NotEstablished, RefreshError, SendError};
pub use shutdown::Shutdown;

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
#[cfg(feature = "tokio")]
use std::sync::Arc;
use std::time::Instant;

use bgp_wire::{Family, FamilySet, Reason, RefreshSubtype, RouteRefresh, Unusable};
use bytes::{Bytes, BytesMut};

use crate::collision::Initiator;
use crate::config::{ConfigError, LocalConfig, PeerChange, PeerConfig};
use crate::fsm::{Event, State};
use crate::negotiate::{Negotiated, PeerRestart};
use crate::output::{ConnectionId, DownReason, Output, SessionEvent, SessionId};
use crate::retry::Retry;
use crate::stats::Statistics;
use crate::timer::{Timer, earlier};
use connection::{Connection, EventDetails, TcpConnection};
use connections::{Connections, Slot};
use limit::PrefixLimit;
use retention::Retention;

/// A BGP session without I/O. Inputs are `handle_*` methods and commands; [`Session::poll_output`] returns everything
/// to do.
///
/// The driver calls `poll_output` after every `&mut self` call until it returns [`Output::Wait`]. Time never decreases.
/// The same inputs give the same outputs.
///
/// Input for a connection that has ended is ignored, so the driver need not synchronize its sockets with the session.
///
/// ```
/// use std::time::{Duration, Instant};
/// use bgp_session::{LocalConfig, Output, PeerConfig, Session, SessionEvent, State};
/// use bgp_wire::Asn;
///
/// # #[allow(clippy::disallowed_methods)]
/// let mut now = Instant::now();
/// let local = LocalConfig::new(Asn::new(64512), "192.168.0.111".parse()?);
/// let router = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512));
/// let mut session = Session::new(local, router, now, 7)?;
/// session.start(now);
/// let Output::Dial(connection) = session.poll_output() else { panic!("dial") };
/// assert!(matches!(session.poll_output(), Output::Event(SessionEvent::StateChanged { to: State::Connect, .. })));
/// assert!(matches!(session.poll_output(), Output::Wait(Some(_))));
///
/// // The dial fails: the session waits in Idle, then dials again.
/// session.handle_error(now, connection, std::io::ErrorKind::ConnectionRefused);
/// now = loop {
///     if let Output::Wait(deadline) = session.poll_output() {
///         break deadline.expect("a deadline to dial again");
///     }
/// };
/// session.handle_timeout(now);
/// assert!(matches!(session.poll_output(), Output::Dial(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Commands of an operator, and the report of a driver after it has written to its socket:
///
/// ```
/// use std::time::Instant;
/// use bgp_session::{ConfigError, PeerConfig, Session, Shutdown};
/// use bgp_wire::Family;
///
/// fn operate(session: &mut Session, now: Instant, config: PeerConfig) -> Result<(), ConfigError> {
///     // If the change needs a reset, the session sends Cease/Other Configuration Change.
///     let change = session.update(now, config)?;
///     println!("{:?} of {:?}", change.effect(), change.settings());
///     if let Err(error) = session.refresh(now, Family::IPV4_UNICAST) {
///         println!("cannot refresh: {error}");
///     }
///     let shutdowns = [
///         Shutdown::administrative("maintenance until noon"),
///         Shutdown::reset(""),
///         Shutdown::deconfigured(),
///         Shutdown::configuration_change(),
///         Shutdown::restart(),
///     ];
///     session.stop(now, &shutdowns[0]);
///     assert!(!session.retains_routes());
///     println!("{} messages received", session.statistics().received.total());
///     Ok(())
/// }
///
/// fn written(session: &mut Session, now: Instant, taken: usize, left: usize) {
///     if let Some(connection) = session.connection_id() {
///         session.handle_written(now, connection, taken, left);
///     }
/// }
///
/// /// After a restart of this program the first OPENs have the R bit.
/// fn after_restart(session: Session) -> Session {
///     session.restarted()
/// }
/// ```
#[derive(Debug)]
pub struct Session {
    local: LocalConfig,
    config: PeerConfig,
    connections: Connections,
    /// `true` between [`Session::start`] and [`Session::stop`].
    enabled: bool,
    /// `true` if an incoming connection may end the wait in Idle: the last connection was lost or ended in good order.
    accept_in_idle: bool,
    retry: Retry,
    outputs: VecDeque<Output>,
    /// Number of sessions that were Established; the last [`SessionId`].
    sessions: u64,
    /// The current session and the time at which it was Established.
    established: Option<(SessionId, Instant)>,
    /// `true` from a restart of this speaker until a session is Established (RFC 4724 section 3).
    restarted: bool,
    /// `true` if the peer rejected the capabilities of our OPEN (RFC 5492 section 3).
    omit_capabilities: bool,
    retention: Retention,
    limit: Option<Box<PrefixLimit>>,
    /// `true` if [`SessionEvent::UnexpectedPathIds`] was emitted since the session was Established.
    has_reported_path_ids: bool,
    /// The reasons of which [`SessionEvent::RoutesIgnored`] was emitted since the session was Established.
    reported_unusable: Vec<Unusable>,
    statistics: Statistics,
}

impl Session {
    /// Creates a session in Idle that does nothing until [`Session::start`]. `seed` determines its jitter.
    ///
    /// # Errors
    ///
    /// The configuration is not possible (see [`PeerConfig::validate`]).
    pub fn new(
        local: LocalConfig,
        config: PeerConfig,
        now: Instant,
        seed: u64,
    ) -> Result<Self, ConfigError> {
        local.validate()?;
        config.validate()?;
        Ok(Self::from_valid(local, config, now, seed))
    }

    /// Creates a session like [`Session::new`] from a configuration that has been checked.
    pub(crate) fn from_valid(
        local: LocalConfig,
        config: PeerConfig,
        now: Instant,
        seed: u64,
    ) -> Self {
        debug_assert_eq!(local.validate().and_then(|()| config.validate()), Ok(()));
        let retry = Retry::new(config.retry, seed);
        let limit = PrefixLimit::new(&config.maximum_prefixes);
        Self {
            local,
            config,
            connections: Connections::new(),
            enabled: false,
            accept_in_idle: false,
            retry,
            outputs: VecDeque::new(),
            sessions: 0,
            established: None,
            restarted: false,
            omit_capabilities: false,
            retention: Retention::default(),
            limit,
            has_reported_path_ids: false,
            reported_unusable: Vec::new(),
            statistics: Statistics::new(now),
        }
    }

    /// Marks this speaker as just restarted.
    ///
    /// Its OPENs have the R bit (RFC 4724 section 3) until a session is Established or the configured restart time has
    /// passed.
    #[must_use]
    pub fn restarted(mut self) -> Self {
        self.restarted = true;
        self
    }

    /// Starts the session: dials the peer, or waits for its connection if the session is passive. Ends a wait for the next
    /// dial.
    pub fn start(&mut self, now: Instant) {
        self.enabled = true;
        // DampPeerOscillations delays automatic starts only (RFC 4271 section 8.1.1).
        self.retry.reset();
        self.connections.primary.timers.stop(Timer::IdleHold);
        // RFC 4271 section 8.2.2 ignores a start in Active, where ConnectRetryTimer runs the damped wait for our next dial.
        let event = if self.waits_in_active() {
            self.connections.primary.timers.stop(Timer::ConnectRetry);
            Event::TimerExpires(Timer::ConnectRetry)
        } else {
            Event::ManualStart
        };
        self.step(now, Slot::Primary, event, EventDetails::default());
    }

    /// Returns `true` if the session waits for its next dial in Active.
    fn waits_in_active(&self) -> bool {
        let primary = &self.connections.primary;
        primary.state == State::Active && primary.tcp.is_none() && !self.config.passive
    }

    /// Ends the session and leaves it in Idle. It no longer keeps stale routes of the peer.
    pub fn stop(&mut self, now: Instant, shutdown: &Shutdown) {
        self.enabled = false;
        let peer_keeps_routes = self
            .negotiated()
            .is_some_and(|negotiated| negotiated.restart.is_some());
        let details = || EventDetails {
            notification: Some(shutdown.notification()),
            suppress_notification: shutdown.restart && peer_keeps_routes,
            ..EventDetails::default()
        };
        // The secondary goes first: it would otherwise take the place of the primary.
        self.step(now, Slot::Secondary, Event::ManualStop, details());
        self.step(now, Slot::Primary, Event::ManualStop, details());
        // In Idle a stop is no transition, and IdleHoldTimer may run.
        self.connections.primary.timers.stop_all();
        let removed = self.retention.clear();
        self.emit_stale_routes_gone(removed);
    }

    /// Replaces the configuration of the peer. A change that needs a reset (see [`PeerConfig::change`]) ends the
    /// session with Cease/Other Configuration Change; an enabled session starts again at once. Returns the differences.
    ///
    /// # Errors
    ///
    /// The configuration is not possible (see [`PeerConfig::validate`]). Nothing changes.
    pub fn update(&mut self, now: Instant, config: PeerConfig) -> Result<PeerChange, ConfigError> {
        config.validate()?;
        let change = self.config.change(&config);
        let resets = change.resets();
        let enabled = self.enabled;
        if resets {
            self.stop(now, &Shutdown::configuration_change());
        }
        // An Established session keeps its limits: a new PrefixLimit would count from zero, although routes were
        // received.
        if self.config.maximum_prefixes != config.maximum_prefixes && self.established.is_none() {
            self.limit = PrefixLimit::new(&config.maximum_prefixes);
        }
        self.retry.set_policy(config.retry);
        self.config = config;
        if resets && enabled {
            self.start(now);
        }
        Ok(change)
    }

    /// Replaces our AS number and BGP Identifier. A session whose OPEN that changes is reset with Cease/Other Configuration
    /// Change, and starts again if it is wanted; one with values of its own in the configuration stays.
    ///
    /// # Errors
    ///
    /// The AS number is 0. Nothing changes.
    pub fn update_local(&mut self, now: Instant, local: LocalConfig) -> Result<(), ConfigError> {
        local.validate()?;
        let resets = self.config.local(self.local) != self.config.local(local);
        let enabled = self.enabled;
        if resets {
            self.stop(now, &Shutdown::configuration_change());
        }
        self.local = local;
        if resets && enabled {
            self.start(now);
        }
        Ok(())
    }

    /// Returns `true` while stale routes of the peer are kept (RFC 4724 section 4.2, RFC 9494 section 4.2).
    #[must_use]
    pub fn retains_routes(&self) -> bool {
        self.retention.deadline().is_some()
    }

    /// Asks the peer to send its routes of `family` again (RFC 2918).
    ///
    /// # Errors
    ///
    /// No session is Established, the peer does not support ROUTE-REFRESH, or the family was not negotiated. Nothing is
    /// sent.
    pub fn refresh(&mut self, now: Instant, family: Family) -> Result<(), RefreshError> {
        let negotiated = self.negotiated().ok_or(NotEstablished)?;
        if !negotiated.route_refresh {
            return Err(RefreshError::NotSupported);
        }
        // RFC 2918 section 4: the family is one that the peer advertised.
        if !negotiated.families().contains(family) {
            return Err(RefreshError::NotNegotiated(family));
        }
        let subtype = RefreshSubtype::REQUEST;
        let mut octets = BytesMut::new();
        RouteRefresh { family, subtype }.encode(&mut octets);
        Ok(self.send(now, octets.freeze())?)
    }

    /// Sends whole messages, encoded for the negotiated context. An UPDATE restarts the KeepaliveTimer.
    ///
    /// # Errors
    ///
    /// No session is Established; nothing is sent.
    pub fn send(&mut self, now: Instant, messages: Bytes) -> Result<(), NotEstablished> {
        let Some(tcp) = self
            .connections
            .primary
            .tcp
            .filter(|_| self.established.is_some())
        else {
            return Err(NotEstablished);
        };
        if messages.is_empty() {
            return Ok(());
        }
        let updates = self.statistics.sent.update;
        self.statistics.count_sent(&messages);
        self.outputs.push_back(Output::Transmit(tcp.id, messages));
        // RFC 4271 section 8.2.2: an UPDATE restarts KeepaliveTimer. A ROUTE-REFRESH does not.
        if self.statistics.sent.update > updates {
            self.start_timer(now, Slot::Primary, Timer::Keepalive);
        }
        Ok(())
    }

    /// Offers a connection that the peer has made. Returns its identifier, or `None` if the driver must close it.
    /// `local_address` is our end.
    ///
    /// The connection neither ends nor delays our own attempts before its OPEN has identified the peer.
    pub fn accept(&mut self, now: Instant, local_address: IpAddr) -> Option<ConnectionId> {
        let open_is_overdue = |connection: &Connection| {
            // With DelayOpen the connection is in Active until one of the OPENs is sent.
            matches!(connection.state, State::Active | State::OpenSent)
                && connection.tcp.is_some_and(|tcp| !tcp.is_recent(now))
        };
        if self
            .connections
            .secondary
            .as_ref()
            .is_some_and(open_is_overdue)
        {
            // Only one incoming connection is held. One that sends no OPEN must not keep out the peer's next attempt.
            self.step(
                now,
                Slot::Secondary,
                Event::OpenCollisionDump,
                EventDetails::default(),
            );
        }
        let slot = match self.connections.primary.state {
            // After an error Idle holds off the peer also (DampPeerOscillations).
            State::Idle if !self.enabled || !self.accept_in_idle => return None,
            State::Active if self.config.passive && self.connections.primary.tcp.is_none() => {
                Slot::Primary
            }
            _ if self.connections.secondary.is_some() => return None,
            // In Idle this is event 5, AutomaticStart with PassiveTcpEstablishment, before our own retry is due.
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
        let tcp = TcpConnection {
            id,
            initiator,
            local_address: Some(local_address),
            since: now,
        };
        self.connections.in_use(slot).tcp = Some(tcp);
        self.step(now, slot, Event::TcpConnected, EventDetails::default());
        Some(id)
    }

    /// Reports that the connection of [`Output::Dial`] has been made. `local_address` is our end.
    pub fn handle_connected(&mut self, now: Instant, id: ConnectionId, local_address: IpAddr) {
        let Some((slot, tcp)) = self.connections.tcp_mut(id) else {
            return;
        };
        tcp.local_address = Some(local_address);
        // The peer's OPEN cannot be in transit before the connection is made.
        tcp.since = now;
        self.step(now, slot, Event::TcpConnected, EventDetails::default());
    }

    /// Reports that the peer has closed the connection, or that the dial has failed for an unknown reason.
    pub fn handle_closed(&mut self, now: Instant, id: ConnectionId) {
        self.tcp_connection_fails(now, id, None);
    }

    /// Reports that the connection, or the dial, has failed with this error.
    pub fn handle_error(&mut self, now: Instant, id: ConnectionId, error: io::ErrorKind) {
        self.tcp_connection_fails(now, id, Some(error));
    }

    fn tcp_connection_fails(
        &mut self,
        now: Instant,
        id: ConnectionId,
        error: Option<io::ErrorKind>,
    ) {
        let Some(slot) = self.connections.slot(id) else {
            return;
        };
        let details = EventDetails {
            error,
            ..EventDetails::default()
        };
        self.step(now, slot, Event::TcpConnectionFails, details);
    }

    /// Reports the result of a write: the socket has taken `taken` octets, and `left` octets still wait.
    ///
    /// A driver that calls this after every attempt to write enables the SendHoldTimer (RFC 9687). The session then
    /// ends if the peer takes nothing for the send hold time.
    pub fn handle_written(&mut self, now: Instant, id: ConnectionId, taken: usize, left: usize) {
        // Octets taken by a second connection must not stop the timer of the Established one.
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

    /// Processes every timer whose deadline has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.retention.deadline().is_some_and(|until| until <= now) {
            let expired = self.retention.expire(now);
            self.emit_stale_routes_gone(expired.gone);
            if !expired.long_lived.is_empty() {
                self.emit(SessionEvent::StaleRoutesLongLived(expired.long_lived));
            }
        }
        for slot in [Slot::Primary, Slot::Secondary] {
            // Each iteration stops one timer. A restarted one is due later, so one iteration for each timer is enough.
            for _ in Timer::ALL {
                let connection = self.connections.get_mut(slot);
                let Some(timer) = connection.and_then(|connection| connection.timers.expire(now))
                else {
                    break;
                };
                self.step(
                    now,
                    slot,
                    Event::TimerExpires(timer),
                    EventDetails::default(),
                );
            }
        }
    }

    /// Returns the next output; [`Output::Wait`] if no other is pending.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        // Clearing the empty ring resets its head, so that later outputs reuse the same cache lines.
        self.outputs.clear();
        Output::Wait(self.next_deadline())
    }

    /// Returns the state of the primary connection, which is the state of the session.
    #[must_use]
    pub fn state(&self) -> State {
        self.connections.primary.state
    }

    /// Returns the negotiated parameters if the session is Established.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        self.connections
            .primary
            .negotiated
            .as_deref()
            .filter(|_| self.established.is_some())
    }

    /// Returns [`Session::negotiated`] as a shared reference.
    #[cfg(feature = "tokio")]
    pub(crate) fn shared_negotiated(&self) -> Option<Arc<Negotiated>> {
        let negotiated = self.connections.primary.negotiated.as_ref();
        negotiated.filter(|_| self.established.is_some()).cloned()
    }

    /// Returns the connection on which the session is Established, or `None`.
    #[must_use]
    pub fn connection_id(&self) -> Option<ConnectionId> {
        self.connections
            .primary
            .tcp
            .filter(|_| self.established.is_some())
            .map(|tcp| tcp.id)
    }

    /// Returns the counters since the session was created.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Returns our AS number and BGP Identifier, which the configuration of the peer may override.
    #[must_use]
    pub fn local(&self) -> LocalConfig {
        self.local
    }

    /// Returns the configuration.
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

    /// Ends the Established session, or a failed attempt at one. `negotiated` is what the connection had negotiated.
    fn emit_down(&mut self, now: Instant, reason: DownReason, negotiated: Option<&Negotiated>) {
        let Some((session, _)) = self.established.take() else {
            return self.emit_failed(reason);
        };
        // The peer may support capabilities after a restart; offer them again.
        self.omit_capabilities = false;
        self.statistics.count_down(&reason);
        let restart = negotiated.and_then(|negotiated| negotiated.restart.as_ref());
        let retained = match restart.filter(|restart| is_graceful(&reason, restart)) {
            Some(restart) => self.retention.keep(now, restart),
            None => {
                // The application removes every stale route of a family that `retained` does not contain.
                self.retention.clear();
                FamilySet::EMPTY
            }
        };
        // The next session counts from zero, and the configured limits may have changed.
        self.limit = PrefixLimit::new(&self.config.maximum_prefixes);
        self.emit(SessionEvent::Down {
            session,
            reason,
            retained,
        });
    }

    fn emit_stale_routes_gone(&mut self, families: FamilySet) {
        if !families.is_empty() {
            self.emit(SessionEvent::StaleRoutesGone(families));
        }
    }

    fn emit_failed(&mut self, reason: DownReason) {
        // A failed second connection is no failure of the Established session.
        if self.established.is_none() {
            self.statistics.count_down(&reason);
        }
        self.emit(SessionEvent::Failed { reason });
    }
}

/// Returns `true` if the peer's routes are kept, because it is expected to return (RFC 4724 section 4.2).
///
/// After a NOTIFICATION they are kept only if both sides negotiated that, and it is no Hard Reset (RFC 8538 section 3).
fn is_graceful(reason: &DownReason, restart: &PeerRestart) -> bool {
    match reason {
        DownReason::ConnectFailed { .. } | DownReason::Closed { .. } | DownReason::TimedOut => true,
        DownReason::Local(notification) | DownReason::Remote(notification) => {
            restart.notification && notification.reason != Reason::HARD_RESET
        }
        DownReason::Stopped(_) | DownReason::Restarting => false,
    }
}
