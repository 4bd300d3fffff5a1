//! Faults of received messages: the reason, the treatment and the octets at fault, and the border to what is legal.

#![cfg(test)]

mod common;

use bgp_wire::{
    Asn, Context, DecodeError, Family, Frame, MessageLimit, PeerKind, Reason, Role, RouterId,
    Treatment,
};
use bytes::Bytes;
use common::{frame, hex, message, update};

/// Returns the reason and the span of an error.
fn parts(error: DecodeError) -> (Reason, u16, u16) {
    (error.reason, error.span.start, error.span.end)
}

#[test]
fn fault_of_a_header_has_its_octets() {
    use MessageLimit::{Extended, Standard};
    let marker = "ff".repeat(16);
    for (octets, limit, expected) in [
        (
            "47".into(),
            Standard,
            (Reason::CONNECTION_NOT_SYNCHRONIZED, 0, 1),
        ),
        (
            "ffff47ff".into(),
            Standard,
            (Reason::CONNECTION_NOT_SYNCHRONIZED, 2, 4),
        ),
        (
            format!("{}00ff001304", "ff".repeat(14)),
            Standard,
            (Reason::CONNECTION_NOT_SYNCHRONIZED, 14, 16),
        ),
        (
            format!("{marker}001204"),
            Standard,
            (Reason::BAD_MESSAGE_LENGTH, 16, 18),
        ),
        (
            format!("{marker}100104"),
            Extended,
            (Reason::BAD_MESSAGE_LENGTH, 16, 18),
        ),
        // RFC 4271 section 6.1: of an unknown type with an invalid length, the length is the fault.
        (
            format!("{marker}001209"),
            Standard,
            (Reason::BAD_MESSAGE_LENGTH, 16, 18),
        ),
        (
            format!("{marker}001309"),
            Standard,
            (Reason::BAD_MESSAGE_TYPE, 18, 19),
        ),
        (
            format!("{marker}100009"),
            Standard,
            (Reason::BAD_MESSAGE_TYPE, 18, 19),
        ),
        (
            format!("{marker}100109"),
            Standard,
            (Reason::BAD_MESSAGE_LENGTH, 16, 18),
        ),
        (
            format!("{marker}100109"),
            Extended,
            (Reason::BAD_MESSAGE_TYPE, 18, 19),
        ),
    ] {
        let error = Frame::from_bytes(Bytes::from(hex(&octets)), limit).unwrap_err();
        assert_eq!(parts(error), expected, "{octets}");
    }
}

/// Returns the error of an OPEN.
fn open_fault(body: &str) -> (Reason, u16, u16) {
    let frame = frame(message(1, &hex(body)));
    parts(frame.decode(&Context::new(PeerKind::External)).unwrap_err())
}

#[test]
fn fault_of_an_open_has_its_octets() {
    for (body, expected) in [
        (
            "03 fde9 005a 0a630102 00",
            (Reason::UNSUPPORTED_VERSION_NUMBER, 19, 20),
        ),
        ("04 0000 005a 0a630102 00", (Reason::BAD_PEER_AS, 20, 22)),
        (
            "04 fde9 0001 0a630102 00",
            (Reason::UNACCEPTABLE_HOLD_TIME, 22, 24),
        ),
        (
            "04 fde9 005a 00000000 00",
            (Reason::BAD_BGP_IDENTIFIER, 24, 28),
        ),
    ] {
        assert_eq!(open_fault(body), expected, "{body}");
    }
    let unspecific = Reason::OPEN_UNSPECIFIC;
    let unsupported = Reason::UNSUPPORTED_OPTIONAL_PARAMETER;
    // Where they can, a legal parameter or capability comes first and another one last.
    for (parameters, expected) in [
        ("05 0200", (unspecific, 28, 31)),
        ("06 0200 02ff0104", (unspecific, 31, 35)),
        ("08 0200 fe020102 0200", (unsupported, 31, 35)),
        ("0a 0206 0200 41040000 0200", (unspecific, 33, 37)),
        ("0a 0206 0200 4102fde9 0200", (unspecific, 33, 37)),
        (
            "0c 0208 0200 410400000000 0200",
            (Reason::BAD_PEER_AS, 33, 39),
        ),
        ("0c 0208 4102fde9 46004600 0200", (unspecific, 31, 35)),
        // RFC 9072: two octets of length, for all parameters and for each.
        ("ff ff 0009 02 0006 0200 4102fde9", (unspecific, 37, 41)),
        ("ff ff 0009 fe 0006 0200 4102fde9", (unsupported, 32, 41)),
    ] {
        let body = format!("04 fde9 005a 0a630102 {parameters}");
        assert_eq!(open_fault(&body), expected, "{parameters}");
    }
}

