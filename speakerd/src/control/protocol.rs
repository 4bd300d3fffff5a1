//! Requests and replies.
//!
//! A request is `{"v":1,"id":7,"cmd":"announce","routes":[{"prefix":"192.168.10.1/32"}]}`; `v` and `id` may be left out. A request
//! with one item may have its fields in place of the list: `{"cmd":"announce","prefix":"192.168.10.1/32"}`. Every line of a reply
//! has the `id` of the request. A list comes as one line an item, `{"id":7,"ok":true,"item":{...}}`; every reply ends with
//! `{"id":7,"ok":true,"data":{...}}` or `{"id":7,"ok":false,"error":{"code":...,"message":...,"hint":...}}`.

use std::net::IpAddr;

use bgp_session::SpeakerShutDown;
use bgp_wire::Origin;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::value::name::lenient;
use crate::value::{AnyCommunity, Name, Prefix, origin};

/// The version of the protocol.
pub const VERSION: u64 = 1;

/// A request. One that changes something is made whole or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "kebab-case")]
pub enum Request {
    /// Announces prefixes of pools, in place of announcements of the same prefixes.
    Announce(Announce),
    /// Withdraws announced prefixes.
    Withdraw(Withdraw),
    /// Assigns names addresses of pools and announces these. A name that holds an address keeps it.
    Allocate(Allocate),
    /// Returns the addresses of names to their pools.
    Release(Release),
    /// Makes the routes and leases of an external owner exactly those of the request.
    Replace(Replace),
    /// Lists the announced routes.
    Routes(Nothing),
    /// Lists the peers.
    Peers(Nothing),
}

/// See [`Request::Announce`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Announce {
    /// The routes.
    pub routes: Vec<RouteItem>,
    /// Answer only once every Established peer's kernel has acknowledged the routes that the peer is sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// A route to announce.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RouteItem {
    /// The prefix.
    pub prefix: Prefix,
    /// The next hop, in place of the speaker's own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<IpAddr>,
    /// ORIGIN, in place of the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "origin")]
    pub origin: Option<Origin>,
    /// LOCAL_PREF, in place of the configuration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub med: Option<u32>,
    /// Communities beside those of the pool: `64512:100`, `no-export`; large ones: `64512:1:2`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<AnyCommunity>,
}

/// See [`Request::Withdraw`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Withdraw {
    /// The prefixes.
    pub prefixes: Vec<Prefix>,
    /// As for [`Announce`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// See [`Request::Allocate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Allocate {
    /// The leases.
    pub leases: Vec<LeaseItem>,
    /// As for [`Announce`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// An address to assign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LeaseItem {
    /// The name that is to hold the address.
    pub name: Name,
    /// The pool of the address. Not beside `address`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// See [`Request::Release`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Release {
    /// The names.
    #[serde(deserialize_with = "lenient::deserialize_all")]
    pub names: Vec<Name>,
    /// As for [`Announce`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// See [`Request::Replace`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Replace {
    /// The name of the owner.
    pub owner: Name,
    /// All routes of the owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteItem>,
    /// All leases of the owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leases: Vec<LeaseItem>,
    /// As for [`Announce`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// A request without parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl Request {
    /// Returns `true` if the reply waits for the peers.
    pub(crate) fn waits(&self) -> bool {
        match self {
            Self::Announce(Announce { wait, .. })
            | Self::Withdraw(Withdraw { wait, .. })
            | Self::Allocate(Allocate { wait, .. })
            | Self::Release(Release { wait, .. })
            | Self::Replace(Replace { wait, .. }) => *wait,
            Self::Routes(_) | Self::Peers(_) => false,
        }
    }
}

/// One line of a reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The `id` of the request.
    #[serde(default)]
    pub id: Value,
    /// Whether the request was granted.
    pub ok: bool,
    /// One of a list; more lines follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Value>,
    /// The answer; the reply ends here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Why the request was refused; the reply ends here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ControlError>,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ControlError {
    /// What kind of refusal it is.
    pub code: ErrorCode,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The line is not a request.
    BadRequest,
    /// The prefix lies in no pool that is announced by BGP.
    OutsidePools,
    /// The address could not be allocated.
    Allocation,
    /// There is no lease of this name.
    NotFound,
    /// The change could not be made durable and was not made.
    Storage,
    /// The daemon has as many clients as it serves.
    Busy,
    /// The daemon stops and announces nothing more.
    Stopping,
}

