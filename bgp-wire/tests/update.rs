//! UPDATEs and their treatment by RFC 7606, as tables of octets.

#![cfg(test)]

mod common;

use bgp_wire::{Context, Family, PeerKind, Reason, Treatment, Unusable};
use common::{frame, hex, message, update};

/// The outcome of checking an UPDATE.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// The session ends with this reason and Data.
    Reset(Reason, Vec<u8>),
    /// Treat-as-withdraw.
    Withdraw(Reason),
    /// An attribute was discarded.
    Discard(Reason),
    /// No fault.
    Clean,
}

/// Checks an UPDATE that withdraws nothing.
fn outcome(attributes: &str, nlri: &str, peer: PeerKind) -> Outcome {
    let (attributes, nlri) = (hex(attributes), hex(nlri));
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    let frame = frame(message(
        2,
        &[&[0, 0], &length[..], &attributes, &nlri].concat(),
    ));
    let context = Context::new(peer);
    let checked = match update(&frame, &context).check() {
        Ok(checked) => checked,
        Err(error) => {
            return Outcome::Reset(
                error.reason,
                error.notification_data(frame.octets()).to_vec(),
            );
        }
    };
    match checked.fault() {
        None => Outcome::Clean,
        Some(fault) if fault.treatment == Treatment::Discard => {
            // A discarded attribute must not cost the route.
            assert_eq!(checked.withdrawn().count(), 0);
            assert_ne!(checked.announced().count(), 0);
            Outcome::Discard(fault.error.reason)
        }
        Some(fault) => {
            assert_eq!(checked.announced().count(), 0);
            assert_ne!(checked.withdrawn().count(), 0);
            Outcome::Withdraw(fault.error.reason)
        }
    }
}

const ORIGIN: &str = "40010100 ";
const AS_PATH: &str = "400206 0201 0000fde9 ";
const NEXT_HOP: &str = "400304 0a630102 ";
const GOOD: &str = "40010100 400206 0201 0000fde9 400304 0a630102 ";
const PREFIX: &str = "180ac802";

/// Checks an UPDATE of one prefix with an attribute after legal ones.
fn with(attribute: &str, peer: PeerKind) -> Outcome {
    outcome(&format!("{GOOD}{attribute}"), PREFIX, peer)
}

