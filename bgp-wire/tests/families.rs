//! The encoders with routes of every family: the messages check without a fault and decode to the same routes.

#![cfg(test)]

mod common;

use std::fmt::Debug;
use std::str::FromStr;

use bgp_wire::{
    Afi, AnyNlri, AnyNlriBuf, AttributeSet, Context, Destination, DestinationBuf, EncodeError,
    EncodeNlri, EvpnRoute, Family, FlowSpecBuf, Frame, Label, LabeledPrefix, Labels, MessageLimit,
    NextHop, Nlri, Origin, PathId, PeerKind, RouteTargetPrefix, Safi, VpnPrefix,
    encode_announcements, encode_end_of_rib, encode_withdrawals,
};
use bytes::BytesMut;
use common::{frame, update};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// A family that the codec does not parse (BGP-LS).
const RAW: Family = Family::new(Afi(16388), Safi(71));

/// Every parsed family, with a next hop and routes.
const ROUTES: [(Family, &str, &[&str]); 14] = [
    // The longest prefix, a short one, and the default route, which has no octets.
    (
        Family::IPV4_UNICAST,
        "192.0.2.1",
        &["192.168.10.1/32", "10.0.0.0/8", "0.0.0.0/0"],
    ),
    (
        Family::IPV6_UNICAST,
        // RFC 2545 section 3: a link-local next hop may accompany the global one.
        "2001:db8::1 fe80::1",
        &["2001:db8::/32", "2001:db8::1/128", "::/0"],
    ),
    (
        Family::IPV4_MULTICAST,
        "192.0.2.1",
        &["192.168.10.1/32", "10.0.0.0/9"],
    ),
    (
        Family::IPV6_MULTICAST,
        "2001:db8::1",
        &["2001:db8::/33", "2001:db8::1/128"],
    ),
    (
        Family::IPV4_LABELED,
        "192.0.2.1",
        &[
            "192.168.10.0/24 label 100",
            // Several labels are negotiated here (RFC 8277 section 2.1).
            "10.0.0.0/8 label 100/200/300",
            "0.0.0.0/0 label 0",
        ],
    ),
    (
        Family::IPV6_LABELED,
        "2001:db8::1",
        &[
            "2001:db8::/32 label 1048575",
            // 248 bits, near the limit of the length octet.
            "2001:db8::1/128 label 1/2/3/4/5",
        ],
    ),
    (
        Family::IPV4_VPN,
        "192.0.2.1",
        &[
            "192.168.10.0/24 rd 64512:1 label 100",
            // A distinguisher of type 1.
            "10.0.0.1/32 rd 192.0.2.1:7 label 1/2/3/4/5",
        ],
    ),
    (
        Family::IPV6_VPN,
        "2001:db8::1",
        &[
            "2001:db8::/32 rd 64512:1 label 100",
            "2001:db8::1/128 rd 64512:2 label 7",
        ],
    ),
    (
        Family::IPV4_FLOWSPEC,
        "none",
        &[
            "destination 192.0.2.0/24 protocol =udp source-port =53",
            // Values of one and of two octets in one component.
            "destination-port =80 =443 =8080 =8443 tcp-flags =syn",
        ],
    ),
    (
        Family::IPV6_FLOWSPEC,
        "none",
        &[
            "destination 2001:db8::/32 protocol =icmpv6",
            // A value of four octets, in a component that only IPv6 has.
            "source 2001:db8:1::/48 flow-label =1000000",
        ],
    ),
    (
        Family::IPV4_FLOWSPEC_VPN,
        "none",
        &["rd 64512:1 destination 192.0.2.0/24 protocol =udp"],
    ),
    (
        Family::IPV6_FLOWSPEC_VPN,
        "none",
        &["rd 64512:1 destination 2001:db8::/32 protocol =tcp packet-length >=1000"],
    ),
    (
        Family::L2VPN_EVPN,
        "192.0.2.1",
        &[
            "a-d rd 64512:1 esi 0 etag 7 label 100",
            "macadv rd 64512:1 esi 0 etag 0 mac 00:00:5e:00:53:01 label 100",
            "macadv rd 64512:1 esi 0 etag 0 mac 00:00:5e:00:53:01 ip 2001:db8::1 label 100 label 7",
            "multicast rd 64512:1 etag 0 ip 192.0.2.1",
            "esi rd 64512:1 esi 00:01:02:03:04:05:06:07:08:09 ip 192.0.2.1",
            "prefix rd 64512:1 esi 0 etag 0 prefix 10.0.0.0/8 gw 0.0.0.0 label 1",
            "prefix rd 64512:1 esi 0 etag 0 prefix 2001:db8::/32 gw :: label 1",
            // A route type without a grammar.
            "type 9 0x0102030405",
        ],
    ),
    (
        Family::ROUTE_TARGET,
        "192.0.2.1",
        // Lengths of 96, 64 and 0 bits.
        &["64512 target:64512:1", "64512 target:64512:0/64", "default"],
    ),
];

