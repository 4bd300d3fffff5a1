//! Tests of the table and its readers: the receiving peer, and the helpers that the tests share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use bgp_wire::{
    AnyNlriBuf, Asn, AttributeSet, Community, Context, ExtendedCommunity, Family, FamilySet, Frame,
    HoldTime, Message, MessageLimit, NextHop, Origin, PeerKind, RefreshSubtype, RouterId,
    UpdateBuf,
};
use bytes::BytesMut;
use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::*;
use crate::config::{ExportPolicy, PeerConfig, PrefixRange};
use crate::identity::NlriKey;
use crate::negotiate::Negotiated;
use crate::withheld::{WithheldCounts, WithheldReason};

mod checkpoints;
mod export;
mod families;
mod model;
mod readers;
mod withheld;

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
        peer_long_lived: FamilySet::EMPTY,
        peer_role: None,
        peer_capabilities: Vec::new(),
    }
}

fn config() -> PeerConfig {
    PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512))
        .with_next_hop_ipv6("2001:db8::111".parse().unwrap())
        .with_export(ExportPolicy::all())
}

/// A receiving peer, with its routes and the marks that it was sent.
#[derive(Default)]
struct Peer {
    adj_rib_out: Option<AdjRibOut>,
    /// `true` if the peer supports path identifiers.
    add_path: bool,
    /// The number of the peer's policy; 0 permits everything.
    policy: u8,
    /// `true` if the peer has every family of `FAMILIES`, `false` if it has only unicast.
    every_family: bool,
    table: Table,
    announcements: usize,
    marks: Vec<String>,
    /// The routes that have changed since they were sent.
    changed: BTreeSet<RouteKey>,
    /// The routes that change during a pull.
    concurrent: BTreeSet<RouteKey>,
    /// The families with a pass under way: the first one, a refresh, or one for a changed policy.
    passing: BTreeSet<Family>,
    flushes: Vec<Flush>,
}

/// A point in the history that the peer has not reached.
struct Flush {
    target: Progress,
    /// The routes that the peer should have at this point.
    expected: Table,
    /// The routes that have changed since.
    later: BTreeSet<RouteKey>,
}

/// The identity of a route, with its path identifier.
type RouteKey = (Family, NlriKey<AnyNlriBuf>);

/// LOCAL_PREF and the NLRI of each route.
type Table = BTreeMap<RouteKey, (u32, AnyNlriBuf)>;

/// The families of the model's destinations.
const FAMILIES: [Family; 8] = [
    Family::IPV4_UNICAST,
    Family::IPV6_UNICAST,
    Family::IPV4_LABELED,
    Family::IPV6_VPN,
    Family::IPV4_FLOWSPEC,
    Family::L2VPN_EVPN,
    Family::ROUTE_TARGET,
    Family::IPV6_MULTICAST,
];

impl Peer {
    fn up(&mut self, rib: &mut Rib) {
        self.down();
        let config = policy(self.policy);
        self.adj_rib_out = Some(AdjRibOut::new(rib, &config, &self.negotiated()));
        self.passing.extend(self.families());
    }

    /// Records that a path has changed.
    fn change(&mut self, number: u8, path_id: u32) {
        self.changed.extend(keys(number, path_id));
        for flush in &mut self.flushes {
            flush.later.extend(keys(number, path_id));
        }
    }

    /// Begins a flush of the routes of the model.
    fn flush(&mut self, rib: &mut Rib, model: &BTreeMap<(u8, u32), u32>) {
        let expected = self.share(model);
        if let Some(adj_rib_out) = &self.adj_rib_out {
            self.flushes.push(Flush {
                target: adj_rib_out.target(rib),
                expected,
                later: BTreeSet::new(),
            });
        }
    }

    /// Checks and removes the flushes that the peer has reached.
    fn check_flushes(&mut self) {
        let Some(adj_rib_out) = &self.adj_rib_out else {
            return;
        };
        for flush in self
            .flushes
            .extract_if(.., |flush| adj_rib_out.has_reached(flush.target))
        {
            let keys = flush.expected.keys().chain(self.table.keys());
            for key in keys.filter(|key| !flush.later.contains(key)) {
                assert_eq!(self.table.get(key), flush.expected.get(key), "{key:?}");
            }
        }
    }

