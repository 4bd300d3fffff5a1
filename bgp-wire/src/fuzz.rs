//! The bodies of the fuzz targets. The crate `fuzz` runs them under libFuzzer, and a test runs them on the committed corpus.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a fuzz target fails by panicking"
)]

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use arbitrary::{Arbitrary, Unstructured};
use bytes::{Bytes, BytesMut};

use crate::{
    AnyNlriBuf, Asn, AttributeSet, CapabilityBuf, Checked, Context, DestinationBuf, Family, Frame,
    Label, LabeledPrefix, Message, MessageLimit, MessageType, NextHop, OpenBuf, PeerKind, Role,
    RouterId, Update, UpdateBuf, VpnPrefix,
};

mod dissection;

pub use dissection::dissect;

/// The name and the body of a fuzz target.
pub type Target = (&'static str, fn(&[u8]));

/// All fuzz targets.
pub const TARGETS: [Target; 7] = [
    ("frame", frame),
    ("open", open),
    ("update", update),
    ("round_trip", round_trip),
    ("text", text),
    ("builder", builder),
    ("dissect", dissect),
];

/// Returns the context that the bits of `selector` choose. They cover every parameter that changes how an UPDATE decodes.
#[must_use]
pub fn context(selector: u8) -> Context {
    let bit = |mask| selector & mask != 0;
    let families = |yes| if yes { Family::PARSED } else { &[] }.iter().copied();
    let peer = match selector & 3 {
        0 => PeerKind::External,
        1 => PeerKind::Confederation,
        _ => PeerKind::Internal,
    };
    Context::new(peer)
        .with_four_octet_as(!bit(4))
        .with_add_path(families(bit(8)))
        .with_extended_next_hop(families(bit(16)))
        .with_multiple_labels(families(bit(16)))
        .with_as_sets(bit(32))
        .with_confederation(bit(1))
        .with_families(families(!bit(64)))
        .with_raw_families(bit(64))
        .with_message_limit(if bit(128) {
            MessageLimit::Standard
        } else {
            MessageLimit::Extended
        })
}

/// The AS number of every context with one of its own.
const LOCAL_AS: Asn = Asn::new(64512);

/// The AS number of the peer of every context that judges by it.
const PEER_AS: Asn = Asn::new(64513);

/// Returns a context with the reasons to ignore a route that the bits of `reasons` choose: our AS number, the peer's, our
/// address, the peer's role, our BGP Identifier. Its other parameters are those of [`context`].
#[must_use]
pub fn judging_context(selector: u8, reasons: u8) -> Context {
    let mut context = context(selector);
    if reasons & 1 != 0 {
        context = context.with_local_as(LOCAL_AS);
    }
    if reasons & 2 != 0 {
        context = context.with_first_as(PEER_AS);
    }
    if reasons & 4 != 0 {
        context = context.with_local_address([192, 0, 2, 1].into());
    }
    if reasons & 8 != 0 {
        let documentation = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1];
        context = context.with_local_address(documentation.into());
    }
    if reasons & 128 != 0 {
        context = context.with_router_id(RouterId::new(192, 0, 2, 1).expect("valid"));
    }
    // RFC 9234 section 4.1 has the roles 0 to 4.
    match (reasons >> 4) & 7 {
        0 => context,
        role => context.with_peer_role(Role(role - 1), PEER_AS),
    }
}

/// Splits the context, which the first two octets select, from an input.
fn split_context(input: &[u8]) -> Option<(Context, &[u8])> {
    let [selector, reasons, rest @ ..] = input else {
        return None;
    };
    Some((judging_context(*selector, *reasons), rest))
}

