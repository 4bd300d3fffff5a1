//! A conforming speaker: a table and a `Peering` for each peer, driven here as `bgp_session::Speaker` drives it.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_session::{
    AdjRibIn, ConnectionId, LocalConfig, Output, PeerConfig, Peering, Rib, Route, Session,
    SessionEvent, Shutdown, WithheldReason,
};
use bgp_wire::{Family, LargeCommunity, PathId};
use bytes::BytesMut;
use ipnet::IpNet;

use crate::monitor::Monitor;
use crate::network::TcpId;
use crate::plan::Table;
use crate::world::{Program, Side, World, WorldEvent};

#[derive(Default)]
pub(crate) struct Speaker {
    pub(crate) rib: Rib,
    /// The routes that the speaker announces. They survive a restart; the Rib does not.
    pub(crate) table: Table,
    pub(crate) peers: BTreeMap<usize, Peer>,
    /// The Rib contains the table.
    pub(crate) is_loaded: bool,
}

/// One peer of a speaker.
pub(crate) struct Peer {
    pub(crate) config: PeerConfig,
    /// The peer is a conforming speaker and not an adversary.
    pub(crate) is_honest: bool,
    /// `None` while the program is down.
    pub(crate) peering: Option<Peering>,
    /// The operator has started the session.
    pub(crate) is_started: bool,
    pub(crate) adj_rib_in: AdjRibIn,
    pub(crate) links: Vec<Link>,
    dial: Option<ConnectionId>,
    deadline: Option<Duration>,
    /// The time of this peer's deadline event in the queue of the world.
    scheduled: Option<Duration>,
    pub(crate) monitor: Monitor,
}

/// A connection with the buffers that a driver keeps for it.
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    pub(crate) tcp: TcpId,
    /// The index of this host's end in the connection.
    pub(crate) end: usize,
    inbound: BytesMut,
    outbound: BytesMut,
    blocked: bool,
}

impl Link {
    fn new(id: ConnectionId, tcp: TcpId, end: usize) -> Self {
        Self {
            id,
            tcp,
            end,
            inbound: BytesMut::new(),
            outbound: BytesMut::new(),
            blocked: false,
        }
    }
}

impl Peer {
    pub(crate) fn new(config: PeerConfig, is_honest: bool) -> Self {
        Self {
            config,
            is_honest,
            peering: None,
            is_started: false,
            adj_rib_in: AdjRibIn::new(),
            links: Vec::new(),
            dial: None,
            deadline: None,
            scheduled: None,
            monitor: Monitor::new(),
        }
    }

    pub(crate) fn session(&self) -> &Session {
        self.peering.as_ref().expect("the program runs").session()
    }

    fn peering(&mut self) -> &mut Peering {
        self.peering.as_mut().expect("the program runs")
    }

    fn link(&mut self, id: ConnectionId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.id == id)
    }
}

impl World {
    /// Starts the program with its configuration. The table is loaded up to 3 s later.
    pub(crate) fn boot(&mut self, host: usize, restarted: bool) {
        let (now, instant) = (self.now, self.instant());
        let it = &mut self.hosts[host];
        (it.is_running, it.is_off) = (true, false);
        it.boot += 1;
        let boot = it.boot;
        let local = LocalConfig::new(it.asn, it.router_id);
        let mut seed = self.random.u64(..);
        let Program::Speaker(speaker) = &mut it.program else {
            return;
        };
        speaker.rib = Rib::new();
        // An incomplete table sends no End-of-RIB, so peers keep stale routes until it is loaded.
        speaker.rib.set_complete(false);
        speaker.is_loaded = false;
        for peer in speaker.peers.values_mut() {
            seed += 1;
            let mut session = Session::new(local, peer.config.clone(), instant, seed).unwrap();
            if restarted {
                session = session.restarted();
            }
            // A deadline event that is already in the queue cannot be removed from it.
            let fresh = Peer::new(peer.config.clone(), peer.is_honest);
            let scheduled = peer.scheduled;
            *peer = Peer {
                peering: Some(Peering::new(session).with_max_queued(MAX_QUEUED)),
                scheduled,
                ..fresh
            };
            peer.monitor.handle_boot(now);
        }
        let numbers: Vec<_> = speaker.peers.keys().copied().collect();
        let delay = self.random_seconds(0, 3);
        self.schedule_after(delay, WorldEvent::TableLoaded { host, boot });
        for peer in numbers {
            self.start(Side { host, peer });
        }
    }

