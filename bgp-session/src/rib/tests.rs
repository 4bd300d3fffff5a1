//! The table and its readers against a naive model.

use std::collections::BTreeMap;
use std::time::Duration;

use bgp_wire::{
    Asn, Context, Family, Frame, HoldTime, Message, MessageLimit, PeerKind, RefreshSubtype,
    RouterId,
};
use bytes::BytesMut;
use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::config::PeerConfig;
use crate::negotiate::Negotiated;

fn negotiated(peer: PeerKind) -> Negotiated {
    let peer_as = Asn::new(if peer == PeerKind::Internal {
        64512
    } else {
        64513
    });
    Negotiated {
        local_as: Asn::new(64512),
        peer_as,
        peer_router_id: RouterId::new(192, 168, 0, 254).unwrap(),
        local_address: "192.168.0.111".parse().unwrap(),
        hold_time: HoldTime::DEFAULT,
        keepalive: Duration::from_secs(30),
        context: Context::new(peer),
        sends: Context::new(peer),
        route_refresh: true,
        enhanced_route_refresh: true,
        end_of_rib: true,
        restart: None,
        peer_role: None,
    }
}

fn config() -> PeerConfig {
    PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512))
        .next_hop_ipv6("2001:db8::111".parse().unwrap())
        .export(ExportPolicy::all())
}

/// The receiving end: what it holds, and what it was told.
#[derive(Default)]
struct Peer {
    adj_rib_out: Option<AdjRibOut>,
    table: BTreeMap<IpNet, u32>,
    announcements: usize,
    marks: Vec<String>,
}

impl Peer {
    fn up(&mut self, rib: &mut Rib) {
        self.down(rib);
        self.adj_rib_out = Some(AdjRibOut::new(
            rib,
            &config(),
            &negotiated(PeerKind::Internal),
        ));
    }

    fn down(&mut self, rib: &mut Rib) {
        if let Some(adj_rib_out) = self.adj_rib_out.take() {
            adj_rib_out.close(rib);
        }
        *self = Self::default();
    }

    fn pull(&mut self, rib: &mut Rib, budget: usize) -> bool {
        let Some(adj_rib_out) = &mut self.adj_rib_out else {
            return true;
        };
        let mut octets = BytesMut::new();
        let up_to_date = adj_rib_out.pull(rib, &mut octets, budget);
        while let Some(frame) = Frame::split(&mut octets, MessageLimit::Standard).unwrap() {
            match frame.decode(&Context::new(PeerKind::Internal)).unwrap() {
                Message::Update(update) => {
                    let checked = update.check().unwrap();
                    for nlri in checked.withdrawn() {
                        self.table.remove(&nlri.prefix);
                    }
                    for nlri in checked.announced() {
                        self.announcements += 1;
                        self.table
                            .insert(nlri.prefix, checked.local_pref().unwrap());
                    }
                    self.marks
                        .extend(checked.end_of_rib().map(|family| format!("EoR {family}")));
                }
                Message::RouteRefresh(refresh) => self
                    .marks
                    .push(format!("{} {}", refresh.subtype, refresh.family)),
                Message::Open(_) | Message::Notification(_) | Message::Keepalive => {
                    panic!("not a route")
                }
            }
        }
        up_to_date
    }
}

fn messages(octets: &[u8]) -> usize {
    let mut octets = BytesMut::from(octets);
    std::iter::from_fn(|| Frame::split(&mut octets, MessageLimit::Standard).unwrap()).count()
}

fn prefix(number: u8) -> IpNet {
    match number % 2 {
        0 => format!("10.0.{number}.0/24").parse().unwrap(),
        _ => format!("2001:db8:{number}::/48").parse().unwrap(),
    }
}

fn route(number: u8, preference: u32) -> Route {
    Route::new(prefix(number)).local_pref(preference)
}

