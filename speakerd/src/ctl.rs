//! The command line of `speakerctl`.

mod decode;
mod packet;
mod paste;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use bgp_wire::Origin;
use clap::{Args, Parser, Subcommand};
use serde_json::Value;

use crate::control::{
    Allocate, Allocated, Announce, Changed, Client, ClientError, ErrorCode, Granted, Nothing,
    PeerInfo, Release, Remaining, Request, RouteInfo, RouteSource, Withdraw,
};
use crate::exit::{Failure, report, say};
use crate::paths;
use crate::table::columns;
use crate::value::origin::parse_origin;
use crate::value::{AnyCommunity, Prefix};

/// Asks a running speakerd.
///
/// Ends with 0 if the request was granted, 1 if it was refused, 2 for a wrong command line, 69 if no speakerd answers.
#[derive(Debug, Parser)]
#[command(version, infer_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// The control socket
    #[arg(long, value_name = "PATH", env = "SPEAKERD_SOCKET", global = true)]
    socket: Option<PathBuf>,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Announces a prefix of a pool
    Announce(AnnounceArguments),
    /// Withdraws an announced prefix
    Withdraw {
        /// The prefix
        prefix: Prefix,
        /// Return once every router with a session has acknowledged the routes that it is sent
        #[arg(long)]
        wait: bool,
    },
    /// Gives a name an address of a pool and announces it; the same name gets the same address again
    Allocate {
        /// Who the address is for
        name: String,
        /// The pool to take it from
        #[arg(long, conflicts_with = "address")]
        pool: Option<String>,
        /// The address to take
        #[arg(long)]
        address: Option<IpAddr>,
        /// Return once every router with a session has acknowledged the routes that it is sent
        #[arg(long)]
        wait: bool,
    },
    /// Takes the address of a name back and withdraws it
    Release {
        /// Who gives its address back
        name: String,
        /// Return once every router with a session has acknowledged the routes that it is sent
        #[arg(long)]
        wait: bool,
    },
    /// Lists what is announced
    Routes,
    /// Lists the routers and how their sessions are
    Peers,
    /// Takes BGP messages apart, octet by octet, and points at their faults; asks no speakerd
    ///
    /// Ends with 0 if every message is well-formed, also if the receiver ignores its routes (`ignored`, or `unusable` with
    /// --json). Ends with 1 if a message is malformed or the text is not one of the accepted forms.
    Decode(decode::Arguments),
}

#[derive(Debug, Args)]
struct AnnounceArguments {
    /// The prefix; an address alone stands for itself
    prefix: Prefix,
    /// The next hop, in place of the speaker's own address
    #[arg(long, value_name = "ADDRESS")]
    next_hop: Option<IpAddr>,
    /// igp, egp or incomplete
    #[arg(long, value_parser = parse_origin)]
    origin: Option<Origin>,
    /// LOCAL_PREF, for internal peers
    #[arg(long, value_name = "NUMBER")]
    local_pref: Option<u32>,
    /// MULTI_EXIT_DISC
    #[arg(long, value_name = "NUMBER")]
    med: Option<u32>,
    /// 64512:100, no-export, or large 64512:1:2; may be given more than once
    #[arg(long = "community", value_name = "COMMUNITY")]
    communities: Vec<AnyCommunity>,
    /// Return once every router with a session has acknowledged the routes that it is sent
    #[arg(long)]
    wait: bool,
}

/// Runs `speakerctl` with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.request() {
        Ok(request) => ask(&cli, &request).and_then(|text| say(&text)),
        Err(arguments) => decode::run(arguments, cli.json),
    };
    report("speakerctl", outcome)
}

fn ask(cli: &Cli, request: &Request) -> Result<String, Failure> {
    let socket = cli.socket.clone().unwrap_or_else(paths::control_socket);
    let mut client = Client::connect(&socket).map_err(|error| {
        let message =
            format!("cannot reach speakerd at {error}; is it running, and is --socket right?");
        Failure::new(Failure::UNAVAILABLE, message)
    })?;
    match client.request(request) {
        Ok(granted) if cli.json => Ok(format!("{}\n", json(request, granted))),
        Ok(granted) => {
            text(request, granted).map_err(|error| Failure::new(Failure::UNAVAILABLE, error))
        }
        Err(ClientError::Refused(error)) => {
            if cli.json {
                let object = serde_json::to_string(&error).unwrap_or_default();
                say(&format!("{object}\n"))?;
                return Err(Failure::new(refusal(error.code), ""));
            }
            let hint = error
                .hint
                .as_ref()
                .map(|hint| format!("\n  hint: {hint}"))
                .unwrap_or_default();
            Err(Failure::new(refusal(error.code), format!("{error}{hint}")))
        }
        Err(error @ (ClientError::Unreachable(_) | ClientError::Protocol(_))) => {
            Err(Failure::new(Failure::UNAVAILABLE, error))
        }
    }
}

