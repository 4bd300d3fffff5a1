//! Attributes and messages other than UPDATEs at the limits of their lengths: the last legal length is encoded and reads
//! back, and the next one is refused.

#![cfg(test)]

mod common;

use bgp_wire::{
    AsPathBuf, Asn, AttributeCode, AttributeFlags, AttributeSet, CapabilityBuf, CapabilityCode,
    Community, Context, EncodeError, EncodeNlri, Family, FilterType, HoldTime, NextHop, Nlri,
    NotificationBuf, OpenBuf, Origin, PeerKind, RawAttributeBuf, Reason, RefreshSubtype,
    RouteFiltersBuf, RouteRefresh, RouterId, Tlv, encode_announcements, encode_end_of_rib,
    encode_withdrawals,
};
use bytes::BytesMut;
use common::{frame, update};

/// Returns a context of an internal peer with every family.
fn context() -> Context {
    let families = || Family::PARSED.iter().copied();
    Context::new(PeerKind::Internal)
        .with_families(families())
        .with_multiple_labels(families())
        .with_raw_families(true)
}

/// Returns attributes with an unknown one, of which the value has this length.
fn padded(octets: usize) -> AttributeSet {
    AttributeSet {
        unknown: vec![RawAttributeBuf {
            flags: AttributeFlags(0xe0),
            code: AttributeCode(99),
            value: vec![7; octets],
        }],
        ..AttributeSet::new(Origin::IGP)
    }
}

/// Announces one route. Returns the octets.
fn announce<R: EncodeNlri>(
    context: &Context,
    attributes: &AttributeSet,
    next_hop: &str,
    route: R,
) -> Result<BytesMut, EncodeError> {
    let mut out = BytesMut::new();
    let next_hop: NextHop = next_hop.parse().unwrap();
    let written = encode_announcements(context, attributes, next_hop, [route], &mut out)?;
    assert_eq!(written, 1);
    Ok(out)
}

#[test]
fn attribute_over_255_octets_has_a_longer_header() {
    for (octets, header) in [(0, 3), (1, 3), (254, 3), (255, 3), (256, 4), (257, 4)] {
        let empty = announce(
            &context(),
            &AttributeSet::new(Origin::IGP),
            "192.0.2.1",
            ipv4(),
        );
        let full = announce(&context(), &padded(octets), "192.0.2.1", ipv4()).unwrap();
        assert_eq!(
            full.len() - empty.unwrap().len(),
            header + octets,
            "{octets}"
        );
        assert_eq!(read(&context(), full).unknown, padded(octets).unknown);
    }
    for items in [1, 63, 64] {
        let set = AttributeSet {
            communities: vec![Community::NO_EXPORT; items],
            cluster_list: vec![[192, 0, 2, 1].into(); items],
            local_pref: Some(100),
            ..AttributeSet::new(Origin::IGP)
        };
        let octets = announce(&context(), &set, "192.0.2.1", ipv4()).unwrap();
        assert_eq!(read(&context(), octets), set, "{items}");
    }
}

/// Returns an IPv4 route.
fn ipv4() -> Nlri<ipnet::Ipv4Net> {
    Nlri::new("10.0.0.0/8".parse().unwrap())
}

/// Returns the attributes of a message without a fault.
fn read(context: &Context, octets: BytesMut) -> AttributeSet {
    let frame = frame(octets);
    let checked = update(&frame, context).check().unwrap();
    assert_eq!(checked.fault(), None);
    AttributeSet::from(&checked)
}

#[test]
fn segment_over_255_numbers_is_read_back_whole() {
    for length in [1, 254, 255, 256, 509, 510, 511] {
        for four_octets in [true, false] {
            let context = context().with_four_octet_as(four_octets);
            let set = AttributeSet {
                as_path: AsPathBuf::sequence((1..=length).map(Asn::new)),
                local_pref: Some(100),
                ..AttributeSet::new(Origin::IGP)
            };
            let octets = announce(&context, &set, "192.0.2.1", ipv4()).unwrap();
            let frame = frame(octets.clone());
            let checked = update(&frame, &context).check().unwrap();
            let segments = checked.as_path().unwrap().segments();
            let counts: Vec<_> = segments.map(|segment| segment.asns().len()).collect();
            assert!(
                counts.iter().rev().skip(1).all(|count| *count == 255),
                "{counts:?}"
            );
            assert_eq!(
                counts.iter().sum::<usize>(),
                usize::try_from(length).unwrap()
            );
            assert_eq!(read(&context, octets), set, "{length}");
        }
    }
}

