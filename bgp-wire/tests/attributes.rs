//! Path attributes in combination: sets of them, their decoded forms, and the attributes that replace each other.

#![cfg(test)]

mod common;

use bgp_wire::{
    Aggregator, Asn, Attribute, AttributeCode, AttributeSet, Checked, Community, Context, Family,
    Frame, LargeCommunity, NextHop, Nlri, Origin, PeerKind, RawAttributeBuf, SegmentBuf,
    SegmentType, UpdateBuf, encode_announcements,
};
use bytes::BytesMut;
use common::{frame, hex, message, update};

/// Announces an IPv4 route with these attributes, and returns the message.
fn announced(context: &Context, set: &AttributeSet) -> Frame {
    let mut out = BytesMut::new();
    let next_hop = NextHop::Address([192, 0, 2, 1].into());
    let route = Nlri::new("10.0.0.0/8".parse::<ipnet::Ipv4Net>().unwrap());
    assert_eq!(
        encode_announcements(context, set, next_hop, [route], &mut out),
        Ok(1)
    );
    frame(out)
}

/// Sets the field with this number. Returns `false` if there is no such field.
fn set_field(set: &mut AttributeSet, number: usize) -> bool {
    let large = |global| LargeCommunity {
        global,
        local1: 2,
        local2: 3,
    };
    match number {
        0 => set.atomic_aggregate = true,
        1 => {
            set.aggregator = Some(Aggregator {
                asn: Asn::new(70_000),
                address: [192, 0, 2, 9].into(),
            });
        }
        2 => set.originator_id = Some([192, 0, 2, 2].into()),
        3 => set.cluster_list = vec![[192, 0, 2, 3].into(), [192, 0, 2, 4].into()],
        4 => set.extended_communities = vec!["target:64512:1".parse().unwrap(); 2],
        5 => set.large_communities = vec![large(1), large(2)],
        6 => set.only_to_customer = Some(Asn::new(7)),
        7 => {
            let unknown = |code| RawAttributeBuf {
                flags: bgp_wire::AttributeFlags(0xe0),
                code: AttributeCode(code),
                value: vec![code],
            };
            // Codes below, between and above those of the fields.
            set.unknown = vec![unknown(11), unknown(20), unknown(99)];
        }
        8 => set.multi_exit_disc = Some(5),
        9 => set.communities = vec![Community::NO_EXPORT, Community::new(64512, 1)],
        10 => set.as_path = "64512 70000".parse().unwrap(),
        11 => set.local_pref = Some(7),
        _ => return false,
    }
    true
}

#[test]
fn every_two_attributes_are_read_back_together() {
    for four_octets in [true, false] {
        let context = Context::new(PeerKind::Internal).with_four_octet_as(four_octets);
        let mut pairs = 0;
        for one in 0.. {
            let mut first = AttributeSet::new(Origin::EGP);
            first.local_pref = Some(100);
            if !set_field(&mut first, one) {
                break;
            }
            for other in one.. {
                let mut set = first.clone();
                if !set_field(&mut set, other) {
                    break;
                }
                let frame = announced(&context, &set);
                let checked = update(&frame, &context).check().unwrap();
                assert_eq!(checked.fault(), None);
                assert_eq!(AttributeSet::from(&checked), set, "{one} {other}");
                pairs += 1;
            }
        }
        assert_eq!(pairs, 78);
    }
}

#[test]
fn attributes_of_internal_peers_are_not_sent_to_others() {
    let mut set = AttributeSet::new(Origin::IGP);
    for number in 0..12 {
        assert!(set_field(&mut set, number));
    }
    for (kind, kept) in [
        (PeerKind::Internal, [true; 3]),
        (PeerKind::Confederation, [true, false, false]),
        (PeerKind::External, [false; 3]),
    ] {
        let mut set = set.clone();
        if kind == PeerKind::Confederation {
            let segment = SegmentBuf {
                segment_type: SegmentType::AS_CONFED_SEQUENCE,
                asns: vec![Asn::new(65100)],
            };
            set.as_path.segments.insert(0, segment);
        }
        let context = Context::new(kind);
        let frame = announced(&context, &set);
        let read = AttributeSet::from(&update(&frame, &context).check().unwrap());
        let found = [
            read.local_pref.is_some(),
            read.originator_id.is_some(),
            !read.cluster_list.is_empty(),
        ];
        assert_eq!(found, kept, "{kind:?}");
    }
    // RFC 7311: AIGP is not sent to external peers, so that even a malformed one does no harm there.
    let malformed = AttributeSet {
        unknown: vec![RawAttributeBuf {
            value: vec![1],
            ..RawAttributeBuf::aigp(1)
        }],
        ..AttributeSet::new(Origin::IGP)
    };
    let external = Context::new(PeerKind::External);
    let frame = announced(&external, &malformed);
    let checked = update(&frame, &external).check().unwrap();
    assert_eq!(checked.raw_attributes().count(), 3);
    let mut out = BytesMut::new();
    let internal = Context::new(PeerKind::Internal);
    let next_hop = NextHop::Address([192, 0, 2, 1].into());
    let route = Nlri::new("10.0.0.0/8".parse::<ipnet::Ipv4Net>().unwrap());
    assert!(encode_announcements(&internal, &malformed, next_hop, [route], &mut out).is_err());
}

