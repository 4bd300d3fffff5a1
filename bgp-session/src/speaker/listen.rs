//! Accepting connections: from peers and neighbors; all others are closed at once and cost nothing.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use super::transport::Listener;

pub(super) async fn accept_all(speaker: Arc<Shared>, listener: Arc<Listener>) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = speaker.deaf.cancelled() => return,
            accepted = listener.socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                if !speaker.accept_tcp(stream, remote.ip()) {
                    tracing::debug!(%remote, "connection refused");
                }
            }
            Err(error) => {
                // Out of descriptors, most likely: sessions go on, and the listener tries again shortly.
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

const RETRY: Duration = Duration::from_millis(100);
