//! What must hold for a session after each step, seen from outside of it.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_session::{ConnectionId, DownReason, Negotiated, Session, SessionEvent, SessionId, State};
use bgp_wire::{Afi, Family, Frame, HoldTime, MessageLimit, MessageType, Reason, Safi};
use bytes::BytesMut;

use crate::plan::{LONG_LIVED, RESTART_TIME, STALE_TIME};
use crate::transitions;
use crate::world::At;

pub(crate) struct Monitor {
    state: State,
    /// When it came into its state, or began anew in it.
    since: Duration,
    up: Option<(SessionId, ConnectionId)>,
    up_at: Duration,
    sessions: Option<SessionId>,
    newest: Option<ConnectionId>,
    /// The last connection that the network has ended.
    lost: Option<ConnectionId>,
    /// The peer of the session restarts gracefully.
    restarts: bool,
    connections: BTreeMap<ConnectionId, Connection>,
    down_at: Duration,
}

/// What has passed over one connection.
#[derive(Default)]
struct Connection {
    connected: bool,
    sent_open: Option<HoldTime>,
    received_open: Option<HoldTime>,
    received_keepalive: bool,
    ended: bool,
    /// When something was last sent, and received, that is a sign of life.
    sent: Duration,
    heard: Duration,
    /// Since when the transport takes nothing.
    blocked: Option<Duration>,
    /// When the last answer to a ROUTE-REFRESH began, by family.
    refreshed: BTreeMap<Family, Duration>,
    inbound: BytesMut,
    /// What is received makes no sense any more.
    garbled: bool,
}

impl Connection {
    /// The hold time that both OPENs agree on.
    fn hold_time(&self) -> Option<HoldTime> {
        Some(self.sent_open?.negotiate(self.received_open?))
    }
}

