//! The small values: their accessors, each with every answer that it can give.

#![cfg(test)]

mod common;

use std::time::Duration;

use bgp_wire::{
    AddPathFamily, Afi, AsPathBuf, Asn, AttributeFlags, ComponentType, Context, ExtendedCommunity,
    Family, FamilySet, HoldTime, KEEPALIVE, Label, Labels, Message, MessageLimit, MessageType,
    Origin, PeerKind, RawAttributeBuf, Reason, RouteTargetPrefix, Safi, SegmentType, Span,
};
use bytes::Bytes;
use common::{frame, hex, message, update};

#[test]
fn hold_time_is_a_duration_with_a_third_for_keepalives() {
    for (seconds, keepalive) in [
        (0, 0),
        (3, 1000),
        (10, 3333),
        (90, 30_000),
        (65535, 21_845_000),
    ] {
        let time = HoldTime::new(seconds).unwrap();
        assert_eq!(time.seconds(), seconds);
        assert_eq!(time.duration(), Duration::from_secs(seconds.into()));
        assert_eq!(time.keepalive().as_millis(), keepalive, "{seconds}");
        assert_eq!(time.to_string(), format!("{seconds} s"));
        assert_eq!(time.to_string().parse(), Ok(time));
        assert_eq!(format!("{seconds}").parse(), Ok(time));
    }
    assert_eq!((HoldTime::new(1), HoldTime::new(2)), (None, None));
    let [zero, short, long] = [0, 30, 90].map(|seconds| HoldTime::new(seconds).unwrap());
    for (one, other, negotiated) in [
        (short, long, short),
        (long, short, short),
        (long, zero, zero),
    ] {
        assert_eq!(one.negotiate(other), negotiated);
    }
}

#[test]
fn extended_community_is_transitive_without_the_t_bit() {
    // RFC 4360 section 2.
    for (octets, transitive) in [
        ([0x00, 2, 0, 1, 0, 0, 0, 1], true),
        ([0x80, 6, 0, 1, 0, 0, 0, 0], true),
        ([0xbf, 0, 0, 0, 0, 0, 0, 0], true),
        ([0x40, 4, 0, 1, 0, 0, 0, 0], false),
        ([0xc0, 0, 0, 0, 0, 0, 0, 0], false),
    ] {
        let community = ExtendedCommunity(octets);
        assert_eq!(community.is_transitive(), transitive, "{community}");
    }
    assert_eq!(
        ExtendedCommunity::route_target(64512, 7).to_string(),
        "target:64512:7"
    );
    let rate = ExtendedCommunity::traffic_rate(64512, 1000.0);
    assert_eq!(rate.to_string(), "rate-limit:64512:1000.0");
    assert_eq!(rate.name(), Some("rate-limit"));
    assert_eq!(ExtendedCommunity([0x43, 9, 0, 0, 0, 0, 0, 0]).name(), None);
}

#[test]
fn attribute_flags_tell_optional_from_transitive() {
    for flags in 0..=u8::MAX {
        let (optional, transitive) = (flags >= 0x80, flags % 0x80 >= 0x40);
        let flags = AttributeFlags(flags);
        assert_eq!(flags.is_optional(), optional, "{flags}");
        assert_eq!(flags.is_transitive(), transitive, "{flags}");
        assert_eq!(flags.to_string().parse(), Ok(flags));
    }
    assert_eq!(AttributeFlags(0xc0).to_string(), "0xc0");
    assert!("0xc0c0".parse::<AttributeFlags>().is_err());
}

#[test]
fn flags_of_a_kept_attribute_are_those_that_may_be_sent() {
    // RFC 4271 section 4.3: four unused bits, a length bit that the encoder sets, and Partial for transitive ones only.
    for flags in 0x80..=u8::MAX {
        let length = if flags & 0x10 == 0 { "01" } else { "0001" };
        let attributes = hex(&format!("{flags:02x}63 {length} aa"));
        let count = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        let frame = frame(message(2, &[&[0, 0], &count[..], &attributes].concat()));
        let context = Context::new(PeerKind::External);
        let raw = update(&frame, &context)
            .raw_attributes()
            .next()
            .unwrap()
            .unwrap();
        let kept = flags & if flags & 0x40 == 0 { 0x80 } else { 0xe0 };
        assert_eq!(RawAttributeBuf::from(raw).flags.0, kept, "{flags:x}");
    }
}

