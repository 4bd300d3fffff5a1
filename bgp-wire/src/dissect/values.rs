//! Text of attribute values and capability values.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::attribute::{Attribute, AttributeFlags, MpReach, RawAttribute, Tlv};
use crate::context::Context;
use crate::message::{Capability, GracefulRestart};

/// Returns octets in hex, at most the first hundred.
pub(super) fn hex(octets: &[u8]) -> String {
    let shown = octets.get(..MAX_SHOWN).unwrap_or(octets);
    let digits: String = shown.iter().map(|octet| format!("{octet:02x}")).collect();
    // An attribute may have 65535 octets, more than a person reads.
    match octets.len() - shown.len() {
        0 => format!("0x{digits}"),
        more => format!("0x{digits} and {more} more octets"),
    }
}

/// The maximum number of octets that are shown of a value.
const MAX_SHOWN: usize = 100;

/// Returns a text of the peer in quotes.
pub(super) fn text(text: &str) -> String {
    // Escaped, because the text may contain control sequences of a terminal.
    format!("\"{}\"", text.escape_debug())
}

/// Returns the items with spaces between them.
fn join<T: fmt::Display>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<_> = items.map(|item| item.to_string()).collect();
    items.join(" ")
}

/// Returns the names of the attribute flags.
pub(super) fn flag_names(flags: AttributeFlags) -> String {
    let names = [
        if flags.is_optional() {
            "optional"
        } else {
            "well-known"
        },
        if flags.is_transitive() {
            "transitive"
        } else {
            "not transitive"
        },
    ];
    // EXTENDED_LENGTH is left out: it is about the encoding, not about the attribute.
    let partial = (flags.0 & AttributeFlags::PARTIAL != 0).then_some("partial");
    let names: Vec<_> = names.into_iter().chain(partial).collect();
    names.join(", ")
}

/// Returns the value of an attribute that the rules of its code accept.
pub(super) fn attribute_value(raw: RawAttribute<'_>, context: &Context) -> String {
    match Attribute::decode(raw, context) {
        Attribute::Origin(origin) => origin.to_string(),
        Attribute::AsPath(path) | Attribute::As4Path(path) if path.is_empty() => "empty".into(),
        Attribute::AsPath(path) | Attribute::As4Path(path) => path.to_string(),
        Attribute::NextHop(address) | Attribute::OriginatorId(address) => address.to_string(),
        Attribute::MultiExitDisc(number) | Attribute::LocalPref(number) => number.to_string(),
        // The attribute has no value; its presence is the information.
        Attribute::AtomicAggregate => String::new(),
        Attribute::Aggregator(aggregator) | Attribute::As4Aggregator(aggregator) => {
            aggregator.to_string()
        }
        Attribute::Communities(list) => join(list.iter()),
        Attribute::ClusterList(list) => join(list.iter()),
        Attribute::ExtendedCommunities(list) => join(list.iter()),
        Attribute::Ipv6ExtendedCommunities(list) => join(list.iter()),
        Attribute::LargeCommunities(list) => join(list.iter()),
        Attribute::OnlyToCustomer(asn) => asn.to_string(),
        Attribute::MpReach(reach) => mp_reach(&reach),
        // The routes follow as parts of their own.
        Attribute::MpUnreach(unreach) => unreach.family().to_string(),
        Attribute::PmsiTunnel(tunnel) => format!(
            "flags {}, tunnel type {}, label {}, identifier {}",
            tunnel.flags,
            tunnel.tunnel_type,
            tunnel.label,
            hex(tunnel.identifier)
        ),
        Attribute::TunnelEncapsulation(tunnels) => join(tunnels.iter().map(tunnel)),
        Attribute::Aigp(aigp) => aigp
            .metric()
            .map_or_else(String::new, |metric| metric.to_string()),
        Attribute::PrefixSid(sid) => match sid.label_index() {
            Some(index) => format!("label index {index}"),
            None => join(sid.iter().map(tlv)),
        },
        Attribute::AttrSet(set) => {
            debug_assert!(
                set.raw_attributes().all(|raw| raw.is_ok()),
                "it was checked"
            );
            let codes = set.raw_attributes().flatten().map(|raw| raw.code);
            format!("of AS {}: {}", set.origin_as, join(codes))
        }
        Attribute::Unknown(raw) => hex(raw.value),
    }
}