/// Splits arbitrary octets into frames and decodes each of them.
pub fn frame(input: &[u8]) {
    let mut buffer = BytesMut::from(input);
    let mut left = buffer.len();
    while let Ok(Some(frame)) = Frame::split(&mut buffer, MessageLimit::Extended) {
        // A frame takes exactly its own octets, or the session would lose synchronization.
        assert_eq!(left, buffer.len() + frame.octets().len());
        left = buffer.len();
        match frame.decode(&context(0)) {
            Ok(Message::Update(update)) => walk(&update),
            Ok(message) => drop(alloc::format!("{message:?}")),
            // A NOTIFICATION has 21 octets before its data, and at most 4096 in all.
            Err(error) => assert!(error.notification_data(frame.octets()).len() <= 4075),
        }
    }
}

/// Decodes the body of an OPEN. An OPEN that decodes is encoded and decodes to the same value.
pub fn open(input: &[u8]) {
    let Some(frame) = message(MessageType::OPEN, input) else {
        return;
    };
    match frame.decode(&context(0)) {
        Ok(Message::Open(open)) => {
            let open = OpenBuf::from(open);
            // The encoder refuses some OPENs that decode, such as one with several AS numbers.
            if let Some(again) = reencode(&open) {
                assert_eq!(again, open);
            }
        }
        Ok(other) => panic!("not an OPEN: {other:?}"),
        Err(error) => assert!(error.notification_data(frame.octets()).len() <= 4075),
    }
}

/// Decodes, checks and prints the body of an UPDATE. The first two octets select the context.
pub fn update(input: &[u8]) {
    if let Some((context, body)) = split_context(input)
        && let Some(frame) = message(MessageType::UPDATE, body)
        && let Ok(Message::Update(update)) = frame.decode(&context)
    {
        walk(&update);
    }
}

/// Checks an UPDATE and visits all that it contains.
fn walk(update: &Update<'_>) {
    // The fast paths of `check` must agree with the table of rules.
    crate::check::thorough::assert_shortcuts_are_right(update);
    let checked = match update.check() {
        Ok(checked) => checked,
        Err(error) => {
            assert!(error.notification_data(update.octets()).len() <= 4075);
            return;
        }
    };
    let octets = update.octets().len();
    // One of each code: a repeated attribute is dropped (RFC 7606 section 3 g).
    assert!(checked.attributes().count() <= 256);
    drop(
        checked
            .attributes()
            .map(|item| alloc::format!("{item:?}"))
            .max(),
    );
    drop(
        checked
            .announced_routes()
            .map(|item| item.to_string())
            .max(),
    );
    let unicast = |route: &crate::AnyNlri<'_>| {
        matches!(route.family, Family::IPV4_UNICAST | Family::IPV6_UNICAST)
    };
    let (announced, withdrawn) = (checked.announced().count(), checked.withdrawn().count());
    assert_eq!(
        announced,
        checked.announced_routes().filter(unicast).count()
    );
    assert_eq!(
        withdrawn,
        checked.withdrawn_routes().filter(unicast).count()
    );
    // Every route takes at least one octet, so no message expands.
    assert!(announced + withdrawn <= octets);
    drop((
        checked.end_of_rib(),
        checked.as_path().map(|path| path.to_string()),
    ));
}

/// Encodes an UPDATE that was decoded and checked, and compares what decodes again. The first two octets select the context.
pub fn round_trip(input: &[u8]) {
    let Some((context, body)) = split_context(input) else {
        return;
    };
    if let Some(frame) = message(MessageType::UPDATE, body)
        && let Ok(Message::Update(update)) = frame.decode(&context)
        && let Ok(checked) = update.check()
    {
        // The encoder may refuse it: a NEXT_HOP that was discarded can be unusable.
        let update = UpdateBuf::from(&checked);
        assert_encodes(&update, &context);
    }
}

