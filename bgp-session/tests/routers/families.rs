//! Routes of every family, each read back from a router with its own command-line client.

mod blackhole;
mod deferral;
mod evpn;
mod flowspec;
mod prefixes;
mod vpn;

use std::net::IpAddr;
use std::time::Duration;

use bgp_session::{Destination, Route};
use bgp_wire::{Community, Family};
use speakerd_testkit::{TIMEOUT, poll};

use crate::router::{Kind, Router};
use crate::setup::{Dialling, Setup};
use crate::speaker::{OurSpeaker, expect_established};

pub(crate) use deferral::flowspec_arrives_without_deferral;

/// The interval between two commands to a router.
const INTERVAL: Duration = Duration::from_millis(50);

/// A route to announce.
#[derive(Clone, Copy)]
struct Announced {
    family: Family,
    destination: &'static str,
    extended_communities: &'static [&'static str],
    community: Option<Community>,
    /// The next hop, or `None` for our address of the session.
    next_hop: Option<IpAddr>,
}

impl Announced {
    /// Returns a route with our address as next hop and without a community.
    const fn new(
        family: Family,
        destination: &'static str,
        extended_communities: &'static [&'static str],
    ) -> Self {
        Self {
            family,
            destination,
            extended_communities,
            community: None,
            next_hop: None,
        }
    }

    fn destination(&self) -> Destination {
        Destination::parse(self.family, self.destination).unwrap()
    }

    fn route(&self) -> Route {
        let mut route = Route::to(self.destination());
        for text in self.extended_communities {
            route = route.with_extended_community(text.parse().unwrap());
        }
        if let Some(community) = self.community {
            route = route.with_community(community);
        }
        match self.next_hop {
            Some(address) => route.with_next_hop(address),
            None => route,
        }
    }
}

/// A route and the texts with which a router shows it.
struct Row {
    route: Announced,
    /// The command that shows it.
    command: &'static str,
    /// Parts of the answer. The first one contains the destination. `OURS` and `OURS6` are replaced by our addresses.
    parts: &'static [&'static str],
}

impl Row {
    const fn new(route: Announced, command: &'static str, parts: &'static [&'static str]) -> Self {
        Self {
            route,
            command,
            parts,
        }
    }
}

/// Routes to announce to one router in one session.
pub(crate) struct Group {
    /// The name of the trial after the router's.
    pub(crate) name: &'static str,
    pub(crate) kind: &'static Kind,
    families: &'static [Family],
    rows: &'static [Row],
}

/// Returns every group with every router that supports its families.
pub(crate) fn groups() -> impl Iterator<Item = &'static Group> {
    let groups = [
        &flowspec::GROUPS[..],
        &blackhole::GROUPS,
        &prefixes::GROUPS,
        &vpn::GROUPS,
        &evpn::GROUPS,
    ];
    groups.into_iter().flatten()
}

impl Group {
    const fn new(
        name: &'static str,
        kind: &'static Kind,
        families: &'static [Family],
        rows: &'static [Row],
    ) -> Self {
        Self {
            name,
            kind,
            families,
            rows,
        }
    }

    /// Returns the setup of the session with this number: we dial, with the families of the group.
    pub(crate) fn setup(&self, number: u8) -> Setup {
        Setup {
            families: self.families,
            ..Setup::new(number, Dialling::Us)
        }
    }

    /// Announces and withdraws each route alone. Panics if the router does not show it, or still shows it afterwards.
    pub(crate) fn run(&self, setup: &Setup) {
        let ours = OurSpeaker::start(setup, false);
        let peer = ours.add(setup.peer());
        let router = Router::start(self.kind, setup);
        expect_established(&peer);
        // The same time at the end shows that no route reset the session.
        let since = peer.status().established_since;
        for row in self.rows {
            let parts: Vec<_> = row.parts.iter().map(|part| in_setup(part, setup)).collect();
            // Alone, because some commands show the whole table: a part could match another route.
            assert_eq!(ours.speaker.announce(&row.route.route()), Ok(true));
            expect_answer(&router, row.command, |answer| {
                parts.iter().all(|part| answer.contains(part))
            });
            assert_eq!(ours.speaker.withdraw(row.route.destination()), Ok(true));
            expect_answer(&router, row.command, |answer| !answer.contains(&parts[0]));
        }
        let status = peer.status();
        assert_eq!(status.established_since, since, "{status:?}");
    }
}

/// Replaces our addresses in a part of an answer.
fn in_setup(part: &str, setup: &Setup) -> String {
    part.replace("OURS6", &setup.our_ipv6().to_string())
        .replace("OURS", &setup.our_ipv4().to_string())
}

/// Waits until the answer of the command-line client is right. A command that fails, for example for a missing route, counts
/// as an empty answer.
fn expect_answer(router: &Router, command: &str, is_right: impl Fn(&str) -> bool) {
    let mut last = String::new();
    let found = poll(TIMEOUT, INTERVAL, || {
        last = router.client(command).unwrap_or_default();
        is_right(&last).then_some(())
    });
    let name = router.kind.program.name;
    assert!(found.is_some(), "{name}: {command}: not expected:\n{last}");
}
