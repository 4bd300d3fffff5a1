//! The peer's side of a dialogue.

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

/// A session, a clock, and what came out.
pub(crate) struct Script {
    pub(crate) session: Session,
    pub(crate) now: Instant,
    pub(crate) events: Vec<SessionEvent>,
    sent: VecDeque<(ConnectionId, Message)>,
    /// The last OPEN that was sent.
    pub(crate) open: Option<OpenBuf>,
    dials: VecDeque<ConnectionId>,
    closed: VecDeque<ConnectionId>,
    deadline: Option<Instant>,
    buffers: BTreeMap<ConnectionId, BytesMut>,
}

/// A message that the session has sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Message {
    Open,
    Update,
    Keepalive,
    Notification(Reason, Vec<u8>),
    RouteRefresh(Family),
}

pub(crate) fn config() -> PeerConfig {
    PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512))
}

impl Script {
    #[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
    pub(crate) fn new(config: PeerConfig) -> Self {
        let now = Instant::now();
        let local = LocalConfig {
            asn: Asn::new(64512),
            router_id: "192.168.0.111".parse().unwrap(),
        };
        Self {
            session: Session::new(local, config, now, 1),
            now,
            events: Vec::new(),
            sent: VecDeque::new(),
            open: None,
            dials: VecDeque::new(),
            closed: VecDeque::new(),
            deadline: None,
            buffers: BTreeMap::new(),
        }
    }

    pub(crate) fn established(config: PeerConfig) -> Self {
        let mut script = Self::new(config);
        script.establish(open(64512, 90));
        script
    }

    /// Takes the events that have come up.
    pub(crate) fn take_events(&mut self) -> Vec<SessionEvent> {
        std::mem::take(&mut self.events)
    }

    /// The transport takes so many octets and leaves others.
    pub(crate) fn written(&mut self, connection: ConnectionId, taken: usize, left: usize) {
        self.session
            .handle_written(self.now, connection, taken, left);
        self.drain();
    }

    /// Up to OpenConfirm.
    pub(crate) fn confirm(&mut self, open: Vec<u8>) -> ConnectionId {
        self.start();
        let dialled = self.expects_dial();
        self.connected(dialled);
        self.receives(dialled, open);
        self.expects(dialled, Message::Open);
        self.expects(dialled, Message::Keepalive);
        dialled
    }

    pub(crate) fn establish(&mut self, open: Vec<u8>) -> ConnectionId {
        let connection = self.confirm(open);
        self.receives(connection, keepalive());
        assert_eq!(self.session.state(), State::Established);
        connection
    }

    pub(crate) fn connection(&self) -> ConnectionId {
        self.session.connection_id().expect("Established")
    }

    pub(crate) fn start(&mut self) {
        self.session.start(self.now);
        self.drain();
    }

    pub(crate) fn stop(&mut self, why: &Shutdown) {
        self.session.stop(self.now, why);
        self.drain();
    }

    pub(crate) fn connected(&mut self, connection: ConnectionId) {
        self.session
            .handle_connected(self.now, connection, "192.168.0.111".parse().unwrap());
        self.drain();
    }

    pub(crate) fn accepts(&mut self) -> Option<ConnectionId> {
        let accepted = self
            .session
            .accept(self.now, "192.168.0.111".parse().unwrap());
        self.drain();
        accepted
    }

    pub(crate) fn closed(&mut self, connection: ConnectionId) {
        self.session.handle_closed(self.now, connection);
        self.drain();
        self.closed.retain(|closed| *closed != connection);
    }

    /// Gives the session octets on top of what it left of earlier ones.
    pub(crate) fn receives(&mut self, connection: ConnectionId, octets: impl AsRef<[u8]>) {
        let buffer = self.buffers.entry(connection).or_default();
        buffer.extend_from_slice(octets.as_ref());
        self.session.handle_bytes(self.now, connection, buffer);
        self.drain();
    }

