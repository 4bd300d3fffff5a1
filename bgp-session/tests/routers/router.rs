//! Kinds of routers, and the routes of a running router.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use speakerd_testkit::{Launch, Program, eventually};

use crate::setup::{Gtsm, Setup};

/// A router program with its abilities, its configuration and the commands that show its routes.
pub(crate) struct Kind {
    pub(crate) program: &'static Program,
    /// `true` if it keeps the routes of a neighbor that restarts (RFC 4724).
    pub(crate) keeps_routes: bool,
    /// The sides that can check the TTL of received packets.
    pub(crate) gtsm: Gtsm,
    /// The maximum time from its start to its first connection attempt.
    pub(crate) dial_timeout: Duration,
    /// Returns the configuration for a setup.
    pub(crate) configuration: fn(&Setup) -> String,
    /// Returns the command that shows its route to a prefix.
    pub(crate) show: fn(IpNet) -> String,
    /// Returns `true` if an answer to `show` contains a route to the prefix.
    pub(crate) shows: fn(&str, IpNet) -> bool,
}

/// A running router. Dropping the handle ends the router and removes its files.
pub(crate) struct Router {
    pub(crate) kind: &'static Kind,
    router: speakerd_testkit::Router,
}

impl Router {
    /// Starts a router and waits until it answers.
    pub(crate) fn start(kind: &'static Kind, setup: &Setup) -> Self {
        let launch = Launch::new((kind.configuration)(setup), setup.router_address());
        Self {
            kind,
            router: speakerd_testkit::Router::start(kind.program, &launch),
        }
    }

    /// Returns the text with which the router shows its route to `prefix`, or `None` if it has no route.
    pub(crate) fn route(&self, prefix: IpNet) -> Option<String> {
        let answer = self.router.ask(&(self.kind.show)(prefix));
        // No answer means that the router has ended, not that it lacks the route.
        let answer = answer.expect("the router answers");
        (self.kind.shows)(&answer, prefix).then_some(answer)
    }

    /// Returns the answer of its command-line client, or `None` if the client gives none.
    pub(crate) fn client(&self, command: &str) -> Option<String> {
        self.router.client(command)
    }

    /// Returns `true` if the router has a route to `prefix`.
    pub(crate) fn has(&self, prefix: IpNet) -> bool {
        self.route(prefix).is_some()
    }

    /// Waits until the router has a route to `prefix` with this next hop.
    pub(crate) fn expect(&self, prefix: IpNet, next_hop: IpAddr) {
        let what = format!("{prefix} via {next_hop} at {}", self.kind.program.name);
        eventually(&what, || {
            let text = self.route(prefix)?;
            text.contains(&next_hop.to_string()).then_some(())
        });
    }

    /// Waits until the router has no route to `prefix`.
    pub(crate) fn expect_none(&self, prefix: IpNet) {
        let what = format!("no {prefix} at {}", self.kind.program.name);
        eventually(&what, || (!self.has(prefix)).then_some(()));
    }
}
