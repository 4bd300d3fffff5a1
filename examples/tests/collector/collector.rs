//! A running collector and the lines that it has printed.

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
    output: Arc<OutputLines>,
}

#[derive(Default)]
struct OutputLines {
    lines: Mutex<Vec<Value>>,
    more: Condvar,
}

impl Collector {
    /// Starts a collector on 10.99.0.1 with additional arguments, and waits until it listens.
    pub(crate) fn start(port: u16, arguments: &[&str]) -> Self {
        let address = SocketAddr::from(([10, 99, 0, 1], port));
        let mut command = Command::new(env!("CARGO_BIN_EXE_collector"));
        command
            .args(["--listen", &address.to_string()])
            .args(["--local-as", "65000", "--router-id", "10.99.0.1"])
            .args(["--neighbors", "10.99.0.0/16=65001", "10.98.0.0/16=65000"])
            .args(["--hold", "90"])
            .args(arguments)
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
        // A full pipe would block the collector, so a thread reads standard error to the end.
        std::thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .for_each(|line| eprintln!("{line}"));
        });
        let output = Arc::new(OutputLines::default());
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let reader = Arc::clone(&output);
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
            output,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of lines so far. Later calls look only at lines after it.
    pub(crate) fn mark(&self) -> usize {
        self.output.lines.lock().unwrap().len()
    }

    /// Waits for a line after `mark`. Returns `None` if none arrives within [`EVENT_TIMEOUT`].
    pub(crate) fn wait_for(&self, mark: usize, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let end = Instant::now() + EVENT_TIMEOUT;
        let mut lines = self.output.lines.lock().unwrap();
        let mut seen = mark;
        loop {
            if let Some(found) = lines[seen..].iter().find(|line| wanted(line)) {
                return Some(found.clone());
            }
            seen = lines.len();
            let left = end.checked_duration_since(Instant::now())?;
            lines = self.output.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Waits for an event of one kind from a peer.
    pub(crate) fn wait_for_event(&self, mark: usize, peer: IpAddr, event: &str) -> Option<Value> {
        let peer = peer.to_string();
        self.wait_for(mark, |line| {
            line["peer"] == peer.as_str() && line["event"] == event
        })
    }

    /// Returns the last event of a peer's prefix after `mark`: `announce`, `withdraw` or `None`.
    pub(crate) fn last_event_of(&self, mark: usize, peer: IpAddr, prefix: &str) -> Option<String> {
        let peer = peer.to_string();
        let lines = self.lines();
        lines[mark..]
            .iter()
            .rfind(|line| line["peer"] == peer.as_str() && line["prefix"] == prefix)
            .map(|line| line["event"].as_str().unwrap().to_owned())
    }

    /// Returns the number of events of one kind from a peer after `mark`.
    pub(crate) fn count(&self, mark: usize, peer: IpAddr, event: &str) -> usize {
        let peer = peer.to_string();
        let lines = self.lines();
        let of_kind = |line: &&Value| line["peer"] == peer.as_str() && line["event"] == event;
        lines[mark..].iter().filter(of_kind).count()
    }

    /// Returns every route that the collector holds from a peer.
    pub(crate) fn dump(&self, peer: IpAddr) -> Vec<Value> {
        let mark = self.mark();
        self.stdin.lock().unwrap().write_all(b"dump\n").unwrap();
        let dump = self
            .wait_for(mark, |line| line["event"] == "dump")
            .expect("an answer to dump");
        let peer = peer.to_string();
        dump["routes"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|route| route["peer"] == peer.as_str())
            .cloned()
            .collect()
    }

    /// Returns the number of open descriptors, and the resident memory in KiB.
    pub(crate) fn resources(&self) -> (usize, usize) {
        let process = format!("/proc/{}", self.child.lock().unwrap().id());
        let descriptors = std::fs::read_dir(format!("{process}/fd")).unwrap().count();
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        (descriptors, resident.unwrap().parse().unwrap())
    }

    /// Returns the CPU time that the collector has used.
    pub(crate) fn processor_time(&self) -> Duration {
        let process = self.child.lock().unwrap().id();
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        // The second field is the program's name in parentheses, which may contain spaces; utime and stime are 14 and 15.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks = fields.split(' ').skip(11).take(2);
        // USER_HZ is 100 on Linux: a tick takes 10 ms.
        Duration::from_millis(ticks.map(|it| it.parse::<u64>().unwrap() * 10).sum())
    }

    /// Limits the number of the collector's open descriptors.
    pub(crate) fn limit_descriptors(&self, maximum: usize) {
        let process = self.child.lock().unwrap().id().to_string();
        let status = Command::new("prlimit")
            .args(["--pid", &process, &format!("--nofile={maximum}:{maximum}")])
            .status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.child.lock().unwrap().signal(signal);
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Value>> {
        self.output.lines.lock().unwrap()
    }
}

/// The limit of the time until an event that needs no timer.
pub(crate) const EVENT_TIMEOUT: Duration = Duration::from_secs(10);