#[test]
fn attribute_from_external_peer_is_treated_by_its_rule() {
    use Outcome::{Clean, Discard, Withdraw};
    use Reason as R;
    let table = [
        ("", Clean),
        ("80040400000001", Clean),
        ("800403000000", Withdraw(R::ATTRIBUTE_LENGTH_ERROR)),
        ("c0040400000001", Withdraw(R::ATTRIBUTE_FLAGS_ERROR)),
        // RFC 7606 section 7.5: LOCAL_PREF from an external peer is discarded, well-formed or not.
        ("40050400000064", Discard(R::OPTIONAL_ATTRIBUTE_ERROR)),
        ("400503000000", Discard(R::OPTIONAL_ATTRIBUTE_ERROR)),
        ("400600", Clean),
        ("40060100", Discard(R::ATTRIBUTE_LENGTH_ERROR)),
        ("c007080000fde90a000001", Clean),
        ("c00706fde90a000001", Discard(R::ATTRIBUTE_LENGTH_ERROR)),
        ("80070500000064 00", Withdraw(R::ATTRIBUTE_FLAGS_ERROR)),
        ("c00804fde90001", Clean),
        ("c00800", Withdraw(R::ATTRIBUTE_LENGTH_ERROR)),
        ("c00805fde9000100", Withdraw(R::ATTRIBUTE_LENGTH_ERROR)),
        ("800804ffff0001", Withdraw(R::ATTRIBUTE_FLAGS_ERROR)),
        ("800a00", Discard(R::OPTIONAL_ATTRIBUTE_ERROR)),
        ("c010087fff000000000001", Clean),
        ("c01000", Withdraw(R::ATTRIBUTE_LENGTH_ERROR)),
        ("c0110602010000fde9", Discard(R::OPTIONAL_ATTRIBUTE_ERROR)),
        ("c0110602ff0000fde9", Discard(R::OPTIONAL_ATTRIBUTE_ERROR)),
        ("c012070000fde90a0000", Discard(R::OPTIONAL_ATTRIBUTE_ERROR)),
        ("c0200c0000fde90000000100000002", Clean),
        (
            "c0200d0000fde9000000010000000200",
            Withdraw(R::ATTRIBUTE_LENGTH_ERROR),
        ),
        // RFC 7606 section 3 g: the second of two attributes with one code is discarded.
        ("c0c80101 c0c80102", Discard(R::MALFORMED_ATTRIBUTE_LIST)),
        ("40010107", Discard(R::MALFORMED_ATTRIBUTE_LIST)),
        // RFC 7606 section 4: an attribute that exceeds its section, or fewer octets than a header.
        ("80040400000001 4f", Withdraw(R::MALFORMED_ATTRIBUTE_LIST)),
        ("8004 0400", Withdraw(R::MALFORMED_ATTRIBUTE_LIST)),
        ("d06300", Withdraw(R::MALFORMED_ATTRIBUTE_LIST)),
        ("d0630001aa", Clean),
        ("c0ff0100", Clean),
        // AS 0 (RFC 7607), and AS4_PATH from a peer with four-octet AS numbers (RFC 6793), whatever its flags.
        (
            "c0070800000000 0a000001",
            Discard(R::OPTIONAL_ATTRIBUTE_ERROR),
        ),
        ("4011 0602010000fde9", Discard(R::OPTIONAL_ATTRIBUTE_ERROR)),
        ("c0160400060000", Withdraw(R::ATTRIBUTE_LENGTH_ERROR)),
        ("c017050007000401", Withdraw(R::OPTIONAL_ATTRIBUTE_ERROR)),
        (
            "c01915000000000000000000000000000000000000000000",
            Withdraw(R::ATTRIBUTE_LENGTH_ERROR),
        ),
        ("801a020100", Discard(R::OPTIONAL_ATTRIBUTE_ERROR)),
        ("c0230300fde9", Withdraw(R::ATTRIBUTE_LENGTH_ERROR)),
        ("c0230400 00fde9", Clean),
        ("c02807050020000100ff", Discard(R::OPTIONAL_ATTRIBUTE_ERROR)),
    ];
    for (attribute, expected) in table {
        assert_eq!(with(attribute, PeerKind::External), expected, "{attribute}");
    }
    // RFC 4271 section 6.3, which RFC 7606 leaves as it is.
    let unknown = Outcome::Reset(R::UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE, hex("40c8020102"));
    assert_eq!(with("40c8020102", PeerKind::External), unknown);
}

#[test]
fn attribute_from_internal_peer_is_treated_by_its_rule() {
    use Outcome::{Clean, Withdraw};
    use Reason as R;
    let table = [
        ("40050400000064", Clean),
        ("400503000000", Withdraw(R::ATTRIBUTE_LENGTH_ERROR)),
        ("8009040a000001", Clean),
        ("8009030a0000", Withdraw(R::ATTRIBUTE_LENGTH_ERROR)),
        ("800a040a000001", Clean),
        ("800a00", Withdraw(R::ATTRIBUTE_LENGTH_ERROR)),
    ];
    for (attribute, expected) in table {
        assert_eq!(with(attribute, PeerKind::Internal), expected, "{attribute}");
    }
}