    /// Puts the table into the Rib and marks it complete.
    pub(crate) fn handle_table_loaded(&mut self, host: usize, boot: u32) {
        if self.hosts[host].boot != boot || !self.hosts[host].is_running {
            return;
        }
        let speaker = self.speaker(host);
        for ((prefix, path_id), version) in &speaker.table {
            speaker.rib.announce(&route(*prefix, *path_id, *version));
        }
        speaker.rib.set_complete(true);
        speaker.is_loaded = true;
        self.table_changed(host);
    }

    /// Reports a change of the table to every peer.
    pub(crate) fn table_changed(&mut self, host: usize) {
        let peers: Vec<_> = self.speaker(host).peers.keys().copied().collect();
        for peer in peers {
            self.with_peer(Side { host, peer }, |world, side, peer| {
                peer.peering().handle_table_changed();
                world.settle(side, peer);
            });
        }
    }

    /// Calls `act` with a peer, unless its program is down.
    ///
    /// The peer is taken out of the map meanwhile, because `act` needs the world as well.
    pub(crate) fn with_peer(&mut self, side: Side, act: impl FnOnce(&mut Self, Side, &mut Peer)) {
        if !self.hosts[side.host].is_running {
            return;
        }
        let Some(mut peer) = self.speaker(side.host).peers.remove(&side.peer) else {
            return;
        };
        act(self, side, &mut peer);
        self.speaker(side.host).peers.insert(side.peer, peer);
    }

    pub(crate) fn start(&mut self, side: Side) {
        let now = self.instant();
        self.with_peer(side, |world, side, peer| {
            if !peer.is_started {
                peer.is_started = true;
                peer.monitor.restart_bounds(world.now);
                peer.peering().start(now);
                world.settle(side, peer);
            }
        });
    }

    pub(crate) fn stop(&mut self, side: Side, shutdown: &Shutdown) {
        let now = self.instant();
        self.with_peer(side, |world, side, peer| {
            peer.is_started = false;
            peer.peering().stop(now, shutdown);
            world.settle(side, peer);
        });
    }

    pub(crate) fn reconfigure(&mut self, side: Side, config: PeerConfig) {
        let now = self.instant();
        self.with_peer(side, |world, side, peer| {
            peer.config = config.clone();
            peer.monitor.restart_bounds(world.now);
            peer.peering().update(now, config).unwrap();
            world.settle(side, peer);
        });
    }

    pub(crate) fn send_refresh(&mut self, side: Side, family: Family) {
        let now = self.instant();
        self.with_peer(side, |world, side, peer| {
            peer.peering().refresh(now, family).ok();
            world.settle(side, peer);
        });
    }

    pub(crate) fn handle_deadline(&mut self, side: Side) {
        let (now, instant) = (self.now, self.instant());
        self.with_peer(side, |world, side, peer| {
            peer.scheduled.take_if(|scheduled| *scheduled <= now);
            if peer.deadline.is_some_and(|deadline| deadline <= now) {
                peer.peering().handle_timeout(instant);
                world.settle(side, peer);
                let over = peer.deadline.is_none_or(|deadline| deadline > now);
                // A driver would spin on such a timer.
                assert!(over, "{side:?}: expired timer is due again");
            }
            // The deadline may have moved since this event was scheduled.
            world.schedule_deadline(side, peer);
        });
    }