/// Parses a text. The first octet selects the type. A value that parses prints as a text that parses to the same value.
pub fn text(input: &[u8]) {
    let Some((selector, text)) = input.split_first() else {
        return;
    };
    let Ok(text) = core::str::from_utf8(text) else {
        return;
    };
    // The numbers are part of the corpus: a new type takes a new one.
    match selector & 0x7f {
        0 => assert_text_round_trip::<Asn>(text),
        1 => assert_text_round_trip::<RouterId>(text),
        2 => assert_text_round_trip::<Family>(text),
        3 => assert_text_round_trip::<crate::Community>(text),
        4 => assert_text_round_trip::<crate::LargeCommunity>(text),
        5 => assert_text_round_trip::<crate::ExtendedCommunity>(text),
        6 => assert_text_round_trip::<crate::Ipv6ExtendedCommunity>(text),
        7 => assert_text_round_trip::<crate::RouteDistinguisher>(text),
        8 => assert_text_round_trip::<crate::MacAddress>(text),
        9 => assert_text_round_trip::<crate::EthernetSegmentIdentifier>(text),
        10 => assert_text_round_trip::<crate::AsPathBuf>(text),
        11 => assert_text_round_trip::<crate::Origin>(text),
        27 => assert_text_round_trip::<AttributeSet>(text),
        28 => assert_text_round_trip::<crate::Labels>(text),
        29 => assert_text_round_trip::<LabeledPrefix>(text),
        30 => assert_text_round_trip::<VpnPrefix>(text),
        31 => assert_text_round_trip::<crate::RouteTargetPrefix>(text),
        32 => assert_text_round_trip::<crate::EvpnRoute>(text),
        33 => assert_text_round_trip::<crate::FlowSpecBuf>(text),
        34 => assert_text_round_trip::<crate::Nlri>(text),
        35 => assert_text_round_trip::<crate::RawAttributeBuf>(text),
        36 => assert_text_round_trip::<NextHop>(text),
        37 => assert_text_round_trip::<crate::Reason>(text),
        38 => assert_text_round_trip::<crate::HoldTime>(text),
        39 => assert_text_round_trip::<crate::FamilySet>(text),
        40 => assert_text_round_trip::<crate::CapabilityCode>(text),
        41 => assert_text_round_trip::<crate::TunnelType>(text),
        42 => assert_text_round_trip::<crate::Aggregator>(text),
        other => {
            let unknown = Family::new(crate::Afi(99), crate::Safi(99));
            let family = Family::PARSED
                .get(usize::from(other - 12))
                .unwrap_or(&unknown);
            if let Ok(route) = AnyNlriBuf::parse(*family, text) {
                assert_eq!(AnyNlriBuf::parse(*family, &route.to_string()), Ok(route));
            }
        }
    }
}

/// Asserts that a text that parses as `T` prints as a text that parses to the same value.
fn assert_text_round_trip<T>(text: &str)
where
    T: FromStr<Err: fmt::Debug> + fmt::Display + fmt::Debug + PartialEq,
{
    if let Ok(value) = text.parse::<T>() {
        let printed: String = value.to_string();
        let again = printed.parse::<T>().expect("printed text parses");
        assert_eq!(again, value, "{printed}");
    }
}

/// Encodes and prints arbitrary values. A value that encodes decodes to itself, and its text parses to itself.
pub fn builder(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let Ok((selector, update, open)) = Arbitrary::arbitrary(&mut input) else {
        return;
    };
    let (update, mut open): (UpdateBuf, OpenBuf) = (update, open);
    // Decoding takes the AS number of the last capability that has one.
    for capability in &open.capabilities {
        if let CapabilityBuf::FourOctetAs(asn) = capability {
            open.asn = *asn;
        }
    }
    assert_encodes(&update, &context(selector));
    let attributes = &update.attributes;
    let mut printed = attributes.clone();
    printed.as_path = canonical(&printed.as_path, usize::MAX);
    // The encoder refuses two attributes of one code and empty sets, and their text need not parse.
    if update.attributes.check(&context(selector)).is_ok() {
        assert_eq!(attributes.to_string().parse(), Ok(printed), "{attributes}");
    }
    for route in update.announced.iter().chain(&update.withdrawn) {
        // The text of a route that is not of its family, or that lacks parts, need not parse.
        let printed = route.to_string();
        if let Ok(again) = AnyNlriBuf::parse(route.family, &printed) {
            assert_eq!(again, *route, "{printed}");
        }
    }
    // The first pass may turn an unknown capability into a known one; the second must be stable.
    if let Some(read) = reencode(&open) {
        assert_eq!(reencode(&read), Some(read));
    }
}