#[test]
fn missing_or_malformed_mandatory_attribute_withdraws() {
    use Outcome::{Clean, Withdraw};
    use Reason as R;
    let table = [
        // RFC 4271 section 5: the order is advice to the sender only.
        (format!("{NEXT_HOP}{AS_PATH}{ORIGIN}"), Clean),
        (String::new(), Withdraw(R::MISSING_WELL_KNOWN_ATTRIBUTE)),
        (
            format!("{AS_PATH}{NEXT_HOP}"),
            Withdraw(R::MISSING_WELL_KNOWN_ATTRIBUTE),
        ),
        (
            format!("{ORIGIN}{NEXT_HOP}"),
            Withdraw(R::MISSING_WELL_KNOWN_ATTRIBUTE),
        ),
        (
            format!("{ORIGIN}{AS_PATH}"),
            Withdraw(R::MISSING_WELL_KNOWN_ATTRIBUTE),
        ),
        (format!("4f010100{AS_PATH}{NEXT_HOP}"), Clean),
        (
            format!("400100{AS_PATH}{NEXT_HOP}"),
            Withdraw(R::ATTRIBUTE_LENGTH_ERROR),
        ),
        (
            format!("40010103{AS_PATH}{NEXT_HOP}"),
            Withdraw(R::INVALID_ORIGIN_ATTRIBUTE),
        ),
        (
            format!("{ORIGIN}c0020602010000fde9{NEXT_HOP}"),
            Withdraw(R::ATTRIBUTE_FLAGS_ERROR),
        ),
        (
            format!("{ORIGIN}400206 02010000 0000{NEXT_HOP}"),
            Withdraw(R::MALFORMED_AS_PATH),
        ),
        (
            format!("{ORIGIN}40020603010000fde9{NEXT_HOP}"),
            Withdraw(R::MALFORMED_AS_PATH),
        ),
        (
            format!("{ORIGIN}{AS_PATH}4003030a6300"),
            Withdraw(R::ATTRIBUTE_LENGTH_ERROR),
        ),
        (
            format!("{ORIGIN}{AS_PATH}400304e0000001"),
            Withdraw(R::INVALID_NEXT_HOP_ATTRIBUTE),
        ),
        (
            format!("{ORIGIN}{AS_PATH}4003047f000001"),
            Withdraw(R::INVALID_NEXT_HOP_ATTRIBUTE),
        ),
    ];
    for (attributes, expected) in table {
        assert_eq!(
            outcome(&attributes, PREFIX, PeerKind::External),
            expected,
            "{attributes}"
        );
    }
}

#[test]
fn fault_without_routes_resets() {
    // RFC 7606 section 5.2: without prefixes to withdraw, the fault cannot be contained.
    let reset = outcome(&format!("{GOOD}800403000000"), "", PeerKind::External);
    assert_eq!(
        reset,
        Outcome::Reset(Reason::ATTRIBUTE_LENGTH_ERROR, hex("800403000000"))
    );
    let cut = outcome("900effff0002011020010db8", "", PeerKind::External);
    assert_eq!(
        cut,
        Outcome::Reset(Reason::MALFORMED_ATTRIBUTE_LIST, vec![])
    );
}

#[test]
fn malformed_multiprotocol_attribute_resets() {
    use Outcome::Clean;
    let next_hop = "20010db8009900000000000000000002";
    let reset = |attribute: &str| Outcome::Reset(Reason::OPTIONAL_ATTRIBUTE_ERROR, hex(attribute));
    let both = format!("{ORIGIN}{AS_PATH}");
    let table = [
        (
            format!("800e1c 0002011 0{next_hop} 00 3020010db80101"),
            None,
        ),
        (format!("800e15 0002011 0{next_hop} 00"), None),
        (
            format!("800e2c 0002012 0{next_hop}{next_hop} 00 3020010db80101"),
            None,
        ),
        (
            // RFC 4760 section 3: the reserved octet is ignored.
            format!("800e1c 0002011 0{next_hop} 01 3020010db80101"),
            None,
        ),
        ("800e09 000000000a630232 00".replace(' ', ""), None),
        ("800e06 000185000000".into(), None),
        ("800e04 00020100".into(), Some(())),
        ("800e0c 0002011020010db800000000".into(), Some(())),
        ("800e0c 00020100003020010db800f3".into(), Some(())),
        ("800f02 0002".into(), Some(())),
        ("800f08 0002014020010db8".into(), Some(())),
        (format!("800e19 0001011 0{next_hop} 00 180ac8fc"), Some(())),
        (
            format!("800e27 0002011 0{next_hop} 00 81{}", "20".repeat(17)),
            Some(()),
        ),
    ];
    for (attribute, fault) in table {
        let expected = fault.map_or(Clean, |()| reset(&attribute));
        assert_eq!(
            outcome(&format!("{attribute}{both}"), "", PeerKind::External),
            expected,
            "{attribute}"
        );
    }
    // RFC 7606 section 3 g: a second MP attribute is the exception that resets.
    let twice = format!("800f03000201 800f03000201{both}");
    assert!(matches!(
        outcome(&twice, "", PeerKind::External),
        Outcome::Reset(Reason::MALFORMED_ATTRIBUTE_LIST, _)
    ));
}