#[derive(Clone, Debug)]
enum Step {
    Announce(u8, u32),
    Withdraw(u8),
    Replace(Vec<(u8, u32)>),
    Up(usize),
    Down(usize),
    Pull(usize, usize),
    Refresh(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..40u8, 0..3u32).prop_map(|(number, preference)| Step::Announce(number, preference)),
        6 => (0..40u8).prop_map(Step::Withdraw),
        1 => prop::collection::vec((0..40u8, 0..3u32), 0..40).prop_map(Step::Replace),
        1 => (0..3usize).prop_map(Step::Up),
        1 => (0..3usize).prop_map(Step::Down),
        4 => (0..3usize, prop_oneof![Just(1), Just(60), Just(4096)]).prop_map(|(peer, budget)| Step::Pull(peer, budget)),
        1 => (0..3usize).prop_map(Step::Refresh),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_peer_ends_with_the_table(steps in prop::collection::vec(step(), 0..600)) {
        let (mut rib, mut model) = (Rib::new(), BTreeMap::new());
        let mut peers: [Peer; 3] = Default::default();
        for step in steps {
            match step {
                Step::Announce(number, preference) => {
                    let changed = model.insert(prefix(number), preference) != Some(preference);
                    prop_assert_eq!(rib.announce(&route(number, preference)), changed);
                }
                Step::Withdraw(number) => {
                    prop_assert_eq!(rib.withdraw(prefix(number)), model.remove(&prefix(number)).is_some());
                }
                Step::Replace(set) => {
                    model = set.iter().map(|(number, preference)| (prefix(*number), *preference)).collect();
                    let routes: Vec<_> = model.iter().map(|(prefix, lp)| Route::new(*prefix).local_pref(*lp)).collect();
                    rib.replace(&routes);
                }
                Step::Up(peer) => peers[peer].up(&mut rib),
                Step::Down(peer) => peers[peer].down(&mut rib),
                Step::Pull(peer, budget) => drop(peers[peer].pull(&mut rib, budget)),
                Step::Refresh(peer) => {
                    if let Some(adj_rib_out) = &mut peers[peer].adj_rib_out {
                        adj_rib_out.refresh(Family::IPV4_UNICAST);
                        adj_rib_out.refresh(Family::IPV6_UNICAST);
                    }
                }
            }
            prop_assert_eq!(rib.len(), model.len());
        }
        let routes: BTreeMap<_, _> =
            rib.routes().map(|route| (route.prefix(), route.attributes().local_pref.unwrap())).collect();
        prop_assert_eq!(&routes, &model);
        for peer in &mut peers {
            while !peer.pull(&mut rib, 1000) {}
            if peer.adj_rib_out.is_some() {
                prop_assert_eq!(&peer.table, &model);
                let before = peer.announcements;
                prop_assert!(peer.pull(&mut rib, 1000) && peer.announcements == before, "nothing twice");
            }
        }
    }
}

#[test]
fn a_slow_reader_sees_each_prefix_once_and_costs_nothing() {
    let mut rib = Rib::new();
    let (mut slow, mut quick) = (Peer::default(), Peer::default());
    slow.up(&mut rib);
    quick.up(&mut rib);
    for round in 0..1000 {
        for number in (0..100).step_by(2) {
            rib.announce(&route(number, round));
        }
        while !quick.pull(&mut rib, 4096) {}
    }
    assert!(
        rib.ipv4.positions() <= 250,
        "{} positions for 50 prefixes",
        rib.ipv4.positions()
    );
    while !slow.pull(&mut rib, 4096) {}
    assert_eq!((slow.announcements, quick.announcements), (50, 50_000));
    assert_eq!(slow.table, quick.table);
}

#[test]
fn withdrawals_reach_who_has_the_route_and_nobody_else() {
    let mut rib = Rib::new();
    let mut early = Peer::default();
    early.up(&mut rib);
    rib.announce(&route(2, 0));
    assert!(early.pull(&mut rib, 4096));
    rib.withdraw(prefix(2));
    let mut late = AdjRibOut::new(&mut rib, &config(), &negotiated(PeerKind::Internal));
    let mut octets = BytesMut::new();
    assert!(late.pull(&mut rib, &mut octets, 4096));
    assert_eq!(octets.len(), 23 + 29, "two End-of-RIB markers");
    assert!(early.pull(&mut rib, 4096));
    assert!(early.table.is_empty());
}