/// Encodes an OPEN and decodes it again. Returns `None` if the encoder refuses it.
fn reencode(open: &OpenBuf) -> Option<OpenBuf> {
    let mut buffer = BytesMut::new();
    open.encode(&mut buffer).ok()?;
    let frame = Frame::from_bytes(buffer.freeze(), MessageLimit::Standard).expect("our own header");
    match frame.decode(&context(0)) {
        Ok(Message::Open(open)) => Some(open.into()),
        other => panic!("our own OPEN: {other:?}"),
    }
}

/// Asserts that an UPDATE that encodes decodes without a fault, within the message limit, to the same routes.
fn assert_encodes(update: &UpdateBuf, context: &Context) {
    let mut buffer = BytesMut::new();
    if update.encode(context, &mut buffer).is_err() {
        // An error must not leave part of a message in the buffer of a connection.
        assert!(buffer.is_empty(), "half-written message");
        return;
    }
    let (mut announced, mut withdrawn) = (Vec::new(), Vec::new());
    while let Some(frame) =
        Frame::split(&mut buffer, context.message_limit()).expect("our own header")
    {
        let Ok(Message::Update(message)) = frame.decode(context) else {
            panic!("our own UPDATE")
        };
        let checked = message.check().expect("our own attributes");
        assert_eq!(checked.fault(), None);
        compare(&checked, update, context);
        announced.extend(checked.announced_routes().map(AnyNlriBuf::from));
        withdrawn.extend(checked.withdrawn_routes().map(AnyNlriBuf::from));
    }
    // Sorted, because the encoder groups routes by family.
    let mut expected = update.announced.clone();
    // RFC 4271 section 6.3: receivers ignore these.
    expected.retain(|route| !is_bogus(route));
    announced.sort();
    expected.sort();
    assert_eq!(announced, expected);
    let mut expected_withdrawn = update.withdrawn.clone();
    expected_withdrawn
        .iter_mut()
        .chain(&mut withdrawn)
        .for_each(clear_labels);
    withdrawn.sort();
    expected_withdrawn.sort();
    assert_eq!(withdrawn, expected_withdrawn);
}

/// Returns `true` for a route to a bogus prefix.
fn is_bogus(route: &AnyNlriBuf) -> bool {
    matches!(route.destination, DestinationBuf::Prefix(prefix) if crate::is_bogus_prefix(prefix))
}

/// Replaces the labels of a withdrawal, which have no meaning (RFC 8277 section 2.4).
fn clear_labels(route: &mut AnyNlriBuf) {
    if let DestinationBuf::Labeled(LabeledPrefix { labels, .. })
    | DestinationBuf::Vpn(VpnPrefix { labels, .. }) = &mut route.destination
    {
        *labels = Label::WITHDRAWN.into();
    }
}

/// Compares the attributes and the next hop of a message that announces routes.
fn compare(checked: &Checked<'_>, update: &UpdateBuf, context: &Context) {
    let Some(route) = checked.announced_routes().next() else {
        return;
    };
    let expected = expected(&update.attributes, context);
    assert_eq!(AttributeSet::from(checked), expected);
    let again = UpdateBuf::from(checked);
    let next_hop = |update: &UpdateBuf| {
        let known = update.next_hops.get(&route.family).copied();
        known.unwrap_or(NextHop::Absent)
    };
    assert_eq!(next_hop(&again), next_hop(update));
}

