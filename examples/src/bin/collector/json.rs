//! The JSON lines that the collector prints.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "events without a line of their own print nothing"
)]

use std::net::IpAddr;

use bgp_session::{DownReason, ReceivedRoute, SessionEvent, SessionId, Staleness};
use bgp_wire::{AnyNlriBuf, Family, FamilySet};
use serde_json::{Map, Value, json};

/// Appends one line with the neighbor's address.
pub(crate) fn print(peer: &IpAddr, mut fields: Value, out: &mut Vec<u8>) {
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("peer".into(), json!(peer));
    }
    write(&fields, out);
}

pub(crate) fn print_dump(routes: &[Value], out: &mut Vec<u8>) {
    write(&json!({"event": "dump", "routes": routes}), out);
}

/// Returns the line of an event, or `None` for events that print no line or a line per route.
pub(crate) fn event(event: &SessionEvent) -> Option<Value> {
    Some(match event {
        SessionEvent::Up {
            session,
            negotiated,
            ..
        } => json!({
            "event": "up",
            "session": session.to_string(),
            "as": negotiated.peer_as,
            "router_id": negotiated.peer_router_id,
            "hold_time": negotiated.hold_time,
            "families": negotiated.families(),
        }),
        SessionEvent::Down {
            session,
            reason,
            retained,
            ..
        } => down(*session, reason, retained),
        SessionEvent::UnexpectedPathIds(family) => {
            json!({"event": "unexpected-path-ids", "family": family})
        }
        SessionEvent::Refresh(family) => json!({"event": "refresh", "family": family}),
        SessionEvent::EndOfRib(family) => json!({"event": "eor", "family": family}),
        _ => return None,
    })
}

pub(crate) fn announced(nlri: &AnyNlriBuf, route: &ReceivedRoute) -> Value {
    let mut fields = route_fields(nlri, route);
    fields.insert("event".into(), "announce".into());
    fields.into()
}

pub(crate) fn withdrawn(nlri: &AnyNlriBuf) -> Value {
    let mut fields = nlri_fields(nlri);
    fields.insert("event".into(), "withdraw".into());
    fields.into()
}

/// Returns one route of a dump.
pub(crate) fn held(peer: &IpAddr, nlri: &AnyNlriBuf, route: &ReceivedRoute) -> Value {
    let mut fields = route_fields(nlri, route);
    fields.insert("peer".into(), json!(peer));
    fields.into()
}

fn write(value: &Value, out: &mut Vec<u8>) {
    out.extend(value.to_string().bytes());
    out.push(b'\n');
}

fn down(session: SessionId, reason: &DownReason, retained: &FamilySet) -> Value {
    let mut fields = json!({"event": "down",
        "session": session.to_string(), "reason": reason.to_string(), "retained": retained});
    // `by` names the side that ended the session, for readers that do not parse `reason`.
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

/// Returns the destination, the path identifier if the route has one, and the family unless the prefix tells it.
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

/// Returns the next hop and the attributes that the route has.
fn route_fields(nlri: &AnyNlriBuf, route: &ReceivedRoute) -> Map<String, Value> {
    let mut fields = nlri_fields(nlri);
    fields.insert("next_hop".into(), json!(route.next_hop));
    if route.staleness != Staleness::Fresh {
        fields.insert("stale".into(), true.into());
    }
    // `AttributeSet` serializes absent attributes as null, false or an empty list; a line leaves them out.
    let is_present = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    if let Value::Object(attributes) = json!(*route.attributes) {
        let present = attributes
            .into_iter()
            .filter(|(_, value)| is_present(value));
        fields.extend(present);
    }
    fields
}
