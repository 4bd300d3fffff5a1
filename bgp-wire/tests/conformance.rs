//! The conformance cases that a codec can decide, with the strict answer to each (RFC 7606 and others).
//!
//! `conformance/cases.txt` describes the format of the table. Cases that depend on a state, a timer or a configured AS
//! belong to the session; bgp-session runs the whole table.

#![cfg(test)]

use bgp_wire::{Asn, Capability, Context, Family, Frame, Message, MessageLimit, Treatment};
use bytes::BytesMut;
use libtest_mimic::{Arguments, Failed, Trial};

#[path = "conformance/table.rs"]
mod table;

use table::{Case, Expected, Phase, Step, cases};

/// Prefixes of the ids of cases that a codec cannot decide, and the information that it lacks.
const SESSION_CASES: [(&str, &str); 11] = [
    ("O04", "the configured AS"),
    ("O09", "the width of AS numbers"),
    ("O17", "our own identifier"),
    ("O35", "the state"),
    ("O36", "the state"),
    ("C06", "the configured AS"),
    ("C20", "the policy for two roles"),
    ("C22", "our own families"),
    ("F", "the state and its timers"),
    ("T", "the end of the session after a NOTIFICATION"),
    ("U16", "the routes announced before"),
];

/// Returns the parameters that the two OPENs of a case negotiate, and the message limit.
fn context(case: &Case) -> (Context, MessageLimit) {
    let frame = Frame::from_bytes(case.open.clone().into(), MessageLimit::Standard).unwrap();
    let context = Context::new(case.kind());
    let Ok(Message::Open(open)) = frame.decode(&context) else {
        panic!("{}: not an OPEN", case.id)
    };
    // The speaker of the cases offers both capabilities, so the peer's OPEN decides.
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
    // RFC 4271 section 6.3: the first AS of a path is checked for external peers only.
    if !case.internal {
        context = context.with_first_as(Asn::new(65001));
    }
    (context, limit)
}

/// Decodes the octets of a case. Returns the first answer that ends the session, or the fate of the last routes.
fn outcome(case: &Case) -> Option<Expected> {
    // Before the OPENs are exchanged, nothing is negotiated (RFC 8654 section 4).
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

/// Compares the outcome of a case with the expected one.
fn verdict(case: &Case) -> Result<(), Failed> {
    match outcome(case) {
        Some(seen) if case.expected.is_met_by(&seen) => Ok(()),
        Some(seen) => Err(format!("expected {}, found {seen}", case.expected).into()),
        None => Err(format!("expected {}, found nothing", case.expected).into()),
    }
}

/// Runs one test for each case, named by its id.
fn main() {
    let mut arguments = Arguments::from_args();
    // A case takes microseconds, less than starting a thread.
    arguments.test_threads = Some(1);
    let is_decidable = |case: &Case| !SESSION_CASES.iter().any(|(id, _)| case.id.starts_with(id));
    let decided: Vec<_> = cases().into_iter().filter(is_decidable).collect();
    // Guards against a filter that removes everything.
    assert!(decided.len() >= 154, "{} cases", decided.len());
    let trials = decided.into_iter().map(|case| {
        let name = format!("{} {}", case.id, case.title);
        Trial::test(name, move || verdict(&case))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
