//! Pending flushes of one peer: each waits until the peer has acknowledged a version of the table.

use std::collections::VecDeque;

/// Names one flush of a peering. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlushId(u64);

/// The way a flush ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushOutcome {
    /// The peer has acknowledged every octet of it (TCP): its kernel has them, its program may not have read them yet.
    Acknowledged,
    /// No session is Established, or it went down meanwhile. The peer is sent everything once it is up again.
    NotEstablished,
}

#[derive(Debug, Default)]
pub(super) struct Flushes {
    waiting: Vec<Flush>,
    ended: VecDeque<(FlushId, FlushOutcome)>,
    begun: u64,
}

#[derive(Debug)]
struct Flush {
    id: FlushId,
    /// The version of the table that is waited for.
    version: u64,
    /// The octets that the peer has to acknowledge, counted from the start of its connection; known once all of them have
    /// been handed to the driver.
    mark: Option<u64>,
}

impl Flushes {
    pub(super) fn begin(&mut self, version: u64, is_established: bool) -> FlushId {
        self.begun += 1;
        let id = FlushId(self.begun);
        if is_established {
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

    pub(super) fn cancel(&mut self, id: FlushId) {
        self.waiting.retain(|flush| flush.id != id);
        self.ended.retain(|(ended, _)| *ended != id);
    }

    pub(super) fn poll(&mut self) -> Option<(FlushId, FlushOutcome)> {
        self.ended.pop_front()
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Ends every wait because the session is down.
    pub(super) fn fail(&mut self) {
        let ended = self.waiting.drain(..);
        self.ended
            .extend(ended.map(|flush| (flush.id, FlushOutcome::NotEstablished)));
    }

    /// Ends the waits for what the peer has acknowledged. `sent` is the version of the table that has been handed to the
    /// driver whole, with `total` octets on this connection so far.
    pub(super) fn acknowledge(&mut self, sent: Option<u64>, total: u64, acknowledged: u64) {
        let ended = self.waiting.extract_if(.., |flush| {
            if flush.mark.is_none() && sent.is_some_and(|sent| sent >= flush.version) {
                flush.mark = Some(total);
            }
            flush.mark.is_some_and(|mark| acknowledged >= mark)
        });
        self.ended
            .extend(ended.map(|flush| (flush.id, FlushOutcome::Acknowledged)));
    }
}
