//! Property tests: UPDATEs that are built decode to themselves, in few and legal messages, and no octets cause a panic.

#![cfg(test)]

use std::collections::BTreeSet;
use std::net::IpAddr;

use bgp_wire::{
    AsPathBuf, Asn, AttributeSet, Community, Context, Family, Frame, LargeCommunity, Message,
    MessageLimit, Nlri, Origin, PathId, PeerKind, UpdateBuf, encode_withdrawals, is_bogus_prefix,
};
use bytes::{Bytes, BytesMut};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::collection::vec;
use proptest::prelude::*;

/// Generates IPv4 and IPv6 prefixes without host bits that a receiver does not ignore.
fn prefix() -> impl Strategy<Value = IpNet> {
    let any_prefix = prop_oneof![
        (any::<u32>(), 0..=32u8)
            .prop_map(|(address, bits)| Ipv4Net::new(address.into(), bits).unwrap().trunc().into()),
        (any::<u128>(), 0..=128u8)
            .prop_map(|(address, bits)| Ipv6Net::new(address.into(), bits).unwrap().trunc().into()),
    ];
    any_prefix.prop_filter("bogus", |prefix| !is_bogus_prefix(*prefix))
}

prop_compose! {
    fn attributes()(
        origin in 0..3u8,
        // AS 0 is refused (RFC 7607), and a segment has at most 255 numbers.
        path in vec(1..u32::MAX, 0..=255),
        med in any::<Option<u32>>(),
        local_pref in any::<u32>(),
        atomic in any::<bool>(),
        communities in vec(any::<u32>(), 0..100),
        large in vec(any::<[u32; 3]>(), 0..30),
    ) -> AttributeSet {
        AttributeSet {
            as_path: AsPathBuf::sequence(path.into_iter().map(Asn::new)),
            multi_exit_disc: med,
            // The peer is internal, and LOCAL_PREF is mandatory for it.
            local_pref: Some(local_pref),
            atomic_aggregate: atomic,
            communities: communities.into_iter().map(Community).collect(),
            large_communities: large
                .into_iter()
                .map(|[global, local1, local2]| LargeCommunity { global, local1, local2 })
                .collect(),
            ..AttributeSet::new(Origin(origin))
        }
    }
}

/// Decodes messages. Returns the attributes of each, and all announced and withdrawn prefixes.
fn decode(
    mut octets: BytesMut,
    context: &Context,
) -> (Vec<AttributeSet>, BTreeSet<IpNet>, BTreeSet<IpNet>) {
    let (mut sets, mut announced, mut withdrawn) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    while let Some(frame) =
        Frame::split(&mut octets, context.message_limit()).expect("a legal header")
    {
        let Ok(Message::Update(update)) = frame.decode(context) else {
            panic!("not an UPDATE")
        };
        let checked = update.check().expect("legal");
        assert_eq!(checked.fault(), None);
        assert!(is_ascending(&update), "RFC 7606 section 5.1");
        if checked.announced().next().is_some() {
            sets.push(AttributeSet::from(&checked));
        }
        announced.extend(checked.announced().map(|nlri| nlri.prefix));
        withdrawn.extend(checked.withdrawn().map(|nlri| nlri.prefix));
    }
    assert!(octets.is_empty());
    (sets, announced, withdrawn)
}

/// Returns `true` if no message has room for the first prefix of the next message of its kind.
fn is_packed(mut octets: BytesMut, limit: MessageLimit) -> bool {
    let context = Context::new(PeerKind::Internal);
    let mut previous = None;
    while let Some(frame) = Frame::split(&mut octets, limit).unwrap() {
        let Ok(Message::Update(update)) = frame.decode(&context) else {
            return false;
        };
        let checked = update.check().unwrap();
        let announces = checked.announced().next().is_some();
        let first = if announces {
            checked.announced().next()
        } else {
            checked.withdrawn().next()
        }
        .unwrap()
        .prefix;
        // Messages of another kind may begin with room left in the one before.
        let kind = (announces, first.addr().is_ipv4());
        let length = 1 + usize::from(first.prefix_len()).div_ceil(8);
        if previous.is_some_and(|(other, octets): (_, usize)| {
            other == kind && octets + length <= limit.octets()
        }) {
            return false;
        }
        previous = Some((kind, frame.octets().len()));
    }
    true
}

