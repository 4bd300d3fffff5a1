//! Dialogues about flushes: when they end, and with which outcome.

use super::*;

#[test]
fn flush_ends_when_the_peer_has_acknowledged_every_octet() {
    let mut dialogue = Dialogue::established(1, MAX_QUEUED);
    dialogue.write();
    dialogue.rib.announce(&route(9));
    // The driver has not been told of the change, so the flush must find it.
    let flush = dialogue.peering.flush(dialogue.rib.version());
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
    let waiting = dialogue.peering.flush(dialogue.rib.version());
    let cancelled = dialogue.peering.flush(dialogue.rib.version());
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
    let later = dialogue.peering.flush(dialogue.rib.version());
    assert_eq!(dialogue.peering.poll_flushed(), Some((later, none)));
    assert_eq!(dialogue.peering.poll_flushed(), None);
}
