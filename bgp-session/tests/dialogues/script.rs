//! The peer's side of a dialogue: feeds a session with input and collects its output.
//!
//! The script owns the clock, so a test of a timeout of minutes takes microseconds.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bgp_session::{
    ConnectionId, DownReason, LocalConfig, Output, PeerConfig, Session, SessionEvent, Shutdown,
    State,
};
use bgp_wire::{
    Asn, AttributeSet, CapabilityBuf, Context, Family, Frame, HoldTime, KEEPALIVE, MessageLimit,
    NotificationBuf, OpenBuf, Origin, PeerKind, Reason, RefreshSubtype, RouteRefresh, UpdateBuf,
};
use bytes::BytesMut;

/// A session, its clock and the outputs that a test has not yet checked.
pub(crate) struct Script {
    pub(crate) session: Session,
    pub(crate) now: Instant,
    pub(crate) events: Vec<SessionEvent>,
    sent: VecDeque<(ConnectionId, SentMessage)>,
    /// The last OPEN that the session sent.
    pub(crate) open: Option<OpenBuf>,
    /// The My Autonomous System field of that OPEN.
    pub(crate) my_as: Option<u16>,
    dials: VecDeque<ConnectionId>,
    closed: VecDeque<ConnectionId>,
    deadline: Option<Instant>,
    buffers: BTreeMap<ConnectionId, BytesMut>,
}

/// A message that the session sent, reduced to the parts that the tests compare.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SentMessage {
    Open,
    Update,
    Keepalive,
    Notification(Reason, Vec<u8>),
    RouteRefresh(Family),
}

/// Returns the configuration of an internal peer.
pub(crate) fn config() -> PeerConfig {
    PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512))
}

impl Script {
    pub(crate) fn new(config: PeerConfig) -> Self {
        Self::with_seed(config, 1)
    }

    #[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
    pub(crate) fn with_seed(config: PeerConfig, seed: u64) -> Self {
        let now = Instant::now();
        let local = LocalConfig::new(Asn::new(64512), "192.168.0.111".parse().unwrap());
        Self {
            session: Session::new(local, config, now, seed).unwrap(),
            now,
            events: Vec::new(),
            sent: VecDeque::new(),
            open: None,
            my_as: None,
            dials: VecDeque::new(),
            closed: VecDeque::new(),
            deadline: None,
            buffers: BTreeMap::new(),
        }
    }

    /// Returns a session that a peer with a hold time of 90 s has brought up.
    pub(crate) fn established(config: PeerConfig) -> Self {
        Self::established_with(config, open(64512, 90))
    }

    /// Returns a session that a peer with this OPEN has brought up.
    pub(crate) fn established_with(config: PeerConfig, open: Vec<u8>) -> Self {
        let mut script = Self::new(config);
        script.establish(open);
        script
    }

