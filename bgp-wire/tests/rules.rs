//! Rules for UPDATEs from RFCs other than 4271 and 7606, as tables of a context, a body and its treatment.

#![cfg(test)]

mod common;

use bgp_wire::{Asn, Context, Family, Frame, PeerKind, Role, Treatment};
use common::{frame, hex, message, update};

/// The treatment of a message, `None` if it is legal, and `true` if its route is announced.
type Outcome = (Option<Treatment>, bool);

const CLEAN: Outcome = (None, true);
const DISCARD: Outcome = (Some(Treatment::Discard), true);
const WITHDRAW: Outcome = (Some(Treatment::Withdraw), false);
/// Ignored, but legal: the routes are withdrawn.
const UNUSABLE: Outcome = (None, false);
const RESET: Outcome = (Some(Treatment::Reset), false);

/// Returns an UPDATE without withdrawn routes.
fn announcing(attributes: &str, nlri: &str) -> Frame {
    let (attributes, nlri) = (hex(attributes), hex(nlri));
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    frame(message(
        2,
        &[&[0, 0], &length[..], &attributes, &nlri].concat(),
    ))
}

/// Checks an UPDATE without withdrawn routes.
fn outcome(context: &Context, attributes: &str, nlri: &str) -> Outcome {
    let frame = announcing(attributes, nlri);
    match update(&frame, context).check() {
        Ok(checked) => {
            let treatment = checked.fault().map(|fault| fault.treatment);
            (treatment, checked.announced_routes().next().is_some())
        }
        Err(_) => (Some(Treatment::Reset), false),
    }
}

const PREFIX: &str = "180ac802";
const ORIGIN: &str = "400101 00 ";
const AS_PATH: &str = "400206 0201 0000fde9 ";
const NEXT_HOP: &str = "400304 0a630102 ";

/// Returns the context of an external peer with every family.
fn external() -> Context {
    Context::new(PeerKind::External).with_families(Family::PARSED.iter().copied())
}

/// Returns the context of an internal peer with every family.
fn internal() -> Context {
    Context::new(PeerKind::Internal).with_families(Family::PARSED.iter().copied())
}

/// Checks an attribute after legal ones.
fn with(context: &Context, attribute: &str) -> Outcome {
    let attributes = format!("{ORIGIN}{AS_PATH}{NEXT_HOP}{attribute}");
    outcome(context, &attributes, PREFIX)
}

/// Checks an AS path in a message that is otherwise legal.
fn path(context: &Context, segments: &str) -> Outcome {
    let value = hex(segments);
    let attributes = format!("{ORIGIN}4002{:02x} {segments} {NEXT_HOP}", value.len());
    outcome(context, &attributes, PREFIX)
}

#[test]
fn malformed_next_hop_beside_mp_reach_nlri_is_discarded() {
    // RFC 4760 section 3: nothing uses it.
    let path = format!("{ORIGIN}{AS_PATH}");
    let reach = "800e1c 000201 10 20010db8000000000000000000000002 00 30 20010db80103 ";
    for bad in ["400303 0a6300", "c00304 0a630102"] {
        let after = format!("{reach}{path}{bad}");
        assert_eq!(outcome(&external(), &after, ""), DISCARD, "{bad}");
        let before = format!("{path}{bad}{reach}");
        assert_eq!(outcome(&external(), &before, ""), DISCARD, "{bad}");
        // RFC 7606 section 5.2: no route to withdraw.
        let alone = format!("{path}{bad}");
        assert_eq!(outcome(&external(), &alone, ""), RESET, "{bad}");
    }
}

#[test]
fn confederation_segments_are_accepted_by_kind_of_peer() {
    // RFC 5065 section 5: only members of the confederation send them, and each of them begins its paths with one.
    let confederation = Context::new(PeerKind::Confederation);
    let (plain, led) = ("0201 0000fde9", "0301 0000fe4c 0201 0000fde9");
    for (context, segments, expected) in [
        (&external(), plain, CLEAN),
        (&external(), led, WITHDRAW),
        (&external().with_confederation(true), led, WITHDRAW),
        // A member of the confederation learns such paths from internal peers; other speakers do not.
        (&internal(), led, WITHDRAW),
        (&internal().with_confederation(true), led, CLEAN),
        (&internal().with_confederation(true), plain, CLEAN),
        (&internal().with_confederation(true), "", CLEAN),
        (&confederation, led, CLEAN),
        (&confederation, plain, WITHDRAW),
        (&confederation, "", WITHDRAW),
        (&confederation, "0201 0000fde9 0301 0000fe4c", WITHDRAW),
    ] {
        assert_eq!(path(context, segments), expected, "{context:?} {segments}");
    }
}

