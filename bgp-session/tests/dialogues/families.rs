//! Families beside unicast, as dialogues: negotiation, limits (RFC 4486), End-of-RIB, refreshes, and what is counted.

use crate::script::{Script, SentMessage, config, open_with};
use bgp_session::{AdjRibOut, Destination, FamilyCounts, Rib, Route, SessionEvent, State};
use bgp_wire::{
    AnyNlriBuf, AttributeSet, CapabilityBuf, Context, Family, Frame, MessageLimit, NextHop, Origin,
    PeerKind, Reason, RefreshSubtype, RouteRefresh, UpdateBuf,
};
use bytes::BytesMut;

/// A family, its next hop, and four routes. The third is the first one with another label, if the family has labels.
const CASES: [(Family, &str, [&str; 4]); 14] = [
    (
        Family::IPV4_UNICAST,
        "192.0.2.1",
        ["10.0.0.0/8", "11.0.0.0/8", "10.0.0.0/8", "12.0.0.0/8"],
    ),
    (
        Family::IPV6_UNICAST,
        "2001:db8::1",
        ["2001:1::/32", "2001:2::/32", "2001:1::/32", "2001:3::/32"],
    ),
    (
        Family::IPV4_MULTICAST,
        "192.0.2.1",
        ["10.0.0.0/8", "11.0.0.0/8", "10.0.0.0/8", "12.0.0.0/8"],
    ),
    (
        Family::IPV6_MULTICAST,
        "2001:db8::1",
        ["2001:1::/32", "2001:2::/32", "2001:1::/32", "2001:3::/32"],
    ),
    (
        Family::IPV4_LABELED,
        "192.0.2.1",
        [
            "10.0.0.0/8 label 1",
            "11.0.0.0/8 label 1",
            "10.0.0.0/8 label 2",
            "12.0.0.0/8 label 1",
        ],
    ),
    (
        Family::IPV6_LABELED,
        "2001:db8::1",
        [
            "2001:1::/32 label 1",
            "2001:2::/32 label 1",
            "2001:1::/32 label 2",
            "2001:3::/32 label 1",
        ],
    ),
    (
        Family::IPV4_VPN,
        "192.0.2.1",
        [
            "10.0.0.0/8 rd 1:1 label 1",
            "10.0.0.0/8 rd 1:2 label 1",
            "10.0.0.0/8 rd 1:1 label 2",
            "10.0.0.0/8 rd 1:3 label 1",
        ],
    ),
    (
        Family::IPV6_VPN,
        "2001:db8::1",
        [
            "2001:1::/32 rd 1:1 label 1",
            "2001:1::/32 rd 1:2 label 1",
            "2001:1::/32 rd 1:1 label 2",
            "2001:1::/32 rd 1:3 label 1",
        ],
    ),
    (
        Family::IPV4_FLOWSPEC,
        "none",
        ["port =1", "port =2", "port =1", "port =3"],
    ),
    (
        Family::IPV6_FLOWSPEC,
        "none",
        ["port =1", "port =2", "port =1", "port =3"],
    ),
    (
        Family::IPV4_FLOWSPEC_VPN,
        "none",
        [
            "rd 1:1 port =1",
            "rd 1:1 port =2",
            "rd 1:1 port =1",
            "rd 1:2 port =1",
        ],
    ),
    (
        Family::IPV6_FLOWSPEC_VPN,
        "none",
        [
            "rd 1:1 port =1",
            "rd 1:1 port =2",
            "rd 1:1 port =1",
            "rd 1:2 port =1",
        ],
    ),
    (
        Family::L2VPN_EVPN,
        "192.0.2.1",
        [
            "macadv rd 1:1 esi 0 etag 0 mac 00:00:5e:00:53:01 label 1",
            "multicast rd 1:1 etag 0 ip 192.0.2.1",
            "macadv rd 1:1 esi 0 etag 0 mac 00:00:5e:00:53:01 label 2",
            "esi rd 1:1 esi 0 ip 192.0.2.1",
        ],
    ),
    (
        Family::ROUTE_TARGET,
        "192.0.2.1",
        ["1 target:1:1", "1 target:1:2", "1 target:1:1", "default"],
    ),
];