impl ControlError {
    pub(crate) fn new(code: ErrorCode, message: impl std::fmt::Display) -> Self {
        Self {
            code,
            message: message.to_string(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<SpeakerShutDown> for ControlError {
    fn from(SpeakerShutDown: SpeakerShutDown) -> Self {
        Self::new(
            ErrorCode::Stopping,
            "the daemon stops and announces nothing more",
        )
        .hint("repeat the request when the daemon runs again")
    }
}

/// The answer to a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Changed {
    /// The result of each item, in the order of the request. Those of `replace` begin with what was removed.
    pub items: Vec<ItemResult>,
    /// `true` if the change survives a restart.
    pub durable: bool,
}

/// The result of one item of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "result",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
#[non_exhaustive]
pub enum ItemResult {
    /// The route is announced.
    Announced {
        /// The prefix.
        prefix: Prefix,
        /// `false` if the same route was announced before.
        changed: bool,
        /// The owner that goes before, and whose attributes are announced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        behind: Option<String>,
    },
    /// The route is not announced for this owner.
    Withdrawn {
        /// The prefix.
        prefix: Prefix,
        /// `false` if it was not announced before.
        changed: bool,
        /// The owner for which it stays announced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remains: Option<String>,
    },
    /// The name holds an address.
    Allocated {
        /// The name.
        name: Name,
        /// The address.
        address: IpAddr,
        /// Its pool.
        pool: String,
        /// The prefixes that are announced for it.
        prefixes: Vec<Prefix>,
        /// `true` if the name held the address before.
        known: bool,
    },
    /// The name holds no address any more.
    Released {
        /// The name.
        name: Name,
        /// The prefixes that were withdrawn.
        withdrawn: Vec<Prefix>,
        /// The prefixes that stay announced for another owner.
        remaining: Vec<Remaining>,
    },
}

/// A prefix that stays announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Remaining {
    /// The prefix.
    pub prefix: Prefix,
    /// The owner of the route, such as ``the lease of `nginx` ``.
    pub owner: String,
}

/// An announced route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RouteInfo {
    /// The prefix.
    pub prefix: Prefix,
    /// The next hop, where it is not the speaker's own address.
    pub next_hop: Option<IpAddr>,
    /// ORIGIN.
    #[serde(with = "origin")]
    pub origin: Option<Origin>,
    /// LOCAL_PREF, sent to internal peers.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// Communities and large communities.
    pub communities: Vec<AnyCommunity>,
    /// Why it is announced.
    pub source: RouteSource,
}

/// Why a route is announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteSource {
    /// By `announce`.
    Announced,
    /// For the leases of these names.
    Leases(Vec<String>),
}

/// A peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PeerInfo {
    /// Its address.
    pub address: IpAddr,
    /// Its AS number.
    pub remote_as: u32,
    /// What people call it.
    pub description: String,
    /// The state of the session.
    pub state: String,
    /// Seconds since the session is Established, if it is.
    pub uptime: Option<u64>,
    /// Messages received.
    pub messages_received: u64,
    /// Messages sent.
    pub messages_sent: u64,
    /// Prefixes that the peer has announced; they are counted and dropped.
    pub prefixes_received: u64,
    /// Routes announced to the peer, once it has all of them.
    pub prefixes_sent: Option<u64>,
    /// The negotiated hold time in seconds.
    pub hold_time: Option<u16>,
    /// The peer's BGP Identifier.
    pub router_id: Option<String>,
    /// How often the session was Established.
    pub established: u64,
    /// Why the last connection ended or failed.
    pub last_error: Option<String>,
    /// Seconds since then.
    pub last_error_age: Option<u64>,
    /// The last NOTIFICATION that was sent or received. A later failure of a connection does not remove it.
    pub last_notification: Option<String>,
    /// Seconds since then.
    pub last_notification_age: Option<u64>,
}

/// What a handler answers with.
pub(crate) enum Answer {
    One(Value),
    List(Vec<Value>),
}

impl Answer {
    pub(crate) fn one(data: impl Serialize) -> Result<Self, ControlError> {
        to_value(data).map(Self::One)
    }

    pub(crate) fn list<T: Serialize>(
        items: impl IntoIterator<Item = T>,
    ) -> Result<Self, ControlError> {
        items
            .into_iter()
            .map(to_value)
            .collect::<Result<_, _>>()
            .map(Self::List)
    }
}

fn to_value(data: impl Serialize) -> Result<Value, ControlError> {
    serde_json::to_value(data).map_err(|error| ControlError::new(ErrorCode::BadRequest, error))
}

/// Reads one line; the `id` even of a line that is wrong, if it has one.
pub(crate) fn parse_request(line: &str) -> (Value, Result<Request, ControlError>) {
    let bad = |message: String| ControlError::new(ErrorCode::BadRequest, message);
    let mut object: Map<String, Value> = match serde_json::from_str(line) {
        Ok(object) => object,
        Err(error) => {
            let hint = r#"one JSON object a line: {"cmd":"announce","prefix":"192.168.10.1/32"}"#;
            return (
                Value::Null,
                Err(bad(format!("not a request: {error}")).hint(hint)),
            );
        }
    };
    let id = object.remove("id").unwrap_or_default();
    match object.remove("v") {
        None => {}
        Some(version) if version.as_u64() == Some(VERSION) => {}
        Some(version) => {
            return (
                id,
                Err(bad(format!("version {version} is not known")).hint(format!("\"v\":{VERSION}"))),
            );
        }
    }
    let Some(command) = object.get("cmd") else {
        return (id, Err(bad("`cmd` is missing".into()).hint(COMMANDS)));
    };
    let command = command.as_str().unwrap_or_default().to_owned();
    collect_item(&command, &mut object);
    (
        id,
        serde_json::from_value(Value::Object(object)).map_err(|error| bad(error.to_string())),
    )
}