    /// Time passes, and every deadline in it is met.
    pub(crate) fn passes(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.deadline.filter(|deadline| *deadline <= end) {
            self.now = deadline;
            self.session.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    pub(crate) fn passes_until_due(&mut self) {
        let deadline = self.deadline.expect("something is to come");
        self.passes(deadline - self.now);
    }

    pub(crate) fn drain(&mut self) {
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
                            self.open = Some(open.into());
                        }
                        self.sent.push_back((connection, name(&frame)));
                    }
                    assert!(octets.is_empty(), "whole messages");
                }
                Output::Close(connection) => self.closed.push_back(connection),
                Output::Event(event) => self.events.push(event),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    pub(crate) fn expects_dial(&mut self) -> ConnectionId {
        self.dials.pop_front().expect("a dial")
    }

    pub(crate) fn try_dial(&mut self) -> Option<ConnectionId> {
        self.dials.pop_front()
    }

    pub(crate) fn expects(&mut self, connection: ConnectionId, message: Message) {
        let position = self.sent.iter().position(|(to, _)| *to == connection);
        let sent = position.and_then(|position| self.sent.remove(position));
        assert_eq!(sent, Some((connection, message)));
    }

    pub(crate) fn expects_close(&mut self, connection: ConnectionId) {
        let position = self.closed.iter().position(|closed| *closed == connection);
        assert!(
            position
                .and_then(|position| self.closed.remove(position))
                .is_some(),
            "closed"
        );
    }

    pub(crate) fn expects_nothing(&mut self) {
        assert!(
            self.sent.is_empty() && self.dials.is_empty(),
            "{:?} {:?}",
            self.sent,
            self.dials
        );
    }

    pub(crate) fn take_messages(&mut self, connection: ConnectionId) -> Vec<Message> {
        let (taken, kept): (VecDeque<_>, _) =
            self.sent.drain(..).partition(|(to, _)| *to == connection);
        self.sent = kept;

        taken.into_iter().map(|(_, message)| message).collect()
    }

    /// Every state that the session was in.
    pub(crate) fn states(&self) -> String {
        let changes = self.events.iter().filter_map(|event| match event {
            SessionEvent::StateChanged { to, .. } => Some(format!(">{to}")),
            _ => None,
        });
        format!("Idle{}", changes.collect::<String>())
    }

    pub(crate) fn down(&self) -> Option<DownReason> {
        self.events.iter().rev().find_map(|event| match event {
            SessionEvent::Down { reason, .. } => Some(reason.clone()),
            _ => None,
        })
    }
}

fn name(frame: &Frame) -> Message {
    match frame.decode(&Context::new(PeerKind::Internal)).unwrap() {
        bgp_wire::Message::Open(_) => Message::Open,
        bgp_wire::Message::Update(_) => Message::Update,
        bgp_wire::Message::Keepalive => Message::Keepalive,
        bgp_wire::Message::Notification(sent) => {
            Message::Notification(sent.reason(), sent.data().to_vec())
        }
        bgp_wire::Message::RouteRefresh(refresh) => Message::RouteRefresh(refresh.family),
    }
}

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

/// An OPEN with these capabilities, and those for its AS and the two unicast families.
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

/// UPDATEs of what `fill` puts in, as an internal or external peer sends them.
pub(crate) fn updates(peer: PeerKind, fill: impl FnOnce(&mut UpdateBuf)) -> Vec<u8> {
    let mut attributes = AttributeSet::new(Origin::IGP);
    if peer == PeerKind::External {
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

/// An OPEN with this body.
pub(crate) fn raw_open(body: &str) -> Vec<u8> {
    message(1, &hex(body))
}

pub(crate) fn keepalive() -> Vec<u8> {
    KEEPALIVE.to_vec()
}

/// An UPDATE of one IPv4 prefix.
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

/// An UPDATE with these attributes and prefixes.
pub(crate) fn update_with(attributes: &str, nlri: &str) -> Vec<u8> {
    let attributes = hex(attributes);
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
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
    let length = u16::try_from(19 + body.len()).unwrap().to_be_bytes();
    [&[0xff; 16], &length[..], &[message_type], body].concat()
}

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