fn refusal(code: ErrorCode) -> u8 {
    if matches!(code, ErrorCode::Busy | ErrorCode::Stopping) {
        Failure::UNAVAILABLE
    } else {
        Failure::REFUSED
    }
}

impl Command {
    /// What is asked of the daemon, or what is done without one.
    fn request(&self) -> Result<Request, &decode::Arguments> {
        Ok(match self {
            Self::Announce(arguments) => Request::Announce(Announce {
                prefix: arguments.prefix,
                next_hop: arguments.next_hop,
                origin: arguments.origin,
                local_pref: arguments.local_pref,
                med: arguments.med,
                communities: arguments.communities.clone(),
                wait: arguments.wait,
            }),
            Self::Withdraw { prefix, wait } => Request::Withdraw(Withdraw {
                prefix: *prefix,
                wait: *wait,
            }),
            Self::Allocate {
                name,
                pool,
                address,
                wait,
            } => Request::Allocate(Allocate {
                name: name.clone(),
                pool: pool.clone(),
                address: *address,
                wait: *wait,
            }),
            Self::Release { name, wait } => Request::Release(Release {
                name: name.clone(),
                wait: *wait,
            }),
            Self::Routes => Request::Routes(Nothing {}),
            Self::Peers => Request::Peers(Nothing {}),
            Self::Decode(arguments) => return Err(arguments),
        })
    }
}

fn json(request: &Request, granted: Granted) -> Value {
    match request {
        Request::Routes(_) | Request::Peers(_) => Value::Array(granted.items),
        Request::Announce(_)
        | Request::Withdraw(_)
        | Request::Allocate(_)
        | Request::Release(_) => granted.data,
    }
}

/// The answer for people.
fn text(request: &Request, granted: Granted) -> Result<String, serde_json::Error> {
    Ok(match request {
        Request::Announce(_) => change("announced", "announced already", granted.data)?,
        Request::Withdraw(_) => change("withdrawn", "not announced", granted.data)?,
        Request::Release(Release { name, .. }) => {
            let released: Changed = serde_json::from_value(granted.data)?;
            let withdrawn = match &released.prefixes[..] {
                [] => "nothing was withdrawn".to_owned(),
                prefixes => format!("withdrawn {}", joined(prefixes)),
            };
            let remaining = released.remaining.iter().map(remaining).collect::<String>();
            format!(
                "{name} released; {withdrawn}{remaining}{}\n",
                lasting(released.durable)
            )
        }
        Request::Allocate(_) => {
            let allocated: Allocated = serde_json::from_value(granted.data)?;
            let again = if allocated.known { " (as before)" } else { "" };
            let Allocated {
                name,
                address,
                pool,
                prefixes,
                durable,
                ..
            } = allocated;
            let (prefixes, lasting) = (joined(&prefixes), lasting(durable));
            format!("{name} {address}{again} of pool {pool}; announced {prefixes}{lasting}\n")
        }
        Request::Routes(_) => routes(granted.items)?,
        Request::Peers(_) => peers(granted.items)?,
    })
}

fn change(done: &str, before: &str, data: Value) -> Result<String, serde_json::Error> {
    let changed: Changed = serde_json::from_value(data)?;
    let state = if changed.changed { done } else { before };
    let remaining: String = changed.remaining.iter().map(remaining).collect();
    let lasting = lasting(changed.durable);
    let lines = changed
        .prefixes
        .iter()
        .map(|prefix| format!("{prefix} {state}{remaining}{lasting}\n"));
    Ok(lines.collect())
}

fn joined(prefixes: &[Prefix]) -> String {
    let prefixes: Vec<_> = prefixes.iter().map(Prefix::to_string).collect();
    prefixes.join(", ")
}

