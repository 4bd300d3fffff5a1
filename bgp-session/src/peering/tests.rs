//! Dialogues with one peering: the octets that it hands to a driver, and the time at which it does.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgp_wire::{
    Asn, CapabilityBuf, Context, Family, Frame, HoldTime, KEEPALIVE, Message, MessageLimit,
    OpenBuf, PeerKind, RefreshSubtype, RouteRefresh, UpdateBuf,
};
use bytes::BytesMut;

use super::*;
use crate::config::LocalConfig;
use crate::{ExportPolicy, PrefixRange, Route};

mod flush;

struct Dialogue {
    peering: Peering,
    rib: Rib,
    now: Instant,
    connection: ConnectionId,
    /// Messages handed to the driver and not examined yet, and the octets that it has not written.
    sent: Vec<Frame>,
    unwritten: usize,
    deadline: Option<Instant>,
    /// The routes reported as withheld, with the reasons.
    withheld: Vec<String>,
}

fn config() -> PeerConfig {
    PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512))
}

fn route(number: u32) -> Route {
    let address = IpAddr::from((0x0a00_0000 + number).to_be_bytes());
    Route::new(address.into())
}

impl Dialogue {
    /// Returns an Established session with a peer that supports every kind of refresh, and a table of `routes`.
    #[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
    fn established(routes: u32, max_queued: usize) -> Self {
        let now = Instant::now();
        let local = LocalConfig::new(Asn::new(64512), "192.168.0.111".parse().unwrap());
        let mut rib = Rib::new();
        (0..routes).for_each(|number| assert!(rib.announce(&route(number))));
        let session = Session::new(local, config(), now, 1).unwrap();
        let mut peering = Peering::new(session).with_max_queued(max_queued);
        peering.start(now);
        let mut dialogue = Self {
            peering,
            rib,
            now,
            // That of the dial replaces it.
            connection: ConnectionId(0),
            sent: Vec::new(),
            unwritten: 0,
            deadline: None,
            withheld: Vec::new(),
        };
        dialogue.drain();
        dialogue.connect(&[Family::IPV4_UNICAST]);
        dialogue
    }

    /// Completes the dial, and the session with a peer of these families.
    fn connect(&mut self, families: &[Family]) {
        let local = "192.168.0.111".parse().unwrap();
        self.peering
            .handle_connected(self.now, self.connection, local);
        self.drain();
        let mut octets = BytesMut::new();
        let families = families.iter().copied();
        let mut open = OpenBuf {
            asn: Asn::new(64512),
            hold_time: HoldTime::DEFAULT,
            router_id: "192.168.0.254".parse().unwrap(),
            capabilities: vec![
                CapabilityBuf::RouteRefresh,
                CapabilityBuf::EnhancedRouteRefresh,
                CapabilityBuf::FourOctetAs(Asn::new(64512)),
                // Without it the peer would not understand End-of-RIB (RFC 4724 section 3).
                CapabilityBuf::GracefulRestart {
                    restarted: false,
                    notification: false,
                    restart_time: 120,
                    families: Vec::new(),
                },
            ],
        };
        open.capabilities
            .extend(families.map(CapabilityBuf::Multiprotocol));
        open.encode(&mut octets).unwrap();
        // OPEN and confirmation at once: the session is Established when this returns.
        octets.extend_from_slice(&KEEPALIVE);
        self.receive(octets);
    }

    /// Loses the connection and makes a new one with a peer of these families.
    fn reconnect(&mut self, families: &[Family]) {
        let lost = self.connection;
        self.peering.handle_closed(self.now, lost);
        self.drain();
        while self.connection == lost {
            self.wait(Duration::from_secs(1));
        }
        self.sent.clear();
        self.connect(families);
    }

    /// Takes the messages sent so far and returns the next hops of IPv6 routes.
    fn take_next_hops(&mut self) -> Vec<String> {
        let context = Context::new(PeerKind::Internal);
        let mut next_hops = Vec::new();
        for frame in self.sent.drain(..) {
            if let Message::Update(update) = frame.decode(&context).unwrap() {
                let update = UpdateBuf::from(&update.check().unwrap());
                let next_hop = update
                    .next_hops
                    .into_iter()
                    .find(|(family, _)| *family == Family::IPV6_UNICAST);
                next_hops.extend(next_hop.map(|(_, next_hop)| next_hop.to_string()));
            }
        }
        next_hops
    }