    /// Offers an incoming connection to a host. Returns `None` if it is refused.
    ///
    /// The inner id is the session's name of the connection; an adversary has none.
    pub(crate) fn accept(&mut self, side: Side) -> Option<Option<ConnectionId>> {
        if self.is_adversary(side.host) {
            return self.random.bool().then_some(None);
        }
        let (now, address) = (self.instant(), self.hosts[side.host].address);
        let mut accepted = None;
        self.with_peer(side, |world, side, peer| {
            accepted = peer.peering().accept(now, address);
            match accepted {
                Some(id) => peer.monitor.handle_connected(id, world.now),
                None => world.settle(side, peer),
            }
        });
        accepted.map(Some)
    }

    pub(crate) fn connection_accepted(
        &mut self,
        side: Side,
        id: Option<ConnectionId>,
        name: TcpId,
    ) {
        let Some(id) = id else {
            return self.adversary_connected(name);
        };
        self.with_peer(side, |world, side, peer| {
            peer.links.push(Link::new(id, name, 1));
            world.settle(side, peer);
        });
    }

    /// Returns `true` if a dial is still in progress in the same run of the program.
    pub(crate) fn is_dialling(&mut self, side: Side, boot: u32, id: ConnectionId) -> bool {
        let host = &self.hosts[side.host];
        let same = host.boot == boot && host.is_running;
        same && self
            .speaker(side.host)
            .peers
            .get(&side.peer)
            .is_some_and(|peer| peer.dial == Some(id))
    }

    pub(crate) fn dial_succeeded(&mut self, side: Side, id: Option<ConnectionId>, name: TcpId) {
        let Some(id) = id else {
            return self.adversary_connected(name);
        };
        let (now, address) = (self.instant(), self.hosts[side.host].address);
        self.with_peer(side, |world, side, peer| {
            peer.dial = None;
            peer.links.push(Link::new(id, name, 0));
            peer.monitor.handle_connected(id, world.now);
            peer.peering().handle_connected(now, id, address);
            world.settle(side, peer);
        });
    }

    pub(crate) fn handle_refused(&mut self, side: Side, boot: u32, id: ConnectionId) {
        let now = self.instant();
        if self.is_dialling(side, boot, id) {
            self.with_peer(side, |world, side, peer| {
                peer.dial = None;
                peer.peering().handle_closed(now, id);
                world.settle(side, peer);
            });
        }
    }

    pub(crate) fn receive(&mut self, side: Side, id: Option<ConnectionId>, octets: &[u8]) {
        let Some(id) = id else { return };
        let now = self.instant();
        self.with_peer(side, |world, side, peer| {
            let (Some(link), Some(peering)) = (
                peer.links.iter_mut().find(|link| link.id == id),
                &mut peer.peering,
            ) else {
                return;
            };
            link.inbound.extend_from_slice(octets);
            peer.monitor.handle_received(id, octets, world.now);
            peering.handle_bytes(now, id, &mut link.inbound);
            // RFC 8654: an incomplete message has fewer than 65,535 octets, so more would be unread messages.
            let left = link.inbound.len();
            assert!(left < 65535, "{side:?}: {left} octets left unread");
            world.settle(side, peer);
        });
    }

    pub(crate) fn connection_lost(&mut self, side: Side, id: Option<ConnectionId>) {
        let Some(id) = id else { return };
        let now = self.instant();
        self.with_peer(side, |world, side, peer| {
            peer.links.retain(|link| link.id != id);
            peer.monitor.handle_lost(id);
            peer.peering().handle_closed(now, id);
            world.settle(side, peer);
        });
    }

    /// Reports to an end that the pipe has room for its data again.
    pub(crate) fn room_available(&mut self, name: TcpId, end: usize) {
        let Some(tcp) = self.tcps.get(&name) else {
            return;
        };
        let (side, id) = (tcp.ends[end].side, tcp.ends[end].id);
        let Some(id) = id.filter(|_| tcp.ends[end].open) else {
            return;
        };
        self.with_peer(side, |world, side, peer| {
            if peer.link(id).is_some_and(|link| link.tcp == name) {
                world.settle(side, peer);
            }
        });
    }