fn remaining(remaining: &Remaining) -> String {
    format!(
        "; {} stays announced for {}",
        remaining.prefix, remaining.owner
    )
}

/// Returns the end of an answer about a change that does not survive a restart.
fn lasting(durable: bool) -> &'static str {
    if durable {
        ""
    } else {
        " (not durable: speakerd has no state directory)"
    }
}

fn routes(items: Vec<Value>) -> Result<String, serde_json::Error> {
    let row = |item| {
        let route: RouteInfo = serde_json::from_value(item)?;
        let number = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
        let communities: Vec<_> = route
            .communities
            .iter()
            .map(AnyCommunity::to_string)
            .collect();
        Ok([
            route.prefix.to_string(),
            route
                .next_hop
                .map_or_else(|| "self".to_owned(), |address| address.to_string()),
            number(route.med),
            number(route.local_pref),
            route
                .origin
                .map(|origin| origin.letter().to_string())
                .unwrap_or_default(),
            communities.join(" "),
            match route.source {
                RouteSource::Announced => "announced".to_owned(),
                RouteSource::Leases(names) => format!("lease {}", names.join(", ")),
            },
        ])
    };
    let rows = items
        .into_iter()
        .map(row)
        .collect::<Result<Vec<_>, serde_json::Error>>()?;
    Ok(columns(
        [
            "Network",
            "Next Hop",
            "Metric",
            "LocPrf",
            "Origin",
            "Communities",
            "Source",
        ],
        &rows,
    ))
}

fn peers(items: Vec<Value>) -> Result<String, serde_json::Error> {
    let row = |item| {
        let peer: PeerInfo = serde_json::from_value(item)?;
        Ok([
            peer.address.to_string(),
            peer.remote_as.to_string(),
            peer.state.clone(),
            peer.uptime.map_or_else(|| "-".to_owned(), duration),
            peer.messages_received.to_string(),
            peer.messages_sent.to_string(),
            peer.prefixes_received.to_string(),
            peer.prefixes_sent
                .map_or_else(|| "-".to_owned(), |sent| sent.to_string()),
            peer.description.clone(),
            trouble(&peer),
        ])
    };
    let rows = items
        .into_iter()
        .map(row)
        .collect::<Result<Vec<_>, serde_json::Error>>()?;
    let head = [
        "Neighbor",
        "AS",
        "State",
        "Up",
        "MsgRcvd",
        "MsgSent",
        "PfxRcd",
        "PfxSnt",
        "Description",
        "Last error",
    ];
    Ok(columns(head, &rows))
}

/// Returns the last error of a peer, and the last NOTIFICATION unless the error is about it, with their ages.
fn trouble(peer: &PeerInfo) -> String {
    let ago = |text: &str, age: Option<u64>| match age {
        Some(age) => format!("{text} ({} ago)", duration(age)),
        None => text.to_owned(),
    };
    let error = peer.last_error.as_deref();
    let notification = peer
        .last_notification
        .as_deref()
        .filter(|notification| !error.is_some_and(|error| error.contains(notification)));
    let parts = [
        error.map(|error| ago(error, peer.last_error_age)),
        notification.map(|notification| {
            let text = format!("last NOTIFICATION: {notification}");
            ago(&text, peer.last_notification_age)
        }),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn duration(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(line: &str) -> Request {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        cli.command.request().unwrap()
    }

    #[test]
    fn wait_option_asks_for_reply_after_acknowledgement() {
        for command in [
            "announce 192.168.10.1",
            "withdraw 192.168.10.1",
            "allocate web",
            "release web",
        ] {
            let line = format!("speakerctl {command}");
            assert!(!request(&line).waits(), "{line}");
            assert!(request(&format!("{line} --wait")).waits(), "{line} --wait");
        }
        assert!(!request("speakerctl routes").waits());
        assert!(!request("speakerctl peers").waits());
    }

    #[test]
    fn uptime_is_shown_in_hours_minutes_and_seconds() {
        for (seconds, shown) in [
            (0, "00:00:00"),
            (59, "00:00:59"),
            (3599, "00:59:59"),
            (3600, "01:00:00"),
            (100 * 3600 + 62, "100:01:02"),
        ] {
            assert_eq!(duration(seconds), shown);
        }
    }
}
