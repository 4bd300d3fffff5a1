//! The table and its readers against a naive model.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bgp_wire::{
    Asn, AttributeSet, Community, Context, Family, FamilySet, Frame, HoldTime, Message,
    MessageLimit, Origin, PeerKind, RefreshSubtype, RouterId,
};
use bytes::BytesMut;
use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::*;
use crate::config::{ExportPolicy, PeerConfig, PrefixRange};
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
    /// It knows path identifiers.
    add_path: bool,
    /// What its policy is: 0 for everything.
    policy: u8,
    table: Table,
    announcements: usize,
    marks: Vec<String>,
    /// What has changed since it was sent.
    changed: BTreeSet<(IpNet, Option<PathId>)>,
    /// What changes while it pulls.
    concurrent: BTreeSet<(IpNet, Option<PathId>)>,
    /// It is sent everything, as it has just come up, or has asked for it, or its policy is another.
    passing: bool,
}

/// LOCAL_PREF by prefix and path identifier.
type Table = BTreeMap<(IpNet, Option<PathId>), u32>;

impl Peer {
    fn up(&mut self, rib: &mut Rib) {
        self.down(rib);
        let config = policy(self.policy);
        self.adj_rib_out = Some(AdjRibOut::new(rib, &config, &self.negotiated()));
        self.passing = true;
    }

    /// A path to a prefix has changed.
    fn change(&mut self, number: u8, path_id: u32) {
        self.changed.extend(keys(number, path_id));
    }

    fn negotiated(&self) -> Negotiated {
        Negotiated {
            sends: self.context(),
            ..negotiated(PeerKind::Internal)
        }
    }

    fn down(&mut self, rib: &mut Rib) {
        if let Some(adj_rib_out) = self.adj_rib_out.take() {
            adj_rib_out.close(rib);
        }
        *self = Self {
            add_path: self.add_path,
            policy: self.policy,
            ..Self::default()
        };
    }

    fn context(&self) -> Context {
        let families = [Family::IPV4_UNICAST, Family::IPV6_UNICAST];
        let families = families.into_iter().filter(|_| self.add_path);
        Context::new(PeerKind::Internal).with_add_path(families)
    }

    /// What the peer should hold of this table.
    fn share(&self, model: &BTreeMap<(u8, u32), u32>) -> Table {
        let mut table = Table::new();
        for ((number, path_id), preference) in model.iter().rev() {
            if allowed(self.policy, *number) {
                // The lowest identifier comes last.
                let path_id = self.add_path.then_some(PathId(*path_id));
                table.insert((prefix(*number), path_id), *preference);
            }
        }
        table
    }