    /// Receives octets from the peer.
    fn receive(&mut self, mut octets: BytesMut) {
        self.peering
            .handle_bytes(self.now, self.connection, &mut octets);
        self.drain();
    }

    /// Polls every output and records the messages.
    fn drain(&mut self) {
        loop {
            match self.peering.poll_output(self.now, &mut self.rib) {
                Output::Transmit(id, octets) => {
                    // A peering sends on the one connection of the dialogue only.
                    assert_eq!(id, self.connection);
                    self.unwritten += octets.len();
                    let mut octets = BytesMut::from(octets);
                    while let Some(frame) =
                        Frame::split(&mut octets, MessageLimit::Standard).unwrap()
                    {
                        self.sent.push(frame);
                    }
                }
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Event(SessionEvent::Withheld(withheld)) => {
                    self.withheld.push(withheld.to_string());
                }
                Output::Dial(id) => self.connection = id,
                Output::Close(_) | Output::Event(_) => {}
            }
        }
    }

    /// Writes everything that the driver was handed.
    fn write(&mut self) {
        let taken = std::mem::take(&mut self.unwritten);
        self.peering
            .handle_written(self.now, self.connection, taken);
        self.drain();
    }

    /// Writes until the peering has nothing more to send.
    fn write_all(&mut self) {
        // Each write makes room, for which the peering takes more routes.
        while self.unwritten > 0 {
            self.write();
        }
    }

    /// Advances the clock.
    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.peering.handle_timeout(self.now);
        self.drain();
    }

    /// Changes the table and reports that.
    fn change(&mut self, change: impl FnOnce(&mut Rib)) {
        change(&mut self.rib);
        self.peering.handle_table_changed();
        self.drain();
    }

    /// Receives a request for all routes from the peer.
    fn ask_refresh(&mut self) {
        let mut octets = BytesMut::new();
        RouteRefresh {
            family: Family::IPV4_UNICAST,
            subtype: RefreshSubtype::REQUEST,
        }
        .encode(&mut octets);
        self.receive(octets);
    }

    /// Takes the messages sent so far and returns their numbers: routes, End-of-RIBs, begun refreshes.
    fn take(&mut self) -> Taken {
        let context = Context::new(PeerKind::Internal);
        let mut taken = Taken::default();
        for frame in self.sent.drain(..) {
            match frame.decode(&context).unwrap() {
                Message::Update(update) => {
                    let checked = update.check().unwrap();
                    taken.announced += checked.announced().count();
                    taken.withdrawn += checked.withdrawn().count();
                    taken.end_of_rib += usize::from(checked.end_of_rib().is_some());
                }
                Message::RouteRefresh(refresh) => {
                    taken.refreshes += usize::from(refresh.subtype == RefreshSubtype::BEGIN);
                }
                Message::Open(_) | Message::Keepalive => {}
                // A reset would hide the fault that the test looks for.
                Message::Notification(_) => panic!("{frame:?}"),
            }
        }
        taken
    }
}

/// Numbers of routes and markers that were sent.
#[derive(Debug, Default, PartialEq, Eq)]
struct Taken {
    announced: usize,
    withdrawn: usize,
    end_of_rib: usize,
    refreshes: usize,
}

fn announced(announced: usize) -> Taken {
    Taken {
        announced,
        ..Taken::default()
    }
}

#[test]
fn end_of_rib_follows_the_whole_table() {
    let mut dialogue = Dialogue::established(3, MAX_QUEUED);
    let whole = Taken {
        announced: 3,
        end_of_rib: 1,
        ..Taken::default()
    };
    assert_eq!(dialogue.take(), whole);
    assert!(dialogue.peering.is_up_to_date());
    dialogue.change(|rib| assert!(rib.withdraw(route(1).destination())));
    let withdrawn = Taken {
        withdrawn: 1,
        ..Taken::default()
    };
    assert_eq!(dialogue.take(), withdrawn);
}

