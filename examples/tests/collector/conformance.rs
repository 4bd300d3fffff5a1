//! The cases, each from an address of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bgp_wire::{Context, Frame, KEEPALIVE, Message, MessageLimit, MessageType};
use libtest_mimic::Failed;

use crate::collector::{Collector, PATIENCE};
use crate::peer::{Peer, Received};
use crate::table::{Case, Expected, Phase, Step, cases};

type Verdict = Box<dyn FnOnce(&Collector) -> Result<(), Failed> + Send>;

pub(crate) fn trials() -> impl Iterator<Item = (String, Verdict)> {
    let numbered = (1_u8..).zip(cases());
    numbered.map(|(number, case)| {
        let name = format!("{} {}", case.id, case.title);
        let network = if case.internal { 98 } else { 99 };
        // 10.99.0.0/24 has the collector in it.
        let address = Ipv4Addr::new(10, network, 1, number).into();
        let verdict: Verdict = Box::new(move |collector| play(&case, collector, address));
        (name, verdict)
    })
}

fn play(case: &Case, collector: &Collector, address: IpAddr) -> Result<(), Failed> {
    let mark = collector.mark();
    let mut peer = Peer::greeted(collector, address);
    if case.phase >= Phase::OpenConfirm {
        peer.send(&case.open);
        let answer = peer.receive(PATIENCE);
        if answer != Some(Received::Message(MessageType::KEEPALIVE)) {
            return Err(format!("the OPEN is answered by {answer:?}").into());
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
        Err(format!("{} expected, {seen} seen", case.expected).into())
    }
}

/// What the peer sees, once the collector has dealt with everything.
fn outcome(
    case: &Case,
    collector: &Collector,
    mark: usize,
    peer: &mut Peer,
) -> Result<Expected, Failed> {
    if matches!(case.expected, Expected::Notification(..) | Expected::Close) {
        return Ok(match peer.last_words(PATIENCE)? {
            Some(Received::Notification(code, subcode, data)) => {
                Expected::Notification(code, subcode, Some(data))
            }
            _ => Expected::Close,
        });
    }
    if case.phase == Phase::OpenSent {
        let answer = peer.receive(PATIENCE);
        if answer != Some(Received::Message(MessageType::KEEPALIVE)) {
            return Err(format!("the OPEN is answered by {answer:?}").into());
        }
        peer.send(&KEEPALIVE);
        collector
            .wait_for_event(mark, peer.address, "up")
            .ok_or("not up")?;
    }
    // Whatever the sentinel says has been read when this has been.
    let end_of_rib = [&[0xff; 16][..], &[0, 23, 2, 0, 0, 0, 0]].concat();
    peer.send(&case.sentinel);
    peer.send(&end_of_rib);
    if collector
        .wait_for_event(mark, peer.address, "eor")
        .is_none()
    {
        let end = peer.last_words(Duration::from_millis(100));
        return Err(format!("the session does not go on: {end:?}").into());
    }
    for prefix in prefixes(case, &case.sentinel) {
        if collector.last_of(mark, peer.address, &prefix).as_deref() != Some("announce") {
            return Err(format!("the sentinel {prefix} is not there").into());
        }
    }
    let first = prefixes(case, &case.first);
    let there = |prefix: &String| {
        collector.last_of(mark, peer.address, prefix).as_deref() == Some("announce")
    };
    Ok(if first.is_empty() && case.sentinel.is_empty() {
        Expected::Up
    } else if first.iter().all(there) {
        Expected::Keep
    } else {
        Expected::Withdraw
    })
}

/// What a good message announces.
fn prefixes(case: &Case, message: &[u8]) -> Vec<String> {
    let frame = Frame::from_bytes(message.to_vec().into(), MessageLimit::Extended);
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
