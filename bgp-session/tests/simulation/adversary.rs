//! Peers that break the protocol: valid and invalid OPENs, damaged messages, and inputs that fuzzers have found.

use std::path::Path;
use std::sync::LazyLock;

use bgp_wire::{
    AddPathFamily, AttributeSet, CapabilityBuf, Context, Family, GracefulRestartFamily, HoldTime,
    KEEPALIVE, NotificationBuf, OpenBuf, Origin, PeerKind, Reason, RefreshSubtype, RouteRefresh,
    UpdateBuf,
};
use bytes::BytesMut;

use crate::network::TcpId;
use crate::speaker::prefix;
use crate::world::{Side, World, WorldEvent};

/// The inputs in the fuzzers' corpus, in the order of their file names.
static CORPUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    // A directory lists its files in any order; the same seed must choose the same input.
    let mut files: Vec<_> = ["frame", "open", "update", "round_trip"]
        .iter()
        .flat_map(|target| std::fs::read_dir(root.join(target)).expect("a corpus directory"))
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).expect("a readable file"))
        .collect()
});

impl World {
    /// Dials a random speaker and schedules the next dial.
    pub(crate) fn adversary_dials(&mut self, host: usize) {
        let speakers = self.speakers();
        let peer = speakers[self.random.usize(0..speakers.len())];
        let from = Side { host, peer };
        let (boot, delay) = (self.hosts[host].boot, self.random_delay());
        self.schedule_after(
            delay,
            WorldEvent::Syn {
                from,
                boot,
                id: None,
                tries: 0,
            },
        );
        let pause = self.random_pause(256);
        self.schedule_after(pause, WorldEvent::AdversaryDials(host));
    }

    /// Usually sends an OPEN and a KEEPALIVE, so that most connections reach Established.
    pub(crate) fn adversary_connected(&mut self, name: TcpId) {
        if self.random.u8(0..8) > 0 {
            let Some((side, end)) = self.adversary_end(name) else {
                return;
            };
            let mut octets = self.open(side);
            if self.random.u8(0..8) > 0 {
                octets.extend_from_slice(&KEEPALIVE);
            }
            self.send_as_adversary(name, end, &octets);
        }
        let delay = self.random_delay();
        self.schedule_after(delay, WorldEvent::AdversaryActs(name));
    }

    /// Returns the adversary's end of a connection, or `None` once it is closed.
    fn adversary_end(&self, name: TcpId) -> Option<(Side, usize)> {
        let tcp = self.tcps.get(&name)?;
        let end = tcp.ends.iter().position(|end| end.id.is_none())?;
        tcp.ends[end].open.then_some((tcp.ends[end].side, end))
    }

    fn send_as_adversary(&mut self, name: TcpId, end: usize, octets: &[u8]) {
        self.report.adversary_messages += 1;
        if let Some(tcp) = self.tcps.get_mut(&name) {
            tcp.pipes[end].octets.extend_from_slice(octets);
        }
        self.schedule_delivery(name, end);
    }

    /// Sends one message, or does something worse, and schedules the next action.
    pub(crate) fn adversary_acts(&mut self, name: TcpId) {
        let Some((side, end)) = self.adversary_end(name) else {
            return;
        };
        // Faults are rare: most of them end the session, and the next steps need a session.
        match self.random.u8(0..64) {
            0 => return self.close_end(name, end),
            1 => return self.reset(name, 1 - end),
            2 => {
                // The adversary stops reading, which the send hold timer must end (RFC 9687).
                if let Some(tcp) = self.tcps.get_mut(&name) {
                    tcp.pipes[1 - end].stalled = true;
                }
            }
            3 => {
                let octets = self.corpus_input();
                self.send_as_adversary(name, end, &octets);
            }
            4 => {
                let mut octets = self.message(side);
                let changed = self.random.usize(0..octets.len());
                octets[changed] ^= 1 << self.random.u8(0..8);
                self.send_as_adversary(name, end, &octets);
            }
            5 => {
                let octets = self.message(side);
                let part = self.random.usize(0..octets.len());
                self.send_as_adversary(name, end, &octets[..part]);
            }
            _ => {
                let octets = self.message(side);
                self.send_as_adversary(name, end, &octets);
            }
        }
        let pause = self.random_pause(32);
        self.schedule_after(pause, WorldEvent::AdversaryActs(name));
    }