    /// Returns the events since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<SessionEvent> {
        std::mem::take(&mut self.events)
    }

    /// Reports that the transport took `taken` octets and `left` octets wait in its queue.
    pub(crate) fn write(&mut self, connection: ConnectionId, taken: usize, left: usize) {
        self.session
            .handle_written(self.now, connection, taken, left);
        self.poll_outputs();
    }

    /// Brings a dialled connection to OpenConfirm.
    pub(crate) fn reach_open_confirm(&mut self, open: Vec<u8>) -> ConnectionId {
        self.start();
        let dialled = self.expect_dial();
        self.connected(dialled);
        self.receive(dialled, open);
        self.expect(dialled, SentMessage::Open);
        self.expect(dialled, SentMessage::Keepalive);
        dialled
    }

    /// Brings a dialled connection to Established.
    pub(crate) fn establish(&mut self, open: Vec<u8>) -> ConnectionId {
        let connection = self.reach_open_confirm(open);
        self.receive(connection, keepalive());
        assert_eq!(self.session.state(), State::Established);
        connection
    }

    pub(crate) fn connection(&self) -> ConnectionId {
        self.session.connection_id().expect("Established")
    }

    pub(crate) fn start(&mut self) {
        self.session.start(self.now);
        self.poll_outputs();
    }

    pub(crate) fn stop(&mut self, why: &Shutdown) {
        self.session.stop(self.now, why);
        self.poll_outputs();
    }

    pub(crate) fn connected(&mut self, connection: ConnectionId) {
        self.session
            .handle_connected(self.now, connection, "192.168.0.111".parse().unwrap());
        self.poll_outputs();
    }

    pub(crate) fn accept(&mut self) -> Option<ConnectionId> {
        let accepted = self
            .session
            .accept(self.now, "192.168.0.111".parse().unwrap());
        self.poll_outputs();
        accepted
    }

    pub(crate) fn closed(&mut self, connection: ConnectionId) {
        self.session.handle_closed(self.now, connection);
        self.poll_outputs();
        self.closed.retain(|closed| *closed != connection);
    }

    pub(crate) fn fail(&mut self, connection: ConnectionId, error: std::io::ErrorKind) {
        self.session.handle_error(self.now, connection, error);
        self.poll_outputs();
        self.closed.retain(|closed| *closed != connection);
    }

    /// Appends octets to the connection's buffer and hands the buffer to the session.
    pub(crate) fn receive(&mut self, connection: ConnectionId, octets: impl AsRef<[u8]>) {
        // The buffer still holds an incomplete message from earlier calls.
        let buffer = self.buffers.entry(connection).or_default();
        buffer.extend_from_slice(octets.as_ref());
        self.session.handle_bytes(self.now, connection, buffer);
        self.poll_outputs();
    }

    /// Advances the clock by `time` and serves every deadline on the way.
    pub(crate) fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.deadline.filter(|deadline| *deadline <= end) {
            self.now = deadline;
            self.session.handle_timeout(self.now);
            self.poll_outputs();
        }
        self.now = end;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn advance_to_deadline(&mut self) {
        let deadline = self.deadline.expect("a timer is running");
        self.advance(deadline - self.now);
    }

    /// Collects outputs until the session waits for the next deadline.
    pub(crate) fn poll_outputs(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Dial(connection) => self.dials.push_back(connection),
                Output::Transmit(connection, octets) => {
                    let mut octets = BytesMut::from(octets);
                    while let Some(frame) =
                        Frame::split(&mut octets, MessageLimit::Standard).unwrap()
                    {
                        if let Ok(bgp_wire::Message::Open(open)) =
                            frame.decode(&Context::new(PeerKind::Internal))
                        {
                            self.my_as = Some(open.my_as());
                            self.open = Some(open.into());
                        }
                        self.sent.push_back((connection, summarize(&frame)));
                    }
                    // A driver may close the connection between two outputs; a partial message would then be lost.
                    assert!(octets.is_empty(), "partial message in one output");
                }
                Output::Close(connection) => self.closed.push_back(connection),
                Output::Event(event) => self.events.push(event),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                other => panic!("unknown output: {other:?}"),
            }
        }
    }

    pub(crate) fn expect_dial(&mut self) -> ConnectionId {
        self.dials.pop_front().expect("the session dials")
    }

    pub(crate) fn try_dial(&mut self) -> Option<ConnectionId> {
        self.dials.pop_front()
    }

    pub(crate) fn expect(&mut self, connection: ConnectionId, message: SentMessage) {
        let position = self.sent.iter().position(|(to, _)| *to == connection);
        let sent = position.and_then(|position| self.sent.remove(position));
        assert_eq!(sent, Some((connection, message)));
    }

    pub(crate) fn expect_close(&mut self, connection: ConnectionId) {
        let position = self.closed.iter().position(|closed| *closed == connection);
        assert!(
            position
                .and_then(|position| self.closed.remove(position))
                .is_some(),
            "connection still open"
        );
    }

    /// Fails if the session sent a message or dialled since the last check.
    pub(crate) fn expect_nothing(&mut self) {
        assert!(
            self.sent.is_empty() && self.dials.is_empty(),
            "{:?} {:?}",
            self.sent,
            self.dials
        );
    }

    /// Returns the messages on one connection since the last check.
    pub(crate) fn take_messages(&mut self, connection: ConnectionId) -> Vec<SentMessage> {
        let (taken, kept): (VecDeque<_>, _) =
            self.sent.drain(..).partition(|(to, _)| *to == connection);
        self.sent = kept;

        taken.into_iter().map(|(_, message)| message).collect()
    }

    /// Returns the states that the session has passed through, for example `Idle>Connect>OpenSent`.
    pub(crate) fn state_path(&self) -> String {
        let changes = self.events.iter().filter_map(|event| match event {
            SessionEvent::StateChanged { to, .. } => Some(format!(">{to}")),
            _ => None,
        });
        format!("Idle{}", changes.collect::<String>())
    }

    /// Returns the reason for the end of the last session, or `None` if no session has ended.
    pub(crate) fn down_reason(&self) -> Option<DownReason> {
        self.events.iter().rev().find_map(|event| match event {
            SessionEvent::Down { reason, .. } => Some(reason.clone()),
            _ => None,
        })
    }
}

fn summarize(frame: &Frame) -> SentMessage {
    match frame.decode(&Context::new(PeerKind::Internal)).unwrap() {
        bgp_wire::Message::Open(_) => SentMessage::Open,
        bgp_wire::Message::Update(_) => SentMessage::Update,
        bgp_wire::Message::Keepalive => SentMessage::Keepalive,
        bgp_wire::Message::Notification(sent) => {
            SentMessage::Notification(sent.reason(), sent.data().to_vec())
        }
        bgp_wire::Message::RouteRefresh(refresh) => SentMessage::RouteRefresh(refresh.family),
    }
}

/// Returns an OPEN for the two unicast families.
pub(crate) fn open(asn: u32, hold_time: u16) -> Vec<u8> {
    encode_open(
        asn,
        hold_time,
        "192.168.0.254",
        &[Family::IPV4_UNICAST, Family::IPV6_UNICAST],
    )
}