/// Returns `true` if MP_REACH_NLRI, if present, is first and the other attributes ascend by code.
fn is_ascending(update: &bgp_wire::Update<'_>) -> bool {
    let codes: Vec<_> = update
        .raw_attributes()
        .map(|attribute| attribute.unwrap().code.0)
        .collect();
    codes.strip_prefix(&[14]).unwrap_or(&codes).is_sorted()
}

proptest! {
    #[test]
    fn built_update_decodes_to_the_same_routes_and_attributes(
        attributes in attributes(),
        announced in vec(prefix(), 0..3000),
        withdrawn in vec(prefix(), 0..100),
        extended in any::<bool>(),
    ) {
        let limit = if extended { MessageLimit::Extended } else { MessageLimit::Standard };
        let context = Context::new(PeerKind::Internal).with_message_limit(limit);
        let mut update = UpdateBuf::new(attributes.clone());
        update.set_next_hop(Family::IPV4_UNICAST, IpAddr::from([192, 0, 2, 1]));
        update.set_next_hop(Family::IPV6_UNICAST, IpAddr::from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]));
        announced.iter().for_each(|prefix| update.announce(*prefix));
        withdrawn.iter().for_each(|prefix| update.withdraw(*prefix));
        let mut octets = BytesMut::new();
        update.encode(&context, &mut octets).unwrap();
        prop_assert!(is_packed(octets.clone(), limit));
        let (sets, decoded_announced, decoded_withdrawn) = decode(octets, &context);
        // As sets, because the encoder groups routes by family.
        prop_assert_eq!(decoded_announced, announced.into_iter().collect());
        prop_assert_eq!(decoded_withdrawn, withdrawn.into_iter().collect());
        prop_assert!(sets.iter().all(|set| *set == attributes));
    }

    #[test]
    fn arbitrary_octets_decode_without_panic_or_expansion(body in vec(any::<u8>(), 0..300), message_type in 1..6u8, internal in any::<bool>()) {
        let length = u16::try_from(19 + body.len()).unwrap();
        let octets: Bytes = [&[0xff; 16], length.to_be_bytes().as_slice(), &[message_type], &body].concat().into();
        let peer = if internal { PeerKind::Internal } else { PeerKind::External };
        if let Ok(frame) = Frame::from_bytes(octets, MessageLimit::Standard)
            && let Ok(Message::Update(update)) = frame.decode(&Context::new(peer))
            && let Ok(checked) = update.check()
        {
            // Every item takes at least one octet, so a short message cannot cost much work.
            prop_assert!(checked.attributes().count() <= body.len());
            prop_assert!(checked.announced().count() + checked.withdrawn().count() <= body.len());
        }
    }
}

#[test]
fn route_without_room_leaves_no_octets_in_the_message() {
    // Path identifiers and prefixes are written one after the other, so either could remain alone. All lengths occur.
    let context = Context::new(PeerKind::External).with_add_path([Family::IPV4_UNICAST]);
    let lengths = (9..=32).cycle();
    let routes = (0..2000_u32).zip(lengths).map(|(number, length)| Nlri {
        path_id: Some(PathId(0x0101_0101 * (number % 255 + 1))),
        prefix: Ipv4Net::new((0xc000_0000 + (number << 8)).into(), length)
            .unwrap()
            .trunc(),
    });
    let mut octets = BytesMut::new();
    let messages = encode_withdrawals(&context, routes.clone(), &mut octets).unwrap();
    let mut withdrawn = Vec::new();
    for _ in 0..messages {
        let frame = Frame::split(&mut octets, MessageLimit::Standard)
            .unwrap()
            .unwrap();
        let Ok(Message::Update(update)) = frame.decode(&context) else {
            panic!("not an UPDATE")
        };
        let checked = update.check().unwrap();
        assert_eq!(checked.fault(), None);
        assert_eq!(
            checked.attributes().count() + checked.announced().count(),
            0
        );
        withdrawn.extend(checked.withdrawn());
    }
    // In order: a route that was tried in a full message must not be lost or moved.
    assert!(octets.is_empty());
    assert!(withdrawn.into_iter().eq(routes.map(|nlri| Nlri {
        path_id: nlri.path_id,
        prefix: IpNet::V4(nlri.prefix),
    })));
}

