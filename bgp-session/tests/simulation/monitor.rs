//! The invariants of one session, checked after each step from the outside: its messages, its events and its timers.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_session::{
    ConnectionId, DownReason, Negotiated, PeerConfig, RetryPolicy, Session, SessionEvent,
    SessionId, State,
};
use bgp_wire::{Afi, Family, Frame, HoldTime, MessageLimit, MessageType, Reason, Safi};
use bytes::BytesMut;

use crate::pace::Pace;
use crate::plan::{MAX_LONG_LIVED_STALE_TIME, MAX_RESTART_TIME, MAX_STALE_TIME};
use crate::transitions;
use crate::world::Side;

/// The history of one session that the invariants need. All times are simulated.
pub(crate) struct Monitor {
    state: State,
    /// The time from which the bounds of the state's timers count.
    since: Duration,
    up: Option<(SessionId, ConnectionId)>,
    up_at: Duration,
    last_session: Option<SessionId>,
    last_connection: Option<ConnectionId>,
    /// The last connection that the network has ended.
    lost: Option<ConnectionId>,
    /// The peer of the session has announced graceful restart.
    peer_restarts: bool,
    connections: BTreeMap<ConnectionId, MonitoredConnection>,
    down_at: Duration,
    pace: Pace,
}

/// The messages and times of one connection.
#[derive(Default)]
struct MonitoredConnection {
    connected: bool,
    sent_open: Option<HoldTime>,
    received_open: Option<HoldTime>,
    received_keepalive: bool,
    notified: bool,
    /// The time of the last message sent that restarts the peer's hold timer.
    sent_at: Duration,
    /// The time of the last message received that restarts the hold timer.
    received_at: Duration,
    /// The time since which the transport accepts no data.
    blocked: Option<Duration>,
    /// The time at which the last answer to a ROUTE-REFRESH began, by family.
    refreshed: BTreeMap<Family, Duration>,
    inbound: BytesMut,
    /// The input has a header fault, so message boundaries are unknown.
    unparsable: bool,
}

impl MonitoredConnection {
    /// Returns the hold time that the two OPENs negotiate, once both are known.
    fn hold_time(&self) -> Option<HoldTime> {
        Some(self.sent_open?.negotiate(self.received_open?))
    }

    /// Notes the BoRR that begins the answer to a ROUTE-REFRESH (RFC 7313). Fails if one family gets two within 1 s.
    fn note_refresh(&mut self, octets: &[u8], now: Duration) {
        // Subtype 1 is BoRR; 0 is our own request, and 2 the EoRR.
        let [.., afi_high, afi_low, 1, safi] = *octets else {
            return;
        };
        let afi = Afi(u16::from_be_bytes([afi_high, afi_low]));
        let pause = self
            .refreshed
            .insert(Family::new(afi, Safi(safi)), now)
            .map(|last| now - last);
        let paced = pause.is_none_or(|pause| pause >= Duration::from_secs(1));
        assert!(paced, "two refreshes within {pause:?}");
    }
}

/// Returns the hold time of an encoded OPEN: octets 22 and 23, behind the header, version and AS.
fn hold_time(open: &[u8]) -> Option<HoldTime> {
    let octets = open.get(22..24)?.try_into().ok()?;
    HoldTime::new(u16::from_be_bytes(octets))
}