#[test]
fn local_as_in_as_path_or_as4_path_makes_route_unusable() {
    // RFC 4271 section 9.1.2. A number above 65535 is in AS4_PATH only (RFC 6793 section 4.2.2).
    let narrow = external().with_four_octet_as(false);
    let attributes =
        format!("{ORIGIN}400206 0202 fde95ba0 {NEXT_HOP}c0110a 0202 0000fde9 fa56ea01");
    for (local, expected) in [(64999, CLEAN), (65001, UNUSABLE), (4_200_000_001, UNUSABLE)] {
        let context = narrow.with_local_as(Asn::new(local));
        assert_eq!(outcome(&context, &attributes, PREFIX), expected, "{local}");
    }
}

#[test]
fn next_hop_of_no_host_is_malformed_and_our_own_unusable_in_either_attribute() {
    // Unspecified, loopback, multicast, reserved, and our own address (RFC 4271 section 6.3).
    let ours = internal().with_local_address([10, 99, 0, 1].into());
    for (next_hop, expected) in [
        ("0a630102", CLEAN),
        ("00000000", WITHDRAW),
        ("7f000001", WITHDRAW),
        ("e0000001", WITHDRAW),
        ("f0000001", WITHDRAW),
        ("0a630001", UNUSABLE),
    ] {
        let legacy = format!("{ORIGIN}{AS_PATH}400304 {next_hop}");
        assert_eq!(outcome(&ours, &legacy, PREFIX), expected, "{next_hop}");
        let reach = format!("800e0d 000101 04 {next_hop} 00 180ac8fb {ORIGIN}{AS_PATH}");
        assert_eq!(outcome(&ours, &reach, ""), expected, "{next_hop}");
    }
    let ours = internal().with_local_address("2001:db8::1".parse().unwrap());
    for (next_hop, expected) in [
        ("20010db8000000000000000000000002", CLEAN),
        ("fe800000000000000000000000000002", CLEAN),
        ("00000000000000000000000000000000", WITHDRAW),
        ("00000000000000000000000000000001", WITHDRAW),
        ("ff020000000000000000000000000001", WITHDRAW),
        ("00000000000000000000ffff7f000001", WITHDRAW),
        ("20010db8000000000000000000000001", UNUSABLE),
    ] {
        let reach = format!("800e1c 000201 10 {next_hop} 00 30 20010db80103 {ORIGIN}{AS_PATH}");
        assert_eq!(outcome(&ours, &reach, ""), expected, "{next_hop}");
    }
    // RFC 8955 section 4: receivers ignore the next hop of a flow specification.
    let flow = format!("800e0f 000185 04 00000000 00 05 01 18 c00002 {ORIGIN}{AS_PATH}");
    assert_eq!(outcome(&internal(), &flow, ""), CLEAN);
}

