//! A running collector, and what it has printed.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;
use speakerd_testkit::{ChildGuard, Signal};

pub(crate) struct Collector {
    address: SocketAddr,
    child: Mutex<ChildGuard>,
    stdin: Mutex<ChildStdin>,
    printed: Arc<Printed>,
}

#[derive(Default)]
struct Printed {
    lines: Mutex<Vec<Value>>,
    more: Condvar,
}

impl Collector {
    /// Starts one on 10.99.0.1 and waits until it listens.
    pub(crate) fn start(port: u16, more: &[&str]) -> Self {
        let address = SocketAddr::from(([10, 99, 0, 1], port));
        let mut command = Command::new(env!("CARGO_BIN_EXE_collector"));
        command
            .args(["--listen", &address.to_string()])
            .args(["--local-as", "65000", "--router-id", "10.99.0.1"])
            .args(["--neighbors", "10.99.0.0/16=65001", "10.98.0.0/16=65000"])
            .args(["--hold", "90"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut guard = ChildGuard::spawn(&mut command);
        let child = guard.child();
        let stdin = child.stdin.take().unwrap();
        let mut greeting = String::new();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        stderr.read_line(&mut greeting).unwrap();
        assert!(greeting.contains("listens on"), "{greeting}");
        std::thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .for_each(|line| eprintln!("{line}"));
        });
        let printed = Arc::new(Printed::default());
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let reader = Arc::clone(&printed);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap();
                reader.lines.lock().unwrap().push(value);
                reader.more.notify_all();
            }
        });
        Self {
            address,
            stdin: Mutex::new(stdin),
            child: Mutex::new(guard),
            printed,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the events are that come from now on.
    pub(crate) fn mark(&self) -> usize {
        self.printed.lines.lock().unwrap().len()
    }

    /// Waits for an event behind `mark`; `None` if none comes.
    pub(crate) fn wait_for(&self, mark: usize, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let end = Instant::now() + PATIENCE;
        let mut lines = self.printed.lines.lock().unwrap();
        let mut seen = mark;
        loop {
            if let Some(found) = lines[seen..].iter().find(|line| wanted(line)) {
                return Some(found.clone());
            }
            seen = lines.len();
            let left = end.checked_duration_since(Instant::now())?;
            lines = self.printed.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Waits for an event of this kind from a peer.
    pub(crate) fn wait_for_event(&self, mark: usize, peer: IpAddr, event: &str) -> Option<Value> {
        let peer = peer.to_string();
        self.wait_for(mark, |line| {
            line["peer"] == peer.as_str() && line["event"] == event
        })
    }

    /// The last that was said of a prefix of a peer behind `mark`: `announce`, `withdraw` or nothing.
    pub(crate) fn last_of(&self, mark: usize, peer: IpAddr, prefix: &str) -> Option<String> {
        let peer = peer.to_string();
        let lines = self.lines();
        let mut lines = lines[mark..].iter().rev();
        let last = lines.find(|line| line["peer"] == peer.as_str() && line["prefix"] == prefix)?;
        Some(last["event"].as_str().unwrap().to_owned())
    }

    /// How many events of this kind from a peer there were behind `mark`.
    pub(crate) fn count(&self, mark: usize, peer: IpAddr, event: &str) -> usize {
        let peer = peer.to_string();
        let lines = self.lines();
        let of_kind = |line: &&Value| line["peer"] == peer.as_str() && line["event"] == event;
        lines[mark..].iter().filter(of_kind).count()
    }

    /// Every route that it holds of a peer.
    pub(crate) fn dump(&self, peer: IpAddr) -> Vec<Value> {
        let mark = self.mark();
        self.stdin.lock().unwrap().write_all(b"dump\n").unwrap();
        let dump = self.wait_for(mark, |line| line["event"] == "dump");
        let dump = dump.expect("an answer to dump");
        let routes = dump["routes"].as_array().unwrap().iter();
        let peer = peer.to_string();
        routes
            .filter(|route| route["peer"] == peer.as_str())
            .cloned()
            .collect()
    }

    /// Open descriptors, and resident memory in KiB.
    pub(crate) fn resources(&self) -> (usize, usize) {
        let process = format!("/proc/{}", self.child.lock().unwrap().id());
        let descriptors = std::fs::read_dir(format!("{process}/fd")).unwrap().count();
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.unwrap().trim().trim_end_matches(" kB");
        (descriptors, resident.parse().unwrap())
    }

    /// What it has spent of the processor.
    pub(crate) fn processor_time(&self) -> Duration {
        let process = self.child.lock().unwrap().id();
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks = fields.split(' ').skip(11).take(2);
        // A tick has 10 ms on every Linux that there is.
        Duration::from_millis(ticks.map(|it| it.parse::<u64>().unwrap() * 10).sum())
    }

    /// It is to have no more descriptors than these.
    pub(crate) fn limits_descriptors(&self, most: usize) {
        let process = self.child.lock().unwrap().id().to_string();
        let status = Command::new("prlimit")
            .args(["--pid", &process, &format!("--nofile={most}:{most}")])
            .status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.child.lock().unwrap().signal(signal);
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Value>> {
        self.printed.lines.lock().unwrap()
    }
}

/// How long anything may take that is to happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
