//! What the neighbors have announced, and what is printed of it.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not printed is not told apart"
)]

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp_session::{
    AdjRibIn, DownReason, PeerEvent, ReceivedRoute, RouteChange, SessionEvent, SessionId, Staleness,
};
use bgp_wire::{AnyNlriBuf, Family};
use serde_json::{Map, Value, json};

/// One table for each neighbor.
#[derive(Default)]
pub(crate) struct Tables(BTreeMap<IpAddr, Table>);

/// What one peer has announced.
#[derive(Default)]
struct Table {
    routes: AdjRibIn,
    up: bool,
}

impl Tables {
    /// Keeps what has happened, and prints it.
    pub(crate) fn apply(&mut self, PeerEvent { peer, event }: &PeerEvent, out: &mut Vec<u8>) {
        let mut line = |fields: Value| print(peer, fields, out);
        match event {
            SessionEvent::Up {
                session,
                negotiated,
            } => line(json!({
                "event": "up",
                "session": session.to_string(),
                "as": negotiated.peer_as,
                "router_id": negotiated.peer_router_id,
                "hold_time": negotiated.hold_time,
                "families": negotiated.families(),
            })),
            SessionEvent::Down {
                session,
                reason,
                retained,
            } => line(down(*session, reason, retained)),
            SessionEvent::Refresh(family) => line(json!({"event": "refresh", "family": family})),
            SessionEvent::EndOfRib(family) => line(json!({"event": "eor", "family": family})),
            _ => {}
        }
        // Who never comes up is forgotten at once.
        let table = self.0.entry(*peer).or_default();
        match event {
            SessionEvent::Up { .. } => table.up = true,
            SessionEvent::Down { .. } => table.up = false,
            _ => {}
        }
        table.routes.apply(event, |change| match change {
            RouteChange::Announced(nlri, route) => {
                let mut fields = route_fields(nlri, route);
                fields.insert("event".into(), "announce".into());
                print(peer, fields.into(), out);
            }
            RouteChange::Withdrawn(nlri) => {
                let mut fields = nlri_fields(nlri);
                fields.insert("event".into(), "withdraw".into());
                print(peer, fields.into(), out);
            }
        });
        if !table.up && table.routes.is_empty() {
            self.0.remove(peer);
        }
    }

    /// Prints every route.
    pub(crate) fn dump(&self, out: &mut Vec<u8>) {
        let routes = self.0.iter().flat_map(|(peer, table)| {
            table.routes.routes().map(move |(nlri, route)| {
                let mut fields = route_fields(&nlri, route);
                fields.insert("peer".into(), json!(peer));
                Value::from(fields)
            })
        });
        let routes: Vec<_> = routes.collect();
        write(&json!({"event": "dump", "routes": routes}), out);
    }
}

fn print(peer: &IpAddr, mut fields: Value, out: &mut Vec<u8>) {
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("peer".into(), json!(peer));
    }
    write(&fields, out);
}

fn write(value: &Value, out: &mut Vec<u8>) {
    out.extend(value.to_string().bytes());
    out.push(b'\n');
}

fn down(session: SessionId, reason: &DownReason, retained: &bgp_wire::FamilySet) -> Value {
    let mut fields = json!({"event": "down",
        "session": session.to_string(), "reason": reason.to_string(), "retained": retained});
    let (by, notification) = match reason {
        DownReason::Local(notification) => ("local", Some(notification)),
        DownReason::Stopped(notification) => ("operator", Some(notification)),
        DownReason::Remote(notification) => ("remote", Some(notification)),
        _ => ("tcp", None),
    };
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("by".into(), by.into());
        if let Some(notification) = notification {
            fields.insert("code".into(), notification.reason.code.into());
            fields.insert("subcode".into(), notification.reason.subcode.into());
        }
    }
    fields
}

/// The family of a route is printed if it is not unicast, whose prefixes tell it.
fn nlri_fields(nlri: &AnyNlriBuf) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("prefix".into(), nlri.destination.to_string().into());
    if !matches!(nlri.family, Family::IPV4_UNICAST | Family::IPV6_UNICAST) {
        fields.insert("family".into(), json!(nlri.family));
    }
    if let Some(path_id) = nlri.path_id {
        fields.insert("path_id".into(), json!(path_id));
    }
    fields
}

/// The attributes that are there, and where the route leads.
fn route_fields(nlri: &AnyNlriBuf, route: &ReceivedRoute) -> Map<String, Value> {
    let mut fields = nlri_fields(nlri);
    fields.insert("next_hop".into(), json!(route.next_hop));
    if route.staleness != Staleness::Fresh {
        fields.insert("stale".into(), true.into());
    }
    let attributes = json!(*route.attributes);
    let given = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    if let Value::Object(attributes) = attributes {
        fields.extend(attributes.into_iter().filter(|(_, value)| given(value)));
    }
    fields
}
