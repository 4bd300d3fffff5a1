//! The conformance cases that a codec can decide, by their ids: the strict reaction to each (RFC 7606 and others).
//!
//! `conformance/cases.txt` says how to read the table. What depends on a state, a timer or a configured AS is the
//! session's: bgp-session plays the whole table.

#![cfg(test)]

use bgp_wire::{Asn, Capability, Context, Family, Frame, Message, MessageLimit, Treatment};
use bytes::BytesMut;

#[path = "conformance/table.rs"]
mod table;

use table::{Case, Expected, Phase, Step, cases};

/// Cases whose answer a codec cannot know, and what it would have to know.
const OF_THE_SESSION: [(&str, &str); 11] = [
    ("O04", "the configured AS"),
    ("O09", "whether AS numbers have four octets"),
    ("O17", "our own identifier"),
    ("O35", "the state"),
    ("O36", "the state"),
    ("C06", "the configured AS"),
    ("C20", "what to make of two roles"),
    ("C22", "our own families"),
    ("F", "the state and its timers"),
    ("T", "that a NOTIFICATION ends the session"),
    ("U16", "which routes there were"),
];

/// What the two OPENs of a case agree on.
fn context(case: &Case) -> (Context, MessageLimit) {
    let frame = Frame::from_bytes(case.open.clone().into(), MessageLimit::Standard).unwrap();
    let context = Context::new(case.kind());
    let Ok(Message::Open(open)) = frame.decode(&context) else {
        panic!("{}: not an OPEN", case.id)
    };
    let has = |wanted: fn(&Capability<'_>) -> bool| open.capabilities().any(|it| wanted(&it));
    let limit = if has(|it| matches!(it, Capability::ExtendedMessage)) {
        MessageLimit::Extended
    } else {
        MessageLimit::Standard
    };
    let mut context = Context::new(case.kind())
        .families([Family::IPV4_UNICAST, Family::IPV6_UNICAST])
        .four_octet_as(has(|it| matches!(it, Capability::FourOctetAs(_))))
        .limit(limit)
        .local_as(Asn::new(65000))
        .local_address([10, 99, 0, 1].into());
    if !case.internal {
        context = context.first_as(Asn::new(65001));
    }
    (context, limit)
}

/// What the codec makes of the octets of a case: the first that ends the session, or what becomes of the last routes.
fn outcome(case: &Case) -> Option<Expected> {
    let (context, limit) = if case.phase == Phase::OpenSent {
        (Context::new(case.kind()), MessageLimit::Standard)
    } else {
        context(case)
    };
    let mut outcome = None;
    for step in &case.steps {
        let octets = match step {
            Step::Send(octets) => octets,
            Step::Wait(time) => panic!("{}: no clock to wait {time:?} by", case.id),
            Step::Close | Step::Reconnect => panic!("{}: no connection", case.id),
        };
        let mut buffer = BytesMut::from(&octets[..]);
        loop {
            let seen = |error: bgp_wire::DecodeError, message: &[u8]| {
                let data = error.notification_data(message).to_vec();
                Expected::Notification(error.reason.code, error.reason.subcode, Some(data))
            };
            let frame = match Frame::split(&mut buffer, limit) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => return Some(seen(error, &buffer)),
            };
            outcome = Some(match frame.decode(&context) {
                Err(error) => return Some(seen(error, frame.octets())),
                Ok(Message::Update(update)) => match update.check() {
                    Err(error) => return Some(seen(error, frame.octets())),
                    Ok(checked) => match checked.fault() {
                        Some(fault) if fault.treatment == Treatment::Withdraw => Expected::Withdraw,
                        _ if checked.withdrawn().next().is_some()
                            && checked.announced().next().is_none() =>
                        {
                            Expected::Withdraw
                        }
                        _ => Expected::Keep,
                    },
                },
                Ok(_) => Expected::Up,
            });
        }
    }
    outcome
}

#[test]
fn the_codec_answers_strictly() {
    let (mut wrong, mut decided) = (Vec::new(), 0);
    for case in &cases() {
        if OF_THE_SESSION.iter().any(|(id, _)| case.id.starts_with(id)) {
            continue;
        }
        decided += 1;
        let seen = outcome(case);
        if !seen
            .as_ref()
            .is_some_and(|seen| case.expected.is_met_by(seen))
        {
            let seen = seen.map_or_else(|| "nothing".to_owned(), |seen| seen.to_string());
            wrong.push(format!(
                "{} {}: {} expected, {seen} seen",
                case.id, case.title, case.expected
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(decided >= 154, "{decided} cases");
}
