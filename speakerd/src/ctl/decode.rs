//! `speakerctl decode`: BGP messages given in hex, taken apart.

use std::fmt::Write;
use std::io::Read;
use std::net::IpAddr;

use bgp_wire::{
    Asn, Context, Dissection, Family, Frame, MessageLimit, PeerKind, Role, RouterId, dissect,
};
use bytes::BytesMut;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::paste;
use crate::exit::{Failure, say};

/// What to decode, and what the two speakers have agreed on.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Whole messages: hex, or a dump of xxd, hexdump -C, tcpdump -x, Wireshark or ExaBGP; - reads standard input
    #[arg(required = true, value_name = "HEX")]
    hex: Vec<String>,
    /// Where the sender is
    #[arg(long, value_enum, default_value_t = Sender::Internal)]
    from: Sender,
    /// AS numbers have two octets
    #[arg(long)]
    two_octet_as: bool,
    /// Routes have path identifiers (ADD-PATH), in every family or in those given
    #[arg(long, value_name = "FAMILY,...", num_args = 0.., require_equals = true, value_delimiter = ',', value_parser = family)]
    add_path: Option<Vec<Family>>,
    /// Prefixes may have several labels (RFC 8277), in every family or in those given
    #[arg(long, value_name = "FAMILY,...", num_args = 0.., require_equals = true, value_delimiter = ',', value_parser = family)]
    multiple_labels: Option<Vec<Family>>,
    /// AS_SETs are no fault, in spite of RFC 9774
    #[arg(long)]
    as_sets: bool,
    /// The receiver's AS: a path with it in it is a loop
    #[arg(long, value_name = "AS")]
    local_as: Option<Asn>,
    /// The sender's AS: paths have to begin with it
    #[arg(long, value_name = "AS")]
    first_as: Option<Asn>,
    /// The receiver's address: no next hop may be it
    #[arg(long, value_name = "ADDRESS")]
    local_address: Option<IpAddr>,
    /// The receiver's BGP Identifier: a route with it as ORIGINATOR_ID is the receiver's own
    #[arg(long, value_name = "ROUTER-ID")]
    router_id: Option<RouterId>,
    /// The sender's role (RFC 9234): a leaked route is ignored. The role of a peer needs --first-as
    #[arg(long, value_enum, value_name = "ROLE", requires_if("peer", "first_as"))]
    peer_role: Option<SenderRole>,
}

/// The families of an option that means all of them where it names none.
fn families(given: Option<&Vec<Family>>) -> impl Iterator<Item = Family> {
    let families = match given {
        None => &[],
        Some(families) if families.is_empty() => Family::PARSED,
        Some(families) => families,
    };
    families.iter().copied()
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sender {
    /// In the receiver's AS
    Internal,
    /// In another AS
    External,
    /// In another AS of the receiver's confederation
    Confederation,
}

/// The roles of RFC 9234.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SenderRole {
    /// A transit provider of the receiver
    Provider,
    /// A transit customer of the receiver
    Customer,
    /// A route server
    Rs,
    /// A client of the receiver's route server
    RsClient,
    /// Exchanges only its own and its customers' routes
    Peer,
}

impl From<SenderRole> for Role {
    fn from(role: SenderRole) -> Self {
        match role {
            SenderRole::Provider => Self::PROVIDER,
            SenderRole::Customer => Self::CUSTOMER,
            SenderRole::Rs => Self::ROUTE_SERVER,
            SenderRole::RsClient => Self::ROUTE_SERVER_CLIENT,
            SenderRole::Peer => Self::PEER,
        }
    }
}

fn family(text: &str) -> Result<Family, String> {
    text.parse()
        .map_err(|error: bgp_wire::ParseFamilyError| error.to_string())
}

impl Arguments {
    fn context(&self) -> Context {
        let peer = match self.from {
            Sender::Internal => PeerKind::Internal,
            Sender::External => PeerKind::External,
            Sender::Confederation => PeerKind::Confederation,
        };
        let context = Context::new(peer)
            .with_families(Family::PARSED.iter().copied())
            .with_raw_families(true)
            // Whether this was negotiated cannot be told; what it would have changed can be read without knowing.
            .with_extended_next_hop(Family::PARSED.iter().copied())
            .with_add_path(families(self.add_path.as_ref()))
            .with_multiple_labels(families(self.multiple_labels.as_ref()))
            .with_four_octet_as(!self.two_octet_as)
            .with_as_sets(self.as_sets)
            .with_confederation(true)
            .with_message_limit(MessageLimit::Extended);
        let context = self
            .local_as
            .map_or(context, |asn| context.with_local_as(asn));
        let context = self
            .first_as
            .map_or(context, |asn| context.with_first_as(asn));
        let context = self
            .local_address
            .map_or(context, |address| context.with_local_address(address));
        let context = self
            .router_id
            .map_or(context, |router_id| context.with_router_id(router_id));
        self.peer_role.map_or(context, |role| {
            // Only the role of a peer is judged by the AS number, and it is required then.
            let asn = self.first_as.unwrap_or(Asn::new(0));
            context.with_peer_role(role.into(), asn)
        })
    }

