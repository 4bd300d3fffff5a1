//! UPDATEs that routers on the internet sent: each one decodes, and those in canonical form encode to the same octets.
//!
//! The streams are not part of the project (`../shared/data`, RIPE RIS, xz). If they are absent, the tests are reported as
//! ignored.

#![cfg(test)]

use std::path::Path;
use std::process::{Command, ExitCode};

use bgp_wire::{
    AttributeCode, AttributeFlags, Checked, Context, Family, Frame, Message, MessageLimit,
    PeerKind, Treatment, UpdateBuf,
};
use bytes::{Bytes, BytesMut};
use libtest_mimic::{Arguments, Completion, Trial};

/// Reads a stream of messages, each after its length in four octets, little endian. Returns `None` if it is unavailable.
fn messages(name: &str) -> Option<Vec<Bytes>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(name);
    if !file.exists() {
        eprintln!("LEFT OUT: {name}: {} is missing", file.display());
        return None;
    }
    let Ok(output) = Command::new("xz").arg("-dc").arg(&file).output() else {
        eprintln!("LEFT OUT: {name}: xz is not installed");
        return None;
    };
    let mut rest = Bytes::from(output.stdout);
    let mut messages = Vec::new();
    while let Some(length) = rest.first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap();
        let _length = rest.split_to(4);
        messages.push(rest.split_to(length));
    }
    Some(messages)
}

/// Encodes the contents of a received UPDATE.
fn encode(checked: &Checked<'_>, context: &Context) -> BytesMut {
    let mut octets = BytesMut::new();
    UpdateBuf::from(checked)
        .encode(context, &mut octets)
        .expect("what was legal can be sent");
    octets
}

/// Returns `true` if a message has the form that this codec writes.
///
/// It has one kind of routes. An MP attribute is first and has a two-octet length, the others ascend and have the
/// shortest length. No attribute is one that is not passed on.
fn is_canonical(checked: &Checked<'_>) -> bool {
    let update = checked.update();
    let attributes: Vec<_> = update.raw_attributes().map(Result::unwrap).collect();
    let extended = |flags: AttributeFlags| flags.0 & AttributeFlags::EXTENDED_LENGTH != 0;
    let mp = |code| {
        matches!(
            code,
            AttributeCode::MP_REACH_NLRI | AttributeCode::MP_UNREACH_NLRI
        )
    };
    // The encoder starts another message for each kind of routes.
    let kinds = usize::from(!update.withdrawn_octets().is_empty())
        + usize::from(!update.nlri_octets().is_empty())
        + attributes
            .iter()
            .filter(|attribute| mp(attribute.code))
            .count();
    let rest = match attributes.as_slice() {
        [first, rest @ ..] if mp(first.code) && extended(first.flags) => rest,
        all => all,
    };
    let plain = rest.iter().all(|attribute| {
        // AS4_PATH and AS4_AGGREGATOR are merged on reception, and unused flag bits are cleared.
        let known = !matches!(attribute.code.0, 14 | 15 | 17 | 18) && attribute.flags.0 & 0x2f == 0;
        let shortest = extended(attribute.flags) == (attribute.value.len() > 255);
        let passed_on = attribute.code.0 <= 8 || matches!(attribute.code.0, 16 | 32);
        known && shortest && passed_on
    });
    let one_sequence = checked
        .as_path()
        .is_none_or(|path| path.segments().all(|s| s.asns().count() <= 255));
    // NEXT_HOP without prefixes is ignored on reception (RFC 4760 section 3), so it is not written.
    let next_hop = checked.next_hop().is_none() || !update.nlri_octets().is_empty();
    // Withdrawn routes in the field have a message without attributes.
    let pure = attributes.is_empty() || update.withdrawn_octets().is_empty();
    let family = |family| family == Family::IPV6_UNICAST;
    let families = checked
        .mp_reach()
        .is_none_or(|reach| family(reach.family()))
        && checked
            .mp_unreach()
            .is_none_or(|unreach| family(unreach.family()));
    kinds == 1
        && families
        && plain
        && one_sequence
        && next_hop
        && pure
        && rest.is_sorted_by(|one, other| one.code < other.code)
}

fn main() -> ExitCode {
    use PeerKind::{External, Internal};
    let streams = [
        ("updates-2019.as4.xz", External, true, 54_107),
        ("updates-2007.as2.xz", External, false, 23_394),
        ("packed-2019.as4.xz", Internal, true, 150),
        ("long-withdrawal.as4.xz", External, true, 1),
    ];
    let trial = |(name, peer, four_octet_as, count)| {
        let context = Context::new(peer)
            .with_four_octet_as(four_octet_as)
            // The recordings are older than RFC 9774, and routers sent AS_SETs then.
            .with_as_sets(true)
            .with_message_limit(MessageLimit::Extended);
        Trial::ignorable_test(name, move || {
            let Some(messages) = messages(name) else {
                return Ok(Completion::ignored_with(
                    "the stream or xz is not installed",
                ));
            };
            assert_eq!(messages.len(), count);
            assert_round_trips(name, messages, &context);
            Ok(Completion::Completed)
        })
    };
    let trials = streams.map(trial).into();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Asserts that every message is legal, and that those in canonical form encode to the same octets.
fn assert_round_trips(name: &str, messages: Vec<Bytes>, context: &Context) {
    let (mut canonical, mut updates, all) = (0, 0, messages.len());
    for octets in messages {
        let frame =
            Frame::from_bytes(octets.clone(), MessageLimit::Extended).expect("a legal header");
        let Ok(Message::Update(update)) = frame.decode(context) else {
            continue;
        };
        let checked = update.check().expect("legal");
        assert!(
            checked
                .fault()
                .is_none_or(|fault| fault.treatment == Treatment::Discard)
        );
        updates += 1;
        let again = encode(&checked, context);
        if checked.end_of_rib().is_none() && is_canonical(&checked) {
            canonical += 1;
            assert_eq!(again, octets, "{name}");
        }
    }
    eprintln!("{name}: {updates} UPDATEs, {canonical} of them canonical");
    // Nearly all messages of a collector are UPDATEs; the others are skipped above.
    assert!(updates * 10 >= all * 9);
}
