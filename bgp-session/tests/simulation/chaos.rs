//! What goes wrong, and what operators do.

use std::time::Duration;

use bgp_session::{ExportPolicy, PeerConfig, Shutdown};
use bgp_wire::{Family, HoldTime};
use ipnet::IpNet;

use crate::plan;
use crate::speaker::{prefix, route};
use crate::world::{At, Happening, World};

impl World {
    /// A while in which everything happens.
    pub(crate) fn unrest(&mut self) {
        self.quiet = false;
        self.later(Duration::ZERO, Happening::Fault);
        for host in self.speakers() {
            self.later(Duration::ZERO, Happening::Change(host));
        }
        let end = self.now + self.seconds(80 * 60, 100 * 60);
        self.play(end, |_| false);
    }

    /// Some routes change.
    pub(crate) fn change(&mut self, host: usize) {
        if self.quiet {
            return;
        }
        let count = 1 << self.random.u32(0..7);
        for _ in 0..count {
            let prefix = prefix(self.random.u8(..), self.random.bool());
            let (path_id, version) = (self.random.u32(1..=3), self.random.u32(..));
            let withdraws = self.random.u8(0..3) == 0;
            let all = withdraws && self.random.bool();
            let speaker = self.speaker(host);
            if all {
                speaker.table.retain(|(known, _), _| *known != prefix);
            } else if withdraws {
                speaker.table.remove(&(prefix, path_id));
            } else {
                speaker.table.insert((prefix, path_id), version);
            }
            if !speaker.is_loaded {
                continue;
            }
            if all {
                speaker.rib.withdraw(prefix);
            } else if withdraws {
                speaker.rib.withdraw_path(prefix, bgp_wire::PathId(path_id));
            } else {
                speaker.rib.announce(&route(prefix, path_id, version));
            }
        }
        if self.hosts[host].is_running {
            self.table_changed(host);
        }
        let pause = self.pause(240);
        self.later(pause, Happening::Change(host));
    }

    /// Mostly short, sometimes long.
    pub(crate) fn pause(&mut self, most: u64) -> Duration {
        let most = 1 << self.random.u32(0..=most.ilog2());
        Duration::from_millis(self.random.u64(1..=most * 1000))
    }

    pub(crate) fn fault(&mut self) {
        if self.quiet {
            return;
        }
        self.report.faults += 1;
        let speakers = self.speakers();
        let host = speakers[self.random.usize(0..speakers.len())];
        let peers: Vec<_> = self.speaker(host).peers.keys().copied().collect();
        let at = At {
            host,
            peer: peers[self.random.usize(0..peers.len())],
        };
        let pause = self.pause(512);
        match self.random.u8(0..16) {
            0..4 => self.cut(at, pause),
            4 | 5 => self.stall(pause),
            6 | 7 => self.reset_some(),
            8 if self.mortal => self.die(host, pause),
            9 if self.mortal => self.restart(host, pause),
            8..11 => self.operate(at, pause),
            11 | 12 => self.ask(at),
            13 => self.reconfigure_some(at),
            14 => self.probe_all(),
            _ => self.slowest = 1 << self.random.u32(1..12),
        }
        let next = self.pause(512);
        self.later(next, Happening::Fault);
    }

    fn cut(&mut self, at: At, pause: Duration) {
        let pair = (at.host.min(at.peer), at.host.max(at.peer));
        if self.cuts.insert(pair) {
            self.later(pause, Happening::Heals(at));
        }
    }

    pub(crate) fn heal(&mut self, at: At) {
        let pair = (at.host.min(at.peer), at.host.max(at.peer));
        self.cuts.remove(&pair);
        self.carry_all();
    }

    /// Somebody does not read for a while.
    fn stall(&mut self, pause: Duration) {
        let names: Vec<_> = self.tcps.keys().copied().collect();
        if names.is_empty() {
            return;
        }
        let name = names[self.random.usize(0..names.len())];
        let direction = self.random.usize(0..2);
        if let Some(tcp) = self.tcps.get_mut(&name) {
            tcp.pipes[direction].stalled = true;
        }
        self.later(pause, Happening::ReadsAgain { name, direction });
    }

    fn reset_some(&mut self) {
        let names: Vec<_> = self.tcps.keys().copied().collect();
        if names.is_empty() {
            return;
        }
        let name = names[self.random.usize(0..names.len())];
        let Some(tcp) = self.tcps.get(&name) else {
            return;
        };
        let ends: Vec<_> = tcp
            .ends
            .iter()
            .map(|end| (end.at, end.id, end.open))
            .collect();
        self.tcps.remove(&name);
        for (at, id, open) in ends {
            if open && self.hosts[at.host].is_running {
                self.lost(at, id);
            }
        }
    }

    fn die(&mut self, host: usize, pause: Duration) {
        if self.hosts[host].is_running {
            let power = self.random.bool();
            self.crash(host, power);
            self.later(pause, Happening::Revives(host));
        }
    }

    /// As an operator restarts the program.
    fn restart(&mut self, host: usize, pause: Duration) {
        if !self.hosts[host].is_running {
            return;
        }
        let peers: Vec<_> = self.speaker(host).peers.keys().copied().collect();
        for peer in peers {
            self.stop(At { host, peer }, &Shutdown::restart());
        }
        self.crash(host, false);
        self.later(pause, Happening::Revives(host));
    }

    pub(crate) fn revive(&mut self, host: usize) {
        if !self.hosts[host].is_running {
            self.boot(host, true);
            // What the machine is sent on connections that it does not know is answered by a reset.
            self.carry_all();
        }
    }

    fn operate(&mut self, at: At, pause: Duration) {
        let why = match self.random.u8(0..4) {
            0 => Shutdown::administrative("maintenance"),
            1 => Shutdown::reset(""),
            2 => Shutdown::deconfigured(),
            _ => Shutdown::restart(),
        };
        self.stop(at, &why);
        self.later(pause, Happening::Starts(at));
    }

    fn ask(&mut self, at: At) {
        let family = if self.random.bool() {
            Family::IPV4_UNICAST
        } else {
            Family::IPV6_UNICAST
        };
        self.ask_refresh(at, family);
    }

    fn reconfigure_some(&mut self, at: At) {
        let config = self.speaker(at.host).peers[&at.peer].config.clone();
        let policy = plan::policy(&mut self.random);
        let config = match self.random.u8(0..3) {
            0 => config.hold_time(HoldTime::new(self.random.u16(3..=180)).unwrap()),
            1 => config.export(policy).add_path(self.random.bool()),
            _ => config.export(policy),
        };
        self.reconfigure(at, config);
    }
}

/// Whether a peer may be sent a route to a prefix; said by what `plan::policy` makes.
pub(crate) fn exports(config: &PeerConfig, prefix: IpNet) -> bool {
    let everything = config.clone().export(ExportPolicy::all()) == *config;
    let lower = match prefix {
        IpNet::V4(prefix) => prefix.addr().octets()[2] < 128,
        IpNet::V6(prefix) => prefix.addr().segments()[3] < 0x8000,
    };
    everything || lower
}
