//! Those who wait for the table to have arrived at a peer.

use tokio::sync::oneshot;

use super::link::Link;

#[derive(Default)]
pub(super) struct Flushes {
    waiting: Vec<Flush>,
}

struct Flush {
    /// The version of the table that is waited for.
    version: u64,
    /// How many octets the peer has to acknowledge, once they are all queued.
    mark: Option<u64>,
    done: oneshot::Sender<()>,
}

impl Flushes {
    pub(super) fn push(&mut self, version: u64, done: oneshot::Sender<()>) {
        self.waiting.push(Flush {
            version,
            mark: None,
            done,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Nobody is waited for any more.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Tells those whose version, of which `pulled` says how far it is queued on `link`, has been acknowledged.
    pub(super) fn answer(&mut self, pulled: Option<u64>, link: &Link) {
        // Who has given up is not waited for.
        self.waiting.retain(|flush| !flush.done.is_closed());
        if self.waiting.is_empty() {
            return;
        }
        let (total, acknowledged) = (link.total(), link.acknowledged());
        let arrived = |flush: &mut Flush| {
            if flush.mark.is_none() && pulled.is_some_and(|pulled| pulled >= flush.version) {
                flush.mark = Some(total);
            }
            flush.mark.is_some_and(|mark| acknowledged >= mark)
        };
        for flush in self.waiting.extract_if(.., arrived) {
            // It may be gone by now.
            flush.done.send(()).ok();
        }
    }
}
