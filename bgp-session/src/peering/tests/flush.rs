//! Dialogues about flushes: when they end, and with which outcome.

use std::collections::BTreeMap;

use super::*;

fn flush(dialogue: &mut Dialogue) -> FlushId {
    dialogue.peering.flush(&mut dialogue.rib)
}

/// Announces a route whose attributes nearly fill a message, so that a window holds 600 changes at most.
fn with_small_windows(dialogue: &mut Dialogue) {
    let long = (0..900).fold(route(1_000_000), |route, value| {
        route.with_community(bgp_wire::Community(value))
    });
    dialogue.change(|rib| assert!(rib.announce(&long)));
    dialogue.write_all();
}

/// Changes the LOCAL_PREF of these routes.
fn change_routes(dialogue: &mut Dialogue, numbers: impl IntoIterator<Item = u32>, preference: u32) {
    dialogue.change(|rib| {
        for number in numbers {
            rib.announce(&route(number).with_local_pref(preference));
        }
    });
}

/// Writes what was handed to the driver, which the peer acknowledges at once. Returns the flush that this ends.
fn write_and_acknowledge(dialogue: &mut Dialogue) -> Option<FlushId> {
    let connection = dialogue.connection;
    dialogue.wait(Duration::from_millis(1));
    dialogue.write();
    dialogue.peering.handle_unacknowledged(connection, 0);
    let (id, flushed) = dialogue.peering.poll_flushed()?;
    assert_eq!(flushed.outcome, FlushOutcome::Acknowledged);
    Some(id)
}

/// Returns the LOCAL_PREF of each route in the octets that were written.
fn written_routes(dialogue: &Dialogue) -> BTreeMap<IpNet, u32> {
    let context = Context::new(PeerKind::Internal);
    let octets: usize = dialogue.sent.iter().map(|it| it.octets().len()).sum();
    let mut left = octets - dialogue.unwritten;
    let mut routes = BTreeMap::new();
    for frame in &dialogue.sent {
        let Some(after) = left.checked_sub(frame.octets().len()) else {
            break;
        };
        left = after;
        if let Message::Update(update) = frame.decode(&context).unwrap() {
            let checked = update.check().unwrap();
            let preference = checked.local_pref().unwrap_or_default();
            routes.extend(checked.announced().map(|it| (it.prefix, preference)));
        }
    }
    routes
}

#[test]
fn flush_ends_when_the_peer_has_acknowledged_every_octet() {
    let mut dialogue = Dialogue::established(1, MAX_QUEUED);
    dialogue.write();
    dialogue.rib.announce(&route(9));
    // The driver has not been told of the change, so the flush must find it.
    let flush = flush(&mut dialogue);
    dialogue.drain();
    assert_eq!(dialogue.take().announced, 2);
    let connection = dialogue.connection;
    dialogue.peering.handle_unacknowledged(connection, 0);
    assert_eq!(dialogue.peering.poll_flushed(), None, "not written yet");
    dialogue.write();
    dialogue.peering.handle_unacknowledged(connection, 1);
    assert_eq!(
        dialogue.peering.poll_flushed(),
        None,
        "one octet is missing"
    );
    assert!(dialogue.peering.awaits_acknowledgement());
    dialogue.peering.handle_unacknowledged(connection, 0);
    let (ended, flushed) = dialogue.peering.poll_flushed().unwrap();
    assert_eq!(
        (ended, flushed.outcome),
        (flush, FlushOutcome::Acknowledged)
    );
    assert!(flushed.is_complete());
    assert!(!dialogue.peering.awaits_acknowledgement());
}

#[test]
fn flush_without_a_session_ends_at_once() {
    let mut dialogue = Dialogue::established(1, MAX_QUEUED);
    let waiting = flush(&mut dialogue);
    let cancelled = flush(&mut dialogue);
    dialogue.peering.cancel_flush(cancelled);
    let (now, connection) = (dialogue.now, dialogue.connection);
    dialogue.peering.handle_closed(now, connection);
    dialogue.drain();
    let none = PeerFlush {
        outcome: FlushOutcome::NotEstablished,
        withheld: WithheldCounts::default(),
    };
    assert!(!none.is_complete());
    assert_eq!(dialogue.peering.poll_flushed(), Some((waiting, none)));
    let later = flush(&mut dialogue);
    assert_eq!(dialogue.peering.poll_flushed(), Some((later, none)));
    assert_eq!(dialogue.peering.poll_flushed(), None);
}

