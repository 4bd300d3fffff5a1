//! The unicast prefixes of a checked UPDATE: which are announced, which are withdrawn, and their numbers.

#![cfg(test)]

mod common;

use bgp_wire::{Context, Family, PeerKind, Unusable};
use common::{frame, hex, message, update};

const ORIGIN: &str = "40010100 ";
const AS_PATH: &str = "400206 0201 0000fde9 ";
const GOOD: &str = "40010100 400206 0201 0000fde9 400304 0a630102 ";

/// Returns an UPDATE without withdrawn routes.
fn announcing(attributes: &str, nlri: &str) -> bgp_wire::Frame {
    let (attributes, nlri) = (hex(attributes), hex(nlri));
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    let body = [&[0, 0], &length[..], &attributes, &nlri].concat();
    frame(message(2, &body))
}

/// Returns attributes with MP_REACH_NLRI.
fn reach(afi: u8, safi: u8, next_hop: &str, nlri: &str) -> String {
    let length = hex(next_hop).len();
    let value = format!("00{afi:02x} {safi:02x} {length:02x} {next_hop} 00 {nlri}");
    format!("800e {:02x} {value} {ORIGIN} {AS_PATH}", hex(&value).len())
}

/// Returns the prefixes of an iterator, after asserting that every way of iterating and counting agrees.
fn prefixes_of(routes: bgp_wire::UnicastRoutes<'_>) -> Vec<String> {
    let mut folded = Vec::new();
    routes.for_each(|nlri| folded.push(nlri.to_string()));
    // One by one, because the iterator has a loop of its own for adapters.
    let mut rest = routes;
    let stepped: Vec<_> = std::iter::from_fn(|| rest.next())
        .map(|nlri| nlri.to_string())
        .collect();
    assert_eq!(folded, stepped);
    let ipv6 = folded.iter().filter(|prefix| prefix.contains(':')).count();
    assert_eq!(routes.count_by_family(), (folded.len() - ipv6, ipv6));
    folded
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn prefixes_are_counted_by_family_in_every_section() {
    let next_hop = "20010db8009900000000000000000002";
    let ipv6 = reach(2, 1, next_hop, "2020010db8 08ff 00");
    let ipv4 = reach(1, 1, "0a630102", "080b 087f 080c");
    let unreach = "800f08 000201 2020010db9 ";
    let without_origin = |attributes: &str| attributes.replace(ORIGIN, "");
    let next_hop = "400304 0a630102";
    let own = &["10.0.0.0/8"][..];
    for (attributes, nlri, announced, withdrawn) in [
        (GOOD.to_owned(), "080a", own, &["20.0.0.0/8"][..]),
        // A bogus prefix is absent, and is withdrawn with the others.
        (GOOD.to_owned(), "080a 087f", own, &["20.0.0.0/8"]),
        (
            without_origin(GOOD),
            "080a 087f",
            &[],
            &["20.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8"],
        ),
        (
            format!("{ipv6}{next_hop}"),
            "080a",
            &["10.0.0.0/8", "2001:db8::/32", "::/0"],
            &["20.0.0.0/8"],
        ),
        (
            format!("{unreach}{}", without_origin(&ipv6)),
            "",
            &[],
            &[
                "20.0.0.0/8",
                "2001:db9::/32",
                "2001:db8::/32",
                "ff00::/8",
                "::/0",
            ],
        ),
        (
            format!("{ipv4}{next_hop}"),
            "080a",
            &["10.0.0.0/8", "11.0.0.0/8", "12.0.0.0/8"],
            &["20.0.0.0/8"],
        ),
        (
            without_origin(&format!("{ipv4}{next_hop}")),
            "080a 080d",
            &[],
            &[
                "20.0.0.0/8",
                "10.0.0.0/8",
                "13.0.0.0/8",
                "11.0.0.0/8",
                "127.0.0.0/8",
                "12.0.0.0/8",
            ],
        ),
    ] {
        let (attributes, nlri) = (hex(&attributes), hex(nlri));
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        let body = [&[0, 2, 8, 20], &length[..], &attributes, &nlri].concat();
        let (frame, context) = (frame(message(2, &body)), Context::new(PeerKind::External));
        let checked = update(&frame, &context).check().unwrap();
        assert_eq!(
            prefixes_of(checked.announced()),
            announced,
            "{attributes:x?}"
        );
        assert_eq!(
            prefixes_of(checked.withdrawn()),
            withdrawn,
            "{attributes:x?}"
        );
    }
}

#[test]
fn bogus_prefix_is_found_beside_a_suspect_withdrawal() {
    // A withdrawn default route is suspect, and so is an announced bogus prefix.
    let attributes = hex(GOOD);
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    let body = [&[0, 1, 0], &length[..], &attributes, &hex("087f 080a")].concat();
    let (frame, context) = (frame(message(2, &body)), Context::new(PeerKind::External));
    let checked = update(&frame, &context).check().unwrap();
    assert_eq!(checked.unusable(), Some(Unusable::BogusPrefix));
    assert_eq!(prefixes_of(checked.announced()), ["10.0.0.0/8"]);
    assert_eq!(prefixes_of(checked.withdrawn()), ["0.0.0.0/0"]);
}

#[test]
fn multiprotocol_routes_of_a_family_without_negotiation_are_ignored() {
    let next_hop = "20010db8009900000000000000000002";
    let attributes = format!(
        "800f08 000201 2020010db9 {}",
        reach(2, 1, next_hop, "2020010db8")
    );
    let frame = announcing(&attributes, "");
    for (family, count) in [(Family::IPV6_UNICAST, 1), (Family::IPV4_UNICAST, 0)] {
        let context = Context::new(PeerKind::External).with_families([family]);
        let checked = update(&frame, &context).check().unwrap();
        assert!(checked.is_multiprotocol());
        assert_eq!(prefixes_of(checked.announced()).len(), count, "{family}");
        assert_eq!(prefixes_of(checked.withdrawn()).len(), count, "{family}");
        assert_eq!(checked.announced_routes().count(), count, "{family}");
        assert_eq!(checked.mp_reach().unwrap().prefixes().count(), count);
        assert_eq!(checked.mp_unreach().unwrap().prefixes().count(), count);
    }
    let context = Context::new(PeerKind::External);
    let announcement = reach(2, 1, next_hop, "00");
    for (attributes, nlri, expected) in [
        (GOOD, "080a", false),
        ("", "", false),
        ("800f03000201", "", true),
        (announcement.as_str(), "", true),
    ] {
        let frame = announcing(attributes, nlri);
        let checked = update(&frame, &context).check().unwrap();
        assert_eq!(checked.is_multiprotocol(), expected, "{attributes}");
    }
}
