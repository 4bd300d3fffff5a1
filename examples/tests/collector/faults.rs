//! Faults of more than one message, and loads: the cases S and L of the catalogue that need neither a daemon nor hours.
//!
//! Cases of long waits, such as a silent peer, are dialogues of bgp-session, where the test owns the clock.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bgp_wire::{
    Asn, AttributeSet, CapabilityBuf, Context, Family, GracefulRestartFamily, HoldTime, KEEPALIVE,
    MessageType, OpenBuf, Origin, PeerKind, RouterId, UpdateBuf,
};
use bytes::BytesMut;
use ipnet::IpNet;
use libtest_mimic::Failed;
use speakerd_testkit::ChildGuard;

use crate::collector::{Collector, EVENT_TIMEOUT};
use crate::peer::{Peer, Received};

pub(crate) type Check = fn(&Collector, &Collector) -> Result<(), Failed>;

/// The checks by name. Each takes a collector, and one that retains routes over restarts.
pub(crate) const TRIALS: [(&str, Check); 15] = [
    (
        "S04 a second connection beside an Established one",
        second_connection,
    ),
    ("S05 S06 OPENs on two connections", two_opens),
    ("S07 a new connection of a restarting peer", restarting_peer),
    (
        "S08 a hundred idle connections of an Established peer",
        idle_connections,
    ),
    ("S09 a flood of unknown hosts", unknown_hosts),
    ("S10 five hundred connections that are reset", resets),
    ("S11 S12 half an UPDATE", half_an_update),
    ("S13 every split of a stream", every_split),
    (
        "S22 the NOTIFICATION arrives before the reset",
        notification_before_reset,
    ),
    ("S24 L07 malformed UPDATEs, one after the other", malformed),
    (
        "L01 ten thousand UPDATEs of one prefix each",
        single_prefixes,
    ),
    ("L02 twenty thousand KEEPALIVEs", keepalives),
    ("L03 five thousand ROUTE-REFRESHes", refreshes),
    ("dumps before and after the end of a session", dumps),
    ("the example without a runtime", blocking_example),
];

/// Returns an address of a neighbor. The conformance cases use 10.99.1.0/24.
pub(crate) fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 99, 2, last).into()
}

fn open(address: IpAddr, capabilities: &[CapabilityBuf]) -> Vec<u8> {
    open_with_id(address.to_string().parse().unwrap(), capabilities)
}

pub(crate) fn open_with_hold_time(address: IpAddr, hold_time: HoldTime) -> Vec<u8> {
    let mut octets = open(address, &[]);
    // The hold time follows the header, the version and the AS number.
    octets[22..24].copy_from_slice(&hold_time.seconds().to_be_bytes());
    octets
}

fn open_with_id(router_id: RouterId, capabilities: &[CapabilityBuf]) -> Vec<u8> {
    let asn = Asn::new(65001);
    let base = [
        CapabilityBuf::Multiprotocol(Family::IPV4_UNICAST),
        CapabilityBuf::FourOctetAs(asn),
        CapabilityBuf::RouteRefresh,
    ];
    let open = OpenBuf {
        asn,
        hold_time: HoldTime::DEFAULT,
        router_id,
        capabilities: [&base, capabilities].concat(),
    };
    let mut octets = BytesMut::new();
    open.encode(&mut octets).unwrap();
    octets.to_vec()
}

fn announcement(prefixes: impl IntoIterator<Item = IpNet>) -> Vec<u8> {
    let mut attributes = AttributeSet::new(Origin::IGP);
    attributes.as_path = "65001".parse().unwrap();
    let mut update = UpdateBuf::new(attributes);
    update.set_next_hop(Family::IPV4_UNICAST, IpAddr::from([10, 99, 2, 1]));
    prefixes
        .into_iter()
        .for_each(|prefix| update.announce(prefix));
    let mut octets = BytesMut::new();
    update
        .encode(&Context::new(PeerKind::External), &mut octets)
        .unwrap();
    octets.to_vec()
}

fn announce(text: &str) -> Vec<u8> {
    announcement([text.parse().unwrap()])
}

fn end_of_rib() -> Vec<u8> {
    let mut octets = BytesMut::new();
    bgp_wire::encode_end_of_rib(Family::IPV4_UNICAST, &mut octets);
    octets.to_vec()
}

