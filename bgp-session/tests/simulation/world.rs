//! The world: a clock, what is to happen, hosts, and connections between them.

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
use crate::speaker::Speaker;
use crate::{memory, plan};

/// The relation of a host to a peer, both by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    pub(crate) host: usize,
    pub(crate) peer: usize,
}

impl At {
    pub(crate) fn reverse(self) -> Self {
        Self {
            host: self.peer,
            peer: self.host,
        }
    }
}

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Happening {
    Deadline(At),
    Syn {
        from: At,
        boot: u32,
        id: Option<ConnectionId>,
        tries: u32,
    },
    Refused {
        at: At,
        boot: u32,
        id: ConnectionId,
    },
    Connected(TcpId),
    Deliver {
        name: TcpId,
        direction: usize,
    },
    ReadsAgain {
        name: TcpId,
        direction: usize,
    },
    Heals(At),
    Revives(usize),
    Loaded {
        host: usize,
        boot: u32,
    },
    Starts(At),
    Change(usize),
    Fault,
    LiarDials(usize),
    LiarActs(TcpId),
}

/// A machine with one program on it.
pub(crate) struct Host {
    pub(crate) address: IpAddr,
    pub(crate) asn: Asn,
    pub(crate) router_id: RouterId,
    /// The program runs.
    pub(crate) is_running: bool,
    /// The machine answers nobody.
    pub(crate) is_off: bool,
    /// How often the program has been started.
    pub(crate) boot: u32,
    pub(crate) program: Program,
}

pub(crate) enum Program {
    Speaker(Box<Speaker>),
    Liar,
}

pub(crate) struct World {
    pub(crate) random: Rng,
    base: Instant,
    pub(crate) now: Duration,
    queue: BinaryHeap<Reverse<(Duration, u64, Happening)>>,
    sequence: u64,
    pub(crate) hosts: Vec<Host>,
    pub(crate) tcps: BTreeMap<TcpId, Tcp>,
    pub(crate) next_tcp: TcpId,
    /// Pairs of hosts, the lower number first, between which nothing arrives.
    pub(crate) cuts: BTreeSet<(usize, usize)>,
    /// No more faults and changes.
    pub(crate) quiet: bool,
    /// Programs and machines fail, too, and do not grow old.
    pub(crate) mortal: bool,
    /// The longest time on the way.
    pub(crate) slowest: u32,
    pub(crate) trace: Trace,
    pub(crate) report: Report,
}

impl World {
    pub(crate) fn new(seed: u64, traced: bool) -> Self {
        let mut random = Rng::with_seed(seed);
        let hosts = plan::hosts(&mut random);
        let mortal = random.bool();
        let mut world = Self {
            random,
            // Any instant serves as the first.
            base: Instant::now(),
            now: Duration::ZERO,
            queue: BinaryHeap::new(),
            sequence: 0,
            hosts,
            tcps: BTreeMap::new(),
            next_tcp: 0,
            cuts: BTreeSet::new(),
            quiet: false,
            mortal,
            slowest: 50,
            trace: Trace {
                on: traced,
                ..Trace::default()
            },
            report: Report::default(),
        };
        for host in 0..world.hosts.len() {
            match world.hosts[host].program {
                Program::Speaker(_) => world.boot(host, false),
                Program::Liar => world.later(Duration::ZERO, Happening::LiarDials(host)),
            }
        }
        world
    }

    pub(crate) fn run(&mut self, epochs: u32) -> Report {
        let mut most = None;
        for _ in 0..epochs {
            self.unrest();
            self.rest();
            let held = memory::held();
            let most = *most.get_or_insert(held * 2 + (128 << 10));
            self.trace
                .note(self.now, || format!("{held} octets of memory"));
            assert!(held <= most, "{held} octets of memory, at most {most}");
        }
        self.report.seeds = 1;
        self.report.time = self.now;
        self.report
    }

    /// What happens up to `end`; stops before if `enough` says so after a step.
    pub(crate) fn play(
        &mut self,
        end: Duration,
        mut enough: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        while let Some(Reverse((at, _, _))) = self.queue.peek() {
            if *at > end {
                break;
            }
            let Some(Reverse((at, _, happening))) = self.queue.pop() else {
                break;
            };
            self.now = at;
            self.trace.note(at, || format!("{happening:?}"));
            self.happen(happening);
            self.report.steps += 1;
            if enough(self) {
                return true;
            }
        }
        self.now = end;
        false
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deadline(at) => self.deadline(at),
            Happening::Syn {
                from,
                boot,
                id,
                tries,
            } => self.syn(from, boot, id, tries),
            Happening::Refused { at, boot, id } => self.refused(at, boot, id),
            Happening::Connected(name) => self.connected(name),
            Happening::Deliver { name, direction } => self.deliver(name, direction),
            Happening::ReadsAgain { name, direction } => {
                if let Some(tcp) = self.tcps.get_mut(&name) {
                    tcp.pipes[direction].stalled = false;
                }
                self.carry(name, direction);
            }
            Happening::Heals(at) => self.heal(at),
            Happening::Revives(host) => self.revive(host),
            Happening::Loaded { host, boot } => self.loaded(host, boot),
            Happening::Starts(at) => self.start(at),
            Happening::Change(host) => self.change(host),
            Happening::Fault => self.fault(),
            Happening::LiarDials(host) => self.liar_dials(host),
            Happening::LiarActs(name) => self.liar_acts(name),
        }
    }

    pub(crate) fn later(&mut self, delay: Duration, happening: Happening) {
        self.at(self.now + delay, happening);
    }

    pub(crate) fn at(&mut self, time: Duration, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse((time, self.sequence, happening)));
    }

    pub(crate) fn instant(&self) -> Instant {
        self.base + self.now
    }

    /// When that is in the time of the world.
    pub(crate) fn time(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.base)
    }

    /// The time on the way of one packet.
    pub(crate) fn delay(&mut self) -> Duration {
        Duration::from_micros(u64::from(self.random.u32(100..self.slowest * 1000)))
    }

    pub(crate) fn seconds(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.random.u64(least * 1000..=most * 1000))
    }

    pub(crate) fn is_cut(&self, at: At) -> bool {
        let pair = (at.host.min(at.peer), at.host.max(at.peer));
        self.cuts.contains(&pair)
    }

    /// The speakers' numbers.
    pub(crate) fn speakers(&self) -> Vec<usize> {
        let all = self.hosts.iter().enumerate();
        all.filter(|(_, host)| matches!(host.program, Program::Speaker(_)))
            .map(|(number, _)| number)
            .collect()
    }

    pub(crate) fn speaker(&mut self, host: usize) -> &mut Speaker {
        match &mut self.hosts[host].program {
            Program::Speaker(speaker) => speaker,
            Program::Liar => panic!("host {host} is no speaker"),
        }
    }

    pub(crate) fn lies(&self, host: usize) -> bool {
        matches!(self.hosts[host].program, Program::Liar)
    }
}

/// What has happened, for people.
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

/// What was simulated.
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
    pub(crate) lies: u64,
    pub(crate) agreements: u64,
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
        self.lies += other.lies;
        self.agreements += other.agreements;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seeds, {:.1} simulated hours, {} steps: {} sessions came up, {} went down ({} with their routes kept), \
             {} changes of routes, {} faults, {} lies, {} times agreed",
            self.seeds,
            self.time.as_secs_f64() / 3600.0,
            self.steps,
            self.sessions,
            self.downs,
            self.retained,
            self.routes,
            self.faults,
            self.lies,
            self.agreements
        )
    }
}
