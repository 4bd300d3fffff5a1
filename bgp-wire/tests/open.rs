//! Legal and illegal OPEN messages as tables of octets (RFC 4271 section 6.2, RFC 5492, RFC 9072).

#![cfg(test)]

mod common;

use bgp_wire::{
    Asn, Capability, CapabilityBuf, CapabilityCode, Context, Message, OpenBuf, PeerKind, Reason,
};
use bytes::BytesMut;
use common::{frame, hex, message};

/// The fields in front of the optional parameters: version, AS 65001, hold time 90, identifier 10.99.1.2.
const FIXED: &str = "04 fde9 005a 0a630102 ";

static EXTERNAL: Context = Context::new(PeerKind::External);

/// Decodes the body of an OPEN. Returns the reason and the data of the NOTIFICATION as an error.
fn open(body: &str) -> Result<OpenBuf, (Reason, Vec<u8>)> {
    let frame = frame(message(1, &hex(body)));
    match frame.decode(&EXTERNAL) {
        Ok(Message::Open(open)) => Ok(open.into()),
        Ok(other) => panic!("not an OPEN: {other:?}"),
        Err(error) => Err((
            error.reason,
            error.notification_data(frame.octets()).to_vec(),
        )),
    }
}

/// Illegal bodies, and the reason and data of the NOTIFICATION that answers each.
const REFUSALS: &[(&str, Reason, &str)] = &[
    // RFC 4271 section 6.2: the data is the largest supported version.
    (
        "05 fde9 005a 0a630102 00",
        Reason::UNSUPPORTED_VERSION_NUMBER,
        "0004",
    ),
    (
        "04 fde9 0001 0a630102 00",
        Reason::UNACCEPTABLE_HOLD_TIME,
        "",
    ),
    (
        "04 fde9 0002 0a630102 00",
        Reason::UNACCEPTABLE_HOLD_TIME,
        "",
    ),
    // RFC 6286 section 2.2: the identifier is not zero. RFC 7607 section 2: nor is the AS number, in either place.
    ("04 fde9 005a 00000000 00", Reason::BAD_BGP_IDENTIFIER, ""),
    ("04 0000 005a 0a630102 00", Reason::BAD_PEER_AS, ""),
    (
        "04 fde9 005a 0a630102 08 0206 410400000000",
        Reason::BAD_PEER_AS,
        "",
    ),
    // The length of the parameters does not match the length of the message.
    (
        "04 fde9 005a 0a630102 00 02020200",
        Reason::OPEN_UNSPECIFIC,
        "",
    ),
    ("04 fde9 005a 0a630102 ff", Reason::OPEN_UNSPECIFIC, ""),
    // RFC 9072 section 2: the same with the extended length, and an extended length that is cut off.
    (
        "04 fde9 005a 0a630102 ff ff 0002 0001",
        Reason::OPEN_UNSPECIFIC,
        "",
    ),
    (
        "04 fde9 005a 0a630102 ff ff ffff",
        Reason::OPEN_UNSPECIFIC,
        "",
    ),
    (
        "04 fde9 005a 0a630102 ff ff 00",
        Reason::OPEN_UNSPECIFIC,
        "",
    ),
    // A parameter that is longer than the parameters.
    (
        "04 fde9 005a 0a630102 04 02ff0104",
        Reason::OPEN_UNSPECIFIC,
        "",
    ),
    // An unknown parameter, which is the data.
    (
        "04 fde9 005a 0a630102 04 fe020102",
        Reason::UNSUPPORTED_OPTIONAL_PARAMETER,
        "fe020102",
    ),
    // Capabilities that do not fill their parameter.
    (
        "04 fde9 005a 0a630102 06 0204 41040000",
        Reason::OPEN_UNSPECIFIC,
        "",
    ),
    (
        "04 fde9 005a 0a630102 06 0204 4102fde9",
        Reason::OPEN_UNSPECIFIC,
        "",
    ),
];

#[test]
fn illegal_open_is_refused_with_reason_and_data() {
    for (body, reason, data) in REFUSALS.iter().copied() {
        assert_eq!(open(body), Err((reason, hex(data))), "{body}");
    }
}

#[test]
fn capability_with_unknown_code_or_value_is_kept_as_octets() {
    for parameters in [
        "00",
        "02 0200",
        "07 0205 0103000100",
        "05 0203 400180",
        "09 0207 40050078000101",
    ] {
        for capability in open(&format!("{FIXED}{parameters}")).unwrap().capabilities {
            assert!(
                matches!(capability, CapabilityBuf::Unknown(..)),
                "{capability:?}"
            );
        }
    }
    // A long value, which no known capability has.
    let long = format!("{FIXED} cc 02ca efc8 {}", "aa".repeat(200));
    let unknown = CapabilityBuf::Unknown(CapabilityCode(239), vec![0xaa; 200]);
    assert_eq!(open(&long).unwrap().capabilities, [unknown]);
}