#[test]
fn route_refresh_of_another_length_has_its_length_at_fault() {
    for (body, legal) in [
        ("00010001", true),
        ("0001000100", false),
        ("000100010040", false),
    ] {
        let frame = frame(message(5, &hex(body)));
        let context = Context::new(PeerKind::External);
        let error = frame.decode(&context).err().map(parts);
        let expected = (Reason::INVALID_ROUTE_REFRESH_LENGTH, 16, 18);
        assert_eq!(error, (!legal).then_some(expected), "{body}");
    }
}

/// The fault of an UPDATE: treatment, reason and span.
type Found = Option<(Treatment, (Reason, u16, u16))>;

/// Decodes and checks the body of an UPDATE.
fn fault(context: &Context, body: &str) -> Found {
    let frame = frame(message(2, &hex(body)));
    let reset = |error| Some((Treatment::Reset, parts(error)));
    match frame.decode(context) {
        Ok(bgp_wire::Message::Update(update)) => match update.check() {
            Ok(checked) => checked
                .fault()
                .map(|fault| (fault.treatment, parts(fault.error))),
            Err(error) => reset(error),
        },
        Ok(other) => panic!("{other:?}"),
        Err(error) => reset(error),
    }
}

/// Four octets, nine octets and seven octets.
const ORIGIN: &str = "40010100";
const AS_PATH: &str = "40020602010000fde9";
const NEXT_HOP: &str = "4003040a630102";

