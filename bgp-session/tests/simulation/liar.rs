//! Peers that do not keep to the rules: valid and invalid OPENs, messages with octets changed, and what the fuzzers have found.

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
use crate::world::{At, Happening, World};

/// What the fuzzers have found, by what came of it.
static CORPUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut files: Vec<_> = ["frame", "open", "update", "round_trip"]
        .iter()
        .flat_map(|target| std::fs::read_dir(root.join(target)).expect("the corpus"))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let octets = files
        .iter()
        .map(|file| std::fs::read(file).expect("octets"));
    octets.collect()
});

impl World {
    pub(crate) fn liar_dials(&mut self, host: usize) {
        let speakers = self.speakers();
        let peer = speakers[self.random.usize(0..speakers.len())];
        let from = At { host, peer };
        let (boot, delay) = (self.hosts[host].boot, self.delay());
        self.later(
            delay,
            Happening::Syn {
                from,
                boot,
                id: None,
                tries: 0,
            },
        );
        let pause = self.pause(256);
        self.later(pause, Happening::LiarDials(host));
    }

    pub(crate) fn liar_is_connected(&mut self, name: TcpId) {
        if self.random.u8(0..8) > 0 {
            let Some((at, end)) = self.liars_end(name) else {
                return;
            };
            let mut octets = self.open(at);
            if self.random.u8(0..8) > 0 {
                octets.extend_from_slice(&KEEPALIVE);
            }
            self.lie(name, end, &octets);
        }
        let delay = self.delay();
        self.later(delay, Happening::LiarActs(name));
    }

    fn liars_end(&self, name: TcpId) -> Option<(At, usize)> {
        let tcp = self.tcps.get(&name)?;
        let end = tcp.ends.iter().position(|end| end.id.is_none())?;
        tcp.ends[end].open.then_some((tcp.ends[end].at, end))
    }

    fn lie(&mut self, name: TcpId, end: usize, octets: &[u8]) {
        self.report.lies += 1;
        if let Some(tcp) = self.tcps.get_mut(&name) {
            tcp.pipes[end].octets.extend_from_slice(octets);
        }
        self.carry(name, end);
    }

    pub(crate) fn liar_acts(&mut self, name: TcpId) {
        let Some((at, end)) = self.liars_end(name) else {
            return;
        };
        match self.random.u8(0..64) {
            0 => return self.close_end(name, end),
            1 => return self.reset(name, 1 - end),
            2 => {
                // It reads nothing any more.
                if let Some(tcp) = self.tcps.get_mut(&name) {
                    tcp.pipes[1 - end].stalled = true;
                }
            }
            3 => {
                let octets = self.found();
                self.lie(name, end, &octets);
            }
            4 => {
                let mut octets = self.message(at);
                let changed = self.random.usize(0..octets.len());
                octets[changed] ^= 1 << self.random.u8(0..8);
                self.lie(name, end, &octets);
            }
            5 => {
                let octets = self.message(at);
                let part = self.random.usize(0..octets.len());
                self.lie(name, end, &octets[..part]);
            }
            _ => {
                let octets = self.message(at);
                self.lie(name, end, &octets);
            }
        }
        let pause = self.pause(32);
        self.later(pause, Happening::LiarActs(name));
    }

    fn found(&mut self) -> Vec<u8> {
        let octets = &CORPUS[self.random.usize(0..CORPUS.len())];
        if self.random.bool() {
            return octets.clone();
        }
        let body = &octets[..octets.len().min(4077)];
        let length = u16::try_from(19 + body.len()).unwrap();
        let kind = self.random.u8(1..=5);
        [&[0xff; 16][..], &length.to_be_bytes(), &[kind], body].concat()
    }

    /// An OPEN that may well be accepted.
    fn open(&mut self, at: At) -> Vec<u8> {
        let (asn, router_id) = (self.hosts[at.host].asn, self.hosts[at.host].router_id);
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
                restart_time: random.u16(0..=crate::plan::RESTART_TIME),
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

    /// A message that may be in its place.
    fn message(&mut self, at: At) -> Vec<u8> {
        let mut octets = BytesMut::new();
        match self.random.u8(0..32) {
            0 => return self.open(at),
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