/// Returns the attributes that a receiver sees: the encoder adapts them to the kind of peer.
fn expected(sent: &AttributeSet, context: &Context) -> AttributeSet {
    let mut expected = sent.clone();
    let internal = context.peer_kind() == PeerKind::Internal;
    // LOCAL_PREF stays inside the AS or the confederation (RFC 4271 section 5.1.5, RFC 5065 section 5).
    expected.local_pref = match context.peer_kind() {
        PeerKind::Internal | PeerKind::Confederation => Some(sent.local_pref.unwrap_or(100)),
        PeerKind::External => None,
    };
    // RFC 4456 section 8: attributes of route reflection do not leave the AS.
    if !internal {
        expected.originator_id = None;
        expected.cluster_list.clear();
    }
    crate::distinct::dedup(&mut expected.large_communities);
    expected.as_path = canonical(&expected.as_path, 255);
    if !context.four_octet_as() {
        expected.as_path = in_two_octets(expected.as_path);
    }
    expected
        .unknown
        .retain(|unknown| crate::attribute::rules::is_accepted(unknown.code, context.peer_kind()));
    // RFC 4271 section 5: a speaker that passes on an unknown transitive attribute sets the Partial bit.
    for unknown in &mut expected.unknown {
        unknown.flags = unknown.flags.sendable();
        if crate::attribute::rules::flags(unknown.code).is_none() && unknown.flags.is_transitive() {
            unknown.flags.0 |= crate::AttributeFlags::PARTIAL;
        }
    }
    expected.unknown.retain(|unknown| {
        crate::attribute::rules::flags(unknown.code).is_some() || unknown.flags.is_transitive()
    });
    expected
}

/// Returns the path that a receiver reconstructs from a two-octet AS_PATH and AS4_PATH (RFC 6793 section 4.2).
///
/// AS4_PATH has no confederation segments. Their large numbers are lost, and so are those of them that follow other segments.
fn in_two_octets(path: crate::AsPathBuf) -> crate::AsPathBuf {
    let large = |segment: &&crate::SegmentBuf| {
        !segment.segment_type.is_confederation()
            && segment.asns.iter().any(|asn| asn.number() > 0xffff)
    };
    let has_as4_path = path.segments.iter().any(|segment| large(&segment));
    let mut narrow = path.clone();
    for asn in narrow
        .segments
        .iter_mut()
        .flat_map(|segment| &mut segment.asns)
    {
        *asn = u32::from(asn.to_two_octets()).into();
    }
    if has_as4_path {
        narrow.merge(path)
    } else {
        narrow
    }
}

/// Returns the path in the form that decodes: no empty segment, adjacent sequences merged, segments split at `max_asns`.
fn canonical(path: &crate::AsPathBuf, max_asns: usize) -> crate::AsPathBuf {
    let mut canonical = crate::AsPathBuf::default();
    for segment in &path.segments {
        for asns in segment.asns.chunks(max_asns) {
            canonical.push(crate::SegmentBuf {
                segment_type: segment.segment_type,
                asns: asns.to_vec(),
            });
        }
    }
    canonical
}

/// Returns a message of this type and body, or `None` if its header is not legal.
fn message(message_type: MessageType, body: &[u8]) -> Option<Frame> {
    let length = u16::try_from(body.len() + Frame::HEADER_LENGTH).ok()?;
    let octets = [
        &[0xff; 16],
        length.to_be_bytes().as_slice(),
        &[message_type.0],
        body,
    ]
    .concat();
    Frame::from_bytes(Bytes::from(octets), MessageLimit::Extended).ok()
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    /// Runs every input that found something new, as an ordinary test.
    #[test]
    fn fuzz_targets_accept_the_committed_corpus() {
        let corpus = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus"));
        for (name, target) in super::TARGETS {
            let mut inputs = 0;
            for entry in std::fs::read_dir(corpus.join(name)).expect("the corpus is committed") {
                target(&std::fs::read(entry.unwrap().path()).unwrap());
                inputs += 1;
            }
            assert!(inputs >= 5, "{name}: {inputs} inputs");
        }
    }
}
