//! The small values as text: every value prints, parses and shows itself, and every error has an example or a cause.

#![cfg(test)]

use std::fmt::{Debug, Display};
use std::net::IpAddr;
use std::str::FromStr;

use bgp_wire::{
    Afi, AnyNlriBuf, AsPathBuf, Asn, AttributeFlags, AttributeSet, Community, Context, EncodeError,
    EthernetSegmentIdentifier, ExtendedCommunity, Family, FamilySet, HoldTime,
    Ipv6ExtendedCommunity, Label, Labels, LargeCommunity, MacAddress, Message, NextHop, Nlri,
    ParseAttributesError, ParseNlriError, PathId, PeerKind, RawAttributeBuf, Reason, Role,
    RouteDistinguisher, RouteTargetPrefix, RouterId, Safi, Span,
};

/// Asserts that a text parses to a value, which prints and shows itself as expected.
fn assert_text<T: FromStr<Err: Debug + PartialEq> + Display + Debug + PartialEq>(
    text: &str,
    value: &T,
    debug: &str,
) {
    assert_eq!(text.parse().as_ref(), Ok(value));
    assert_eq!(value.to_string(), text);
    assert_eq!(format!("{value:?}"), debug);
}

#[test]
fn values_print_parse_and_show_themselves() {
    assert_text("64512", &Asn::new(64512), "Asn(64512)");
    assert_text("64512:1", &Community::new(64512, 1), "Community(64512:1)");
    assert_text("no-export", &Community::NO_EXPORT, "Community(no-export)");
    let target = ExtendedCommunity::route_target(64512, 1);
    assert_text(
        "target:64512:1",
        &target,
        "ExtendedCommunity(target:64512:1)",
    );
    let id = RouterId::new(192, 0, 2, 1).unwrap();
    assert_eq!(
        (id.to_bits(), RouterId::new(0, 0, 0, 0)),
        (0xc000_0201, None)
    );
    assert_text("192.0.2.1", &id, "RouterId(192.0.2.1)");
    let distinguisher = RouteDistinguisher([0, 0, 0xfc, 0, 0, 0, 0, 1]);
    assert_text("64512:1", &distinguisher, "RouteDistinguisher(64512:1)");
    assert_text("7", &PathId(7), "PathId(7)");
    assert_text("bgp-ls", &Afi(16388), "Afi(bgp-ls)");
    assert_text("200", &Safi(200), "Safi(200)");
    let reason = Reason::ADMINISTRATIVE_SHUTDOWN;
    let text = "Cease/Administrative Shutdown (6/2)";
    assert_text(text, &reason, &format!("Reason({text})"));
    let large = LargeCommunity {
        global: 1,
        local1: 2,
        local2: u32::MAX,
    };
    assert_eq!("1:2:4294967295".parse(), Ok(large));
    assert_eq!(large.to_string(), "1:2:4294967295");
    for text in ["192.0.2.1", "2001:db8::1", "2001:db8::1 fe80::1", "none"] {
        assert_eq!(text.parse::<NextHop>().unwrap().to_string(), text);
    }
    assert_eq!(
        NextHop::from(IpAddr::from([192, 0, 2, 1])).to_string(),
        "192.0.2.1"
    );
    let mac = MacAddress([0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff]);
    // Hex digits of either case.
    assert_eq!("AA:bb:CC:dd:EE:ff".parse(), Ok(mac));
    assert_eq!(mac.to_string(), "aa:bb:cc:dd:ee:ff");
    for text in ["0", "00:01:02:03:04:05:06:07:08:09"] {
        let segment: EthernetSegmentIdentifier = text.parse().unwrap();
        assert_eq!(segment.to_string(), text);
    }
    let route: Nlri<ipnet::IpNet> = "10.0.0.0/8 path-id 7".parse().unwrap();
    assert_eq!(route.path_id, Some(PathId(7)));
    assert_eq!(route.to_string(), "10.0.0.0/8 path-id 7");
    assert!(
        "10.0.0.0/8 path-id +7"
            .parse::<Nlri<ipnet::IpNet>>()
            .is_err()
    );
}

