//! Tests of other families than unicast.

use super::*;

/// Returns a peer with every family of `FAMILIES`.
fn peer_of_every_family(rib: &mut Rib) -> Peer {
    let mut peer = Peer {
        every_family: true,
        ..Peer::default()
    };
    peer.up(rib);
    peer
}

#[test]
fn every_negotiated_family_has_its_end_of_rib() {
    let mut rib = Rib::new();
    rib.announce(&route(FIRST_OTHER, 0));
    rib.set_complete(false);
    let mut peer = peer_of_every_family(&mut rib);
    assert!(peer.pull(&mut rib, 4096));
    assert_eq!((peer.announcements, peer.marks.len()), (1, 0));
    // The mark is due in each family, also in those without routes (RFC 4724 section 2).
    rib.set_complete(true);
    assert!(peer.pull(&mut rib, 4096));
    let in_set_order = FAMILIES.into_iter().collect::<FamilySet>();
    let expected = in_set_order.iter().map(|family| format!("EoR {family}"));
    assert_eq!(peer.marks, expected.collect::<Vec<_>>());
    assert!(peer.pull(&mut rib, 4096));
    assert_eq!(peer.marks.len(), FAMILIES.len(), "once");
}

#[test]
fn refresh_of_one_family_sends_that_family_only() {
    let mut rib = Rib::new();
    for number in [2, 3, FIRST_OTHER + 3, FIRST_OTHER + 4, FIRST_OTHER + 5] {
        rib.announce(&route(number, 0));
    }
    let mut peer = peer_of_every_family(&mut rib);
    assert!(peer.pull(&mut rib, 4096));
    peer.marks.clear();
    peer.passing.insert(Family::IPV4_FLOWSPEC);
    let adj_rib_out = peer.adj_rib_out.as_mut().unwrap();
    adj_rib_out.refresh(Family::IPV4_FLOWSPEC);
    // RFC 2918 section 4: the family is not negotiated, so that the request is ignored.
    adj_rib_out.refresh(Family::IPV4_VPN);
    assert!(peer.pull(&mut rib, 4096));
    let mark = |subtype| format!("{subtype} ipv4 flowspec");
    assert_eq!(
        peer.marks,
        [RefreshSubtype::BEGIN, RefreshSubtype::END].map(mark)
    );
    assert_eq!(peer.announcements, 5 + 2);
}

/// RFC 8277 section 2.4, RFC 7432 section 7.2.
#[test]
fn route_with_another_label_replaces_route() {
    let mut rib = Rib::new();
    let mut peer = peer_of_every_family(&mut rib);
    for number in [FIRST_OTHER, FIRST_OTHER + 1, FIRST_OTHER + 5] {
        let route = |label| Route::to(destination(number, label)).with_local_pref(7);
        assert!(rib.announce(&route(1)));
        assert!(!rib.announce(&route(1)));
        peer.change(number, 1);
        assert!(peer.pull(&mut rib, 4096));
        assert!(rib.announce(&route(2)), "only the label is another one");
        assert_eq!(rib.route(destination(number, 0)), Some(route(2)));
        peer.change(number, 1);
        assert!(peer.pull(&mut rib, 4096));
        let (_, nlri) = &peer.table[&key(number, None)];
        assert_eq!(*nlri, destination(number, 2).to_nlri(None));
        let twice = [route(1), route(2)];
        assert_eq!(
            rib.replace(&twice),
            Replaced {
                announced: 0,
                withdrawn: 0
            },
            "the last counts"
        );
        assert!(rib.withdraw(destination(number, 0)));
        assert!(peer.pull(&mut rib, 4096));
        assert!(peer.table.is_empty() && rib.is_empty());
    }
}

#[test]
fn counts_are_by_family() {
    let mut rib = Rib::new();
    for number in [2, 4, 3, FIRST_OTHER + 3, FIRST_OTHER + 4] {
        rib.announce(&route(number, 0));
    }
    let counts = [
        (Family::IPV4_UNICAST, 2),
        (Family::IPV6_UNICAST, 1),
        (Family::IPV4_FLOWSPEC, 2),
    ];
    assert_eq!(rib.counts().collect::<Vec<_>>(), counts);
    assert_eq!((rib.len(), rib.count(Family::IPV4_FLOWSPEC)), (5, 2));
    assert_eq!(rib.count(Family::IPV4_VPN), 0);
    rib.replace(&[]);
    assert_eq!((rib.counts().count(), rib.len()), (0, 0));
}

