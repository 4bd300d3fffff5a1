//! The encoders and every family: what is encoded checks without a fault and decodes to the same routes.

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

/// A family that the codec does not parse.
const RAW: Family = Family::new(Afi(16388), Safi(71));

/// Every parsed family, its next hop, and routes of it.
const ROUTES: [(Family, &str, &[&str]); 14] = [
    (
        Family::IPV4_UNICAST,
        "192.0.2.1",
        &["192.168.10.1/32", "10.0.0.0/8", "0.0.0.0/0"],
    ),
    (
        Family::IPV6_UNICAST,
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
            "10.0.0.0/8 label 100/200/300",
            "0.0.0.0/0 label 0",
        ],
    ),
    (
        Family::IPV6_LABELED,
        "2001:db8::1",
        &[
            "2001:db8::/32 label 1048575",
            "2001:db8::1/128 label 1/2/3/4/5",
        ],
    ),
    (
        Family::IPV4_VPN,
        "192.0.2.1",
        &[
            "192.168.10.0/24 rd 64512:1 label 100",
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
            "destination-port =80 =443 =8080 =8443 tcp-flags =syn",
        ],
    ),
    (
        Family::IPV6_FLOWSPEC,
        "none",
        &[
            "destination 2001:db8::/32 protocol =icmpv6",
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
            "type 9 0x0102030405",
        ],
    ),
    (
        Family::ROUTE_TARGET,
        "192.0.2.1",
        &["64512 target:64512:1", "64512 target:64512:0/64", "default"],
    ),
];

fn routes_of(family: Family, texts: &[&str]) -> Vec<AnyNlriBuf> {
    let parse = |text: &&str| AnyNlriBuf::parse(family, text).unwrap();
    texts.iter().map(parse).collect()
}

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

/// Announces `routes` with a short AS path.
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

fn withdraw<R: EncodeNlri>(
    context: &Context,
    routes: impl IntoIterator<Item = R>,
) -> Result<BytesMut, EncodeError> {
    let mut octets = BytesMut::new();
    encode_withdrawals(context, routes, &mut octets)?;
    Ok(octets)
}

/// Calls `see` with the announced and the withdrawn routes of each message, which checks without a fault.
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

/// The labels of a withdrawal mean nothing (RFC 8277 section 2.4).
fn without_labels(mut route: AnyNlriBuf) -> AnyNlriBuf {
    if let DestinationBuf::Labeled(LabeledPrefix { labels, .. })
    | DestinationBuf::Vpn(VpnPrefix { labels, .. }) = &mut route.destination
    {
        *labels = Labels::from(Label::WITHDRAWN);
    }
    route
}

/// Encodes the routes in every form in which they can be given, and decodes them.
fn round_trip(context: &Context, next_hop: &str, routes: &[AnyNlriBuf]) {
    let lent = routes.iter().map(|route| {
        let nlri = Nlri {
            path_id: route.path_id,
            prefix: &route.destination,
        };
        (route.family, nlri)
    });
    let announced = announce(context, next_hop, routes).unwrap();
    assert_eq!(
        announce(context, next_hop, lent.clone()),
        Ok(announced.clone())
    );
    let withdrawn = withdraw(context, routes).unwrap();
    assert_eq!(withdraw(context, lent), Ok(withdrawn.clone()));

    let (mut decoded, mut again) = (Vec::new(), BytesMut::new());
    each_message(context, announced.clone(), |announced, withdrawn| {
        assert!(withdrawn.is_empty());
        again.extend(announce(context, next_hop, &announced).unwrap());
        decoded.extend(announced.into_iter().map(AnyNlriBuf::from));
    });
    assert_eq!(decoded, routes);
    assert_eq!(again, announced, "views encode as what they were read from");

    let (mut decoded, mut again) = (Vec::new(), BytesMut::new());
    each_message(context, withdrawn.clone(), |announced, withdrawn| {
        assert!(announced.is_empty());
        again.extend(withdraw(context, withdrawn.iter().copied()).unwrap());
        decoded.extend(withdrawn.into_iter().map(AnyNlriBuf::from));
    });
    let expected: Vec<_> = routes.iter().cloned().map(without_labels).collect();
    assert_eq!(decoded, expected);
    assert_eq!(again, withdrawn, "views encode as what they were read from");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn routes_of_every_family_decode_to_themselves(
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
            // Three default routes in a row are refused: they look like path identifiers.
            let mut routes: Vec<_> = picks.iter().map(pick).collect();
            routes.dedup();
            round_trip(&context, next_hop, &routes);
        }
    }
}

#[test]
fn raw_families_have_one_field_a_message() {
    let context = context(false, MessageLimit::Standard);
    let routes = routes_of(RAW, &["0x0102", "0x03"]);
    round_trip(&context, "none", &routes);
    let mut messages = 0;
    each_message(&context, withdraw(&context, &routes).unwrap(), |_, _| {
        messages += 1;
    });
    assert_eq!(messages, 2);
}

