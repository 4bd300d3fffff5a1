//! TCP as two speakers see it: connections that come up late or never, octets that arrive in pieces, ends that are gone.

use std::time::Duration;

use bgp_session::ConnectionId;
use bytes::BytesMut;

use crate::world::{At, Happening, World};

/// Names a connection in the network.
pub(crate) type TcpId = u64;

/// A connection between two hosts. Pipe 0 is from end 0, which dialled, to end 1.
pub(crate) struct Tcp {
    pub(crate) ends: [End; 2],
    pub(crate) pipes: [Pipe; 2],
    /// The dialler knows that it is there.
    connected: bool,
}

/// One end.
pub(crate) struct End {
    pub(crate) at: At,
    /// How often the host had been started.
    boot: u32,
    /// The session's name of it; a liar has none.
    pub(crate) id: Option<ConnectionId>,
    /// Whether it still reads and writes.
    pub(crate) open: bool,
}

/// What is on its way in one direction.
pub(crate) struct Pipe {
    pub(crate) octets: BytesMut,
    /// How much fits between the writer and the reader.
    pub(crate) capacity: usize,
    /// The writer has closed.
    pub(crate) finished: bool,
    /// The reader does not read.
    pub(crate) stalled: bool,
    scheduled: bool,
}

impl Pipe {
    fn new(capacity: usize) -> Self {
        Self {
            octets: BytesMut::new(),
            capacity,
            finished: false,
            stalled: false,
            scheduled: false,
        }
    }
}

impl World {
    /// One dial: the other side may be there, busy, or silent.
    pub(crate) fn syn(&mut self, from: At, boot: u32, id: Option<ConnectionId>, tries: u32) {
        let wanted = id.is_none_or(|id| self.dials(from, boot, id));
        if !wanted {
            return;
        }
        let to = from.reverse();
        if self.is_cut(from) || self.hosts[to.host].is_off {
            // Nobody answers: the system tries again, with growing pauses.
            if tries < 6 {
                let pause = Duration::from_secs(1 << tries);
                let tries = tries + 1;
                self.later(
                    pause,
                    Happening::Syn {
                        from,
                        boot,
                        id,
                        tries,
                    },
                );
            }
            return;
        }
        let accepted = if self.hosts[to.host].is_running {
            self.accept(to)
        } else {
            None
        };
        let Some(accepted) = accepted else {
            let delay = self.delay();
            if let Some(id) = id {
                self.later(delay, Happening::Refused { at: from, boot, id });
            }
            return;
        };
        let capacity = 1 << self.random.u32(11..17);
        let end = |at: At, boot, id, open| End { at, boot, id, open };
        let tcp = Tcp {
            ends: [
                end(from, boot, id, true),
                end(to, self.hosts[to.host].boot, accepted, true),
            ],
            pipes: [Pipe::new(capacity), Pipe::new(capacity)],
            connected: false,
        };
        let name = self.next_tcp;
        self.next_tcp += 1;
        self.tcps.insert(name, tcp);
        let delay = self.delay();
        self.later(delay, Happening::Connected(name));
        self.accepted(to, accepted, name);
    }

    /// The dialler learns that the connection is there.
    pub(crate) fn connected(&mut self, name: TcpId) {
        let Some(tcp) = self.tcps.get_mut(&name) else {
            return;
        };
        let end = &mut tcp.ends[0];
        let (at, boot, id) = (end.at, end.boot, end.id);
        if self.is_cut(at) {
            return self.later(Duration::from_secs(1), Happening::Connected(name));
        }
        let wanted = match id {
            Some(id) => self.dials(at, boot, id),
            None => self.hosts[at.host].is_running,
        };
        if !wanted {
            return self.reset(name, 1);
        }
        if let Some(tcp) = self.tcps.get_mut(&name) {
            tcp.connected = true;
        }
        self.dialled(at, id, name);
        self.carry(name, 1);
    }