#[test]
fn next_hop_of_two_addresses_is_the_usable_one() {
    // RFC 2545 section 3: a global and a link-local address. Over a link-local session routers have no global one: BIRD
    // sends `::` in its place, and FRR the link-local address twice.
    const GLOBAL: &str = "20010db8000000000000000000000001";
    const OTHER: &str = "20010db8000000000000000000000002";
    const LOCAL: &str = "fe800000000000000000000000000002";
    const NONE: &str = "00000000000000000000000000000000";
    const MAPPED: &str = "00000000000000000000ffffc0000201";
    for (first, second, expected) in [
        (GLOBAL, LOCAL, Some("2001:db8::1 fe80::2")),
        (NONE, LOCAL, Some("fe80::2")),
        (LOCAL, LOCAL, Some("fe80::2")),
        (GLOBAL, NONE, Some("2001:db8::1")),
        (GLOBAL, OTHER, Some("2001:db8::1")),
        (GLOBAL, "", Some("2001:db8::1")),
        (LOCAL, "", Some("fe80::2")),
        (MAPPED, "", Some("::ffff:192.0.2.1")),
        (NONE, "", None),
        (NONE, NONE, None),
        // Only a link-local address stands in for the missing one.
        (NONE, GLOBAL, None),
    ] {
        for (family, distinguisher, route) in [
            ("000201", "", "30 20010db80001"),
            (
                "000280",
                "0000000000000000",
                "88 000011 0000fde900000001 20010db80001",
            ),
        ] {
            let hops: String = [first, second]
                .into_iter()
                .filter(|hop| !hop.is_empty())
                .map(|hop| format!("{distinguisher}{hop}"))
                .collect();
            let value = format!("{family} {:02x} {hops} 00 {route}", hops.len() / 2);
            let length = hex(&value).len();
            let attributes = format!("800e{length:02x} {value} {ORIGIN}{AS_PATH}");
            let (frame, context) = (announcing(&attributes, ""), external());
            let checked = update(&frame, &context).check().unwrap();
            let set = bgp_wire::UpdateBuf::from(&checked);
            let text = format!("{first} {second} {family}");
            let Some(expected) = expected else {
                assert_eq!(checked.fault().unwrap().treatment, Treatment::Withdraw);
                assert_eq!((set.announced.len(), set.withdrawn.len()), (0, 1), "{text}");
                continue;
            };
            assert_eq!(checked.fault(), None, "{text}");
            assert_eq!(set.announced.len(), 1, "{text}");
            let (_, next_hop) = set.next_hops.first_key_value().unwrap();
            assert_eq!(next_hop.to_string(), expected, "{text}");
            // What is read can be passed on.
            let mut out = bytes::BytesMut::new();
            assert_eq!(set.encode(&context, &mut out), Ok(1), "{text}");
        }
    }
}

#[test]
fn two_next_hops_of_the_wrong_scope_are_not_encoded() {
    let routes = ["2001:db8::/48"
        .parse::<ipnet::Ipv6Net>()
        .map(bgp_wire::Nlri::new)
        .unwrap()];
    let set = bgp_wire::AttributeSet::new(bgp_wire::Origin::IGP);
    for (text, legal) in [
        ("2001:db8::1 fe80::1", true),
        ("2001:db8::1 2001:db8::2", false),
        ("fe80::1 fe80::1", false),
        (":: fe80::1", false),
        ("2001:db8::1 ::", false),
    ] {
        let mut out = bytes::BytesMut::new();
        let next_hop = text.parse().unwrap();
        let encoded = bgp_wire::encode_announcements(&external(), &set, next_hop, routes, &mut out);
        assert_eq!(encoded.is_ok(), legal, "{text}");
    }
}

#[test]
fn malformed_aigp_is_discarded() {
    // RFC 7311 section 3.2: even wrong flags do not cost the route. External peers may not send it by default.
    let aigp = "1a0b 01000b 0000000000000001";
    assert_eq!(with(&internal(), &format!("80{aigp}")), CLEAN);
    assert_eq!(with(&internal(), &format!("c0{aigp}")), DISCARD);
    assert_eq!(with(&external(), &format!("80{aigp}")), DISCARD);
    assert_eq!(with(&internal(), "801a03 010003"), DISCARD);
}

#[test]
fn malformed_prefix_sid_is_discarded() {
    // RFC 8669 sections 3 and 6: TLVs of known types have a fixed length, unknown ones only have to fit.
    for (value, expected) in [
        ("0a 010007 000000 00000064", CLEAN),
        ("07 010004 00000064", DISCARD),
        ("0b 030008 0000 003e80 001f40", CLEAN),
        ("06 030003 000000", DISCARD),
        ("04 630001 07", CLEAN),
        ("03 630005", DISCARD),
    ] {
        let attribute = format!("c028{value}");
        assert_eq!(with(&internal(), &attribute), expected, "{value}");
        // RFC 8669 section 4: it is discarded if it comes from outside the domain.
        assert_eq!(with(&external(), &attribute), DISCARD, "{value}");
    }
}

#[test]
fn flowspec_component_with_excessive_width_resets() {
    // RFC 8955 section 4.2.2 limits the width of some values; section 4.2.1 defines the operators.
    let flow = |components: &str| {
        let nlri = hex(components);
        let reach = format!(
            "800e{:02x} 000185 00 00 {:02x} {components} {ORIGIN}{AS_PATH}",
            nlri.len() + 6,
            nlri.len()
        );
        outcome(&internal(), &reach, "")
    };
    for (components, expected) in [
        ("09 81 02", CLEAN),
        ("09 91 0102", CLEAN),
        ("09 a1 00010203", RESET),
        ("0b 81 2e", CLEAN),
        ("0b 91 012c", RESET),
        ("0c 81 01", CLEAN),
        ("0c 91 0001", RESET),
        // For other types the width is a recommendation.
        ("03 91 0006", CLEAN),
        // Undefined bits of an operator are ignored.
        ("09 84 02", CLEAN),
        ("03 89 06", CLEAN),
    ] {
        assert_eq!(flow(components), expected, "{components}");
    }
}

