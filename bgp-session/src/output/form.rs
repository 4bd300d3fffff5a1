//! `Serialize` of received messages and of the ends of connections.

use std::io;

use bgp_wire::{Fault, NotificationBuf, UpdateBuf};
use serde::ser::{Serialize, Serializer};

use super::{DownReason, MalformedUpdate, ReceivedUpdate};
use crate::fsm::State;

/// Serialized as the routes and the attributes, after the treatment that RFC 7606 requires.
impl Serialize for ReceivedUpdate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        UpdateBuf::from(&self.check()).serialize(serializer)
    }
}

/// Serialized as the fault, the text of each route, and the message in hexadecimal digits.
impl Serialize for MalformedUpdate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Form {
            fault: Fault,
            routes: Vec<String>,
            message: String,
        }
        let octets = self.frame().octets();
        let form = Form {
            fault: self.fault(),
            routes: self.routes().map(|route| route.to_string()).collect(),
            message: octets.iter().map(|octet| format!("{octet:02x}")).collect(),
        };
        form.serialize(serializer)
    }
}

/// Serialized as the kind, the text, and what the kind has of a NOTIFICATION, a state and an error.
impl Serialize for DownReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Form<'a> {
            kind: &'static str,
            notification: Option<&'a NotificationBuf>,
            state: Option<State>,
            #[serde(serialize_with = "crate::serialize::optional_text")]
            error: Option<io::ErrorKind>,
            text: String,
        }
        let (kind, state, error) = match self {
            Self::Local(_) => ("local", None, None),
            Self::Remote(_) => ("remote", None, None),
            Self::ConnectFailed { error } => ("connect_failed", None, *error),
            Self::Closed { state, error } => ("closed", Some(*state), *error),
            Self::TimedOut => ("timed_out", None, None),
            Self::Stopped(_) => ("stopped", None, None),
            Self::Restarting => ("restarting", None, None),
        };
        let form = Form {
            kind,
            notification: self.notification(),
            state,
            error,
            text: self.to_string(),
        };
        form.serialize(serializer)
    }
}
