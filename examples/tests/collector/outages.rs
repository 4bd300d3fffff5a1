//! Outages: a network that drops packets, a stopped process, and a process without free descriptors.
//!
//! They are the cases S14, S15, S19 and S21 of the catalogue.

use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use bgp_wire::{HoldTime, KEEPALIVE};
use libtest_mimic::Failed;
use speakerd_testkit::Signal;

use crate::collector::Collector;
use crate::faults::{Check, address, check, check_alive, open_with_hold_time};
use crate::peer::{Peer, Received};

pub(crate) const TRIALS: [(&str, Check); 5] = [
    ("S14 the network drops all packets", all_packets_dropped),
    (
        "S15 the network drops packets from the peer",
        packets_from_peer_dropped,
    ),
    (
        "S15 the network drops packets to the peer",
        packets_to_peer_dropped,
    ),
    ("S19 no free descriptor", no_free_descriptor),
    ("S21 a stopped process", stopped_process),
];

fn open_with_short_hold_time(address: IpAddr) -> Vec<u8> {
    open_with_hold_time(address, HoldTime::new(3).unwrap())
}

/// A rule of the namespace that drops packets from one address to another. It ends with this value.
struct PacketDrop(Vec<String>);

impl PacketDrop {
    fn between(from: &str, to: &str) -> Self {
        let rule = ["pref", "50", "from", from, "to", to, "blackhole"].map(str::to_owned);
        let packet_drop = Self(rule.into());
        packet_drop.ip("add");
        packet_drop
    }

    fn ip(&self, verb: &str) {
        let status = Command::new("ip")
            .args(["rule", verb])
            .args(&self.0)
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for PacketDrop {
    fn drop(&mut self) {
        self.ip("del");
    }
}

const COLLECTOR: &str = "10.99.0.1";

/// Sends two KEEPALIVEs a second for a while.
fn send_keepalives(peer: &mut Peer, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        peer.send(&KEEPALIVE);
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Checks that the collector ends the session because the hold timer expired.
fn check_hold_timer_expired(
    collector: &Collector,
    mark: usize,
    address: IpAddr,
) -> Result<(), Failed> {
    let down = collector.wait_for_event(mark, address, "down");
    let down = down.ok_or("not down")?.to_string();
    check(down.contains("Hold Timer Expired"), down)
}

/// Checks that the peer can connect again at once.
fn check_reconnect(collector: &Collector, address: IpAddr) -> Result<(), Failed> {
    let since = Instant::now();
    let mut peer = Peer::established(collector, address, &open_with_short_hold_time(address));
    check(
        since.elapsed() < Duration::from_secs(5),
        "reconnect took more than 5 s",
    )?;
    check_alive(collector, &mut peer)
}

fn all_packets_dropped(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(30);
    let mut peer = Peer::established(collector, address, &open_with_short_hold_time(address));
    let mark = collector.mark();
    let own = address.to_string();
    let packet_drop = (
        PacketDrop::between(&own, COLLECTOR),
        PacketDrop::between(COLLECTOR, &own),
    );
    send_keepalives(&mut peer, Duration::from_secs(2));
    check_hold_timer_expired(collector, mark, address)?;
    drop(packet_drop);
    check_reconnect(collector, address)
}

fn packets_from_peer_dropped(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(31);
    let mut peer = Peer::established(collector, address, &open_with_short_hold_time(address));
    let mark = collector.mark();
    let packet_drop = PacketDrop::between(&address.to_string(), COLLECTOR);
    check_hold_timer_expired(collector, mark, address)?;
    drop(packet_drop);
    let last = peer.closing_notification(Duration::from_secs(10))?;
    check(
        last == Some(Received::Notification(4, 0, vec![])),
        format!("{last:?}"),
    )?;
    check_reconnect(collector, address)
}

fn packets_to_peer_dropped(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(32);
    let mut peer = Peer::established(collector, address, &open_with_short_hold_time(address));
    let mark = collector.mark();
    let packet_drop = PacketDrop::between(COLLECTOR, &address.to_string());
    // Without acknowledgements the peer's TCP sends no new data, so the collector receives no KEEPALIVEs.
    send_keepalives(&mut peer, Duration::from_secs(2));
    check_hold_timer_expired(collector, mark, address)?;
    drop(packet_drop);
    check_reconnect(collector, address)
}

fn no_free_descriptor(_: &Collector, _: &Collector) -> Result<(), Failed> {
    let collector = Collector::start(1792, &[]);
    let mut first = Peer::established(
        &collector,
        address(40),
        &open_with_short_hold_time(address(40)),
    );
    let maximum = collector.resources().0 + 3;
    // The limit leaves three free descriptors for 40 connections.
    collector.limit_descriptors(maximum);
    let used = collector.processor_time();
    let others: Vec<_> = (100..140)
        .map(|last| Peer::connect(&collector, address(last)).unwrap())
        .collect();
    send_keepalives(&mut first, Duration::from_secs(2));
    check_alive(&collector, &mut first)?;
    let used = collector.processor_time() - used;
    check(
        used < Duration::from_millis(500),
        format!("CPU time of {used:?} in 2 s of waiting"),
    )?;
    drop(others);
    send_keepalives(&mut first, Duration::from_secs(1));
    check_reconnect(&collector, address(41))?;
    check_alive(&collector, &mut first)
}

fn stopped_process(_: &Collector, _: &Collector) -> Result<(), Failed> {
    let collector = Collector::start(1793, &[]);
    let own = address(45);
    let mut peer = Peer::established(&collector, own, &open_with_short_hold_time(own));
    let mark = collector.mark();
    collector.signal(Signal::STOP);
    send_keepalives(&mut peer, Duration::from_millis(1500));
    collector.signal(Signal::CONT);
    check_alive(&collector, &mut peer)?;
    check(
        collector.count(mark, own, "down") == 0,
        "session down after half its hold time",
    )?;
    collector.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(6));
    // Its hold time has passed, so the peer closes and connects again.
    drop(peer);
    std::thread::scope(|scope| {
        let collector = &collector;
        let back = scope.spawn(move || check_reconnect(collector, own));
        std::thread::sleep(Duration::from_millis(200));
        collector.signal(Signal::CONT);
        back.join().expect("no panic")
    })
}