/// Returns the text of everything that a peer with only this family is sent for one route.
fn read(route: &Route, kind: PeerKind) -> Vec<String> {
    let family = route.destination().family();
    let context = Context::new(kind).with_families([family]);
    let negotiated = Negotiated {
        context,
        sends: context,
        ..negotiated(kind)
    };
    let mut rib = Rib::new();
    rib.announce(route);
    let mut adj_rib_out = AdjRibOut::new(&mut rib, &config(), &negotiated);
    let mut octets = BytesMut::new();
    assert!(adj_rib_out.pull(&mut rib, &mut octets, usize::MAX));
    assert!(adj_rib_out.withheld().is_empty());
    let mut texts = Vec::new();
    while let Some(frame) = Frame::split(&mut octets, MessageLimit::Standard).unwrap() {
        let Ok(Message::Update(update)) = frame.decode(&context) else {
            panic!("an UPDATE");
        };
        let checked = update.check().unwrap();
        assert_eq!(checked.fault(), None);
        let attributes = AttributeSet::from(&checked);
        let reach = UpdateBuf::from(&checked);
        for route in &reach.announced {
            let next_hop = next_hop(&reach);
            texts.push(format!("{route} via {next_hop}: {attributes}"));
        }
        texts.extend(checked.end_of_rib().map(|family| format!("EoR {family}")));
    }
    texts
}

/// A route of every family and of every EVPN route type, with its next hop in a session over IPv4.
const ORIGINATED: [(Family, &str, &str); 18] = [
    (Family::IPV4_UNICAST, "192.0.2.1/32", OURS),
    (Family::IPV6_UNICAST, "2001:db8::/32", "2001:db8::111"),
    (Family::IPV4_MULTICAST, "192.0.2.0/24", OURS),
    (Family::IPV6_MULTICAST, "2001:db8::/32", "2001:db8::111"),
    (Family::IPV4_LABELED, "192.0.2.0/24 label 100", OURS),
    (
        Family::IPV6_LABELED,
        "2001:db8::/32 label 100",
        "2001:db8::111",
    ),
    (Family::IPV4_VPN, "192.0.2.0/24 rd 64512:1 label 100", OURS),
    (
        Family::IPV6_VPN,
        "2001:db8::/32 rd 64512:1 label 100",
        "2001:db8::111",
    ),
    (
        Family::IPV4_FLOWSPEC,
        "destination 192.0.2.1/32 protocol =udp source-port =53",
        "none",
    ),
    (Family::IPV6_FLOWSPEC, "destination 2001:db8::1/128", "none"),
    (
        Family::IPV4_FLOWSPEC_VPN,
        "rd 64512:1 destination 192.0.2.1/32",
        "none",
    ),
    (
        Family::IPV6_FLOWSPEC_VPN,
        "rd 64512:1 destination 2001:db8::1/128",
        "none",
    ),
    (
        Family::L2VPN_EVPN,
        "a-d rd 64512:1 esi 0 etag 0 label 100",
        OURS,
    ),
    (
        Family::L2VPN_EVPN,
        "macadv rd 64512:1 esi 0 etag 0 mac 00:00:5e:00:53:01 ip 192.0.2.1 label 100",
        OURS,
    ),
    (
        Family::L2VPN_EVPN,
        "multicast rd 64512:1 etag 0 ip 192.0.2.1",
        OURS,
    ),
    (
        Family::L2VPN_EVPN,
        "esi rd 64512:1 esi 0 ip 192.0.2.1",
        OURS,
    ),
    (
        Family::L2VPN_EVPN,
        "prefix rd 64512:1 esi 0 etag 0 prefix 192.0.2.0/24 gw 0.0.0.0 label 100",
        OURS,
    ),
    (Family::ROUTE_TARGET, "64512 target:64512:1", OURS),
];

/// Our address.
const OURS: &str = "192.168.0.111";

#[test]
fn routes_of_every_family_are_originated() {
    let target = ExtendedCommunity::route_target(64512, 1);
    let mut seen = FamilySet::EMPTY;
    for (family, text, next_hop) in ORIGINATED {
        let route = Route::to(Destination::parse(family, text).unwrap());
        let route = route.with_extended_community(target);
        let sent = format!("{text} via {next_hop}: origin igp");
        let community = "extended-community [ target:64512:1 ]";
        assert_eq!(
            read(&route, PeerKind::Internal),
            [
                format!("{sent} local-preference 100 {community}"),
                format!("EoR {family}")
            ]
        );
        let external = read(&route, PeerKind::External);
        assert_eq!(external[0], format!("{sent} as-path [ 64512 ] {community}"));
        seen = seen.with(family);
    }
    assert_eq!(seen, Family::PARSED.iter().copied().collect());
}

