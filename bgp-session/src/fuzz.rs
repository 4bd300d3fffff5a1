//! The body of the fuzz target `session`: one peering under arbitrary inputs of its peer, network, clock and operator.
//! `fuzz/` feeds it from libFuzzer, the test from the committed corpus.

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a fuzz target fails by panicking"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgp_wire::{Asn, Family, Frame, HoldTime, MessageLimit, MessageType, Role, RouterId};
use bytes::BytesMut;

use crate::{
    AdjRibIn, ConnectionId, ExportPolicy, LocalConfig, Output, PeerConfig, Peering, RestartConfig,
    Rib, Route, Session, Shutdown, State,
};

/// A peering, a clock and the network.
struct Run {
    peering: Peering,
    start: Instant,
    now: Instant,
    deadline: Option<Instant>,
    rib: Rib,
    adj_rib_in: AdjRibIn,
    /// Open connections and dials: what was received and not yet read, and whether a NOTIFICATION was sent.
    links: BTreeMap<ConnectionId, (BytesMut, bool)>,
}

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 111));

/// Whatever comes, the session neither panics nor spins, and sends whole messages, none behind a NOTIFICATION.
pub fn session(input: &[u8]) {
    let [selector, more, steps @ ..] = input else {
        return;
    };
    let mut steps = steps;
    let mut run = Run::new(*selector, *more);
    run.peering.start(run.now);
    run.drain();
    while let [step, rest @ ..] = steps {
        let taken = run.step(*step, rest);
        steps = rest.get(taken..).expect("no more than there is");
    }
    run.peering.stop(run.now, &Shutdown::administrative(""));
    run.drain();
    assert_eq!(run.peering.session().state(), State::Idle);
    assert!(run.links.is_empty(), "every connection is closed");
}

fn config(selector: u8, more: u8) -> PeerConfig {
    let bit = |mask| selector & mask != 0;
    let peer = Asn::new(if bit(1) { 64512 } else { 64513 });
    let address = IpAddr::from([192, 168, 0, 254]);
    let mut config = PeerConfig::new(address, peer)
        .passive(bit(2))
        .add_path(bit(4))
        .extended_message(bit(8))
        .extended_next_hop(bit(16))
        .deliver_updates(true)
        .export(ExportPolicy::all())
        .hold_time(HoldTime::new(if bit(32) { 3 } else { 90 }).expect("a legal hold time"));
    if bit(64) {
        config = config.graceful_restart(RestartConfig::new().long_lived(60));
    }
    if bit(128) {
        config = config.delay_open(Duration::from_secs(5));
    }
    if more & 1 != 0 {
        config = config.maximum_prefixes(Family::IPV4_UNICAST, 3);
    }
    if more & 2 != 0 {
        config = config.role(Role::CUSTOMER);
    }
    config
}

impl Run {
    fn new(selector: u8, more: u8) -> Self {
        #[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
        let now = Instant::now();
        let local = LocalConfig {
            asn: Asn::new(64512),
            router_id: RouterId::new(192, 168, 0, 111).expect("an identifier"),
        };
        let mut rib = Rib::new();
        for prefix in ["10.0.0.1/32", "2001:db8::1/128"] {
            rib.announce(&Route::new(prefix.parse().expect("a prefix")));
        }
        Self {
            peering: Peering::new(Session::new(
                local,
                config(selector, more),
                now,
                u64::from(more),
            )),
            start: now,
            now,
            deadline: None,
            rib,
            adj_rib_in: AdjRibIn::new(),
            links: BTreeMap::new(),
        }
    }