#[test]
fn flush_ends_although_the_table_changes_after_every_poll() {
    let mut dialogue = Dialogue::established(2000, 1);
    with_small_windows(&mut dialogue);
    change_routes(&mut dialogue, 0..2000, 1);
    dialogue.rib.announce(&route(5000).with_local_pref(7));
    let flush = flush(&mut dialogue);
    dialogue.drain();
    // Each round changes more routes than a window holds, so that the peer never catches up.
    let mut numbers = (0..2000).cycle();
    for round in 2..8 {
        change_routes(&mut dialogue, numbers.by_ref().take(700), round);
        let ended = write_and_acknowledge(&mut dialogue);
        assert!(!dialogue.peering.is_up_to_date());
        let has_route = written_routes(&dialogue).contains_key(&"10.0.19.136/32".parse().unwrap());
        assert_eq!(ended, has_route.then_some(flush), "round {round}");
        if ended.is_some() {
            return;
        }
    }
    panic!("the flush waits for later changes");
}

#[test]
fn flush_does_not_wait_for_the_octets_of_later_changes() {
    let mut dialogue = Dialogue::established(1, MAX_QUEUED);
    dialogue.write_all();
    dialogue.change(|rib| assert!(rib.announce(&route(8))));
    let flush = flush(&mut dialogue);
    dialogue.drain();
    dialogue.write();
    dialogue.change(|rib| assert!(rib.announce(&route(9))));
    let later = dialogue.unwritten;
    assert!(later > 0);
    dialogue.write();
    let connection = dialogue.connection;
    dialogue
        .peering
        .handle_unacknowledged(connection, later + 1);
    assert_eq!(dialogue.peering.poll_flushed(), None);
    dialogue.peering.handle_unacknowledged(connection, later);
    let ended = dialogue.peering.poll_flushed();
    assert_eq!(ended.map(|(id, _)| id), Some(flush));
}

/// A route that changes again before it is sent is at the end of the log. Its older version is never sent.
#[test]
fn flush_does_not_wait_for_a_route_that_changes_again() {
    let mut dialogue = Dialogue::established(2000, 1);
    with_small_windows(&mut dialogue);
    change_routes(&mut dialogue, 0..1000, 1);
    let flush = flush(&mut dialogue);
    // All of them change again, and so do enough others that the peer does not catch up at once.
    change_routes(&mut dialogue, (1000..2000).chain(0..1000), 2);
    // The first window has been handed to the driver. The second one contains the end of the first 1000 changes.
    let ended = [(); 2].map(|()| write_and_acknowledge(&mut dialogue));
    assert_eq!(ended, [None, Some(flush)]);
    assert!(!dialogue.peering.is_up_to_date());
    // The routes arrive in their newest version with the changes that follow.
    dialogue.write_all();
    let routes = written_routes(&dialogue);
    assert_eq!(routes.values().filter(|value| **value == 2).count(), 2000);
}

#[test]
fn flush_after_a_change_of_the_policy_waits_for_the_routes_that_are_sent_again() {
    let mut dialogue = Dialogue::established(2000, 1);
    with_small_windows(&mut dialogue);
    let count = |dialogue: &Dialogue, preference| {
        let routes = written_routes(dialogue);
        routes.values().filter(|it| **it == preference).count()
    };
    for preference in [7, 8] {
        let before = flush(&mut dialogue);
        let policy = ExportPolicy::all().with_local_pref(preference);
        let config = config().with_export(policy);
        dialogue.peering.update(dialogue.now, config).unwrap();
        let after = flush(&mut dialogue);
        // The peer asks for the routes meanwhile, which is no change.
        dialogue.ask_refresh();
        dialogue.drain();
        assert_eq!(write_and_acknowledge(&mut dialogue), Some(before));
        assert!(count(&dialogue, preference) < 2001);
        let mut ended = None;
        while ended.is_none() {
            ended = write_and_acknowledge(&mut dialogue);
        }
        assert_eq!(ended, Some(after));
        assert_eq!(count(&dialogue, preference), 2001);
        dialogue.write_all();
    }
}