#[test]
fn repeated_large_community_is_kept_and_sent_once() {
    // RFC 8092 section 3: senders must not repeat a community, and receivers remove a repeated one.
    let attributes = format!(
        "{ORIGIN}{AS_PATH}{NEXT_HOP}c02024 {}{}{}",
        "000000010000000200000003", "000000010000000200000004", "000000010000000200000003"
    );
    let frame = announcing(&attributes, PREFIX);
    let context = external();
    let checked = update(&frame, &context).check().unwrap();
    let mut set = bgp_wire::AttributeSet::from(&checked);
    let text: Vec<_> = set
        .large_communities
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(text, ["1:2:3", "1:2:4"]);
    set.large_communities.push(set.large_communities[0]);
    let mut octets = bytes::BytesMut::new();
    let prefix = bgp_wire::Nlri::new("10.200.2.0/24".parse::<ipnet::Ipv4Net>().unwrap());
    let next_hop = bgp_wire::NextHop::Address([10, 99, 1, 2].into());
    bgp_wire::encode_announcements(&context, &set, next_hop, [prefix], &mut octets).unwrap();
    let frame = common::frame(octets);
    let sent = update(&frame, &context).check().unwrap();
    assert_eq!(sent.large_communities().unwrap().len(), 2);
}

#[test]
fn route_of_a_family_without_negotiation_is_ignored_and_not_encoded() {
    // RFC 4760 section 8: both sides have to advertise the family.
    let context = Context::new(PeerKind::External).with_families([Family::IPV6_UNICAST]);
    let attributes = format!("{ORIGIN}{AS_PATH}{NEXT_HOP}");
    assert_eq!(outcome(&context, &attributes, PREFIX), (None, false));
    // A malformed field is a fault nevertheless.
    assert_eq!(outcome(&context, &attributes, "21"), RESET);
    let update = {
        let mut update =
            bgp_wire::UpdateBuf::new(bgp_wire::AttributeSet::new(bgp_wire::Origin::IGP));
        update.withdraw("10.0.0.0/8".parse::<ipnet::IpNet>().unwrap());
        update
    };
    let mut octets = bytes::BytesMut::new();
    let refused = update.encode(&context, &mut octets);
    assert_eq!(
        refused,
        Err(bgp_wire::EncodeError::NotNegotiated(Family::IPV4_UNICAST))
    );
}

#[test]
fn path_ids_without_negotiation_are_read_as_default_routes() {
    // RFC 7911 section 5. Three zero octets are legal prefixes, so the routes are accepted and the suspicion is reported.
    let suspected = |context: &Context, attributes: &str, nlri: &str| {
        let frame = announcing(attributes, nlri);
        let checked = update(&frame, context).check().unwrap();
        assert_eq!(checked.fault(), None, "{nlri}");
        let routes = checked.announced_routes().chain(checked.withdrawn_routes());
        (checked.unexpected_path_ids(), routes.count())
    };
    let attributes = format!("{ORIGIN}{AS_PATH}{NEXT_HOP}");
    let ipv4 = Some(Family::IPV4_UNICAST);
    for (nlri, expected) in [
        // Three default routes, 0.0.0.0/1 and 200.192.0.0/10.
        ("00000001 180ac802", (ipv4, 5)),
        ("000000", (ipv4, 3)),
        ("0000", (None, 2)),
        ("0000 180ac802", (None, 3)),
        ("180ac802 000000", (None, 4)),
    ] {
        let found = suspected(&external(), &attributes, nlri);
        assert_eq!(found, expected, "{nlri}");
    }
    let paths = external().with_add_path([Family::IPV4_UNICAST]);
    let negotiated = suspected(&paths, &attributes, "00000001 180ac802");
    assert_eq!(negotiated, (None, 1));
    let others = Context::new(PeerKind::External).with_families([Family::IPV6_UNICAST]);
    assert_eq!(suspected(&others, &attributes, "000000"), (None, 0));
    for (code, head, family) in [
        (
            "0e",
            "0002 01 10 20010db8000000000000000000000001 00",
            Family::IPV6_UNICAST,
        ),
        ("0e", "0001 02 04 c0000201 00", Family::IPV4_MULTICAST),
        ("0f", "0002 01", Family::IPV6_UNICAST),
        ("0f", "0001 01", Family::IPV4_UNICAST),
    ] {
        for (nlri, expected) in [
            ("00000001 08 08 20", (Some(family), 5)),
            ("08 20", (None, 1)),
            ("00", (None, 1)),
        ] {
            let value = format!("{head} {nlri}");
            let length = hex(&value).len();
            let attributes = format!("90{code} {length:04x} {value} {ORIGIN}{AS_PATH}");
            let found = suspected(&external(), &attributes, "");
            assert_eq!(found, expected, "{family} {nlri}");
        }
    }
    // Only prefixes are taken for path identifiers. The default route makes the message suspect.
    let evpn = format!("800e0d 001946 04 0a630102 00 00000000 {ORIGIN}{AS_PATH}{NEXT_HOP}");
    assert_eq!(suspected(&external(), &evpn, "00"), (None, 3));
    let raw_unicast = format!("800e09 000301 00 00 00000000 {ORIGIN}{AS_PATH}{NEXT_HOP}");
    let raw = external().with_raw_families(true);
    assert_eq!(suspected(&raw, &raw_unicast, "00"), (None, 2));
    // A withdrawn rule of another grammar may begin with the same octets.
    let raw = external().with_raw_families(true);
    let other = format!("800f07 404747 00000000 {ORIGIN}{AS_PATH}");
    assert_eq!(suspected(&raw, &other, ""), (None, 1));
}