    /// Carries out every output of a peering, then checks the invariants.
    pub(crate) fn settle(&mut self, side: Side, peer: &mut Peer) {
        // Writing makes room, and a peering with room may have more to send.
        loop {
            self.poll_outputs(side, peer);
            if !self.write(peer) {
                break;
            }
        }
        let now = self.now;
        let peering = peer.peering.as_ref().expect("the program runs");
        let withheld = peering.withheld();
        for reason in [
            WithheldReason::NoNextHop,
            WithheldReason::NextHopIsPeer,
            WithheldReason::TooLong,
            WithheldReason::Unencodable,
        ] {
            assert_eq!(withheld.count(reason), 0, "{side:?}: {reason}");
        }
        let session = peering.session();
        peer.monitor
            .check(side, now, session, peer.is_started, peer.deadline);
        let links = peer.links.len();
        assert!(links <= 2, "{side:?}: {links} connections open");
        self.schedule_deadline(side, peer);
    }

    /// Schedules the peering's next deadline, unless an earlier or equal one is already scheduled.
    fn schedule_deadline(&mut self, side: Side, peer: &mut Peer) {
        // A deadline that passed while the program was down has not cleared this field.
        peer.scheduled.take_if(|scheduled| *scheduled < self.now);
        if let Some(deadline) = peer.deadline
            && peer.scheduled.is_none_or(|scheduled| scheduled > deadline)
        {
            peer.scheduled = Some(deadline);
            self.schedule_at(deadline, WorldEvent::Deadline(side));
        }
    }

    fn poll_outputs(&mut self, side: Side, peer: &mut Peer) {
        loop {
            let instant = self.instant();
            let rib = &mut self.speaker(side.host).rib;
            match peer.peering().poll_output(instant, rib) {
                Output::Dial(id) => {
                    peer.dial = Some(id);
                    let policy = peer.config.retry();
                    peer.monitor.handle_dial(id, &policy, self.now);
                    let (delay, boot) = (self.random_delay(), self.hosts[side.host].boot);
                    let syn = WorldEvent::Syn {
                        from: side,
                        boot,
                        id: Some(id),
                        tries: 0,
                    };
                    self.schedule_after(delay, syn);
                }
                Output::Transmit(id, octets) => {
                    peer.monitor.handle_transmit(id, &octets, self.now);
                    if let Some(recorder) = &mut self.recorder {
                        recorder.record(&octets);
                    }
                    if let Some(link) = peer.link(id) {
                        link.outbound.extend_from_slice(&octets);
                    }
                }
                Output::Close(id) => self.close(peer, id),
                Output::Event(event) => self.handle_event(side, peer, &event),
                Output::Wait(deadline) => {
                    peer.deadline = deadline.map(|deadline| self.time(deadline));
                    return;
                }
                other => panic!("unknown output: {other:?}"),
            }
        }
    }

    fn close(&mut self, peer: &mut Peer, id: ConnectionId) {
        peer.monitor.handle_close(id);
        peer.dial.take_if(|dial| *dial == id);
        let Some(index) = peer.links.iter().position(|link| link.id == id) else {
            return;
        };
        let link = peer.links.swap_remove(index);
        if let Some(tcp) = self.tcps.get_mut(&link.tcp) {
            // A driver writes what is left, usually a NOTIFICATION, before it closes.
            tcp.pipes[link.end].octets.extend_from_slice(&link.outbound);
            self.close_end(link.tcp, link.end);
        }
    }

