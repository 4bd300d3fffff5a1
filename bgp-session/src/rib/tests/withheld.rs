//! Tests of the routes that a peer is not sent: the reasons, the counts and the reports.

use super::*;
use crate::config::ExportFilter;
use crate::withheld::Withheld;

const ROUTER: &str = "192.168.0.254";

/// Returns a configuration without next hops of its own. Our end of the session is 192.168.0.111.
fn plain() -> PeerConfig {
    PeerConfig::new(ROUTER.parse().unwrap(), Asn::new(64512)).with_export(ExportPolicy::all())
}

fn ipv4() -> Route {
    Route::new("10.0.0.0/8".parse().unwrap())
}

fn ipv6() -> Route {
    Route::new("2001:db8::/32".parse().unwrap())
}

/// A peer with a table.
struct Reader {
    rib: Rib,
    adj_rib_out: AdjRibOut,
    config: PeerConfig,
    negotiated: Negotiated,
}

impl Reader {
    /// Returns a reader of a table with these routes that has pulled nothing.
    fn new(config: PeerConfig, negotiated: Negotiated, routes: &[Route]) -> Self {
        let mut rib = Rib::new();
        for route in routes {
            assert!(rib.announce(route));
        }
        Self {
            adj_rib_out: AdjRibOut::new(&mut rib, &config, &negotiated),
            rib,
            config,
            negotiated,
        }
    }

    fn internal(config: PeerConfig, routes: &[Route]) -> Self {
        Self::new(config, negotiated(PeerKind::Internal), routes)
    }

    /// Returns an internal reader that has pulled once.
    fn with(config: PeerConfig, routes: &[Route]) -> Self {
        let mut reader = Self::internal(config, routes);
        reader.pull();
        reader
    }

    /// Returns the routes that are sent, as announced with a next hop or as withdrawn.
    fn pull(&mut self) -> Vec<String> {
        let mut octets = BytesMut::new();
        assert!(
            self.adj_rib_out
                .pull(&mut self.rib, &mut octets, usize::MAX)
        );
        let context = self.negotiated.sends;
        let mut texts = Vec::new();
        while let Some(frame) = Frame::split(&mut octets, MessageLimit::Extended).unwrap() {
            let Ok(Message::Update(update)) = frame.decode(&context) else {
                continue;
            };
            let checked = update.check().unwrap();
            assert_eq!(checked.fault(), None);
            let owned = UpdateBuf::from(&checked);
            let withdrawn = checked.withdrawn_routes().map(AnyNlriBuf::from);
            texts.extend(withdrawn.map(|nlri| format!("-{nlri}")));
            for nlri in &owned.announced {
                let med = AttributeSet::from(&checked).multi_exit_disc;
                let med = med.map_or_else(String::new, |med| format!(" med {med}"));
                texts.push(format!("+{nlri} via {}{med}", next_hop(&owned)));
            }
        }
        texts
    }

    fn withheld(&self) -> String {
        self.adj_rib_out.withheld().to_string()
    }

    /// Returns the next report, without the error.
    fn report(&mut self) -> Option<String> {
        let report = self.adj_rib_out.poll_withheld();
        report.map(
            |Withheld {
                 destination,
                 reason,
                 ..
             }| format!("{destination}: {reason}"),
        )
    }

    fn reconfigure(&mut self, config: PeerConfig) {
        self.adj_rib_out.set_policy(&config, &self.negotiated);
        self.config = config;
    }

    fn add_interface(&mut self, addresses: &[&str]) {
        let addresses: Vec<IpNet> = addresses.iter().map(|it| it.parse().unwrap()).collect();
        self.adj_rib_out
            .set_interface_addresses(&self.config, &self.negotiated, &addresses);
    }
}

fn communities(number: u32) -> Route {
    (0..number).fold(ipv4(), |route, value| {
        route.with_community(Community(value))
    })
}

fn with_otc(route: Route) -> Route {
    let mut attributes = route.attributes().clone();
    attributes.only_to_customer = Some(Asn::new(1));
    route.with_attributes(attributes)
}