#[test]
fn announced_prefixes_of_a_faulty_update_are_withdrawn() {
    // An MP_REACH_NLRI without ORIGIN. Its prefixes join those that are withdrawn anyway.
    let attributes = hex("800e1c 00020110 20010db8009900000000000000000002 00 3020010db80103");
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    let frame = frame(message(
        2,
        &[&[0, 2, 8, 10], &length[..], &attributes].concat(),
    ));
    let context = Context::new(PeerKind::External);
    let checked = update(&frame, &context).check().unwrap();
    let withdrawn: Vec<_> = checked
        .withdrawn()
        .map(|nlri| nlri.prefix.to_string())
        .collect();
    assert_eq!(withdrawn, ["10.0.0.0/8", "2001:db8:103::/48"]);
    assert_eq!(checked.announced().count(), 0);
    assert_eq!(checked.fault().unwrap().treatment, Treatment::Withdraw);
}

#[test]
fn end_of_rib_is_recognized_and_encoded() {
    let context = Context::new(PeerKind::External);
    let marker = |body: &str| {
        let frame = frame(message(2, &hex(body)));
        update(&frame, &context).check().unwrap().end_of_rib()
    };
    assert_eq!(marker("00000000"), Some(Family::IPV4_UNICAST));
    assert_eq!(marker("00000006 800f03000201"), Some(Family::IPV6_UNICAST));
    assert_eq!(
        marker("00000007 800f0400020100"),
        // Not an empty field, but a prefix of length 0.
        None,
        "a withdrawal of ::/0"
    );
    assert_eq!(marker("0002080a 0000"), None);
    // RFC 4760 section 8.
    let ipv6_only = Context::new(PeerKind::External).with_families([Family::IPV6_UNICAST]);
    let ipv4_only = Context::new(PeerKind::External).with_families([Family::IPV4_UNICAST]);
    for (body, context) in [
        ("00000000", ipv6_only),
        ("00000006 800f03000201", ipv4_only),
    ] {
        let frame = frame(message(2, &hex(body)));
        let checked = update(&frame, &context).check().unwrap();
        assert_eq!(checked.end_of_rib(), None, "not negotiated");
    }
    for family in [Family::IPV4_UNICAST, Family::IPV6_UNICAST] {
        let mut out = bytes::BytesMut::new();
        bgp_wire::encode_end_of_rib(family, &mut out);
        let frame = frame(out.freeze());
        assert_eq!(
            update(&frame, &context).check().unwrap().end_of_rib(),
            Some(family)
        );
    }
}

#[test]
fn malformed_network_field_resets() {
    for nlri in ["ff00", "21 0a000001 00", "18 0a01", "20", "180ac802 180a"] {
        let reset = outcome(GOOD, nlri, PeerKind::External);
        assert_eq!(
            reset,
            Outcome::Reset(Reason::INVALID_NETWORK_FIELD, vec![]),
            "{nlri}"
        );
    }
    // Host bits are irrelevant (RFC 4271 section 4.3), and an odd prefix is no fault of the field.
    for nlri in ["00", "180ac8e9 170afdff", "04e0 087f"] {
        assert_eq!(
            outcome(GOOD, nlri, PeerKind::External),
            Outcome::Clean,
            "{nlri}"
        );
    }
}

#[test]
fn section_longer_than_the_message_is_refused() {
    for body in ["ffff0000", "0000ffff", "00000001", "00010000"] {
        let frame = frame(message(2, &hex(body)));
        let error = frame.decode(&Context::new(PeerKind::External)).unwrap_err();
        assert_eq!(error.reason, Reason::MALFORMED_ATTRIBUTE_LIST, "{body}");
    }
}

