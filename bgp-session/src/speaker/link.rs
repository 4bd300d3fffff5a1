//! One open connection of a peer: its stream, what was received and what is still to be sent.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::io::poll_read_buf;

use super::transport::Transport;
use crate::config::Md5Key;
use crate::output::ConnectionId;

pub(super) struct Link {
    pub(super) id: ConnectionId,
    transport: Box<dyn Transport>,
    pub(super) inbound: BytesMut,
    outbound: VecDeque<Bytes>,
    queued: usize,
    /// A write has failed: what the peer has sent before is still to be read.
    broken: bool,
    /// The socket takes no more for now.
    blocked: bool,
    reads_first: bool,
}

/// What a link has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There are new octets in `inbound`.
    Received,
    /// So many octets of what was queued have been written.
    Written(usize),
    /// The connection has ended.
    Closed,
}

impl Link {
    pub(super) fn new(id: ConnectionId, transport: Box<dyn Transport>) -> Self {
        Self {
            id,
            transport,
            inbound: BytesMut::new(),
            outbound: VecDeque::new(),
            queued: 0,
            broken: false,
            blocked: false,
            reads_first: false,
        }
    }

    pub(super) fn queue(&mut self, octets: Bytes) {
        self.queued += octets.len();
        self.outbound.push_back(octets);
        if self.broken {
            self.discard();
        }
    }

    /// Returns how many octets the socket has taken and the peer has not acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        // A connection that cannot tell any more is about to be closed: nothing is to be waited for.
        self.transport.unacknowledged().unwrap_or(0)
    }

    /// Signs with another key from now on (RFC 2385). A connection that cannot ends by itself if the peer's has changed.
    pub(super) fn set_md5_key(&self, peer: IpAddr, key: Option<&Md5Key>) {
        if let Err(error) = self.transport.set_md5_key(peer, key) {
            tracing::warn!(%peer, %error, "cannot change the MD5 key of the connection");
        }
    }

    /// Writes what it can, and reads if it may; the two take turns in going first, so that neither keeps the other waiting.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, reads: bool) -> Poll<Progress> {
        if !reads {
            return self.poll_write(context);
        }
        self.reads_first = !self.reads_first;
        let first = if self.reads_first {
            self.poll_read(context)
        } else {
            self.poll_write(context)
        };
        if first.is_ready() {
            return first;
        }
        if self.reads_first {
            self.poll_write(context)
        } else {
            self.poll_read(context)
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Progress> {
        let mut taken = 0;
        while let Some(octets) = self.outbound.front_mut() {
            match Pin::new(&mut self.transport).poll_write(context, octets) {
                Poll::Ready(Ok(written)) if written > 0 => {
                    octets.advance(written);
                    self.queued -= written;
                    taken += written;
                    if octets.is_empty() {
                        self.outbound.pop_front();
                    }
                }
                // The peer may have said why before it closed: what it has sent is still read.
                Poll::Ready(_) => {
                    self.broken = true;
                    self.discard();
                }
                Poll::Pending => break,
            }
        }
        // That nothing can be taken is said once, when it begins.
        let blocked = self.queued > 0;
        let news = taken > 0 || (blocked && !self.blocked);
        self.blocked = blocked;
        if news {
            Poll::Ready(Progress::Written(taken))
        } else {
            Poll::Pending
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Progress> {
        self.inbound.reserve(READ);
        match ready!(poll_read_buf(
            Pin::new(&mut self.transport),
            context,
            &mut self.inbound
        )) {
            Ok(0) | Err(_) => Poll::Ready(Progress::Closed),
            Ok(_) => Poll::Ready(Progress::Received),
        }
    }

    fn discard(&mut self) {
        self.outbound.clear();
        self.queued = 0;
    }

    /// Sends what is queued, tells the peer that no more comes, and lets it read before the connection goes.
    ///
    /// Closing a socket with unread octets in it resets the connection, and a reset can overtake the NOTIFICATION.
    pub(super) async fn linger(mut self) {
        let farewell = async {
            for mut octets in self.outbound.drain(..) {
                self.transport.write_all_buf(&mut octets).await?;
            }
            self.transport.shutdown().await?;
            let mut unread = [0; 4096];
            while self.transport.read(&mut unread).await? > 0 {}
            std::io::Result::Ok(())
        };
        tokio::time::timeout(LINGER, farewell).await.ok();
    }
}

/// How much room a read is given.
const READ: usize = 4096;

/// How long a closing connection may take.
const LINGER: Duration = Duration::from_secs(1);
