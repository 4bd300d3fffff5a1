//! What goes beyond one message, and loads: the cases S and L of the catalogue that need no daemon and no hours. A silent
//! peer and other waits are dialogues of bgp-session, whose clock runs as it is told.

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

use crate::collector::{Collector, PATIENCE};
use crate::peer::{Peer, Received};

pub(crate) type Verdict = fn(&Collector, &Collector) -> Result<(), Failed>;

/// By name; each is given a collector, and one that keeps routes over restarts.
pub(crate) const TRIALS: [(&str, Verdict); 15] = [
    (
        "S04 a second connection beside an Established one",
        second_connection,
    ),
    (
        "S05 S06 two connections that are both confirmed",
        two_confirmed,
    ),
    (
        "S07 a new connection of a peer that restarts",
        restarting_peer,
    ),
    (
        "S08 a hundred idle connections of an Established peer",
        idle_connections,
    ),
    ("S09 a flood of connections of strangers", strangers),
    ("S10 five hundred connections that end in a reset", resets),
    ("S11 S12 half an UPDATE", half_an_update),
    ("S13 every split of a stream", every_split),
    (
        "S22 the NOTIFICATION arrives in front of the reset",
        last_words,
    ),
    ("S24 L07 malformed UPDATEs, one after the other", malformed),
    (
        "L01 ten thousand UPDATEs of one prefix each",
        single_prefixes,
    ),
    ("L02 twenty thousand KEEPALIVEs", keepalives),
    ("L03 five thousand ROUTE-REFRESHes", refreshes),
    ("a prefix with and without its neighbor", dumps),
    ("the example without a runtime", without_a_runtime),
];

/// Addresses that no conformance case has.
pub(crate) fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(10, 99, 2, last).into()
}

fn open(address: IpAddr, capabilities: &[CapabilityBuf]) -> Vec<u8> {
    open_with_id(address.to_string().parse().unwrap(), capabilities)
}

pub(crate) fn open_with_hold_time(address: IpAddr, hold_time: HoldTime) -> Vec<u8> {
    let mut octets = open(address, &[]);
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

/// That a session still works: what is sent on it arrives.
pub(crate) fn lives(collector: &Collector, peer: &mut Peer) -> Result<(), Failed> {
    let mark = collector.mark();
    peer.send(&end_of_rib());
    let arrived = collector.wait_for_event(mark, peer.address, "eor");
    check(arrived.is_some(), "the session is gone")
}

fn second_connection(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let (address, open) = (address(4), open(address(4), &[]));
    let mut first = Peer::established(collector, address, &open);
    let mut second = Peer::greeted(collector, address);
    second.send(&open);
    let last = second.last_words(PATIENCE)?;
    check(
        last == Some(Received::Notification(6, 7, vec![])),
        format!("{last:?}"),
    )?;
    lives(collector, &mut first)
}

fn two_confirmed(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    for (last, id) in [(5, "10.99.255.255"), (6, "1.1.1.1")] {
        let (address, open) = (address(last), open_with_id(id.parse().unwrap(), &[]));
        let mark = collector.mark();
        let mut first = Peer::greeted(collector, address);
        let mut second = Peer::greeted(collector, address);
        let mut answers = [&mut first, &mut second].map(|peer| {
            peer.send(&open);
            peer.receive(PATIENCE)
        });
        answers.sort_by_key(|answer| matches!(answer, Some(Received::Notification(..))));
        let expected = [
            Some(Received::Message(MessageType::KEEPALIVE)),
            Some(Received::Notification(6, 7, vec![])),
        ];
        check(answers == expected, format!("{id}: {answers:?}"))?;
        first.send(&KEEPALIVE);
        second.send(&KEEPALIVE);
        let up = collector.wait_for_event(mark, address, "up");
        check(up.is_some(), format!("{id}: none comes up"))?;
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
    lives(collector, &mut first)?;
    let mark = collector.mark();
    let mut second = Peer::established(collector, address, &open);
    check(
        first.last_words(PATIENCE)?.is_none(),
        "the old one is told nothing",
    )?;
    check(
        collector.count(mark, address, "withdraw") == 0,
        "routes are kept",
    )?;
    let stale = |collector: &Collector| -> Vec<_> {
        let routes = collector.dump(address);
        let stale = routes.iter().map(|route| {
            let prefix = route["prefix"].as_str().unwrap().to_owned();
            (prefix, route["stale"] == true)
        });
        stale.collect()
    };
    let both = [
        ("10.200.7.0/24".to_owned(), true),
        ("10.200.8.0/24".to_owned(), true),
    ];
    check(stale(collector) == both, format!("{:?}", stale(collector)))?;
    second.send(&announce("10.200.7.0/24"));
    lives(collector, &mut second)?;
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
        // Those that are not wanted are closed at once.
        open += usize::from(other.last_words(Duration::from_millis(20)).is_err());
    }
    check(open <= 2, format!("{open} are kept"))?;
    lives(collector, &mut first)
}

fn strangers(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let mut established = Peer::established(collector, address(9), &open(address(9), &[]));
    let before = collector.resources();
    for number in 0..5000_u16 {
        let stranger = Ipv4Addr::new(172, 16, 1, u8::try_from(number % 200).unwrap());
        let mut stranger = Peer::connect(collector, stranger.into()).unwrap();
        if number.is_multiple_of(100) {
            let received = stranger.receive(PATIENCE);
            check(received == Some(Received::End), format!("{received:?}"))?;
        }
        if number == 2500 {
            let neighbor = address(10);
            drop(Peer::established(collector, neighbor, &open(neighbor, &[])));
        }
    }
    lives(collector, &mut established)?;
    let after = collector.resources();
    // Other cases run beside this one.
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
    // It may not want another one at once.
    let mut attempts = (0..500).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        let mut peer = Peer::connect(collector, address).ok()?;
        let greeted = peer.receive(Duration::from_secs(1));
        (greeted == Some(Received::Message(MessageType::OPEN))).then_some(peer)
    });
    let mut peer = attempts
        .find_map(|peer| peer)
        .ok_or("it cannot come up any more")?;
    let mark = collector.mark();
    peer.send(&open);
    peer.send(&KEEPALIVE);
    let up = collector.wait_for_event(mark, address, "up");
    check(up.is_some(), "it does not come up")?;
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
            let last = peer.last_words(PATIENCE)?;
            check(last.is_none(), format!("{last:?}"))?;
        }
        let down = collector.wait_for_event(mark, address, "down");
        check(down.is_some(), "not down")?;
        check(
            collector.count(mark, address, "announce") == 0,
            "half of it was believed",
        )?;
        lives(collector, &mut Peer::established(collector, address, &open))?;
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
    ];
    let stream = stream.concat();
    let plays = |parts: &[&[u8]]| -> Result<(), Failed> {
        let mark = collector.mark();
        let mut peer = Peer::greeted(collector, address);
        for part in parts {
            peer.send(part);
            // Each is to be a segment of its own.
            std::thread::sleep(Duration::from_micros(200));
        }
        collector
            .wait_for_event(mark, address, "eor")
            .ok_or("not all was read")?;
        let seen = collector.last_of(mark, address, "10.200.14.0/24");
        check(seen.as_deref() == Some("announce"), format!("{seen:?}"))?;
        drop(peer);
        collector
            .wait_for_event(mark, address, "down")
            .ok_or("not down")?;
        Ok(())
    };
    for border in 1..stream.len() {
        let (one, other) = stream.split_at(border);
        plays(&[one, other])?;
    }
    plays(&stream.chunks(1).collect::<Vec<_>>())
}

