//! A kind of router, and one that runs.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tempfile::TempDir;

use crate::process::{Process, eventually};
use crate::setup::{Gtsm, Setup};

/// How a router is started and asked.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) programs: &'static [&'static str],
    /// Whether it insists on users of its own, which only root may change to.
    pub(crate) needs_root: bool,
    /// Whether it keeps the routes of a neighbor that restarts (RFC 4724).
    pub(crate) helps: bool,
    /// Who can look at the other's TTL.
    pub(crate) gtsm: Gtsm,
    /// When it has dialled for the first time at the latest.
    pub(crate) dials_within: Duration,
    /// Writes the configuration into a directory, and says how to start it.
    pub(crate) configure: fn(&Setup, &Path) -> Command,
    /// Whether it can be asked already.
    pub(crate) is_ready: fn(&Path) -> bool,
    /// What it says of its route to a prefix, if it has one.
    pub(crate) route: fn(&Path, IpNet) -> Option<String>,
}

/// A running router; it and its files are gone with this.
pub(crate) struct Router {
    pub(crate) kind: &'static Kind,
    process: Option<Process>,
    directory: TempDir,
}

impl Router {
    /// Starts it; it can be asked when this returns.
    pub(crate) fn start(kind: &'static Kind, setup: &Setup) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("bgp-session-routers-")
            .tempdir()
            .unwrap();
        let command = (kind.configure)(setup, directory.path());
        let log = directory.path().join("log");
        let mut process = Process::start(command, log);
        eventually("the router answers", || {
            assert!(!process.has_ended(), "it has ended: {}", process.said());
            (kind.is_ready)(directory.path()).then_some(())
        });
        Self {
            kind,
            process: Some(process),
            directory,
        }
    }

    /// What it says of its route to this prefix.
    pub(crate) fn route(&self, prefix: IpNet) -> Option<String> {
        (self.kind.route)(self.directory.path(), prefix)
    }

    pub(crate) fn has(&self, prefix: IpNet) -> bool {
        self.route(prefix).is_some()
    }

    /// Waits for the route, and looks at its next hop.
    pub(crate) fn expect(&self, prefix: IpNet, next_hop: IpAddr) {
        let what = format!("{prefix} via {next_hop} at {}", self.kind.name);
        eventually(&what, || {
            let said = self.route(prefix)?;
            said.contains(&next_hop.to_string()).then_some(())
        });
    }

    pub(crate) fn expect_none(&self, prefix: IpNet) {
        let what = format!("no {prefix} at {}", self.kind.name);
        eventually(&what, || (!self.has(prefix)).then_some(()));
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.process = None;
        // What it has started sees its end only now, and may write a last time.
        let end = Instant::now() + Duration::from_secs(5);
        let directory = self.directory.path();
        while directory.exists() && Instant::now() < end {
            std::fs::remove_dir_all(directory).ok();
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