    fn negotiated(&self) -> Negotiated {
        Negotiated {
            context: self.context(),
            sends: self.context(),
            ..negotiated(PeerKind::Internal)
        }
    }

    fn families(&self) -> &'static [Family] {
        if self.every_family {
            &FAMILIES
        } else {
            &FAMILIES[..2]
        }
    }

    fn down(&mut self) {
        *self = Self {
            add_path: self.add_path,
            policy: self.policy,
            every_family: self.every_family,
            ..Self::default()
        };
    }

    fn context(&self) -> Context {
        let families = self.families().iter().copied();
        let identified = families.clone().filter(|_| self.add_path);
        Context::new(PeerKind::Internal)
            .with_families(families)
            .with_add_path(identified)
    }

    /// Returns the LOCAL_PREF of the best path to a destination.
    fn preference(&self, number: u8) -> Option<u32> {
        let (preference, _) = self.table.get(&key(number, None))?;
        Some(*preference)
    }

    /// Returns the routes of the model that the peer should have.
    fn share(&self, model: &BTreeMap<(u8, u32), u32>) -> Table {
        let mut table = Table::new();
        for ((number, path_id), preference) in model.iter().rev() {
            let destination = destination(*number, *preference);
            if allowed(self.policy, *number) && self.families().contains(&destination.family()) {
                // The lowest identifier comes last, so that it is the one that remains without path identifiers.
                let path_id = self.add_path.then_some(PathId(*path_id));
                let nlri = destination.to_nlri(path_id);
                table.insert(route_key(&nlri), (*preference, nlri));
            }
        }
        table
    }

    /// Returns the counts of the routes of the model that the peer should not have.
    fn withheld(&self, model: &BTreeMap<(u8, u32), u32>) -> WithheldCounts {
        let mut counts = WithheldCounts::default();
        let mut denied = BTreeSet::new();
        for (number, path_id) in model.keys() {
            if !self.families().contains(&destination(*number, 0).family()) {
                *counts.of_mut(WithheldReason::FamilyNotNegotiated).unwrap() += 1;
            } else if !allowed(self.policy, *number) {
                // Without path identifiers a peer knows one path of a destination.
                denied.insert((*number, self.add_path.then_some(*path_id)));
            }
        }
        let reason = if self.policy == WITHOUT_NEXT_HOP {
            WithheldReason::NoNextHop
        } else {
            WithheldReason::Denied
        };
        *counts.of_mut(reason).unwrap() = denied.len();
        counts
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
                    for nlri in checked.withdrawn_routes() {
                        self.table.remove(&route_key(&nlri.into()));
                    }
                    for nlri in checked.announced_routes() {
                        let (nlri, key) = (nlri.into(), route_key(&nlri.into()));
                        let caused = self.changed.remove(&key) || self.concurrent.contains(&key);
                        let passing = self.passing.contains(&key.0);
                        assert!(caused || passing, "{nlri} twice without cause");
                        self.announcements += 1;
                        let preference = checked.local_pref().unwrap();
                        self.table.insert(key, (preference, nlri));
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
        self.check_flushes();
        if up_to_date {
            self.passing.clear();
        }
        up_to_date
    }
}

/// Returns the keys of a path at peers without and with path identifiers.
fn keys(number: u8, path_id: u32) -> [RouteKey; 2] {
    [None, Some(PathId(path_id))].map(|path_id| key(number, path_id))
}

fn key(number: u8, path_id: Option<PathId>) -> RouteKey {
    route_key(&destination(number, 0).to_nlri(path_id))
}

fn route_key(nlri: &AnyNlriBuf) -> RouteKey {
    (nlri.family, NlriKey(nlri.clone()))
}

/// A table that changes each time it is unlocked.
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

