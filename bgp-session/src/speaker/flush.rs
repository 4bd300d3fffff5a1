//! `FlushReport`: the result of a flush at every peer.

use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;

use super::handle::Peer;
use crate::peering::PeerFlush;

/// The result of [`Speaker::flush`](super::Speaker::flush): the fate of the announced routes at every peer.
///
/// ```
/// use bgp_session::{FlushOutcome, FlushReport};
/// fn print(report: &FlushReport) {
///     for (peer, flushed) in &report.peers {
///         match flushed.outcome {
///             FlushOutcome::Acknowledged => println!("{peer}: acknowledged, withheld: {}", flushed.withheld),
///             FlushOutcome::NotEstablished => println!("{peer}: no session"),
///             _ => println!("{peer}: pending"),
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FlushReport {
    /// The result at each peer, ordered by address.
    pub peers: Vec<(IpAddr, PeerFlush)>,
}

impl FlushReport {
    /// Flushes every peer. When `end` is ready, the peers that have not acknowledged all earlier changes are pending.
    pub(super) async fn collect(peers: Vec<Peer>, end: impl Future<Output = ()>) -> Self {
        // All of them begin before the first wait: one that is slow delays no other.
        let begun: Vec<_> = peers
            .iter()
            .map(|peer| (peer, peer.begin_flush()))
            .collect();
        let mut end = pin!(end);
        let mut has_ended = false;
        let mut report = Self::default();
        for (peer, flush) in begun {
            let flushed = match flush {
                None => PeerFlush::NOT_ESTABLISHED,
                Some(mut flush) if has_ended => match flush.try_recv() {
                    Ok(flushed) => flushed,
                    Err(_) => peer.pending_flush(),
                },
                Some(flush) => tokio::select! {
                    // An error means that the task has failed or ended, so that no session is up.
                    flushed = flush => flushed.unwrap_or(PeerFlush::NOT_ESTABLISHED),
                    () = &mut end => {
                        has_ended = true;
                        peer.pending_flush()
                    }
                },
            };
            report.peers.push((peer.address(), flushed));
        }
        report
    }

    /// Returns the result at the peer with this address, or `None` if it was no peer when the flush began.
    #[must_use]
    pub fn peer(&self, address: IpAddr) -> Option<PeerFlush> {
        let address = address.to_canonical();
        let found = self.peers.binary_search_by_key(&address, |(peer, _)| *peer);
        let (_, flushed) = self.peers.get(found.ok()?)?;
        Some(*flushed)
    }

    /// Returns `true` if every peer has acknowledged every change that was made before the flush, and no route is withheld.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.peers.iter().all(|(_, flushed)| flushed.is_complete())
    }
}