    /// One thing that happens; how many octets of `rest` it takes.
    fn step(&mut self, step: u8, rest: &[u8]) -> usize {
        let link = self.link(step >> 3);
        let mut taken = 0;
        match (step & 7, link) {
            (0, Some(id)) => self.peering.handle_connected(self.now, id, ADDRESS),
            (1, _) => {
                if let Some(id) = self.peering.accept(self.now, ADDRESS) {
                    self.links.insert(id, Default::default());
                }
            }
            (2, Some(id)) => {
                self.links.remove(&id);
                self.peering.handle_closed(self.now, id);
            }
            (3, _) => {
                if let Some(deadline) = self.deadline {
                    self.now = self.now.max(deadline);
                    self.peering.handle_timeout(self.now);
                }
            }
            (4, _) => self.now += Duration::from_secs(u64::from(step >> 3)),
            (5, Some(id)) => {
                // More than is left, too: the peering must not believe a driver that miscounts.
                let taken = usize::from(step >> 3) * 16;
                self.peering.handle_written(self.now, id, taken);
                self.peering.handle_unacknowledged(id, taken / 32);
            }
            (6, _) => match step >> 3 {
                0 => self.peering.stop(self.now, &Shutdown::restart()),
                1 => self.peering.start(self.now),
                2 => self.peering.update(self.now, config(step, step)),
                3 => self
                    .peering
                    .set_draining(self.now >= self.start + Duration::from_secs(60)),
                4 => drop(self.peering.flush(self.rib.version())),
                5 => {
                    let prefix = "10.0.0.1/32".parse().expect("a prefix");
                    if !self.rib.withdraw(prefix) {
                        self.rib.announce(&Route::new(prefix));
                    }
                    self.peering.handle_table_changed();
                }
                _ => {
                    self.peering.refresh(self.now, Family::IPV4_UNICAST).ok();
                }
            },
            (7, Some(id)) => {
                let [length, octets @ ..] = rest else {
                    return 0;
                };
                let length = usize::from(*length).min(octets.len());
                taken = length + 1;
                let (inbound, _) = self.links.get_mut(&id).expect("a link that was picked");
                inbound.extend_from_slice(octets.get(..length).expect("a length that was cut"));
                self.peering.handle_bytes(self.now, id, inbound);
            }
            _ => {}
        }
        self.drain();
        taken
    }

    fn link(&self, number: u8) -> Option<ConnectionId> {
        let most = self.links.len().checked_sub(1)?;
        let place = usize::from(number).min(most);
        self.links.keys().nth(place).copied()
    }

    fn drain(&mut self) {
        // Whatever is asked of a session, it has little to say at once.
        for _ in 0..10_000 {
            match self.peering.poll_output(self.now, &mut self.rib) {
                Output::Dial(id) => {
                    self.links.insert(id, Default::default());
                }
                Output::Transmit(id, octets) => self.transmit(id, BytesMut::from(octets)),
                Output::Close(id) => {
                    self.links.remove(&id);
                }
                Output::Event(event) => self.adj_rib_in.apply(&event, |_| {}),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    while self.peering.poll_flushed().is_some() {}
                    return;
                }
            }
        }
        panic!("the session does not come to rest");
    }

    fn transmit(&mut self, id: ConnectionId, mut octets: BytesMut) {
        let Some((_, ended)) = self.links.get_mut(&id) else {
            panic!("sent to a connection that is closed");
        };
        while let Some(frame) =
            Frame::split(&mut octets, MessageLimit::Extended).expect("a whole message")
        {
            assert!(!*ended, "a NOTIFICATION is the last message");
            *ended = frame.message_type() == MessageType::NOTIFICATION;
        }
        assert!(octets.is_empty(), "half a message");
    }
}

#[cfg(test)]
mod tests {
    /// Every input that was ever interesting, as an ordinary test.
    #[test]
    fn committed_corpus() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/session");
        let entries = std::fs::read_dir(corpus).expect("the corpus");
        let mut count = 0;
        for entry in entries {
            let path = entry.expect("an entry").path();
            super::session(&std::fs::read(path).expect("octets"));
            count += 1;
        }
        assert!(count >= 20, "{count} inputs");
    }
}
