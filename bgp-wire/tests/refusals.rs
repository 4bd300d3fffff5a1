//! Values that must not be sent or kept: each is refused, and its legal neighbor is not.

#![cfg(test)]

mod common;

use bgp_wire::{
    Aggregator, AnyNlriBuf, AsPathBuf, Asn, AttributeCode, AttributeSet, Context, DestinationBuf,
    Family, Label, LabeledPrefix, Labels, NextHop, Nlri, Origin, PeerKind, Treatment,
    encode_announcements,
};
use bytes::BytesMut;
use common::{frame, hex, message, update};

/// Returns the UPDATE that announces a route with these attributes, or `None` if the encoder refuses it.
fn announced(context: &Context, set: &AttributeSet, route: &AnyNlriBuf) -> Option<BytesMut> {
    let next_hop: NextHop = if route.family.afi == bgp_wire::Afi::IPV6 {
        "2001:db8::1".parse().unwrap()
    } else {
        "192.0.2.1".parse().unwrap()
    };
    let mut out = BytesMut::new();
    encode_announcements(context, set, next_hop, [route], &mut out).ok()?;
    Some(out)
}

/// Returns `true` if a route is announced, and asserts that a receiver then reads the same route.
fn is_announced(context: &Context, route: &AnyNlriBuf) -> bool {
    let Some(octets) = announced(context, &AttributeSet::new(Origin::IGP), route) else {
        return false;
    };
    let frame = frame(octets);
    let checked = update(&frame, context).check().unwrap();
    let read: Vec<_> = checked.announced_routes().map(AnyNlriBuf::from).collect();
    assert_eq!(read, std::slice::from_ref(route));
    true
}

/// Routes with a label stack, with `true` if they are announced for one label, and for several.
// Entries in hex have a traffic class, or an S bit that is not that of the last entry.
#[rustfmt::skip]
const LABEL_STACKS: [(Family, &str, bool, bool); 14] = [
    (Family::IPV4_LABELED, "10.0.0.0/8 label 100", true, true),
    (Family::IPV4_LABELED, "10.0.0.0/8 label 0x00064f", true, true),
    // Without the capability the S bit is not looked at.
    (Family::IPV4_LABELED, "10.0.0.0/8 label 0x000640", true, false),
    (Family::IPV4_LABELED, "10.0.0.0/8 label 100/200", false, true),
    (Family::IPV4_LABELED, "10.0.0.0/8 label 0x000641/200", false, false),
    (Family::IPV4_LABELED, "10.0.0.0/8 label 100/0x000640", false, false),
    // 255 bits fit into the length octet, 256 do not.
    (Family::IPV4_LABELED, "10.0.0.0/15 label 1/2/3/4/5/6/7/8/9/10", false, true),
    (Family::IPV4_LABELED, "10.0.0.0/16 label 1/2/3/4/5/6/7/8/9/10", false, false),
    (Family::IPV6_LABELED, "2001:db8::1/128 label 1/2/3/4/5", false, true),
    (Family::IPV6_LABELED, "2001:db8::1/128 label 1/2/3/4/5/6", false, false),
    (Family::IPV4_VPN, "10.0.0.0/23 rd 64512:1 label 1/2/3/4/5/6/7", false, true),
    (Family::IPV4_VPN, "10.0.0.0/24 rd 64512:1 label 1/2/3/4/5/6/7", false, false),
    (Family::IPV6_VPN, "2001:db8::/40 rd 64512:1 label 1/2/3/4/5/6", false, true),
    (Family::IPV6_VPN, "2001:db8::/64 rd 64512:1 label 1/2/3/4/5/6", false, false),
];

#[test]
fn label_stack_is_announced_only_if_a_receiver_finds_its_end() {
    let one = Context::new(PeerKind::Internal).with_families(Family::PARSED.iter().copied());
    let several = one.with_multiple_labels(Family::PARSED.iter().copied());
    for (family, text, with_one, with_several) in LABEL_STACKS {
        let route = AnyNlriBuf::parse(family, text).unwrap();
        let found = (is_announced(&one, &route), is_announced(&several, &route));
        assert_eq!(found, (with_one, with_several), "{text}");
    }
}