#[test]
fn segment_types_are_sets_or_belong_to_a_confederation() {
    for (number, set, confederation) in [
        (0, false, false),
        (1, true, false),
        (2, false, false),
        (3, false, true),
        (4, true, true),
        (5, false, false),
    ] {
        let segment_type = SegmentType(number);
        let found = (segment_type.is_set(), segment_type.is_confederation());
        assert_eq!(found, (set, confederation), "{segment_type}");
    }
    let letters = [Origin::IGP, Origin::EGP, Origin::INCOMPLETE, Origin(3)].map(Origin::letter);
    assert_eq!(letters, ['i', 'e', '?', '?']);
}

#[test]
fn add_path_directions_are_bits_of_which_other_values_mean_nothing() {
    for (directions, receives, sends) in [
        (0, false, false),
        (1, true, false),
        (2, false, true),
        (3, true, true),
        (4, false, false),
        (7, false, false),
    ] {
        let family = Family::IPV4_UNICAST;
        let entry = AddPathFamily { family, directions };
        assert_eq!(
            (entry.receives(), entry.sends()),
            (receives, sends),
            "{directions}"
        );
    }
}

#[test]
fn bitmask_components_are_tcp_flags_and_fragment() {
    for number in 0..=14 {
        let component = ComponentType(number);
        assert_eq!(
            component.is_bitmask(),
            [9, 12].contains(&number),
            "{component}"
        );
    }
}

#[test]
fn label_has_a_number_and_a_bottom_bit() {
    let label = Label::new(0x12345).unwrap();
    assert_eq!(
        (label.octets(), label.number()),
        ([0x12, 0x34, 0x51], 0x12345)
    );
    assert!(label.is_bottom());
    let stack: Labels = "1/1048575".parse().unwrap();
    let entries: Vec<_> = stack
        .as_slice()
        .iter()
        .map(|label| (label.number(), label.is_bottom()))
        .collect();
    assert_eq!(entries, [(1, false), (0xf_ffff, true)]);
    assert_eq!(Label::new(0xf_ffff).unwrap().number(), 0xf_ffff);
    // An entry that is not the last, and one with a traffic class, read back from hex only.
    for text in ["0x000010/2", "0x000021", "0x00001e"] {
        let labels: Labels = text.parse().unwrap();
        assert_eq!(labels.to_string().parse(), Ok(labels), "{text}");
    }
    assert_eq!(format!("{:?}", Labels::from(label)), "Labels(74565)");
    assert_eq!("74565".parse(), Ok(label));
    assert!("1/2".parse::<Label>().is_err());
}

#[test]
fn route_target_prefix_returns_its_parts() {
    let target = ExtendedCommunity::route_target(64512, 1);
    let whole = RouteTargetPrefix::new(Asn::new(64513), target);
    assert_eq!(
        (whole.bits(), whole.origin_as(), whole.target()),
        (96, Asn::new(64513), target)
    );
    // RFC 4684 section 4: the origin AS is never cut.
    for (bits, legal) in [
        (0, true),
        (1, false),
        (31, false),
        (32, true),
        (33, true),
        (95, true),
        (96, true),
        (97, false),
    ] {
        let cut = whole.truncate(bits);
        assert_eq!(
            cut.map(|prefix| prefix.bits()),
            legal.then_some(bits),
            "{bits}"
        );
    }
    let half = whole.truncate(64).unwrap();
    assert_eq!(
        half.target(),
        ExtendedCommunity([0, 2, 0xfc, 0, 0, 0, 0, 0])
    );
    let odd = whole.truncate(52).unwrap();
    assert_eq!(odd.target(), ExtendedCommunity([0, 2, 0xf0, 0, 0, 0, 0, 0]));
    assert_eq!(half.truncate(65), None, "a prefix cannot grow");
    assert_eq!(half.truncate(64), Some(half));
}

#[test]
fn frame_returns_its_parts() {
    let body = [0, 0, 0, 0];
    let octets = message(2, &body);
    let frame = frame(octets.clone());
    assert_eq!(frame.message_type(), MessageType::UPDATE);
    assert_eq!((frame.body(), frame.octets()), (&body[..], &octets[..]));
    let part = frame.slice_ref(&frame.octets()[16..18]);
    assert_eq!(part, [0, 23][..]);
    assert_eq!(Bytes::from(frame), octets);
}

#[test]
fn message_decodes_only_from_exactly_its_octets() {
    let context = Context::new(PeerKind::External);
    assert!(matches!(
        Message::decode(&KEEPALIVE, &context),
        Ok(Message::Keepalive)
    ));
    let longer = [&KEEPALIVE[..], &[0xff]].concat();
    for octets in [&longer[..], &KEEPALIVE[..18]] {
        let error = Message::decode(octets, &context).unwrap_err();
        assert_eq!(error.reason, Reason::BAD_MESSAGE_LENGTH);
        assert_eq!(error.span, Span { start: 16, end: 18 });
    }
}