#[test]
fn unusable_route_is_withdrawn_and_is_no_fault() {
    use Outcome::Clean;
    let context = Context::new(PeerKind::External)
        .with_local_as(bgp_wire::Asn::new(65000))
        .with_first_as(bgp_wire::Asn::new(65001))
        .with_local_address([10, 99, 0, 1].into());
    let verdict = |withdrawn: &str, attributes: &str, nlri: &str| {
        let (withdrawn, attributes) = (hex(withdrawn), hex(attributes));
        let length = |field: &[u8]| u16::try_from(field.len()).unwrap().to_be_bytes();
        let body = [
            &length(&withdrawn)[..],
            &withdrawn,
            &length(&attributes),
            &attributes,
            &hex(nlri),
        ]
        .concat();
        let frame = frame(message(2, &body));
        let checked = update(&frame, &context).check().unwrap();
        let treatment = checked.fault().map(|fault| fault.treatment);
        let rejected = checked.rejected_routes().count();
        assert_eq!(rejected, usize::from(!nlri.is_empty()), "{attributes:x?}");
        assert_eq!(checked.withdrawn().count(), 1, "{attributes:x?}");
        (treatment, checked.unusable())
    };
    // Our own AS in the path, a first AS that is not the peer's, our own address as next hop.
    let looped = "40010100 40020a 0202 0000fde9 0000fde8 400304 0a630102";
    let foreign = "40010100 400206 0201 0000fe63 400304 0a630102";
    let ours = "40010100 400206 0201 0000fde9 400304 0a630001";
    for (attributes, expected) in [
        (looped, (None, Some(Unusable::AsLoop))),
        (foreign, (Some(Treatment::Withdraw), None)),
        (ours, (None, Some(Unusable::OwnNextHop))),
    ] {
        assert_eq!(verdict("", attributes, PREFIX), expected, "{attributes}");
        assert_eq!(
            verdict(PREFIX, attributes, ""),
            (None, None),
            "nothing is announced: {attributes}"
        );
    }
    // A malformed path that also has our AS is reported once, as malformed.
    let both = "40010100 40020a 0202 0000fe63 0000fde8 400304 0a630102";
    let malformed = (Some(Treatment::Withdraw), None);
    assert_eq!(verdict("", both, PREFIX), malformed);
    // Without prefixes that use it, NEXT_HOP is ignored (RFC 4760 section 3), but its length still has to be right.
    let reach = "800e1c 00020110 20010db8009900000000000000000002 00 3020010db80101";
    let odd = format!("{reach} {ORIGIN} {AS_PATH} 400303 000000");
    assert_eq!(
        outcome(&odd, "", PeerKind::External),
        Outcome::Discard(Reason::ATTRIBUTE_LENGTH_ERROR)
    );
    let martian = format!("{reach} {ORIGIN} {AS_PATH} 400304 00000000");
    assert_eq!(outcome(&martian, "", PeerKind::External), Clean);
}

#[test]
fn routes_of_many_families_encode_in_the_order_of_their_families() {
    // Quadratic searches among the families of the routes and among the next hops took seconds.
    let context = Context::new(PeerKind::Internal).with_raw_families(true);
    let mut update = bgp_wire::UpdateBuf::new(bgp_wire::AttributeSet::new(bgp_wire::Origin::IGP));
    let family = |number: u16| Family::new(bgp_wire::Afi(1000 + number), bgp_wire::Safi(250));
    let next_hop = |number: u16| {
        std::net::IpAddr::from([192, 0, number.to_be_bytes()[0], number.to_be_bytes()[1]])
    };
    for number in (0..20_000).rev().chain([19_999]) {
        let route = bgp_wire::AnyNlriBuf {
            family: family(number),
            path_id: None,
            destination: bgp_wire::DestinationBuf::Unknown(vec![1]),
        };
        update.announce(route.clone());
        update.withdraw(route);
        update.set_next_hop(family(number), next_hop(number + 1));
        update.set_next_hop(family(number), next_hop(number));
    }
    assert_eq!(update.next_hops.len(), 20_000, "the later one replaces");
    let mut out = bytes::BytesMut::new();
    assert_eq!(update.encode(&context, &mut out), Ok(2 * 20_001));
    let (mut announced, mut withdrawn) = (Vec::new(), Vec::new());
    while let Some(frame) =
        bgp_wire::Frame::split(&mut out, bgp_wire::MessageLimit::Standard).unwrap()
    {
        let checked = common::update(&frame, &context).check().unwrap();
        if let Some(reach) = checked.mp_reach() {
            let number = reach.family().afi.0 - 1000;
            assert_eq!(reach.next_hop(), Some(next_hop(number)), "{number}");
        }
        announced.extend(checked.announced_routes().map(|route| route.family));
        withdrawn.extend(checked.withdrawn_routes().map(|route| route.family));
    }
    let expected: Vec<_> = [19_999]
        .into_iter()
        .chain((0..20_000).rev())
        .map(family)
        .collect();
    assert_eq!((&announced, &withdrawn), (&expected, &expected));
}