#[test]
fn labelled_prefix_of_the_other_address_family_is_not_announced() {
    let context = Context::new(PeerKind::Internal).with_families(Family::PARSED.iter().copied());
    for (family, text) in [
        (Family::IPV4_LABELED, "2001:db8::/32 label 100"),
        (Family::IPV6_LABELED, "10.0.0.0/8 label 100"),
    ] {
        let prefix: LabeledPrefix = text.parse().unwrap();
        let destination = DestinationBuf::Labeled(prefix);
        let route = AnyNlriBuf {
            family,
            path_id: None,
            destination,
        };
        assert!(!is_announced(&context, &route), "{text}");
        let mut out = BytesMut::new();
        let typed = [(family, Nlri::new(prefix))];
        assert!(bgp_wire::encode_withdrawals(&context, typed, &mut out).is_err());
    }
}

#[test]
fn label_stack_has_one_to_ten_entries() {
    let stack = |count: u32| Labels::new((0..count).filter_map(Label::new));
    for (count, legal) in [(0, false), (1, true), (10, true), (11, false)] {
        assert_eq!(
            stack(count).map(|it| it.as_slice().len()),
            legal.then_some(usize::try_from(count).unwrap())
        );
        let text: Vec<_> = (0..count).map(|label| label.to_string()).collect();
        let parsed = text.join("/").parse::<Labels>();
        assert_eq!(parsed.ok(), stack(count), "{count}");
    }
    assert_eq!(Label::new(1 << 20), None);
    let bottoms: Vec<_> = stack(3)
        .unwrap()
        .as_slice()
        .iter()
        .map(|it| it.is_bottom())
        .collect();
    assert_eq!(bottoms, [false, false, true]);
}

#[test]
fn unparsed_evpn_route_is_announced_only_with_an_unknown_type() {
    let context = Context::new(PeerKind::Internal).with_families(Family::PARSED.iter().copied());
    let other = |family, route_type, length| AnyNlriBuf {
        family,
        path_id: None,
        destination: DestinationBuf::OtherEvpn {
            route_type,
            value: vec![7; length],
        },
    };
    for route_type in 0..=255 {
        let route = other(Family::L2VPN_EVPN, route_type, 3);
        // The octets of a known type would bypass the checks of its fields.
        let is_unknown = !matches!(route_type, 1..=5);
        assert_eq!(is_announced(&context, &route), is_unknown, "{route_type}");
    }
    assert!(is_announced(&context, &other(Family::L2VPN_EVPN, 9, 255)));
    assert!(!is_announced(&context, &other(Family::L2VPN_EVPN, 9, 256)));
    assert!(!is_announced(&context, &other(Family::IPV4_VPN, 9, 3)));
}

#[test]
fn received_path_with_as_0_withdraws_on_every_path_of_the_check() {
    // RFC 7607 section 2. Up to eight numbers take a shortcut, if enough octets follow.
    let context = Context::new(PeerKind::External);
    let treatment = |numbers: &[u32], routes: usize| {
        let path: String = numbers
            .iter()
            .map(|number| format!("{number:08x}"))
            .collect();
        let length = 2 + numbers.len() * 4;
        let attributes = hex(&format!(
            "40010100 4002{length:02x} 02{:02x}{path} 400304 c0000201",
            numbers.len()
        ));
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        // The prefixes have zeros in them, which must not be taken for AS numbers of the path.
        let nlri = hex("200a000000").repeat(routes);
        let body = [&[0, 0], &length[..], &attributes, &nlri].concat();
        let frame = frame(message(2, &body));
        update(&frame, &context)
            .check()
            .unwrap()
            .fault()
            .map(|fault| fault.treatment)
    };
    for routes in [1, 20] {
        for count in 1..=9 {
            let legal = vec![65001; count];
            assert_eq!(treatment(&legal, routes), None, "{count}");
            assert_eq!(
                treatment(&vec![0; count], routes),
                Some(Treatment::Withdraw),
                "{count}"
            );
            for position in 0..count {
                let mut path = legal.clone();
                path[position] = 0;
                let found = treatment(&path, routes);
                assert_eq!(found, Some(Treatment::Withdraw), "{position} of {count}");
            }
        }
    }
}