/// Returns an OPEN with these capabilities.
fn open(capabilities: Vec<CapabilityBuf>) -> OpenBuf {
    OpenBuf {
        asn: Asn::new(64512),
        hold_time: HoldTime::DEFAULT,
        router_id: RouterId::new(192, 0, 2, 1).unwrap(),
        capabilities,
    }
}

/// Encodes an OPEN, and asserts that it reads back.
fn encoded_open(open: &OpenBuf) -> Option<BytesMut> {
    let mut out = BytesMut::new();
    open.encode(&mut out).ok()?;
    let frame = frame(out.clone());
    let context = Context::new(PeerKind::External);
    let Ok(bgp_wire::Message::Open(read)) = frame.decode(&context) else {
        panic!("{frame:?}");
    };
    assert_eq!(OpenBuf::from(read), *open);
    Some(out)
}

/// Returns a capability without a meaning, of which the value has this length.
fn capability(octets: usize) -> CapabilityBuf {
    CapabilityBuf::Unknown(CapabilityCode(239), vec![7; octets])
}

#[test]
fn capability_has_up_to_255_octets() {
    let filters = |count| {
        CapabilityBuf::OutboundRouteFilter(vec![RouteFiltersBuf {
            family: Family::IPV4_UNICAST,
            types: vec![
                FilterType {
                    number: 64,
                    directions: 3
                };
                count
            ],
        }])
    };
    let names = |host: usize, domain: usize| CapabilityBuf::Fqdn {
        host: "h".repeat(host),
        domain: "d".repeat(domain),
    };
    let version = |octets: usize| CapabilityBuf::SoftwareVersion("v".repeat(octets));
    for (capability, legal) in [
        (capability(255), true),
        (capability(256), false),
        (version(1), true),
        (version(254), true),
        (version(255), false),
        (names(0, 253), true),
        (names(253, 0), true),
        (names(254, 0), false),
        (names(256, 0), false),
        (filters(125), true),
        (filters(126), false),
        (filters(256), false),
    ] {
        let encoded = encoded_open(&open(vec![capability.clone()]));
        assert_eq!(encoded.is_some(), legal, "{:?}", capability.code());
    }
}

#[test]
fn capabilities_over_252_octets_use_the_long_form() {
    // RFC 9072 section 2. A short length of 255 would be taken for the long form.
    for (octets, head) in [
        (100, &[102, 2, 100][..]),
        (251, &[253, 2, 251]),
        (252, &[254, 2, 252]),
        (253, &[255, 255, 1, 0, 2, 0, 253]),
        (254, &[255, 255, 1, 1, 2, 0, 254]),
        (257, &[255, 255, 1, 4, 2, 1, 1]),
    ] {
        let encoded = encoded_open(&open(vec![capability(octets - 2)])).unwrap();
        assert!(
            encoded[28..].starts_with(head),
            "{octets}: {:?}",
            &encoded[28..36]
        );
    }
    // Header, fixed part, and seven octets of the long form.
    let room = 4096 - 19 - 9 - 7;
    for (octets, legal) in [(room, true), (room + 1, false)] {
        let mut capabilities = vec![capability(255); 15];
        capabilities.push(capability(octets - 15 * 257 - 2));
        let encoded = encoded_open(&open(capabilities));
        assert_eq!(encoded.map(|octets| octets.len()), legal.then_some(4096));
    }
}

#[test]
fn restart_capabilities_have_each_flag_alone() {
    use bgp_wire::{GracefulRestartFamily, LongLivedRestartFamily};
    let family = Family::IPV4_UNICAST;
    for (restarted, notification) in [(false, false), (true, false), (false, true), (true, true)] {
        for restart_time in [0, 1, 0x0fff] {
            for (forwarding, stale_time) in [(false, 0), (true, 0xff_ffff), (false, 1)] {
                encoded_open(&open(vec![
                    CapabilityBuf::GracefulRestart {
                        restarted,
                        notification,
                        restart_time,
                        families: vec![GracefulRestartFamily { family, forwarding }],
                    },
                    CapabilityBuf::LongLivedGracefulRestart(vec![LongLivedRestartFamily {
                        family,
                        forwarding,
                        stale_time,
                    }]),
                ]))
                .unwrap();
            }
        }
    }
}

