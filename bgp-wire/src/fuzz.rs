//! The bodies of the fuzz targets. `fuzz/` feeds them from libFuzzer, the tests from the committed corpus.

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
    AnyNlriBuf, AttributeSet, CapabilityBuf, Checked, Context, DestinationBuf, Family, Frame,
    Label, LabeledPrefix, Message, MessageLimit, MessageType, NextHop, OpenBuf, PeerKind, Update,
    UpdateBuf, VpnPrefix,
};

/// A target: its name and its body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 6] = [
    ("frame", frame),
    ("open", open),
    ("update", update),
    ("round_trip", round_trip),
    ("text", text),
    ("builder", builder),
];

/// The contexts that change how an UPDATE reads, told apart by the bits of `selector`.
#[must_use]
pub fn context(selector: u8) -> Context {
    let bit = |mask| selector & mask != 0;
    let families = |yes| {
        if yes { Family::PARSED.as_slice() } else { &[] }
            .iter()
            .copied()
    };
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

/// Any octets: splits frames until none is left, and decodes each.
pub fn frame(input: &[u8]) {
    let mut buffer = BytesMut::from(input);
    let mut left = buffer.len();
    while let Ok(Some(frame)) = Frame::split(&mut buffer, MessageLimit::Extended) {
        assert_eq!(left, buffer.len() + frame.octets().len());
        left = buffer.len();
        match frame.decode(&context(0)) {
            Ok(Message::Update(update)) => walk(&update),
            Ok(message) => drop(alloc::format!("{message:?}")),
            Err(error) => assert!(error.notification_data(frame.octets()).len() <= 4075),
        }
    }
}

/// The body of an OPEN: what decodes encodes to what decodes to itself.
pub fn open(input: &[u8]) {
    let Some(frame) = whole(MessageType::OPEN, input) else {
        return;
    };
    match frame.decode(&context(0)) {
        Ok(Message::Open(open)) => {
            let open = OpenBuf::from(open);
            // A capability of wrong length may come out longer than an OPEN allows.
            if let Some(again) = reread(&open) {
                assert_eq!(again, open);
            }
        }
        Ok(other) => panic!("not an OPEN: {other:?}"),
        Err(error) => assert!(error.notification_data(frame.octets()).len() <= 4075),
    }
}

/// The first octet selects a context, the rest is the body of an UPDATE: everything in it is looked at and printed.
pub fn update(input: &[u8]) {
    if let Some((selector, body)) = input.split_first()
        && let Some(frame) = whole(MessageType::UPDATE, body)
        && let Ok(Message::Update(update)) = frame.decode(&context(*selector))
    {
        walk(&update);
    }
}

fn walk(update: &Update<'_>) {
    crate::check::thorough::assert_shortcuts_are_right(update);
    let checked = match update.check() {
        Ok(checked) => checked,
        Err(error) => {
            assert!(error.notification_data(update.octets()).len() <= 4075);
            return;
        }
    };
    let octets = update.octets().len();
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
    assert!(announced + withdrawn <= octets);
    drop((
        checked.end_of_rib(),
        checked.as_path().map(|path| path.to_string()),
    ));
}

/// As [`update`]; what checks without a fault is written, and decodes to the same.
pub fn round_trip(input: &[u8]) {
    let Some((selector, body)) = input.split_first() else {
        return;
    };
    let context = context(*selector);
    if let Some(frame) = whole(MessageType::UPDATE, body)
        && let Ok(Message::Update(update)) = frame.decode(&context)
        && let Ok(checked) = update.check()
    {
        // A discarded NEXT_HOP may be one that cannot be sent.
        let update = UpdateBuf::from(&checked);
        sent(&update, &context);
    }
}

/// The first octet selects a type, the rest is text: what parses prints as what parses to the same value.
pub fn text(input: &[u8]) {
    let Some((selector, text)) = input.split_first() else {
        return;
    };
    let Ok(text) = core::str::from_utf8(text) else {
        return;
    };
    match selector & 0x7f {
        0 => stable::<crate::Asn>(text),
        1 => stable::<crate::RouterId>(text),
        2 => stable::<Family>(text),
        3 => stable::<crate::Community>(text),
        4 => stable::<crate::LargeCommunity>(text),
        5 => stable::<crate::ExtendedCommunity>(text),
        6 => stable::<crate::Ipv6ExtendedCommunity>(text),
        7 => stable::<crate::RouteDistinguisher>(text),
        8 => stable::<crate::MacAddress>(text),
        9 => stable::<crate::EthernetSegmentIdentifier>(text),
        10 => stable::<crate::AsPathBuf>(text),
        11 => stable::<crate::Origin>(text),
        27 => stable::<AttributeSet>(text),
        28 => stable::<crate::Labels>(text),
        29 => stable::<LabeledPrefix>(text),
        30 => stable::<VpnPrefix>(text),
        31 => stable::<crate::RouteTargetPrefix>(text),
        32 => stable::<crate::EvpnRoute>(text),
        33 => stable::<crate::FlowSpecBuf>(text),
        34 => stable::<crate::Nlri>(text),
        35 => stable::<crate::RawAttributeBuf>(text),
        36 => stable::<NextHop>(text),
        37 => stable::<crate::Reason>(text),
        38 => stable::<crate::HoldTime>(text),
        39 => stable::<crate::FamilySet>(text),
        40 => stable::<crate::CapabilityCode>(text),
        41 => stable::<crate::TunnelType>(text),
        42 => stable::<crate::Aggregator>(text),
        other => {
            let unknown = Family::new(crate::Afi(99), crate::Safi(99));
            let family = Family::PARSED.get(usize::from(other - 12));
            let family = *family.unwrap_or(&unknown);
            if let Ok(route) = AnyNlriBuf::parse(family, text) {
                assert_eq!(AnyNlriBuf::parse(family, &route.to_string()), Ok(route));
            }
        }
    }
}

fn stable<T>(text: &str)
where
    T: FromStr<Err: fmt::Debug> + fmt::Display + fmt::Debug + PartialEq,
{
    if let Ok(value) = text.parse::<T>() {
        let printed: String = value.to_string();
        let again = printed.parse::<T>().expect("what was printed parses");
        assert_eq!(again, value, "{printed}");
    }
}

/// Arbitrary values: what can be written decodes to itself, and prints as what parses to itself.
pub fn builder(input: &[u8]) {
    let mut input = Unstructured::new(input);
    let Ok((selector, update, open)) = Arbitrary::arbitrary(&mut input) else {
        return;
    };
    let (update, mut open): (UpdateBuf, OpenBuf) = (update, open);
    // An OPEN with two AS numbers decodes to the last one.
    for capability in &open.capabilities {
        if let CapabilityBuf::FourOctetAs(asn) = capability {
            open.asn = *asn;
        }
    }
    sent(&update, &context(selector));
    let attributes = &update.attributes;
    let mut printed = attributes.clone();
    printed.as_path = canonical(&printed.as_path, usize::MAX);
    // Two attributes of one code, and sets of nothing, are refused.
    if update.attributes.check(&context(selector)).is_ok() {
        assert_eq!(attributes.to_string().parse(), Ok(printed), "{attributes}");
    }
    for route in update.announced.iter().chain(&update.withdrawn) {
        // A route that is not of its family cannot be written as one, nor can one without its parts.
        let printed = route.to_string();
        if let Ok(again) = AnyNlriBuf::parse(route.family, &printed) {
            assert_eq!(again, *route, "{printed}");
        }
    }
    // What has a name is told from octets without one when it is read.
    if let Some(read) = reread(&open) {
        assert_eq!(reread(&read), Some(read));
    }
}

/// What a receiver makes of an OPEN, if it can be written.
fn reread(open: &OpenBuf) -> Option<OpenBuf> {
    let mut buffer = BytesMut::new();
    open.encode(&mut buffer).ok()?;
    let frame = Frame::from_bytes(buffer.freeze(), MessageLimit::Standard);
    let frame = frame.expect("our own header");
    match frame.decode(&context(0)) {
        Ok(Message::Open(open)) => Some(open.into()),
        other => panic!("our own OPEN: {other:?}"),
    }
}

/// If it can be written, it checks without a fault, in messages within the limit, and says the same.
fn sent(update: &UpdateBuf, context: &Context) {
    let mut buffer = BytesMut::new();
    if update.encode(context, &mut buffer).is_err() {
        assert!(buffer.is_empty(), "nothing is half-written");
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
    let mut expected = update.announced.clone();
    announced.sort();
    expected.sort();
    assert_eq!(announced, expected);
    let mut expected = update.withdrawn.clone();
    expected
        .iter_mut()
        .chain(&mut withdrawn)
        .for_each(clear_labels);
    withdrawn.sort();
    expected.sort();
    assert_eq!(withdrawn, expected);
}

/// The labels of a withdrawal mean nothing (RFC 8277 section 2.4).
fn clear_labels(route: &mut AnyNlriBuf) {
    if let DestinationBuf::Labeled(LabeledPrefix { labels, .. })
    | DestinationBuf::Vpn(VpnPrefix { labels, .. }) = &mut route.destination
    {
        *labels = Label::WITHDRAWN.into();
    }
}

/// The attributes and the next hop of one message that announces.
fn compare(checked: &Checked<'_>, update: &UpdateBuf, context: &Context) {
    let Some(route) = checked.announced_routes().next() else {
        return;
    };
    let expected = expected(&update.attributes, context);
    assert_eq!(AttributeSet::from(checked), expected);
    let again = UpdateBuf::from(checked);
    let next_hop = |update: &UpdateBuf| {
        let known = update
            .next_hops
            .iter()
            .find(|(family, _)| *family == route.family);
        known.map_or(NextHop::Absent, |(_, next_hop)| *next_hop)
    };
    assert_eq!(next_hop(&again), next_hop(update));
}

/// What the encoder adds and leaves out for the kind of peer, and what a receiver makes of unknown attributes.
fn expected(sent: &AttributeSet, context: &Context) -> AttributeSet {
    let mut expected = sent.clone();
    let internal = context.peer_kind() == PeerKind::Internal;
    expected.local_pref = match context.peer_kind() {
        PeerKind::Internal | PeerKind::Confederation => Some(sent.local_pref.unwrap_or(100)),
        PeerKind::External => None,
    };
    if !internal {
        expected.originator_id = None;
        expected.cluster_list.clear();
    }
    crate::check::dedup(&mut expected.large_communities);
    expected.as_path = canonical(&expected.as_path, 255);
    if !context.four_octet_as() {
        expected.as_path = in_two_octets(expected.as_path);
    }
    expected
        .unknown
        .retain(|unknown| crate::attribute::rules::is_accepted(unknown.code, context.peer_kind()));
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

/// What a path is to who reads it in two octets beside AS4_PATH, which has no segments of confederations: their large
/// numbers are lost, and so are those segments that do not lead (RFC 6793 section 4.2).
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

/// Segments as they are written and read: none empty, a sequence in one, a set of at most so many AS numbers.
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

/// A whole message of this type and body, if it is one.
fn whole(message_type: MessageType, body: &[u8]) -> Option<Frame> {
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

    /// Every input that was ever interesting, as an ordinary test.
    #[test]
    fn committed_corpus() {
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