#[test]
fn path_with_as_0_is_not_announced() {
    let context = Context::new(PeerKind::External);
    let route = AnyNlriBuf::parse(Family::IPV4_UNICAST, "10.0.0.0/8").unwrap();
    for (path, legal) in [
        (&[1, 2][..], true),
        (&[0], false),
        (&[1, 0], false),
        (&[0, 1], false),
    ] {
        let set = AttributeSet {
            as_path: AsPathBuf::sequence(path.iter().copied().map(Asn::new)),
            ..AttributeSet::new(Origin::IGP)
        };
        assert_eq!(
            announced(&context, &set, &route).is_some(),
            legal,
            "{path:?}"
        );
    }
}

#[test]
fn unknown_attribute_is_kept_only_if_it_is_transitive() {
    // RFC 4271 section 5: an unrecognized non-transitive attribute is not passed on.
    for (attribute, kept) in [
        ("c06301aa", &[(99, 0xe0)][..]),
        ("e06301aa", &[(99, 0xe0)]),
        ("806301aa", &[]),
        ("a06301aa", &[]),
        ("806301aa c06401bb", &[(100, 0xe0)]),
        // Attributes that the codec parses are kept with their own flags.
        ("801a0b 01000b 0000000000000001", &[(26, 0x80)]),
    ] {
        let attributes = hex(&format!(
            "40010100 400200 400304 c0000201 40050400000064 {attribute}"
        ));
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        let body = [&[0, 0], &length[..], &attributes, &[8, 10]].concat();
        let (frame, context) = (frame(message(2, &body)), Context::new(PeerKind::Internal));
        let checked = update(&frame, &context).check().unwrap();
        assert_eq!(checked.fault(), None, "{attribute}");
        let set = AttributeSet::from(&checked);
        let found: Vec<_> = set
            .unknown
            .iter()
            .map(|it| (it.code.0, it.flags.0))
            .collect();
        assert_eq!(found, kept, "{attribute}");
    }
}

#[test]
fn number_of_two_octets_causes_no_as4_attribute() {
    // RFC 6793 section 4.2.2: 65535 fits into two octets, and 65536 does not.
    let context = Context::new(PeerKind::External).with_four_octet_as(false);
    let route = AnyNlriBuf::parse(Family::IPV4_UNICAST, "10.0.0.0/8").unwrap();
    for (path, aggregator, codes) in [
        (65535, 65535, &[][..]),
        (65536, 65535, &[AttributeCode::AS4_PATH]),
        (65535, 65536, &[AttributeCode::AS4_AGGREGATOR]),
        (
            65536,
            65536,
            &[AttributeCode::AS4_PATH, AttributeCode::AS4_AGGREGATOR],
        ),
    ] {
        let set = AttributeSet {
            as_path: AsPathBuf::sequence([Asn::new(path)]),
            aggregator: Some(Aggregator {
                asn: Asn::new(aggregator),
                address: [192, 0, 2, 1].into(),
            }),
            ..AttributeSet::new(Origin::IGP)
        };
        let frame = frame(announced(&context, &set, &route).unwrap());
        let checked = update(&frame, &context).check().unwrap();
        let sent: Vec<_> = checked
            .raw_attributes()
            .map(|raw| raw.code)
            .filter(|code| [AttributeCode::AS4_PATH, AttributeCode::AS4_AGGREGATOR].contains(code))
            .collect();
        assert_eq!(sent, codes, "{path} {aggregator}");
        let first = checked.as_path().unwrap().asns().next().unwrap();
        let expected = if path > 65535 {
            Asn::TRANS
        } else {
            Asn::new(path)
        };
        assert_eq!(first, expected);
        let read = AttributeSet::from(&checked);
        assert_eq!(
            (read.as_path, read.aggregator),
            (set.as_path, set.aggregator)
        );
    }
}