const COMMANDS: &str = "announce, withdraw, allocate, release, replace, routes or peers";

/// Moves the fields of a request with one item into its list.
fn collect_item(command: &str, object: &mut Map<String, Value>) {
    let (list, field) = match command {
        "announce" => ("routes", None),
        "allocate" => ("leases", None),
        "withdraw" => ("prefixes", Some("prefix")),
        "release" => ("names", Some("name")),
        _ => return,
    };
    // Beside the list, the fields of an item are unknown ones, which are refused.
    if object.contains_key(list) {
        return;
    }
    let items = match field {
        Some(field) => object.remove(field).into_iter().collect(),
        None => {
            let all = std::mem::take(object);
            let of_request = |name: &String| name == "cmd" || name == "wait";
            let (request, item): (Map<_, _>, Map<_, _>) =
                all.into_iter().partition(|(name, _)| of_request(name));
            *object = request;
            vec![Value::Object(item)]
        }
    };
    if !items.is_empty() {
        object.insert(list.into(), json!(items));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let (id, request) = parse_request(
            r#"{"v":1,"id":7,"cmd":"announce","prefix":"192.168.10.1/32","communities":["64512:1","1:2:3"]}"#,
        );
        assert_eq!(id, 7);
        let Ok(Request::Announce(announce)) = request else {
            panic!("{request:?}")
        };
        assert_eq!(announce.routes.len(), 1);
        assert_eq!(announce.routes[0].communities.len(), 2);
        let (id, request) = parse_request(r#"{"id":"x","cmd":"peers"}"#);
        assert_eq!((id, request), ("x".into(), Ok(Request::Peers(Nothing {}))));
    }

    #[test]
    fn one_item_is_a_list_of_one() {
        for (short, long) in [
            (
                r#"{"cmd":"announce","prefix":"10.0.0.0/8","med":7,"wait":true}"#,
                r#"{"cmd":"announce","routes":[{"prefix":"10.0.0.0/8","med":7}],"wait":true}"#,
            ),
            (
                r#"{"cmd":"withdraw","prefix":"10.0.0.0/8"}"#,
                r#"{"cmd":"withdraw","prefixes":["10.0.0.0/8"]}"#,
            ),
            (
                r#"{"cmd":"allocate","name":"a","pool":"p"}"#,
                r#"{"cmd":"allocate","leases":[{"name":"a","pool":"p"}]}"#,
            ),
            (
                r#"{"cmd":"release","name":"a"}"#,
                r#"{"cmd":"release","names":["a"]}"#,
            ),
        ] {
            let (_, request) = parse_request(short);
            let request = request.unwrap();
            assert_eq!(parse_request(long).1, Ok(request.clone()));
            // The client sends the long form.
            assert_eq!(serde_json::to_string(&request).unwrap(), long);
        }
    }

    #[test]
    fn refusals_say_what_is_wrong() {
        let table = [
            ("", "not a request: EOF"),
            ("[]", "not a request: invalid type: sequence"),
            ("{}", "`cmd` is missing"),
            (r#"{"cmd":"x"}"#, "unknown variant `x`, expected one of"),
            (r#"{"v":2,"cmd":"peers"}"#, "version 2 is not known"),
            (r#"{"cmd":"peers","x":1}"#, "unknown field `x`"),
            (r#"{"cmd":"announce"}"#, "missing field `prefix`"),
            (r#"{"cmd":"withdraw"}"#, "missing field `prefixes`"),
            (r#"{"cmd":"release"}"#, "missing field `names`"),
            (r#"{"cmd":"replace"}"#, "missing field `owner`"),
            (
                r#"{"cmd":"announce","routes":[],"prefix":"10.0.0.0/8"}"#,
                "unknown field `prefix`",
            ),
            (
                "{\"cmd\":\"allocate\",\"name\":\"a\\u202e\"}",
                "a name cannot have the character",
            ),
            (
                r#"{"cmd":"announce","prefix":"10.0.0.0/33"}"#,
                "`10.0.0.0/33` is not a prefix",
            ),
            (
                r#"{"cmd":"announce","prefix":"10.0.0.1/24"}"#,
                "`10.0.0.1/24` has bits set behind its length",
            ),
            (
                r#"{"cmd":"announce","prefix":"10.0.0.0/8","local-pref":-1}"#,
                "invalid value: integer `-1`, expected u32",
            ),
            (
                r#"{"cmd":"announce","prefix":"10.0.0.0/8","local_pref":1}"#,
                "unknown field `local_pref`, expected",
            ),
            (
                r#"{"cmd":"announce","prefix":"10.0.0.0/8","origin":"x"}"#,
                "`x` is not an origin",
            ),
            (
                r#"{"cmd":"announce","prefix":"10.0.0.0/8","communities":["x"]}"#,
                "`x` is not a community",
            ),
        ];
        for (line, message) in table {
            let (_, request) = parse_request(line);
            let error = request.unwrap_err();
            assert!(error.message.contains(message), "{line}: {}", error.message);
        }
    }
}
