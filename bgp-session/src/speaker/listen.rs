//! Accepting connections: from peers and neighbors; all others are closed at once and cost nothing.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use super::transport::Listener;

pub(super) async fn accept_all(speaker: Arc<Shared>, listener: Arc<Listener>) {
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = speaker.deaf.cancelled() => return,
            accepted = listener.socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                failing = false;
                if !speaker.accept_tcp(stream, remote.ip()) {
                    tracing::debug!(%remote, "connection refused");
                }
            }
            Err(error) => {
                // Out of descriptors, most likely: sessions go on, and the listener tries again shortly. It is said once.
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "cannot accept connections for now");
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

const RETRY: Duration = Duration::from_millis(100);
