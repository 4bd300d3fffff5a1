//! One open connection of a peer: its stream, the received octets and the octets to send.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::io::poll_read_buf;

use super::log;
use super::transport::Transport;
use crate::config::Md5Key;
use crate::output::ConnectionId;

pub(super) struct Link {
    pub(super) id: ConnectionId,
    transport: Box<dyn Transport>,
    pub(super) inbound: BytesMut,
    outbound: VecDeque<Bytes>,
    queued: usize,
    /// `true` after a failed write. Earlier octets from the peer are still read.
    broken: bool,
    /// `true` while the socket takes no more octets.
    blocked: bool,
    /// `true` if the latest poll read before it wrote.
    reads_first: bool,
}

/// The result of a poll of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// New octets are in `inbound`.
    Received,
    /// The socket has taken this number of queued octets; 0 if it has become blocked.
    Written(usize),
    /// The connection has ended: with an error, or with `None` because the peer closed it.
    Closed(Option<io::ErrorKind>),
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
        // Nothing is written any more, so that the octets would only use memory until the connection ends.
        if self.broken {
            self.discard();
        }
    }

    /// Returns the number of octets that the socket has taken and the peer has not acknowledged.
    pub(super) fn unacknowledged(&self) -> usize {
        // An error means that the connection is about to end, and a flush does not wait for such a session.
        self.transport.unacknowledged().unwrap_or(0)
    }

    /// Signs segments with another key from now on, or with none (RFC 2385).
    pub(super) fn set_md5_key(&self, peer: IpAddr, key: Option<&Md5Key>) {
        // Only logged: if the peer's key has changed too, the connection times out and the next one has the new key.
        if let Err(error) = self.transport.set_md5_key(peer, key) {
            log::write_line!(warn, %peer, %error, "cannot change the MD5 key of the connection");
        }
    }

    /// Writes queued octets, and reads if `reads` is `true`.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, reads: bool) -> Poll<Progress> {
        if !reads {
            return self.poll_write(context);
        }
        // The two alternate in going first, so that a flood in one direction does not starve the other.
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
                // The peer may have sent a NOTIFICATION before it closed, so that reading continues.
                Poll::Ready(_) => {
                    self.broken = true;
                    self.discard();
                }
                Poll::Pending => break,
            }
        }
        // RFC 9687: the send hold timer starts when the socket becomes blocked, so that this is reported once.
        let blocked = self.queued > 0;
        let becomes_blocked = blocked && !self.blocked;
        self.blocked = blocked;
        if taken > 0 || becomes_blocked {
            Poll::Ready(Progress::Written(taken))
        } else {
            Poll::Pending
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Progress> {
        self.inbound.reserve(MIN_READ_ROOM);
        match ready!(poll_read_buf(
            Pin::new(&mut self.transport),
            context,
            &mut self.inbound
        )) {
            // RFC 4271 section 8.1.4: a FIN and an error are one event, TcpConnectionFails.
            Ok(0) => Poll::Ready(Progress::Closed(None)),
            Err(error) => Poll::Ready(Progress::Closed(Some(error.kind()))),
            Ok(_) => Poll::Ready(Progress::Received),
        }
    }

    fn discard(&mut self) {
        self.outbound.clear();
        self.queued = 0;
    }

    /// Sends the queued octets, shuts down the sending side, and waits until the peer closes the connection.
    ///
    /// Gives up after [`LINGER_TIMEOUT`].
    pub(super) async fn linger(mut self) {
        let closing = async {
            for mut octets in self.outbound.drain(..) {
                self.transport.write_all_buf(&mut octets).await?;
            }
            self.transport.shutdown().await?;
            // Closing a socket with unread octets resets the connection, and a reset can overtake the NOTIFICATION.
            let mut unread = [0; 4096];
            while self.transport.read(&mut unread).await? > 0 {}
            io::Result::Ok(())
        };
        tokio::time::timeout(LINGER_TIMEOUT, closing).await.ok();
    }
}

/// The minimum room of a read in octets: one message of the maximum length (RFC 4271 section 4).
const MIN_READ_ROOM: usize = 4096;

/// The maximum time of a connection between its last message and its close.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[tokio::test]
    async fn linger_reads_unread_octets_so_that_no_reset_overtakes_the_last_message() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dial = TcpStream::connect(listener.local_addr().unwrap());
        let (ours, mut theirs) = tokio::try_join!(dial, async {
            listener.accept().await.map(|(stream, _)| stream)
        })
        .unwrap();
        theirs.write_all(&[0; 100_000]).await.unwrap();
        ours.readable().await.unwrap();
        let mut link = Link::new(ConnectionId(1), Box::new(ours));
        link.queue(Bytes::from_static(b"the last message"));
        let lingering = tokio::spawn(link.linger());
        let mut received = Vec::new();
        // A reset would be an error here.
        theirs.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"the last message");
        drop(theirs);
        lingering.await.unwrap();
    }

    #[tokio::test]
    async fn end_of_link_reports_close_or_error() {
        for (reset, expected) in [(false, None), (true, Some(io::ErrorKind::ConnectionReset))] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let dial = TcpStream::connect(listener.local_addr().unwrap());
            let (ours, theirs) = tokio::try_join!(dial, async {
                listener.accept().await.map(|(stream, _)| stream)
            })
            .unwrap();
            if reset {
                let options = socket2::SockRef::from(&theirs);
                options.set_linger(Some(Duration::ZERO)).unwrap();
            }
            drop(theirs);
            let mut link = Link::new(ConnectionId(1), Box::new(ours));
            let progress = poll_fn(|context| link.poll(context, true)).await;
            assert_eq!(progress, Progress::Closed(expected));
        }
    }
}
