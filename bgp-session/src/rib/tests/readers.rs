//! Tests of a table and its readers, step by step.

use super::*;

#[test]
fn slow_reader_sees_each_prefix_once() {
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

/// Another path reuses the key of the path before the message is encoded.
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
    assert_eq!(peer.preference(2), Some(7));
    assert_eq!(peer.adj_rib_out.as_ref().unwrap().version(), Some(before));
    [2, 4].into_iter().for_each(|number| peer.change(number, 1));
    assert!(peer.pull(&mut rib, 4096));
    assert_eq!(peer.preference(2), Some(8));
    assert_eq!(peer.preference(4), Some(9));
    assert_eq!(
        peer.adj_rib_out.as_ref().unwrap().version(),
        Some(rib.version())
    );
}

#[test]
fn withdrawals_reach_only_peers_that_have_the_route() {
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

/// Every pull has room for the changes of one family only, and there are always new ones.
#[test]
fn family_with_many_changes_does_not_starve_another() {
    let mut rib = Rib::new();
    let mut peer = Peer {
        every_family: true,
        ..Peer::default()
    };
    peer.up(&mut rib);
    assert!(peer.pull(&mut rib, 4096));
    // IPv4 and IPv6 unicast, and two other families.
    let numbers = [2, 3, FIRST_OTHER, FIRST_OTHER + 3];
    for round in 0..20 {
        for number in numbers {
            rib.announce(&route(number, round % 3));
            peer.change(number, 1);
        }
        assert!(!peer.pull(&mut rib, 1));
    }
    // Each of the four families had every fourth turn.
    let preferences = numbers.map(|number| peer.preference(number));
    assert_eq!(preferences, [Some(1), Some(2), Some(0), Some(1)]);
}

#[test]
fn refresh_marks_enclose_the_routes() {
    let mut rib = Rib::new();
    rib.announce(&route(2, 0));
    let mut peer = Peer::default();
    peer.up(&mut rib);
    assert!(peer.pull(&mut rib, 4096));
    peer.passing.insert(Family::IPV4_UNICAST);
    let adj_rib_out = peer.adj_rib_out.as_mut().unwrap();
    assert_eq!(adj_rib_out.version(), Some(1));
    adj_rib_out.refresh(Family::IPV4_UNICAST);
    assert_eq!(adj_rib_out.version(), Some(1), "a refresh is no change");
    // A second request before the pass begins shares its answer. Requests during the pass share one more answer.
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
fn refresh_during_first_pass_is_answered_after_it() {
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
fn replace_with_same_routes_changes_nothing() {
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
fn ten_thousand_host_routes_take_thirteen_messages() {
    let mut rib = Rib::new();
    for number in 0..10_000u32 {
        let prefix = Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap();
        rib.announce(
            &Route::new(prefix.into())
                .with_local_pref(0)
                .with_origin(Origin::INCOMPLETE),
        );
    }
    let mut adj_rib_out = AdjRibOut::new(&mut rib, &config(), &negotiated(PeerKind::Internal));
    let mut octets = BytesMut::new();
    assert!(adj_rib_out.pull(&mut rib, &mut octets, usize::MAX));
    assert_eq!(messages(&octets), 13 + 2, "and two End-of-RIB markers");
}

/// The output of a pull is bounded even if every route has long attributes of its own.
#[test]
fn pull_of_long_attributes_is_bounded() {
    let mut rib = Rib::new();
    for number in 0..3000_u32 {
        let prefix = Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap();
        let mut route = Route::new(prefix.into());
        for value in 0..900 {
            route = route.with_community(Community(number * 1000 + value));
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

/// RFC 4724 section 4.1: End-of-RIB is sent when the table is complete again.
#[test]
fn end_of_rib_waits_until_the_table_is_complete() {
    let mut rib = Rib::new();
    rib.set_complete(false);
    let mut peer = Peer::default();
    peer.up(&mut rib);
    rib.announce(&route(2, 0));
    assert!(peer.pull(&mut rib, 4096));
    assert_eq!((peer.announcements, peer.marks.len()), (1, 0));
    peer.passing.insert(Family::IPV4_UNICAST);
    peer.adj_rib_out
        .as_mut()
        .unwrap()
        .refresh(Family::IPV4_UNICAST);
    assert!(peer.pull(&mut rib, 4096));
    assert_eq!(peer.marks.len(), 0, "no BoRR before End-of-RIB");
    peer.passing.insert(Family::IPV4_UNICAST);
    rib.set_complete(true);
    assert!(peer.pull(&mut rib, 4096));
    assert_eq!(peer.marks.len(), 4, "{:?}", peer.marks);
}

#[test]
fn dropped_reader_keeps_no_withdrawals_in_the_table() {
    let mut rib = Rib::new();
    let (mut dropped, mut kept) = (Peer::default(), Peer::default());
    kept.up(&mut rib);
    dropped.up(&mut rib);
    (0..1000).for_each(|round| {
        rib.announce(&Route::new(host(round)));
    });
    // Dropped without access to the table, as by a task that panics.
    drop(dropped.adj_rib_out.take());
    while !kept.pull(&mut rib, 4096) {}
    (0..1000).for_each(|round| {
        rib.withdraw(host(round));
    });
    while !kept.pull(&mut rib, 4096) {}
    for _ in 0..1000 {
        rib.announce(&route(2, 0));
        rib.withdraw(prefix(2));
        while !kept.pull(&mut rib, 4096) {}
    }
    let positions = rib.ipv4_positions();
    assert!(positions < 300, "{positions} positions are kept");
    // The free slot is used again, and its new reader starts at the beginning.
    rib.announce(&route(4, 7));
    let mut late = Peer::default();
    late.up(&mut rib);
    assert!(late.pull(&mut rib, 4096));
    assert_eq!(late.preference(4), Some(7));
}

fn host(number: u32) -> IpNet {
    IpNet::from(std::net::IpAddr::from(std::net::Ipv4Addr::from_bits(
        0x0a00_0000 | number,
    )))
}

/// A table that is not the reader's own has another log, with positions of other readers.
#[test]
#[cfg_attr(debug_assertions, should_panic(expected = "was created for"))]
fn reader_of_another_table_pulls_nothing() {
    let (mut own, mut foreign) = (Rib::new(), Rib::new());
    foreign.announce(&route(2, 0));
    let mut stranger = Peer::default();
    stranger.up(&mut foreign);
    let mut peer = Peer::default();
    peer.up(&mut own);
    let adj_rib_out = peer.adj_rib_out.as_mut().unwrap();
    let mut octets = BytesMut::new();
    assert!(adj_rib_out.pull(&mut foreign, &mut octets, 4096));
    assert_eq!((octets.len(), adj_rib_out.version()), (0, None));
    assert!(stranger.pull(&mut foreign, 4096));
    assert_eq!(stranger.preference(2), Some(0));
}

/// The flush is asked for after the first change of the form and before the second, while the peer is still in its first pass.
#[test]
fn flush_between_two_changes_of_the_form_waits_for_the_pass() {
    let mut rib = Rib::new();
    // Several windows.
    for number in 0..100_000_u32 {
        let prefix = Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap();
        rib.announce(&Route::new(prefix.into()));
    }
    let mut peer = Peer::default();
    peer.up(&mut rib);
    let mut out = BytesMut::new();
    let adj_rib_out = peer.adj_rib_out.as_mut().unwrap();
    // A full output: the first pass has begun and is not at its end.
    adj_rib_out.pull(&mut rib, &mut out, 1);
    adj_rib_out.set_draining(true);
    let target = adj_rib_out.target(&mut rib);
    adj_rib_out.set_draining(false);
    let mut pulls = 0;
    while !adj_rib_out.has_reached(target) {
        assert!(!adj_rib_out.pull(&mut rib, &mut out, 1) || adj_rib_out.has_reached(target));
        out.clear();
        pulls += 1;
    }
    assert!(pulls > 1, "the pass is longer than one output");
    assert_eq!(adj_rib_out.version(), Some(rib.version()));
}