/// Checks an UPDATE with these attributes and the prefix 10.0.0.0/8, and gives the result to `see`.
fn with_checked<T>(context: &Context, attributes: &str, see: impl FnOnce(&Checked<'_>) -> T) -> T {
    let attributes = hex(attributes);
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    let body = [&[0, 0], &length[..], &attributes, &[8, 10]].concat();
    let frame = frame(message(2, &body));
    see(&update(&frame, context).check().unwrap())
}

const HEAD: &str = "40010100 400206 0201 0000fde9 400304 0a630102 40050400000064";

/// Attributes that follow [`HEAD`], and the beginning of their decoded form.
const DECODED: [(&str, &str); 19] = [
    ("", "LocalPref(100)"),
    ("80040400000005", "MultiExitDisc(5)"),
    ("400600", "AtomicAggregate"),
    (
        "c007080000fc00c0000201",
        "Aggregator(Aggregator { asn: Asn(64512), address: 192.0.2.1 })",
    ),
    ("c00804fc000001", "Communities("),
    ("800904c0000202", "OriginatorId(192.0.2.2)"),
    ("800a04c0000203", "ClusterList("),
    ("800e09 000101 04 0a630102 00", "MpReach("),
    ("800f03 000201", "MpUnreach("),
    ("c010080002fc0000000001", "ExtendedCommunities("),
    ("c01605 0006000010", "PmsiTunnel("),
    ("c01704 00080000", "TunnelEncapsulation("),
    (
        "c01914 0002000000000000000000000000000000000000",
        "Ipv6ExtendedCommunities(",
    ),
    ("801a0b 01000b 0000000000000001", "Aigp("),
    ("c0200c000000010000000200000003", "LargeCommunities("),
    ("c0230400000007", "OnlyToCustomer(Asn(7))"),
    ("c0280a 010007 000000 00000064", "PrefixSid("),
    ("c08004 0000fde9", "AttrSet("),
    ("c06301aa", "Unknown("),
];

#[test]
fn every_attribute_decodes_to_its_variant() {
    let context = Context::new(PeerKind::Internal);
    for (octets, expected) in DECODED {
        let last = |checked: &Checked<'_>| {
            assert_eq!(checked.fault(), None, "{octets}");
            let attributes: Vec<_> = checked.attributes().collect();
            let [head @ .., last] = &attributes[..] else {
                panic!("{octets}");
            };
            assert!(matches!(
                head,
                [
                    Attribute::Origin(Origin::IGP),
                    Attribute::AsPath(_),
                    Attribute::NextHop(_),
                    ..
                ]
            ));
            format!("{last:?}")
        };
        let found = with_checked(&context, &format!("{HEAD}{octets}"), last);
        assert!(found.starts_with(expected), "{found}");
    }
    let narrow = context.with_four_octet_as(false);
    let head = "40010100 400204 0201 fde9 400304 0a630102 40050400000064";
    for (octets, expected) in [
        ("c01106 0201 0000fde9", "As4Path("),
        ("c01208 0000fde9 c0000201", "As4Aggregator("),
        (
            "c00706 fc00c0000201",
            "Aggregator(Aggregator { asn: Asn(64512), address: 192.0.2.1 })",
        ),
    ] {
        let found = with_checked(&narrow, &format!("{head}{octets}"), |checked| {
            format!("{:?}", checked.attributes().last().unwrap())
        });
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn as4_attributes_replace_those_of_two_octets() {
    // RFC 6793 section 4.2.3: AGGREGATOR without AS_TRANS is newer than both AS4 attributes.
    let context = Context::new(PeerKind::External).with_four_octet_as(false);
    let head = "40010100 400206 0202 fde95ba0 400304 0a630102";
    let as4_path = "c01106 0201 00011170";
    let as4_aggregator = "c01208 00011170 c0000201";
    let (trans, newer) = ("c00706 5ba0 c0000202", "c00706 fde9 c0000202");
    for (attributes, path, aggregator) in [
        (as4_path.to_owned(), "65001 70000", None),
        (
            format!("{trans}{as4_path}"),
            "65001 70000",
            Some("23456:192.0.2.2"),
        ),
        (
            format!("{newer}{as4_path}"),
            "65001 70000",
            Some("65001:192.0.2.2"),
        ),
        (
            format!("{trans}{as4_path}{as4_aggregator}"),
            "65001 70000",
            Some("70000:192.0.2.1"),
        ),
        (
            format!("{newer}{as4_path}{as4_aggregator}"),
            "65001 23456",
            Some("65001:192.0.2.2"),
        ),
        (
            format!("{trans}{as4_aggregator}"),
            "65001 23456",
            Some("70000:192.0.2.1"),
        ),
    ] {
        let set = with_checked(&context, &format!("{head}{attributes}"), |checked| {
            assert_eq!(checked.fault(), None, "{attributes}");
            AttributeSet::from(checked)
        });
        assert_eq!(set.as_path.to_string(), path, "{attributes}");
        let found = set.aggregator.map(|aggregator| aggregator.to_string());
        assert_eq!(found.as_deref(), aggregator, "{attributes}");
    }
    let accessors = with_checked(
        &context,
        &format!("{head}{trans}{as4_path}{as4_aggregator}"),
        |checked| {
            let path = checked.as4_path().unwrap();
            (
                path.to_string(),
                checked.as4_aggregator().unwrap().to_string(),
            )
        },
    );
    assert_eq!(accessors, ("70000".into(), "70000:192.0.2.1".into()));
}

#[test]
fn as4_path_has_no_confederation_segments() {
    // RFC 6793 section 4.2.2. A number that only such a segment has causes no AS4_PATH.
    let context = Context::new(PeerKind::Confederation).with_four_octet_as(false);
    for (path, as4_path) in [
        ("(70000) 1 2", None),
        ("(7) 1 70000", Some("1 70000")),
        ("(70000 7) 70001", Some("70001")),
        ("(7) 1 2", None),
    ] {
        let set = AttributeSet {
            as_path: path.parse().unwrap(),
            local_pref: Some(100),
            ..AttributeSet::new(Origin::IGP)
        };
        let frame = announced(&context, &set);
        let checked = update(&frame, &context).check().unwrap();
        assert_eq!(checked.fault(), None, "{path}");
        let sent = checked.as4_path().map(|path| path.to_string());
        assert_eq!(sent.as_deref(), as4_path, "{path}");
    }
}

#[test]
fn next_hop_of_a_flow_specification_is_kept_if_it_can_be_sent() {
    // RFC 8955 section 4: receivers ignore it, so an unusable one must not prevent that the rule is passed on.
    let context = Context::new(PeerKind::External).with_families([
        Family::IPV4_FLOWSPEC,
        Family::IPV6_UNICAST,
        Family::IPV4_UNICAST,
    ]);
    for (octets, expected) in [
        ("04 00000000", Some("none")),
        ("04 c0000201", Some("192.0.2.1")),
        ("00", None),
    ] {
        let value = format!("000185 {octets} 00 05 01 18 c00002");
        let attributes = format!(
            "800e{:02x} {value} 40010100 400206 0201 0000fde9 400304 0a630102",
            hex(&value).len()
        );
        let read = with_checked(&context, &attributes, |checked| {
            assert_eq!(checked.fault(), None, "{octets}");
            UpdateBuf::from(checked)
        });
        let found = read.next_hops.get(&Family::IPV4_FLOWSPEC);
        let found = found.map(NextHop::to_string);
        assert_eq!(found.as_deref(), expected, "{octets}");
        assert_eq!(read.announced.len(), 2);
        assert_eq!(
            read.encode(&context, &mut BytesMut::new()),
            Ok(2),
            "{octets}"
        );
    }
}

#[test]
fn next_hop_of_a_family_is_replaced_and_others_stay() {
    let mut update = UpdateBuf::new(AttributeSet::new(Origin::IGP));
    let [one, other, ipv6]: [NextHop; 3] =
        ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map(|text| text.parse().unwrap());
    update.set_next_hop(Family::IPV4_UNICAST, one);
    update.set_next_hop(Family::IPV6_UNICAST, ipv6);
    update.set_next_hop(Family::IPV4_UNICAST, other);
    let expected = [(Family::IPV4_UNICAST, other), (Family::IPV6_UNICAST, ipv6)];
    assert_eq!(update.next_hops, expected.into());
}

#[test]
fn attributes_with_a_text_of_their_own_print_and_parse() {
    for text in [
        "pmsi-tunnel [ ingress-replication 100 192.0.2.1 ]",
        "pmsi-tunnel [ ingress-replication 100 2001:db8::1 ]",
        "pmsi-tunnel [ ingress-replication 100 ]",
        "pmsi-tunnel [ ingress-replication 100 0x0102 ]",
        "pmsi-tunnel [ rsvp-te-p2mp 16777215 0xc0000201 ]",
        "bgp-prefix-sid [ 100 ]",
        "aigp 18446744073709551615",
        "ipv6-extended-community [ target:2001:db8::1:7 origin:2001:db8::2:8 ]",
        "attribute [ 0x1a 0x80 0x01000a00 ]",
        "attribute [ 0x16 0xc0 0x0106000064c0000201 ]",
        "attribute [ 0x63 0xe0 0x ]",
    ] {
        let attribute: RawAttributeBuf = text.parse().unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(attribute.to_string(), text);
    }
    let set: AttributeSet = "origin igp as-path [ ]".parse().unwrap();
    let empty = SegmentBuf {
        segment_type: SegmentType::AS_SET,
        asns: Vec::new(),
    };
    let mut other = set.clone();
    other.as_path.segments.push(empty);
    assert_eq!(
        (set.to_string(), other.to_string()),
        ("origin igp".into(), "origin igp".into())
    );
}