#[test]
fn markers_stand_around_what_they_mark() {
    let mut rib = Rib::new();
    rib.announce(&route(2, 0));
    let mut peer = Peer::default();
    peer.up(&mut rib);
    assert!(peer.pull(&mut rib, 4096));
    let adj_rib_out = peer.adj_rib_out.as_mut().unwrap();
    assert_eq!(adj_rib_out.version(), Some(1));
    adj_rib_out.refresh(Family::IPV4_UNICAST);
    assert_eq!(adj_rib_out.version(), None);
    // Asked for again before it has begun: one answer. Asked for while it is under way: one more.
    adj_rib_out.refresh(Family::IPV4_UNICAST);
    assert!(!peer.pull(&mut rib, 1), "BoRR fills the budget");
    for _ in 0..100 {
        peer.adj_rib_out
            .as_mut()
            .unwrap()
            .refresh(Family::IPV4_UNICAST);
    }
    assert!(peer.pull(&mut rib, 4096));
    let begin = format!("{} ipv4 unicast", RefreshSubtype::BEGIN);
    let end = format!("{} ipv4 unicast", RefreshSubtype::END);
    let expected = [
        "EoR ipv4 unicast",
        "EoR ipv6 unicast",
        &begin,
        &end,
        &begin,
        &end,
    ];
    assert_eq!(peer.marks, expected);
    assert_eq!(peer.announcements, 3);
}

#[test]
fn a_refresh_during_the_first_pass_is_answered_behind_it() {
    let mut rib = Rib::new();
    rib.announce(&route(2, 0));
    let mut peer = Peer::default();
    peer.up(&mut rib);
    peer.adj_rib_out
        .as_mut()
        .unwrap()
        .refresh(Family::IPV4_UNICAST);
    assert!(peer.pull(&mut rib, 4096));
    let begin = format!("{} ipv4 unicast", RefreshSubtype::BEGIN);
    let end = format!("{} ipv4 unicast", RefreshSubtype::END);
    assert_eq!(
        peer.marks,
        ["EoR ipv4 unicast", &begin, &end, "EoR ipv6 unicast"]
    );
    assert_eq!(peer.announcements, 2);
}

#[test]
fn replacing_by_the_same_set_changes_nothing() {
    let mut rib = Rib::new();
    let twice = [route(2, 0), route(2, 1), route(4, 0)];
    assert_eq!(
        rib.replace(&twice),
        Replaced {
            announced: 2,
            withdrawn: 0
        }
    );
    assert_eq!(rib.replace(&twice), Replaced::default());
    assert_eq!(
        rib.route("10.0.2.7/24".parse().unwrap()),
        Some(route(2, 1)),
        "the last one counts"
    );
    assert_eq!(
        rib.replace(&[]),
        Replaced {
            announced: 0,
            withdrawn: 2
        }
    );
}

#[test]
fn external_peers_see_our_as_in_front() {
    let mut rib = Rib::new();
    rib.announce(&route(2, 7));
    let mut adj_rib_out = AdjRibOut::new(&mut rib, &config(), &negotiated(PeerKind::External));
    let mut octets = BytesMut::new();
    assert!(adj_rib_out.pull(&mut rib, &mut octets, 4096));
    let frame = Frame::split(&mut octets, MessageLimit::Standard)
        .unwrap()
        .unwrap();
    let context = Context::new(PeerKind::External);
    let Ok(Message::Update(update)) = frame.decode(&context) else {
        panic!()
    };
    let checked = update.check().unwrap();
    assert_eq!(checked.as_path().unwrap().to_string(), "64512");
    assert_eq!(
        checked.fault(),
        None,
        "no LOCAL_PREF, which an external peer would discard"
    );
}

#[test]
fn what_cannot_be_sent_is_withdrawn_and_said() {
    let mut rib = Rib::new();
    rib.announce(&route(3, 0));
    let config = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512));
    let mut adj_rib_out = AdjRibOut::new(&mut rib, &config, &negotiated(PeerKind::Internal));
    let mut octets = BytesMut::new();
    assert!(adj_rib_out.pull(&mut rib, &mut octets, 4096));
    let skipped = adj_rib_out.skipped();
    assert_eq!(skipped.routes, 1);
    assert_eq!(
        skipped.error.unwrap().to_string(),
        "routes of ipv6 unicast need a next hop"
    );
    assert_eq!(messages(&octets), 3, "End-of-RIB, withdrawal, End-of-RIB");
}

#[test]
fn ten_thousand_host_routes_take_thirteen_messages() {
    let mut rib = Rib::new();
    for number in 0..10_000u32 {
        let prefix = Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap();
        rib.announce(
            &Route::new(prefix.into())
                .local_pref(0)
                .origin(Origin::INCOMPLETE),
        );
    }
    let mut adj_rib_out = AdjRibOut::new(&mut rib, &config(), &negotiated(PeerKind::Internal));
    let mut octets = BytesMut::new();
    assert!(adj_rib_out.pull(&mut rib, &mut octets, usize::MAX));
    assert_eq!(messages(&octets), 13 + 2, "and two End-of-RIB markers");
}
