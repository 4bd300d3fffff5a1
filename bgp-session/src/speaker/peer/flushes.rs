//! The callers that wait for the flushes of one peer.

use std::collections::BTreeMap;
use std::ops::Bound;

use tokio::sync::oneshot;

use crate::peering::{FlushId, PeerFlush};

/// Pending flushes with the channels of their callers.
#[derive(Default)]
pub(super) struct Flushes {
    waiting: BTreeMap<FlushId, oneshot::Sender<PeerFlush>>,
    /// The last flush that was examined for a caller that has given up. `None` before a round.
    examined: Option<FlushId>,
}

impl Flushes {
    /// Adds a flush whose result is sent to `done`.
    pub(super) fn add(&mut self, id: FlushId, done: oneshot::Sender<PeerFlush>) {
        self.waiting.insert(id, done);
    }

    /// Removes all flushes, which tells their callers that no session is up.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Sends the result of a flush to its caller.
    pub(super) fn answer(&mut self, id: FlushId, flushed: PeerFlush) {
        if let Some(done) = self.waiting.remove(&id) {
            // The caller may have given up in the meantime.
            done.send(flushed).ok();
        }
    }

    /// Removes and returns flushes whose callers have given up. Examines the next [`MAX_EXAMINED`] only.
    pub(super) fn take_abandoned(&mut self) -> Vec<FlushId> {
        let after = self.examined.map_or(Bound::Unbounded, Bound::Excluded);
        let examined = self.waiting.range((after, Bound::Unbounded));
        let examined: Vec<_> = examined
            .take(MAX_EXAMINED)
            .map(|(id, done)| (*id, done.is_closed()))
            .collect();
        self.examined = examined
            .get(MAX_EXAMINED - 1)
            .map(|(last_of_many, _)| *last_of_many);
        let closed = examined.into_iter().filter(|(_, is_closed)| *is_closed);
        let abandoned: Vec<_> = closed.map(|(id, _)| id).collect();
        for id in &abandoned {
            self.waiting.remove(id);
        }
        abandoned
    }
}

/// The number of flushes that are examined in one turn of the task.
// A look at all of them in each turn would cost the square of their number, because each flush takes a turn to begin.
const MAX_EXAMINED: usize = 16;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bgp_wire::Asn;

    use super::*;
    use crate::{FlushOutcome, LocalConfig, PeerConfig, Peering, Rib, Session};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant serves as the first")]
    fn abandoned_flushes_are_found_in_rounds_of_bounded_turns() {
        let local = LocalConfig::new(Asn::new(64512), "192.168.0.111".parse().unwrap());
        let config = PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512));
        let session = Session::new(local, config, Instant::now(), 0).unwrap();
        let (mut peering, mut rib) = (Peering::new(session), Rib::new());
        let mut flushes = Flushes::default();
        let (mut callers, mut abandoned) = (Vec::new(), Vec::new());
        for number in 0..10_000 {
            let (done, flushed) = oneshot::channel();
            let id = peering.flush(&mut rib);
            flushes.add(id, done);
            if number % 3 == 0 {
                abandoned.push(id);
            } else {
                callers.push((id, flushed));
            }
            // The turn in which the flush begins.
            assert!(flushes.take_abandoned().len() <= MAX_EXAMINED);
        }
        let mut turns = 0;
        while flushes.waiting.len() > callers.len() {
            let taken = flushes.take_abandoned();
            assert!(taken.len() <= MAX_EXAMINED);
            assert!(taken.iter().all(|id| abandoned.contains(id)));
            turns += 1;
        }
        // The round that had begun, and a whole one.
        assert!(turns <= 2 * (10_000 / MAX_EXAMINED + 1), "{turns}");
        let (id, flushed) = callers.swap_remove(callers.len() / 2);
        flushes.answer(id, PeerFlush::NOT_ESTABLISHED);
        let outcome = flushed.blocking_recv().unwrap().outcome;
        assert_eq!(outcome, FlushOutcome::NotEstablished);
        flushes.clear();
        assert!(callers.pop().unwrap().1.blocking_recv().is_err());
    }
}
