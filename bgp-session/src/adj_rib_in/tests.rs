//! Tests of the events of a session and the resulting table, in every family.

use std::sync::Arc;

use bgp_wire::{
    Community, Context, Frame, HoldTime, Message, MessageLimit, Origin, PeerKind, RouterId,
};
use bytes::BytesMut;

use super::*;
use crate::SessionId;

/// Two routes of a family, and the first route with changes in the fields that do not identify it.
struct Case {
    family: Family,
    texts: [&'static str; 2],
    relabeled: &'static str,
    next_hop: NextHop,
}

const V4: NextHop = NextHop::Address(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
const V6: NextHop = NextHop::Address(IpAddr::V6(std::net::Ipv6Addr::new(
    0x2001, 0xdb8, 0, 0, 0, 0, 0, 1,
)));

#[rustfmt::skip]
const CASES: [Case; 14] = [
    Case {
        family: Family::IPV4_UNICAST, next_hop: V4,
        texts: ["10.0.0.0/8", "11.0.0.0/8"], relabeled: "10.0.0.0/8",
    },
    Case {
        family: Family::IPV6_UNICAST, next_hop: V6,
        texts: ["2001:db8::/32", "2001:db9::/32"], relabeled: "2001:db8::/32",
    },
    Case {
        family: Family::IPV4_MULTICAST, next_hop: V4,
        texts: ["10.0.0.0/8", "11.0.0.0/8"], relabeled: "10.0.0.0/8",
    },
    Case {
        family: Family::IPV6_MULTICAST, next_hop: V6,
        texts: ["2001:db8::/32", "2001:db9::/32"], relabeled: "2001:db8::/32",
    },
    Case {
        family: Family::IPV4_LABELED, next_hop: V4,
        texts: ["10.0.0.0/8 label 1", "11.0.0.0/8 label 1"], relabeled: "10.0.0.0/8 label 2",
    },
    Case {
        family: Family::IPV6_LABELED, next_hop: V6,
        texts: ["2001:db8::/32 label 1", "2001:db9::/32 label 1"], relabeled: "2001:db8::/32 label 2",
    },
    Case {
        family: Family::IPV4_VPN, next_hop: V4,
        texts: ["10.0.0.0/8 rd 1:1 label 1", "10.0.0.0/8 rd 1:2 label 1"], relabeled: "10.0.0.0/8 rd 1:1 label 2",
    },
    Case {
        family: Family::IPV6_VPN, next_hop: V6,
        texts: ["2001:db8::/32 rd 1:1 label 1", "2001:db8::/32 rd 1:2 label 1"],
        relabeled: "2001:db8::/32 rd 1:1 label 2",
    },
    Case {
        family: Family::IPV4_FLOWSPEC, next_hop: NextHop::Absent,
        texts: ["destination 10.0.0.0/8", "protocol =udp"], relabeled: "destination 10.0.0.0/8",
    },
    Case {
        family: Family::IPV6_FLOWSPEC, next_hop: NextHop::Absent,
        texts: ["destination 2001:db8::/32", "protocol =udp"], relabeled: "destination 2001:db8::/32",
    },
    Case {
        family: Family::IPV4_FLOWSPEC_VPN, next_hop: NextHop::Absent,
        texts: ["rd 1:1 protocol =udp", "rd 1:2 protocol =udp"], relabeled: "rd 1:1 protocol =udp",
    },
    Case {
        family: Family::IPV6_FLOWSPEC_VPN, next_hop: NextHop::Absent,
        texts: ["rd 1:1 protocol =udp", "rd 1:2 protocol =udp"], relabeled: "rd 1:1 protocol =udp",
    },
    Case {
        family: Family::L2VPN_EVPN, next_hop: V4,
        texts: [
            "macadv rd 1:1 esi 0 etag 0 mac 00:00:5e:00:53:01 label 1",
            "multicast rd 1:1 etag 0 ip 192.0.2.1",
        ],
        relabeled: "macadv rd 1:1 esi 0 etag 0 mac 00:00:5e:00:53:01 label 2",
    },
    Case {
        family: Family::ROUTE_TARGET, next_hop: V4,
        texts: ["1 target:1:1", "default"], relabeled: "1 target:1:1",
    },
];

/// A table with the changes that it has reported.
#[derive(Default)]
struct Recorder {
    table: AdjRibIn,
    changes: Vec<String>,
}

impl Recorder {
    fn apply(&mut self, event: &SessionEvent) {
        let changes = &mut self.changes;
        self.table.apply(event, |change| {
            changes.push(match change {
                RouteChange::Announced(nlri, route) => format!("+{nlri} {:?}", route.staleness),
                RouteChange::Withdrawn(nlri) => format!("-{nlri}"),
            });
        });
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.changes)
    }
}

impl Case {
    fn nlri(&self, text: &str) -> AnyNlriBuf {
        AnyNlriBuf::parse(self.family, text).unwrap()
    }