fn last_words(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(22);
    let mut peer = Peer::established(collector, address, &open(address, &[]));
    let bad = [&[0xff; 16][..], &[0, 23, 9, 0, 0, 0, 0]].concat();
    peer.send(&bad);
    // More than the collector will ever read.
    peer.send(&vec![0; 1 << 20]);
    let last = peer.last_words(PATIENCE)?;
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
    // An ORIGIN that is not registered: treat-as-withdraw (RFC 7606 section 7.1).
    update[26] = 7;
    peer.send(&update.repeat(10_000));
    lives(collector, &mut peer)?;
    check(collector.count(mark, address, "down") == 0, "down")?;
    check(
        collector.count(mark, address, "withdraw") == 1,
        "withdrawn once",
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
    lives(collector, &mut peer)?;
    check(
        collector.count(mark, address, "announce") == 10_000,
        "not all have arrived",
    )?;
    check(collector.dump(address).len() == 10_000, "not all are held")
}

fn keepalives(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(32);
    let mut peer = Peer::established(collector, address, &open(address, &[]));
    peer.send(&KEEPALIVE.repeat(20_000));
    lives(collector, &mut peer)
}

fn refreshes(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(33);
    let mark = collector.mark();
    let mut peer = Peer::established(collector, address, &open(address, &[]));
    let refresh = [&[0xff; 16][..], &[0, 23, 5, 0, 1, 0, 1]].concat();
    peer.send(&refresh.repeat(5000));
    lives(collector, &mut peer)?;
    let count = collector.count(mark, address, "refresh");
    check(count == 5000, format!("{count} events"))
}

fn dumps(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(40);
    let mut peer = Peer::established(collector, address, &open(address, &[]));
    peer.send(&announce("10.200.40.0/24"));
    lives(collector, &mut peer)?;
    let routes = collector.dump(address);
    let route = routes.first().ok_or("nothing is held")?;
    let expected = serde_json::json!({
        "peer": "10.99.2.40", "prefix": "10.200.40.0/24", "next_hop": "10.99.2.1", "origin": "IGP", "as_path": "65001",
    });
    check(*route == expected, format!("{route}"))?;
    let mark = collector.mark();
    drop(peer);
    collector
        .wait_for_event(mark, address, "withdraw")
        .ok_or("it is still held")?;
    check(collector.dump(address).is_empty(), "it is still held")
}

fn without_a_runtime(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    // Where connections come from that do not say it.
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
    let announced = announced.ok_or("nothing is announced")?;
    check(
        announced["prefix"] == "10.200.50.0/24",
        format!("{announced}"),
    )?;
    collector
        .wait_for_event(mark, address, "withdraw")
        .ok_or("it is not withdrawn")?;
    Ok(())
}
