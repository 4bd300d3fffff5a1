//! The conformance cases over TCP, each from an address of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bgp_wire::{Context, Frame, KEEPALIVE, Message, MessageLimit, MessageType};
use libtest_mimic::Failed;

use crate::collector::{Collector, EVENT_TIMEOUT};
use crate::peer::{Peer, Received};
use crate::table::{Case, Expected, Phase, Step, cases};

type Check = Box<dyn FnOnce(&Collector) -> Result<(), Failed> + Send>;

pub(crate) fn trials() -> impl Iterator<Item = (String, Check)> {
    (1_u8..).zip(cases()).map(|(number, case)| {
        let name = format!("{} {}", case.id, case.title);
        let network = if case.internal { 98 } else { 99 };
        // The third octet is 1, because the collector is in 10.99.0.0/24.
        let address = Ipv4Addr::new(10, network, 1, number).into();
        let check: Check = Box::new(move |collector| play(&case, collector, address));
        (name, check)
    })
}

/// Brings a session to the case's phase, plays the case, and compares the outcome.
fn play(case: &Case, collector: &Collector, address: IpAddr) -> Result<(), Failed> {
    let mark = collector.mark();
    let mut peer = Peer::connect_and_read_open(collector, address);
    if case.phase >= Phase::OpenConfirm {
        peer.send(&case.open);
        let answer = peer.receive(EVENT_TIMEOUT);
        if answer != Some(Received::Message(MessageType::KEEPALIVE)) {
            return Err(format!("OPEN answered by {answer:?}").into());
        }
    }
    if case.phase >= Phase::Established {
        peer.send(&KEEPALIVE);
        collector
            .wait_for_event(mark, address, "up")
            .ok_or("not up")?;
    }
    peer.send(&case.first);
    for step in &case.steps {
        match step {
            Step::Send(octets) => peer.send(octets),
            Step::Wait(time) => std::thread::sleep(*time),
            Step::Close => peer.shut_down(),
            Step::Reconnect => {
                peer.reset();
                collector
                    .wait_for_event(mark, address, "down")
                    .ok_or("not down")?;
                peer = Peer::established(collector, address, &case.open);
            }
        }
    }
    let seen = outcome(case, collector, mark, &mut peer)?;
    if case.expected.is_met_by(&seen) {
        Ok(())
    } else {
        Err(format!("expected {}, got {seen}", case.expected).into())
    }
}

/// Returns the outcome as the peer sees it, once the collector has read all input.
fn outcome(
    case: &Case,
    collector: &Collector,
    mark: usize,
    peer: &mut Peer,
) -> Result<Expected, Failed> {
    if matches!(case.expected, Expected::Notification(..) | Expected::Close) {
        return Ok(match peer.closing_notification(EVENT_TIMEOUT)? {
            Some(Received::Notification(code, subcode, data)) => {
                Expected::Notification(code, subcode, Some(data))
            }
            _ => Expected::Close,
        });
    }
    if case.phase == Phase::OpenSent {
        let answer = peer.receive(EVENT_TIMEOUT);
        if answer != Some(Received::Message(MessageType::KEEPALIVE)) {
            return Err(format!("OPEN answered by {answer:?}").into());
        }
        peer.send(&KEEPALIVE);
        collector
            .wait_for_event(mark, peer.address, "up")
            .ok_or("not up")?;
    }
    // The collector reads in order: its line for this End-of-RIB follows those of the sentinel.
    let end_of_rib = [&[0xff; 16][..], &[0, 23, 2, 0, 0, 0, 0]].concat();
    peer.send(&case.sentinel);
    peer.send(&end_of_rib);
    if collector
        .wait_for_event(mark, peer.address, "eor")
        .is_none()
    {
        let end = peer.closing_notification(Duration::from_millis(100));
        return Err(format!("session ended: {end:?}").into());
    }
    for prefix in prefixes(case, &case.sentinel) {
        if collector
            .last_event_of(mark, peer.address, &prefix)
            .as_deref()
            != Some("announce")
        {
            return Err(format!("sentinel `{prefix}` missing").into());
        }
    }
    let first = prefixes(case, &case.first);
    let is_held = |prefix: &String| {
        collector
            .last_event_of(mark, peer.address, prefix)
            .as_deref()
            == Some("announce")
    };
    Ok(if first.is_empty() && case.sentinel.is_empty() {
        Expected::Up
    } else if first.iter().all(is_held) {
        Expected::Keep
    } else {
        Expected::Withdraw
    })
}

/// Returns the prefixes that a valid message announces.
fn prefixes(case: &Case, message: &[u8]) -> Vec<String> {
    let frame = Frame::from_bytes(message.to_vec().into(), MessageLimit::Extended);
    // Capability 65 with a length of 4 in the OPEN: AS numbers have four octets (RFC 6793).
    let four_octets = case.open.windows(6).any(|window| window[..2] == [65, 4]);
    let context = Context::new(case.kind()).with_four_octet_as(four_octets);
    let Ok(Ok(Message::Update(update))) = frame.as_ref().map(|frame| frame.decode(&context)) else {
        return Vec::new();
    };
    let checked = update.check().unwrap();
    checked
        .announced()
        .map(|nlri| nlri.prefix.to_string())
        .collect()
}
