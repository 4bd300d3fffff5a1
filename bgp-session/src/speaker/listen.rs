//! Accepting connections: from configured peers; all others are closed at once and cost nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};

use super::Shared;
use super::transport::{describe, prepare};

pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket
        .bind(address)
        .map_err(|error| describe(&error, "cannot listen on", address))?;
    socket
        .listen(BACKLOG)
        .map_err(|error| describe(&error, "cannot listen on", address))
}

pub(super) async fn accept_all(speaker: Arc<Shared>, listener: Arc<TcpListener>) {
    let stop = speaker.stop.clone();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => {
                let welcome =
                    prepare(&stream).is_ok() && speaker.accept(Box::new(stream), remote.ip());
                if !welcome {
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

const BACKLOG: u32 = 64;

const RETRY: Duration = Duration::from_millis(100);
