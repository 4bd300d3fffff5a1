//! Routes at the limits of their lengths and numbers: the last legal one is encoded and reads back, and the next one is
//! refused.

#![cfg(test)]

mod common;

use bgp_wire::{
    Afi, AnyNlriBuf, AttributeCode, AttributeFlags, AttributeSet, ComponentType, Context,
    DestinationBuf, EncodeError, EncodeNlri, EthernetSegmentIdentifier, EvpnRoute, Family,
    FlowSpecBuf, FlowSpecComponent, FlowSpecMatch, FlowSpecOperator, Frame, MacAddress,
    MessageLimit, NextHop, Nlri, Origin, PathId, PeerKind, RawAttributeBuf, RouteDistinguisher,
    encode_announcements, encode_withdrawals,
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

/// A route of every kind.
const ROUTES: [(Family, &str, &str); 13] = [
    (Family::IPV4_UNICAST, "192.0.2.1", "10.0.0.0/9"),
    (Family::IPV6_UNICAST, "2001:db8::1 fe80::1", "2001:db8::/33"),
    (Family::IPV4_MULTICAST, "192.0.2.1", "0.0.0.0/0"),
    (
        Family::IPV4_LABELED,
        "192.0.2.1",
        "10.0.0.0/9 label 100/200",
    ),
    (
        Family::IPV6_VPN,
        "2001:db8::1 fe80::1",
        "2001:db8::/32 rd 64512:1 label 100",
    ),
    (
        Family::IPV4_FLOWSPEC,
        "none",
        "destination 192.0.2.0/24 protocol =udp source-port =5353",
    ),
    (
        Family::IPV6_FLOWSPEC_VPN,
        "none",
        "rd 64512:1 destination ::1:0:0/100/64 protocol =udp",
    ),
    (
        Family::L2VPN_EVPN,
        "192.0.2.1",
        "a-d rd 64512:1 esi 0 etag 7 label 100",
    ),
    (
        Family::L2VPN_EVPN,
        "192.0.2.1",
        "macadv rd 64512:1 esi 0 etag 0 mac 00:00:5e:00:53:01 ip 2001:db8::1 label 100 label 7",
    ),
    (Family::L2VPN_EVPN, "192.0.2.1", "type 9 0x0102030405"),
    (Family::ROUTE_TARGET, "192.0.2.1", "64512 target:64512:1"),
    (Family::ROUTE_TARGET, "192.0.2.1", "64512 target:64512:0/49"),
    (
        Family::new(Afi(16388), bgp_wire::Safi(71)),
        "none",
        "0x010203",
    ),
];

#[test]
fn route_fits_exactly_into_the_rest_of_a_message() {
    for (family, next_hop, text) in ROUTES {
        for add_path in [false, true] {
            if add_path && family.afi == Afi(16388) {
                continue;
            }
            let context = context().with_add_path(add_path.then_some(family));
            let route = AnyNlriBuf {
                path_id: add_path.then_some(PathId(7)),
                ..AnyNlriBuf::parse(family, text).unwrap()
            };
            let short = announce(&context, &padded(300), next_hop, &route).unwrap();
            let room = 300 + 4096 - short.len();
            let full = announce(&context, &padded(room), next_hop, &route).unwrap();
            assert_eq!(full.len(), 4096, "{text}");
            let too_long = Err(EncodeError::AttributesTooLong {
                length: 4097,
                limit: 4096,
            });
            let refused = announce(&context, &padded(room + 1), next_hop, &route);
            assert_eq!(refused, too_long, "{text}");
            // The view of the same route has its own measure.
            let frame = frame(full.clone());
            let checked = update(&frame, &context).check().unwrap();
            let view = checked.announced_routes().next().unwrap();
            assert_eq!(AnyNlriBuf::from(view), route);
            assert_eq!(
                announce(&context, &padded(room), next_hop, view),
                Ok(full),
                "{text}"
            );
            assert_eq!(
                announce(&context, &padded(room + 1), next_hop, view),
                too_long
            );
        }
    }
}

/// Returns the number of messages that withdraw three routes of a type.
fn messages_of_three<P>(text: &str) -> usize
where
    P: std::str::FromStr<Err: std::fmt::Debug> + Copy,
    Nlri<P>: EncodeNlri,
{
    let prefix = text.parse().unwrap();
    let routes = [1, 2, 3].map(|number| Nlri {
        path_id: Some(PathId(number)),
        prefix,
    });
    let context = context().with_add_path(Family::PARSED.iter().copied());
    encode_withdrawals(&context, routes, &mut BytesMut::new()).unwrap()
}

#[test]
fn longest_routes_with_path_ids_share_one_message() {
    // Few routes are given room by their number, which has to be enough for the longest ones.
    let messages = [
        messages_of_three::<ipnet::Ipv4Net>("192.0.2.1/32"),
        messages_of_three::<ipnet::Ipv6Net>("2001:db8::1/128"),
        messages_of_three::<ipnet::IpNet>("2001:db8::1/128"),
        messages_of_three::<bgp_wire::LabeledPrefix>("2001:db8::1/128 label 1/2/3/4/5"),
        messages_of_three::<bgp_wire::VpnPrefix>("2001:db8::1/128 rd 1:1 label 1"),
        messages_of_three::<EvpnRoute>(
            "prefix rd 1:1 esi 0 etag 0 prefix 2001:db8::1/128 gw :: label 1",
        ),
        messages_of_three::<bgp_wire::RouteTargetPrefix>("64512 target:64512:1"),
    ];
    assert_eq!(messages, [1; 7]);
}

/// Returns the families of the messages that withdraw four routes of a type, the second and the third of another family.
fn families_of_runs<P>(texts: [&str; 2]) -> Vec<Family>
where
    P: std::str::FromStr<Err: std::fmt::Debug> + Copy,
    Nlri<P>: EncodeNlri,
{
    let [one, other] = texts.map(|text| Nlri::new(text.parse::<P>().unwrap()));
    let (mut out, context) = (BytesMut::new(), context());
    let routes = [one, other, other, one];
    assert_eq!(encode_withdrawals(&context, routes, &mut out), Ok(3));
    let mut families = Vec::new();
    while let Some(frame) = Frame::split(&mut out, MessageLimit::Standard).unwrap() {
        let checked = update(&frame, &context).check().unwrap();
        families.extend(checked.withdrawn_routes().map(|route| route.family));
    }
    families
}

#[test]
fn typed_routes_of_both_address_families_are_separate_runs() {
    let run = |one, other| [one, other, other, one];
    let found = families_of_runs::<ipnet::IpNet>(["10.0.0.0/8", "2001:db8::/32"]);
    assert_eq!(found, run(Family::IPV4_UNICAST, Family::IPV6_UNICAST));
    let texts = ["10.0.0.0/8 label 1", "2001:db8::/32 label 1"];
    let found = families_of_runs::<bgp_wire::LabeledPrefix>(texts);
    assert_eq!(found, run(Family::IPV4_LABELED, Family::IPV6_LABELED));
    let texts = ["10.0.0.0/8 rd 1:1 label 1", "2001:db8::/32 rd 1:1 label 1"];
    let found = families_of_runs::<bgp_wire::VpnPrefix>(texts);
    assert_eq!(found, run(Family::IPV4_VPN, Family::IPV6_VPN));
}

/// Returns the families in which a typed route is encoded.
fn families_of<V>(text: &str) -> Vec<Family>
where
    V: std::str::FromStr<Err: std::fmt::Debug>,
    (Family, Nlri<V>): EncodeNlri,
{
    let families = Family::PARSED.iter().copied();
    families
        .chain([Family::new(Afi(16388), bgp_wire::Safi(71))])
        .filter(|family| {
            let route = (*family, Nlri::new(text.parse::<V>().unwrap()));
            encode_withdrawals(&context(), [route], &mut BytesMut::new()).is_ok()
        })
        .collect()
}

#[test]
fn typed_routes_are_encoded_in_the_families_of_their_type() {
    let ipv4 = [Family::IPV4_UNICAST, Family::IPV4_MULTICAST];
    let ipv6 = [Family::IPV6_UNICAST, Family::IPV6_MULTICAST];
    assert_eq!(families_of::<ipnet::Ipv4Net>("10.0.0.0/8"), ipv4);
    assert_eq!(families_of::<ipnet::Ipv6Net>("2001:db8::/32"), ipv6);
    assert_eq!(families_of::<ipnet::IpNet>("10.0.0.0/8"), ipv4);
    assert_eq!(families_of::<ipnet::IpNet>("2001:db8::/32"), ipv6);
    let labeled = families_of::<bgp_wire::LabeledPrefix>("10.0.0.0/8 label 1");
    assert_eq!(labeled, [Family::IPV4_LABELED]);
    let vpn = families_of::<bgp_wire::VpnPrefix>("2001:db8::/32 rd 1:1 label 1");
    assert_eq!(vpn, [Family::IPV6_VPN]);
    let evpn = families_of::<EvpnRoute>("multicast rd 1:1 etag 0 ip 192.0.2.1");
    assert_eq!(evpn, [Family::L2VPN_EVPN]);
    let target = families_of::<bgp_wire::RouteTargetPrefix>("default");
    assert_eq!(target, [Family::ROUTE_TARGET]);
}

/// Returns a rule with one component of matches.
fn rule(component_type: ComponentType, matches: Vec<FlowSpecMatch>) -> FlowSpecBuf {
    FlowSpecBuf {
        distinguisher: None,
        components: vec![FlowSpecComponent::Matches(component_type, matches)],
    }
}

/// Returns a comparison.
fn comparison(operator: u8, value: u64) -> FlowSpecMatch {
    FlowSpecMatch {
        and: false,
        operator: FlowSpecOperator(operator),
        value,
    }
}

/// Encodes a rule as a withdrawal. Returns the octets of the field, after asserting that they read back.
fn encoded_rule(family: Family, rule: &FlowSpecBuf) -> Option<Vec<u8>> {
    let context = context().with_message_limit(MessageLimit::Extended);
    let mut out = BytesMut::new();
    encode_withdrawals(&context, [(family, Nlri::new(rule))], &mut out).ok()?;
    let frame = frame(out);
    let checked = update(&frame, &context).check().unwrap();
    let route = checked.withdrawn_routes().next().unwrap();
    let destination = DestinationBuf::from(route.destination);
    assert_eq!(destination, DestinationBuf::FlowSpec(rule.clone()));
    Some(checked.mp_unreach().unwrap().nlri_octets().to_vec())
}

#[test]
fn flowspec_rule_has_up_to_4095_octets() {
    // RFC 8955 section 4.1: one octet of length below 240, and two from there on.
    for (octets, length) in [
        (3, Some(&[3][..])),
        (239, Some(&[239])),
        (240, Some(&[0xf0, 240])),
        (241, Some(&[0xf0, 241])),
        (255, Some(&[0xf0, 255])),
        (256, Some(&[0xf1, 0])),
        (4095, Some(&[0xff, 0xff])),
        (4096, None),
    ] {
        // The type has one octet, a comparison of a small number two, and one of a larger number three.
        let large = (octets - 1) % 2;
        let mut matches = vec![comparison(1, 80); (octets - 1 - large * 3) / 2];
        matches.extend(vec![comparison(1, 8080); large]);
        let field = encoded_rule(Family::IPV4_FLOWSPEC, &rule(ComponentType::PORT, matches));
        assert_eq!(field.is_some(), length.is_some(), "{octets}");
        if let (Some(field), Some(length)) = (field, length) {
            assert_eq!(field.strip_prefix(length).unwrap().len(), octets);
        }
    }
}

#[test]
fn flowspec_values_have_the_width_of_their_component() {
    // RFC 8955 sections 4.2.2.9, 4.2.2.11 and 4.2.2.12.
    for (component_type, operator, value, width) in [
        (ComponentType::PORT, 7, 0, Some(1)),
        (ComponentType::PORT, 1, 0xff, Some(1)),
        (ComponentType::PORT, 1, 0x100, Some(2)),
        (ComponentType::PORT, 1, 0xffff, Some(2)),
        (ComponentType::PORT, 1, 0x1_0000, Some(4)),
        (ComponentType::PORT, 1, 0xffff_ffff, Some(4)),
        (ComponentType::PORT, 1, 0x1_0000_0000, Some(8)),
        (ComponentType::PORT, 1, u64::MAX, Some(8)),
        (ComponentType::PORT, 8, 1, None),
        (ComponentType::DSCP, 1, 0xff, Some(1)),
        (ComponentType::DSCP, 1, 0x100, None),
        (ComponentType::FRAGMENT, 3, 0xff, Some(1)),
        (ComponentType::FRAGMENT, 1, 0x100, None),
        (ComponentType::FRAGMENT, 4, 1, None),
        (ComponentType::TCP_FLAGS, 3, 0xffff, Some(2)),
        (ComponentType::TCP_FLAGS, 0, 0x1_0000, None),
        (ComponentType::TCP_FLAGS, 4, 1, None),
        // A type that has prefixes, and one that is not known.
        (ComponentType::DESTINATION, 1, 1, None),
        (ComponentType(14), 1, 1, None),
        (ComponentType(0), 1, 1, None),
    ] {
        let rule = rule(component_type, vec![comparison(operator, value)]);
        let field = encoded_rule(Family::IPV4_FLOWSPEC, &rule);
        let expected = width.map(|width| {
            let exponent = u8::try_from(usize::ilog2(width)).unwrap();
            let length = u8::try_from(width + 2).unwrap();
            let head = [length, component_type.0, 0x80 | exponent << 4 | operator];
            [&head, &value.to_be_bytes()[8 - width..]].concat()
        });
        assert_eq!(field, expected, "{component_type} {operator} {value:x}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn flowspec_components_are_legal_by_address_family() {
    let matches = |component_type, matches: &[FlowSpecMatch]| {
        FlowSpecComponent::Matches(component_type, matches.to_vec())
    };
    let prefix = |component_type, text: &str, offset| FlowSpecComponent::Prefix {
        component_type,
        prefix: text.parse().unwrap(),
        offset,
    };
    let (destination, source) = (ComponentType::DESTINATION, ComponentType::SOURCE);
    let udp = matches(ComponentType::PROTOCOL, &[comparison(1, 17)]);
    let label = matches(ComponentType::FLOW_LABEL, &[comparison(1, 17)]);
    let and = FlowSpecMatch {
        and: true,
        ..comparison(1, 17)
    };
    for (components, ipv4, ipv6) in [
        (vec![udp.clone()], true, true),
        (vec![], false, false),
        (vec![label.clone()], false, true),
        (vec![udp.clone(), udp.clone()], false, false),
        (vec![label, udp.clone()], false, false),
        (vec![matches(ComponentType::PROTOCOL, &[])], false, false),
        (vec![matches(ComponentType::PROTOCOL, &[and])], false, false),
        (
            vec![matches(ComponentType::PROTOCOL, &[comparison(1, 6), and])],
            true,
            true,
        ),
        (
            vec![prefix(destination, "10.0.0.0/8", 0), udp.clone()],
            true,
            false,
        ),
        (
            vec![udp, prefix(destination, "10.0.0.0/8", 0)],
            false,
            false,
        ),
        (vec![prefix(source, "10.0.0.0/8", 1)], false, false),
        (vec![prefix(source, "2001:db8::/32", 0)], false, true),
        (
            vec![prefix(ComponentType::PORT, "2001:db8::/32", 0)],
            false,
            false,
        ),
        // RFC 8956 section 3.1: the offset is less than the length, and the bits before it are not sent.
        (vec![prefix(source, "::1:0:0/100", 95)], false, true),
        (vec![prefix(source, "::1:0:0/100", 96)], false, false),
        (vec![prefix(source, "::/32", 31)], false, true),
        (vec![prefix(source, "::/32", 32)], false, false),
        (vec![prefix(source, "::/0", 0)], false, true),
    ] {
        let rule = FlowSpecBuf {
            distinguisher: None,
            components,
        };
        let found = [Family::IPV4_FLOWSPEC, Family::IPV6_FLOWSPEC]
            .map(|family| encoded_rule(family, &rule).is_some());
        assert_eq!(found, [ipv4, ipv6], "{rule}");
        // RFC 8955 section 8: a distinguisher exactly in the VPN families.
        assert_eq!(encoded_rule(Family::IPV4_FLOWSPEC_VPN, &rule), None);
        let distinguished = FlowSpecBuf {
            distinguisher: Some(RouteDistinguisher([0, 0, 0, 1, 0, 0, 0, 2])),
            ..rule
        };
        assert_eq!(encoded_rule(Family::IPV4_FLOWSPEC, &distinguished), None);
        let found = encoded_rule(Family::IPV6_FLOWSPEC_VPN, &distinguished).is_some();
        assert_eq!(found, ipv6, "{distinguished}");
    }
}

#[test]
fn labels_of_evpn_routes_have_24_bits() {
    let distinguisher = RouteDistinguisher::default();
    let segment = EthernetSegmentIdentifier::default();
    let mac_ip = |label, second_label| EvpnRoute::MacIp {
        distinguisher,
        segment,
        tag: 1,
        mac: MacAddress([7; 6]),
        address: None,
        label,
        second_label,
    };
    let prefix = |gateway: &str, label| EvpnRoute::IpPrefix {
        distinguisher,
        segment,
        tag: 1,
        prefix: "10.0.0.0/8".parse().unwrap(),
        gateway: gateway.parse().unwrap(),
        label,
    };
    let discovery = |label| EvpnRoute::AutoDiscovery {
        distinguisher,
        segment,
        tag: 1,
        label,
    };
    let (max, more) = (0xff_ffff, 0x100_0000);
    for (route, legal) in [
        (discovery(max), true),
        (discovery(more), false),
        (mac_ip(max, Some(max)), true),
        (mac_ip(more, None), false),
        (mac_ip(1, Some(more)), false),
        (mac_ip(more, Some(1)), false),
        (prefix("192.0.2.1", max), true),
        (prefix("192.0.2.1", more), false),
        (prefix("::", 1), false),
    ] {
        let mut out = BytesMut::new();
        let encoded = encode_withdrawals(&context(), [Nlri::new(route)], &mut out);
        assert_eq!(encoded.is_ok(), legal, "{route}");
        // The text of a label that the encoder refuses does not parse either.
        assert_eq!(
            route.to_string().parse().ok(),
            legal.then_some(route),
            "{route}"
        );
    }
    for (label, legal) in [(max, true), (more, false)] {
        let text = format!("pmsi-tunnel [ ingress-replication {label} 192.0.2.1 ]");
        assert_eq!(text.parse::<AttributeSet>().is_ok(), legal, "{text}");
    }
}