#[test]
fn withdrawn_path_ids_without_negotiation_are_reported() {
    let (frame, context) = (frame(message(2, &hex("0005 0000000118 0000"))), external());
    let checked = update(&frame, &context).check().unwrap();
    assert_eq!(checked.unexpected_path_ids(), Some(Family::IPV4_UNICAST));
}

#[test]
fn several_default_routes_encode() {
    let mut update = bgp_wire::UpdateBuf::new(bgp_wire::AttributeSet::new(bgp_wire::Origin::IGP));
    update.announced = vec!["0.0.0.0/0".parse::<ipnet::IpNet>().unwrap().into(); 3];
    update.set_next_hop(Family::IPV4_UNICAST, std::net::IpAddr::from([192, 0, 2, 1]));
    let mut out = bytes::BytesMut::new();
    assert_eq!(update.encode(&external(), &mut out), Ok(1));
}

#[test]
fn leaked_route_withdraws_by_the_role_of_the_peer() {
    // RFC 9234 section 5, the ingress rules for OTC.
    // An OTC of the peer's own AS is leaked by a customer but legal from a peer.
    const OTC_OF_PEER: &str = "c02304 0000fde9";
    const OTC_OF_ANOTHER: &str = "c02304 0000fdea";
    for (role, of_peer, of_another, without) in [
        (Role::CUSTOMER, UNUSABLE, UNUSABLE, CLEAN),
        (Role::ROUTE_SERVER_CLIENT, UNUSABLE, UNUSABLE, CLEAN),
        (Role::PEER, CLEAN, UNUSABLE, CLEAN),
        (Role::PROVIDER, CLEAN, CLEAN, CLEAN),
        (Role::ROUTE_SERVER, CLEAN, CLEAN, CLEAN),
    ] {
        let context = external().with_peer_role(role, Asn::new(65001));
        assert_eq!(with(&context, OTC_OF_PEER), of_peer, "{role}");
        assert_eq!(with(&context, OTC_OF_ANOTHER), of_another, "{role}");
        assert_eq!(with(&context, ""), without, "{role}");
    }
    let context = external().with_peer_role(Role::CUSTOMER, Asn::new(65001));
    let reach = format!("800e0d 0001 02 04 0a630102 00 180ac802 {OTC_OF_PEER}");
    let attributes = format!("{ORIGIN}{AS_PATH}{reach}");
    assert_eq!(
        outcome(&context, &attributes, ""),
        CLEAN,
        "multicast is not covered"
    );
    let next_hop = "400304 0a630102";
    assert_eq!(
        outcome(&context, &format!("{attributes}{next_hop}"), "180ac803"),
        UNUSABLE,
        "a multicast route beside it does not cover a unicast route"
    );
}

