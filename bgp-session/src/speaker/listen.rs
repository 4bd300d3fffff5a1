//! Accepting connections on one listening socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::event::{EventSenders, Refusal, RefusalLimit, SpeakerEvent};

/// Hands every connection to `handle` until `closed` is cancelled, and reports those that it refuses.
pub(super) async fn accept_all(
    listener: &TcpListener,
    address: SocketAddr,
    closed: CancellationToken,
    events: &EventSenders,
    handle: impl Fn(TcpStream, SocketAddr) -> Result<(), Refusal>,
) {
    let mut failing = false;
    let mut limit = RefusalLimit::default();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!(%address, "accepting connections again");
                        events
                            .send(SpeakerEvent::ListenerRecovered { address })
                            .await;
                    }
                    let Err(reason) = handle(stream, remote) else {
                        continue;
                    };
                    tracing::debug!(%remote, "connection refused: {reason}");
                    if limit.allows(Instant::now().into_std()) {
                        let remote = remote.ip().to_canonical();
                        events.try_send(SpeakerEvent::ConnectionRefused { remote, reason });
                    }
                }
                Err(error) => {
                    // Probably out of descriptors. Sessions do not need new ones, and others may be closed.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%address, %error, "cannot accept connections for now");
                        let error = Arc::new(error);
                        events
                            .send(SpeakerEvent::ListenerFailed { address, error })
                            .await;
                    }
                    tokio::time::sleep(RETRY_INTERVAL).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = closed.cancelled() => {}
        () = accept => {}
    }
}

/// The time between two attempts to accept a connection while the listener fails.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
