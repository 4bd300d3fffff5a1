//! Octets on their way to the peer, by connection: handed to the driver, taken by the socket, acknowledged.

use crate::output::ConnectionId;

/// The connections that something was sent on; a session has two at most.
#[derive(Debug, Default)]
pub(super) struct Outbox(Vec<Sent>);

#[derive(Debug)]
struct Sent {
    id: ConnectionId,
    /// Octets that were ever handed to the driver.
    total: u64,
    /// Those of them that the socket has not taken.
    queued: usize,
}

impl Outbox {
    pub(super) fn queue(&mut self, id: ConnectionId, octets: usize) {
        let total = to_u64(octets);
        match self.0.iter_mut().find(|sent| sent.id == id) {
            Some(sent) => {
                sent.total += total;
                sent.queued += octets;
            }
            None => self.0.push(Sent {
                id,
                total,
                queued: octets,
            }),
        }
    }

    /// Notes that the socket has taken octets. Returns how many are left.
    pub(super) fn written(&mut self, id: ConnectionId, taken: usize) -> usize {
        let Some(sent) = self.0.iter_mut().find(|sent| sent.id == id) else {
            return 0;
        };
        sent.queued = sent.queued.saturating_sub(taken);
        sent.queued
    }

    pub(super) fn close(&mut self, id: ConnectionId) {
        self.0.retain(|sent| sent.id != id);
    }

    pub(super) fn queued(&self, id: ConnectionId) -> usize {
        self.sent(id).map_or(0, |sent| sent.queued)
    }

    pub(super) fn total(&self, id: ConnectionId) -> u64 {
        self.sent(id).map_or(0, |sent| sent.total)
    }

    /// Returns how many octets the peer has acknowledged, if it has not acknowledged `unacknowledged` of those that the
    /// socket has taken.
    pub(super) fn acknowledged(&self, id: ConnectionId, unacknowledged: usize) -> u64 {
        let Some(sent) = self.sent(id) else { return 0 };
        // A driver may miscount: what it reports is never more than what was sent.
        let under_way = to_u64(sent.queued.saturating_add(unacknowledged));
        sent.total.saturating_sub(under_way)
    }

    fn sent(&self, id: ConnectionId) -> Option<&Sent> {
        self.0.iter().find(|sent| sent.id == id)
    }
}

#[expect(
    clippy::expect_used,
    reason = "no supported target has more than 64 bits"
)]
fn to_u64(octets: usize) -> u64 {
    u64::try_from(octets).expect("a usize of 64 bits or less")
}
