//! Dialogues of two of our sessions, and streams of other speakers, as inputs of the target `session`: its configuration, then
//! the steps of its peer, its network, its clock and its operator.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Instant;

use bgp_session::fuzz::{config, options};
use bgp_session::{
    ConnectionId, Destination, LocalConfig, Output, PeerConfig, Peering, Rib, Route, Session,
    Shutdown, State,
};
use bgp_wire::{Asn, Family, PeerKind, Role, RouterId};
use bytes::BytesMut;

use crate::inputs::Inputs;

const OURS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 111));
const THEIRS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 254));

// The steps of the target `session`. Each applies to the only connection.
const CONNECTED: u8 = 0;
const ACCEPTED: u8 = 1;
const CLOSED: u8 = 2;
const DEADLINE: u8 = 3;
const RECEIVED: u8 = 7;

/// The families and routes that the peer announces: one of each kind.
const ROUTES: &[(&str, &str)] = &[
    ("ipv4 unicast", "10.1.0.0/16"),
    ("ipv4 unicast", "10.2.3.4/32"),
    ("ipv6 unicast", "2001:db8:1::/48"),
    ("ipv4 multicast", "10.6.0.0/16"),
    ("ipv4 labeled-unicast", "10.6.0.0/16 label 100"),
    ("ipv6 labeled-unicast", "2001:db8::/32 label 100"),
    ("ipv4 vpn", "10.3.0.0/16 rd 65000:1 label 100"),
    ("ipv6 vpn", "2001:db8::/32 rd 65000:1 label 100"),
    ("ipv4 route-target", "64512 target:64512:1"),
    ("ipv4 flowspec", "destination 10.4.0.0/16"),
    (
        "ipv6 flowspec-vpn",
        "rd 64512:1 source 2001:db8::/32 dscp =46",
    ),
    (
        "l2vpn evpn",
        "a-d rd 64512:1 esi 00:11:22:33:44:55:66:77:88:99 etag 4294967295 label 0",
    ),
];

/// Adds a dialogue for every configuration that changes one octet of the selection.
pub(crate) fn add(inputs: &mut Inputs) {
    for selector in 0..=u8::MAX {
        add_dialogue(inputs, selector, 4);
    }
    for more in 0..=u8::MAX {
        add_dialogue(inputs, 0b0101_1101, more);
        add_dialogue(inputs, 0b0101_1100, more);
    }
}

/// Adds a stream of a peer that was recorded elsewhere.
pub(crate) fn add_replay(inputs: &mut Inputs, stream: &[u8], kind: PeerKind, add_path: bool) {
    let internal = u8::from(kind == PeerKind::Internal);
    // Graceful restart, IPv6 next hops and every family, because the stream may have them.
    let selector = 64 | 16 | if add_path { 4 } else { 0 } | internal;
    for more in [4, 4 | 8] {
        let mut steps = vec![selector, more, CONNECTED];
        push_received(&mut steps, stream);
        // The peer restarts and sends the same again.
        steps.extend([CLOSED, DEADLINE, CONNECTED]);
        push_received(&mut steps, stream);
        steps.push(DEADLINE);
        inputs.add("session", steps);
    }
}

/// Appends the steps in which octets arrive.
fn push_received(steps: &mut Vec<u8>, octets: &[u8]) {
    for part in octets.chunks(255) {
        steps.extend([RECEIVED, u8::try_from(part.len()).expect("at most 255")]);
        steps.extend(part);
    }
}

fn add_dialogue(inputs: &mut Inputs, selector: u8, more: u8) {
    let mut dialogue = Dialogue::new(selector, more);
    dialogue.connect();
    dialogue.settle();
    // Fails if the session is not up, as in configurations that need a different peer.
    let family = Family::IPV4_UNICAST;
    dialogue.theirs.peering.refresh(dialogue.now, family).ok();
    dialogue.settle();
    dialogue
        .theirs
        .rib
        .withdraw("10.2.3.4/32".parse::<ipnet::IpNet>().expect("a prefix"));
    dialogue.theirs.peering.handle_table_changed();
    dialogue.settle();
    inputs.add("session", &dialogue.steps[..]);
    // The peer restarts with its routes kept, and comes back.
    dialogue.restart();
    dialogue.settle();
    inputs.add("session", &dialogue.steps[..]);
    let why = Shutdown::administrative("maintenance");
    dialogue.theirs.peering.stop(dialogue.now, &why);
    dialogue.settle();
    inputs.add("session", &dialogue.steps[..]);
    // The target has bit 0 for an internal peer where contexts have bit 1.
    let context = (selector & 1) << 1 | (selector & 4) << 1 | selector & 16;
    inputs.add_stream(&dialogue.ours.sent, context);
    inputs.add_stream(&dialogue.theirs.sent, context);
}

/// One side of a dialogue.
struct Side {
    peering: Peering,
    rib: Rib,
    connection: Option<ConnectionId>,
    deadline: Option<Instant>,
    /// Octets that the other side has not received.
    outbound: VecDeque<Vec<u8>>,
    /// Everything that was sent.
    sent: Vec<u8>,
}