    fn announce(&self, texts: &[&str], communities: &[Community]) -> SessionEvent {
        let mut attributes = AttributeSet::new(Origin::IGP);
        attributes.communities.extend(communities);
        let mut update = UpdateBuf::new(attributes);
        update.set_next_hop(self.family, self.next_hop);
        for text in texts {
            update.announce(self.nlri(text));
        }
        event(&update, self.family)
    }

    fn withdraw(&self, text: &str) -> SessionEvent {
        let mut update = UpdateBuf::new(AttributeSet::new(Origin::IGP));
        update.withdraw(self.nlri(text));
        event(&update, self.family)
    }

    fn families(&self) -> FamilySet {
        FamilySet::EMPTY.with(self.family)
    }

    fn down(&self, retained: bool) -> SessionEvent {
        SessionEvent::Down {
            session: SessionId(1),
            reason: crate::DownReason::TimedOut,
            retained: if retained {
                self.families()
            } else {
                FamilySet::EMPTY
            },
        }
    }
}

fn event(update: &UpdateBuf, family: Family) -> SessionEvent {
    let context = Context::new(PeerKind::Internal).with_families([family]);
    let mut octets = BytesMut::new();
    assert_eq!(update.encode(&context, &mut octets), Ok(1));
    let frame = Frame::split(&mut octets, MessageLimit::Standard).unwrap();
    let frame = frame.unwrap();
    assert!(matches!(frame.decode(&context), Ok(Message::Update(_))));
    SessionEvent::Update(ReceivedUpdate { frame, context })
}

#[test]
fn routes_of_every_family_are_kept_and_withdrawn() {
    for case in &CASES {
        let [first, second] = case.texts;
        let mut recorder = Recorder::default();
        recorder.apply(&case.announce(&[first, second], &[]));
        let expected = [first, second].map(|text| format!("+{text} Fresh"));
        assert_eq!(recorder.take(), expected);
        assert_eq!(
            recorder.table.counts().collect::<Vec<_>>(),
            [(case.family, 2)]
        );
        let route = recorder.table.route(&case.nlri(second)).unwrap();
        assert_eq!(route.next_hop, case.next_hop, "{}", case.family);
        let shared = &recorder.table.route(&case.nlri(first)).unwrap().attributes;
        assert!(Arc::ptr_eq(&route.attributes, shared));

        recorder.apply(&case.announce(&[case.relabeled], &[Community::NO_EXPORT]));
        assert_eq!(recorder.take(), [format!("+{} Fresh", case.relabeled)]);
        assert_eq!(
            (recorder.table.len(), recorder.table.count(case.family)),
            (2, 2)
        );
        let (_, route) = (recorder.table.routes())
            .find(|(nlri, _)| nlri.to_string() == case.relabeled)
            .unwrap();
        assert_eq!(route.attributes.communities, [Community::NO_EXPORT]);

        recorder.apply(&case.withdraw(first));
        recorder.apply(&case.withdraw(first));
        assert_eq!(recorder.take(), [format!("-{}", case.relabeled)], "once");
        assert_eq!(recorder.table.route(&case.nlri(first)), None);
        recorder.apply(&case.down(false));
        assert_eq!(recorder.take(), [format!("-{second}")]);
        assert!(recorder.table.is_empty());
    }
}

/// RFC 4724 section 4.2.
#[test]
fn routes_of_every_family_outlive_a_restart() {
    for case in &CASES {
        let [first, second] = case.texts;
        let mut recorder = Recorder::default();
        recorder.apply(&case.announce(&[first, second], &[]));
        recorder.take();
        recorder.apply(&case.down(true));
        // The order of the changes differs by family: NLRI are not always in the order of their texts.
        let mut expected = [first, second].map(|text| format!("+{text} Stale"));
        let mut stale = recorder.take();
        expected.sort();
        stale.sort();
        assert_eq!(stale, expected);
        recorder.apply(&case.announce(&[first], &[]));
        recorder.take();
        recorder.apply(&SessionEvent::StaleRoutesGone(case.families()));
        assert_eq!(recorder.take(), [format!("-{second}")]);
        // A second restart removes the routes that are still stale (RFC 4724 section 4.2).
        recorder.apply(&case.down(true));
        recorder.apply(&case.down(true));
        assert_eq!(
            recorder.take(),
            [format!("+{first} Stale"), format!("-{first}")]
        );
    }
}

/// RFC 9494 section 4.2.
#[test]
fn stale_routes_of_every_family_become_long_lived() {
    for case in &CASES {
        let [first, second] = case.texts;
        let mut recorder = Recorder::default();
        recorder.apply(&case.announce(&[first], &[]));
        recorder.apply(&case.announce(&[second], &[Community::NO_LLGR]));
        recorder.apply(&case.down(true));
        recorder.take();
        recorder.apply(&SessionEvent::StaleRoutesLongLived(case.families()));
        assert_eq!(
            recorder.take(),
            [format!("-{second}"), format!("+{first} LongLived")]
        );
        let communities = |recorder: &Recorder| {
            let route = recorder.table.route(&case.nlri(first)).unwrap();
            route.attributes.communities.clone()
        };
        assert_eq!(communities(&recorder), [Community::LLGR_STALE]);
        recorder.apply(&case.down(true));
        assert_eq!(
            (recorder.take().len(), recorder.table.len()),
            (0, 1),
            "it stays"
        );
        recorder.apply(&SessionEvent::StaleRoutesGone(case.families()));
        assert!(recorder.table.is_empty());
    }
}

#[test]
fn long_lived_routes_share_their_attributes() {
    let case = &CASES[0];
    let mut recorder = Recorder::default();
    recorder.apply(&case.announce(&case.texts, &[]));
    recorder.apply(&case.down(true));
    recorder.apply(&SessionEvent::StaleRoutesLongLived(case.families()));
    // A copy of the attributes for each route would multiply the memory of a large table.
    let mut routes = recorder.table.routes();
    let (one, other) = (routes.next().unwrap().1, routes.next().unwrap().1);
    assert!(Arc::ptr_eq(&one.attributes, &other.attributes));
}

/// RFC 7313 section 4.
#[test]
fn refresh_removes_routes_not_announced_again() {
    for case in &CASES {
        let [first, second] = case.texts;
        let other = &CASES[(CASES
            .iter()
            .position(|it| it.family == case.family)
            .unwrap()
            + 1)
            % CASES.len()];
        let mut recorder = Recorder::default();
        recorder.apply(&case.announce(&[first, second], &[]));
        recorder.apply(&other.announce(&other.texts, &[]));
        recorder.take();
        // RFC 7313 section 4: EoRR without BoRR is ignored.
        recorder.apply(&SessionEvent::RefreshEnds(case.family));
        assert_eq!(recorder.take().len(), 0, "an end without a beginning");
        recorder.apply(&SessionEvent::RefreshBegins(case.family));
        recorder.apply(&case.announce(&[case.relabeled], &[]));
        recorder.take();
        recorder.apply(&SessionEvent::RefreshEnds(other.family));
        assert_eq!(recorder.take().len(), 0, "another family");
        recorder.apply(&SessionEvent::RefreshEnds(case.family));
        assert_eq!(recorder.take(), [format!("-{second}")]);
    }
}

#[test]
fn lookup_finds_every_path_of_the_longest_prefix() {
    let context = Context::new(PeerKind::Internal).with_add_path([Family::IPV4_UNICAST]);
    let mut update = UpdateBuf::new(AttributeSet::new(Origin::IGP));
    update.set_next_hop(Family::IPV4_UNICAST, V4);
    for text in [
        "10.0.0.0/8 path-id 1",
        "10.1.0.0/16 path-id 7",
        "10.1.0.0/16 path-id 2",
    ] {
        update.announce(AnyNlriBuf::parse(Family::IPV4_UNICAST, text).unwrap());
    }
    let mut octets = BytesMut::new();
    update.encode(&context, &mut octets).unwrap();
    let frame = Frame::split(&mut octets, MessageLimit::Standard).unwrap();
    let frame = frame.unwrap();
    let mut table = AdjRibIn::new();
    table.apply(
        &SessionEvent::Update(ReceivedUpdate { frame, context }),
        |_| {},
    );
    let found = |address: &str| {
        let routes = table.lookup(address.parse().unwrap());
        routes.map(|(nlri, _)| nlri.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        found("10.1.2.3"),
        ["10.1.0.0/16 path-id 2", "10.1.0.0/16 path-id 7"]
    );
    assert_eq!(found("10.2.2.3"), ["10.0.0.0/8 path-id 1"]);
    assert_eq!(found("11.0.0.1"), [""; 0]);
    assert_eq!(found("2001:db8::1"), [""; 0]);
}

/// RFC 9234 section 5: only unicast routes get OTC.
#[test]
fn other_families_get_no_otc() {
    let context = Context::new(PeerKind::External).with_peer_role(Role::PROVIDER, Asn::new(64513));
    let negotiated = Negotiated {
        local_as: Asn::new(64512),
        peer_as: Asn::new(64513),
        peer_router_id: RouterId::new(192, 0, 2, 1).unwrap(),
        local_address: [192, 0, 2, 2].into(),
        hold_time: HoldTime::DEFAULT,
        keepalive: std::time::Duration::ZERO,
        context,
        sends: context,
        route_refresh: true,
        enhanced_route_refresh: true,
        end_of_rib: true,
        restart: None,
        peer_long_lived: FamilySet::EMPTY,
        peer_role: Some(Role::PROVIDER),
        peer_capabilities: Vec::new(),
    };
    let mut recorder = Recorder::default();
    recorder.apply(&SessionEvent::Up {
        session: SessionId(1),
        negotiated: negotiated.into(),
    });
    for case in &CASES {
        recorder.apply(&case.announce(&case.texts, &[]));
        let route = recorder.table.route(&case.nlri(case.texts[0])).unwrap();
        let expected = is_unicast(case.family).then_some(Asn::new(64513));
        assert_eq!(
            route.attributes.only_to_customer, expected,
            "{}",
            case.family
        );
    }
}