/// Parses routes of a family.
fn routes_of(family: Family, texts: &[&str]) -> Vec<AnyNlriBuf> {
    let parse = |text: &&str| AnyNlriBuf::parse(family, text).unwrap();
    texts.iter().map(parse).collect()
}

/// Returns a context with every family, with or without ADD-PATH.
fn context(add_path: bool, limit: MessageLimit) -> Context {
    let families = || ROUTES.into_iter().map(|(family, ..)| family);
    let paths = families().filter(|_| add_path);
    Context::new(PeerKind::Internal)
        .with_families(families())
        .with_raw_families(true)
        .with_multiple_labels(families())
        .with_add_path(paths)
        .with_message_limit(limit)
}

/// Encodes announcements with an empty AS path.
fn announce<R: EncodeNlri>(
    context: &Context,
    next_hop: &str,
    routes: impl IntoIterator<Item = R>,
) -> Result<BytesMut, EncodeError> {
    let mut octets = BytesMut::new();
    let attributes = AttributeSet::new(Origin::IGP);
    let next_hop = next_hop.parse().unwrap();
    encode_announcements(context, &attributes, next_hop, routes, &mut octets)?;
    Ok(octets)
}

/// Encodes withdrawals.
fn withdraw<R: EncodeNlri>(
    context: &Context,
    routes: impl IntoIterator<Item = R>,
) -> Result<BytesMut, EncodeError> {
    let mut octets = BytesMut::new();
    encode_withdrawals(context, routes, &mut octets)?;
    Ok(octets)
}

/// Calls `see` with the announced and the withdrawn routes of each message. Panics if a message has a fault.
fn each_message(
    context: &Context,
    mut octets: BytesMut,
    mut see: impl FnMut(Vec<AnyNlri<'_>>, Vec<AnyNlri<'_>>),
) {
    while let Some(frame) = Frame::split(&mut octets, context.message_limit()).unwrap() {
        let checked = update(&frame, context).check().unwrap();
        assert_eq!(checked.fault(), None);
        see(
            checked.announced_routes().collect(),
            checked.withdrawn_routes().collect(),
        );
    }
    assert!(octets.is_empty());
}

/// Replaces the labels of a withdrawal, which have no meaning (RFC 8277 section 2.4).
fn without_labels(mut route: AnyNlriBuf) -> AnyNlriBuf {
    if let DestinationBuf::Labeled(LabeledPrefix { labels, .. })
    | DestinationBuf::Vpn(VpnPrefix { labels, .. }) = &mut route.destination
    {
        *labels = Labels::from(Label::WITHDRAWN);
    }
    route
}

/// Asserts that the routes decode to themselves, in whatever form they are given to the encoders.
fn assert_round_trip(context: &Context, next_hop: &str, routes: &[AnyNlriBuf]) {
    // Pairs of a family and a borrowed destination.
    let pairs = routes.iter().map(|route| {
        let nlri = Nlri {
            path_id: route.path_id,
            prefix: &route.destination,
        };
        (route.family, nlri)
    });
    let announced = announce(context, next_hop, routes).unwrap();
    assert_eq!(
        announce(context, next_hop, pairs.clone()),
        Ok(announced.clone())
    );
    let withdrawn = withdraw(context, routes).unwrap();
    assert_eq!(withdraw(context, pairs), Ok(withdrawn.clone()));

    // Views, which are the third form, have to encode to the octets from which they were decoded.
    let (mut decoded, mut again) = (Vec::new(), BytesMut::new());
    each_message(context, announced.clone(), |announced, withdrawn| {
        assert!(withdrawn.is_empty());
        again.extend(announce(context, next_hop, &announced).unwrap());
        decoded.extend(announced.into_iter().map(AnyNlriBuf::from));
    });
    assert_eq!(decoded, routes);
    assert_eq!(again, announced);

    let (mut decoded, mut again) = (Vec::new(), BytesMut::new());
    each_message(context, withdrawn.clone(), |announced, withdrawn| {
        assert!(announced.is_empty());
        again.extend(withdraw(context, withdrawn.iter().copied()).unwrap());
        decoded.extend(withdrawn.into_iter().map(AnyNlriBuf::from));
    });
    let expected: Vec<_> = routes.iter().cloned().map(without_labels).collect();
    assert_eq!(decoded, expected);
    assert_eq!(again, withdrawn);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn encoded_routes_of_every_family_decode_to_themselves(
        picks in vec((any::<Index>(), any::<u32>()), 1..400),
        add_path in any::<bool>(),
        extended in any::<bool>(),
    ) {
        let limit = if extended { MessageLimit::Extended } else { MessageLimit::Standard };
        let context = context(add_path, limit);
        for (family, next_hop, texts) in ROUTES {
            let known = routes_of(family, texts);
            let pick = |(index, path_id): &(Index, u32)| AnyNlriBuf {
                path_id: add_path.then_some(PathId(*path_id)),
                ..index.get(&known).clone()
            };
            let routes: Vec<_> = picks.iter().map(pick).collect();
            assert_round_trip(&context, next_hop, &routes);
        }
    }
}

