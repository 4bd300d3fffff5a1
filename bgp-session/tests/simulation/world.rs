//! The simulated world: a clock, a queue of events, hosts, and the connections between them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use bgp_session::ConnectionId;
use bgp_wire::{Asn, RouterId};
use fastrand::Rng;

use crate::network::{Tcp, TcpId};
use crate::recorder::Recorder;
use crate::speaker::Speaker;
use crate::{memory, plan};

/// One side of a session: a host and its peer, both by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Side {
    pub(crate) host: usize,
    pub(crate) peer: usize,
}

impl Side {
    /// Returns the other side of the session.
    pub(crate) fn reverse(self) -> Self {
        Self {
            host: self.peer,
            peer: self.host,
        }
    }
}

/// An event in the queue of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WorldEvent {
    Deadline(Side),
    Syn {
        from: Side,
        boot: u32,
        id: Option<ConnectionId>,
        tries: u32,
    },
    Refused {
        side: Side,
        boot: u32,
        id: ConnectionId,
    },
    Connected(TcpId),
    Deliver {
        name: TcpId,
        direction: usize,
    },
    ResumeReading {
        name: TcpId,
        direction: usize,
    },
    EndPartition(Side),
    RestartHost(usize),
    TableLoaded {
        host: usize,
        boot: u32,
    },
    StartSession(Side),
    ChangeRoutes(usize),
    InjectFault,
    AdversaryDials(usize),
    AdversaryActs(TcpId),
}

/// A machine with one program on it.
pub(crate) struct Host {
    pub(crate) address: IpAddr,
    pub(crate) asn: Asn,
    pub(crate) router_id: RouterId,
    /// The program is running.
    pub(crate) is_running: bool,
    /// The machine has no power and answers nothing.
    pub(crate) is_off: bool,
    /// The number of starts of the program. Events of an earlier run are ignored.
    pub(crate) boot: u32,
    pub(crate) program: Program,
}

pub(crate) enum Program {
    Speaker(Box<Speaker>),
    Adversary,
}

pub(crate) struct World {
    pub(crate) random: Rng,
    base: Instant,
    pub(crate) now: Duration,
    queue: BinaryHeap<Reverse<(Duration, u64, WorldEvent)>>,
    sequence: u64,
    pub(crate) hosts: Vec<Host>,
    pub(crate) tcps: BTreeMap<TcpId, Tcp>,
    pub(crate) next_tcp: TcpId,
    /// The pairs of hosts, the lower number first, between which no data arrives.
    pub(crate) partitions: BTreeSet<(usize, usize)>,
    /// Faults and route changes have ended until the next epoch.
    pub(crate) faults_ended: bool,
    /// Programs and machines fail, and not only the network. Half of the seeds have programs that run for the whole time.
    pub(crate) hosts_fail: bool,
    /// The limit of the delay of a packet, in milliseconds.
    pub(crate) max_delay_ms: u32,
    pub(crate) trace: Trace,
    /// The messages of the speakers, if they are recorded.
    pub(crate) recorder: Option<Recorder>,
    pub(crate) report: Report,
}

impl World {
    pub(crate) fn new(seed: u64, traced: bool) -> Self {
        let mut random = Rng::with_seed(seed);
        let hosts = plan::hosts(&mut random);
        let hosts_fail = random.bool();
        let mut world = Self {
            random,
            // Only differences to the base matter, so a run does not depend on the wall clock.
            base: Instant::now(),
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            sequence: 0,
            hosts,
            tcps: BTreeMap::new(),
            next_tcp: 0,
            partitions: BTreeSet::new(),
            faults_ended: false,
            hosts_fail,
            max_delay_ms: 50,
            trace: Trace {
                on: traced,
                ..Trace::default()
            },
            recorder: None,
            report: Report::default(),
        };
        for host in 0..world.hosts.len() {
            match world.hosts[host].program {
                Program::Speaker(_) => world.boot(host, false),
                Program::Adversary => {
                    world.schedule_after(Duration::ZERO, WorldEvent::AdversaryDials(host));
                }
            }
        }
        world
    }

    pub(crate) fn run(&mut self, epochs: u32) -> Report {
        let mut limit = None;
        for _ in 0..epochs {
            self.run_with_faults();
            self.check_convergence();
            // Memory after the first epoch, doubled because a table may grow, is the limit of all later epochs.
            let held = memory::allocated();
            let limit = *limit.get_or_insert(held * 2 + (128 << 10));
            self.trace
                .note(self.now, || format!("{held} octets of memory"));
            assert!(held <= limit, "memory grows: {held} octets, limit {limit}");
        }
        self.report.seeds = 1;
        self.report.time = self.now;
        self.report
    }

    /// Handles events until `end`. Returns `true` if `done` returned `true` after a step before that.
    pub(crate) fn play(&mut self, end: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        while let Some(Reverse((at, _, _))) = self.queue.peek() {
            if *at > end {
                break;
            }
            let Some(Reverse((at, _, event))) = self.queue.pop() else {
                break;
            };
            self.now = at;
            self.trace.note(at, || format!("{event:?}"));
            self.handle(event);
            self.report.steps += 1;
            if done(self) {
                return true;
            }
        }
        self.now = end;
        false
    }

