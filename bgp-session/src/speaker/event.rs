//! What a speaker's sessions tell the application.

use std::net::IpAddr;

use tokio::sync::broadcast;

use crate::output::SessionEvent;

/// An event of one peer's session.
#[derive(Clone, Debug)]
pub struct PeerEvent {
    /// The peer.
    pub peer: IpAddr,
    /// What happened.
    pub event: SessionEvent,
}

/// Receives the events of a speaker, of all peers in one order.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<PeerEvent>,
    missed: u64,
}

impl Events {
    pub(super) fn new(receiver: broadcast::Receiver<PeerEvent>) -> Self {
        Self {
            receiver,
            missed: 0,
        }
    }

    /// The next event; `None` once the speaker is gone.
    ///
    /// Who is too slow misses the oldest events, never blocks a session, and learns of it from [`Events::missed`].
    pub async fn next(&mut self) -> Option<PeerEvent> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(missed)) => self.missed += missed,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// How many events were missed so far.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }
}
