//! Outages: a network that drops, a process that stands still, a system without descriptors. The cases S14, S15, S19 and S21 of
//! the catalogue.

use std::net::IpAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use bgp_wire::{HoldTime, KEEPALIVE};
use libtest_mimic::Failed;
use speakerd_testkit::Signal;

use crate::collector::Collector;
use crate::faults::{Verdict, address, check, lives, open_with_hold_time};
use crate::peer::{Peer, Received};

pub(crate) const TRIALS: [(&str, Verdict); 5] = [
    ("S14 the network drops everything", cut_off),
    ("S15 the network drops what the peer sends", deaf),
    ("S15 the network drops what the peer is sent", mute),
    ("S19 no descriptors are left", descriptors),
    ("S21 a process that stands still", stopped),
];

fn short(address: IpAddr) -> Vec<u8> {
    open_with_hold_time(address, HoldTime::new(3).unwrap())
}

/// A rule by which the namespace drops packets, for as long as it lives.
struct Drops(Vec<String>);

impl Drops {
    fn packets(from: &str, to: &str) -> Self {
        let rule = ["pref", "50", "from", from, "to", to, "blackhole"].map(str::to_owned);
        let drops = Self(rule.into());
        drops.ip("add");
        drops
    }

    fn ip(&self, verb: &str) {
        let status = Command::new("ip")
            .args(["rule", verb])
            .args(&self.0)
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Drops {
    fn drop(&mut self) {
        self.ip("del");
    }
}

const COLLECTOR: &str = "10.99.0.1";

/// Sends KEEPALIVEs until the time is over.
fn keeps_alive(peer: &mut Peer, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        peer.send(&KEEPALIVE);
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn expires(collector: &Collector, mark: usize, address: IpAddr) -> Result<(), Failed> {
    let down = collector.wait_for_event(mark, address, "down");
    let down = down.ok_or("not down")?.to_string();
    check(down.contains("Hold Timer Expired"), down)
}

fn comes_back(collector: &Collector, address: IpAddr) -> Result<(), Failed> {
    let since = Instant::now();
    let mut peer = Peer::established(collector, address, &short(address));
    check(since.elapsed() < Duration::from_secs(5), "not in time")?;
    lives(collector, &mut peer)
}

fn cut_off(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(30);
    let mut peer = Peer::established(collector, address, &short(address));
    let mark = collector.mark();
    let own = address.to_string();
    let drops = (
        Drops::packets(&own, COLLECTOR),
        Drops::packets(COLLECTOR, &own),
    );
    keeps_alive(&mut peer, Duration::from_secs(2));
    expires(collector, mark, address)?;
    drop(drops);
    comes_back(collector, address)
}

fn deaf(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(31);
    let mut peer = Peer::established(collector, address, &short(address));
    let mark = collector.mark();
    let drops = Drops::packets(&address.to_string(), COLLECTOR);
    expires(collector, mark, address)?;
    drop(drops);
    let last = peer.last_words(Duration::from_secs(10))?;
    check(
        last == Some(Received::Notification(4, 0, vec![])),
        format!("{last:?}"),
    )?;
    comes_back(collector, address)
}

fn mute(collector: &Collector, _: &Collector) -> Result<(), Failed> {
    let address = address(32);
    let mut peer = Peer::established(collector, address, &short(address));
    let mark = collector.mark();
    let drops = Drops::packets(COLLECTOR, &address.to_string());
    // Without acknowledgements the peer's TCP falls silent, too.
    keeps_alive(&mut peer, Duration::from_secs(2));
    expires(collector, mark, address)?;
    drop(drops);
    comes_back(collector, address)
}

fn descriptors(_: &Collector, _: &Collector) -> Result<(), Failed> {
    let collector = Collector::start(1792, &[]);
    let mut first = Peer::established(&collector, address(40), &short(address(40)));
    let most = collector.resources().0 + 3;
    collector.limits_descriptors(most);
    let spent = collector.processor_time();
    let others: Vec<_> = (100..140)
        .map(|last| Peer::connect(&collector, address(last)).unwrap())
        .collect();
    keeps_alive(&mut first, Duration::from_secs(2));
    lives(&collector, &mut first)?;
    let spent = collector.processor_time() - spent;
    check(
        spent < Duration::from_millis(500),
        format!("{spent:?} of two seconds are spent on waiting"),
    )?;
    drop(others);
    keeps_alive(&mut first, Duration::from_secs(1));
    comes_back(&collector, address(41))?;
    lives(&collector, &mut first)
}

fn stopped(_: &Collector, _: &Collector) -> Result<(), Failed> {
    let collector = Collector::start(1793, &[]);
    let own = address(45);
    let mut peer = Peer::established(&collector, own, &short(own));
    let mark = collector.mark();
    collector.signal(Signal::STOP);
    keeps_alive(&mut peer, Duration::from_millis(1500));
    collector.signal(Signal::CONT);
    lives(&collector, &mut peer)?;
    check(
        collector.count(mark, own, "down") == 0,
        "half the hold time",
    )?;
    collector.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(6));
    // The peer has given up meanwhile, and tries again.
    drop(peer);
    std::thread::scope(|scope| {
        let collector = &collector;
        let back = scope.spawn(move || comes_back(collector, own));
        std::thread::sleep(Duration::from_millis(200));
        collector.signal(Signal::CONT);
        back.join().expect("no panic")
    })
}