pub(crate) fn check(holds: bool, what: impl Into<String>) -> Result<(), Failed> {
    if holds {
        Ok(())
    } else {
        Err(what.into().into())
    }
}

/// Checks that a session works: an End-of-RIB that the peer sends is reported.
pub(crate) fn check_alive(collector: &Collector, peer: &mut Peer) -> Result<(), Failed> {
    let mark = collector.mark();
    peer.send(&end_of_rib());
    let arrived = collector.wait_for_event(mark, peer.address, "eor");
    check(arrived.is_some(), "session lost")
}

fn second_connection(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let (address, open) = (address(4), open(address(4), &[]));
    let mut first = Peer::established(collector, address, &open);
    let mut second = Peer::connect_and_read_open(collector, address);
    second.send(&open);
    let last = second.closing_notification(EVENT_TIMEOUT)?;
    check(
        last == Some(Received::Notification(6, 7, vec![])),
        format!("{last:?}"),
    )?;
    check_alive(collector, &mut first)
}

fn two_opens(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    for (last, id) in [(5, "10.99.255.255"), (6, "1.1.1.1")] {
        let (address, open) = (address(last), open_with_id(id.parse().unwrap(), &[]));
        let mark = collector.mark();
        let mut first = Peer::connect_and_read_open(collector, address);
        let mut second = Peer::connect_and_read_open(collector, address);
        let mut answers = [&mut first, &mut second].map(|peer| {
            peer.send(&open);
            peer.receive(EVENT_TIMEOUT)
        });
        // RFC 4271 section 6.8: the identifiers decide which connection is kept, so the order of the answers varies.
        answers.sort_by_key(|answer| matches!(answer, Some(Received::Notification(..))));
        let expected = [
            Some(Received::Message(MessageType::KEEPALIVE)),
            Some(Received::Notification(6, 7, vec![])),
        ];
        check(answers == expected, format!("{id}: {answers:?}"))?;
        first.send(&KEEPALIVE);
        second.send(&KEEPALIVE);
        let up = collector.wait_for_event(mark, address, "up");
        check(up.is_some(), format!("{id}: no session comes up"))?;
    }
    Ok(())
}

fn restarting_peer(_: &Collector, collector: &Collector) -> Result<(), Failed> {
    let families = vec![GracefulRestartFamily {
        family: Family::IPV4_UNICAST,
        forwarding: true,
    }];
    let restart = CapabilityBuf::GracefulRestart {
        restarted: true,
        notification: false,
        restart_time: 60,
        families,
    };
    let (address, open) = (address(7), open(address(7), &[restart]));
    let mut first = Peer::established(collector, address, &open);
    first.send(&announce("10.200.7.0/24"));
    first.send(&announce("10.200.8.0/24"));
    check_alive(collector, &mut first)?;
    let mark = collector.mark();
    let mut second = Peer::established(collector, address, &open);
    check(
        first.closing_notification(EVENT_TIMEOUT)?.is_none(),
        "NOTIFICATION on the old connection",
    )?;
    check(
        collector.count(mark, address, "withdraw") == 0,
        "stale routes withdrawn",
    )?;
    let stale = |collector: &Collector| -> Vec<_> {
        collector
            .dump(address)
            .iter()
            .map(|route| {
                let prefix = route["prefix"].as_str().unwrap().to_owned();
                (prefix, route["stale"] == true)
            })
            .collect()
    };
    let both = [
        ("10.200.7.0/24".to_owned(), true),
        ("10.200.8.0/24".to_owned(), true),
    ];
    check(stale(collector) == both, format!("{:?}", stale(collector)))?;
    second.send(&announce("10.200.7.0/24"));
    check_alive(collector, &mut second)?;
    let one = [("10.200.7.0/24".to_owned(), false)];
    check(stale(collector) == one, format!("{:?}", stale(collector)))
}

fn idle_connections(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let (address, open) = (address(8), open(address(8), &[]));
    let mut first = Peer::established(collector, address, &open);
    let mut others: Vec<_> = (0..100)
        .map(|_| Peer::connect(collector, address).unwrap())
        .collect();
    let mut open = 0;
    for other in &mut others {
        // The collector closes refused connections at once; an error means that this one is still open.
        open += usize::from(
            other
                .closing_notification(Duration::from_millis(20))
                .is_err(),
        );
    }
    check(open <= 2, format!("{open} connections kept open"))?;
    check_alive(collector, &mut first)
}

