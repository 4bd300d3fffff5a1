//! Accepting connections on one listening socket.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Hands every connection to `handle` until `closed` is cancelled.
pub(super) async fn accept_all(
    listener: &TcpListener,
    closed: CancellationToken,
    handle: impl Fn(TcpStream, SocketAddr),
) {
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = closed.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                failing = false;
                handle(stream, remote);
            }
            Err(error) => {
                // Out of descriptors, most likely: sessions go on, and the listener tries again shortly.
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "cannot accept connections for now");
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

const RETRY: Duration = Duration::from_millis(100);