/// Asserts that a typed route is written as the route of any family with the same text.
fn assert_same<R: EncodeNlri>(family: Family, text: &str, route: impl Fn(Option<PathId>) -> R) {
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

/// Makes routes of the value with this text.
fn parsed<V: FromStr<Err: Debug> + Copy>(text: &str) -> impl Fn(Option<PathId>) -> Nlri<V> {
    let prefix = text.parse().unwrap();
    move |path_id| Nlri { path_id, prefix }
}

#[test]
fn typed_routes_encode_as_routes_of_any_family() {
    for (family, _, texts) in ROUTES {
        for text in texts.iter().filter(|text| !text.starts_with("type ")) {
            match family {
                Family::IPV4_UNICAST => assert_same(family, text, parsed::<Ipv4Net>(text)),
                Family::IPV6_UNICAST => assert_same(family, text, parsed::<Ipv6Net>(text)),
                Family::IPV4_LABELED | Family::IPV6_LABELED => {
                    assert_same(family, text, parsed::<LabeledPrefix>(text));
                }
                Family::IPV4_VPN | Family::IPV6_VPN => {
                    assert_same(family, text, parsed::<VpnPrefix>(text));
                }
                Family::L2VPN_EVPN => assert_same(family, text, parsed::<EvpnRoute>(text)),
                Family::ROUTE_TARGET => {
                    assert_same(family, text, parsed::<RouteTargetPrefix>(text));
                }
                Family::IPV4_MULTICAST => {
                    let route = parsed::<Ipv4Net>(text);
                    assert_same(family, text, |path_id| (family, route(path_id)));
                }
                Family::IPV6_MULTICAST => {
                    let route = parsed::<Ipv6Net>(text);
                    assert_same(family, text, |path_id| (family, route(path_id)));
                }
                _ => {
                    let rule = &flowspec(family, text);
                    let route = |path_id| Nlri {
                        path_id,
                        prefix: rule,
                    };
                    assert_same(family, text, |path_id| (family, route(path_id)));
                }
            }
        }
    }
}

/// A prefix of either address family is one of the unicast family of its addresses.
#[test]
fn unicast_prefixes_of_either_kind_tell_their_family() {
    for (family, _, texts) in &ROUTES[..2] {
        for text in *texts {
            assert_same(*family, text, parsed::<IpNet>(text));
        }
    }
}

fn flowspec(family: Family, text: &str) -> FlowSpecBuf {
    let destination = AnyNlriBuf::parse(family, text).unwrap().destination;
    let DestinationBuf::FlowSpec(rule) = destination else {
        panic!("{destination}");
    };
    rule
}

/// One call may have routes of several families: each run of one family has messages of its own.
#[test]
fn families_are_not_mixed_in_a_message() {
    let context = context(false, MessageLimit::Standard);
    let runs: [(Family, &[&str]); 4] = [
        (Family::IPV4_UNICAST, &["10.0.0.0/8", "192.0.2.0/24"]),
        (Family::IPV4_VPN, &["10.0.0.0/8 rd 64512:1 label 3"]),
        (Family::IPV4_MULTICAST, &["10.0.0.0/8"]),
        (Family::IPV4_UNICAST, &["198.51.100.0/24"]),
    ];
    let runs = runs.map(|(family, texts)| routes_of(family, texts));
    let routes = runs.concat();
    round_trip(&context, "192.0.2.1", &routes);
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
fn no_routes_make_no_message() {
    let context = context(false, MessageLimit::Standard);
    let none: [Nlri<VpnPrefix>; 0] = [];
    assert_eq!(announce(&context, "192.0.2.1", none), Ok(BytesMut::new()));
    assert_eq!(withdraw(&context, none), Ok(BytesMut::new()));
}

/// Every family refuses the routes of the families that have another grammar.
#[test]
fn routes_of_another_family_are_refused() {
    let context = context(false, MessageLimit::Standard);
    for (family, next_hop, _) in ROUTES.into_iter().chain([(RAW, "none", &[][..])]) {
        for (other, _, texts) in ROUTES {
            let alike = [Safi::UNICAST, Safi::MULTICAST];
            let same_grammar = alike.contains(&family.safi) && alike.contains(&other.safi);
            if family == other || (family.afi == other.afi && same_grammar) {
                continue;
            }
            // A rule without prefixes is one of either address family.
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

/// A received rule belongs to the family in which it was received.
#[test]
fn received_rules_of_another_family_are_refused() {
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

/// An error at the last of many routes leaves nothing behind.
#[test]
fn refused_routes_leave_the_buffer_as_it_was() {
    let context = context(false, MessageLimit::Standard);
    for (family, next_hop, texts) in ROUTES {
        let mut routes = vec![AnyNlriBuf::parse(family, texts[0]).unwrap(); 900];
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
fn families_that_are_not_negotiated_are_refused() {
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

/// RFC 8955 section 4: only flow specifications do without a next hop.
#[test]
fn next_hops_that_do_not_suit_are_refused() {
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
fn labels_that_a_receiver_would_not_read_are_refused() {
    let context = Context::new(PeerKind::Internal).with_families([Family::IPV4_LABELED]);
    let several: LabeledPrefix = "10.0.0.0/8 label 100/200".parse().unwrap();
    assert!(announce(&context, "192.0.2.1", [Nlri::new(several)]).is_err());
    let negotiated = context.with_multiple_labels([Family::IPV4_LABELED]);
    assert!(announce(&negotiated, "192.0.2.1", [Nlri::new(several)]).is_ok());
    // Ten labels, a route distinguisher and a prefix are more bits than the length octet can say.
    let long: VpnPrefix = "10.0.0.0/8 rd 64512:1 label 1/2/3/4/5/6/7/8/9/10"
        .parse()
        .unwrap();
    let context = Context::new(PeerKind::Internal)
        .with_families([Family::IPV4_VPN])
        .with_multiple_labels([Family::IPV4_VPN]);
    assert!(announce(&context, "192.0.2.1", [Nlri::new(long)]).is_err());
    assert!(
        withdraw(&context, [Nlri::new(long)]).is_ok(),
        "labels are not sent"
    );
}

#[test]
fn end_of_rib_is_read_in_every_family() {
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