    /// Checks and counts an event, and applies it to the peer's Adj-RIB-In.
    fn handle_event(&mut self, side: Side, peer: &mut Peer, event: &SessionEvent) {
        self.trace
            .note(self.now, || format!("    {side:?}: {event:?}"));
        let honest = peer.is_honest;
        let peering = peer.peering.as_ref().expect("the program runs");
        peer.monitor
            .handle_event(side, honest, event, peering.session(), self.now);
        match event {
            SessionEvent::Up { .. } => self.report.sessions += 1,
            SessionEvent::Down { retained, .. } => {
                self.report.downs += 1;
                self.report.retained += u64::from(!retained.is_empty());
            }
            _ => {}
        }
        let mut changes = 0;
        peer.adj_rib_in.apply(event, |_| changes += 1);
        self.report.routes += changes;
    }

    /// Writes as much as the network accepts. Returns `true` if the peering learnt something from it.
    fn write(&mut self, peer: &mut Peer) -> bool {
        let (now, instant) = (self.now, self.instant());
        let mut any = false;
        for link in &mut peer.links {
            let Some(tcp) = self.tcps.get_mut(&link.tcp) else {
                link.outbound.clear();
                continue;
            };
            let pipe = &mut tcp.pipes[link.end];
            let room = pipe.capacity.saturating_sub(pipe.octets.len());
            let taken = room.min(link.outbound.len());
            pipe.octets
                .extend_from_slice(&link.outbound.split_to(taken));
            let left = link.outbound.len();
            // The first attempt that takes nothing must be reported as well: it starts the send hold timer (RFC 9687).
            let news = taken > 0 || (left > 0 && !link.blocked);
            link.blocked = left > 0;
            if news {
                peer.monitor.handle_written(link.id, taken, left, now);
                let peering = peer.peering.as_mut().expect("the program runs");
                peering.handle_written(instant, link.id, taken);
                let (name, end) = (link.tcp, link.end);
                self.schedule_delivery(name, end);
            }
            any |= news;
        }
        any
    }

    /// Ends the program without warning, or the whole machine if `power_failure` is set.
    pub(crate) fn crash(&mut self, host: usize, power_failure: bool) {
        let it = &mut self.hosts[host];
        (it.is_running, it.is_off) = (false, power_failure);
        let Program::Speaker(speaker) = &mut it.program else {
            return;
        };
        let mut ends = Vec::new();
        for peer in speaker.peers.values_mut() {
            ends.extend(peer.links.drain(..).map(|link| (link.tcp, link.end)));
            let fresh = Peer::new(peer.config.clone(), peer.is_honest);
            let scheduled = peer.scheduled;
            *peer = Peer { scheduled, ..fresh };
        }
        speaker.rib = Rib::new();
        // A machine without power sends no FIN and no RST: peers learn of it from their hold timers only.
        if power_failure {
            return;
        }
        // A kernel closes with a RST if data is left unread, otherwise with a FIN.
        for (name, end) in ends {
            if self.random.bool() {
                self.reset(name, 1 - end);
            } else {
                self.close_end(name, end);
            }
        }
    }
}

/// Returns a route whose large community contains its version and its path identifier.
pub(crate) fn route(prefix: IpNet, path_id: u32, version: u32) -> Route {
    Route::new(prefix)
        .with_path_id(PathId(path_id))
        .with_large_community(LargeCommunity {
            global: 64512,
            local1: version,
            local2: path_id,
        })
}

/// Returns the prefix with a number. Numbers below 128 are in the ranges that `plan::policy` exports.
pub(crate) fn prefix(number: u8, ipv6: bool) -> IpNet {
    let upper = number >= 128;
    let text = match (ipv6, upper) {
        (false, false) => format!("10.1.0.{number}/32"),
        (false, true) => format!("10.1.200.{number}/32"),
        (true, false) => format!("2001:db8:1::{number}/128"),
        (true, true) => format!("2001:db8:1:8000::{number}/128"),
    };
    text.parse().expect("a prefix")
}

/// The limit of queued octets per peer. It is small, so that peers are often slower than the table.
const MAX_QUEUED: usize = 4096;