#[test]
fn route_that_is_too_long_does_not_withhold_others() {
    // The NLRI fits into a message alone, but not beside 300 communities.
    let ports = (0..1000).map(|port| format!(" ={}", 1000 + port));
    let long = format!("destination 10.0.0.1/32 port{}", ports.collect::<String>());
    let mut rib = Rib::new();
    let mut sent = Vec::new();
    for text in ["destination 10.0.0.2/32", &long, "destination 10.0.0.3/32"] {
        let mut route = Route::to(Destination::parse(Family::IPV4_FLOWSPEC, text).unwrap());
        for value in 0..300 {
            route = route.with_community(Community(value));
        }
        rib.announce(&route);
        sent.push(route_key(&route.destination().to_nlri(None)));
    }
    let mut peer = peer_of_every_family(&mut rib);
    assert!(peer.pull(&mut rib, usize::MAX));
    sent.remove(1);
    assert_eq!(peer.table.keys().cloned().collect::<Vec<_>>(), sent);
    let adj_rib_out = peer.adj_rib_out.as_mut().unwrap();
    assert_eq!(
        adj_rib_out.withheld().to_string(),
        "1 too long for a message"
    );
    let withheld = adj_rib_out.poll_withheld().unwrap();
    assert!(withheld.destination.to_string().contains("10.0.0.1/32"));
    assert!(matches!(
        withheld.error,
        Some(bgp_wire::EncodeError::AttributesTooLong { .. })
    ));
}

#[test]
fn routes_with_too_long_attributes_are_withdrawn_together() {
    let mut rib = Rib::new();
    let plain = (0..1000).map(|number| {
        let prefix = Ipv4Net::new_assert((0x0a00_0000_u32 + number).into(), 32);
        Route::new(prefix.into())
    });
    let plain: Vec<_> = plain.collect();
    plain.iter().for_each(|route| assert!(rib.announce(route)));
    let mut peer = peer_of_every_family(&mut rib);
    assert!(peer.pull(&mut rib, usize::MAX));
    assert_eq!(peer.table.len(), 1000);
    let communities: Vec<_> = (0..1100).map(Community).collect();
    for route in &plain {
        let mut attributes = route.attributes().clone();
        attributes.communities = communities.clone();
        assert!(rib.announce(&route.clone().with_attributes(attributes)));
    }
    let mut octets = BytesMut::new();
    let adj_rib_out = peer.adj_rib_out.as_mut().unwrap();
    assert!(adj_rib_out.pull(&mut rib, &mut octets, usize::MAX));
    let mut withdrawn = 0;
    let mut messages = 0;
    while let Some(frame) = Frame::split(&mut octets, MessageLimit::Standard).unwrap() {
        let context = Context::new(PeerKind::Internal).with_families(FAMILIES);
        let Message::Update(update) = frame.decode(&context).unwrap() else {
            panic!("not an UPDATE");
        };
        withdrawn += update.check().unwrap().withdrawn_routes().count();
        messages += 1;
    }
    assert_eq!(withdrawn, 1000);
    assert!(messages < 20, "{messages} messages");
}

/// RFC 9234 section 5: OTC is defined only for unicast.
#[test]
fn role_does_not_change_other_families() {
    let context = Context::new(PeerKind::External).with_families([Family::IPV4_VPN]);
    let negotiated = Negotiated {
        context,
        sends: context,
        ..negotiated(PeerKind::External)
    };
    let vpn = "10.0.2.0/24 rd 64512:1 label 100";
    let route = Route::to(Destination::parse(Family::IPV4_VPN, vpn).unwrap());
    let mut attributes = route.attributes().clone();
    attributes.only_to_customer = Some(Asn::new(1));
    for (role, route, expected) in [
        (
            bgp_wire::Role::PROVIDER,
            &route,
            "origin igp as-path [ 64512 ]",
        ),
        (
            bgp_wire::Role::CUSTOMER,
            &route.clone().with_attributes(attributes),
            "origin igp as-path [ 64512 ] otc 1",
        ),
    ] {
        let sent = sent(route, &config().with_role(role), &negotiated, false);
        assert_eq!(
            sent,
            format!("{vpn} via 192.168.0.111: {expected}"),
            "{role}"
        );
    }
}
