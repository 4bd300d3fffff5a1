//! Bounds of memory. An `AdjRibIn` is bounded by the octets that its peer has sent. An `AdjRibOut` takes a bit for each
//! destination of the table; a route with a path identifier takes more.

#![cfg(test)]
#![expect(unsafe_code, reason = "an allocator is unsafe to implement")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Instant;

use bgp_session::{
    AdjRibIn, AdjRibOut, ExportPolicy, LocalConfig, Output, PeerConfig, PrefixRange, ReceivedRoute,
    RestartConfig, Rib, Route, Session, Staleness,
};
use bgp_wire::{
    Asn, AttributeSet, CapabilityBuf, Community, Context, Family, GracefulRestartFamily, HoldTime,
    KEEPALIVE, LongLivedRestartFamily, MessageLimit, NextHop, Nlri, OpenBuf, Origin, PeerKind,
    RefreshSubtype, RouteRefresh, encode_announcements, encode_end_of_rib, encode_withdrawals,
    is_bogus_prefix,
};
use bytes::BytesMut;
use ipnet::Ipv4Net;

/// An allocator that counts the allocated octets of each thread.
// By thread, because the test harness allocates on threads of its own.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged to the system allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.with(|octets| octets.set(octets.get().wrapping_add(layout.size())));
        // SAFETY: the caller upholds the contract of the system allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.with(|octets| octets.set(octets.get().wrapping_sub(layout.size())));
        // SAFETY: the caller upholds the contract of the system allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A session of a peer that restarts gracefully, and the table of its routes.
struct Peer {
    session: Session,
    now: Instant,
    table: AdjRibIn,
}

impl Peer {
    #[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
    fn new() -> Self {
        let local = LocalConfig::new(Asn::new(64512), "192.0.2.1".parse().unwrap());
        let restart = RestartConfig::new().with_long_lived(std::time::Duration::from_secs(3600));
        let config = PeerConfig::new("192.0.2.2".parse().unwrap(), Asn::new(64512))
            .with_deliver_updates(true)
            .with_extended_message(true)
            .with_graceful_restart(restart);
        let now = Instant::now();
        let mut peer = Self {
            session: Session::new(local, config, now, 1).unwrap(),
            now,
            table: AdjRibIn::new(),
        };
        peer.session.start(now);
        peer.follow();
        peer
    }

    /// Applies the events of the session to the table, and answers a dial.
    fn follow(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Dial(id) => {
                    let local = "192.0.2.1".parse().unwrap();
                    self.session.handle_connected(self.now, id, local);
                    let family = Family::IPV4_UNICAST;
                    let open = OpenBuf {
                        asn: Asn::new(64512),
                        hold_time: HoldTime::DEFAULT,
                        router_id: "192.0.2.2".parse().unwrap(),
                        capabilities: vec![
                            CapabilityBuf::Multiprotocol(family),
                            CapabilityBuf::ExtendedMessage,
                            CapabilityBuf::EnhancedRouteRefresh,
                            CapabilityBuf::GracefulRestart {
                                restarted: false,
                                notification: false,
                                restart_time: 120,
                                families: vec![GracefulRestartFamily {
                                    family,
                                    forwarding: true,
                                }],
                            },
                            CapabilityBuf::LongLivedGracefulRestart(vec![LongLivedRestartFamily {
                                family,
                                forwarding: true,
                                stale_time: 3600,
                            }]),
                        ],
                    };
                    let mut octets = BytesMut::new();
                    open.encode(&mut octets).unwrap();
                    octets.extend_from_slice(&KEEPALIVE);
                    self.session.handle_bytes(self.now, id, &mut octets);
                }
                Output::Event(event) => self.table.apply(&event, |_| {}),
                Output::Wait(_) => return,
                Output::Transmit(..) | Output::Close(_) | _ => {}
            }
        }
    }

    /// Receives messages.
    fn receive(&mut self, mut octets: BytesMut) {
        let id = self.session.connection_id().expect("Established");
        self.session.handle_bytes(self.now, id, &mut octets);
        self.follow();
    }

    /// Loses the connection and makes a new one.
    fn restart(&mut self) {
        let id = self.session.connection_id().expect("Established");
        self.session.handle_closed(self.now, id);
        self.follow();
        for _ in 0..100 {
            if self.session.connection_id().is_some() {
                return;
            }
            self.now += std::time::Duration::from_secs(1);
            self.session.handle_timeout(self.now);
            self.follow();
        }
        panic!("no new session");
    }

    /// Loses the connection and stays away until the routes are long-lived stale.
    fn vanish(&mut self) {
        let id = self.session.connection_id().expect("Established");
        self.session.handle_closed(self.now, id);
        // The restart time is 120 s. Later dials are not answered, so they time out.
        for _ in 0..100 {
            let deadline = loop {
                match self.session.poll_output() {
                    Output::Event(event) => self.table.apply(&event, |_| {}),
                    Output::Wait(deadline) => break deadline.expect("a timer runs"),
                    Output::Dial(_) | Output::Transmit(..) | Output::Close(_) | _ => {}
                }
            };
            let is_long_lived =
                |(_, route): (_, &ReceivedRoute)| route.staleness == Staleness::LongLived;
            if self.table.routes().all(is_long_lived) {
                return;
            }
            self.now = deadline;
            self.session.handle_timeout(deadline);
        }
        panic!("the routes are not long-lived stale");
    }
}

