//! An honest speaker: a table, and a `Peering` for each peer, which its driver here carries out as `bgp_session::Speaker` does.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_session::{
    AdjRibIn, ConnectionId, LocalConfig, Output, PeerConfig, Peering, Rib, Route, Session,
    SessionEvent, Shutdown,
};
use bgp_wire::{Family, LargeCommunity, PathId};
use bytes::BytesMut;
use ipnet::IpNet;

use crate::monitor::Monitor;
use crate::network::TcpId;
use crate::plan::Table;
use crate::world::{At, Happening, Program, World};

#[derive(Default)]
pub(crate) struct Speaker {
    pub(crate) rib: Rib,
    /// What is to be announced, over every restart.
    pub(crate) table: Table,
    pub(crate) peers: BTreeMap<usize, Peer>,
    /// The table is in the Rib.
    pub(crate) is_loaded: bool,
}

pub(crate) struct Peer {
    pub(crate) config: PeerConfig,
    /// It is a speaker, too.
    pub(crate) is_honest: bool,
    /// While the program runs.
    pub(crate) peering: Option<Peering>,
    /// The operator wants the session.
    pub(crate) wanted: bool,
    pub(crate) adj_rib_in: AdjRibIn,
    pub(crate) links: Vec<Link>,
    dial: Option<ConnectionId>,
    deadline: Option<Duration>,
    scheduled: Option<Duration>,
    pub(crate) monitor: Monitor,
}

/// A connection, as its user sees it.
pub(crate) struct Link {
    pub(crate) id: ConnectionId,
    pub(crate) tcp: TcpId,
    /// Which end of it.
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
            wanted: false,
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
    /// The program starts, with nothing but its configuration; the table comes a little later.
    pub(crate) fn boot(&mut self, host: usize, restarted: bool) {
        let (now, instant) = (self.now, self.instant());
        let it = &mut self.hosts[host];
        (it.is_running, it.is_off) = (true, false);
        it.boot += 1;
        let boot = it.boot;
        let local = LocalConfig {
            asn: it.asn,
            router_id: it.router_id,
        };
        let mut seed = self.random.u64(..);
        let Program::Speaker(speaker) = &mut it.program else {
            return;
        };
        speaker.rib = Rib::new();
        speaker.rib.set_complete(false);
        speaker.is_loaded = false;
        for peer in speaker.peers.values_mut() {
            seed += 1;
            let session = Session::new(local, peer.config.clone(), instant, seed);
            let session = if restarted {
                session.restarted()
            } else {
                session
            };
            let fresh = Peer::new(peer.config.clone(), peer.is_honest);
            let scheduled = peer.scheduled;
            *peer = Peer {
                peering: Some(Peering::new(session).with_max_queued(MAX_QUEUED)),
                scheduled,
                ..fresh
            };
            peer.monitor.boots(now);
        }
        let numbers: Vec<_> = speaker.peers.keys().copied().collect();
        let loads = self.seconds(0, 3);
        self.later(loads, Happening::Loaded { host, boot });
        for peer in numbers {
            self.start(At { host, peer });
        }
    }