#[test]
fn capabilities_in_several_parameters_decode_like_one() {
    // RFC 5492 section 4 recommends one parameter, but older speakers send one for each capability.
    let one = open(&format!("{FIXED} 0c 0206 010400010001 0202 0200")).unwrap();
    let two = open(&format!("{FIXED} 0a 0208 010400010001 0200")).unwrap();
    assert_eq!(one, two);
}

#[test]
fn extended_parameters_decode_whatever_the_short_length() {
    // RFC 9072 section 2: the one-octet length is ignored if the type is 255.
    for length in ["ff", "01"] {
        let parsed = open(&format!("{FIXED} {length} ff 0009 02 0006 010400010001")).unwrap();
        assert_eq!(parsed.capabilities.len(), 1);
    }
    // 750 octets of capabilities need the extended form.
    let many = OpenBuf {
        capabilities: vec![CapabilityBuf::Unknown(CapabilityCode(239), vec![7; 250]); 3],
        ..open(&format!("{FIXED}00")).unwrap()
    };
    let mut out = BytesMut::new();
    many.encode(&mut out).unwrap();
    // RFC 9072 section 2: length and type 255, then the length of the parameters and of the first one.
    assert_eq!(out[28..35], [255, 255, 2, 247, 2, 2, 244]);
    let frame = frame(out.freeze());
    let Ok(Message::Open(view)) = frame.decode(&EXTERNAL) else {
        panic!()
    };
    assert_eq!(OpenBuf::from(view), many);
}