fn unknown_hosts(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let mut established = Peer::established(collector, address(9), &open(address(9), &[]));
    let before = collector.resources();
    for number in 0..5000_u16 {
        let host = Ipv4Addr::new(172, 16, 1, u8::try_from(number % 200).unwrap());
        let mut host = Peer::connect(collector, host.into()).unwrap();
        if number.is_multiple_of(100) {
            let received = host.receive(EVENT_TIMEOUT);
            check(received == Some(Received::End), format!("{received:?}"))?;
        }
        if number == 2500 {
            let neighbor = address(10);
            drop(Peer::established(collector, neighbor, &open(neighbor, &[])));
        }
    }
    check_alive(collector, &mut established)?;
    let after = collector.resources();
    // The limits leave room for other cases, which use the same collector at the same time.
    check(
        after.0 < before.0 + 100,
        format!("descriptors: {before:?} {after:?}"),
    )?;
    check(
        after.1 < before.1 + 20_000,
        format!("KiB: {before:?} {after:?}"),
    )
}

fn resets(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let (address, open) = (address(11), open(address(11), &[]));
    let before = collector.resources();
    for _ in 0..500 {
        let mut peer = Peer::connect(collector, address).unwrap();
        peer.send(&open);
        peer.reset();
    }
    // Failures are damped, so the collector may refuse the next connections for a while.
    let mut attempts = (0..500).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        let mut peer = Peer::connect(collector, address).ok()?;
        let greeted = peer.receive(Duration::from_secs(1));
        (greeted == Some(Received::Message(MessageType::OPEN))).then_some(peer)
    });
    let mut peer = attempts
        .find_map(|peer| peer)
        .ok_or("every connection refused")?;
    let mark = collector.mark();
    peer.send(&open);
    peer.send(&KEEPALIVE);
    let up = collector.wait_for_event(mark, address, "up");
    check(up.is_some(), "session not up")?;
    let after = collector.resources();
    check(
        after.0 < before.0 + 100,
        format!("descriptors: {before:?} {after:?}"),
    )
}

fn half_an_update(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    for (last, reset) in [(12, true), (13, false)] {
        let (address, open) = (address(last), open(address(last), &[]));
        let mark = collector.mark();
        let mut peer = Peer::established(collector, address, &open);
        let update = announce("10.200.12.0/24");
        peer.send(&update[..update.len() / 2]);
        if reset {
            peer.reset();
        } else {
            peer.shut_down();
            let last = peer.closing_notification(EVENT_TIMEOUT)?;
            check(last.is_none(), format!("{last:?}"))?;
        }
        let down = collector.wait_for_event(mark, address, "down");
        check(down.is_some(), "not down")?;
        check(
            collector.count(mark, address, "announce") == 0,
            "half an UPDATE was applied",
        )?;
        check_alive(collector, &mut Peer::established(collector, address, &open))?;
    }
    Ok(())
}

fn every_split(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(14);
    let stream = [
        open(address, &[]),
        KEEPALIVE.to_vec(),
        announce("10.200.14.0/24"),
        KEEPALIVE.to_vec(),
        end_of_rib(),
    ]
    .concat();
    let play = |parts: &[&[u8]]| -> Result<(), Failed> {
        let mark = collector.mark();
        let mut peer = Peer::connect_and_read_open(collector, address);
        for part in parts {
            peer.send(part);
            // Without a pause the kernel would send the parts in one segment.
            std::thread::sleep(Duration::from_micros(200));
        }
        collector
            .wait_for_event(mark, address, "eor")
            .ok_or("stream not read to its end")?;
        let seen = collector.last_event_of(mark, address, "10.200.14.0/24");
        check(seen.as_deref() == Some("announce"), format!("{seen:?}"))?;
        drop(peer);
        collector
            .wait_for_event(mark, address, "down")
            .ok_or("not down")?;
        Ok(())
    };
    for border in 1..stream.len() {
        let (one, other) = stream.split_at(border);
        play(&[one, other])?;
    }
    play(&stream.chunks(1).collect::<Vec<_>>())
}

