//! Pending flushes of one peer. Each waits until the peer has acknowledged the changes that were made before it.

use std::collections::BTreeMap;

use crate::rib::Progress;
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
    /// The peer's TCP has acknowledged every change that was made before the flush. Its kernel has them; its program may not
    /// have read them yet.
    ///
    /// A route that changed again before it was sent counts with its later change: the peer gets its newest state only, and
    /// a flush after the later change waits for that.
    Acknowledged,
    /// No session is Established, or it went down meanwhile. The next session sends everything again.
    NotEstablished,
    /// The caller waited no longer, and the peer has not acknowledged every change that was made before the flush.
    Pending,
}

/// The result of a flush at one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PeerFlush {
    /// The fate of the changes that were made before the flush.
    pub outcome: FlushOutcome,
    /// The numbers of routes that the peer is not sent, by reason. Empty if no session is Established.
    ///
    /// They belong to the whole table as it was last read for this peer. Changes before the flush are included, and changes
    /// during it may be.
    pub withheld: WithheldCounts,
}

impl PeerFlush {
    /// The result of a flush without a session.
    #[cfg(feature = "tokio")]
    pub(crate) const NOT_ESTABLISHED: Self = Self {
        outcome: FlushOutcome::NotEstablished,
        withheld: WithheldCounts::NONE,
    };

    /// Returns `true` if the peer has acknowledged every change that was made before the flush, and no route is withheld.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.outcome == FlushOutcome::Acknowledged && self.withheld.is_empty()
    }
}

/// Pending and ended flushes.
///
/// Each step of a flush costs a search in a sorted map, however many others are pending: a flush reaches its target, and
/// its octets are acknowledged, no later than those that began after it.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    /// The targets of flushes whose routes have not all been handed to the driver.
    pulling: BTreeMap<FlushId, Progress>,
    /// The numbers of octets to be acknowledged, counted from the start of the connection.
    sending: BTreeMap<FlushId, u64>,
    ended: BTreeMap<FlushId, FlushOutcome>,
    begun: u64,
}

impl Flushes {
    /// Starts a flush that waits until the peer has acknowledged everything up to `target`. Without a target no session is
    /// Established, and it ends at once.
    pub(super) fn begin(&mut self, target: Option<Progress>) -> FlushId {
        self.begun += 1;
        let id = FlushId(self.begun);
        if let Some(target) = target {
            self.pulling.insert(id, target);
        } else {
            self.ended.insert(id, FlushOutcome::NotEstablished);
        }
        id
    }

    /// Removes a flush, also if it has ended.
    pub(super) fn cancel(&mut self, id: FlushId) {
        self.pulling.remove(&id);
        self.sending.remove(&id);
        self.ended.remove(&id);
    }

    /// Returns the oldest flush that has ended, and its outcome.
    pub(super) fn poll(&mut self) -> Option<(FlushId, FlushOutcome)> {
        self.ended.pop_first()
    }

    /// Returns `true` while a flush is pending.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pulling.is_empty() || !self.sending.is_empty()
    }

    /// Ends every pending flush because the session is down.
    pub(super) fn fail(&mut self) {
        let pulling = std::mem::take(&mut self.pulling).into_keys();
        let pending = pulling.chain(std::mem::take(&mut self.sending).into_keys());
        self.ended
            .extend(pending.map(|id| (id, FlushOutcome::NotEstablished)));
    }

    /// Records that `total` octets have been handed to the driver, and that they include everything up to the targets for
    /// which `has_reached` returns `true`.
    pub(super) fn reach(&mut self, total: u64, has_reached: impl Fn(Progress) -> bool) {
        while let Some(first) = self.pulling.first_entry()
            && has_reached(*first.get())
        {
            self.sending.insert(*first.key(), total);
            first.remove();
        }
    }

    /// Ends the flushes whose octets the peer has acknowledged.
    pub(super) fn acknowledge(&mut self, acknowledged: u64) {
        // TCP acknowledges in order, so everything before the last octet has arrived.
        while let Some(first) = self.sending.first_entry()
            && *first.get() <= acknowledged
        {
            let (id, _) = first.remove_entry();
            self.ended.insert(id, FlushOutcome::Acknowledged);
        }
    }
}