#[test]
fn raw_routes_take_one_message_each() {
    let context = context(false, MessageLimit::Standard);
    let routes = routes_of(RAW, &["0x0102", "0x03"]);
    assert_round_trip(&context, "none", &routes);
    // Without its grammar, the end of a route is the end of the field.
    let mut messages = 0;
    each_message(&context, withdraw(&context, &routes).unwrap(), |_, _| {
        messages += 1;
    });
    assert_eq!(messages, 2);
}

/// Asserts that a typed route and the `AnyNlriBuf` with the same text encode to the same octets.
fn assert_same_octets<R: EncodeNlri>(
    family: Family,
    text: &str,
    route: impl Fn(Option<PathId>) -> R,
) {
    let next_hop = ROUTES
        .into_iter()
        .find_map(|(it, next_hop, _)| (it == family).then_some(next_hop))
        .unwrap();
    for add_path in [false, true] {
        let context = context(add_path, MessageLimit::Standard);
        let path_id = add_path.then_some(PathId(7));
        let any = AnyNlriBuf {
            path_id,
            ..AnyNlriBuf::parse(family, text).unwrap()
        };
        let route = route(path_id);
        assert_eq!(
            (route.family(), route.path_id()),
            (family, path_id),
            "{text}"
        );
        let announced = announce(&context, next_hop, [route]);
        assert_eq!(announced, announce(&context, next_hop, [&any]), "{text}");
        assert_eq!(
            withdraw(&context, [route]),
            withdraw(&context, [&any]),
            "{text}"
        );
    }
}

/// Returns a constructor of routes with the value that the text parses to.
fn parsed<V: FromStr<Err: Debug> + Copy>(text: &str) -> impl Fn(Option<PathId>) -> Nlri<V> {
    let prefix = text.parse().unwrap();
    move |path_id| Nlri { path_id, prefix }
}

#[test]
fn typed_routes_encode_like_any_nlri() {
    for (family, _, texts) in ROUTES {
        // Unknown EVPN types have no type of their own.
        for text in texts.iter().filter(|text| !text.starts_with("type ")) {
            match family {
                Family::IPV4_UNICAST => assert_same_octets(family, text, parsed::<Ipv4Net>(text)),
                Family::IPV6_UNICAST => assert_same_octets(family, text, parsed::<Ipv6Net>(text)),
                Family::IPV4_LABELED | Family::IPV6_LABELED => {
                    assert_same_octets(family, text, parsed::<LabeledPrefix>(text));
                }
                Family::IPV4_VPN | Family::IPV6_VPN => {
                    assert_same_octets(family, text, parsed::<VpnPrefix>(text));
                }
                Family::L2VPN_EVPN => assert_same_octets(family, text, parsed::<EvpnRoute>(text)),
                Family::ROUTE_TARGET => {
                    assert_same_octets(family, text, parsed::<RouteTargetPrefix>(text));
                }
                // These types alone mean another family or none, so the family accompanies them.
                Family::IPV4_MULTICAST => {
                    let route = parsed::<Ipv4Net>(text);
                    assert_same_octets(family, text, |path_id| (family, route(path_id)));
                }
                Family::IPV6_MULTICAST => {
                    let route = parsed::<Ipv6Net>(text);
                    assert_same_octets(family, text, |path_id| (family, route(path_id)));
                }
                _ => {
                    let rule = &flowspec(family, text);
                    let route = |path_id| Nlri {
                        path_id,
                        prefix: rule,
                    };
                    assert_same_octets(family, text, |path_id| (family, route(path_id)));
                }
            }
        }
    }
}