    /// Returns a fuzzer's input, as it is or as the body of a message with a valid header.
    fn corpus_input(&mut self) -> Vec<u8> {
        let octets = &CORPUS[self.random.usize(0..CORPUS.len())];
        if self.random.bool() {
            return octets.clone();
        }
        // 4,077 octets and the header of 19 are the maximum of RFC 4271 section 4.1.
        let body = &octets[..octets.len().min(4077)];
        let length = u16::try_from(19 + body.len()).unwrap();
        let kind = self.random.u8(1..=5);
        [&[0xff; 16][..], &length.to_be_bytes(), &[kind], body].concat()
    }

    /// Returns a valid OPEN with random capabilities.
    fn open(&mut self, side: Side) -> Vec<u8> {
        let (asn, router_id) = (self.hosts[side.host].asn, self.hosts[side.host].router_id);
        let random = &mut self.random;
        let mut capabilities = vec![CapabilityBuf::FourOctetAs(asn)];
        for family in [Family::IPV4_UNICAST, Family::IPV6_UNICAST] {
            capabilities.extend(
                random
                    .bool()
                    .then_some(CapabilityBuf::Multiprotocol(family)),
            );
        }
        let ipv4 = Family::IPV4_UNICAST;
        let others = [
            CapabilityBuf::RouteRefresh,
            CapabilityBuf::EnhancedRouteRefresh,
            CapabilityBuf::ExtendedMessage,
            CapabilityBuf::AddPath(vec![AddPathFamily {
                family: ipv4,
                directions: 3,
            }]),
            CapabilityBuf::GracefulRestart {
                restarted: random.bool(),
                notification: random.bool(),
                restart_time: random.u16(0..=crate::plan::MAX_RESTART_TIME),
                families: vec![GracefulRestartFamily {
                    family: ipv4,
                    forwarding: random.bool(),
                }],
            },
        ];
        capabilities.extend(others.into_iter().filter(|_| random.bool()));
        let open = OpenBuf {
            asn,
            hold_time: HoldTime::new(random.u16(3..=180)).unwrap(),
            router_id,
            capabilities,
        };
        let mut octets = BytesMut::new();
        open.encode(&mut octets).expect("an OPEN");
        octets.to_vec()
    }

    /// Returns a valid message of a random type. KEEPALIVEs are the most frequent, so that the session lasts.
    fn message(&mut self, side: Side) -> Vec<u8> {
        let mut octets = BytesMut::new();
        match self.random.u8(0..32) {
            0 => return self.open(side),
            1 => NotificationBuf::with_text(Reason::ADMINISTRATIVE_SHUTDOWN, "enough")
                .encode(&mut octets),
            2..6 => RouteRefresh {
                family: Family::IPV4_UNICAST,
                subtype: RefreshSubtype(self.random.u8(0..4)),
            }
            .encode(&mut octets),
            6..16 => {
                let context = Context::new(PeerKind::External);
                let mut update = UpdateBuf::new(AttributeSet::new(Origin::IGP));
                update.set_next_hop(Family::IPV4_UNICAST, std::net::IpAddr::from([10, 0, 0, 9]));
                for _ in 0..self.random.u8(1..20) {
                    let prefix = prefix(self.random.u8(..), false);
                    if self.random.bool() {
                        update.announce(prefix);
                    } else {
                        update.withdraw(prefix);
                    }
                }
                // An UPDATE that the encoder rejects leaves `octets` empty; a KEEPALIVE replaces it below.
                update.encode(&context, &mut octets).ok();
            }
            _ => octets.extend_from_slice(&KEEPALIVE),
        }
        if octets.is_empty() {
            octets.extend_from_slice(&KEEPALIVE);
        }
        octets.to_vec()
    }
}