/// Returns a destination by number: unicast below `FIRST_OTHER`, and other families from there on. The label depends on the
/// preference.
fn destination(number: u8, preference: u32) -> Destination {
    // Parsing the texts at every step would take most of the time of the property test.
    static OTHERS: LazyLock<Vec<Vec<Destination>>> = LazyLock::new(|| {
        let by_preference = |preference| OTHER_TEXTS.map(|it| other(it, preference)).to_vec();
        (0..3).map(by_preference).collect()
    });
    match number.checked_sub(FIRST_OTHER) {
        None => prefix(number).into(),
        Some(number) => OTHERS[usize::try_from(preference).unwrap()][usize::from(number)].clone(),
    }
}

fn other((family, text): (Family, &str), preference: u32) -> Destination {
    let text = text.replace("LABEL", &(100 + preference).to_string());
    Destination::parse(family, &text).unwrap()
}

/// The destinations of other families than unicast.
const OTHER_TEXTS: [(Family, &str); 8] = [
    (Family::IPV4_LABELED, "10.0.12.0/24 label LABEL"),
    (Family::IPV6_VPN, "2001:db8:13::/48 rd 64512:1 label LABEL"),
    (Family::IPV6_MULTICAST, "2001:db8:14::/48"),
    (
        Family::IPV4_FLOWSPEC,
        "destination 10.0.15.0/24 protocol =udp",
    ),
    (Family::IPV4_FLOWSPEC, "protocol =udp"),
    (
        Family::L2VPN_EVPN,
        "macadv rd 64512:1 esi 0 etag 0 mac 00:00:5e:00:53:01 label LABEL",
    ),
    (
        Family::L2VPN_EVPN,
        "multicast rd 64512:1 etag 0 ip 192.0.2.1",
    ),
    (Family::ROUTE_TARGET, "64512 target:64512:1"),
];

/// The number of the first destination in `OTHER_TEXTS`.
const FIRST_OTHER: u8 = 200;

fn route(number: u8, preference: u32) -> Route {
    Route::to(destination(number, preference)).with_local_pref(preference)
}

/// Returns a policy by number.
fn policy(number: u8) -> PeerConfig {
    let halves = ["10.0.0.0/8", "2001:db8::/32"];
    let ranges = |texts: &[&str]| {
        let ranges = texts
            .iter()
            .map(|text| PrefixRange::inside_of(text.parse().unwrap()));
        ExportPolicy::only(ranges.collect::<Vec<_>>())
    };
    if number == WITHOUT_NEXT_HOP {
        return PeerConfig::new(config().address(), Asn::new(64512));
    }
    config().with_export(match number {
        0 => ExportPolicy::all(),
        1 => ranges(&halves[..1]),
        2 => ranges(&halves[1..]),
        _ => ranges(&["10.0.4.0/24", "10.0.6.0/24", "2001:db8:7::/48"])
            .with_family(Family::IPV4_FLOWSPEC),
    })
}

/// The policy that permits everything without a next hop for routes of IPv6.
const WITHOUT_NEXT_HOP: u8 = 4;

fn allowed(policy: u8, number: u8) -> bool {
    match policy {
        0 => true,
        // VPN routes have an IPv4-mapped next hop.
        WITHOUT_NEXT_HOP => number != 202 && (number >= FIRST_OTHER || number.is_multiple_of(2)),
        1 => matches!(number, 0 | 2 | 4 | 6 | 8 | 10 | 200 | 203),
        2 => matches!(number, 1 | 3 | 5 | 7 | 9 | 11 | 201 | 202),
        // This policy permits a whole family, so that its routes need no prefix.
        _ => matches!(number, 4 | 6 | 7 | 203 | 204),
    }
}

fn next_hop(update: &UpdateBuf) -> NextHop {
    let mut next_hops = update.next_hops.values();
    next_hops.next().copied().unwrap_or(NextHop::Absent)
}

/// Returns the text of the route, the next hop and the attributes that one peer is sent for one route.
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
            let reach = UpdateBuf::from(&checked);
            if let Some(nlri) = reach.announced.first() {
                let attributes = AttributeSet::from(&checked);
                let next_hop = next_hop(&reach);
                return format!("{nlri} via {next_hop}: {attributes}");
            }
        }
    }
    "nothing".to_owned()
}
