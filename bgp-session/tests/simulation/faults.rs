//! Random faults of hosts and the network, random route changes, and random actions of operators.

use std::time::Duration;

use bgp_session::{ExportPolicy, PeerConfig, Shutdown};
use bgp_wire::{Family, HoldTime};
use ipnet::IpNet;

use crate::plan;
use crate::speaker::{prefix, route};
use crate::world::{Side, World, WorldEvent};

impl World {
    /// Simulates 80 to 100 minutes with faults and route changes.
    pub(crate) fn run_with_faults(&mut self) {
        self.faults_ended = false;
        self.schedule_after(Duration::ZERO, WorldEvent::InjectFault);
        for host in self.speakers() {
            self.schedule_after(Duration::ZERO, WorldEvent::ChangeRoutes(host));
        }
        let end = self.now + self.random_seconds(80 * 60, 100 * 60);
        self.play(end, |_| false);
    }

    /// Announces and withdraws random routes of one speaker, and schedules the next change.
    pub(crate) fn change_routes(&mut self, host: usize) {
        if self.faults_ended {
            return;
        }
        // Between 1 and 64 routes, so that single changes are as frequent as bursts.
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
            // A host that is down or still loading learns the change from `table` when it loads.
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
        let pause = self.random_pause(240);
        self.schedule_after(pause, WorldEvent::ChangeRoutes(host));
    }

    /// Returns a pause of up to `maximum` seconds. Short pauses are more frequent than long ones.
    pub(crate) fn random_pause(&mut self, maximum: u64) -> Duration {
        let limit = 1 << self.random.u32(0..=maximum.ilog2());
        Duration::from_millis(self.random.u64(1..=limit * 1000))
    }

    /// Injects one random fault and schedules the next.
    pub(crate) fn inject_fault(&mut self) {
        if self.faults_ended {
            return;
        }
        self.report.faults += 1;
        let speakers = self.speakers();
        let host = speakers[self.random.usize(0..speakers.len())];
        let peers: Vec<_> = self.speaker(host).peers.keys().copied().collect();
        let side = Side {
            host,
            peer: peers[self.random.usize(0..peers.len())],
        };
        let pause = self.random_pause(512);
        match self.random.u8(0..16) {
            0..4 => self.partition(side, pause),
            4 | 5 => self.stall_any_connection(pause),
            6 | 7 => self.reset_any_connection(),
            8 if self.hosts_fail => self.kill_host(host, pause),
            9 if self.hosts_fail => self.restart_host(host, pause),
            8..11 => self.stop_session(side, pause),
            11 | 12 => self.request_refresh(side),
            13 => self.reconfigure_randomly(side),
            14 => self.probe_connections(),
            _ => self.max_delay_ms = 1 << self.random.u32(1..12),
        }
        let next = self.random_pause(512);
        self.schedule_after(next, WorldEvent::InjectFault);
    }

    fn partition(&mut self, side: Side, pause: Duration) {
        let pair = (side.host.min(side.peer), side.host.max(side.peer));
        if self.partitions.insert(pair) {
            self.schedule_after(pause, WorldEvent::EndPartition(side));
        }
    }

    pub(crate) fn end_partition(&mut self, side: Side) {
        let pair = (side.host.min(side.peer), side.host.max(side.peer));
        self.partitions.remove(&pair);
        self.schedule_deliveries();
    }

    /// Stops one end of a random connection from reading for a while.
    fn stall_any_connection(&mut self, pause: Duration) {
        let names: Vec<_> = self.tcps.keys().copied().collect();
        if names.is_empty() {
            return;
        }
        let name = names[self.random.usize(0..names.len())];
        let direction = self.random.usize(0..2);
        if let Some(tcp) = self.tcps.get_mut(&name) {
            tcp.pipes[direction].stalled = true;
        }
        self.schedule_after(pause, WorldEvent::ResumeReading { name, direction });
    }

    /// Resets a random connection: both ends learn it, and the data in flight is lost.
    fn reset_any_connection(&mut self) {
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
            .map(|end| (end.side, end.id, end.open))
            .collect();
        self.tcps.remove(&name);
        for (side, id, open) in ends {
            if open && self.hosts[side.host].is_running {
                self.connection_lost(side, id);
            }
        }
    }

    /// Kills the program, whose kernel then closes its connections, or cuts the machine's power.
    fn kill_host(&mut self, host: usize, pause: Duration) {
        if self.hosts[host].is_running {
            let power_failure = self.random.bool();
            self.crash(host, power_failure);
            self.schedule_after(pause, WorldEvent::RestartHost(host));
        }
    }

    /// Restarts the program as an operator does: it announces the restart to its peers before it ends.
    fn restart_host(&mut self, host: usize, pause: Duration) {
        if !self.hosts[host].is_running {
            return;
        }
        let peers: Vec<_> = self.speaker(host).peers.keys().copied().collect();
        for peer in peers {
            self.stop(Side { host, peer }, &Shutdown::restart());
        }
        self.crash(host, false);
        self.schedule_after(pause, WorldEvent::RestartHost(host));
    }

    pub(crate) fn start_host_again(&mut self, host: usize) {
        if !self.hosts[host].is_running {
            self.boot(host, true);
            // Data in flight to a connection from before the restart is now answered by a reset.
            self.schedule_deliveries();
        }
    }

    /// Stops one session for a random reason and schedules its next start.
    fn stop_session(&mut self, side: Side, pause: Duration) {
        let shutdown = match self.random.u8(0..4) {
            0 => Shutdown::administrative("maintenance"),
            1 => Shutdown::reset(""),
            2 => Shutdown::deconfigured(),
            _ => Shutdown::restart(),
        };
        self.stop(side, &shutdown);
        self.schedule_after(pause, WorldEvent::StartSession(side));
    }

    fn request_refresh(&mut self, side: Side) {
        let family = if self.random.bool() {
            Family::IPV4_UNICAST
        } else {
            Family::IPV6_UNICAST
        };
        self.send_refresh(side, family);
    }

    fn reconfigure_randomly(&mut self, side: Side) {
        let config = self.speaker(side.host).peers[&side.peer].config.clone();
        let policy = plan::policy(&mut self.random);
        let config = match self.random.u8(0..3) {
            0 => config.hold_time(HoldTime::new(self.random.u16(3..=180)).unwrap()),
            1 => config.export(policy).add_path(self.random.bool()),
            _ => config.export(policy),
        };
        self.reconfigure(side, config);
    }
}

/// Returns `true` if a policy of `plan::policy` exports a prefix.
///
/// It does not ask `ExportPolicy`, because it checks `ExportPolicy`.
pub(crate) fn exports(config: &PeerConfig, prefix: IpNet) -> bool {
    // The policy has no getter that tells its two random forms apart; equality does.
    let everything = config.clone().export(ExportPolicy::all()) == *config;
    let lower = match prefix {
        IpNet::V4(prefix) => prefix.addr().octets()[2] < 128,
        IpNet::V6(prefix) => prefix.addr().segments()[3] < 0x8000,
    };
    everything || lower
}