#[test]
fn communities_of_kinds_without_a_name_print_in_hex() {
    // The types of other administrators, and values with an octet that the text does not express.
    for octets in [
        "4002fc0000000001",
        "4104fc0047f42400",
        "8106fc00447a0000",
        "8009000000000100",
        "030c000000010000",
        "0600020000000005",
        "4300000000000100",
        "8007000000000004",
        "030d000000010000",
    ] {
        let community: ExtendedCommunity = format!("0x{octets}").parse().unwrap();
        let named = community.to_string();
        assert_eq!(named.parse(), Ok(community), "{octets}");
        assert_eq!(named, format!("0x{octets}"));
    }
    let label: ExtendedCommunity = "esi-label:all-active:100".parse().unwrap();
    assert_eq!(label.0, [6, 1, 0, 0, 0, 0, 0, 100]);
    assert_eq!(label.to_string(), "esi-label:all-active:100");
    for text in [
        "esi-label:single-active:16777216",
        "esi-label:any:1",
        "mark:256",
        "encapsulation:65536",
        "action:none",
    ] {
        assert!(text.parse::<ExtendedCommunity>().is_err(), "{text}");
    }
}

/// Returns the error of a text that does not parse.
fn error<T: FromStr<Err: std::error::Error>>(text: &str) -> String {
    match text.parse::<T>() {
        Ok(_) => panic!("`{text}` parses"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn errors_of_texts_show_a_text_that_parses() {
    for (error, example) in [
        (error::<Asn>("x"), "AS64512"),
        (error::<Community>("x"), "64512:100"),
        (error::<LargeCommunity>("x"), "64512:1:2"),
        (error::<ExtendedCommunity>("x"), "target:64512:1"),
        (
            error::<Ipv6ExtendedCommunity>("x"),
            "40 for one with an IPv6 address",
        ),
        (error::<Family>("x"), "ipv4 unicast"),
        (error::<FamilySet>(""), "l2vpn evpn"),
        (
            error::<HoldTime>("2"),
            "expected a hold time of 0 or 3 to 65535 seconds",
        ),
        (error::<RouterId>("0.0.0.0"), "is not 0.0.0.0"),
        (error::<MacAddress>("x"), "00:00:5e:00:53:01"),
        (
            error::<EthernetSegmentIdentifier>("x"),
            "00:01:02:03:04:05:06:07:08:09",
        ),
        (error::<RouteDistinguisher>("x"), "64512L:1"),
        (
            error::<NextHop>("x"),
            "a global and a link-local IPv6 address",
        ),
        (error::<AsPathBuf>("x"), "{1,2}"),
        (error::<PathId>("x"), "0 to 4294967295"),
        (
            error::<Nlri<ipnet::IpNet>>("x"),
            "192.168.10.1/32 path-id 7",
        ),
        (error::<Labels>("x"), "100/200"),
        (error::<Label>("x"), "1048575"),
        (error::<Reason>("x"), "6/2"),
        (error::<Afi>("x"), "Afi"),
        (error::<AttributeFlags>("x"), "0xc0"),
        (error::<RouteTargetPrefix>("x"), "64512 target:64512:1"),
        (
            error::<bgp_wire::LabeledPrefix>("x"),
            "192.168.10.0/24 label 100",
        ),
        (
            error::<bgp_wire::VpnPrefix>("x"),
            "192.168.10.0/24 rd 64512:1 label 100",
        ),
        (
            error::<bgp_wire::EvpnRoute>("x"),
            "multicast rd 64512:1 etag 0 ip 192.0.2.1",
        ),
        (
            error::<bgp_wire::FlowSpecBuf>("x"),
            "protocol =udp source-port =53",
        ),
    ] {
        assert!(error.contains(example), "{error}");
    }
}

#[test]
fn error_of_a_route_shows_a_route_of_its_family() {
    let raw = Family::new(Afi(16388), Safi(71));
    for family in Family::PARSED.iter().copied().chain([raw]) {
        let error = AnyNlriBuf::parse(family, "x").unwrap_err();
        assert_eq!(error, ParseNlriError(family));
        let error = error.to_string();
        let (start, example) = error.split_once("; example: ").unwrap();
        assert_eq!(start, format!("invalid route of {family}"));
        // An example of another family does not parse.
        let route = AnyNlriBuf::parse(family, example).unwrap();
        assert_eq!(route.to_string(), example);
    }
}

#[test]
fn error_of_an_attribute_shows_its_form() {
    for keyword in [
        "origin",
        "as-path",
        "med",
        "local-preference",
        "aggregator",
        "community",
        "originator-id",
        "cluster-list",
        "extended-community",
        "large-community",
        "otc",
        "attribute",
        "aigp",
        "bgp-prefix-sid",
        "pmsi-tunnel",
        "ipv6-extended-community",
    ] {
        let error = format!("{keyword} ?!").parse::<AttributeSet>().unwrap_err();
        assert_eq!(error, ParseAttributesError(keyword.into()));
        let error = error.to_string();
        let example = error
            .strip_prefix(&format!(
                "invalid or duplicate `{keyword}`; write {keyword} "
            ))
            .unwrap_or_else(|| panic!("{error}"));
        assert!(!example.is_empty());
    }
    let unknown = ParseAttributesError("colour".into()).to_string();
    assert!(unknown.starts_with("unknown attribute `colour`; expected one of origin, as-path, "));
    assert!(error::<bgp_wire::Aggregator>("1").contains("aggregator 64512:192.0.2.1"));
    assert!(error::<RawAttributeBuf>("aigp x").contains("aigp 100"));
}

#[test]
fn encode_errors_name_what_cannot_be_encoded() {
    for (error, text) in [
        (
            EncodeError::AttributesTooLong {
                length: 5000,
                limit: 4096,
            },
            "message too long: 5000 octets with the path attributes and one prefix, limit 4096",
        ),
        (
            EncodeError::PartTooLong {
                part: "host name",
                length: 256,
            },
            "host name too long to encode: 256",
        ),
        (
            EncodeError::Illegal("empty NLRI"),
            "cannot encode: empty NLRI",
        ),
        (
            EncodeError::NotNegotiated(Family::IPV4_VPN),
            "family `ipv4 vpn` is not negotiated with this peer",
        ),
        (
            EncodeError::NextHopMissing(Family::IPV4_VPN),
            "missing next hop for `ipv4 vpn` routes",
        ),
        (
            EncodeError::NextHopUnusable([127, 0, 0, 1].into()),
            "unusable next hop `127.0.0.1` for these routes",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
    let error = Message::decode(&[0xff; 19], &Context::new(PeerKind::External)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Message Header Error/Bad Message Length (1/2) at octets 16..18"
    );
    assert_eq!(Span { start: 3, end: 5 }.to_string(), "3..5");
    assert_eq!(Span { start: 3, end: 5 }.of(&[0, 1, 2, 3, 4, 5]), [3, 4]);
    assert_eq!(Span { start: 3, end: 7 }.of(&[0, 1, 2]), [0; 0]);
    assert_eq!(format!("{}", Role::CUSTOMER), "customer");
}

#[cfg(feature = "codec")]
#[test]
fn frame_error_shows_the_error_inside() {
    use bgp_wire::{DecodeError, FrameError};
    let header = DecodeError {
        reason: Reason::BAD_MESSAGE_TYPE,
        span: Span { start: 18, end: 19 },
    };
    let text = "Message Header Error/Bad Message Type (1/3) at octets 18..19";
    assert_eq!(FrameError::Header(header).to_string(), text);
    let input = std::io::Error::other("broken pipe");
    assert_eq!(FrameError::from(input).to_string(), "broken pipe");
}

#[test]
fn words_after_a_value_are_refused() {
    let families = Family::PARSED.iter().copied();
    for family in families.chain([Family::new(Afi(16388), Safi(71))]) {
        let error = AnyNlriBuf::parse(family, "x").unwrap_err().to_string();
        let (_, example) = error.split_once("; example: ").unwrap();
        // Flow specifications take a word for another component, or for another comparison.
        for more in ["x", "0x00", "[", "]"] {
            let text = format!("{example} {more}");
            assert!(
                AnyNlriBuf::parse(family, &text).is_err(),
                "{family}: {text}"
            );
        }
    }
    assert!(
        "10.0.0.0/8 label 100 200"
            .parse::<bgp_wire::LabeledPrefix>()
            .is_err()
    );
    assert!(
        "10.0.0.0/8 rd 1:1 label 100 7"
            .parse::<bgp_wire::VpnPrefix>()
            .is_err()
    );
    assert!(
        "multicast rd 1:1 etag 0 ip 192.0.2.1 7"
            .parse::<bgp_wire::EvpnRoute>()
            .is_err()
    );
    assert!("default 7".parse::<RouteTargetPrefix>().is_err());
    assert!(
        "64512 target:64512:0/0"
            .parse::<RouteTargetPrefix>()
            .is_err()
    );
}