impl Monitor {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Idle,
            since: Duration::ZERO,
            up: None,
            up_at: Duration::ZERO,
            last_session: None,
            last_connection: None,
            lost: None,
            peer_restarts: false,
            connections: BTreeMap::new(),
            down_at: Duration::ZERO,
            pace: Pace::default(),
        }
    }

    /// Begins anew: a program that starts has no session and no connections.
    pub(crate) fn handle_boot(&mut self, now: Duration) {
        *self = Self::new();
        self.since = now;
    }

    /// Restarts the bounds of the state's timers, which an operator's action may restart.
    pub(crate) fn restart_bounds(&mut self, now: Duration) {
        self.since = now;
        self.pace.restart();
    }

    /// Fails if a connection id was used before. A late report of the driver must never concern a newer connection.
    fn assert_new(&mut self, id: ConnectionId) {
        assert!(
            Some(id) > self.last_connection,
            "connection id {id:?} reused"
        );
        self.last_connection = Some(id);
    }

    pub(crate) fn handle_dial(&mut self, id: ConnectionId, policy: &RetryPolicy, now: Duration) {
        self.assert_new(id);
        self.pace.handle_dial(policy, now);
        self.since = now;
        self.connections.insert(id, MonitoredConnection::default());
    }

    pub(crate) fn handle_connected(&mut self, id: ConnectionId, now: Duration) {
        // A dial has its id already; an accepted connection gets one only now.
        let known = self.connections.contains_key(&id);
        if !known {
            self.assert_new(id);
        }
        let connection = self.connections.entry(id).or_default();
        connection.connected = true;
        self.since = now;
    }

    pub(crate) fn handle_close(&mut self, id: ConnectionId) {
        let closed = self.connections.remove(&id);
        let closed = closed.unwrap_or_else(|| panic!("connection {id:?} closed twice"));
        self.pace.handle_close(closed.connected);
    }

    pub(crate) fn handle_lost(&mut self, id: ConnectionId) {
        self.lost = Some(id);
    }

    /// Checks that the messages sent are allowed in their state (RFC 4271 section 8.2.2).
    pub(crate) fn handle_transmit(&mut self, id: ConnectionId, octets: &[u8], now: Duration) {
        let established = self.up.is_some_and(|(_, on)| on == id);
        let connection = self.connections.get_mut(&id).expect("an open connection");
        assert!(connection.connected, "message before TCP is connected");
        let mut octets = BytesMut::from(octets);
        while let Some(frame) =
            Frame::split(&mut octets, MessageLimit::Extended).expect("a message")
        {
            assert!(!connection.notified, "message after a NOTIFICATION");
            let opened = connection.sent_open.is_some();
            match frame.message_type() {
                MessageType::OPEN => {
                    assert!(!opened, "second OPEN");
                    connection.sent_open = hold_time(frame.octets());
                }
                MessageType::KEEPALIVE => {
                    let confirms = opened && connection.received_open.is_some();
                    assert!(confirms, "KEEPALIVE before both OPENs");
                    connection.sent_at = now;
                }
                MessageType::UPDATE => {
                    assert!(established, "UPDATE outside of Established");
                    connection.sent_at = now;
                }
                MessageType::ROUTE_REFRESH => {
                    assert!(established, "ROUTE-REFRESH outside of Established");
                    connection.note_refresh(frame.octets(), now);
                }
                MessageType::NOTIFICATION => connection.notified = true,
                other => panic!("unknown message type {other:?}"),
            }
        }
        assert!(octets.is_empty(), "partial message in one output");
    }

    /// Notes the messages received, as far as the input can be split into messages.
    pub(crate) fn handle_received(&mut self, id: ConnectionId, octets: &[u8], now: Duration) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        // The session closes such a connection, but more of its data may already be in flight.
        if connection.unparsable {
            return;
        }
        connection.inbound.extend_from_slice(octets);
        loop {
            match Frame::split(&mut connection.inbound, MessageLimit::Extended) {
                Ok(Some(frame)) => match frame.message_type() {
                    MessageType::OPEN if connection.received_open.is_none() => {
                        connection.received_open = hold_time(frame.octets());
                    }
                    MessageType::KEEPALIVE => {
                        connection.received_keepalive = true;
                        connection.received_at = now;
                    }
                    MessageType::UPDATE | MessageType::ROUTE_REFRESH => {
                        connection.received_at = now;
                    }
                    _ => {}
                },
                Ok(None) => return,
                Err(_) => {
                    connection.unparsable = true;
                    connection.inbound.clear();
                    return;
                }
            }
        }
    }

    /// Notes since when the transport accepts no data, the time that the send hold timer measures (RFC 9687).
    pub(crate) fn handle_written(
        &mut self,
        id: ConnectionId,
        taken: usize,
        left: usize,
        now: Duration,
    ) {
        let established = self.up.is_some_and(|(_, on)| on == id);
        if let Some(connection) = self.connections.get_mut(&id) {
            let blocked = established && left > 0;
            let since = connection.blocked.filter(|_| taken == 0).unwrap_or(now);
            connection.blocked = blocked.then_some(since);
        }
    }

    /// Checks an event against the history of the session.
    pub(crate) fn handle_event(
        &mut self,
        side: Side,
        honest: bool,
        event: &SessionEvent,
        session: &Session,
        now: Duration,
    ) {
        match event {
            SessionEvent::StateChanged {
                from, to, cause, ..
            } => {
                assert_eq!(*from, self.state, "{side:?}: change from a wrong state");
                let allowed = transitions::is_allowed(*from, *to, *cause);
                assert!(allowed, "{side:?}: {cause} may not change {from} to {to}");
                (self.state, self.since) = (*to, now);
            }
            SessionEvent::Up {
                session: number,
                negotiated,
                ..
            } => self.handle_up(side, *number, negotiated, session, now),
            SessionEvent::Down {
                session: number,
                reason,
                ..
            } => {
                assert!(!honest || may_be_legitimate(reason), "{side:?}: {reason}");
                self.handle_down(side, *number, reason, now);
            }
            SessionEvent::Failed { reason, .. } => {
                assert!(!honest || may_be_legitimate(reason), "{side:?}: {reason}");
            }
            SessionEvent::UpdateFault(fault) => assert!(!honest, "{side:?}: {fault:?}"),
            SessionEvent::Update(_)
            | SessionEvent::EndOfRib(_)
            | SessionEvent::Refresh(_)
            | SessionEvent::RefreshBegins(_)
            | SessionEvent::RefreshEnds(_)
            | SessionEvent::Withheld(_) => {
                assert!(
                    self.up.is_some(),
                    "{side:?}: {event:?} outside of Established"
                );
            }
            _ => {}
        }
    }

    fn handle_up(
        &mut self,
        side: Side,
        number: SessionId,
        negotiated: &Negotiated,
        session: &Session,
        now: Duration,
    ) {
        assert!(self.up.is_none(), "{side:?}: second Up without a Down");
        assert!(
            Some(number) > self.last_session,
            "{side:?}: session id {number} reused"
        );
        // The session may already be down again when its Up is read; then it no longer names its connection.
        let id = session
            .connection_id()
            .or_else(|| self.confirmed())
            .expect("a session has a connection");
        let connection = &self.connections[&id];
        assert!(
            connection.received_keepalive,
            "{side:?}: Up before a KEEPALIVE"
        );
        assert_eq!(Some(negotiated.hold_time), connection.hold_time());
        (self.last_session, self.up) = (Some(number), Some((number, id)));
        self.up_at = now;
        self.pace.handle_up();
        let restart = negotiated.restart.as_ref();
        self.peer_restarts = restart.is_some_and(|it| !it.families.is_empty());
    }

    fn handle_down(&mut self, side: Side, number: SessionId, reason: &DownReason, now: Duration) {
        let up = self.up.take();
        assert_eq!(
            up.map(|(number, _)| number),
            Some(number),
            "{side:?}: Down without an Up"
        );
        // RFC 4724 section 5: a new connection replaces only the session of a peer with graceful restart.
        let ended = self.lost == up.map(|(_, id)| id) || self.peer_restarts;
        assert!(
            ended || !matches!(reason, DownReason::Closed { .. }),
            "{side:?}: session closed without a reason"
        );
        self.down_at = now;
    }

    /// Returns a connection that has received a KEEPALIVE, as that of a session has.
    fn confirmed(&self) -> Option<ConnectionId> {
        self.connections
            .iter()
            .find(|(_, connection)| connection.received_keepalive)
            .map(|(id, _)| *id)
    }

    /// Checks the session's state, and that its next timer is not later than the RFCs and the configuration allow.
    pub(crate) fn check(
        &self,
        side: Side,
        now: Duration,
        session: &Session,
        is_started: bool,
        deadline: Option<Duration>,
    ) {
        assert_eq!(
            session.state(),
            self.state,
            "{side:?}: state change without an event"
        );
        assert_eq!(
            session.state() == State::Established,
            self.up.is_some(),
            "{side:?}: Established without an Up, or Up without Established"
        );
        assert!(
            deadline.is_none_or(|it| it >= now),
            "{side:?}: expired timer still running"
        );
        // RFC 4271 section 6.8: a collision involves two connections, and `Session` keeps no more.
        assert!(
            self.connections.len() <= 2,
            "{side:?}: more than two connections and dials"
        );
        let mut bounds: Vec<(&str, Duration)> = Vec::new();
        if is_started {
            bounds.extend(self.bound_of_state(session.config(), now));
            if let Some((_, id)) = self.up {
                bounds.extend(bounds_of_session(&self.connections[&id]));
            }
        }
        // Stale routes expire after the restart times if the peer is away, or after the stale time once it is back.
        if session.retains_routes() {
            let away = u64::from(MAX_RESTART_TIME) + u64::from(MAX_LONG_LIVED_STALE_TIME);
            let away = self.down_at + Duration::from_secs(away);
            let back = self.up_at + Duration::from_secs(MAX_STALE_TIME);
            bounds.push(("stale routes", away.max(back)));
        }
        for (name, bound) in bounds {
            let timely = deadline.is_some_and(|deadline| deadline <= bound);
            assert!(
                timely,
                "{side:?}, {}: {name} is due by {bound:?}, but the next timer is {deadline:?}",
                self.state
            );
        }
    }

    /// Returns the timer that must run in the current state, and the latest time at which it may expire.
    fn bound_of_state(
        &self,
        config: &PeerConfig,
        now: Duration,
    ) -> Option<(&'static str, Duration)> {
        let second = Duration::from_secs;
        // The limits of the random configuration (plan.rs); 240 s is the hold timer before the first KEEPALIVE.
        Some(match self.state {
            State::Idle => (
                "IdleHoldTimer",
                self.since + self.pace.maximum_wait(&config.retry()),
            ),
            State::Connect => {
                // A connection that TCP has made stays in Connect while our OPEN is delayed.
                let delay = config.delay_open().unwrap_or_default();
                let time = config.retry().connect_timeout().max(delay);
                ("ConnectRetryTimer", self.since + time)
            }
            // A passive session only restarts the timer, so its bound moves with the clock.
            State::Active => ("ConnectRetryTimer", now.max(self.since) + second(120)),
            State::OpenSent => ("HoldTimer before OPEN", self.since + second(240)),
            State::OpenConfirm => ("HoldTimer", self.since + second(240)),
            State::Established => return None,
        })
    }
}

