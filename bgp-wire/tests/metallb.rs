//! Messages recorded from the encoder of MetalLB v0.12.1: they decode, and encode to the same octets.

#![cfg(test)]

mod common;

use bgp_wire::{
    Asn, AttributeSet, Capability, CapabilityBuf, Context, Family, Frame, HoldTime, Message,
    MessageLimit, Nlri, Open, OpenBuf, Origin, PeerKind, Reason, RouterId, UpdateBuf,
};
use bytes::{Bytes, BytesMut};
use common::{frame, hex, message, update};

const MARKER: &str = "ffffffffffffffffffffffffffffffff";

/// Returns a recorded message, whose marker is omitted in the tables.
fn recorded(rest: &str) -> Bytes {
    hex(&format!("{MARKER}{rest}")).into()
}

static INTERNAL: Context = Context::new(PeerKind::Internal);

/// Decodes the OPEN in a frame.
fn open_of(frame: &Frame) -> Open<'_> {
    match frame.decode(&INTERNAL) {
        Ok(Message::Open(open)) => open,
        other => panic!("not an OPEN: {other:?}"),
    }
}

#[test]
fn recorded_opens_decode_and_encode_to_the_same_octets() {
    let vectors = [
        (
            "00310104fc00005ac0a8006f14021201040001000101040002000141040000fc00",
            64512,
            64512,
            90,
        ),
        (
            // An AS number above 65535 is AS_TRANS in the two-octet field (RFC 6793 section 4.2.2).
            "003101045ba0005ac0a8006f1402120104000100010104000200014104fa56ea01",
            23456,
            4_200_000_001,
            90,
        ),
        (
            // MetalLB takes the hold time modulo 65536: 86400 s became 20864 s.
            "00310104fc005180c0a8006f14021201040001000101040002000141040000fc00",
            64512,
            64512,
            20864,
        ),
    ];
    for (vector, my_as, asn, hold_time) in vectors {
        let frame = frame(recorded(vector));
        let open = open_of(&frame);
        assert_eq!((open.my_as(), open.asn()), (my_as, Asn::new(asn)));
        assert_eq!(open.hold_time(), HoldTime::new(hold_time).unwrap());
        assert_eq!(open.router_id(), RouterId::new(192, 168, 0, 111).unwrap());
        let capabilities: Vec<_> = open.capabilities().collect();
        let expected = [
            Capability::Multiprotocol(Family::IPV4_UNICAST),
            Capability::Multiprotocol(Family::IPV6_UNICAST),
            Capability::FourOctetAs(Asn::new(asn)),
        ];
        assert_eq!(capabilities, expected);

        let built = OpenBuf {
            asn: Asn::new(asn),
            hold_time: HoldTime::new(hold_time).unwrap(),
            router_id: RouterId::new(192, 168, 0, 111).unwrap(),
            capabilities: expected.into_iter().map(CapabilityBuf::from).collect(),
        };
        assert_eq!(built, OpenBuf::from(open));
        let mut out = BytesMut::new();
        built.encode(&mut out).unwrap();
        assert_eq!(out, recorded(vector));
    }
}

/// A recorded UPDATE that announces one prefix, and its values.
struct Announcement {
    octets: &'static str,
    context: Context,
    prefix: &'static str,
    as_path: &'static str,
    local_pref: Option<u32>,
    communities: &'static [&'static str],
}

#[test]
fn recorded_announcements_decode_and_encode_to_the_same_octets() {
    let vectors = [
        // Internal: an empty AS path, and a LOCAL_PREF of 0.
        Announcement {
            octets: "0031020000001540010102400200400304c0a8006f4005040000000020c0a80a01",
            context: Context::new(PeerKind::Internal),
            prefix: "192.168.10.1/32",
            as_path: "",
            local_pref: Some(0),
            communities: &[],
        },
        Announcement {
            octets: "0037020000001b4001010240020602010000fc00400304c0a8006fc00804fc00000120c0a80a01",
            context: Context::new(PeerKind::External),
            prefix: "192.168.10.1/32",
            as_path: "64512",
            local_pref: None,
            communities: &["64512:1"],
        },
        // External to a peer without four-octet AS numbers (RFC 6793).
        Announcement {
            octets: "002d0200000012400101024002040201fc00400304c0a8006f18c0a80a",
            context: Context::new(PeerKind::External).with_four_octet_as(false),
            prefix: "192.168.10.0/24",
            as_path: "64512",
            local_pref: None,
            communities: &[],
        },
    ];
    for vector in vectors {
        let frame = frame(recorded(vector.octets));
        let checked = update(&frame, &vector.context).check().unwrap();
        assert_eq!(checked.fault(), None);
        assert_eq!(checked.origin(), Some(Origin::INCOMPLETE));
        assert_eq!(checked.as_path().unwrap().to_string(), vector.as_path);
        assert_eq!(checked.next_hop(), Some("192.168.0.111".parse().unwrap()));
        assert_eq!(checked.local_pref(), vector.local_pref);
        assert_eq!(checked.multi_exit_disc(), None);
        let communities = checked
            .communities()
            .into_iter()
            .flat_map(|list| list.iter())
            .map(|item| item.to_string());
        assert_eq!(communities.collect::<Vec<_>>(), vector.communities);
        let announced: Vec<_> = checked.announced().collect();
        assert_eq!(announced, [Nlri::new(vector.prefix.parse().unwrap())]);
        assert_eq!(checked.withdrawn().count(), 0);

        // Built from the decoded values, so that the encoder alone decides the octets.
        let mut built = UpdateBuf::new(AttributeSet::from(&checked));
        let next_hop = std::net::IpAddr::V4(checked.next_hop().unwrap());
        built.set_next_hop(Family::IPV4_UNICAST, next_hop);
        built
            .announced
            .extend(announced.into_iter().map(Into::into));
        let mut out = BytesMut::new();
        assert_eq!(built.encode(&vector.context, &mut out), Ok(1));
        assert_eq!(out, recorded(vector.octets));
    }
}