/// Returns the body of an UPDATE with these fields.
fn body(withdrawn: &str, attributes: &str, nlri: &str) -> String {
    let length = |field: &str| hex(field).len();
    format!(
        "{:04x}{withdrawn}{:04x}{attributes}{nlri}",
        length(withdrawn),
        length(attributes)
    )
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn fault_of_an_update_has_its_octets() {
    use Treatment::{Discard, Reset, Withdraw};
    let context = Context::new(PeerKind::Internal);
    let list = Reason::MALFORMED_ATTRIBUTE_LIST;
    let good = format!("{ORIGIN}{AS_PATH}{NEXT_HOP}40050400000064");
    let with = |attribute: &str| body("", &format!("{good}{attribute}"), "080a");
    for (body, expected) in [
        (body("080a", &good, "080a"), None),
        // Sections that exceed the message.
        ("00050000".into(), Some((Reset, (list, 19, 21)))),
        ("0002080a000500".into(), Some((Reset, (list, 23, 25)))),
        // The octets from the first malformed prefix to the end of its field. Attributes begin at octet 23.
        (
            body("080a21", "", ""),
            Some((Reset, (Reason::INVALID_NETWORK_FIELD, 23, 24))),
        ),
        (
            body("", &good, "080a18000a"),
            Some((Reset, (Reason::INVALID_NETWORK_FIELD, 52, 55))),
        ),
        (
            body("080a", &good, "2108"),
            Some((Reset, (Reason::INVALID_NETWORK_FIELD, 52, 54))),
        ),
        // Attributes with a length of one octet and of two.
        (
            with("4063 01 aa"),
            Some((Reset, (Reason::UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE, 50, 54))),
        ),
        (
            with("5063 0001 aa"),
            Some((Reset, (Reason::UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE, 50, 55))),
        ),
        (
            with("800403 000000"),
            Some((Withdraw, (Reason::ATTRIBUTE_LENGTH_ERROR, 50, 56))),
        ),
        (
            with("c00404 00000000"),
            Some((Withdraw, (Reason::ATTRIBUTE_FLAGS_ERROR, 50, 57))),
        ),
        // An attribute that exceeds its section: everything from it to the end.
        (with("c0"), Some((Withdraw, (list, 50, 51)))),
        (with("c0630500"), Some((Withdraw, (list, 50, 54)))),
        // A duplicate is at fault, and not the first.
        (with("40010101"), Some((Discard, (list, 50, 54)))),
        (
            with("800f03000201 800f03000201"),
            Some((Reset, (list, 56, 62))),
        ),
        // Of equal faults the first counts, and a stronger one more than those before it.
        (
            with("800403 000000 c00803 000000"),
            Some((Withdraw, (Reason::ATTRIBUTE_LENGTH_ERROR, 50, 56))),
        ),
        (
            with("c00703 000000 400600 c00803 000000 40010101"),
            Some((Withdraw, (Reason::ATTRIBUTE_LENGTH_ERROR, 59, 65))),
        ),
        (
            with("c00803 000000 c00703 000000"),
            Some((Withdraw, (Reason::ATTRIBUTE_LENGTH_ERROR, 50, 56))),
        ),
        // A fault that cannot be contained, because there is no route to withdraw.
        (
            body("", "40010107", ""),
            Some((Reset, (Reason::INVALID_ORIGIN_ATTRIBUTE, 23, 27))),
        ),
    ] {
        assert_eq!(fault(&context, &body), expected, "{body}");
    }
}

#[test]
fn missing_attribute_has_the_section_of_attributes_at_fault() {
    // From the length of the attributes to their end.
    let context = Context::new(PeerKind::External);
    let reason = Reason::MISSING_WELL_KNOWN_ATTRIBUTE;
    for (withdrawn, attributes, span) in [
        ("", format!("{AS_PATH}{NEXT_HOP}"), Some((21, 39))),
        ("080a", format!("{AS_PATH}{NEXT_HOP}"), Some((23, 41))),
        ("080a0c0a10", format!("{ORIGIN}{NEXT_HOP}"), Some((26, 39))),
        ("180a0001", format!("{ORIGIN}{AS_PATH}"), Some((25, 40))),
        ("", String::new(), Some((21, 23))),
        ("080a", format!("{ORIGIN}{AS_PATH}{NEXT_HOP}"), None),
    ] {
        let expected = span.map(|(start, end)| (Treatment::Withdraw, (reason, start, end)));
        let body = body(withdrawn, &attributes, "080b");
        assert_eq!(fault(&context, &body), expected, "{body}");
        // Nothing is mandatory in a message that only withdraws.
        let withdrawal = self::body(withdrawn, &attributes, "");
        assert_eq!(fault(&context, &withdrawal), None, "{withdrawal}");
    }
}

#[test]
fn malformed_path_or_next_hop_has_its_attribute_at_fault() {
    let context = Context::new(PeerKind::External).with_first_as(Asn::new(65002));
    let attributes = format!("{ORIGIN}{AS_PATH}{NEXT_HOP}");
    let path = Some((Treatment::Withdraw, (Reason::MALFORMED_AS_PATH, 27, 36)));
    assert_eq!(fault(&context, &body("", &attributes, "080a")), path);
    // RFC 4271 section 6.3 is about external peers: others pass on the paths of theirs.
    let internal = Context::new(PeerKind::Internal).with_first_as(Asn::new(65002));
    assert_eq!(fault(&internal, &body("", &attributes, "080a")), None);
    let context = Context::new(PeerKind::External);
    let reason = Reason::INVALID_NEXT_HOP_ATTRIBUTE;
    let next_hop = format!("{ORIGIN}{AS_PATH}400304 7f000001");
    let found = fault(&context, &body("080a", &next_hop, "080a"));
    assert_eq!(found, Some((Treatment::Withdraw, (reason, 38, 45))));
    let zeros = "00".repeat(16);
    let reach = format!("{ORIGIN}{AS_PATH}800e1a 000201 10 {zeros} 00 2020010db8");
    let found = fault(&context, &body("", &reach, ""));
    assert_eq!(found, Some((Treatment::Withdraw, (reason, 36, 65))));
    // RFC 4760 section 8: nothing uses the next hop of a family that was not negotiated.
    let ipv4_only = context.with_families([Family::IPV4_UNICAST]);
    assert_eq!(fault(&ipv4_only, &body("", &reach, "")), None);
}

#[test]
fn each_condition_of_the_context_alone_makes_a_route_unusable() {
    // Every attribute takes the fast path, so that nothing else asks for the conditions.
    let attributes = format!("{ORIGIN}{AS_PATH}{NEXT_HOP}");
    let usable = |context: &Context, more: &str| {
        let octets = hex(&body("", &format!("{attributes}{more}"), "080a"));
        let frame = frame(message(2, &octets));
        let checked = update(&frame, context).check().unwrap();
        checked.announced().count() == 1
    };
    let (external, internal) = (
        Context::new(PeerKind::External),
        Context::new(PeerKind::Internal),
    );
    let reflected = "40050400000064 800904 0a000001";
    let id = |last| RouterId::new(10, 0, 0, last).unwrap();
    let leaked = "c02304 0000fdea";
    for (context, more, expected) in [
        (external.with_local_as(Asn::new(65001)), "", false),
        (external.with_local_as(Asn::new(65002)), "", true),
        (external.with_first_as(Asn::new(65002)), "", false),
        (external.with_first_as(Asn::new(65001)), "", true),
        (
            external.with_local_address([10, 99, 1, 2].into()),
            "",
            false,
        ),
        (external.with_local_address([10, 99, 1, 3].into()), "", true),
        (internal.with_router_id(id(1)), reflected, false),
        (internal.with_router_id(id(2)), reflected, true),
        (
            external.with_peer_role(Role::CUSTOMER, Asn::new(65001)),
            leaked,
            false,
        ),
        (
            external.with_peer_role(Role::PROVIDER, Asn::new(65001)),
            leaked,
            true,
        ),
    ] {
        assert_eq!(usable(&context, more), expected, "{context:?}");
    }
}

/// Returns the lengths of a next hop in octets that are legal for routes of a family.
fn next_hop_lengths(family: Family, extended: bool) -> Vec<usize> {
    let text = family.to_string();
    let (afi, safi) = text.split_once(' ').unwrap();
    // RFC 4760, RFC 2545, RFC 4364, RFC 4659 and RFC 8950: a VPN address has a distinguisher of eight octets.
    let (ipv4, ipv6) = match safi {
        "unicast" | "multicast" | "labeled-unicast" => (vec![4], vec![16, 32]),
        "vpn" => (vec![12], vec![24, 48]),
        "evpn" | "route-target" => return vec![4, 16],
        _ => return (0..=60).collect(),
    };
    match afi {
        "ipv6" => ipv6,
        _ if extended => [ipv4, ipv6].concat(),
        _ => ipv4,
    }
}

#[test]
fn length_of_a_next_hop_is_that_of_its_family() {
    for family in Family::PARSED.iter().copied() {
        for extended in [false, true] {
            let context = Context::new(PeerKind::Internal)
                .with_families([family])
                .with_extended_next_hop(extended.then_some(family));
            let [high, low, _, safi] = family.to_octets();
            let legal = next_hop_lengths(family, extended);
            for length in 0..=60 {
                // Without routes the value of the next hop does not matter.
                let next_hop = "01".repeat(length);
                let value = format!("{high:02x}{low:02x}{safi:02x}{length:02x}{next_hop}00");
                let reach = format!("800e{:02x}{value}", value.len() / 2);
                let found = fault(&context, &body("", &reach, "")).is_none();
                assert_eq!(
                    found,
                    legal.contains(&length),
                    "{family} {extended} {length}"
                );
            }
        }
    }
}

#[test]
fn tlv_with_another_length_is_discarded() {
    let context = Context::new(PeerKind::Internal);
    let good = format!("{ORIGIN}{AS_PATH}{NEXT_HOP}40050400000064");
    let discarded = |attribute: &str| {
        let body = body("", &format!("{good}{attribute}"), "080a");
        let found = fault(&context, &body);
        assert!(found.is_none_or(|(treatment, _)| treatment == Treatment::Discard));
        found.is_some()
    };
    // RFC 8669 section 3.2: two octets of flags, then one or more ranges of six. Section 3.1: seven octets.
    for (kind, legal) in [(3, vec![8, 14, 20]), (1, vec![7]), (9, (0..=24).collect())] {
        for length in 0..=24 {
            let value = "00".repeat(length);
            let attribute = format!("c028{:02x}{kind:02x}{length:04x}{value}", length + 3);
            assert_eq!(
                discarded(&attribute),
                !legal.contains(&length),
                "{kind} {length}"
            );
        }
    }
    // RFC 7311: an octet behind the TLV, a TLV of another type, and an unknown one in front.
    for (value, expected) in [
        ("01000b 0000000000000001", false),
        ("01000b 0000000000000001 01", true),
        ("02000b 0000000000000001", true),
        ("020003 01000b 0000000000000001", false),
        ("01000a 00000000000001", true),
    ] {
        let attribute = format!("801a{:02x}{value}", hex(value).len());
        assert_eq!(discarded(&attribute), expected, "{value}");
    }
}

#[test]
fn as4_path_is_discarded_if_malformed_and_withdraws_with_a_set() {
    // RFC 6793 section 6, RFC 9774 section 3.
    let context = Context::new(PeerKind::External).with_four_octet_as(false);
    let treatment = |context: &Context, code: u8, value: &str| {
        let attribute = format!("c0{code:02x}{:02x}{value}", hex(value).len());
        let attributes = format!("{ORIGIN}4002040201fde9{NEXT_HOP}{attribute}");
        fault(context, &body("", &attributes, "080a")).map(|(treatment, _)| treatment)
    };
    let set = "02010000fde9 01010000fdea";
    for (value, expected) in [
        ("02010000fde9", None),
        ("03010000fde9", None),
        ("", Some(Treatment::Discard)),
        ("02020000fde9", Some(Treatment::Discard)),
        ("05010000fde9", Some(Treatment::Discard)),
        ("020100000000", Some(Treatment::Discard)),
        (set, Some(Treatment::Withdraw)),
    ] {
        assert_eq!(treatment(&context, 17, value), expected, "{value}");
    }
    assert_eq!(treatment(&context.with_as_sets(true), 17, set), None);
    for (value, expected) in [
        ("0000fde9 0a000001", None),
        ("00000000 0a000001", Some(Treatment::Discard)),
        ("fde9 0a000001", Some(Treatment::Discard)),
    ] {
        assert_eq!(treatment(&context, 18, value), expected, "{value}");
    }
    // RFC 6793 section 4.1: between speakers of four octets both are discarded, whatever they say.
    let wide = Context::new(PeerKind::External);
    let attributes = format!("{ORIGIN}{AS_PATH}{NEXT_HOP}c0110602010000fde9");
    let found = fault(&wide, &body("", &attributes, "080a"));
    assert_eq!(found.unwrap().0, Treatment::Discard);
}

#[test]
fn attr_set_with_an_incomplete_attribute_withdraws() {
    let context = Context::new(PeerKind::External);
    for (value, legal) in [
        ("0000fde9", true),
        ("0000fde9 40010100 400200", true),
        ("0000fde9 40010100 4002", false),
        ("0000fde9 40010200", false),
        ("0000fd", false),
    ] {
        let attribute = format!("c080{:02x}{value}", hex(value).len());
        let attributes = format!("{ORIGIN}{AS_PATH}{NEXT_HOP}{attribute}");
        let found = fault(&context, &body("", &attributes, "080a"));
        let withdraws = found.is_some_and(|(treatment, _)| treatment == Treatment::Withdraw);
        assert_eq!(withdraws, !legal, "{value}");
    }
}