/// A configuration and a kind of peer, a route that is withheld from it, a route to the same destination that is sent, and the
/// reason.
type Case = (PeerConfig, PeerKind, Route, Option<Route>, &'static str);

/// Returns a case for every reason that depends on the route.
fn cases() -> Vec<Case> {
    let own = plain().with_next_hop_ipv6("2001:db8::111".parse().unwrap());
    let via = |text: &str| text.parse().unwrap();
    let customer = own.clone().with_role(bgp_wire::Role::CUSTOMER);
    let denying = own
        .clone()
        .with_export(ExportPolicy::only([PrefixRange::exactly(
            "192.0.2.0/24".parse().unwrap(),
        )]));
    vec![
        (
            denying,
            PeerKind::Internal,
            ipv4(),
            None,
            "denied by the export policy",
        ),
        (
            plain(),
            PeerKind::Internal,
            ipv6(),
            Some(ipv6().with_next_hop(via("2001:db8::7"))),
            "no usable next hop",
        ),
        // A loopback address is no host's.
        (
            own.clone(),
            PeerKind::Internal,
            ipv4().with_next_hop(via("127.0.0.1")),
            Some(ipv4()),
            "no usable next hop",
        ),
        (
            own.clone(),
            PeerKind::Internal,
            ipv4().with_next_hop(via(ROUTER)),
            Some(ipv4()),
            "the next hop is the peer itself",
        ),
        (
            own.clone(),
            PeerKind::Internal,
            communities(1100),
            Some(communities(100)),
            "too long for a message",
        ),
        (
            customer,
            PeerKind::External,
            with_otc(ipv4()),
            Some(ipv4()),
            "route leak: it has OTC",
        ),
        (
            own,
            PeerKind::Internal,
            ipv4().with_community(Community::LLGR_STALE),
            Some(ipv4()),
            "long-lived stale, which the peer does not support",
        ),
    ]
}

/// Each reason: it is counted, reported once, and no longer counted when the route can be sent or is withdrawn.
#[test]
fn each_reason_is_counted_until_the_route_is_sent_or_withdrawn() {
    for (config, kind, bad, good, reason) in cases() {
        let mut reader = Reader::new(config, negotiated(kind), std::slice::from_ref(&bad));
        let one = format!("1 {reason}");
        let destination = bad.destination().clone();
        assert_eq!(
            reader.pull(),
            Vec::<String>::new(),
            "{reason}: nothing to withdraw"
        );
        assert_eq!(reader.withheld(), one);
        assert_eq!(reader.report(), Some(format!("{destination}: {reason}")));
        // A changed route counts once, and is not reported again.
        reader.rib.announce(&bad.clone().with_multi_exit_disc(1));
        reader.pull();
        assert_eq!((reader.withheld(), reader.report()), (one.clone(), None));
        if let Some(good) = good {
            reader.rib.announce(&good);
            let sent = reader.pull();
            assert!(
                sent[0].starts_with(&format!("+{destination} via ")),
                "{sent:?}"
            );
            assert_eq!(reader.withheld(), "none", "{reason}");
            // The peer has the route now, so that it must be withdrawn.
            reader.rib.announce(&bad);
            assert_eq!(reader.pull(), [format!("-{destination}")], "{reason}");
            assert_eq!(reader.withheld(), one);
        }
        reader.rib.withdraw(destination);
        reader.pull();
        assert_eq!(reader.withheld(), "none", "{reason}");
    }
}

/// A pass sends a route that is withheld neither way, and a withdrawal of it ends nothing.
#[test]
fn withheld_route_is_withdrawn_only_if_the_peer_has_it() {
    let nothing = Vec::<String>::new();
    for (config, kind, bad, good, reason) in cases() {
        let mut reader = Reader::new(config.clone(), negotiated(kind), std::slice::from_ref(&bad));
        let (destination, family) = (bad.destination().clone(), bad.destination().family());
        reader.pull();
        let again = |reader: &mut Reader| {
            reader.adj_rib_out.refresh(family);
            reader.adj_rib_out.set_draining(true);
            assert_eq!(reader.pull(), nothing, "{reason}: one more pass");
            reader.adj_rib_out.set_draining(false);
            assert_eq!(reader.pull(), nothing, "{reason}: one more pass");
            let changed = bad.clone().with_multi_exit_disc(7);
            reader.rib.announce(&changed);
            assert_eq!(reader.pull(), nothing, "{reason}: a change");
            reader.rib.withdraw(&destination);
            assert_eq!(reader.pull(), nothing, "{reason}: the end");
        };
        again(&mut reader);
        assert_eq!(reader.withheld(), "none");
        // The same once the peer has had the route.
        if let Some(good) = good {
            reader.rib.announce(&good);
            reader.pull();
            reader.rib.announce(&bad);
            assert_eq!(reader.pull(), [format!("-{destination}")], "{reason}");
            again(&mut reader);
        }
    }
}

/// A path is withheld by itself from a peer with path identifiers, and a destination as a whole from one without.
#[test]
fn each_path_is_withheld_for_its_own_reason() {
    let context = negotiated(PeerKind::Internal).sends;
    let identified = Negotiated {
        sends: context.with_add_path([Family::IPV6_UNICAST]),
        ..negotiated(PeerKind::Internal)
    };
    let own = plain().with_next_hop_ipv6("2001:db8::7".parse().unwrap());
    let to = |next_hop: &str| ipv6().with_next_hop(next_hop.parse().unwrap());
    for (negotiated, every_path) in [(negotiated(PeerKind::Internal), false), (identified, true)] {
        let routes = [
            to("192.0.2.1").with_path_id(PathId(1)),
            to("::1").with_path_id(PathId(2)),
            to("2001:db8::9").with_path_id(PathId(3)),
        ];
        let mut reader = Reader::new(own.clone(), negotiated, &routes);
        let sent = reader.pull();
        let (of_all, of_best) = ("2 no usable next hop", "1 no usable next hop");
        assert_eq!(sent.len(), usize::from(every_path), "{sent:?}");
        assert_eq!(reader.withheld(), if every_path { of_all } else { of_best });
        // The best path is the second one, then the third one.
        reader.rib.withdraw_path(ipv6().destination(), PathId(1));
        assert_eq!(reader.pull().len(), 0);
        assert_eq!(reader.withheld(), of_best);
        reader.rib.withdraw_path(ipv6().destination(), PathId(2));
        assert_eq!(reader.pull().len(), usize::from(!every_path));
        assert_eq!(reader.withheld(), "none");
        reader.rib.announce(&routes[0]);
        reader.pull();
        reader.rib.withdraw(ipv6().destination());
        reader.pull();
        assert_eq!(reader.withheld(), "none");
    }
}

/// A new destination may have the number of a removed one.
#[test]
fn new_destination_is_not_taken_for_a_removed_one() {
    let deny = |number: u8| {
        let denied = prefix(number);
        ExportFilter::new(move |route: Route| (route.prefix() != Some(denied)).then_some(route))
    };
    let config = plain().with_export_filter(deny(2));
    let mut reader = Reader::internal(config, &[route(2, 0)]);
    assert_eq!(reader.pull(), Vec::<String>::new());
    // Enough changes that the withdrawn route is dropped from the log, and others take its place.
    for round in 0..200 {
        reader.rib.withdraw(prefix(2));
        for number in (4..40).step_by(2) {
            assert!(reader.rib.announce(&route(number, 0)));
        }
        assert_eq!(reader.pull().len(), 18, "round {round}");
        assert_eq!(reader.withheld(), "none");
        for number in (4..40).step_by(2) {
            assert!(reader.rib.withdraw(prefix(number)));
        }
        reader.rib.announce(&route(2, 0));
        let sent = reader.pull();
        assert!(sent.iter().all(|text| text.starts_with('-')), "{sent:?}");
        assert_eq!(reader.withheld(), "1 denied by the export policy");
    }
}

#[test]
fn unencodable_attributes_withhold_the_route() {
    // RFC 7607: no message may contain AS 0.
    let mut attributes = ipv4().attributes().clone();
    attributes.only_to_customer = Some(Asn::new(1));
    attributes.as_path = "0".parse().unwrap();
    let reader = Reader::with(plain(), &[ipv4().with_attributes(attributes)]);
    assert_eq!(reader.withheld(), "1 invalid attributes");
}

#[test]
fn whole_families_and_peers_are_counted_by_the_size_of_the_table() {
    let routes = [route(2, 0), route(4, 0), route(3, 0), route(203, 0)];
    let external = PeerConfig::new(ROUTER.parse().unwrap(), Asn::new(64513));
    let mut reader = Reader::new(external.clone(), negotiated(PeerKind::External), &routes);
    assert_eq!(reader.pull(), Vec::<String>::new());
    let no_policy = "3 no export policy for an external peer, 1 family not negotiated";
    assert_eq!(reader.withheld(), no_policy);
    let reports = [
        "destination 10.0.15.0/24 protocol =udp: family not negotiated",
        "10.0.2.0/24: no export policy for an external peer",
    ];
    for expected in reports {
        assert_eq!(reader.report().as_deref(), Some(expected));
    }
    assert_eq!(reader.report(), None);
    // No route is recorded by itself.
    let exact = ExportPolicy::only([PrefixRange::exactly(prefix(2))]);
    let next_hop = "2001:db8::111".parse().unwrap();
    reader.reconfigure(
        external
            .clone()
            .with_export(exact)
            .with_next_hop_ipv6(next_hop),
    );
    assert_eq!(reader.pull(), ["+10.0.2.0/24 via 192.168.0.111"]);
    assert_eq!(
        reader.withheld(),
        "2 denied by the export policy, 1 family not negotiated"
    );
    reader.reconfigure(external.clone().with_export(ExportPolicy::only([])));
    assert_eq!(reader.pull(), ["-10.0.2.0/24"]);
    assert_eq!(
        reader.withheld(),
        "3 denied by the export policy, 1 family not negotiated"
    );
    reader.rib.withdraw(prefix(4));
    reader.reconfigure(external);
    assert_eq!(reader.pull(), Vec::<String>::new());
    let no_policy = "2 no export policy for an external peer, 1 family not negotiated";
    assert_eq!(reader.withheld(), no_policy);
    reader.rib.replace(&[]);
    reader.pull();
    assert_eq!(reader.withheld(), "none");
}

/// The reports are those of the families after the negotiated ones, and of those before.
#[test]
fn report_of_other_families_names_a_route_of_them() {
    for (family, routes, expected) in [
        (
            Family::IPV4_UNICAST,
            [2, 3],
            "2001:db8:3::/48: family not negotiated",
        ),
        (
            Family::IPV6_UNICAST,
            [2, 3],
            "10.0.2.0/24: family not negotiated",
        ),
        (
            Family::IPV4_UNICAST,
            [2, 202],
            "2001:db8:14::/48: family not negotiated",
        ),
    ] {
        let context = Context::new(PeerKind::Internal).with_families([family]);
        let negotiated = Negotiated {
            context,
            sends: context,
            ..negotiated(PeerKind::Internal)
        };
        let routes = routes.map(|number| route(number, 0));
        let mut reader = Reader::new(config(), negotiated, &routes);
        reader.pull();
        assert_eq!(reader.report().as_deref(), Some(expected));
    }
}

#[test]
fn filter_withholds_and_changes_each_route() {
    let filter = ExportFilter::new(|route: Route| {
        let number = route.prefix()?.to_string();
        match number.as_str() {
            "10.0.2.0/24" => None,
            "10.0.4.0/24" => Some(route.with_multi_exit_disc(4)),
            // A changed destination has no effect.
            "10.0.6.0/24" => Some(Route::new("192.0.2.0/24".parse().unwrap())),
            _ => Some(route),
        }
    });
    let routes = [2, 4, 6, 8].map(|number| route(number, 0));
    let mut reader = Reader::internal(plain().with_export_filter(filter.clone()), &routes);
    let us = "via 192.168.0.111";
    let mut sent = reader.pull();
    sent.sort();
    let expected = [
        "4.0/24 via 192.168.0.111 med 4",
        "6.0/24 via 192.168.0.111",
        "8.0/24 via 192.168.0.111",
    ];
    assert_eq!(sent, expected.map(|text| format!("+10.0.{text}")));
    assert_eq!(reader.withheld(), "1 denied by the export policy");
    // The same filter again is no change.
    reader.reconfigure(plain().with_export_filter(filter));
    assert_eq!(reader.pull(), Vec::<String>::new());
    // Another one may permit other routes. The peer has had the rest.
    reader.reconfigure(
        plain().with_export_filter(ExportFilter::new(|route: Route| {
            (route.prefix()?.to_string() == "10.0.2.0/24").then_some(route)
        })),
    );
    let mut sent = reader.pull();
    sent.sort();
    let withdrawn = ["-10.0.4.0/24", "-10.0.6.0/24", "-10.0.8.0/24"].map(str::to_owned);
    assert_eq!(sent[1..], withdrawn);
    assert_eq!(sent[0], format!("+10.0.2.0/24 {us}"));
    assert_eq!(reader.withheld(), "3 denied by the export policy");
    reader.reconfigure(plain());
    assert_eq!(reader.pull().len(), 4);
    assert_eq!(reader.withheld(), "none");
}

/// A filter is a policy (RFC 8212), and the changes of the declarative policy follow it.
#[test]
fn filter_of_external_peer_is_its_policy() {
    let filter = ExportFilter::new(|route: Route| Some(route.with_multi_exit_disc(1)));
    let filtered =
        PeerConfig::new(ROUTER.parse().unwrap(), Asn::new(64513)).with_export_filter(filter);
    let external = negotiated(PeerKind::External);
    let mut reader = Reader::new(filtered.clone(), external, &[ipv4()]);
    assert_eq!(reader.pull(), ["+10.0.0.0/8 via 192.168.0.111 med 1"]);
    reader.reconfigure(filtered.with_export(ExportPolicy::all().with_multi_exit_disc(2)));
    assert_eq!(reader.pull(), ["+10.0.0.0/8 via 192.168.0.111 med 2"]);
}

/// RFC 8950 is not negotiated with the peer.
#[test]
fn route_with_next_hop_of_the_other_address_family_is_withheld() {
    let own = plain()
        .with_next_hop_ipv4([192, 0, 2, 1].into())
        .with_next_hop_ipv6("2001:db8::1".parse().unwrap());
    let to_ipv6 = ipv4().with_next_hop("2001:db8::7".parse().unwrap());
    let to_ipv4 = ipv6().with_next_hop([192, 0, 2, 7].into());
    let mut reader = Reader::with(own.clone(), &[to_ipv6, to_ipv4]);
    assert_eq!(reader.withheld(), "2 no usable next hop");
    // The policy replaces the next hops of routes.
    let policy = ExportPolicy::all()
        .with_next_hop([203, 0, 113, 1].into())
        .with_next_hop("2001:db8::9".parse().unwrap());
    reader.reconfigure(own.with_export(policy));
    let expected = [
        "+10.0.0.0/8 via 203.0.113.1",
        "+2001:db8::/32 via 2001:db8::9",
    ];
    assert_eq!(reader.pull(), expected);
    assert_eq!(reader.withheld(), "none");
}

#[test]
fn ipv6_routes_take_their_next_hop_from_the_interface_of_an_ipv4_session() {
    let mut reader = Reader::internal(plain(), &[ipv4(), ipv6()]);
    assert!(reader.adj_rib_out.needs_interface_addresses());
    // Before the first pull: no route is sent twice.
    reader.add_interface(&["192.168.0.111/24", "fe80::111/64", "2001:db8::111/64"]);
    let ours = [
        "+10.0.0.0/8 via 192.168.0.111",
        "+2001:db8::/32 via 2001:db8::111",
    ];
    assert_eq!(reader.pull(), ours);
    // The same address again, among others, is no change.
    reader.add_interface(&["2001:db8:7::7/128", "2001:db8::111/64", "2001:db8::112/64"]);
    assert_eq!(reader.pull(), Vec::<String>::new());
    reader.add_interface(&["2001:db8::112/64"]);
    assert_eq!(reader.pull()[1], "+2001:db8::/32 via 2001:db8::112");
    reader.add_interface(&["192.168.0.111/24"]);
    assert_eq!(reader.pull()[1], "-2001:db8::/32");
    assert_eq!(reader.withheld(), "1 no usable next hop");
    // A configured next hop precedes the interface's.
    let configured = plain().with_next_hop_ipv6("2001:db8::1".parse().unwrap());
    reader.reconfigure(configured);
    assert_eq!(reader.pull()[1], "+2001:db8::/32 via 2001:db8::1");
    assert!(!reader.adj_rib_out.needs_interface_addresses());
    reader.add_interface(&["2001:db8::112/64"]);
    assert_eq!(reader.pull(), Vec::<String>::new());
    // The addresses are kept for a configuration without next hops.
    reader.reconfigure(plain());
    assert_eq!(reader.pull()[1], "+2001:db8::/32 via 2001:db8::112");
}

/// A changed next hop of one address family is a change.
#[test]
fn changed_next_hop_is_announced_again() {
    let own = plain().with_next_hop_ipv6("2001:db8::1".parse().unwrap());
    let mut reader = Reader::with(own.clone(), &[ipv4(), ipv6()]);
    reader.reconfigure(
        own.clone()
            .with_next_hop_ipv6("2001:db8::2".parse().unwrap()),
    );
    assert_eq!(reader.pull()[1], "+2001:db8::/32 via 2001:db8::2");
    reader.reconfigure(own.clone().with_next_hop_ipv4([192, 0, 2, 2].into()));
    assert_eq!(
        reader.pull(),
        [
            "+10.0.0.0/8 via 192.0.2.2",
            "+2001:db8::/32 via 2001:db8::1"
        ]
    );
    let policy = ExportPolicy::all().with_next_hop("2001:db8::3".parse().unwrap());
    reader.reconfigure(own.with_export(policy));
    assert_eq!(reader.pull()[1], "+2001:db8::/32 via 2001:db8::3");
}

/// RFC 8326 does not need the table twice.
#[test]
fn draining_before_the_first_pull_sends_the_table_once() {
    let mut reader = Reader::internal(plain(), &[ipv4()]);
    reader.adj_rib_out.set_draining(true);
    assert_eq!(reader.pull().len(), 1);
    reader.adj_rib_out.set_draining(false);
    assert_eq!(reader.pull().len(), 1);
}