#[test]
fn recorded_withdrawal_decodes_and_encodes_to_the_same_octets() {
    let vector = recorded("002002000920c0a80a0118c0a80a0000");
    let context = Context::new(PeerKind::Internal);
    let frame = frame(vector.clone());
    let checked = update(&frame, &context).check().unwrap();
    let withdrawn: Vec<_> = checked.withdrawn().collect();
    assert_eq!(
        withdrawn,
        ["192.168.10.1/32", "192.168.10.0/24"].map(|text| Nlri::new(text.parse().unwrap()))
    );
    // The attributes are not written, because nothing is announced.
    let mut built = UpdateBuf::new(AttributeSet::new(Origin::IGP));
    built
        .withdrawn
        .extend(withdrawn.into_iter().map(Into::into));
    let mut out = BytesMut::new();
    assert_eq!(built.encode(&context, &mut out), Ok(1));
    assert_eq!(out, vector);
}

#[test]
fn recorded_keepalive_is_the_constant() {
    let vector = recorded("001304");
    assert_eq!(vector, bgp_wire::KEEPALIVE[..]);
    assert!(matches!(
        frame(vector).decode(&Context::new(PeerKind::Internal)),
        Ok(Message::Keepalive)
    ));
}

/// MetalLB writes a next hop of sixteen octets under a length of four if the session runs over IPv6.
#[test]
fn recorded_update_over_ipv6_is_refused() {
    let frame = frame(recorded(
        "003d020000002140010102400200400304fd0000000000000000000000000000014005040000000020c0a80a01",
    ));
    let error = update(&frame, &Context::new(PeerKind::Internal))
        .check()
        .unwrap_err();
    // The twelve octets too many read as an attribute with code 0 and flags 0, which claims to be well-known.
    assert_eq!(error.reason, Reason::UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE);
    assert_eq!(
        error.notification_data(frame.octets()),
        [0, 0, 0],
        "the first of the octets too many"
    );
}

/// MetalLB puts 900 withdrawn /32s into one message of 4523 octets, and 14000 into one whose length field wraps to 1187.
#[test]
fn recorded_withdrawal_above_the_message_limit_is_refused() {
    let withdrawal = |length: u16, prefixes: usize| {
        let field = u16::try_from(prefixes * 5 % 65536).unwrap().to_be_bytes();
        let routes = [32, 192, 168, 10, 1].repeat(prefixes);
        [
            &hex(MARKER)[..],
            &length.to_be_bytes(),
            &[2],
            &field,
            &routes,
            &[0, 0],
        ]
        .concat()
    };
    let long = withdrawal(4523, 900);
    assert_eq!(long.len(), 4523);
    let error = Frame::split(&mut BytesMut::from(&long[..]), MessageLimit::Standard).unwrap_err();
    assert_eq!(error.reason, Reason::BAD_MESSAGE_LENGTH);

    let mut wrapped = BytesMut::from(&withdrawal(1187, 14000)[..]);
    let first = Frame::split(&mut wrapped, MessageLimit::Standard)
        .unwrap()
        .unwrap();
    let error = first.decode(&Context::new(PeerKind::Internal)).unwrap_err();
    assert_eq!(error.reason, Reason::MALFORMED_ATTRIBUTE_LIST);
    // After the wrapped length, the rest of the routes is where a marker should be.
    let error = Frame::split(&mut wrapped, MessageLimit::Standard).unwrap_err();
    assert_eq!(error.reason, Reason::CONNECTION_NOT_SYNCHRONIZED);
}

#[test]
fn withdrawals_above_the_message_limit_take_several_messages() {
    let mut built = UpdateBuf::new(AttributeSet::new(Origin::IGP));
    let prefix = |number: u32| ipnet::Ipv4Net::new(number.into(), 32).unwrap();
    (0..900).for_each(|number| built.withdraw(ipnet::IpNet::V4(prefix(number))));
    let mut out = BytesMut::new();
    assert_eq!(
        built.encode(&Context::new(PeerKind::Internal), &mut out),
        Ok(2)
    );
    let first = Frame::split(&mut out, MessageLimit::Standard)
        .unwrap()
        .unwrap();
    // The first message is full: header, two lengths, and 814 routes of five octets.
    assert_eq!(first.octets().len(), 23 + 814 * 5);
    assert_eq!(message(2, first.body()), first.octets());
}
