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

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;
    use crate::PeerKind;
    use crate::iana::{AttributeCode, CapabilityCode};

    fn octets(text: &str) -> Vec<u8> {
        let text = text.replace(' ', "");
        let mut octets = std::vec![0; text.len() / 2];
        crate::text::hex(&text, &mut octets).unwrap();
        octets
    }

    /// Codes and values of attributes, and their text.
    const ATTRIBUTES: [(u8, &str, &str); 29] = [
        (1, "01", "EGP"),
        (2, "", "empty"),
        (2, "0202 0000fde9 0000fdea", "65001 65002"),
        (3, "c0000201", "192.0.2.1"),
        (4, "00000005", "5"),
        (5, "00000064", "100"),
        (6, "", ""),
        (7, "0000fde9 c0000201", "65001:192.0.2.1"),
        (8, "fc000001 ffffff01", "64512:1 no-export"),
        (9, "c0000202", "192.0.2.2"),
        (10, "c0000203 c0000204", "192.0.2.3 192.0.2.4"),
        (
            14,
            "000101 04 c0000201 00 080a",
            "ipv4 unicast, next hop 192.0.2.1",
        ),
        (
            14,
            "000201 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00",
            "ipv6 unicast, next hop 2001:db8::1 fe80::1",
        ),
        (14, "000185 00 00", "ipv4 flowspec, next hop none"),
        (
            14,
            "000185 03 010203 00",
            "ipv4 flowspec, next hop 0x010203",
        ),
        (15, "000201", "ipv6 unicast"),
        (16, "0002fc0000000001", "target:64512:1"),
        (17, "0201 00011170", "70000"),
        (18, "00011170 c0000201", "70000:192.0.2.1"),
        (
            22,
            "00 06 000640 c0000201",
            "flags 0, tunnel type ingress-replication, label 1600, identifier 0xc0000201",
        ),
        (
            23,
            "0008 0006 01 01 07 80 0000",
            "tunnel type 8: 1:0x07 128:0x",
        ),
        (
            25,
            "0002 20010db8000000000000000000000001 0007",
            "target:2001:db8::1:7",
        ),
        (26, "01000b 0000000000000100", "256"),
        (32, "000000010000000200000003", "1:2:3"),
        (35, "00000007", "7"),
        (40, "010007 000000 00000064", "label index 100"),
        (40, "040001 07 050001 08", "4:0x07 5:0x08"),
        (
            128,
            "0000fde9 40010100 400200",
            "of AS 65001: ORIGIN AS_PATH",
        ),
        (99, "0102", "0x0102"),
    ];

    #[test]
    fn every_attribute_value_is_written_for_people() {
        let context = Context::new(PeerKind::Internal);
        for (code, value, expected) in ATTRIBUTES {
            let value = octets(value);
            let raw = RawAttribute {
                flags: AttributeFlags(0xc0),
                code: AttributeCode(code),
                value: &value,
                start: 0,
            };
            assert_eq!(attribute_value(raw, &context), expected, "{code}");
        }
    }

    #[test]
    fn every_capability_value_is_written_for_people() {
        for (code, value, expected) in [
            (1, "00020001", "ipv6 unicast"),
            (2, "", ""),
            (3, "0001 00 01 02 4003 4101", "ipv4 unicast types 64:3 65:1"),
            (
                5,
                "000100010002 000100800002",
                "ipv4 unicast over ipv6, ipv4 vpn over ipv6",
            ),
            (6, "", ""),
            (8, "0001 04 05", "ipv4 labeled-unicast up to 5"),
            (9, "03", "customer"),
            (64, "0078", "120 s"),
            (64, "8078", "restarted, 120 s"),
            (64, "4000", "notification, 0 s"),
            (
                64,
                "c001 00010180 00020100",
                "restarted, notification, 1 s; ipv4 unicast (forwarding); ipv6 unicast",
            ),
            (65, "fa56ea01", "4200000001"),
            (
                69,
                "00010101 00020102 00010203 00020204",
                "ipv4 unicast receive, ipv6 unicast send, ipv4 multicast both, ipv6 multicast invalid direction",
            ),
            (70, "", ""),
            (
                71,
                "00010180000e10 00020100000001",
                "ipv4 unicast 3600 s (forwarding), ipv6 unicast 1 s",
            ),
            (73, "03667272 00", "\"frr\" \"\""),
            (75, "054652522f38", "\"FRR/8\""),
            (77, "", ""),
            (239, "", ""),
            (239, "aabb", "0xaabb"),
        ] {
            let value = octets(value);
            let length = u8::try_from(value.len()).unwrap();
            let tlv = [&[code, length][..], &value].concat();
            let (rest, capability) = Capability::split(&tlv).unwrap();
            assert_eq!((rest.len(), capability.code()), (0, CapabilityCode(code)));
            assert_eq!(capability_value(&capability), expected);
        }
    }

    #[test]
    fn flags_are_named_and_long_values_are_cut() {
        for (flags, names) in [
            (0x40, "well-known, transitive"),
            (0x50, "well-known, transitive"),
            (0x80, "optional, not transitive"),
            (0xc0, "optional, transitive"),
            (0xe0, "optional, transitive, partial"),
            (0x00, "well-known, not transitive"),
        ] {
            assert_eq!(flag_names(AttributeFlags(flags)), names, "{flags:x}");
        }
        assert_eq!(hex(&[1, 0xab]), "0x01ab");
        assert_eq!(hex(&[7; 100]), format!("0x{}", "07".repeat(100)));
        let cut = format!("0x{} and 2 more octets", "07".repeat(100));
        assert_eq!(hex(&[7; 102]), cut);
        assert_eq!(text("a\n"), "\"a\\n\"");
    }
}