/// Returns an announcement of these prefixes in as few messages as possible.
fn announcement(attributes: &AttributeSet, prefixes: impl Iterator<Item = Ipv4Net>) -> BytesMut {
    let context = Context::new(PeerKind::Internal).with_message_limit(MessageLimit::Extended);
    let next_hop = NextHop::Address([192, 0, 2, 2].into());
    let mut octets = BytesMut::new();
    encode_announcements(
        &context,
        attributes,
        next_hop,
        prefixes.map(Nlri::new),
        &mut octets,
    )
    .unwrap();
    octets
}

/// Returns `count` prefixes of 24 bits, from the one with this number.
fn prefixes(first: u32, count: u32) -> impl Iterator<Item = Ipv4Net> {
    (first..first + count).map(|number| Ipv4Net::new_assert(((0x0a_0000 + number) << 8).into(), 24))
}

/// Returns `count` prefixes of 24 bits that have few bits in common.
fn scattered(first: u32, count: u32) -> impl Iterator<Item = Ipv4Net> {
    // An odd factor, so that no two numbers give one prefix.
    let numbers = (first..first + count).map(|number| number.wrapping_mul(0x9e_3779) << 8);
    numbers.map(|bits| Ipv4Net::new_assert(bits.into(), 24))
}

/// Returns the octets that the table of a peer takes after these messages, and those that were received. Asserts that the
/// table has as many routes as expected.
fn memory(messages: impl FnOnce() -> Vec<BytesMut>, routes: usize, vanish: bool) -> (usize, usize) {
    let mut peer = Peer::new();
    let before = ALLOCATED.get();
    let mut received = 0;
    for message in messages() {
        received += message.len();
        peer.receive(message);
    }
    assert_eq!(peer.table.routes().count(), routes);
    if vanish {
        peer.vanish();
        assert_eq!(peer.table.routes().count(), routes, "stale routes are kept");
    }
    (ALLOCATED.get().wrapping_sub(before), received)
}

/// The octets that a received octet may take at most.
// Scattered prefixes are the worst: each has four octets in the message, and several nodes of the trie.
const MAX_RATIO: usize = 32;

#[test]
fn long_lived_stale_routes_take_no_copy_of_their_attributes() {
    // Attributes of half a message with as many routes as fit beside them.
    let messages = || {
        let message = |number: u32| {
            let attributes = AttributeSet {
                communities: (0..8000).map(|low| Community(number << 16 | low)).collect(),
                ..AttributeSet::new(Origin::IGP)
            };
            announcement(&attributes, prefixes(number * 8300, 8300))
        };
        (0..4).map(message).collect()
    };
    for vanish in [false, true] {
        let (octets, received) = memory(messages, 4 * 8300, vanish);
        assert!(received > 256_000, "{received}");
        assert!(
            octets < received * MAX_RATIO,
            "{octets} of {received}, {vanish}"
        );
    }
}

#[test]
fn ordinary_routes_take_memory_in_proportion() {
    let messages = || {
        let attributes = AttributeSet::new(Origin::IGP);
        let message = |number: u32| announcement(&attributes, scattered(number * 1000, 1000));
        (0..100).map(message).collect()
    };
    // Bogus prefixes are ignored.
    let routes = scattered(0, 100_000).filter(|prefix| !is_bogus_prefix((*prefix).into()));
    let routes = routes.count();
    for vanish in [false, true] {
        let (octets, received) = memory(messages, routes, vanish);
        assert!(received > 400_000, "{received}");
        assert!(
            octets < received * MAX_RATIO,
            "{octets} of {received}, {vanish}"
        );
    }
}

#[test]
fn attributes_of_replaced_routes_are_freed() {
    let once = |number: u32| {
        let attributes = AttributeSet {
            communities: (0..8000).map(|low| Community(number << 16 | low)).collect(),
            ..AttributeSet::new(Origin::IGP)
        };
        announcement(&attributes, prefixes(0, 1))
    };
    let (one, _) = memory(|| vec![once(0)], 1, false);
    let (many, _) = memory(|| (0..200).map(once).collect(), 1, false);
    // A few unused sets may wait to be dropped.
    assert!(
        many < one * 20,
        "{many} after 200 replacements, {one} after one"
    );
}

