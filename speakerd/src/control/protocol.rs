//! Requests and replies.
//!
//! A request is `{"v":1,"id":7,"cmd":"announce","prefix":"192.168.10.1/32"}`; `v` and `id` may be left out. Every line
//! of its reply has the same `id`. A list comes as one line an item, `{"id":7,"ok":true,"item":{...}}`; every reply ends
//! with `{"id":7,"ok":true,"data":{...}}` or `{"id":7,"ok":false,"error":{"code":...,"message":...,"hint":...}}`.

use std::net::IpAddr;

use bgp_session::SpeakerShutDown;
use bgp_wire::Origin;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::value::{AnyCommunity, Prefix, origin};

/// The version of the protocol.
pub const VERSION: u64 = 1;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "kebab-case")]
pub enum Request {
    /// Announce a prefix of a pool, in place of an announcement of the same prefix.
    Announce(Announce),
    /// Withdraw an announced prefix.
    Withdraw(Withdraw),
    /// Give this name an address of a pool and announce it; the same name gets the same address again.
    Allocate(Allocate),
    /// Take the address of this name back and withdraw it.
    Release(Release),
    /// List what is announced.
    Routes(Nothing),
    /// List the peers.
    Peers(Nothing),
}

/// See [`Request::Announce`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Announce {
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
    /// Communities: `64512:100`, `no-export`; large ones: `64512:1:2`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<AnyCommunity>,
    /// Answer only once every Established peer's kernel has acknowledged the routes that the peer is sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// See [`Request::Withdraw`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Withdraw {
    /// The prefix.
    pub prefix: Prefix,
    /// As for [`Announce`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// See [`Request::Allocate`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Allocate {
    /// Who the address is for.
    pub name: String,
    /// The pool to take it from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The address to take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// As for [`Announce`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// See [`Request::Release`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Release {
    /// Who gives the address back.
    pub name: String,
    /// As for [`Announce`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
}

/// A request without parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl Request {
    /// Whether the reply is to wait for the peers.
    pub(crate) fn waits(&self) -> bool {
        match self {
            Self::Announce(Announce { wait, .. })
            | Self::Withdraw(Withdraw { wait, .. })
            | Self::Allocate(Allocate { wait, .. })
            | Self::Release(Release { wait, .. }) => *wait,
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
    /// The prefix is announced for a lease.
    Leased,
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

/// The answer to `allocate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Allocated {
    /// Who the address is for.
    pub name: String,
    /// The address.
    pub address: IpAddr,
    /// Its pool.
    pub pool: String,
    /// What is announced for it.
    pub prefixes: Vec<Prefix>,
    /// Whether the name had the address before.
    pub known: bool,
    /// Whether the lease survives a restart.
    pub durable: bool,
}

/// The answer to `announce`, `withdraw` and `release`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Changed {
    /// Whether anything is different now.
    pub changed: bool,
    /// The prefixes that it was about.
    pub prefixes: Vec<Prefix>,
    /// The prefixes that stay announced for another owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remaining: Vec<Remaining>,
    /// Whether the change survives a restart.
    pub durable: bool,
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
    if !object.contains_key("cmd") {
        return (id, Err(bad("`cmd` is missing".into()).hint(COMMANDS)));
    }
    (
        id,
        serde_json::from_value(Value::Object(object)).map_err(|error| bad(error.to_string())),
    )
}

const COMMANDS: &str = "announce, withdraw, allocate, release, routes or peers";

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
        assert_eq!(announce.communities.len(), 2);
        let (id, request) = parse_request(r#"{"id":"x","cmd":"peers"}"#);
        assert_eq!((id, request), ("x".into(), Ok(Request::Peers(Nothing {}))));
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
