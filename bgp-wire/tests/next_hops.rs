//! The next hops that each family permits when routes are announced (RFC 2545, RFC 4364, RFC 4760, RFC 8950, RFC 8955).

#![cfg(test)]

use bgp_wire::{
    AnyNlriBuf, AttributeSet, Context, EncodeError, Family, Frame, Message, MessageLimit, NextHop,
    Origin, PeerKind, UpdateBuf, encode_announcements,
};
use bytes::BytesMut;

/// A route of each family that has a next hop of its own kind.
const ROUTES: [(&str, &str); 12] = [
    ("ipv4 unicast", "192.0.2.0/24"),
    ("ipv4 multicast", "192.0.2.0/24"),
    ("ipv4 labeled-unicast", "192.0.2.0/24 label 100"),
    ("ipv4 vpn", "192.0.2.0/24 rd 64512:1 label 100"),
    ("ipv6 unicast", "2001:db8::/32"),
    ("ipv6 multicast", "2001:db8::/32"),
    ("ipv6 labeled-unicast", "2001:db8::/32 label 100"),
    ("ipv6 vpn", "2001:db8::/32 rd 64512:1 label 100"),
    ("l2vpn evpn", "multicast rd 64512:1 etag 0 ip 192.0.2.1"),
    ("ipv4 route-target", "64512 target:64512:1"),
    ("ipv4 flowspec", "destination 192.0.2.0/24 protocol =udp"),
    ("ipv6 flowspec", "destination 2001:db8::/32 protocol =udp"),
];

/// Announces a route and returns the next hop that a receiver reads.
fn sent(family: &str, extended: bool, next_hop: &str) -> Result<Option<NextHop>, EncodeError> {
    let (_, text) = ROUTES.iter().find(|(known, _)| *known == family).unwrap();
    let family: Family = family.parse().unwrap();
    let route = AnyNlriBuf::parse(family, text).unwrap();
    let context = Context::new(PeerKind::Internal)
        .with_families([family])
        .with_extended_next_hop(extended.then_some(family));
    let attributes = AttributeSet::new(Origin::IGP);
    let mut octets = BytesMut::new();
    let next_hop = next_hop.parse().unwrap();
    let written = encode_announcements(&context, &attributes, next_hop, [&route], &mut octets);
    assert_eq!(written.is_err(), octets.is_empty(), "all or nothing");
    written?;
    let frame = Frame::split(&mut octets, MessageLimit::Standard)
        .unwrap()
        .unwrap();
    let Ok(Message::Update(update)) = frame.decode(&context) else {
        panic!("{frame:?}");
    };
    let checked = update.check().unwrap();
    assert_eq!(checked.fault(), None, "{family} {next_hop}");
    let read = UpdateBuf::from(&checked);
    assert_eq!(read.announced, [route]);
    Ok(read.next_hops.into_values().next())
}

fn is_sent(family: &str, extended: bool, next_hop: &str) -> bool {
    match sent(family, extended, next_hop) {
        // A receiver ignores the next hop of a flow specification.
        Ok(read) if family.contains("flowspec") => {
            assert!(
                read.is_none_or(|read| read.to_string() == next_hop || read == NextHop::Absent)
            );
            true
        }
        Ok(read) => {
            assert_eq!(read, Some(next_hop.parse().unwrap()), "{family} {next_hop}");
            true
        }
        Err(error) => {
            assert!(
                matches!(
                    error,
                    EncodeError::NextHopUnusable(_) | EncodeError::NextHopMissing(_)
                ),
                "{family} {next_hop}: {error}"
            );
            false
        }
    }
}

#[test]
fn ipv4_families_take_an_ipv6_next_hop_only_if_it_is_negotiated() {
    for family in [
        "ipv4 unicast",
        "ipv4 multicast",
        "ipv4 labeled-unicast",
        "ipv4 vpn",
    ] {
        for next_hop in ["2001:db8::1", "fe80::1", "2001:db8::1 fe80::1"] {
            assert!(is_sent(family, true, next_hop), "{family} {next_hop}");
            assert!(!is_sent(family, false, next_hop), "{family} {next_hop}");
        }
        // RFC 8950 section 4: the capability adds a form, and the old one stays.
        for extended in [false, true] {
            assert!(is_sent(family, extended, "192.0.2.1"), "{family}");
        }
    }
}

#[test]
fn ipv6_families_take_no_ipv4_next_hop() {
    for family in [
        "ipv6 unicast",
        "ipv6 multicast",
        "ipv6 labeled-unicast",
        "ipv6 vpn",
    ] {
        for (next_hop, expected) in [
            ("192.0.2.1", false),
            // RFC 4798 section 2.
            ("::ffff:192.0.2.1", true),
            ("::ffff:127.0.0.1", false),
            ("2001:db8::1", true),
            ("2001:db8::1 fe80::1", true),
            ("fe80::1", true),
        ] {
            assert_eq!(
                is_sent(family, false, next_hop),
                expected,
                "{family} {next_hop}"
            );
        }
    }
}

/// RFC 2545 section 3 and RFC 4659 section 3.2.1.1 define a second address for IP families only.
#[test]
fn other_families_take_one_address_of_either_address_family() {
    for family in ["l2vpn evpn", "ipv4 route-target"] {
        for (next_hop, expected) in [
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("2001:db8::1 fe80::1", false),
            ("none", false),
        ] {
            assert_eq!(
                is_sent(family, false, next_hop),
                expected,
                "{family} {next_hop}"
            );
        }
    }
}

/// RFC 8955 section 4: only flow specifications have no next hop.
#[test]
fn absent_next_hop_is_for_flow_specifications() {
    for (family, _) in ROUTES {
        let absent = sent(family, true, "none");
        if family.contains("flowspec") {
            assert!(absent.is_ok(), "{family}");
            assert!(!is_sent(family, false, "2001:db8::1 fe80::1"), "{family}");
        } else {
            let missing = EncodeError::NextHopMissing(family.parse().unwrap());
            assert_eq!(absent, Err(missing));
        }
    }
}

#[test]
fn addresses_of_no_host_are_refused() {
    for next_hop in [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        for family in ["ipv4 unicast", "ipv4 vpn", "l2vpn evpn"] {
            assert!(!is_sent(family, true, next_hop), "{family} {next_hop}");
        }
    }
    for next_hop in [
        "::",
        "::1",
        "ff02::1",
        // Either of two addresses.
        ":: fe80::1",
        "::1 fe80::1",
        "2001:db8::1 ::",
        "2001:db8::1 ff02::1",
    ] {
        for family in ["ipv4 unicast", "ipv6 unicast", "ipv6 vpn", "l2vpn evpn"] {
            assert!(!is_sent(family, true, next_hop), "{family} {next_hop}");
        }
    }
}
