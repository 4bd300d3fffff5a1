//! The body of the fuzz target `session`: one peering under arbitrary inputs of its peer, network, clock and operator.
//! `fuzz/` runs it with libFuzzer, the test with the committed corpus.

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

/// The state of one run: a peering, a clock and the network.
struct Run {
    peering: Peering,
    start: Instant,
    now: Instant,
    deadline: Option<Instant>,
    rib: Rib,
    adj_rib_in: AdjRibIn,
    /// Open connections and dials: the octets received and not processed, and `true` once a NOTIFICATION was sent.
    links: BTreeMap<ConnectionId, (BytesMut, bool)>,
}

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 111));

const PEER_ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 254));

/// Runs one input. Panics if the peering panics, loops, sends a partial message, or sends one after a NOTIFICATION.
pub fn session(input: &[u8]) {
    let [selector, more, all @ ..] = input else {
        return;
    };
    // The first two octets select the configuration, the others are steps.
    let mut steps = all;
    let mut run = Run::new(*selector, *more);
    run.peering.start(run.now);
    run.drain();
    while let [step, rest @ ..] = steps {
        let taken = run.step(*step, rest);
        steps = rest
            .get(taken..)
            .expect("a step uses no more than the rest");
    }
    // Whatever happened before, a stop must release everything.
    run.peering.stop(run.now, &Shutdown::administrative(""));
    run.drain();
    assert_eq!(run.peering.session().state(), State::Idle);
    assert!(run.links.is_empty(), "every connection is closed");
}

const VALID: &str = "a possible configuration";

/// Returns the configuration that the bits of two octets select.
#[must_use]
pub fn config(selector: u8, more: u8) -> PeerConfig {
    let bit = |mask| selector & mask != 0;
    // Internal and external peers have different rules.
    let peer = Asn::new(if bit(1) { 64512 } else { 64513 });
    let mut config = options(PeerConfig::new(PEER_ADDRESS, peer), selector, more);
    // The options of one side only: the other one need not mirror them.
    config = config.with_passive(bit(2));
    if bit(128) {
        config = config.with_delay_open(Duration::from_secs(5));
    }
    // Low, so that a short input can exceed it.
    if more & 1 != 0 {
        config = config.with_maximum_prefixes(Family::IPV4_UNICAST, 3);
    }
    if more & 2 != 0 {
        config = config.with_role(Role::CUSTOMER);
    }
    if more & 16 != 0 {
        config = config.with_require_role(true);
    }
    if more & 32 != 0 {
        config = config.with_local_as(Asn::new(64496));
    }
    if more & 64 != 0 {
        config = config.with_role(Role((more >> 1) & 1));
    }
    config
}

/// Returns a configuration with the options of [`config`] that both sides of a session may have.
#[must_use]
pub fn options(config: PeerConfig, selector: u8, more: u8) -> PeerConfig {
    let bit = |mask| selector & mask != 0;
    let mut config = config
        .with_add_path(bit(4))
        .with_extended_message(bit(8))
        .with_extended_next_hop(bit(16))
        .with_deliver_updates(true)
        .with_export(ExportPolicy::all())
        .with_enforce_first_as(more & 8 == 0)
        // The minimum makes HoldTimer expire in few steps.
        .with_hold_time(
            HoldTime::new(if bit(32) { 3 } else { 90 }).expect("3 s and 90 s are valid"),
        );
    if more & 4 != 0 {
        config = config
            .with_families(Family::PARSED.iter().copied())
            .expect("every parsed family is served");
    }
    if bit(64) {
        let restart = RestartConfig::new().with_notification(more & 128 == 0);
        config = config.with_graceful_restart(restart.with_long_lived(Duration::from_secs(60)));
    }
    config
}

impl Run {
    /// Creates a run whose session has not been started.
    fn new(selector: u8, more: u8) -> Self {
        #[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
        let now = Instant::now();
        let local = LocalConfig::new(
            Asn::new(64512),
            RouterId::new(192, 168, 0, 111).expect("a valid identifier"),
        );
        let mut rib = Rib::new();
        for prefix in ["10.0.0.1/32", "2001:db8::1/128"] {
            rib.announce(&Route::new(prefix.parse().expect("a valid prefix")));
        }
        Self {
            peering: Peering::new(
                Session::new(local, config(selector, more), now, u64::from(more)).expect(VALID),
            ),
            start: now,
            now,
            deadline: None,
            rib,
            adj_rib_in: AdjRibIn::new(),
            links: BTreeMap::new(),
        }
    }

    fn update(&mut self, config: PeerConfig) {
        self.peering.update(self.now, config).expect(VALID);
    }

    /// Performs one step. Returns the number of octets of `rest` that it used.
    fn step(&mut self, step: u8, rest: &[u8]) -> usize {
        // Three bits select the action, five its connection or argument.
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
                // May exceed the octets that are left: the peering must tolerate a driver that miscounts.
                let taken = usize::from(step >> 3) * 16;
                self.peering.handle_written(self.now, id, taken);
                self.peering.handle_unacknowledged(id, taken / 32);
            }
            (6, _) => match step >> 3 {
                0 => self.peering.stop(self.now, &Shutdown::restart()),
                1 => self.peering.start(self.now),
                2 => self.update(config(step, step)),
                3 => self
                    .peering
                    .set_draining(self.now >= self.start + Duration::from_secs(60)),
                4 => drop(self.peering.flush(&mut self.rib)),
                5 => {
                    let prefix = "10.0.0.1/32".parse().expect("a valid prefix");
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
                let (inbound, _) = self.links.get_mut(&id).expect("the link is open");
                inbound.extend_from_slice(
                    octets.get(..length).expect("the length is within the rest"),
                );
                self.peering.handle_bytes(self.now, id, inbound);
            }
            _ => {}
        }
        self.drain();
        taken
    }

    /// Returns the open connection with this number, or the last one.
    fn link(&self, number: u8) -> Option<ConnectionId> {
        let last = self.links.len().checked_sub(1)?;
        self.links
            .keys()
            .nth(usize::from(number).min(last))
            .copied()
    }

    /// Performs every output of the peering.
    fn drain(&mut self) {
        // A bound, because an endless loop would only show as a timeout.
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
        panic!("the peering does not stop sending");
    }

    /// Checks that octets are whole messages on an open connection.
    fn transmit(&mut self, id: ConnectionId, mut octets: BytesMut) {
        let Some((_, ended)) = self.links.get_mut(&id) else {
            panic!("octets for a closed connection");
        };
        while let Some(frame) =
            Frame::split(&mut octets, MessageLimit::Extended).expect("a whole message")
        {
            assert!(!*ended, "a NOTIFICATION is the last message");
            *ended = frame.message_type() == MessageType::NOTIFICATION;
        }
        assert!(octets.is_empty(), "a partial message");
    }
}

#[cfg(test)]
mod tests {
    /// Runs every committed input as an ordinary test.
    #[test]
    fn session_with_committed_corpus_does_not_panic() {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/session");
        let entries = std::fs::read_dir(corpus).expect("a readable corpus");
        let mut count = 0;
        for entry in entries {
            let path = entry.expect("a readable entry").path();
            super::session(&std::fs::read(path).expect("a readable input"));
            count += 1;
        }
        // A wrong path would otherwise pass as an empty corpus.
        assert!(count >= 20, "{count} inputs");
    }
}