fn offers() -> Vec<CapabilityBuf> {
    let families = Family::PARSED
        .iter()
        .copied()
        .map(CapabilityBuf::Multiprotocol);
    let refresh = [
        CapabilityBuf::RouteRefresh,
        CapabilityBuf::EnhancedRouteRefresh,
    ];
    families.chain(refresh).collect()
}

fn context() -> Context {
    Context::new(PeerKind::Internal).with_families(Family::PARSED.iter().copied())
}

fn update(family: Family, next_hop: &str, fill: impl FnOnce(&mut UpdateBuf)) -> BytesMut {
    let mut update = UpdateBuf::new(AttributeSet::new(Origin::IGP));
    update.set_next_hop(family, next_hop.parse::<NextHop>().unwrap());
    fill(&mut update);
    let mut octets = BytesMut::new();
    update.encode(&context(), &mut octets).unwrap();
    octets
}

fn announce(family: Family, next_hop: &str, texts: &[&str]) -> BytesMut {
    update(family, next_hop, |update| {
        for text in texts {
            update.announce(AnyNlriBuf::parse(family, text).unwrap());
        }
    })
}

fn withdraw(family: Family, text: &str) -> BytesMut {
    update(family, "none", |update| {
        update.withdraw(AnyNlriBuf::parse(family, text).unwrap());
    })
}

fn refresh(family: Family, subtype: RefreshSubtype) -> BytesMut {
    let mut octets = BytesMut::new();
    RouteRefresh { family, subtype }.encode(&mut octets);
    octets
}

#[test]
fn prefixes_of_every_family_are_limited() {
    for (family, next_hop, [first, second, relabeled, third]) in CASES {
        let limited = config()
            .with_families(Family::PARSED.iter().copied())
            .unwrap();
        let mut a = Script::new(limited.with_maximum_prefixes(family, 2));
        let connection = a.establish(open_with(64512, &offers()));
        let announce = |texts: &[&str]| announce(family, next_hop, texts);
        a.receive(connection, announce(&[first, second]));
        a.receive(connection, announce(&[relabeled]));
        let established = |a: &Script, why| {
            assert_eq!(a.session.state(), State::Established, "{family}: {why}");
        };
        established(&a, "a known route once more");
        // The label of a withdrawal means nothing.
        a.receive(connection, withdraw(family, first));
        a.receive(connection, announce(&[third]));
        established(&a, "another route in the place of a withdrawn one");
        // What a refresh does not name is gone (RFC 7313 section 4).
        a.receive(connection, refresh(family, RefreshSubtype::BEGIN));
        a.receive(connection, announce(&[third]));
        a.receive(connection, refresh(family, RefreshSubtype::END));
        a.receive(connection, announce(&[first]));
        established(&a, "a refresh has not named the second route");
        a.take_messages(connection);
        a.receive(connection, announce(&[second]));
        let [afi_high, afi_low, _, safi] = family.to_octets();
        let data = vec![afi_high, afi_low, safi, 0, 0, 0, 2];
        let cease = SentMessage::Notification(Reason::MAXIMUM_PREFIXES_REACHED, data);
        assert_eq!(a.take_messages(connection), [cease], "{family}");
    }
}

#[test]
fn a_limit_counts_no_routes_of_other_families() {
    let limited = config()
        .with_families(Family::PARSED.iter().copied())
        .unwrap();
    let mut a = Script::new(limited.with_maximum_prefixes(Family::IPV4_VPN, 0));
    let connection = a.establish(open_with(64512, &offers()));
    for (family, next_hop, texts) in CASES {
        if family != Family::IPV4_VPN {
            a.receive(connection, announce(family, next_hop, &texts));
        }
    }
    assert_eq!(a.session.state(), State::Established);
    a.receive(
        connection,
        announce(
            Family::IPV4_VPN,
            "192.0.2.1",
            &["10.0.0.0/8 rd 1:1 label 1"],
        ),
    );
    assert_ne!(a.session.state(), State::Established);
}