    fn pull(&mut self, table: &mut impl RibAccess, budget: usize) -> bool {
        let Some(adj_rib_out) = &mut self.adj_rib_out else {
            return true;
        };
        let mut octets = BytesMut::new();
        let up_to_date = adj_rib_out.pull(table, &mut octets, budget);
        while let Some(frame) = Frame::split(&mut octets, MessageLimit::Standard).unwrap() {
            let context = self.context();
            match frame.decode(&context).unwrap() {
                Message::Update(update) => {
                    let checked = update.check().unwrap();
                    for nlri in checked.withdrawn() {
                        self.table.remove(&(nlri.prefix, nlri.path_id));
                    }
                    for nlri in checked.announced() {
                        let key = (nlri.prefix, nlri.path_id);
                        let caused = self.changed.remove(&key) || self.concurrent.contains(&key);
                        assert!(caused || self.passing, "{nlri} twice without cause");
                        self.announcements += 1;
                        let preference = checked.local_pref().unwrap();
                        self.table.insert((nlri.prefix, nlri.path_id), preference);
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
        self.passing &= !up_to_date;
        up_to_date
    }
}

/// The keys by which peers without and with path identifiers know a path.
fn keys(number: u8, path_id: u32) -> [(IpNet, Option<PathId>); 2] {
    let prefix = prefix(number);
    [(prefix, None), (prefix, Some(PathId(path_id)))]
}

/// A table that changes whenever it is unlocked.
struct Busy<'a, C> {
    rib: &'a mut Rib,
    changes: C,
}

impl<C: Iterator<Item = Vec<Route>>> RibAccess for Busy<'_, C> {
    fn with_rib<T>(&mut self, act: impl FnOnce(&mut Rib) -> T) -> T {
        let result = act(self.rib);
        for route in self.changes.next().unwrap_or_default() {
            self.rib.announce(&route);
        }
        result
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

/// Policies by number.
fn policy(number: u8) -> PeerConfig {
    let halves = ["10.0.0.0/8", "2001:db8::/32"];
    let ranges = |texts: &[&str]| {
        let ranges = texts
            .iter()
            .map(|text| PrefixRange::inside_of(text.parse().unwrap()));
        ExportPolicy::only(ranges.collect::<Vec<_>>())
    };
    config().export(match number {
        0 => ExportPolicy::all(),
        1 => ranges(&halves[..1]),
        2 => ranges(&halves[1..]),
        _ => ranges(&["10.0.4.0/24", "10.0.6.0/24", "2001:db8:7::/48"]),
    })
}

fn allowed(policy: u8, number: u8) -> bool {
    match policy {
        0 => true,
        1 => number.is_multiple_of(2),
        2 => !number.is_multiple_of(2),
        _ => matches!(number, 4 | 6 | 7),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Announce(u8, u32, u32),
    Withdraw(u8),
    WithdrawPath(u8, u32),
    Replace(Vec<(u8, u32, u32)>),
    Up(usize),
    Down(usize),
    /// With announcements that come while the peer pulls.
    Pull(usize, usize, Vec<(u8, u32, u32)>),
    Refresh(usize),
    Policy(usize, u8),
}

/// Few prefixes, and mostly one path to each.
fn step() -> impl Strategy<Value = Step> {
    let path = || prop_oneof![3 => Just(1), 2 => 0..4u32];
    let route = || (0..12u8, path(), 0..3u32);
    let budget = || prop_oneof![Just(1), Just(60), Just(4096)];
    prop_oneof![
        8 => route().prop_map(|(number, path, preference)| Step::Announce(number, path, preference)),
        3 => (0..12u8).prop_map(Step::Withdraw),
        3 => (0..12u8, path()).prop_map(|(number, path)| Step::WithdrawPath(number, path)),
        1 => prop::collection::vec(route(), 0..20).prop_map(Step::Replace),
        1 => (0..4usize).prop_map(Step::Up),
        1 => (0..4usize).prop_map(Step::Down),
        4 => (0..4usize, budget(), Just(Vec::new())).prop_map(|(peer, budget, routes)| Step::Pull(peer, budget, routes)),
        1 => (0..4usize, budget(), prop::collection::vec(route(), 0..6)).prop_map(|(peer, budget, routes)| Step::Pull(peer, budget, routes)),
        1 => (0..4usize).prop_map(Step::Refresh),
        1 => (0..4usize, 0..4u8).prop_map(|(peer, policy)| Step::Policy(peer, policy)),
    ]
}

fn path(number: u8, path_id: u32, preference: u32) -> Route {
    route(number, preference).path_id(PathId(path_id))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_peer_ends_with_its_share_of_the_table(steps in prop::collection::vec(step(), 0..400)) {
        let (mut rib, mut model) = (Rib::new(), BTreeMap::new());
        let mut peers: [Peer; 4] = Default::default();
        (peers[2].add_path, peers[3].add_path) = (true, true);
        for step in steps {
            match step {
                Step::Announce(number, path_id, preference) => {
                    peers.iter_mut().for_each(|peer| peer.change(number, path_id));
                    let changed = model.insert((number, path_id), preference) != Some(preference);
                    prop_assert_eq!(rib.announce(&path(number, path_id, preference)), changed);
                }
                Step::Withdraw(number) => {
                    (0..4).for_each(|id| peers.iter_mut().for_each(|peer| peer.change(number, id)));
                    let before = model.len();
                    model.retain(|(known, _), _| *known != number);
                    prop_assert_eq!(rib.withdraw(prefix(number)), model.len() < before);
                }
                Step::WithdrawPath(number, path_id) => {
                    peers.iter_mut().for_each(|peer| peer.change(number, path_id));
                    let known = model.remove(&(number, path_id)).is_some();
                    prop_assert_eq!(rib.withdraw_path(prefix(number), PathId(path_id)), known);
                }
                Step::Replace(set) => {
                    for (number, path_id) in set.iter().map(|(number, path_id, _)| (number, path_id)).chain(model.keys().map(|(number, path_id)| (number, path_id))) {
                        peers.iter_mut().for_each(|peer| peer.change(*number, *path_id));
                    }
                    model = set.iter().map(|(number, path_id, preference)| ((*number, *path_id), *preference)).collect();
                    let routes: Vec<_> = model.iter().map(|((number, id), preference)| path(*number, *id, *preference)).collect();
                    rib.replace(&routes);
                }
                Step::Up(peer) => peers[peer].up(&mut rib),
                Step::Down(peer) => peers[peer].down(&mut rib),
                Step::Pull(peer, budget, routes) => {
                    let concurrent = routes.iter().flat_map(|(number, path_id, _)| keys(*number, *path_id));
                    peers[peer].concurrent = concurrent.collect();
                    let changes = routes.iter().map(|(number, path_id, preference)| {
                        model.insert((*number, *path_id), *preference);
                        vec![path(*number, *path_id, *preference)]
                    });
                    peers[peer].pull(&mut Busy { rib: &mut rib, changes }, budget);
                    peers[peer].concurrent.clear();
                    routes.iter().for_each(|(number, path_id, _)| peers.iter_mut().for_each(|peer| peer.change(*number, *path_id)));
                }
                Step::Refresh(peer) => {
                    peers[peer].passing = true;
                    if let Some(adj_rib_out) = &mut peers[peer].adj_rib_out {
                        adj_rib_out.refresh(Family::IPV4_UNICAST);
                        adj_rib_out.refresh(Family::IPV6_UNICAST);
                    }
                }
                Step::Policy(peer, number) => {
                    peers[peer].policy = number;
                    peers[peer].passing = true;
                    let negotiated = peers[peer].negotiated();
                    if let Some(adj_rib_out) = &mut peers[peer].adj_rib_out {
                        adj_rib_out.set_policy(&policy(number), &negotiated);
                    }
                }
            }
            prop_assert_eq!(rib.len(), model.len());
        }
        let routes = rib.routes().map(|route| ((route.prefix().unwrap(), route.nlri().path_id), route.attributes().local_pref.unwrap()));
        let whole = Peer { add_path: true, ..Peer::default() };
        prop_assert_eq!(&routes.collect::<Table>(), &whole.share(&model));
        for peer in &mut peers {
            while !peer.pull(&mut rib, 1000) {}
            if peer.adj_rib_out.is_some() {
                prop_assert_eq!(&peer.table, &peer.share(&model));
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
            slow.change(number, 1);
            quick.change(number, 1);
            rib.announce(&route(number, round));
        }
        while !quick.pull(&mut rib, 4096) {}
    }
    assert!(
        rib.ipv4_positions() <= 250,
        "{} positions for 50 prefixes",
        rib.ipv4_positions()
    );
    while !slow.pull(&mut rib, 4096) {}
    assert_eq!((slow.announcements, quick.announcements), (50, 50_000));
    assert_eq!(slow.table, quick.table);
}

/// The path's place in the table is used by another one before the message is written.
#[test]
fn pull_encodes_paths_as_they_were_when_the_table_was_unlocked() {
    let mut rib = Rib::new();
    rib.announce(&route(2, 7));
    let mut peer = Peer::default();
    peer.up(&mut rib);
    let before = rib.version();
    let mut table = Busy {
        rib: &mut rib,
        // The version is read before the first window is taken.
        changes: [vec![], vec![route(2, 8), route(4, 9)]].into_iter(),
    };
    assert!(peer.pull(&mut table, 4096));
    assert_eq!(peer.table.get(&(prefix(2), None)), Some(&7));
    assert_eq!(peer.adj_rib_out.as_ref().unwrap().version(), Some(before));
    [2, 4].into_iter().for_each(|number| peer.change(number, 1));
    assert!(peer.pull(&mut rib, 4096));
    assert_eq!(peer.table.get(&(prefix(2), None)), Some(&8));
    assert_eq!(peer.table.get(&(prefix(4), None)), Some(&9));
    assert_eq!(
        peer.adj_rib_out.as_ref().unwrap().version(),
        Some(rib.version())
    );
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
    peer.passing = true;
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
        rib.route("10.0.2.7/24".parse::<IpNet>().unwrap()),
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
        "missing next hop for `ipv6 unicast` routes"
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

/// What one peer is sent for one route, as attributes and next hop.
fn sent(route: &Route, config: &PeerConfig, negotiated: &Negotiated, draining: bool) -> String {
    let mut rib = Rib::new();
    rib.announce(route);
    let mut adj_rib_out = AdjRibOut::new(&mut rib, config, negotiated);
    adj_rib_out.set_draining(draining);
    let mut octets = BytesMut::new();
    assert!(adj_rib_out.pull(&mut rib, &mut octets, usize::MAX));
    let context = negotiated.sends;
    while let Some(frame) = Frame::split(&mut octets, MessageLimit::Standard).unwrap() {
        if let Ok(Message::Update(update)) = frame.decode(&context) {
            let checked = update.check().unwrap();
            assert_eq!(checked.fault(), None);
            if let Some((next_hop, nlri)) = checked.announced_with_next_hops().next() {
                let attributes = AttributeSet::from(&checked);
                return format!("{nlri} via {next_hop}: {attributes}");
            }
        }
    }
    "nothing".to_owned()
}

#[test]
fn policies_change_what_is_sent() {
    let route = route(2, 7)
        .multi_exit_disc(1)
        .community("64512:1".parse().unwrap())
        .next_hop("192.0.2.9".parse().unwrap());
    let policy = ExportPolicy::only([PrefixRange::inside_of("10.0.0.0/8".parse().unwrap())])
        .local_pref(200)
        .multi_exit_disc(50)
        .community("64512:2".parse().unwrap())
        .large_community("1:2:3".parse().unwrap())
        .prepend(2)
        .next_hop("192.0.2.1".parse().unwrap());
    let plain = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512));
    let (internal, external) = (
        negotiated(PeerKind::Internal),
        negotiated(PeerKind::External),
    );
    let rich = plain.clone().export(policy);
    let draining = "origin IGP local-preference 0 community [ 64512:1 graceful-shutdown ]";
    for (config, negotiated, drain, expected) in [
        (
            &plain,
            &internal,
            false,
            "10.0.2.0/24 via 192.0.2.9: origin igp med 1 local-preference 7 community [ 64512:1 ]"
                .to_owned(),
        ),
        // RFC 8212.
        (&plain, &external, false, "nothing".to_owned()),
        (
            &rich,
            &internal,
            false,
            "10.0.2.0/24 via 192.0.2.1: origin igp med 50 local-preference 200 \
             community [ 64512:1 64512:2 ] large-community [ 1:2:3 ]"
                .to_owned(),
        ),
        (
            &rich,
            &external,
            false,
            "10.0.2.0/24 via 192.0.2.1: origin igp as-path [ 64512 64512 64512 ] med 50 \
             community [ 64512:1 64512:2 ] large-community [ 1:2:3 ]"
                .to_owned(),
        ),
        // RFC 8326.
        (
            &rich,
            &external,
            true,
            "10.0.2.0/24 via 192.0.2.1: origin igp as-path [ 64512 64512 64512 ] med 50 \
             community [ 64512:1 64512:2 graceful-shutdown ] large-community [ 1:2:3 ]"
                .to_owned(),
        ),
        (
            &plain,
            &internal,
            true,
            format!("10.0.2.0/24 via 192.0.2.9: {draining}").replace("IGP", "igp med 1"),
        ),
    ] {
        assert_eq!(sent(&route, config, negotiated, drain), expected);
    }
}

/// What waits for a slow peer is bounded even where every route has long attributes of its own.
#[test]
fn long_attributes_are_pulled_a_few_at_a_time() {
    let mut rib = Rib::new();
    for number in 0..3000_u32 {
        let prefix = Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap();
        let mut route = Route::new(prefix.into());
        for value in 0..900 {
            route = route.community(Community(number * 1000 + value));
        }
        rib.announce(&route);
    }
    let negotiated = negotiated(PeerKind::Internal);
    let mut out = AdjRibOut::new(&mut rib, &config(), &negotiated);
    let mut pulls = 0;
    loop {
        let mut octets = BytesMut::new();
        let over = out.pull(&mut rib, &mut octets, 64 * 1024);
        assert!(octets.len() < 2_300_000, "{} octets", octets.len());
        pulls += 1;
        if over {
            break;
        }
    }
    assert!(pulls > 5, "{pulls}");
}

#[test]
fn policies_hold_back() {
    let only = ExportPolicy::only([PrefixRange::inside_of("10.0.0.0/8".parse().unwrap())]);
    let other = Route::new("172.16.0.0/12".parse().unwrap());
    let internal = negotiated(PeerKind::Internal);
    assert_eq!(
        sent(&other, &config().export(only), &internal, false),
        "nothing"
    );
}

/// RFC 9494 section 4.3: a last resort is for peers that know what to make of it.
#[test]
fn a_last_resort_is_for_who_knows_it() {
    let last_resort = route(2, 7).community(Community::LLGR_STALE);
    let plain = negotiated(PeerKind::Internal);
    assert_eq!(sent(&last_resort, &config(), &plain, false), "nothing");
    let restart = crate::PeerRestart {
        restarted: false,
        notification: false,
        restart_time: Duration::ZERO,
        families: FamilySet::EMPTY,
        forwarding: FamilySet::EMPTY,
        long_lived: vec![(Family::IPV4_UNICAST, Duration::from_secs(60))],
        long_lived_forwarding: FamilySet::EMPTY,
    };
    let knows = Negotiated {
        restart: Some(restart),
        ..plain
    };
    let sent = sent(&last_resort, &config(), &knows, false);
    assert!(sent.ends_with("community [ llgr-stale ]"), "{sent}");
}

/// RFC 9234 section 5, on the way out.
#[test]
fn roles_mark_and_hold() {
    use bgp_wire::Role;
    let external = negotiated(PeerKind::External);
    let with_otc = {
        let mut attributes = route(2, 7).attributes().clone();
        attributes.only_to_customer = Some(Asn::new(1));
        route(2, 7).with_attributes(attributes)
    };
    for (role, plain, marked) in [
        (Role::PROVIDER, Some("64512"), Some("1")),
        (Role::ROUTE_SERVER, Some("64512"), Some("1")),
        (Role::PEER, Some("64512"), None),
        (Role::CUSTOMER, Some(""), None),
        (Role::ROUTE_SERVER_CLIENT, Some(""), None),
    ] {
        let config = config().role(role);
        for (route, otc) in [(&route(2, 7), plain), (&with_otc, marked)] {
            let sent = sent(route, &config, &external, false);
            let seen = (sent != "nothing").then(|| sent.split(" otc ").nth(1).unwrap_or_default());
            assert_eq!(seen, otc, "{role}: {sent}");
        }
    }
}

/// RFC 8950: an IPv6 next hop for IPv4 routes, where there is no other and the peer takes it.
#[test]
fn extended_next_hops() {
    let over_ipv6 = |takes: bool| {
        let mut negotiated = negotiated(PeerKind::Internal);
        negotiated.local_address = "2001:db8::111".parse().unwrap();
        let families = takes.then_some(Family::IPV4_UNICAST);
        negotiated.sends = negotiated.sends.with_extended_next_hop(families);
        negotiated
    };
    let via = |route: &Route, config: &PeerConfig, takes| {
        let sent = sent(route, config, &over_ipv6(takes), false);
        sent.split(": ").next().unwrap().to_owned()
    };
    let plain = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512));
    let ours = plain.clone().next_hop_ipv4([192, 0, 2, 1].into());
    let own = route(2, 7).next_hop("2001:db8::7".parse().unwrap());
    let both = own.clone().next_hop([192, 0, 2, 7].into());
    for (route, config, takes, expected) in [
        (&route(2, 7), &plain, true, "10.0.2.0/24 via 2001:db8::111"),
        (&route(2, 7), &plain, false, "nothing"),
        (&route(2, 7), &ours, true, "10.0.2.0/24 via 192.0.2.1"),
        (&own, &ours, true, "10.0.2.0/24 via 2001:db8::7"),
        (&own, &ours, false, "10.0.2.0/24 via 192.0.2.1"),
        (&both, &ours, true, "10.0.2.0/24 via 192.0.2.7"),
    ] {
        assert_eq!(via(route, config, takes), expected);
    }
}

/// RFC 4724 section 4.1: End-of-RIB comes when everything is back.
#[test]
fn end_of_rib_waits_until_the_table_is_complete() {
    let mut rib = Rib::new();
    rib.set_complete(false);
    let mut peer = Peer::default();
    peer.up(&mut rib);
    rib.announce(&route(2, 0));
    assert!(peer.pull(&mut rib, 4096));
    assert_eq!((peer.announcements, peer.marks.len()), (1, 0));
    peer.passing = true;
    peer.adj_rib_out
        .as_mut()
        .unwrap()
        .refresh(Family::IPV4_UNICAST);
    assert!(peer.pull(&mut rib, 4096));
    assert_eq!(peer.marks.len(), 0, "no BoRR before End-of-RIB");
    peer.passing = true;
    rib.set_complete(true);
    assert!(peer.pull(&mut rib, 4096));
    assert_eq!(peer.marks.len(), 4, "{:?}", peer.marks);
}
