//! The peer's end of a connection to the collector, without a session of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bgp_wire::{Context, Frame, KEEPALIVE, Message, MessageLimit, MessageType, PeerKind};
use bytes::BytesMut;
use socket2::{Domain, Socket, Type};

use crate::collector::{Collector, EVENT_TIMEOUT};

pub(crate) struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
    pub(crate) address: IpAddr,
}

/// A message or the end of the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Message(MessageType),
    Notification(u8, u8, Vec<u8>),
    /// The collector has closed the connection.
    End,
}

impl Peer {
    /// Connects from an address.
    pub(crate) fn connect(collector: &Collector, address: IpAddr) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // Tests connect from one address often, and ports in TIME_WAIT must not make a bind fail.
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::new(address, 0).into())?;
        socket.connect(&collector.address().into())?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: BytesMut::new(),
            address,
        })
    }

    /// Connects and reads the collector's OPEN.
    pub(crate) fn connect_and_read_open(collector: &Collector, address: IpAddr) -> Self {
        let mut peer = Self::connect(collector, address).unwrap();
        assert_eq!(
            peer.receive(EVENT_TIMEOUT),
            Some(Received::Message(MessageType::OPEN))
        );
        peer
    }

    /// Connects and brings the session to Established.
    pub(crate) fn established(collector: &Collector, address: IpAddr, open: &[u8]) -> Self {
        let mark = collector.mark();
        let mut peer = Self::connect_and_read_open(collector, address);
        peer.send(open);
        assert_eq!(
            peer.receive(EVENT_TIMEOUT),
            Some(Received::Message(MessageType::KEEPALIVE))
        );
        peer.send(&KEEPALIVE);
        collector.wait_for_event(mark, address, "up").expect("up");
        peer
    }

    /// Sends octets. Ignores errors: a connection that the collector has closed shows in [`Peer::receive`].
    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).ok();
    }

    pub(crate) fn shut_down(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).ok();
    }

    /// Ends the connection with a RST.
    pub(crate) fn reset(self) {
        // A linger time of zero makes close send a RST instead of a FIN.
        let socket = Socket::from(self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Returns the next message or the end of the connection, or `None` if neither arrives in time.
    pub(crate) fn receive(&mut self, timeout: Duration) -> Option<Received> {
        let end = Instant::now() + timeout;
        loop {
            if let Some(frame) = Frame::split(&mut self.buffer, MessageLimit::Extended).unwrap() {
                let context = Context::new(PeerKind::External);
                return Some(match frame.decode(&context) {
                    Ok(Message::Notification(sent)) => {
                        let reason = sent.reason();
                        Received::Notification(reason.code, reason.subcode, sent.data().to_vec())
                    }
                    _ => Received::Message(frame.message_type()),
                });
            }
            let left = end.checked_duration_since(Instant::now())?;
            // A read timeout of zero is an error.
            self.stream
                .set_read_timeout(Some(left.max(Duration::from_millis(1))))
                .unwrap();
            let mut octets = [0; 65536];
            match self.stream.read(&mut octets) {
                Ok(0) => return Some(Received::End),
                Ok(read) => self.buffer.extend_from_slice(&octets[..read]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return Some(Received::End),
            }
        }
    }

    /// Waits for the end of the connection. Returns the NOTIFICATION before it, or `None` without one.
    ///
    /// # Errors
    ///
    /// The connection is still open after a `timeout` without input.
    pub(crate) fn closing_notification(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Received>, String> {
        let mut last = None;
        loop {
            match self.receive(timeout) {
                Some(Received::End) => return Ok(last),
                Some(Received::Message(_)) if last.is_none() => {}
                Some(notification) => last = Some(notification),
                None => return Err(format!("connection still open; last message: {last:?}")),
            }
        }
    }
}