    /// Sees to it that what is in a pipe arrives some time.
    pub(crate) fn carry(&mut self, name: TcpId, direction: usize) {
        let delay = self.delay();
        let Some(tcp) = self.tcps.get_mut(&name) else {
            return;
        };
        let ready = tcp.connected;
        let pipe = &mut tcp.pipes[direction];
        let full = !pipe.octets.is_empty() || pipe.finished;
        if ready && full && !pipe.scheduled && !pipe.stalled {
            pipe.scheduled = true;
            self.later(delay, Happening::Deliver { name, direction });
        }
    }

    /// Some octets arrive, or the end of them.
    pub(crate) fn deliver(&mut self, name: TcpId, direction: usize) {
        let Some(tcp) = self.tcps.get_mut(&name) else {
            return;
        };
        let pipe = &mut tcp.pipes[direction];
        pipe.scheduled = false;
        let receiver = &tcp.ends[1 - direction];
        let (at, id, open) = (receiver.at, receiver.id, receiver.open);
        if self.is_cut(at) || self.hosts[at.host].is_off {
            // The end of that begins again.
            return;
        }
        if !open || self.has_forgotten(name, 1 - direction) {
            // Nobody is there: the sender learns it, if it still wants to know.
            return self.reset(name, direction);
        }
        let random = &mut self.random;
        let Some(tcp) = self.tcps.get_mut(&name) else {
            return;
        };
        let pipe = &mut tcp.pipes[direction];
        if pipe.stalled {
            return;
        }
        let most = pipe.octets.len().min(1 << random.u32(0..15));
        let taken = if most == 0 { 0 } else { random.usize(1..=most) };
        let octets = pipe.octets.split_to(taken);
        let over = pipe.octets.is_empty() && pipe.finished;
        if !octets.is_empty() {
            self.receive(at, id, &octets);
        }
        if over {
            self.close_end(name, 1 - direction);
            self.lost(at, id);
        } else {
            self.carry(name, direction);
        }
        self.has_room(name, direction);
    }

    /// Whether an end is that of a host which has been started anew since.
    fn has_forgotten(&self, name: TcpId, end: usize) -> bool {
        self.tcps.get(&name).is_some_and(|tcp| {
            let end = &tcp.ends[end];
            let host = &self.hosts[end.at.host];
            host.boot != end.boot || !host.is_running
        })
    }

    /// The end at `end` learns that the connection is gone; what was on its way is lost.
    pub(crate) fn reset(&mut self, name: TcpId, end: usize) {
        let Some(tcp) = self.tcps.get(&name) else {
            return;
        };
        let (at, id, open) = (tcp.ends[end].at, tcp.ends[end].id, tcp.ends[end].open);
        let alive = open && !self.has_forgotten(name, end);
        self.tcps.remove(&name);
        if alive {
            self.lost(at, id);
        }
    }

    /// One end reads and writes no more; what it has written still arrives.
    pub(crate) fn close_end(&mut self, name: TcpId, end: usize) {
        let Some(tcp) = self.tcps.get_mut(&name) else {
            return;
        };
        tcp.ends[end].open = false;
        tcp.pipes[end].finished = true;
        tcp.pipes[1 - end].octets.clear();
        let over = tcp.ends.iter().all(|end| !end.open);
        if over && tcp.connected && tcp.pipes.iter().all(|pipe| pipe.octets.is_empty()) {
            self.tcps.remove(&name);
        } else {
            self.carry(name, end);
        }
    }

    /// Everything that can arrive sets out once more: after a partition, or when a host is there again.
    pub(crate) fn carry_all(&mut self) {
        let names: Vec<_> = self.tcps.keys().copied().collect();
        for name in names {
            self.carry(name, 0);
            self.carry(name, 1);
        }
    }

    /// Connections of which an end does not exist any more are found out, as by a keepalive of TCP.
    pub(crate) fn probe_all(&mut self) {
        let names: Vec<_> = self.tcps.keys().copied().collect();
        for name in names {
            for end in 0..2 {
                let gone = self.has_forgotten(name, 1 - end);
                let off = self
                    .tcps
                    .get(&name)
                    .is_some_and(|tcp| self.hosts[tcp.ends[1 - end].at.host].is_off);
                if gone && !off {
                    self.reset(name, end);
                }
            }
        }
    }
}
