//! The accept loop of one listening socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::event::{EventSenders, Refusal, RefusalLimit, SpeakerEvent};

/// Passes every accepted connection to `handle` until `closed` is cancelled. Reports the connections that `handle` refuses.
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
                    // Any host can cause refusals: they must neither flood the log nor make the listener wait.
                    if limit.allows(Instant::now().into_std()) {
                        // An IPv6 socket reports an IPv4 peer by its mapped address.
                        let remote = remote.ip().to_canonical();
                        events.try_send(SpeakerEvent::ConnectionRefused { remote, reason });
                    }
                }
                Err(error) => {
                    // Usually the process has no free descriptor. Running sessions need none, and closing ones free some.
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
        // A closed listener must not accept a connection that already waits in its queue.
        biased;
        () = closed.cancelled() => {}
        () = accept => {}
    }
}

/// The interval between attempts to accept a connection while the listener fails.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);