fn notification_before_reset(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(22);
    let mut peer = Peer::established(collector, address, &open(address, &[]));
    let bad = [&[0xff; 16][..], &[0, 23, 9, 0, 0, 0, 0]].concat();
    peer.send(&bad);
    // A kernel that closes with unread data sends a RST, which would discard a NOTIFICATION sent just before.
    peer.send(&vec![0; 1 << 20]);
    let last = peer.closing_notification(EVENT_TIMEOUT)?;
    check(
        last == Some(Received::Notification(1, 3, vec![9])),
        format!("{last:?}"),
    )
}

fn malformed(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(24);
    let mark = collector.mark();
    let mut peer = Peer::established(collector, address, &open(address, &[]));
    let mut update = announce("10.200.24.0/24");
    peer.send(&update);
    // RFC 7606 section 7.1: an undefined ORIGIN is treated as a withdrawal.
    update[26] = 7;
    peer.send(&update.repeat(10_000));
    check_alive(collector, &mut peer)?;
    check(collector.count(mark, address, "down") == 0, "session down")?;
    check(
        collector.count(mark, address, "withdraw") == 1,
        "not one withdrawal",
    )
}

fn single_prefixes(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(31);
    let mark = collector.mark();
    let mut peer = Peer::established(collector, address, &open(address, &[]));
    let mut octets = Vec::new();
    for number in 0..10_000_u32 {
        let prefix = ipnet::Ipv4Net::new((0x0ac8_0000 + number).into(), 32).unwrap();
        octets.extend(announcement([prefix.into()]));
    }
    peer.send(&octets);
    check_alive(collector, &mut peer)?;
    check(
        collector.count(mark, address, "announce") == 10_000,
        "announcements missing",
    )?;
    check(
        collector.dump(address).len() == 10_000,
        "routes missing from the dump",
    )
}

fn keepalives(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(32);
    let mut peer = Peer::established(collector, address, &open(address, &[]));
    peer.send(&KEEPALIVE.repeat(20_000));
    check_alive(collector, &mut peer)
}

fn refreshes(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(33);
    let mark = collector.mark();
    let mut peer = Peer::established(collector, address, &open(address, &[]));
    let refresh = [&[0xff; 16][..], &[0, 23, 5, 0, 1, 0, 1]].concat();
    peer.send(&refresh.repeat(5000));
    check_alive(collector, &mut peer)?;
    let count = collector.count(mark, address, "refresh");
    check(count == 5000, format!("{count} events"))
}

fn dumps(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(40);
    let mut peer = Peer::established(collector, address, &open(address, &[]));
    peer.send(&announce("10.200.40.0/24"));
    check_alive(collector, &mut peer)?;
    let routes = collector.dump(address);
    let route = routes.first().ok_or("no route held")?;
    let expected = serde_json::json!({
        "peer": "10.99.2.40", "prefix": "10.200.40.0/24", "next_hop": "10.99.2.1", "origin": "IGP", "as_path": "65001",
    });
    check(*route == expected, format!("{route}"))?;
    let mark = collector.mark();
    drop(peer);
    collector
        .wait_for_event(mark, address, "withdraw")
        .ok_or("route still held")?;
    check(collector.dump(address).is_empty(), "route still held")
}

fn blocking_example(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    // The source address of connections from a program that binds none, see `main.rs`.
    let address: IpAddr = Ipv4Addr::new(10, 98, 3, 1).into();
    let mark = collector.mark();
    let mut blocking = std::process::Command::new(env!("CARGO_BIN_EXE_blocking"));
    blocking
        .args([
            &collector.address().to_string(),
            "65000",
            "10.200.50.0/24",
            "10.98.3.1",
        ])
        .stderr(std::process::Stdio::null());
    let child = ChildGuard::spawn(&mut blocking);
    let announced = collector.wait_for_event(mark, address, "announce");
    drop(child);
    let announced = announced.ok_or("route not announced")?;
    check(
        announced["prefix"] == "10.200.50.0/24",
        format!("{announced}"),
    )?;
    collector
        .wait_for_event(mark, address, "withdraw")
        .ok_or("route not withdrawn")?;
    Ok(())
}