impl Side {
    fn new(session: Session) -> Self {
        Self {
            peering: Peering::new(session),
            rib: Rib::new(),
            connection: None,
            deadline: None,
            outbound: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    /// Performs every output. Returns `true` if the connection was closed.
    fn drain(&mut self, now: Instant) -> bool {
        let mut closed = false;
        loop {
            let output = self.peering.poll_output(now, &mut self.rib);
            if let Output::Dial(id) = output {
                self.connection = Some(id);
            } else if let Output::Transmit(id, octets) = output {
                self.peering.handle_written(now, id, octets.len());
                self.sent.extend(&octets);
                self.outbound.push_back(octets.to_vec());
            } else if let Output::Close(_) = output {
                self.connection = None;
                closed = true;
            } else if let Output::Wait(deadline) = output {
                self.deadline = deadline;
                return closed;
            }
        }
    }
}

/// A session in the configuration of the fuzz target, its peer, and the steps so far.
struct Dialogue {
    now: Instant,
    selector: u8,
    more: u8,
    ours: Side,
    theirs: Side,
    steps: Vec<u8>,
}

impl Dialogue {
    fn new(selector: u8, more: u8) -> Self {
        let now = Instant::now();
        let local = LocalConfig::new(Asn::new(64512), RouterId::new(192, 168, 0, 111).expect("valid"));
        let ours = Session::new(local, config(selector, more), now, u64::from(more))
            .expect("a possible configuration");
        let mut dialogue = Self {
            now,
            selector,
            more,
            ours: Side::new(ours),
            theirs: Side::new(peer(selector, more, now)),
            steps: vec![selector, more],
        };
        dialogue.fill_table();
        dialogue.ours.peering.start(now);
        dialogue.theirs.peering.start(now);
        dialogue
    }

    fn fill_table(&mut self) {
        for (family, route) in ROUTES {
            let family: Family = family.parse().expect("a family");
            let destination = Destination::parse(family, route).expect("a route");
            self.theirs.rib.announce(&Route::to(destination));
        }
    }

    /// Connects the sides. A passive target is dialled.
    fn connect(&mut self) {
        self.ours.drain(self.now);
        self.theirs.drain(self.now);
        let (ours, theirs) = (&mut self.ours, &mut self.theirs);
        if self.selector & 2 != 0 {
            self.steps.push(ACCEPTED);
            ours.connection = ours.peering.accept(self.now, OURS);
            if let Some(id) = theirs.connection {
                theirs.peering.handle_connected(self.now, id, THEIRS);
            }
        } else {
            self.steps.push(CONNECTED);
            theirs.connection = theirs.peering.accept(self.now, THEIRS);
            if let Some(id) = ours.connection {
                ours.peering.handle_connected(self.now, id, OURS);
            }
        }
    }

    /// Delivers octets until both sides are silent. Lets time pass if the session is not up.
    fn settle(&mut self) {
        for _ in 0..4 {
            self.deliver();
            if self.ours.peering.session().state() == State::Established {
                return;
            }
            // A delayed OPEN.
            if let Some(deadline) = self.ours.deadline {
                self.now = self.now.max(deadline);
                self.ours.peering.handle_timeout(self.now);
                self.steps.push(DEADLINE);
            }
        }
    }

    fn deliver(&mut self) {
        loop {
            let closed = self.ours.drain(self.now) | self.theirs.drain(self.now);
            let received = self.theirs.outbound.pop_front();
            if let Some(octets) = &received
                && let Some(id) = self.ours.connection
            {
                push_received(&mut self.steps, octets);
                let mut buffer = BytesMut::from(&octets[..]);
                self.ours.peering.handle_bytes(self.now, id, &mut buffer);
            }
            let answered = self.ours.outbound.pop_front();
            if let Some(octets) = &answered
                && let Some(id) = self.theirs.connection
            {
                let mut buffer = BytesMut::from(&octets[..]);
                self.theirs.peering.handle_bytes(self.now, id, &mut buffer);
            }
            if received.is_none() && answered.is_none() && !closed {
                return;
            }
        }
    }

    /// Closes the connection without a NOTIFICATION and starts a peer that says that it has restarted.
    fn restart(&mut self) {
        if let Some(id) = self.ours.connection.take() {
            self.steps.push(CLOSED);
            self.ours.peering.handle_closed(self.now, id);
        }
        let sent = std::mem::take(&mut self.theirs.sent);
        self.theirs = Side::new(peer(self.selector, self.more, self.now).restarted());
        self.theirs.sent = sent;
        self.fill_table();
        self.theirs.peering.start(self.now);
        self.ours.drain(self.now);
        // Until the next attempt to connect.
        if self.ours.connection.is_none()
            && let Some(deadline) = self.ours.deadline
        {
            self.now = self.now.max(deadline);
            self.ours.peering.handle_timeout(self.now);
            self.steps.push(DEADLINE);
        }
        self.connect();
    }
}

/// Returns the peer's session. It has the same options, and dials if the target does not.
fn peer(selector: u8, more: u8, now: Instant) -> Session {
    let internal = selector & 1 != 0;
    let ours = if more & 32 != 0 { 64496 } else { 64512 };
    let local = LocalConfig::new(Asn::new(if internal { 64512 } else { 64513 }), RouterId::new(192, 168, 0, 254).expect("valid"));
    let base = PeerConfig::new(OURS, Asn::new(ours)).with_passive(selector & 2 == 0);
    let mut config = options(base, selector, more);
    // RFC 9234 section 4.2: the counterpart of the target's role.
    if more & 64 != 0 {
        config = config.with_role(if more & 2 != 0 {
            Role::ROUTE_SERVER_CLIENT
        } else {
            Role::CUSTOMER
        });
    } else if more & 2 != 0 {
        config = config.with_role(Role::PROVIDER);
    }
    Session::new(local, config, now, 1).expect("a possible configuration")
}