#[test]
fn tunnel_options_have_lengths_of_their_type() {
    // RFC 9012 section 2: one octet of length below type 128, two from there on.
    let value = vec![7; 65536];
    for (kind, octets, legal) in [
        (0, 255, true),
        (127, 255, true),
        (127, 256, false),
        (128, 0, true),
        (128, 256, true),
        (255, 65532, true),
        // The length of the tunnel itself has two octets also.
        (255, 65533, false),
        (255, 65536, false),
        (256, 1, false),
    ] {
        let value = &value[..octets];
        let options = [Tlv { kind, value }];
        let tunnel = RawAttributeBuf::tunnel_encapsulation([(8, &options[..])]);
        assert_eq!(tunnel.is_ok(), legal, "{kind} {octets}");
        if let Ok(tunnel) = tunnel {
            let header = if kind < 128 { 2 } else { 3 };
            assert_eq!(tunnel.value.len(), 4 + header + octets, "{kind}");
        }
    }
}

#[test]
fn attr_set_has_up_to_65535_octets() {
    // AS number, ORIGIN, AS_PATH, LOCAL_PREF, and the header of the unknown attribute.
    let room = 65535 - 4 - 4 - 3 - 7 - 4;
    let set = RawAttributeBuf::attr_set(Asn::new(64512), &padded(room)).unwrap();
    assert_eq!(set.value.len(), 65535);
    assert_eq!(
        RawAttributeBuf::attr_set(Asn::new(64512), &padded(room + 1)),
        Err(EncodeError::PartTooLong {
            part: "an ATTR_SET",
            length: 65536
        })
    );
}

#[test]
fn shutdown_communication_has_up_to_255_octets() {
    let text = |text: &str| NotificationBuf::with_text(Reason::ADMINISTRATIVE_SHUTDOWN, text);
    for (octets, sent) in [(1, 1), (254, 254), (255, 255), (256, 255)] {
        let notification = text(&"x".repeat(octets));
        assert_eq!(notification.data.len(), sent + 1);
        assert_eq!(notification.text().unwrap().len(), sent);
    }
    assert_eq!(text("").data, [0; 0]);
    for (octets, length) in [(0, 21), (4075, 4096), (4076, 4096)] {
        let mut out = BytesMut::new();
        let data = vec![7; octets];
        let reason = Reason::HARD_RESET;
        NotificationBuf { reason, data }.encode(&mut out);
        assert_eq!(out.len(), length);
    }
}

#[test]
fn encoders_append_to_what_is_in_the_buffer() {
    let refresh = RouteRefresh {
        family: Family::IPV6_UNICAST,
        subtype: RefreshSubtype::REQUEST,
    };
    let notification = NotificationBuf::with_text(Reason::ADMINISTRATIVE_SHUTDOWN, "bye");
    let encoders: [&dyn Fn(&mut BytesMut); 6] = [
        &|out| open(vec![capability(3)]).encode(out).unwrap(),
        &|out| notification.encode(out),
        &|out| refresh.encode(out),
        &|out| encode_end_of_rib(Family::IPV6_UNICAST, out),
        &|out| assert_eq!(encode_withdrawals(&context(), [ipv4()], out), Ok(1)),
        &|out| out.extend(announce(&context(), &padded(3), "192.0.2.1", ipv4()).unwrap()),
    ];
    for (position, encode) in encoders.into_iter().enumerate() {
        let mut alone = BytesMut::new();
        encode(&mut alone);
        assert_eq!(frame(alone.clone()).octets().len(), alone.len());
        // A message in front, of a length that is no multiple of anything.
        let mut both = BytesMut::from(&[1; 37][..]);
        encode(&mut both);
        assert_eq!(both, [&[1; 37], &alone[..]].concat(), "{position}");
    }
}
