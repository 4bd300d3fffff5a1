//! The routes that the neighbors have announced.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "only the start and the end of a session matter here"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp_session::{AdjRibIn, RouteChange, SessionEvent, SpeakerEvent};

use crate::json;

/// A table for each neighbor that is up or has retained routes.
#[derive(Default)]
pub(crate) struct Tables(BTreeMap<IpAddr, Table>);

#[derive(Default)]
struct Table {
    routes: AdjRibIn,
    is_up: bool,
}

impl Tables {
    /// Applies an event to the neighbor's table and prints the changes.
    pub(crate) fn apply(&mut self, event: &SpeakerEvent, out: &mut Vec<u8>) {
        let SpeakerEvent::Session { peer, event, .. } = event else {
            return;
        };
        if let Some(fields) = json::event(event) {
            json::print(peer, fields, out);
        }
        let table = self.0.entry(*peer).or_default();
        match event {
            SessionEvent::Up { .. } => table.is_up = true,
            SessionEvent::Down { .. } => table.is_up = false,
            _ => {}
        }
        table.routes.apply(event, |change| {
            let fields = match change {
                RouteChange::Announced(nlri, route) => json::announced(nlri, route),
                RouteChange::Withdrawn(nlri) => json::withdrawn(nlri),
                _ => return,
            };
            json::print(peer, fields, out);
        });
        // A stranger that connects and never comes up must not leave a table behind.
        if !table.is_up && table.routes.is_empty() {
            self.0.remove(peer);
        }
    }

    /// Prints every route in one object.
    pub(crate) fn dump(&self, out: &mut Vec<u8>) {
        let routes = self.0.iter().flat_map(|(peer, table)| {
            table
                .routes
                .routes()
                .map(move |(nlri, route)| json::held(peer, &nlri, route))
        });
        json::print_dump(&routes.collect::<Vec<_>>(), out);
    }
}
