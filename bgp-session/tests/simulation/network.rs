//! The simulated TCP: connections that come up late or never, data that arrives in pieces, ends that vanish.

use std::time::Duration;

use bgp_session::ConnectionId;
use bytes::BytesMut;

use crate::world::{Side, World, WorldEvent};

/// Identifies a connection in the network.
pub(crate) type TcpId = u64;

/// A connection between two hosts. Pipe 0 is from end 0, which dialled, to end 1.
pub(crate) struct Tcp {
    pub(crate) ends: [TcpEnd; 2],
    pub(crate) pipes: [Pipe; 2],
    /// The dialling host has learnt that the connection is up.
    connected: bool,
}

/// One end of a connection.
pub(crate) struct TcpEnd {
    pub(crate) side: Side,
    /// The host's boot count when the connection was made.
    boot: u32,
    /// The session's name of the connection; `None` at an adversary.
    pub(crate) id: Option<ConnectionId>,
    /// The program has not closed this end.
    pub(crate) open: bool,
}

/// The data in flight in one direction.
pub(crate) struct Pipe {
    pub(crate) octets: BytesMut,
    /// The limit of octets between the writer and the reader: both socket buffers and the wire.
    pub(crate) capacity: usize,
    /// The writer has closed.
    pub(crate) finished: bool,
    /// The reader does not read.
    pub(crate) stalled: bool,
    /// A delivery is already in the queue.
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
    /// Handles the arrival of a SYN: the host accepts, refuses, or does not answer.
    pub(crate) fn handle_syn(
        &mut self,
        from: Side,
        boot: u32,
        id: Option<ConnectionId>,
        tries: u32,
    ) {
        let wanted = id.is_none_or(|id| self.is_dialling(from, boot, id));
        if !wanted {
            return;
        }
        let to = from.reverse();
        if self.is_partitioned(from) || self.hosts[to.host].is_off {
            self.repeat_syn(from, boot, id, tries);
            return;
        }
        let accepted = if self.hosts[to.host].is_running {
            self.accept(to)
        } else {
            None
        };
        let Some(accepted) = accepted else {
            let delay = self.random_delay();
            if let Some(id) = id {
                self.schedule_after(
                    delay,
                    WorldEvent::Refused {
                        side: from,
                        boot,
                        id,
                    },
                );
            }
            return;
        };
        let capacity = 1 << self.random.u32(11..17);
        let end = |side: Side, boot, id, open| TcpEnd {
            side,
            boot,
            id,
            open,
        };
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
        let delay = self.random_delay();
        self.schedule_after(delay, WorldEvent::Connected(name));
        self.connection_accepted(to, accepted, name);
    }

    /// Sends a lost SYN again after 1, 2, 4 ... s, six times at most, as Linux does by default.
    fn repeat_syn(&mut self, from: Side, boot: u32, id: Option<ConnectionId>, tries: u32) {
        if tries < 6 {
            let pause = Duration::from_secs(1 << tries);
            let tries = tries + 1;
            let syn = WorldEvent::Syn {
                from,
                boot,
                id,
                tries,
            };
            self.schedule_after(pause, syn);
        }
    }

    /// Reports to the dialling host that the connection is up.
    pub(crate) fn handle_connected(&mut self, name: TcpId) {
        let Some(tcp) = self.tcps.get_mut(&name) else {
            return;
        };
        let end = &mut tcp.ends[0];
        let (side, boot, id) = (end.side, end.boot, end.id);
        if self.is_partitioned(side) {
            return self.schedule_after(Duration::from_secs(1), WorldEvent::Connected(name));
        }
        let wanted = match id {
            Some(id) => self.is_dialling(side, boot, id),
            None => self.hosts[side.host].is_running,
        };
        // The host may have crashed or abandoned the dial while the SYN was in flight.
        if !wanted {
            return self.reset(name, 1);
        }
        if let Some(tcp) = self.tcps.get_mut(&name) {
            tcp.connected = true;
        }
        self.dial_succeeded(side, id, name);
        self.schedule_delivery(name, 1);
    }

