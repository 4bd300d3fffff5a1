//! The bodies of the fuzz targets. `fuzz/` feeds them from libFuzzer, the tests from the committed corpus.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a fuzz target fails by panicking"
)]

use bytes::{Bytes, BytesMut};

use crate::{Checked, Context, Family, Frame, Message, MessageLimit, OpenBuf, PeerKind, UpdateBuf};

/// The contexts that change how an UPDATE reads, told apart by the bits of `selector`.
#[must_use]
pub fn context(selector: u8) -> Context {
    let bit = |mask| selector & mask != 0;
    let context = Context::new(if bit(1) {
        PeerKind::Internal
    } else {
        PeerKind::External
    })
    .four_octet_as(!bit(2))
    .limit(MessageLimit::Extended);
    if bit(4) {
        context.add_path(Family::PARSED)
    } else {
        context
    }
}

/// Any octets: splits frames until none is left, and decodes each.
pub fn frames(input: &[u8]) {
    let mut buffer = BytesMut::from(input);
    while let Ok(Some(frame)) = Frame::split(&mut buffer, MessageLimit::Extended) {
        message(&frame, &context(0));
    }
}

/// The first octet selects a context and a message type, the rest is the body.
pub fn body(input: &[u8]) {
    let Some((selector, body)) = input.split_first() else {
        return;
    };
    let Ok(length) = u16::try_from(body.len() + Frame::HEADER_LENGTH) else {
        return;
    };
    let octets = [
        &[0xff; 16],
        length.to_be_bytes().as_slice(),
        &[selector >> 4],
        body,
    ]
    .concat();
    if let Ok(frame) = Frame::from_bytes(Bytes::from(octets), MessageLimit::Extended) {
        message(&frame, &context(*selector));
    }
}

fn message(frame: &Frame, context: &Context) {
    match frame.decode(context) {
        Ok(Message::Update(update)) => match update.check() {
            Ok(checked) => round_trip(&checked, context),
            Err(error) => assert!(error.notification_data(frame.octets()).len() <= 4075),
        },
        Ok(Message::Open(open)) => open_round_trip(&OpenBuf::from(open), context),
        Ok(_) => {}
        Err(error) => assert!(error.notification_data(frame.octets()).len() <= 4075),
    }
}

/// What is encoded from a decoded UPDATE checks without a fault and says the same.
fn round_trip(checked: &Checked<'_>, context: &Context) {
    assert!(checked.attributes().count() <= 256);
    let mut update = UpdateBuf::new(crate::AttributeSet::from(checked));
    update.next_hop_ipv4 = Some(core::net::Ipv4Addr::new(192, 0, 2, 1));
    update.next_hop_ipv6 = Some(core::net::Ipv6Addr::LOCALHOST);
    let unicast = |nlri: &crate::Nlri| {
        nlri.path_id.is_some() == context.add_path.contains(Family::IPV4_UNICAST)
    };
    update.announced.extend(checked.announced().filter(unicast));
    update.withdrawn.extend(checked.withdrawn().filter(unicast));
    let mut buffer = BytesMut::new();
    if update.encode(context, &mut buffer).is_err() {
        return;
    }
    let (mut announced, mut withdrawn) = (alloc::vec::Vec::new(), alloc::vec::Vec::new());
    while let Some(frame) =
        Frame::split(&mut buffer, MessageLimit::Extended).expect("our own header")
    {
        let Ok(Message::Update(sent)) = frame.decode(context) else {
            panic!("our own UPDATE")
        };
        let sent = sent.check().expect("our own attributes");
        assert_eq!(sent.fault(), None);
        announced.extend(sent.announced());
        withdrawn.extend(sent.withdrawn());
        if sent.announced().next().is_some() {
            assert_eq!(
                crate::AttributeSet::from(&sent),
                expected(&update.attributes, context)
            );
        }
    }
    for routes in [
        &mut announced,
        &mut withdrawn,
        &mut update.announced,
        &mut update.withdrawn,
    ] {
        routes.sort();
    }
    assert_eq!((announced, withdrawn), (update.announced, update.withdrawn));
}

/// What the encoder adds for an internal peer.
fn expected(sent: &crate::AttributeSet, context: &Context) -> crate::AttributeSet {
    let mut expected = sent.clone();
    expected.local_pref = match context.peer() {
        PeerKind::Internal => Some(sent.local_pref.unwrap_or(100)),
        PeerKind::External => None,
    };
    for unknown in &mut expected.unknown {
        let extended = crate::AttributeFlags::EXTENDED_LENGTH;
        unknown.flags.0 &= !extended;
        if unknown.value.len() > 255 {
            unknown.flags.0 |= extended;
        }
    }
    expected
}

fn open_round_trip(open: &OpenBuf, context: &Context) {
    let mut buffer = BytesMut::new();
    if open.encode(&mut buffer).is_err() {
        return;
    }
    let frame = Frame::from_bytes(buffer.freeze(), MessageLimit::Standard).expect("our own header");
    let Ok(Message::Open(sent)) = frame.decode(context) else {
        panic!("our own OPEN")
    };
    assert_eq!(OpenBuf::from(sent), *open);
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    /// Every input that was ever interesting, as an ordinary test.
    #[test]
    fn committed_corpus() {
        let corpus = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus"));
        let mut inputs = 0;
        for target in ["frames", "body"] {
            for entry in std::fs::read_dir(corpus.join(target)).expect("the corpus is committed") {
                let input = std::fs::read(entry.unwrap().path()).unwrap();
                if target == "frames" {
                    super::frames(&input);
                } else {
                    super::body(&input);
                }
                inputs += 1;
            }
        }
        assert!(inputs >= 20, "{inputs} inputs");
    }
}