#[test]
fn message_with_one_route_takes_little_room_in_the_buffer() {
    let context = Context::new(PeerKind::Internal)
        .with_families([Family::IPV4_UNICAST, Family::IPV4_FLOWSPEC])
        .with_message_limit(bgp_wire::MessageLimit::Extended);
    let mut update = bgp_wire::UpdateBuf::new(bgp_wire::AttributeSet::new(bgp_wire::Origin::IGP));
    update.set_next_hop(Family::IPV4_UNICAST, std::net::IpAddr::from([192, 0, 2, 1]));
    update.announce("198.51.100.0/24".parse::<ipnet::IpNet>().unwrap());
    let rule = "destination 198.51.100.0/24 protocol =udp";
    update.announce(bgp_wire::AnyNlriBuf::parse(Family::IPV4_FLOWSPEC, rule).unwrap());
    let mut out = bytes::BytesMut::new();
    assert_eq!(update.encode(&context, &mut out), Ok(2));
    assert!(out.capacity() < 1024, "{}", out.capacity());
}

#[test]
fn routes_of_any_family_fill_messages_like_prefixes() {
    let prefixes: Vec<ipnet::Ipv4Net> = (0..30_000u32)
        .zip((8..=32).cycle())
        .map(|(number, length)| ipnet::Ipv4Net::new_assert((number << 12).into(), length))
        .map(|prefix| prefix.trunc())
        .collect();
    let any: Vec<bgp_wire::AnyNlriBuf> = prefixes
        .iter()
        .map(|prefix| ipnet::IpNet::V4(*prefix).into())
        .collect();
    let attributes = bgp_wire::AttributeSet::new(bgp_wire::Origin::IGP);
    let next_hop = bgp_wire::NextHop::Address([192, 0, 2, 1].into());
    for limit in [
        bgp_wire::MessageLimit::Standard,
        bgp_wire::MessageLimit::Extended,
    ] {
        let context = Context::new(PeerKind::Internal).with_message_limit(limit);
        let (mut typed, mut untyped) = (bytes::BytesMut::new(), bytes::BytesMut::new());
        let routes = prefixes.iter().copied().map(bgp_wire::Nlri::new);
        let messages =
            bgp_wire::encode_announcements(&context, &attributes, next_hop, routes, &mut typed);
        assert_eq!(
            bgp_wire::encode_announcements(&context, &attributes, next_hop, &any, &mut untyped),
            messages
        );
        assert!(typed == untyped, "{limit:?}");
    }
}

/// Returns an UPDATE without withdrawn routes.
fn announcing(attributes: &str, nlri: &str) -> bgp_wire::Frame {
    let (attributes, nlri) = (hex(attributes), hex(nlri));
    let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    let body = [&[0, 0], &length[..], &attributes, &nlri].concat();
    frame(message(2, &body))
}

/// Returns attributes with MP_REACH_NLRI.
fn reach(afi: u8, safi: u8, next_hop: &str, nlri: &str) -> String {
    let length = hex(next_hop).len();
    let value = format!("00{afi:02x} {safi:02x} {length:02x} {next_hop} 00 {nlri}");
    format!("800e {:02x} {value} {ORIGIN} {AS_PATH}", hex(&value).len())
}

