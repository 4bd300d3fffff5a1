//! A kind of router, and the routes of one that runs.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use speakerd_testkit::{Launch, Program, eventually};

use crate::setup::{Gtsm, Setup};

/// How a router is configured and asked.
pub(crate) struct Kind {
    pub(crate) program: &'static Program,
    /// Whether it keeps the routes of a neighbor that restarts (RFC 4724).
    pub(crate) helps: bool,
    /// Who can look at the other's TTL.
    pub(crate) gtsm: Gtsm,
    /// When it has dialled for the first time at the latest.
    pub(crate) dials_within: Duration,
    pub(crate) configuration: fn(&Setup) -> String,
    /// The command that shows its route to a prefix.
    pub(crate) show: fn(IpNet) -> String,
    /// Returns `true` if the answer shows a route.
    pub(crate) shows: fn(&str, IpNet) -> bool,
}

/// A running router; it and its files are gone with this.
pub(crate) struct Router {
    pub(crate) kind: &'static Kind,
    router: speakerd_testkit::Router,
}

impl Router {
    /// Starts it; it can be asked when this returns.
    pub(crate) fn start(kind: &'static Kind, setup: &Setup) -> Self {
        let launch = Launch::new((kind.configuration)(setup), setup.theirs());
        Self {
            kind,
            router: speakerd_testkit::Router::start(kind.program, &launch),
        }
    }

    /// What it says of its route to this prefix.
    pub(crate) fn route(&self, prefix: IpNet) -> Option<String> {
        let answer = self.router.ask(&(self.kind.show)(prefix));
        let answer = answer.expect("the router answers");
        (self.kind.shows)(&answer, prefix).then_some(answer)
    }

    /// Returns the answer of its command-line client.
    pub(crate) fn client(&self, command: &str) -> Option<String> {
        self.router.client(command)
    }

    pub(crate) fn has(&self, prefix: IpNet) -> bool {
        self.route(prefix).is_some()
    }

    /// Waits for the route, and looks at its next hop.
    pub(crate) fn expect(&self, prefix: IpNet, next_hop: IpAddr) {
        let what = format!("{prefix} via {next_hop} at {}", self.kind.program.name);
        eventually(&what, || {
            let said = self.route(prefix)?;
            said.contains(&next_hop.to_string()).then_some(())
        });
    }

    pub(crate) fn expect_none(&self, prefix: IpNet) {
        let what = format!("no {prefix} at {}", self.kind.program.name);
        eventually(&what, || (!self.has(prefix)).then_some(()));
    }
}
