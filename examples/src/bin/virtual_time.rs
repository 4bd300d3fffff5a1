//! Runs two speakers in virtual time: a day with an outage takes milliseconds and is the same in every run.
//!
//! The core never reads a clock. The driver of a test or a simulation decides what time it is. Usage: `virtual_time`

#![expect(clippy::print_stdout, reason = "this program prints its result")]

use std::error::Error;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgp_session::{
    ConnectionId, LocalConfig, Output, PeerConfig, Peering, Rib, Route, Session, SessionEvent,
};
use bgp_wire::{Asn, RouterId};
use bytes::BytesMut;

/// One of the two speakers.
struct Speaker {
    name: &'static str,
    address: IpAddr,
    peering: Peering,
    rib: Rib,
    connection: Option<ConnectionId>,
    /// The octets that the other speaker has sent and this one has not read.
    inbound: BytesMut,
    deadline: Option<Instant>,
}

/// The two speakers, the cable between them and the time.
struct World {
    start: Instant,
    now: Instant,
    /// `false` while the cable is cut: octets are lost, and neither side is notified.
    is_plugged: bool,
    node: Speaker,
    router: Speaker,
}

impl Speaker {
    fn new(
        name: &'static str,
        id: [u8; 4],
        peer: [u8; 4],
        passive: bool,
        now: Instant,
    ) -> Result<Self, Box<dyn Error>> {
        let asn = Asn::new(64512);
        let router_id = RouterId::try_from(std::net::Ipv4Addr::from(id))?;
        let config = PeerConfig::new(peer.into(), asn).with_passive(passive);
        // The seed determines all jitter.
        let session = Session::new(LocalConfig::new(asn, router_id), config, now, 7)?;
        let mut peering = Peering::new(session);
        peering.start(now);
        Ok(Self {
            name,
            address: id.into(),
            peering,
            rib: Rib::new(),
            connection: None,
            inbound: BytesMut::new(),
            deadline: None,
        })
    }
}

impl World {
    /// Carries out every output of one speaker.
    fn carry_out(&mut self, of_node: bool) {
        let (speaker, other) = if of_node {
            (&mut self.node, &mut self.router)
        } else {
            (&mut self.router, &mut self.node)
        };
        loop {
            match speaker.peering.poll_output(self.now, &mut speaker.rib) {
                Output::Dial(id) => {
                    let accepted = self
                        .is_plugged
                        .then(|| other.peering.accept(self.now, other.address))
                        .flatten();
                    if accepted.is_some() {
                        other.connection = accepted;
                        other.inbound.clear();
                        speaker.inbound.clear();
                        speaker.connection = Some(id);
                        let local = speaker.address;
                        speaker.peering.handle_connected(self.now, id, local);
                    } else {
                        let error = ErrorKind::HostUnreachable;
                        speaker.peering.handle_error(self.now, id, error);
                    }
                }
                Output::Transmit(id, octets) => {
                    // Taken by the kernel also while the cable is cut.
                    speaker.peering.handle_written(self.now, id, octets.len());
                    if self.is_plugged && speaker.connection == Some(id) {
                        other.inbound.extend_from_slice(&octets);
                    }
                }
                Output::Close(id) => {
                    if speaker.connection.take_if(|open| *open == id).is_some()
                        && self.is_plugged
                        && let Some(theirs) = other.connection.take()
                    {
                        let unread = &mut other.inbound;
                        other.peering.handle_bytes(self.now, theirs, unread);
                        other.peering.handle_closed(self.now, theirs);
                    }
                }
                Output::Event(event) => {
                    let time = self.now - self.start;
                    print(time, speaker.name, &event);
                }
                Output::Wait(deadline) => {
                    speaker.deadline = deadline;
                    return;
                }
                _ => {}
            }
        }
    }

    /// Lets time pass until `end`. Every timer is served at its deadline, and octets arrive at once.
    fn run(&mut self, end: Duration) {
        let end = self.start + end;
        loop {
            self.carry_out(true);
            self.carry_out(false);
            let mut has_arrived = false;
            for speaker in [&mut self.node, &mut self.router] {
                if let Some(id) = speaker.connection
                    && !speaker.inbound.is_empty()
                {
                    has_arrived = true;
                    speaker
                        .peering
                        .handle_bytes(self.now, id, &mut speaker.inbound);
                }
            }
            // One side may have given the other something to do.
            if has_arrived {
                continue;
            }
            let deadlines = [self.node.deadline, self.router.deadline];
            self.now = deadlines.into_iter().flatten().fold(end, Instant::min);
            if self.now == end {
                return;
            }
            self.node.peering.handle_timeout(self.now);
            self.router.peering.handle_timeout(self.now);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    #[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
    let start = Instant::now();
    let (node, router) = ([192, 168, 0, 111], [192, 168, 0, 254]);
    let mut world = World {
        start,
        now: start,
        is_plugged: true,
        node: Speaker::new("node", node, router, false, start)?,
        router: Speaker::new("router", router, node, true, start)?,
    };
    let hours = |hours: u64| Duration::from_secs(hours * 60 * 60);
    world
        .node
        .rib
        .announce(&Route::new("192.168.10.1/32".parse()?));
    world.run(hours(12));
    world.is_plugged = false;
    world.run(hours(13));
    world.is_plugged = true;
    world.run(hours(24));
    let statistics = world.router.peering.session().statistics();
    println!(
        "24:00:00 router received {} KEEPALIVEs and {} routes",
        statistics.received.keepalive,
        statistics.prefixes_announced()
    );
    Ok(())
}

fn print(time: Duration, name: &str, event: &SessionEvent) {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if let SessionEvent::Up { .. } = event {
        println!("{hours:02}:{minutes:02}:{seconds:02} {name} up");
    } else if let SessionEvent::Down { reason, .. } = event {
        println!("{hours:02}:{minutes:02}:{seconds:02} {name} down: {reason}");
    }
}