#[test]
fn family_set_has_what_was_added() {
    let (ipv4, ipv6) = (Family::IPV4_UNICAST, Family::IPV6_UNICAST);
    let (vpn, raw) = (Family::IPV4_VPN, Family::new(Afi(16388), Safi(71)));
    let set = FamilySet::EMPTY.with(ipv4).with(vpn).with(vpn).with(raw);
    for (family, contained) in [(ipv4, true), (vpn, true), (ipv6, false), (raw, false)] {
        assert_eq!(set.contains(family), contained, "{family}");
    }
    assert_eq!(set.iter().collect::<Vec<_>>(), [ipv4, vpn]);
    assert_eq!([ipv4, vpn].into_iter().collect::<FamilySet>(), set);
    let other = FamilySet::EMPTY.with(ipv6).with(vpn);
    let common = FamilySet::EMPTY.with(vpn);
    assert_eq!(set.intersection(other), common);
    assert_eq!((FamilySet::EMPTY.is_empty(), set.is_empty()), (true, false));
    let texts = [FamilySet::EMPTY, common, set].map(|set| set.to_string());
    assert_eq!(texts, ["none", "ipv4 vpn", "ipv4 unicast, ipv4 vpn"]);
    assert_eq!(vpn.to_octets(), [0, 1, 0, 128]);
}

#[test]
fn context_has_the_defaults_of_a_session_without_capabilities() {
    for kind in [
        PeerKind::External,
        PeerKind::Internal,
        PeerKind::Confederation,
    ] {
        let context = Context::new(kind);
        assert_eq!(context.peer_kind(), kind);
        assert!(context.four_octet_as());
        assert_eq!(context.message_limit(), MessageLimit::Standard);
        let unicast = FamilySet::EMPTY
            .with(Family::IPV4_UNICAST)
            .with(Family::IPV6_UNICAST);
        assert_eq!(context.families(), unicast);
        let bits = [
            context.raw_families(),
            context.as_sets(),
            context.confederation(),
        ];
        assert_eq!(bits, [false; 3]);
        let sets = [
            context.add_path(),
            context.multiple_labels(),
            context.extended_next_hop(),
        ];
        assert_eq!(sets, [FamilySet::EMPTY; 3]);
        assert_eq!((context.local_as(), context.first_as()), (None, None));
        assert_eq!((context.router_id(), context.local_address()), (None, None));
        assert_eq!(context.peer_role(), None);
    }
    assert_eq!(MessageLimit::Standard.octets(), 4096);
    assert_eq!(MessageLimit::Extended.octets(), 65535);
}

#[test]
fn context_exchanges_negotiated_and_raw_families() {
    let raw = Family::new(Afi(16388), Safi(71));
    let context = Context::new(PeerKind::External).with_families([Family::IPV4_VPN]);
    for (context, expected) in [
        (context, [true, false, false]),
        (context.with_raw_families(true), [true, false, true]),
    ] {
        let families = [Family::IPV4_VPN, Family::IPV4_UNICAST, raw];
        assert_eq!(families.map(|family| context.exchanges(family)), expected);
    }
}

#[test]
fn as_path_length_counts_sets_once_and_confederations_never() {
    // RFC 4271 section 9.1.2.2 (a), RFC 5065 section 5.3.
    for (text, length, fits) in [
        ("", 0, true),
        ("1 2 3", 3, true),
        ("{1,2,3}", 1, true),
        ("1 {2,3} 65535", 3, true),
        ("(1 2) [3,4] 65536", 1, false),
    ] {
        let path: AsPathBuf = text.parse().unwrap();
        assert_eq!(
            (path.length(), path.fits_two_octets()),
            (length, fits),
            "{text}"
        );
    }
}

#[test]
fn prepended_number_stays_outside_of_sets() {
    for (text, prepended) in [
        ("", "7 7"),
        ("1 2", "7 7 1 2"),
        ("{1,2} 3", "7 7 {1,2} 3"),
        ("(1) 2", "7 7 (1) 2"),
    ] {
        let path: AsPathBuf = text.parse().unwrap();
        assert_eq!(path.clone().prepend(Asn::new(7), 2).to_string(), prepended);
        assert_eq!(path.clone().prepend(Asn::new(7), 0).to_string(), text);
    }
}

#[test]
fn consecutive_segments_merge_only_if_they_are_sequences() {
    for (text, segments) in [
        ("1 2", 1),
        ("{1} {2}", 2),
        ("(1) (2)", 1),
        ("[1] [2]", 2),
        ("(1) 2 {3} 4 5", 4),
    ] {
        let path: AsPathBuf = text.parse().unwrap();
        assert_eq!(path.segments.len(), segments, "{text}");
        assert_eq!(path.to_string().parse(), Ok(path));
    }
}
