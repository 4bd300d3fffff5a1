//! Octets in transit to the peer, by connection: handed to the driver, taken by the socket, acknowledged.

use crate::output::ConnectionId;

/// The connections on which octets were sent; a session has two at most.
#[derive(Debug, Default)]
// A vector: with two entries a search is faster than a map.
pub(super) struct Outbox(Vec<Transit>);

/// The octets in transit on one connection.
#[derive(Debug)]
struct Transit {
    id: ConnectionId,
    /// All octets that were handed to the driver.
    total: u64,
    /// Octets of these that the socket has not taken.
    queued: usize,
}

impl Outbox {
    /// Records octets that are handed to the driver.
    pub(super) fn queue(&mut self, id: ConnectionId, octets: usize) {
        let total = to_u64(octets);
        match self.0.iter_mut().find(|transit| transit.id == id) {
            Some(transit) => {
                transit.total += total;
                transit.queued += octets;
            }
            None => self.0.push(Transit {
                id,
                total,
                queued: octets,
            }),
        }
    }

    /// Records octets that the socket has taken. Returns the number that still wait.
    pub(super) fn written(&mut self, id: ConnectionId, taken: usize) -> usize {
        let Some(transit) = self.0.iter_mut().find(|transit| transit.id == id) else {
            // The connection was closed meanwhile; late reports are ignored.
            return 0;
        };
        transit.queued = transit.queued.saturating_sub(taken);
        transit.queued
    }

    /// Forgets a connection.
    pub(super) fn close(&mut self, id: ConnectionId) {
        self.0.retain(|transit| transit.id != id);
    }

    /// Returns the number of octets that the socket has not taken.
    pub(super) fn queued(&self, id: ConnectionId) -> usize {
        self.transit(id).map_or(0, |transit| transit.queued)
    }

    /// Returns the number of all octets that were handed to the driver.
    pub(super) fn total(&self, id: ConnectionId) -> u64 {
        self.transit(id).map_or(0, |transit| transit.total)
    }

    /// Returns the number of octets that the peer has acknowledged, given the taken ones that it has not.
    pub(super) fn acknowledged(&self, id: ConnectionId, unacknowledged: usize) -> u64 {
        let Some(transit) = self.transit(id) else {
            return 0;
        };
        // A driver may miscount; the result must still be no more than was sent.
        let in_transit = to_u64(transit.queued.saturating_add(unacknowledged));
        transit.total.saturating_sub(in_transit)
    }

    /// Returns the record of a connection.
    fn transit(&self, id: ConnectionId) -> Option<&Transit> {
        self.0.iter().find(|transit| transit.id == id)
    }
}

#[expect(
    clippy::expect_used,
    reason = "no supported target has more than 64 bits"
)]
/// Converts a length without loss.
fn to_u64(octets: usize) -> u64 {
    u64::try_from(octets).expect("a usize has at most 64 bits")
}