#[test]
fn prefixes_of_either_address_family_encode_as_unicast() {
    for (family, _, texts) in &ROUTES[..2] {
        for text in *texts {
            assert_same_octets(*family, text, parsed::<IpNet>(text));
        }
    }
}

/// Parses a flow specification.
fn flowspec(family: Family, text: &str) -> FlowSpecBuf {
    let destination = AnyNlriBuf::parse(family, text).unwrap().destination;
    let DestinationBuf::FlowSpec(rule) = destination else {
        panic!("{destination}");
    };
    rule
}

#[test]
fn consecutive_routes_of_one_family_share_messages() {
    let context = context(false, MessageLimit::Standard);
    // The first and the last run are of one family, but the order of the caller is kept.
    let runs: [(Family, &[&str]); 4] = [
        (Family::IPV4_UNICAST, &["10.0.0.0/8", "192.0.2.0/24"]),
        (Family::IPV4_VPN, &["10.0.0.0/8 rd 64512:1 label 3"]),
        (Family::IPV4_MULTICAST, &["10.0.0.0/8"]),
        (Family::IPV4_UNICAST, &["198.51.100.0/24"]),
    ];
    let runs = runs.map(|(family, texts)| routes_of(family, texts));
    let routes = runs.concat();
    assert_round_trip(&context, "192.0.2.1", &routes);
    let mut messages = Vec::new();
    each_message(
        &context,
        withdraw(&context, &routes).unwrap(),
        |_, routes| {
            messages.push(routes.len());
        },
    );
    assert_eq!(messages, runs.map(|run| run.len()));
}

#[test]
fn empty_list_of_routes_encodes_to_no_message() {
    let context = context(false, MessageLimit::Standard);
    let none: [Nlri<VpnPrefix>; 0] = [];
    assert_eq!(announce(&context, "192.0.2.1", none), Ok(BytesMut::new()));
    assert_eq!(withdraw(&context, none), Ok(BytesMut::new()));
}

#[test]
fn routes_with_the_grammar_of_another_family_are_refused() {
    let context = context(false, MessageLimit::Standard);
    for (family, next_hop, _) in ROUTES.into_iter().chain([(RAW, "none", &[][..])]) {
        for (other, _, texts) in ROUTES {
            let alike = [Safi::UNICAST, Safi::MULTICAST];
            let same_grammar = alike.contains(&family.safi) && alike.contains(&other.safi);
            if family == other || (family.afi == other.afi && same_grammar) {
                continue;
            }
            // Only the first: a FlowSpec rule without prefixes is legal in either address family.
            for route in routes_of(other, &texts[..1]) {
                let route = AnyNlriBuf { family, ..route };
                let announced = announce(&context, next_hop, [&route]);
                assert!(
                    matches!(announced, Err(EncodeError::Illegal(_))),
                    "{family}: {route}"
                );
                let withdrawn = withdraw(&context, [&route]);
                assert!(
                    matches!(withdrawn, Err(EncodeError::Illegal(_))),
                    "{family}: {route}"
                );
            }
        }
    }
    let prefix: Nlri<Ipv4Net> = Nlri::new("10.0.0.0/8".parse().unwrap());
    for family in [
        Family::IPV6_UNICAST,
        Family::IPV4_VPN,
        Family::L2VPN_EVPN,
        RAW,
    ] {
        assert!(withdraw(&context, [(family, prefix)]).is_err(), "{family}");
    }
}

#[test]
fn received_rule_in_another_family_is_refused() {
    // The octets of a received rule are copied, so only its own family is known to parse them.
    let context = context(false, MessageLimit::Standard);
    let octets = withdraw(
        &context,
        &routes_of(Family::IPV4_FLOWSPEC, &["destination-port =80"]),
    );
    each_message(&context, octets.unwrap(), |_, routes| {
        let Destination::FlowSpec(rule) = routes[0].destination else {
            panic!("{routes:?}");
        };
        for family in [Family::IPV6_FLOWSPEC, Family::IPV4_FLOWSPEC_VPN] {
            assert!(withdraw(&context, [(family, Nlri::new(rule))]).is_err());
        }
        assert!(withdraw(&context, [(Family::IPV4_FLOWSPEC, Nlri::new(rule))]).is_ok());
    });
}