#[test]
fn attributes_without_room_for_a_route_are_refused() {
    let mut attributes = AttributeSet::new(Origin::IGP);
    // 4400 octets of communities exceed the 4096 of a message.
    attributes.communities = vec![Community::NO_EXPORT; 1100];
    let mut update = UpdateBuf::new(attributes);
    update.set_next_hop(Family::IPV4_UNICAST, IpAddr::from([192, 0, 2, 1]));
    update.announce("10.0.0.0/8".parse::<IpNet>().unwrap());
    let mut octets = BytesMut::from(&b"before"[..]);
    let error = update
        .encode(&Context::new(PeerKind::External), &mut octets)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "message too long: 4443 octets with the path attributes and one prefix, limit 4096"
    );
    // Messages that wait in the same buffer must survive the error.
    assert_eq!(octets, b"before"[..]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn values_that_check_would_reject_are_not_encoded() {
    use bgp_wire::{
        AttributeCode, AttributeFlags, EncodeError, PathId, RawAttributeBuf, SegmentBuf,
        SegmentType,
    };
    let good = AttributeSet::new(Origin::IGP);
    let unknown = |flags, code| {
        vec![RawAttributeBuf {
            flags: AttributeFlags(flags),
            code: AttributeCode(code),
            value: vec![0],
        }]
    };
    let confederation = SegmentBuf {
        segment_type: SegmentType::AS_CONFED_SEQUENCE,
        asns: vec![Asn::new(1)],
    };
    // An unregistered ORIGIN, AS 0, a confederation segment outside of one. Then unknown attributes: a well-known one,
    // one that the encoder itself writes, and two of one code.
    let sets = [
        AttributeSet::new(Origin(9)),
        AttributeSet {
            as_path: AsPathBuf::sequence([Asn::new(0)]),
            ..good.clone()
        },
        AttributeSet {
            as_path: AsPathBuf {
                segments: vec![confederation],
            },
            ..good.clone()
        },
        AttributeSet {
            unknown: unknown(0x40, 200),
            ..good.clone()
        },
        AttributeSet {
            unknown: unknown(0x80, 14),
            ..good.clone()
        },
        AttributeSet {
            unknown: [unknown(0xc0, 200), unknown(0xc0, 200)].concat(),
            ..good.clone()
        },
    ];
    let encode = |attributes: AttributeSet, next_hop: [u8; 4], nlri: Nlri, context: &Context| {
        let mut update = UpdateBuf::new(attributes);
        update.set_next_hop(Family::IPV4_UNICAST, IpAddr::from(next_hop));
        update.announce(nlri);
        let mut octets = BytesMut::new();
        let result = update.encode(context, &mut octets);
        assert!(result.is_ok() || octets.is_empty());
        result
    };
    let (context, nlri) = (
        Context::new(PeerKind::Internal),
        Nlri::new("10.0.0.0/8".parse().unwrap()),
    );
    for attributes in sets {
        let result = encode(attributes.clone(), [192, 0, 2, 1], nlri, &context);
        assert!(
            matches!(result, Err(EncodeError::Illegal(_))),
            "{attributes:?}"
        );
    }
    for next_hop in [
        [0, 0, 0, 0],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [255, 255, 255, 255],
    ] {
        let result = encode(good.clone(), next_hop, nlri, &context);
        assert_eq!(
            result,
            Err(EncodeError::NextHopUnusable(IpAddr::from(next_hop)))
        );
    }
    // RFC 7911 section 3: with ADD-PATH every route has an identifier, without it none has.
    let add_path = context.with_add_path([Family::IPV4_UNICAST]);
    let identified = Nlri {
        path_id: Some(PathId(7)),
        ..nlri
    };
    assert!(encode(good.clone(), [192, 0, 2, 1], nlri, &add_path).is_err());
    assert!(encode(good.clone(), [192, 0, 2, 1], identified, &context).is_err());
    assert_eq!(encode(good, [192, 0, 2, 1], identified, &add_path), Ok(1));
}