#[test]
fn routes_and_end_of_rib_are_counted_by_family() {
    let mut a = Script::new(
        config()
            .with_families(Family::PARSED.iter().copied())
            .unwrap(),
    );
    let connection = a.establish(open_with(64512, &offers()));
    for (position, (family, next_hop, [first, second, ..])) in CASES.into_iter().enumerate() {
        for _ in 0..position {
            a.receive(connection, announce(family, next_hop, &[first, second]));
        }
        a.receive(connection, withdraw(family, first));
        let mut octets = BytesMut::new();
        bgp_wire::encode_end_of_rib(family, &mut octets);
        a.receive(connection, octets);
        let ended = SessionEvent::EndOfRib(family);
        let last = a.take_events().pop();
        assert_eq!(format!("{last:?}"), format!("{:?}", Some(ended)));
    }
    let statistics = a.session.statistics();
    let mut announced = 0;
    for ((family, counts), position) in statistics.families().zip(0..) {
        assert_eq!(family, CASES[usize::try_from(position).unwrap()].0);
        let mut expected = FamilyCounts::default();
        expected.announced = position * 2;
        (expected.withdrawn, expected.end_of_rib) = (1, 1);
        assert_eq!(counts, expected, "{family}");
        assert_eq!(statistics.family(family), expected);
        announced += counts.announced;
    }
    assert_eq!(statistics.prefixes_announced(), announced);
    assert_eq!(statistics.prefixes_withdrawn(), 14);
}

/// A peer asks for the routes of one of several families.
#[test]
fn refresh_of_one_family_is_answered_for_that_family() {
    let mut a = Script::new(
        config()
            .with_families(Family::PARSED.iter().copied())
            .unwrap(),
    );
    let connection = a.establish(open_with(64512, &offers()));
    let mut rib = Rib::new();
    for (family, _, [first, second, ..]) in CASES {
        for text in [first, second] {
            rib.announce(&Route::to(Destination::parse(family, text).unwrap()));
        }
    }
    let negotiated = a.session.negotiated().unwrap();
    let mut out = AdjRibOut::new(&mut rib, a.session.config(), negotiated);
    let mut octets = BytesMut::new();
    assert!(out.pull(&mut rib, &mut octets, usize::MAX));
    octets.clear();
    a.take_events();
    a.receive(
        connection,
        refresh(Family::L2VPN_EVPN, RefreshSubtype::REQUEST),
    );
    for event in a.take_events() {
        if let SessionEvent::Refresh(family) = event {
            out.refresh(family);
        }
    }
    assert!(out.pull(&mut rib, &mut octets, usize::MAX));
    let mut seen = Vec::new();
    while let Some(frame) = Frame::split(&mut octets, MessageLimit::Standard).unwrap() {
        match frame.decode(&context()).unwrap() {
            bgp_wire::Message::RouteRefresh(refresh) => {
                seen.push(format!("{} {}", refresh.subtype, refresh.family));
            }
            bgp_wire::Message::Update(update) => {
                let checked = update.check().unwrap();
                seen.extend(checked.announced_routes().map(|route| route.to_string()));
            }
            other => panic!("{other:?}"),
        }
    }
    let mark = |subtype: RefreshSubtype| format!("{subtype} l2vpn evpn");
    let expected = [
        mark(RefreshSubtype::BEGIN),
        "macadv rd 1:1 esi 0 etag 0 mac 00:00:5e:00:53:01 label 1".to_owned(),
        "multicast rd 1:1 etag 0 ip 192.0.2.1".to_owned(),
        mark(RefreshSubtype::END),
    ];
    assert_eq!(seen, expected);
}

/// RFC 8950 section 4: IPv6 next hops are for unicast, multicast, labelled and VPN routes.
#[test]
fn ipv6_next_hops_are_offered_for_families_that_have_them() {
    let config = config()
        .with_families(Family::PARSED.iter().copied())
        .unwrap();
    let mut a = Script::new(config.with_extended_next_hop(true));
    a.start();
    let dialled = a.expect_dial();
    a.connected(dialled);
    let open = a.open.take().unwrap();
    let offered = open
        .capabilities
        .iter()
        .find_map(|capability| match capability {
            CapabilityBuf::ExtendedNextHop(entries) => {
                Some(entries.iter().map(|entry| entry.family))
            }
            _ => None,
        });
    let expected = [
        Family::IPV4_UNICAST,
        Family::IPV4_MULTICAST,
        Family::IPV4_LABELED,
        Family::IPV4_VPN,
    ];
    assert_eq!(offered.unwrap().collect::<Vec<_>>(), expected);
}