    fn octets(&self) -> Result<Vec<u8>, Failure> {
        let mut text = String::new();
        for part in &self.hex {
            if part == "-" {
                std::io::stdin()
                    .read_to_string(&mut text)
                    .map_err(|error| Failure::system("standard input", &error))?;
            } else {
                text.push_str(part);
                text.push(' ');
            }
        }
        paste::parse(&text).map_err(|error| Failure::new(Failure::REFUSED, error))
    }
}

/// Splits messages; what does not start with a legal header is the last.
fn messages(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut buffer = BytesMut::from(octets);
    let mut messages = Vec::new();
    while let Ok(Some(frame)) = Frame::split(&mut buffer, MessageLimit::Extended) {
        messages.push(frame.octets().to_vec());
    }
    if !buffer.is_empty() {
        messages.push(buffer.to_vec());
    }
    messages
}

/// Prints every message. Refused (1) if one is malformed.
pub(super) fn run(arguments: &Arguments, as_json: bool) -> Result<(), Failure> {
    let (context, octets) = (arguments.context(), arguments.octets()?);
    let mut wrong = 0;
    let mut objects = Vec::new();
    let messages = messages(&octets);
    for (position, message) in messages.iter().enumerate() {
        let dissection = dissect(message, &context);
        wrong += usize::from(dissection.fault.is_some());
        if as_json {
            objects.push(object(&dissection));
        } else {
            say(&text(&dissection, message, position))?;
        }
    }
    if as_json {
        say(&format!("{}\n", Value::Array(objects)))?;
    }
    match wrong {
        0 => Ok(()),
        1 if messages.len() == 1 => Err(Failure::new(Failure::REFUSED, "")),
        _ => Err(Failure::new(
            Failure::REFUSED,
            format!("{wrong} of {} messages are wrong", messages.len()),
        )),
    }
}

fn text(dissection: &Dissection, message: &[u8], position: usize) -> String {
    let mut text = if position == 0 {
        String::new()
    } else {
        "\n".to_owned()
    };
    let _ = write!(text, "{dissection}");
    if dissection.unexpected_path_ids.is_some() {
        text.push_str("  help: decode with --add-path\n");
    }
    text.push_str(&dissection.excerpt(message).unwrap_or_default());
    text
}

fn object(dissection: &Dissection) -> Value {
    let fields = dissection.fields.iter().map(|field| {
        json!({
            "octets": [field.octets.start, field.octets.end],
            "depth": field.depth,
            "name": field.name,
            "value": field.value,
        })
    });
    let fault = dissection.fault.map(|(treatment, error)| {
        json!({
            "octets": [error.span.start, error.span.end],
            "code": error.reason.code,
            "subcode": error.reason.subcode,
            "reason": error.reason.to_string(),
            "treatment": treatment.to_string(),
        })
    });
    json!({
        "fields": fields.collect::<Vec<_>>(),
        "fault": fault,
        "unusable": dissection.unusable.map(|reason| reason.to_string()),
        "unexpected-path-ids": dissection.unexpected_path_ids.map(|family| family.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        let keepalive = bgp_wire::KEEPALIVE;
        assert_eq!(messages(&[keepalive, keepalive].concat()).len(), 2);
        let rest = messages(&[&keepalive[..], &[0xff, 0xff]].concat());
        assert_eq!(rest[1], [0xff, 0xff], "what is left is shown, too");
    }

    #[test]
    fn a_message_as_json() {
        let octets =
            paste::parse("ffffffffffffffffffffffffffffffff 001b 02 0000 0000 18c0a80a").unwrap();
        let dissection = dissect(&octets, &Context::new(PeerKind::External));
        let object = object(&dissection);
        assert_eq!(object["fault"]["treatment"], "treat-as-withdraw");
        assert_eq!(object["fault"]["octets"], json!([21, 23]));
        assert_eq!(object["fields"][6]["value"], "192.168.10.0/24");
    }
}
