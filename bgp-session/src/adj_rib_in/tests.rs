//! Events and the table that they lead to, in every family.

use std::sync::Arc;

use bgp_wire::{Context, Frame, HoldTime, Message, MessageLimit, Origin, PeerKind, RouterId};
use bytes::BytesMut;

use super::*;
use crate::SessionId;

/// Two routes of a family, and the first with what does not name it changed.
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

/// A table, and what it has told of.
#[derive(Default)]
struct Told {
    table: AdjRibIn,
    changes: Vec<String>,
}

impl Told {
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
            reason: crate::DownReason::Closed,
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
        let mut told = Told::default();
        told.apply(&case.announce(&[first, second], &[]));
        let expected = [first, second].map(|text| format!("+{text} Fresh"));
        assert_eq!(told.take(), expected);
        assert_eq!(told.table.counts().collect::<Vec<_>>(), [(case.family, 2)]);
        let route = told.table.route(&case.nlri(second)).unwrap();
        assert_eq!(route.next_hop, case.next_hop, "{}", case.family);
        let shared = &told.table.route(&case.nlri(first)).unwrap().attributes;
        assert!(Arc::ptr_eq(&route.attributes, shared));

        told.apply(&case.announce(&[case.relabeled], &[Community::NO_EXPORT]));
        assert_eq!(told.take(), [format!("+{} Fresh", case.relabeled)]);
        assert_eq!((told.table.len(), told.table.count(case.family)), (2, 2));
        let (_, route) = (told.table.routes())
            .find(|(nlri, _)| nlri.to_string() == case.relabeled)
            .unwrap();
        assert_eq!(route.attributes.communities, [Community::NO_EXPORT]);

        told.apply(&case.withdraw(first));
        told.apply(&case.withdraw(first));
        assert_eq!(told.take(), [format!("-{}", case.relabeled)], "once");
        assert_eq!(told.table.route(&case.nlri(first)), None);
        told.apply(&case.down(false));
        assert_eq!(told.take(), [format!("-{second}")]);
        assert!(told.table.is_empty());
    }
}

/// RFC 4724 section 4.2.
#[test]
fn routes_of_every_family_outlive_a_restart() {
    for case in &CASES {
        let [first, second] = case.texts;
        let mut told = Told::default();
        told.apply(&case.announce(&[first, second], &[]));
        told.take();
        told.apply(&case.down(true));
        let mut expected = [first, second].map(|text| format!("+{text} Stale"));
        let mut stale = told.take();
        expected.sort();
        stale.sort();
        assert_eq!(stale, expected);
        told.apply(&case.announce(&[first], &[]));
        told.take();
        told.apply(&SessionEvent::StaleRoutesGone(case.families()));
        assert_eq!(told.take(), [format!("-{second}")]);
        // A second restart: what is stale by then is gone.
        told.apply(&case.down(true));
        told.apply(&case.down(true));
        assert_eq!(
            told.take(),
            [format!("+{first} Stale"), format!("-{first}")]
        );
    }
}

/// RFC 9494 section 4.2.
#[test]
fn routes_of_every_family_become_a_last_resort() {
    for case in &CASES {
        let [first, second] = case.texts;
        let mut told = Told::default();
        told.apply(&case.announce(&[first], &[]));
        told.apply(&case.announce(&[second], &[Community::NO_LLGR]));
        told.apply(&case.down(true));
        told.take();
        told.apply(&SessionEvent::StaleRoutesLongLived(case.families()));
        assert_eq!(
            told.take(),
            [format!("-{second}"), format!("+{first} LongLived")]
        );
        let communities = |told: &Told| {
            let route = told.table.route(&case.nlri(first)).unwrap();
            route.attributes.communities.clone()
        };
        assert_eq!(communities(&told), [Community::LLGR_STALE]);
        told.apply(&case.down(true));
        assert_eq!((told.take().len(), told.table.len()), (0, 1), "it stays");
        told.apply(&SessionEvent::StaleRoutesGone(case.families()));
        assert!(told.table.is_empty());
    }
}

#[test]
fn last_resorts_go_on_sharing_their_attributes() {
    let case = &CASES[0];
    let mut told = Told::default();
    told.apply(&case.announce(&case.texts, &[]));
    told.apply(&case.down(true));
    told.apply(&SessionEvent::StaleRoutesLongLived(case.families()));
    let mut routes = told.table.routes();
    let (one, other) = (routes.next().unwrap().1, routes.next().unwrap().1);
    assert!(Arc::ptr_eq(&one.attributes, &other.attributes));
}

/// RFC 7313 section 4.
#[test]
fn refresh_removes_what_it_does_not_name() {
    for case in &CASES {
        let [first, second] = case.texts;
        let other = &CASES[(CASES
            .iter()
            .position(|it| it.family == case.family)
            .unwrap()
            + 1)
            % CASES.len()];
        let mut told = Told::default();
        told.apply(&case.announce(&[first, second], &[]));
        told.apply(&other.announce(&other.texts, &[]));
        told.take();
        told.apply(&SessionEvent::RefreshEnds(case.family));
        assert_eq!(told.take().len(), 0, "an end without a beginning");
        told.apply(&SessionEvent::RefreshBegins(case.family));
        told.apply(&case.announce(&[case.relabeled], &[]));
        told.take();
        told.apply(&SessionEvent::RefreshEnds(other.family));
        assert_eq!(told.take().len(), 0, "another family");
        told.apply(&SessionEvent::RefreshEnds(case.family));
        assert_eq!(told.take(), [format!("-{second}")]);
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
    let context = Context::new(PeerKind::External).peer_role(Role::PROVIDER, Asn::new(64513));
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
        peer_role: Some(Role::PROVIDER),
    };
    let mut told = Told::default();
    told.apply(&SessionEvent::Up {
        session: SessionId(1),
        negotiated: negotiated.into(),
    });
    for case in &CASES {
        told.apply(&case.announce(&case.texts, &[]));
        let route = told.table.route(&case.nlri(case.texts[0])).unwrap();
        let expected = is_unicast(case.family).then_some(Asn::new(64513));
        assert_eq!(
            route.attributes.only_to_customer, expected,
            "{}",
            case.family
        );
    }
}