#[test]
fn refused_routes_leave_the_buffer_unchanged() {
    let context = context(false, MessageLimit::Standard);
    for (family, next_hop, texts) in ROUTES {
        let mut routes = vec![AnyNlriBuf::parse(family, texts[0]).unwrap(); 900];
        // The error comes last, after messages have been written.
        routes[899].path_id = Some(PathId(7));
        let mut octets = BytesMut::from(&b"before"[..]);
        let attributes = AttributeSet::new(Origin::IGP);
        let next_hop: NextHop = next_hop.parse().unwrap();
        let results = [
            encode_withdrawals(&context, &routes, &mut octets),
            encode_announcements(&context, &attributes, next_hop, &routes, &mut octets),
        ];
        for result in results {
            assert!(matches!(result, Err(EncodeError::Illegal(_))), "{family}");
        }
        assert_eq!(octets, b"before"[..], "{family}");
    }
}

#[test]
fn routes_of_a_family_without_negotiation_are_refused() {
    for (family, next_hop, texts) in ROUTES {
        let others = ROUTES.into_iter().map(|(other, ..)| other);
        let context =
            Context::new(PeerKind::Internal).with_families(others.filter(|it| *it != family));
        let routes = routes_of(family, &texts[..1]);
        let refused = Err(EncodeError::NotNegotiated(family));
        assert_eq!(announce(&context, next_hop, &routes), refused);
        assert_eq!(withdraw(&context, &routes), refused);
    }
}

#[test]
fn unsuitable_next_hop_is_refused() {
    // RFC 8955 section 4: only flow specifications have no next hop.
    let context = context(false, MessageLimit::Standard);
    for (family, next_hop, texts) in ROUTES {
        let routes = routes_of(family, &texts[..1]);
        let absent = announce(&context, "none", &routes);
        if next_hop == "none" {
            assert!(absent.is_ok(), "{family}");
        } else {
            assert_eq!(absent, Err(EncodeError::NextHopMissing(family)));
        }
        if family.afi == Afi::IPV6 && next_hop != "none" {
            let ipv4 = announce(&context, "192.0.2.1", &routes);
            assert!(
                matches!(ipv4, Err(EncodeError::NextHopUnusable(_))),
                "{family}"
            );
        }
    }
}

#[test]
fn labels_that_a_receiver_cannot_parse_are_refused() {
    // RFC 8277 section 2.2: without the capability a receiver reads one label and takes the next for a prefix.
    let context = Context::new(PeerKind::Internal).with_families([Family::IPV4_LABELED]);
    let several: LabeledPrefix = "10.0.0.0/8 label 100/200".parse().unwrap();
    assert!(announce(&context, "192.0.2.1", [Nlri::new(several)]).is_err());
    let negotiated = context.with_multiple_labels([Family::IPV4_LABELED]);
    assert!(announce(&negotiated, "192.0.2.1", [Nlri::new(several)]).is_ok());
    // Ten labels, a route distinguisher and a prefix exceed the 255 bits of the length octet.
    let long: VpnPrefix = "10.0.0.0/8 rd 64512:1 label 1/2/3/4/5/6/7/8/9/10"
        .parse()
        .unwrap();
    let context = Context::new(PeerKind::Internal)
        .with_families([Family::IPV4_VPN])
        .with_multiple_labels([Family::IPV4_VPN]);
    assert!(announce(&context, "192.0.2.1", [Nlri::new(long)]).is_err());
    assert!(
        withdraw(&context, [Nlri::new(long)]).is_ok(),
        "RFC 8277 section 2.4: a withdrawal has no labels"
    );
}

#[test]
fn end_of_rib_decodes_in_every_family() {
    let context = context(false, MessageLimit::Standard);
    let families = ROUTES.into_iter().map(|(family, ..)| family);
    for family in families.chain([RAW]) {
        let mut octets = BytesMut::new();
        encode_end_of_rib(family, &mut octets);
        let frame = frame(octets);
        let checked = update(&frame, &context).check().unwrap();
        assert_eq!(checked.end_of_rib(), Some(family));
        assert_eq!(checked.fault(), None);
        assert_eq!(checked.withdrawn_routes().count(), 0, "{family}");
    }
}