#[test]
fn raw_route_takes_a_message_or_is_refused() {
    // Without its grammar, the end of a route is the end of the field.
    let family = Family::new(bgp_wire::Afi(16388), bgp_wire::Safi(71));
    let context = Context::new(PeerKind::Internal).with_raw_families(true);
    let raw = |octets: usize| bgp_wire::AnyNlriBuf {
        family,
        path_id: None,
        destination: bgp_wire::DestinationBuf::Unknown(vec![7; octets]),
    };
    // Header, two section lengths, header of the attribute, family.
    let max_length = 4096 - 19 - 4 - 4 - 3;
    for (octets, outcome) in [
        (&[1, 1][..], Some(2)),
        (&[max_length], Some(1)),
        (&[max_length + 1], None),
        (&[1, 65535], None),
    ] {
        let mut update =
            bgp_wire::UpdateBuf::new(bgp_wire::AttributeSet::new(bgp_wire::Origin::IGP));
        octets
            .iter()
            .for_each(|octets| update.withdraw(raw(*octets)));
        let mut out = bytes::BytesMut::new();
        assert_eq!(
            update.encode(&context, &mut out).ok(),
            outcome,
            "{octets:?}"
        );
        assert_eq!(out.is_empty(), outcome.is_none());
    }
}

#[test]
fn unknown_attribute_is_equal_in_every_encoding() {
    // The width of the length and the unused flag bits are not part of the value.
    let context = Context::new(PeerKind::Internal);
    let set = |unknown: &str| {
        let attributes = format!("{ORIGIN}{AS_PATH}{NEXT_HOP}40050400000064{unknown}");
        let frame = announcing(&attributes, PREFIX);
        bgp_wire::AttributeSet::from(&update(&frame, &context).check().unwrap())
    };
    let plain = set("c06301aa");
    assert_eq!(set("d0630001aa"), plain);
    assert_eq!(set("cf6301aa"), plain);
    assert_eq!(set("e06301aa"), plain);
    assert_eq!(
        plain.unknown[0].flags.0, 0xe0,
        "RFC 4271 section 5: Partial, because it is passed on without being known"
    );
}

#[test]
fn announced_prefix_has_the_next_hop_of_its_field() {
    let attributes = format!(
        "900e001c 0002 01 10 20010db8000000000000000000000001 00 3020010db80010 {ORIGIN}{AS_PATH}{NEXT_HOP}"
    );
    let (frame, context) = (announcing(&attributes, PREFIX), external());
    let checked = update(&frame, &context).check().unwrap();
    let routes = checked.announced_with_next_hops();
    let texts: Vec<_> = routes
        .map(|(next_hop, nlri)| format!("{nlri} via {next_hop}"))
        .collect();
    let expected = [
        "10.200.2.0/24 via 10.99.1.2",
        "2001:db8:10::/48 via 2001:db8::1",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn checked_attributes_are_returned_by_their_accessors() {
    let context = Context::new(PeerKind::Internal);
    let attributes = format!(
        "{ORIGIN}{AS_PATH}{NEXT_HOP}80040400000005 40050400000064 c007080000fc00c0000201 c00804fc000001 \
         800904c0000202 800a04c0000203 c010080002fc0000000001 c0200c000000010000000200000003 c0230400000007"
    );
    let frame = announcing(&attributes, PREFIX);
    let checked = update(&frame, &context).check().unwrap();
    assert_eq!(checked.fault(), None);
    let texts = [
        checked.multi_exit_disc().unwrap().to_string(),
        checked.local_pref().unwrap().to_string(),
        checked.aggregator().unwrap().to_string(),
        checked
            .communities()
            .unwrap()
            .iter()
            .next()
            .unwrap()
            .to_string(),
        checked.originator_id().unwrap().to_string(),
        checked
            .cluster_list()
            .unwrap()
            .iter()
            .next()
            .unwrap()
            .to_string(),
        checked
            .extended_communities()
            .unwrap()
            .iter()
            .next()
            .unwrap()
            .to_string(),
        checked
            .large_communities()
            .unwrap()
            .iter()
            .next()
            .unwrap()
            .to_string(),
        checked.only_to_customer().unwrap().to_string(),
    ];
    let expected = [
        "5",
        "100",
        "64512:192.0.2.1",
        "64512:1",
        "192.0.2.2",
        "192.0.2.3",
        "target:64512:1",
        "1:2:3",
        "7",
    ];
    assert_eq!(texts, expected);
}