impl Connection {
    /// Notes the BoRR that begins the answer to a ROUTE-REFRESH (RFC 7313): at most one a second in each family.
    fn begins_refresh(&mut self, octets: &[u8], now: Duration) {
        let [.., afi_high, afi_low, 1, safi] = *octets else {
            return;
        };
        let afi = Afi(u16::from_be_bytes([afi_high, afi_low]));
        let before = self.refreshed.insert(Family::new(afi, Safi(safi)), now);
        let pause = before.map(|before| now - before);
        let paced = pause.is_none_or(|pause| pause >= Duration::from_secs(1));
        assert!(paced, "a refresh is answered {pause:?} after the last one");
    }
}

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
            sessions: None,
            newest: None,
            lost: None,
            restarts: false,
            connections: BTreeMap::new(),
            down_at: Duration::ZERO,
        }
    }

    pub(crate) fn boots(&mut self, now: Duration) {
        *self = Self::new();
        self.since = now;
    }

    /// The operator does something from which times count anew.
    pub(crate) fn marks(&mut self, now: Duration) {
        self.since = now;
    }

    fn is_new(&mut self, id: ConnectionId) {
        assert!(Some(id) > self.newest, "{id:?} is used twice");
        self.newest = Some(id);
    }

    pub(crate) fn dials(&mut self, id: ConnectionId, now: Duration) {
        self.is_new(id);
        self.since = now;
        self.connections.insert(id, Connection::default());
    }

    pub(crate) fn connects(&mut self, id: ConnectionId, now: Duration) {
        let known = self.connections.contains_key(&id);
        if !known {
            self.is_new(id);
        }
        let connection = self.connections.entry(id).or_default();
        connection.connected = true;
        self.since = now;
    }

    pub(crate) fn closes(&mut self, id: ConnectionId) {
        let closed = self.connections.remove(&id);
        assert!(closed.is_some(), "{id:?} is closed twice");
    }

    pub(crate) fn loses(&mut self, id: ConnectionId) {
        self.lost = Some(id);
    }

    /// RFC 4271 section 8: which messages are sent when.
    pub(crate) fn transmits(&mut self, id: ConnectionId, octets: &[u8], now: Duration) {
        let established = self.up.is_some_and(|(_, on)| on == id);
        let connection = self.connections.get_mut(&id).expect("an open connection");
        assert!(connection.connected, "sent before there is a connection");
        let mut octets = BytesMut::from(octets);
        while let Some(frame) =
            Frame::split(&mut octets, MessageLimit::Extended).expect("a message")
        {
            assert!(!connection.ended, "a NOTIFICATION is the last message");
            let opened = connection.sent_open.is_some();
            match frame.message_type() {
                MessageType::OPEN => {
                    assert!(!opened, "a second OPEN");
                    connection.sent_open = hold_time(frame.octets());
                }
                MessageType::KEEPALIVE => {
                    let confirms = opened && connection.received_open.is_some();
                    assert!(confirms, "a KEEPALIVE before both OPENs");
                    connection.sent = now;
                }
                MessageType::UPDATE => {
                    assert!(established, "an UPDATE outside of Established");
                    connection.sent = now;
                }
                MessageType::ROUTE_REFRESH => {
                    assert!(established, "a ROUTE-REFRESH outside of Established");
                    connection.begins_refresh(frame.octets(), now);
                }
                MessageType::NOTIFICATION => connection.ended = true,
                other => panic!("a message of type {other:?}"),
            }
        }
        assert!(octets.is_empty(), "half a message");
    }

    pub(crate) fn receives(&mut self, id: ConnectionId, octets: &[u8], now: Duration) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.garbled {
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
                        connection.heard = now;
                    }
                    MessageType::UPDATE | MessageType::ROUTE_REFRESH => connection.heard = now,
                    _ => {}
                },
                Ok(None) => return,
                Err(_) => {
                    connection.garbled = true;
                    connection.inbound.clear();
                    return;
                }
            }
        }
    }

    pub(crate) fn writes(&mut self, id: ConnectionId, taken: usize, left: usize, now: Duration) {
        let established = self.up.is_some_and(|(_, on)| on == id);
        if let Some(connection) = self.connections.get_mut(&id) {
            let blocked = established && left > 0;
            let since = connection.blocked.filter(|_| taken == 0).unwrap_or(now);
            connection.blocked = blocked.then_some(since);
        }
    }

    pub(crate) fn event(
        &mut self,
        at: At,
        honest: bool,
        event: &SessionEvent,
        session: &Session,
        now: Duration,
    ) {
        match event {
            SessionEvent::StateChanged { from, to, cause } => {
                assert_eq!(*from, self.state, "{at:?}: it was in another state");
                let allowed = transitions::allowed(*from, *to, *cause);
                assert!(allowed, "{at:?}: from {from} to {to} because of {cause}");
                (self.state, self.since) = (*to, now);
            }
            SessionEvent::Up {
                session: number,
                negotiated,
            } => self.comes_up(at, *number, negotiated, session, now),
            SessionEvent::Down {
                session: number,
                reason,
                ..
            } => {
                assert!(!honest || is_honest(reason), "{at:?}: {reason}");
                self.goes_down(at, *number, reason, now);
            }
            SessionEvent::Failed { reason } => {
                assert!(!honest || is_honest(reason), "{at:?}: {reason}");
            }
            SessionEvent::UpdateFault(fault) => assert!(!honest, "{at:?}: {fault:?}"),
            SessionEvent::Update(_)
            | SessionEvent::EndOfRib(_)
            | SessionEvent::Refresh(_)
            | SessionEvent::RefreshBegins(_)
            | SessionEvent::RefreshEnds(_) => {
                assert!(
                    self.up.is_some(),
                    "{at:?}: {event:?} outside of Established"
                );
            }
            _ => {}
        }
    }

    fn comes_up(
        &mut self,
        at: At,
        number: SessionId,
        negotiated: &Negotiated,
        session: &Session,
        now: Duration,
    ) {
        assert!(self.up.is_none(), "{at:?}: up twice");
        assert!(Some(number) > self.sessions, "{at:?}: {number} again");
        // It may be down again by now.
        let id = session.connection_id().or_else(|| self.confirmed());
        let id = id.expect("the connection it is on");
        let connection = &self.connections[&id];
        assert!(
            connection.received_keepalive,
            "{at:?}: up before a KEEPALIVE"
        );
        assert_eq!(Some(negotiated.hold_time), connection.hold_time());
        (self.sessions, self.up) = (Some(number), Some((number, id)));
        self.up_at = now;
        let restart = negotiated.restart.as_ref();
        self.restarts = restart.is_some_and(|it| !it.families.is_empty());
    }

    fn goes_down(&mut self, at: At, number: SessionId, reason: &DownReason, now: Duration) {
        let up = self.up.take();
        assert_eq!(
            up.map(|(number, _)| number),
            Some(number),
            "{at:?}: down that was not up"
        );
        // RFC 4724 section 5: a new connection replaces only the session of who restarts.
        let ended = self.lost == up.map(|(_, id)| id) || self.restarts;
        assert!(
            ended || *reason != DownReason::Closed,
            "{at:?}: given up for nothing"
        );
        self.down_at = now;
    }

    /// A connection that can be that of a session.
    fn confirmed(&self) -> Option<ConnectionId> {
        let mut connections = self.connections.iter();
        let confirmed = connections.find(|(_, connection)| connection.received_keepalive);
        confirmed.map(|(id, _)| *id)
    }

    /// No timer is later than the RFC has it.
    pub(crate) fn check(
        &self,
        at: At,
        now: Duration,
        session: &Session,
        wanted: bool,
        deadline: Option<Duration>,
    ) {
        assert_eq!(session.state(), self.state, "{at:?}: its state");
        assert_eq!(
            session.state() == State::Established,
            self.up.is_some(),
            "{at:?}: Established and up are the same"
        );
        assert!(
            deadline.is_none_or(|it| it >= now),
            "{at:?}: a timer is late"
        );
        assert!(self.connections.len() <= 2, "{at:?}: connections and dials");
        let mut bounds: Vec<(&str, Duration)> = Vec::new();
        if wanted {
            bounds.extend(self.bound_of_state(now));
            if let Some((_, id)) = self.up {
                bounds.extend(bounds_of_session(&self.connections[&id]));
            }
        }
        if session.retains_routes() {
            let away = u64::from(RESTART_TIME) + u64::from(LONG_LIVED);
            let away = self.down_at + Duration::from_secs(away);
            let back = self.up_at + Duration::from_secs(STALE_TIME);
            bounds.push(("stale routes", away.max(back)));
        }
        for (name, bound) in bounds {
            let timely = deadline.is_some_and(|deadline| deadline <= bound);
            assert!(
                timely,
                "{at:?}, {}: {name} is due by {bound:?}, but the next timer is {deadline:?}",
                self.state
            );
        }
    }

    fn bound_of_state(&self, now: Duration) -> Option<(&'static str, Duration)> {
        let second = Duration::from_secs;
        // The configuration's longest times (plan.rs).
        Some(match self.state {
            State::Idle => ("IdleHoldTimer", self.since + second(120)),
            State::Connect => ("ConnectRetryTimer", self.since + second(60)),
            // Who waits for the other looks up every now and then.
            State::Active => ("ConnectRetryTimer", now.max(self.since) + second(120)),
            State::OpenSent => ("HoldTimer before OPEN", self.since + second(240)),
            State::OpenConfirm => ("HoldTimer", self.since + second(240)),
            State::Established => return None,
        })
    }
}

fn bounds_of_session(connection: &Connection) -> Vec<(&'static str, Duration)> {
    let mut bounds = Vec::new();
    let hold_time = connection.hold_time().expect("both OPENs").duration();
    if !hold_time.is_zero() {
        bounds.push(("HoldTimer", connection.heard + hold_time));
        bounds.push(("KeepaliveTimer", connection.sent + hold_time / 3));
    }
    if let Some(since) = connection.blocked {
        bounds.push(("SendHoldTimer", since + Duration::from_secs(480)));
    }
    bounds
}

/// Whether a session between two speakers that keep to the rules may end like that.
fn is_honest(reason: &DownReason) -> bool {
    match reason {
        DownReason::Closed | DownReason::TimedOut | DownReason::Restarting => true,
        DownReason::Local(it) | DownReason::Remote(it) | DownReason::Stopped(it) => {
            let reason = it.reason;
            reason.code == Reason::ADMINISTRATIVE_SHUTDOWN.code
                || reason == Reason::HOLD_TIMER_EXPIRED
                || reason == Reason::SEND_HOLD_TIMER_EXPIRED
        }
        _ => false,
    }
}
