//! How a speaker reaches a peer: the dialer and the stream are arguments.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

use crate::config::PeerConfig;

/// A connection to a peer.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Our address: the next hop of routes that have none.
    ///
    /// # Errors
    ///
    /// The connection has none any more.
    fn local_address(&self) -> io::Result<IpAddr>;

    /// Octets that were written and that the peer has not acknowledged.
    ///
    /// # Errors
    ///
    /// The connection cannot say.
    fn unacknowledged(&self) -> io::Result<usize>;
}

impl Transport for TcpStream {
    fn local_address(&self) -> io::Result<IpAddr> {
        self.local_addr().map(|address| address.ip().to_canonical())
    }

    fn unacknowledged(&self) -> io::Result<usize> {
        super::sockopt::unacknowledged(self.as_fd())
    }
}

/// A connection that is being made.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Transport>>> + Send>>;

/// Makes connections to peers.
pub trait Dialer: Send + Sync + 'static {
    /// Connects to the peer.
    fn dial(&self, peer: &PeerConfig) -> Dialing;
}

/// Dials by TCP, from the configured source address.
#[derive(Clone, Copy, Debug)]
pub struct TcpDialer;

impl Dialer for TcpDialer {
    fn dial(&self, peer: &PeerConfig) -> Dialing {
        let (remote, source) = (
            SocketAddr::new(peer.address, peer.port),
            peer.source_address,
        );
        let key = peer.md5_key.clone();
        Box::pin(async move {
            let socket = match remote {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            if let Some(source) = source {
                socket.set_reuseaddr(true)?;
                socket
                    .bind(SocketAddr::new(source, 0))
                    .map_err(|error| describe(&error, "cannot dial from", source))?;
            }
            if key.is_some() {
                super::sockopt::set_md5_key(socket.as_fd(), remote.ip(), key.as_ref())
                    .map_err(|error| describe(&error, "cannot set the MD5 key for", remote.ip()))?;
            }
            let stream = socket.connect(remote).await?;
            prepare(&stream)?;
            let transport: Box<dyn Transport> = Box::new(stream);
            Ok(transport)
        })
    }
}

/// Sends every message at once: a speaker packs its messages itself.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}

pub(super) fn describe(
    error: &io::Error,
    what: &str,
    address: impl std::fmt::Display,
) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {address}: {error}"))
}