    /// The whole table is there.
    pub(crate) fn loaded(&mut self, host: usize, boot: u32) {
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

    /// Every peer is told what is new.
    pub(crate) fn table_changed(&mut self, host: usize) {
        let peers: Vec<_> = self.speaker(host).peers.keys().copied().collect();
        for peer in peers {
            self.with(At { host, peer }, |world, at, peer| {
                peer.peering().handle_table_changed();
                world.settle(at, peer);
            });
        }
    }

    /// Does something with a peer whose session exists.
    pub(crate) fn with(&mut self, at: At, act: impl FnOnce(&mut Self, At, &mut Peer)) {
        if !self.hosts[at.host].is_running {
            return;
        }
        let Some(mut peer) = self.speaker(at.host).peers.remove(&at.peer) else {
            return;
        };
        act(self, at, &mut peer);
        self.speaker(at.host).peers.insert(at.peer, peer);
    }

    pub(crate) fn start(&mut self, at: At) {
        let now = self.instant();
        self.with(at, |world, at, peer| {
            if !peer.wanted {
                peer.wanted = true;
                peer.monitor.marks(world.now);
                peer.peering().start(now);
                world.settle(at, peer);
            }
        });
    }

    pub(crate) fn stop(&mut self, at: At, why: &Shutdown) {
        let now = self.instant();
        self.with(at, |world, at, peer| {
            peer.wanted = false;
            peer.peering().stop(now, why);
            world.settle(at, peer);
        });
    }

    pub(crate) fn reconfigure(&mut self, at: At, config: PeerConfig) {
        let now = self.instant();
        self.with(at, |world, at, peer| {
            peer.config = config.clone();
            peer.monitor.marks(world.now);
            peer.peering().update(now, config);
            world.settle(at, peer);
        });
    }

    pub(crate) fn ask_refresh(&mut self, at: At, family: Family) {
        let now = self.instant();
        self.with(at, |world, at, peer| {
            peer.peering().refresh(now, family).ok();
            world.settle(at, peer);
        });
    }

    pub(crate) fn deadline(&mut self, at: At) {
        let (now, instant) = (self.now, self.instant());
        self.with(at, |world, at, peer| {
            peer.scheduled.take_if(|scheduled| *scheduled <= now);
            if peer.deadline.is_some_and(|deadline| deadline <= now) {
                peer.peering().handle_timeout(instant);
                world.settle(at, peer);
                let over = peer.deadline.is_none_or(|deadline| deadline > now);
                assert!(over, "{at:?}: a timer that has expired is due once more");
            }
            // It may have been put off.
            world.schedule(at, peer);
        });
    }

    /// Somebody connects: what the session calls the connection.
    pub(crate) fn accept(&mut self, at: At) -> Option<Option<ConnectionId>> {
        if self.lies(at.host) {
            return self.random.bool().then_some(None);
        }
        let (now, address) = (self.instant(), self.hosts[at.host].address);
        let mut accepted = None;
        self.with(at, |world, at, peer| {
            accepted = peer.peering().accept(now, address);
            match accepted {
                Some(id) => peer.monitor.connects(id, world.now),
                None => world.settle(at, peer),
            }
        });
        accepted.map(Some)
    }

    pub(crate) fn accepted(&mut self, at: At, id: Option<ConnectionId>, name: TcpId) {
        let Some(id) = id else {
            return self.liar_is_connected(name);
        };
        self.with(at, |world, at, peer| {
            peer.links.push(Link::new(id, name, 1));
            world.settle(at, peer);
        });
    }

    /// Whether a dial is still under way.
    pub(crate) fn dials(&mut self, at: At, boot: u32, id: ConnectionId) -> bool {
        let host = &self.hosts[at.host];
        let same = host.boot == boot && host.is_running;
        same && self
            .speaker(at.host)
            .peers
            .get(&at.peer)
            .is_some_and(|peer| peer.dial == Some(id))
    }

    pub(crate) fn dialled(&mut self, at: At, id: Option<ConnectionId>, name: TcpId) {
        let Some(id) = id else {
            return self.liar_is_connected(name);
        };
        let (now, address) = (self.instant(), self.hosts[at.host].address);
        self.with(at, |world, at, peer| {
            peer.dial = None;
            peer.links.push(Link::new(id, name, 0));
            peer.monitor.connects(id, world.now);
            peer.peering().handle_connected(now, id, address);
            world.settle(at, peer);
        });
    }

    pub(crate) fn refused(&mut self, at: At, boot: u32, id: ConnectionId) {
        let now = self.instant();
        if self.dials(at, boot, id) {
            self.with(at, |world, at, peer| {
                peer.dial = None;
                peer.peering().handle_closed(now, id);
                world.settle(at, peer);
            });
        }
    }

    pub(crate) fn receive(&mut self, at: At, id: Option<ConnectionId>, octets: &[u8]) {
        let Some(id) = id else { return };
        let now = self.instant();
        self.with(at, |world, at, peer| {
            let (Some(link), Some(peering)) = (
                peer.links.iter_mut().find(|link| link.id == id),
                &mut peer.peering,
            ) else {
                return;
            };
            link.inbound.extend_from_slice(octets);
            peer.monitor.receives(id, octets, world.now);
            peering.handle_bytes(now, id, &mut link.inbound);
            let left = link.inbound.len();
            assert!(left < 65535, "{at:?}: {left} octets are kept unread");
            world.settle(at, peer);
        });
    }

    pub(crate) fn lost(&mut self, at: At, id: Option<ConnectionId>) {
        let Some(id) = id else { return };
        let now = self.instant();
        self.with(at, |world, at, peer| {
            peer.links.retain(|link| link.id != id);
            peer.monitor.loses(id);
            peer.peering().handle_closed(now, id);
            world.settle(at, peer);
        });
    }

    /// There is room again for what an end writes.
    pub(crate) fn has_room(&mut self, name: TcpId, end: usize) {
        let Some(tcp) = self.tcps.get(&name) else {
            return;
        };
        let (at, id) = (tcp.ends[end].at, tcp.ends[end].id);
        let Some(id) = id.filter(|_| tcp.ends[end].open) else {
            return;
        };
        self.with(at, |world, at, peer| {
            if peer.link(id).is_some_and(|link| link.tcp == name) {
                world.settle(at, peer);
            }
        });
    }

    /// Does all that there is to do for a session, and looks whether what must hold does.
    pub(crate) fn settle(&mut self, at: At, peer: &mut Peer) {
        loop {
            self.outputs(at, peer);
            if !self.write(peer) {
                break;
            }
        }
        let now = self.now;
        let peering = peer.peering.as_ref().expect("the program runs");
        let skipped = peering.skipped().error;
        assert_eq!(skipped, None, "every route is for every peer");
        let session = peering.session();
        peer.monitor
            .check(at, now, session, peer.wanted, peer.deadline);
        let links = peer.links.len();
        assert!(links <= 2, "{at:?}: {links} connections");
        self.schedule(at, peer);
    }

    fn schedule(&mut self, at: At, peer: &mut Peer) {
        // One that was to be while the program was not running has passed.
        peer.scheduled.take_if(|scheduled| *scheduled < self.now);
        if let Some(deadline) = peer.deadline
            && peer.scheduled.is_none_or(|scheduled| scheduled > deadline)
        {
            peer.scheduled = Some(deadline);
            self.at(deadline, Happening::Deadline(at));
        }
    }

    fn outputs(&mut self, at: At, peer: &mut Peer) {
        loop {
            let instant = self.instant();
            let rib = &mut self.speaker(at.host).rib;
            match peer.peering().poll_output(instant, rib) {
                Output::Dial(id) => {
                    peer.dial = Some(id);
                    peer.monitor.dials(id, self.now);
                    let (delay, boot) = (self.delay(), self.hosts[at.host].boot);
                    let syn = Happening::Syn {
                        from: at,
                        boot,
                        id: Some(id),
                        tries: 0,
                    };
                    self.later(delay, syn);
                }
                Output::Transmit(id, octets) => {
                    peer.monitor.transmits(id, &octets, self.now);
                    if let Some(link) = peer.link(id) {
                        link.outbound.extend_from_slice(&octets);
                    }
                }
                Output::Close(id) => self.close(peer, id),
                Output::Event(event) => self.event(at, peer, &event),
                Output::Wait(deadline) => {
                    peer.deadline = deadline.map(|deadline| self.time(deadline));
                    return;
                }
            }
        }
    }

    fn close(&mut self, peer: &mut Peer, id: ConnectionId) {
        peer.monitor.closes(id);
        peer.dial.take_if(|dial| *dial == id);
        let Some(index) = peer.links.iter().position(|link| link.id == id) else {
            return;
        };
        let link = peer.links.swap_remove(index);
        if let Some(tcp) = self.tcps.get_mut(&link.tcp) {
            tcp.pipes[link.end].octets.extend_from_slice(&link.outbound);
            self.close_end(link.tcp, link.end);
        }
    }

    fn event(&mut self, at: At, peer: &mut Peer, event: &SessionEvent) {
        self.trace
            .note(self.now, || format!("    {at:?}: {event:?}"));
        let honest = peer.is_honest;
        let peering = peer.peering.as_ref().expect("the program runs");
        peer.monitor
            .event(at, honest, event, peering.session(), self.now);
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

    /// Gives the network what it takes; whether it has taken anything.
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
            let news = taken > 0 || (left > 0 && !link.blocked);
            link.blocked = left > 0;
            if news {
                peer.monitor.writes(link.id, taken, left, now);
                let peering = peer.peering.as_mut().expect("the program runs");
                peering.handle_written(instant, link.id, taken);
                let (name, end) = (link.tcp, link.end);
                self.carry(name, end);
            }
            any |= news;
        }
        any
    }

    /// The program ends, or the machine.
    pub(crate) fn crash(&mut self, host: usize, power: bool) {
        let it = &mut self.hosts[host];
        (it.is_running, it.is_off) = (false, power);
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
        if power {
            return;
        }
        for (name, end) in ends {
            if self.random.bool() {
                self.reset(name, 1 - end);
            } else {
                self.close_end(name, end);
            }
        }
    }
}

/// A version of a path to a prefix.
pub(crate) fn route(prefix: IpNet, path_id: u32, version: u32) -> Route {
    Route::new(prefix)
        .path_id(PathId(path_id))
        .large_community(LargeCommunity {
            global: 64512,
            local1: version,
            local2: path_id,
        })
}

/// One of the prefixes that there are; the lower half of the numbers is in the halves that `plan::policy` knows.
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

/// Small, so that peers are often slower than the table.
const MAX_QUEUED: usize = 4096;