#[test]
fn routes_are_taken_only_while_the_queue_has_room() {
    let mut dialogue = Dialogue::established(200_000, 8192);
    // A window of changes is encoded whole: 32,768 routes of five octets, and the headers of their messages.
    let limit = 8192 + 32_768 * 5 + 16 * 1024;
    let mut passes = 0;
    let mut total = 0;
    while !dialogue.peering.is_up_to_date() {
        assert!(dialogue.unwritten < limit, "{}", dialogue.unwritten);
        dialogue.drain();
        assert!(dialogue.unwritten < limit, "no room, and more is taken");
        total += dialogue.take().announced;
        dialogue.write();
        passes += 1;
    }
    total += dialogue.take().announced;
    assert_eq!((passes, total), (6, 200_000));
}

#[test]
fn slow_peer_is_sent_only_the_newest_state() {
    let mut dialogue = Dialogue::established(10_000, 4096);
    dialogue.take();
    // The driver writes nothing meanwhile: 99 changes of each route wait in the table.
    for preference in 1..100 {
        dialogue.change(|rib| {
            (0..10_000).for_each(|number| {
                assert!(rib.announce(&route(number).with_local_pref(preference)));
            });
        });
    }
    dialogue.write_all();
    assert_eq!(dialogue.take().announced, 10_000);
}

#[test]
fn refreshes_are_answered_once_a_second_and_after_the_last_answer_was_written() {
    let mut dialogue = Dialogue::established(1000, MAX_QUEUED);
    dialogue.write_all();
    dialogue.take();
    let answer = Taken {
        refreshes: 1,
        ..announced(1000)
    };
    dialogue.ask_refresh();
    assert_eq!(dialogue.take(), answer);
    // Two more at once get one answer, not before a second has passed.
    dialogue.ask_refresh();
    dialogue.ask_refresh();
    dialogue.write_all();
    assert_eq!(dialogue.take(), Taken::default());
    let wait = dialogue.deadline.unwrap() - dialogue.now;
    assert_eq!(wait, REFRESH_INTERVAL);
    dialogue.wait(wait);
    assert_eq!(dialogue.take(), answer);
    // The answer is still queued: the next one waits for the socket, for whatever time.
    dialogue.ask_refresh();
    dialogue.wait(REFRESH_INTERVAL * 2);
    assert_eq!(dialogue.take(), Taken::default());
    assert!(dialogue.deadline.unwrap() > dialogue.now, "no busy wait");
    dialogue.write();
    assert_eq!(dialogue.take(), answer);
}

#[test]
fn new_policy_withdraws_and_announces_what_it_changes() {
    let mut dialogue = Dialogue::established(4, MAX_QUEUED);
    dialogue.take();
    // Two of the four routes are in this prefix.
    let lower = PrefixRange::inside_of("10.0.0.0/31".parse().unwrap());
    let policy = ExportPolicy::only([lower]).with_local_pref(7);
    dialogue
        .peering
        .update(dialogue.now, config().with_export(policy))
        .unwrap();
    dialogue.drain();
    let changed = Taken {
        announced: 2,
        withdrawn: 2,
        ..Taken::default()
    };
    assert_eq!(dialogue.take(), changed);
    // A new policy needs no reset.
    assert_eq!(
        dialogue.peering.session().state(),
        crate::State::Established
    );
}

#[test]
fn draining_sends_the_table_again_and_ends_with_it() {
    let mut dialogue = Dialogue::established(2, MAX_QUEUED);
    dialogue.take();
    // GRACEFUL_SHUTDOWN is an attribute (RFC 8326): it is added or removed by sending the route again.
    for draining in [true, false] {
        dialogue.peering.set_draining(draining);
        dialogue.drain();
        assert_eq!(dialogue.take(), announced(2), "draining: {draining}");
    }
}

