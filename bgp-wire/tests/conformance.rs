//! The conformance cases that a codec can decide, by their ids: the strict reaction to each (RFC 7606 and others).
//!
//! `conformance/cases.txt` says how to read the table. What depends on a state, a timer or a configured AS is the
//! session's: bgp-session plays the whole table.

#![cfg(test)]

use bgp_wire::{Asn, Capability, Context, Family, Frame, Message, MessageLimit, Treatment};
use bytes::BytesMut;
use libtest_mimic::{Arguments, Failed, Trial};

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
        .with_families([Family::IPV4_UNICAST, Family::IPV6_UNICAST])
        .with_four_octet_as(has(|it| matches!(it, Capability::FourOctetAs(_))))
        .with_message_limit(limit)
        .with_local_as(Asn::new(65000))
        .with_local_address([10, 99, 0, 1].into());
    if !case.internal {
        context = context.with_first_as(Asn::new(65001));
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

fn verdict(case: &Case) -> Result<(), Failed> {
    match outcome(case) {
        Some(seen) if case.expected.is_met_by(&seen) => Ok(()),
        Some(seen) => Err(format!("{} expected, {seen} seen", case.expected).into()),
        None => Err(format!("{} expected, nothing seen", case.expected).into()),
    }
}

/// One test a case, by its id.
fn main() {
    let mut arguments = Arguments::from_args();
    // A handful of microseconds each.
    arguments.test_threads = Some(1);
    let of_the_codec = |case: &Case| {
        let mut others = OF_THE_SESSION.iter();
        !others.any(|(id, _)| case.id.starts_with(id))
    };
    let decided: Vec<_> = cases().into_iter().filter(of_the_codec).collect();
    assert!(decided.len() >= 154, "{} cases", decided.len());
    let trials = decided.into_iter().map(|case| {
        let name = format!("{} {}", case.id, case.title);
        Trial::test(name, move || verdict(&case))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