/// Asserts that an UPDATE announces these unicast prefixes, whichever iterator is used.
fn assert_announces(checked: &bgp_wire::Checked<'_>, expected: &[&str]) {
    let mut folded = Vec::new();
    checked
        .announced()
        .for_each(|nlri| folded.push(nlri.to_string()));
    assert_eq!(folded, expected);
    let mut rest = checked.announced();
    for prefix in expected {
        assert_eq!(rest.next().unwrap().to_string(), *prefix);
    }
    assert_eq!(rest.next(), None);
    assert_eq!(checked.announced().count(), expected.len());
    let with_next_hops: Vec<_> = checked
        .announced_with_next_hops()
        .map(|(_, nlri)| nlri.to_string())
        .collect();
    assert_eq!(with_next_hops, expected);
}

#[test]
fn bogus_prefixes_are_ignored_and_the_others_announced() {
    // RFC 4271 section 6.3. The default route and 240.0.0.0/4 are no bogus prefixes.
    let ipv4 = "04e0 087f 207f000001 04f0 00 20ffffffff 180a0001";
    let kept = ["240.0.0.0/4", "0.0.0.0/0", "10.0.1.0/24"];
    let zeros = "00".repeat(15);
    let ipv6 = format!("08ff 0afe80 80{zeros}01 80{zeros}00 00 2020010db8");
    let kept_ipv6 = ["::/0", "2001:db8::/32"];
    let next_hop = "20010db8009900000000000000000002";
    for (attributes, nlri, family, expected) in [
        (GOOD.to_owned(), ipv4, Family::IPV4_UNICAST, &kept[..]),
        (
            reach(1, 1, "0a630102", ipv4),
            "",
            Family::IPV4_UNICAST,
            &kept,
        ),
        (
            reach(1, 2, "0a630102", ipv4),
            "",
            Family::IPV4_MULTICAST,
            &kept,
        ),
        (
            reach(2, 1, next_hop, &ipv6),
            "",
            Family::IPV6_UNICAST,
            &kept_ipv6,
        ),
        (
            reach(2, 2, next_hop, &ipv6),
            "",
            Family::IPV6_MULTICAST,
            &kept_ipv6,
        ),
    ] {
        let frame = announcing(&attributes, nlri);
        let context = Context::new(PeerKind::External).with_families([family]);
        let checked = update(&frame, &context).check().unwrap();
        assert_eq!(checked.fault(), None, "{family}");
        assert_eq!(checked.unusable(), Some(Unusable::BogusPrefix));
        assert_eq!(checked.rejected_routes().count(), 4, "{family}");
        assert_eq!(checked.withdrawn_routes().count(), 0);
        let routes: Vec<_> = checked
            .announced_routes()
            .map(|route| route.to_string())
            .collect();
        assert_eq!(routes, expected, "{family}");
        if matches!(family, Family::IPV4_UNICAST | Family::IPV6_UNICAST) {
            assert_announces(&checked, expected);
        }
    }
}

#[test]
fn route_that_a_reflector_returns_to_its_originator_is_unusable() {
    // RFC 4456 section 8: our BGP Identifier as ORIGINATOR_ID.
    let verdict = |peer, router_id: Option<[u8; 4]>| {
        let attributes = hex("40010100 400200 400304 0a630102 40050400000064 800904 0a000001");
        let length = u16::try_from(attributes.len()).unwrap().to_be_bytes();
        let body = [&[0, 0], &length[..], &attributes, &hex(PREFIX)].concat();
        let frame = frame(message(2, &body));
        let mut context = Context::new(peer);
        if let Some([a, b, c, d]) = router_id {
            context = context.with_router_id(bgp_wire::RouterId::new(a, b, c, d).unwrap());
        }
        let checked = update(&frame, &context).check().unwrap();
        (
            checked.unusable(),
            checked.withdrawn().count(),
            checked.announced().count(),
        )
    };
    let ours = Some([10, 0, 0, 1]);
    let unusable = Some(Unusable::OwnOriginatorId);
    assert_eq!(verdict(PeerKind::Internal, ours), (unusable, 1, 0));
    assert_eq!(
        verdict(PeerKind::Internal, Some([10, 0, 0, 2])),
        (None, 0, 1)
    );
    assert_eq!(verdict(PeerKind::Internal, None), (None, 0, 1));
    // An external peer's ORIGINATOR_ID is discarded (RFC 7606 section 7.9).
    assert_eq!(verdict(PeerKind::External, ours), (None, 0, 1));
}