pub(crate) fn open_with_id(asn: u32, router_id: &str) -> Vec<u8> {
    encode_open(
        asn,
        90,
        router_id,
        &[Family::IPV4_UNICAST, Family::IPV6_UNICAST],
    )
}

pub(crate) fn open_with_families(families: &[Family]) -> Vec<u8> {
    encode_open(64512, 90, "192.168.0.254", families)
}

/// Returns an OPEN with the given capabilities besides those for its AS and the two unicast families.
pub(crate) fn open_with(asn: u32, capabilities: &[CapabilityBuf]) -> Vec<u8> {
    let base = [
        CapabilityBuf::Multiprotocol(Family::IPV4_UNICAST),
        CapabilityBuf::Multiprotocol(Family::IPV6_UNICAST),
        CapabilityBuf::FourOctetAs(Asn::new(asn)),
    ];
    let open = OpenBuf {
        asn: Asn::new(asn),
        hold_time: HoldTime::DEFAULT,
        router_id: "192.168.0.254".parse().unwrap(),
        capabilities: [&base, capabilities].concat(),
    };
    let mut octets = BytesMut::new();
    open.encode(&mut octets).unwrap();
    octets.to_vec()
}

/// Returns the UPDATEs for the prefixes that `fill` adds, as a peer of this kind sends them.
pub(crate) fn updates(peer: PeerKind, fill: impl FnOnce(&mut UpdateBuf)) -> Vec<u8> {
    let mut attributes = AttributeSet::new(Origin::IGP);
    if peer == PeerKind::External {
        // RFC 4271 section 6.3 permits rejecting a path that does not begin with the peer's AS.
        attributes.as_path = "64513".parse().unwrap();
    }
    let mut update = UpdateBuf::new(attributes);
    let next_hop = std::net::IpAddr::from([192, 168, 0, 254]);
    update.set_next_hop(Family::IPV4_UNICAST, next_hop);
    fill(&mut update);
    let mut octets = BytesMut::new();
    update.encode(&Context::new(peer), &mut octets).unwrap();
    octets.to_vec()
}

fn encode_open(asn: u32, hold_time: u16, router_id: &str, families: &[Family]) -> Vec<u8> {
    let capabilities = families.iter().copied().map(CapabilityBuf::Multiprotocol);
    let others = [
        CapabilityBuf::RouteRefresh,
        CapabilityBuf::EnhancedRouteRefresh,
        CapabilityBuf::FourOctetAs(Asn::new(asn)),
    ];
    let open = OpenBuf {
        asn: Asn::new(asn),
        hold_time: HoldTime::new(hold_time).unwrap(),
        router_id: router_id.parse().unwrap(),
        capabilities: capabilities.chain(others).collect(),
    };
    let mut octets = BytesMut::new();
    open.encode(&mut octets).unwrap();
    octets.to_vec()
}

/// Returns an OPEN with a body in hexadecimal digits, for bodies that the encoder refuses to build.
pub(crate) fn raw_open(body: &str) -> Vec<u8> {
    message(1, &hex(body))
}

pub(crate) fn keepalive() -> Vec<u8> {
    KEEPALIVE.to_vec()
}

/// Returns an UPDATE that announces one IPv4 prefix.
pub(crate) fn update() -> Vec<u8> {
    let mut update = UpdateBuf::new(AttributeSet::new(Origin::IGP));
    update.set_next_hop(
        Family::IPV4_UNICAST,
        std::net::IpAddr::from([192, 168, 0, 254]),
    );
    update.announce("10.0.0.0/8".parse::<ipnet::IpNet>().unwrap());
    let mut octets = BytesMut::new();
    update
        .encode(&Context::new(PeerKind::Internal), &mut octets)
        .unwrap();
    octets.to_vec()
}

/// Returns an UPDATE with attributes and prefixes in hexadecimal digits, valid or not.
pub(crate) fn update_with(attributes: &str, nlri: &str) -> Vec<u8> {
    let attributes = hex(attributes);
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    // The two zero octets are the length of the withdrawn routes.
    message(2, &[&[0, 0], &length[..], &attributes, &hex(nlri)].concat())
}

pub(crate) fn notification(notification: &NotificationBuf) -> Vec<u8> {
    let mut octets = BytesMut::new();
    notification.encode(&mut octets);
    octets.to_vec()
}

pub(crate) fn refresh(subtype: RefreshSubtype) -> Vec<u8> {
    let mut octets = BytesMut::new();
    RouteRefresh {
        family: Family::IPV4_UNICAST,
        subtype,
    }
    .encode(&mut octets);
    octets.to_vec()
}

fn message(message_type: u8, body: &[u8]) -> Vec<u8> {
    // The length counts the header of 19 octets (RFC 4271 section 4.1).
    let length = u16::try_from(19 + body.len()).unwrap().to_be_bytes();
    [&[0xff; 16], &length[..], &[message_type], body].concat()
}

/// Returns the octets of hexadecimal digits. Ignores spaces.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}