/// The peer has not negotiated IPv6 unicast.
#[test]
fn withheld_route_is_reported_once_and_counted_in_the_flush() {
    let mut dialogue = Dialogue::established(1, MAX_QUEUED);
    let ipv6 = |text: &str| Route::new(text.parse().unwrap());
    dialogue.change(|rib| assert!(rib.announce(&ipv6("2001:db8::/32"))));
    dialogue.change(|rib| assert!(rib.announce(&ipv6("2001:db8:1::/48"))));
    assert_eq!(dialogue.withheld, ["2001:db8::/32: family not negotiated"]);
    let too_long = (0..1100).fold(route(5), |route, value| {
        route.with_community(bgp_wire::Community(value))
    });
    dialogue.change(|rib| assert!(rib.announce(&too_long)));
    assert!(dialogue.withheld[1].starts_with("10.0.0.5/32: too long for a message ("));
    let flush = dialogue.peering.flush(&mut dialogue.rib);
    dialogue.drain();
    dialogue.write_all();
    let connection = dialogue.connection;
    dialogue.peering.handle_unacknowledged(connection, 0);
    let (ended, flushed) = dialogue.peering.poll_flushed().unwrap();
    assert_eq!(
        (ended, flushed.outcome),
        (flush, FlushOutcome::Acknowledged)
    );
    assert!(!flushed.is_complete());
    let counts = "2 family not negotiated, 1 too long for a message";
    assert_eq!(flushed.withheld.to_string(), counts);
    assert_eq!(dialogue.peering.withheld(), flushed.withheld);
    // No session has no routes to withhold.
    let now = dialogue.now;
    dialogue.peering.handle_closed(now, connection);
    dialogue.drain();
    assert!(dialogue.peering.withheld().is_empty());
}

#[test]
fn interface_addresses_are_next_hops_only_in_a_session() {
    let mut dialogue = Dialogue::established(1, MAX_QUEUED);
    // IPv4 alone is negotiated, over IPv4.
    assert!(!dialogue.peering.needs_interface_addresses());
    dialogue.change(|rib| assert!(rib.announce(&Route::new("2001:db8::/32".parse().unwrap()))));
    let both = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];
    let addresses = ["2001:db8::1/64".parse().unwrap()];
    for _ in 0..2 {
        // Addresses of the session before, or from the time without a session, may be those of another interface.
        dialogue.withheld.clear();
        dialogue.reconnect(&both);
        assert!(dialogue.peering.needs_interface_addresses());
        assert_eq!(dialogue.take_next_hops(), [""; 0]);
        assert_eq!(dialogue.withheld, ["2001:db8::/32: no usable next hop"]);
        dialogue.peering.handle_interface_addresses(&addresses);
        dialogue.drain();
        assert_eq!(dialogue.take_next_hops(), ["2001:db8::1"]);
        let (now, connection) = (dialogue.now, dialogue.connection);
        dialogue.peering.handle_closed(now, connection);
        dialogue.drain();
        assert!(!dialogue.peering.needs_interface_addresses());
        dialogue.peering.handle_interface_addresses(&addresses);
        dialogue.drain();
    }
}

#[test]
fn session_that_is_down_keeps_no_position_in_the_table() {
    // Both ends of a position: the peering is dropped, or its session goes down.
    for drops in [false, true] {
        let mut dialogue = Dialogue::established(1000, 4096);
        let (now, connection) = (dialogue.now, dialogue.connection);
        if drops {
            let session = Session::new(
                LocalConfig::new(Asn::new(64512), "192.168.0.111".parse().unwrap()),
                config(),
                now,
                1,
            )
            .unwrap();
            dialogue.peering = Peering::new(session);
        } else {
            dialogue.peering.handle_closed(now, connection);
            dialogue.drain();
        }
        for number in 0..1000 {
            assert!(dialogue.rib.withdraw(route(number).destination()));
        }
        // Withdrawals stay in the log while a position precedes them.
        for _ in 0..1000 {
            dialogue.rib.announce(&route(0));
            dialogue.rib.withdraw(route(0).destination());
        }
        let positions = dialogue.rib.ipv4_positions();
        assert!(positions < 300, "{positions} positions are kept");
    }
}