/// Returns the timers that must run in Established, each with the latest time at which it may expire.
fn bounds_of_session(connection: &MonitoredConnection) -> Vec<(&'static str, Duration)> {
    let mut bounds = Vec::new();
    let hold_time = connection.hold_time().expect("both OPENs").duration();
    if !hold_time.is_zero() {
        bounds.push(("HoldTimer", connection.received_at + hold_time));
        bounds.push(("KeepaliveTimer", connection.sent_at + hold_time / 3));
    }
    if let Some(since) = connection.blocked {
        bounds.push(("SendHoldTimer", since + Duration::from_secs(480)));
    }
    bounds
}

/// Returns `true` if a session between two conforming speakers may end for this reason.
fn may_be_legitimate(reason: &DownReason) -> bool {
    match reason {
        DownReason::ConnectFailed { .. }
        | DownReason::Closed { .. }
        | DownReason::TimedOut
        | DownReason::Restarting => true,
        DownReason::Local(it) | DownReason::Remote(it) | DownReason::Stopped(it) => {
            let reason = it.reason;
            reason.code == Reason::ADMINISTRATIVE_SHUTDOWN.code
                || reason == Reason::HOLD_TIMER_EXPIRED
                || reason == Reason::SEND_HOLD_TIMER_EXPIRED
        }
        _ => false,
    }
}
