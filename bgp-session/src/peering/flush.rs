//! Pending flushes of one peer. Each waits until the peer has acknowledged a version of the table.

use std::collections::VecDeque;

use crate::withheld::WithheldCounts;

/// Identifies one flush of a peering. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlushId(u64);

/// The outcome of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum FlushOutcome {
    /// The peer's TCP has acknowledged every octet. Its kernel has them; its program may not have read them yet.
    Acknowledged,
    /// No session is Established, or it went down meanwhile. The next session sends everything again.
    NotEstablished,
    /// The caller waited no longer, and the peer has not acknowledged every octet.
    Pending,
}

/// The result of a flush at one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PeerFlush {
    /// The fate of the routes that the peer is sent.
    pub outcome: FlushOutcome,
    /// The numbers of routes that the peer is not sent, by reason. They belong to the whole table, not only to the last
    /// changes. Empty if no session is Established.
    pub withheld: WithheldCounts,
}

impl PeerFlush {
    /// The result of a flush without a session.
    #[cfg(feature = "tokio")]
    pub(crate) const NOT_ESTABLISHED: Self = Self {
        outcome: FlushOutcome::NotEstablished,
        withheld: WithheldCounts::NONE,
    };

    /// Returns `true` if the peer has acknowledged the whole table: every octet, and no route is withheld.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.outcome == FlushOutcome::Acknowledged && self.withheld.is_empty()
    }
}

/// Pending and ended flushes.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    waiting: Vec<Flush>,
    ended: VecDeque<(FlushId, FlushOutcome)>,
    begun: u64,
}

/// One pending flush.
#[derive(Debug)]
struct Flush {
    id: FlushId,
    /// The version of the table to be acknowledged.
    version: u64,
    /// The number of octets to be acknowledged, counted from the start of the connection. `None` until all of them have
    /// been handed to the driver.
    mark: Option<u64>,
}

impl Flushes {
    /// Starts a flush. Without an Established session it ends at once.
    pub(super) fn begin(&mut self, version: u64, is_established: bool) -> FlushId {
        self.begun += 1;
        let id = FlushId(self.begun);
        if is_established {
            // The position is not known yet: the routes may still be in the table.
            self.waiting.push(Flush {
                id,
                version,
                mark: None,
            });
        } else {
            self.ended.push_back((id, FlushOutcome::NotEstablished));
        }
        id
    }

    /// Removes a flush, also if it has ended.
    pub(super) fn cancel(&mut self, id: FlushId) {
        self.waiting.retain(|flush| flush.id != id);
        self.ended.retain(|(ended, _)| *ended != id);
    }

    /// Returns the next flush that has ended, and its outcome.
    pub(super) fn poll(&mut self) -> Option<(FlushId, FlushOutcome)> {
        self.ended.pop_front()
    }

    /// Returns `true` while a flush is pending.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Ends every pending flush because the session is down.
    pub(super) fn fail(&mut self) {
        let ended = self.waiting.drain(..);
        self.ended
            .extend(ended.map(|flush| (flush.id, FlushOutcome::NotEstablished)));
    }

    /// Ends the flushes that the peer has acknowledged.
    ///
    /// `sent` is the version of the table whose routes have all been handed to the driver. `total` is the number of
    /// octets on the connection so far.
    pub(super) fn acknowledge(&mut self, sent: Option<u64>, total: u64, acknowledged: u64) {
        let ended = self.waiting.extract_if(.., |flush| {
            if flush.mark.is_none() && sent.is_some_and(|sent| sent >= flush.version) {
                // Later routes do not move the mark, so a flush ends although the table changes all the time.
                flush.mark = Some(total);
            }
            // TCP acknowledges in order, so everything before the mark has arrived.
            flush.mark.is_some_and(|mark| acknowledged >= mark)
        });
        self.ended
            .extend(ended.map(|flush| (flush.id, FlushOutcome::Acknowledged)));
    }
}