    fn handle(&mut self, event: WorldEvent) {
        match event {
            WorldEvent::Deadline(side) => self.handle_deadline(side),
            WorldEvent::Syn {
                from,
                boot,
                id,
                tries,
            } => self.handle_syn(from, boot, id, tries),
            WorldEvent::Refused { side, boot, id } => self.handle_refused(side, boot, id),
            WorldEvent::Connected(name) => self.handle_connected(name),
            WorldEvent::Deliver { name, direction } => self.deliver(name, direction),
            WorldEvent::ResumeReading { name, direction } => {
                if let Some(tcp) = self.tcps.get_mut(&name) {
                    tcp.pipes[direction].stalled = false;
                }
                self.schedule_delivery(name, direction);
            }
            WorldEvent::EndPartition(side) => self.end_partition(side),
            WorldEvent::RestartHost(host) => self.start_host_again(host),
            WorldEvent::TableLoaded { host, boot } => self.handle_table_loaded(host, boot),
            WorldEvent::StartSession(side) => self.start(side),
            WorldEvent::ChangeRoutes(host) => self.change_routes(host),
            WorldEvent::InjectFault => self.inject_fault(),
            WorldEvent::AdversaryDials(host) => self.adversary_dials(host),
            WorldEvent::AdversaryActs(name) => self.adversary_acts(name),
        }
    }

    pub(crate) fn schedule_after(&mut self, delay: Duration, event: WorldEvent) {
        self.schedule_at(self.now + delay, event);
    }

    pub(crate) fn schedule_at(&mut self, time: Duration, event: WorldEvent) {
        // Events of the same time are handled in the order in which they were scheduled.
        self.sequence += 1;
        self.queue.push(Reverse((time, self.sequence, event)));
    }

    pub(crate) fn instant(&self) -> Instant {
        self.base + self.now
    }

    /// Converts an instant of the sessions to simulated time.
    pub(crate) fn time(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.base)
    }

    /// Returns the delay of one packet.
    pub(crate) fn random_delay(&mut self) -> Duration {
        Duration::from_micros(u64::from(self.random.u32(100..self.max_delay_ms * 1000)))
    }

    pub(crate) fn random_seconds(&mut self, minimum: u64, maximum: u64) -> Duration {
        Duration::from_millis(self.random.u64(minimum * 1000..=maximum * 1000))
    }

    pub(crate) fn is_partitioned(&self, side: Side) -> bool {
        let pair = (side.host.min(side.peer), side.host.max(side.peer));
        self.partitions.contains(&pair)
    }

    /// Returns the numbers of the hosts that are speakers.
    pub(crate) fn speakers(&self) -> Vec<usize> {
        self.hosts
            .iter()
            .enumerate()
            .filter(|(_, host)| matches!(host.program, Program::Speaker(_)))
            .map(|(number, _)| number)
            .collect()
    }

    pub(crate) fn speaker(&mut self, host: usize) -> &mut Speaker {
        match &mut self.hosts[host].program {
            Program::Speaker(speaker) => speaker,
            Program::Adversary => panic!("host {host} is an adversary"),
        }
    }

    pub(crate) fn is_adversary(&self, host: usize) -> bool {
        matches!(self.hosts[host].program, Program::Adversary)
    }
}

/// The last steps of a run, for the report of a violation.
#[derive(Default)]
pub(crate) struct Trace {
    pub(crate) on: bool,
    pub(crate) prints: bool,
    lines: VecDeque<String>,
}

impl Trace {
    pub(crate) fn note(&mut self, at: Duration, text: impl FnOnce() -> String) {
        if !self.on {
            return;
        }
        let line = format!("{:12.6} {}", at.as_secs_f64(), text());
        if self.prints {
            println!("{line}");
        }
        self.lines.push_back(line);
        if self.lines.len() > 200 {
            self.lines.pop_front();
        }
    }

    pub(crate) fn last(&self, count: usize) -> String {
        let from = self.lines.len().saturating_sub(count);
        let lines: Vec<_> = self.lines.iter().skip(from).map(String::as_str).collect();
        lines.join("\n")
    }
}

/// Counts of simulated steps and events.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Report {
    pub(crate) seeds: u64,
    pub(crate) time: Duration,
    pub(crate) steps: u64,
    pub(crate) sessions: u64,
    pub(crate) downs: u64,
    pub(crate) retained: u64,
    pub(crate) routes: u64,
    pub(crate) faults: u64,
    pub(crate) adversary_messages: u64,
    pub(crate) convergences: u64,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.time += other.time;
        self.steps += other.steps;
        self.sessions += other.sessions;
        self.downs += other.downs;
        self.retained += other.retained;
        self.routes += other.routes;
        self.faults += other.faults;
        self.adversary_messages += other.adversary_messages;
        self.convergences += other.convergences;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seeds, {:.1} simulated hours, {} steps: {} sessions came up, {} went down ({} with routes retained), \
             {} route changes, {} faults, {} messages from adversaries, converged {} times",
            self.seeds,
            self.time.as_secs_f64() / 3600.0,
            self.steps,
            self.sessions,
            self.downs,
            self.retained,
            self.routes,
            self.faults,
            self.adversary_messages,
            self.convergences
        )
    }
}