#[test]
fn graceful_restart_capability_decodes_and_encodes() {
    let frame = frame(message(
        1,
        &hex(&format!("{FIXED} 0e 020c 400a c078 00010180 00020100")),
    ));
    let Ok(Message::Open(open)) = frame.decode(&EXTERNAL) else {
        panic!()
    };
    // The first two bits are R and N (RFC 4724 section 3, RFC 8538 section 2), the other twelve the time.
    let Some(Capability::GracefulRestart(restart)) = open.capabilities().next() else {
        panic!()
    };
    assert!(restart.restarted() && restart.notification());
    assert_eq!(restart.restart_time(), 120);
    let families: Vec<_> = restart
        .families()
        .map(|item| (item.family.to_string(), item.forwarding))
        .collect();
    assert_eq!(
        families,
        [
            ("ipv4 unicast".into(), true),
            ("ipv6 unicast".into(), false)
        ]
    );
    let mut out = BytesMut::new();
    OpenBuf::from(open).encode(&mut out).unwrap();
    assert_eq!(out, frame.octets());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_capability_decodes_and_encodes_to_the_same_octets() {
    use bgp_wire::{
        AddPathFamily, Afi, Asn, ExtendedNextHop, Family, FilterType, GracefulRestartFamily,
        LongLivedRestartFamily, MultipleLabelsFamily, Role, RouteFiltersBuf,
    };
    let (ipv4, ipv6) = (Family::IPV4_UNICAST, Family::IPV6_UNICAST);
    let table = [
        ("01 04 0002 00 01", CapabilityBuf::Multiprotocol(ipv6)),
        ("02 00", CapabilityBuf::RouteRefresh),
        (
            "03 07 0001 00 01 01 40 03",
            CapabilityBuf::OutboundRouteFilter(vec![RouteFiltersBuf {
                family: ipv4,
                types: vec![FilterType {
                    number: 64,
                    directions: 3,
                }],
            }]),
        ),
        (
            "05 06 0001 0001 0002",
            CapabilityBuf::ExtendedNextHop(vec![ExtendedNextHop {
                family: ipv4,
                next_hop: Afi::IPV6,
            }]),
        ),
        ("06 00", CapabilityBuf::ExtendedMessage),
        (
            "08 04 0001 04 05",
            CapabilityBuf::MultipleLabels(vec![MultipleLabelsFamily {
                family: Family::IPV4_LABELED,
                count: 5,
            }]),
        ),
        ("09 01 03", CapabilityBuf::Role(Role::CUSTOMER)),
        (
            "40 06 c078 0001 01 80",
            CapabilityBuf::GracefulRestart {
                restarted: true,
                notification: true,
                restart_time: 120,
                families: vec![GracefulRestartFamily {
                    family: ipv4,
                    forwarding: true,
                }],
            },
        ),
        (
            "41 04 fa56ea01",
            CapabilityBuf::FourOctetAs(Asn::new(4_200_000_001)),
        ),
        (
            "45 08 0001 01 03 0002 01 01",
            CapabilityBuf::AddPath(vec![
                AddPathFamily {
                    family: ipv4,
                    directions: 3,
                },
                AddPathFamily {
                    family: ipv6,
                    directions: 1,
                },
            ]),
        ),
        ("46 00", CapabilityBuf::EnhancedRouteRefresh),
        (
            "47 07 0001 01 80 000e10",
            CapabilityBuf::LongLivedGracefulRestart(vec![LongLivedRestartFamily {
                family: ipv4,
                forwarding: true,
                stale_time: 3600,
            }]),
        ),
        (
            "49 05 03 667272 00",
            CapabilityBuf::Fqdn {
                host: "frr".into(),
                domain: String::new(),
            },
        ),
        (
            "4b 06 05 46 52 52 2f 38",
            CapabilityBuf::SoftwareVersion("FRR/8".into()),
        ),
        ("4d 00", CapabilityBuf::LinkLocalNextHop),
        (
            "ef 01 aa",
            CapabilityBuf::Unknown(CapabilityCode(239), vec![0xaa]),
        ),
    ];
    for (octets, value) in table {
        let capability = hex(octets);
        let length = u8::try_from(capability.len()).unwrap();
        let body = [&hex(FIXED)[..], &[length + 2, 2, length], &capability].concat();
        let parsed = open(
            &body
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect::<String>(),
        )
        .unwrap();
        assert_eq!(parsed.capabilities, [value], "{octets}");
        let mut out = BytesMut::new();
        parsed.encode(&mut out).unwrap();
        // One capability is one parameter, the last octets of the message.
        assert!(out.ends_with(&capability), "{octets}");
    }
}

#[test]
fn open_that_no_receiver_accepts_is_not_encoded() {
    let one = open(&format!("{FIXED}00")).unwrap();
    let with = |asn: u32, capabilities: &[CapabilityBuf]| OpenBuf {
        asn: Asn::new(asn),
        capabilities: capabilities.to_vec(),
        ..one.clone()
    };
    let four_octets = |asn| CapabilityBuf::FourOctetAs(Asn::new(asn));
    for (fault, open) in [
        ("AS 0 (RFC 7607)", with(0, &[])),
        ("AS 0 in the capability", with(0, &[four_octets(0)])),
        ("two AS numbers", with(64512, &[four_octets(64513)])),
        (
            "a four-octet AS number without the capability",
            with(70000, &[]),
        ),
        (
            "a malformed 4-octet AS capability",
            with(
                64512,
                &[CapabilityBuf::Unknown(CapabilityCode(65), vec![1])],
            ),
        ),
        (
            "an empty software version",
            with(64512, &[CapabilityBuf::SoftwareVersion(String::new())]),
        ),
        (
            "a capability of more than 255 octets",
            with(
                64512,
                &[CapabilityBuf::Unknown(CapabilityCode(239), vec![0; 256])],
            ),
        ),
        (
            "more than 4096 octets",
            with(
                64512,
                &vec![CapabilityBuf::Unknown(CapabilityCode(239), vec![0; 255]); 16],
            ),
        ),
    ] {
        let mut out = BytesMut::new();
        assert!(open.encode(&mut out).is_err(), "{fault}");
        assert!(out.is_empty(), "{fault}");
    }
    let mut out = BytesMut::new();
    // RFC 6793 section 4.2.2: the two-octet field then holds AS_TRANS.
    with(70000, &[four_octets(70000)]).encode(&mut out).unwrap();
    assert_eq!(out[20..22], [0x5b, 0xa0], "AS_TRANS");
}

/// A malformed value makes the capability unknown, not the OPEN malformed.
#[test]
fn capability_with_malformed_value_is_unknown() {
    for octets in [
        "01050001000100",
        "020100",
        "05050001000100",
        "060100",
        "0900",
        "09020000",
        "400180",
        "40050078000101",
        "4503000101",
        "460100",
        "4706000101800000",
        "4900",
        "4903036672",
        "490503667272ff",
        "4b0100",
        "4b054061626364",
        "4d0100",
    ] {
        let capability = hex(octets);
        let length = u8::try_from(capability.len()).unwrap();
        let body = [&hex(FIXED)[..], &[length + 2, 2, length], &capability].concat();
        let parsed = open(
            &body
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect::<String>(),
        )
        .unwrap();
        let unknown =
            CapabilityBuf::Unknown(CapabilityCode(capability[0]), capability[2..].to_vec());
        assert_eq!(parsed.capabilities, [unknown], "{octets}");
    }
}