/// Returns the family and the next hop of MP_REACH_NLRI.
fn mp_reach(reach: &MpReach<'_>) -> String {
    // As in the field, even if one of two addresses is not used.
    let next_hop = match reach.next_hops() {
        (Some(first), Some(second)) => format!("{first} {second}"),
        (Some(address), None) => address.to_string(),
        // RFC 8955 section 4: a flow specification has a next hop of length 0.
        (None, _) if reach.next_hop_octets().is_empty() => "none".into(),
        (None, _) => hex(reach.next_hop_octets()),
    };
    format!("{}, next hop {next_hop}", reach.family())
}

/// Returns the type of a tunnel and its sub-TLVs (RFC 9012 section 2).
fn tunnel(tunnel: Tlv<'_>) -> String {
    let options = join(tunnel.options().iter().map(tlv));
    format!("tunnel type {}: {options}", tunnel.kind)
}

/// Returns the type and value of a TLV.
fn tlv(tlv: Tlv<'_>) -> String {
    format!("{}:{}", tlv.kind, hex(tlv.value))
}

/// Returns the value of a capability.
pub(super) fn capability_value(capability: &Capability<'_>) -> String {
    match capability {
        Capability::Multiprotocol(family) => family.to_string(),
        Capability::RouteRefresh
        | Capability::ExtendedMessage
        | Capability::EnhancedRouteRefresh
        | Capability::LinkLocalNextHop => String::new(),
        Capability::OutboundRouteFilter(filters) => list(filters.iter().map(|filters| {
            let types = filters
                .types()
                .map(|it| format!("{}:{}", it.number, it.directions));
            format!("{} types {}", filters.family, join(types))
        })),
        Capability::ExtendedNextHop(entries) => list(
            entries
                .iter()
                .map(|it| format!("{} over {}", it.family, it.next_hop)),
        ),
        Capability::MultipleLabels(entries) => list(
            entries
                .iter()
                .map(|it| format!("{} up to {}", it.family, it.count)),
        ),
        Capability::Role(role) => role.to_string(),
        Capability::GracefulRestart(restart) => graceful_restart(*restart),
        Capability::FourOctetAs(asn) => asn.to_string(),
        Capability::AddPath(entries) => list(entries.iter().map(|it| {
            // The sender's view (RFC 7911 section 4): it can receive, send, or both.
            let direction = match it.directions {
                1 => "receive",
                2 => "send",
                3 => "both",
                _ => "invalid direction",
            };
            format!("{} {direction}", it.family)
        })),
        Capability::LongLivedGracefulRestart(entries) => list(entries.iter().map(|it| {
            let kept = if it.forwarding { " (forwarding)" } else { "" };
            format!("{} {} s{kept}", it.family, it.stale_time)
        })),
        Capability::Fqdn { host, domain } => format!("{} {}", text(host), text(domain)),
        Capability::SoftwareVersion(version) => text(version),
        // Many capabilities have no value, as those that are parsed above.
        Capability::Unknown(_, []) => String::new(),
        Capability::Unknown(_, value) => hex(value),
    }
}

/// Returns the flags, the restart time and the families of a Graceful Restart capability.
fn graceful_restart(restart: GracefulRestart<'_>) -> String {
    let restarted = if restart.restarted() {
        "restarted, "
    } else {
        ""
    };
    let notification = if restart.notification() {
        "notification, "
    } else {
        ""
    };
    // RFC 4724 section 3: the F bit means that the sender kept its forwarding state.
    let families = restart.families().map(|it| {
        let kept = if it.forwarding { " (forwarding)" } else { "" };
        format!("; {}{kept}", it.family)
    });
    let families: String = families.collect();
    format!(
        "{restarted}{notification}{} s{families}",
        restart.restart_time()
    )
}

/// Returns the items with commas between them.
fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