#[test]
fn one_message_for_each_route_shares_the_attributes() {
    let attributes = AttributeSet {
        communities: (0..900).map(Community).collect(),
        ..AttributeSet::new(Origin::IGP)
    };
    let messages = || {
        (0..500)
            .map(|number| announcement(&attributes, prefixes(number, 1)))
            .collect()
    };
    let (octets, received) = memory(messages, 500, true);
    assert!(received > 500 * 3600);
    assert!(octets < 500 * 500, "{octets}");
}

/// The number of routes in the table of originated routes.
const ORIGINATED: u32 = 100_000;

#[test]
fn peer_that_is_denied_the_table_takes_a_bit_for_each_destination() {
    let mut rib = Rib::new();
    let route = |number: u32| {
        let prefix = Ipv4Net::new_assert((0x0a00_0000 + number).into(), 32);
        Route::new(prefix.into())
    };
    for number in 0..ORIGINATED {
        assert!(rib.announce(&route(number)));
    }
    let session = Peer::new().session;
    let negotiated = session.negotiated().unwrap();
    let own = PrefixRange::exactly(route(7).prefix().unwrap());
    let config = session
        .config()
        .clone()
        .with_export(ExportPolicy::only([own]));
    let before = ALLOCATED.get();
    let mut peers: Vec<_> = (0..10)
        .map(|_| AdjRibOut::new(&mut rib, &config, negotiated))
        .collect();
    let mut pull_all = |rib: &mut Rib| {
        for peer in &mut peers {
            let mut octets = BytesMut::new();
            while !peer.pull(rib, &mut octets, usize::MAX) {}
        }
        let withheld: Vec<_> = peers.iter().map(|peer| peer.withheld().total()).collect();
        (withheld, ALLOCATED.get().wrapping_sub(before))
    };
    let count = usize::try_from(ORIGINATED).unwrap();
    let (withheld, octets) = pull_all(&mut rib);
    assert_eq!(withheld, vec![count - 1; 10]);
    // The rest is the policy, and what a peer takes in any case.
    let bits = count / 8;
    assert!(octets < 10 * (bits + 4096), "{octets} octets");
    // A peer that is denied nothing takes no memory for it.
    for number in (0..ORIGINATED).filter(|number| *number != 7) {
        assert!(rib.withdraw(route(number).destination()));
    }
    let before = ALLOCATED.get();
    let (withheld, _) = pull_all(&mut rib);
    assert_eq!(withheld, [0; 10]);
    let freed = before.checked_sub(ALLOCATED.get());
    assert!(freed > Some(10 * bits), "{freed:?} octets freed");
}

/// Returns a message for each of the prefixes, with its own attributes of 32,000 octets.
fn large_messages(count: u32) -> Vec<BytesMut> {
    let message = |number: u32| {
        let attributes = AttributeSet {
            communities: (0..8000).map(|low| Community(number << 16 | low)).collect(),
            ..AttributeSet::new(Origin::IGP)
        };
        announcement(&attributes, prefixes(number, 1))
    };
    (0..count).map(message).collect()
}

/// The ways in which a peer's routes are removed.
#[derive(Clone, Copy, Debug)]
enum Removal {
    Withdrawn,
    NotRefreshed,
    StaleAtEndOfRib,
}

#[test]
fn attributes_of_removed_routes_are_freed() {
    for removal in [
        Removal::Withdrawn,
        Removal::NotRefreshed,
        Removal::StaleAtEndOfRib,
    ] {
        let mut peer = Peer::new();
        let before = ALLOCATED.get();
        for message in large_messages(100) {
            peer.receive(message);
        }
        let held = ALLOCATED.get().wrapping_sub(before);
        assert!(held > 100 * 32_000, "{held}");
        // One route is left, so that the table is not empty.
        let context = Context::new(PeerKind::Internal);
        let last = || large_messages(100).pop().unwrap();
        let mut octets = BytesMut::new();
        match removal {
            Removal::Withdrawn => {
                let withdrawn = prefixes(0, 99).map(Nlri::new);
                encode_withdrawals(&context, withdrawn, &mut octets).unwrap();
                peer.receive(octets);
            }
            Removal::NotRefreshed => {
                let mark = |subtype| {
                    let mut octets = BytesMut::new();
                    let family = Family::IPV4_UNICAST;
                    RouteRefresh { family, subtype }.encode(&mut octets);
                    octets
                };
                peer.receive(mark(RefreshSubtype::BEGIN));
                peer.receive(last());
                peer.receive(mark(RefreshSubtype::END));
            }
            Removal::StaleAtEndOfRib => {
                peer.restart();
                peer.receive(last());
                encode_end_of_rib(Family::IPV4_UNICAST, &mut octets);
                peer.receive(octets);
            }
        }
        assert_eq!(peer.table.len(), 1, "{removal:?}");
        let left = ALLOCATED.get().wrapping_sub(before);
        assert!(left < 5 * 32_000, "{left} octets are left: {removal:?}");
    }
}