    /// Schedules a delivery if the pipe holds data or its end, unless one is already scheduled.
    pub(crate) fn schedule_delivery(&mut self, name: TcpId, direction: usize) {
        let delay = self.random_delay();
        let Some(tcp) = self.tcps.get_mut(&name) else {
            return;
        };
        let ready = tcp.connected;
        let pipe = &mut tcp.pipes[direction];
        let has_data = !pipe.octets.is_empty() || pipe.finished;
        if ready && has_data && !pipe.scheduled && !pipe.stalled {
            pipe.scheduled = true;
            self.schedule_after(delay, WorldEvent::Deliver { name, direction });
        }
    }

    /// Delivers a random part of a pipe's data, and its end once the pipe is empty.
    pub(crate) fn deliver(&mut self, name: TcpId, direction: usize) {
        let Some(tcp) = self.tcps.get_mut(&name) else {
            return;
        };
        let pipe = &mut tcp.pipes[direction];
        pipe.scheduled = false;
        let receiver = &tcp.ends[1 - direction];
        let (side, id, open) = (receiver.side, receiver.id, receiver.open);
        if self.is_partitioned(side) || self.hosts[side.host].is_off {
            // The end of the partition or of the outage schedules the delivery anew.
            return;
        }
        if !open || self.is_gone(name, 1 - direction) {
            // A host that no longer knows the connection answers data with a RST.
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
        // The limit is a power of two, so that pieces of one octet are as frequent as pieces of many messages.
        let limit = pipe.octets.len().min(1 << random.u32(0..15));
        let taken = if limit == 0 {
            0
        } else {
            random.usize(1..=limit)
        };
        let octets = pipe.octets.split_to(taken);
        let over = pipe.octets.is_empty() && pipe.finished;
        if !octets.is_empty() {
            self.receive(side, id, &octets);
        }
        if over {
            self.close_end(name, 1 - direction);
            self.connection_lost(side, id);
        } else {
            self.schedule_delivery(name, direction);
        }
        self.room_available(name, direction);
    }

    /// Returns `true` if the host of an end has stopped or restarted since the connection was made.
    fn is_gone(&self, name: TcpId, end: usize) -> bool {
        self.tcps.get(&name).is_some_and(|tcp| {
            let end = &tcp.ends[end];
            let host = &self.hosts[end.side.host];
            host.boot != end.boot || !host.is_running
        })
    }

    /// Removes a connection with the data in flight, and reports the loss to one end.
    pub(crate) fn reset(&mut self, name: TcpId, end: usize) {
        let Some(tcp) = self.tcps.get(&name) else {
            return;
        };
        let (side, id, open) = (tcp.ends[end].side, tcp.ends[end].id, tcp.ends[end].open);
        let alive = open && !self.is_gone(name, end);
        self.tcps.remove(&name);
        if alive {
            self.connection_lost(side, id);
        }
    }

    /// Closes one end. Data that it has already written still arrives.
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
            self.schedule_delivery(name, end);
        }
    }

    /// Schedules a delivery on every connection, after a partition or an outage has ended.
    pub(crate) fn schedule_deliveries(&mut self) {
        let names: Vec<_> = self.tcps.keys().copied().collect();
        for name in names {
            self.schedule_delivery(name, 0);
            self.schedule_delivery(name, 1);
        }
    }

    /// Resets every connection whose other end is gone, as a TCP keepalive would find out.
    pub(crate) fn probe_connections(&mut self) {
        let names: Vec<_> = self.tcps.keys().copied().collect();
        for name in names {
            for end in 0..2 {
                let gone = self.is_gone(name, 1 - end);
                let off = self
                    .tcps
                    .get(&name)
                    .is_some_and(|tcp| self.hosts[tcp.ends[1 - end].side.host].is_off);
                // A host without power answers no probe, so its connections stay.
                if gone && !off {
                    self.reset(name, end);
                }
            }
        }
    }
}
