//! One end of a connection to the collector, by hand.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bgp_wire::{Context, Frame, KEEPALIVE, Message, MessageLimit, MessageType, PeerKind};
use bytes::BytesMut;
use socket2::{Domain, Socket, Type};

use crate::collector::{Collector, PATIENCE};

pub(crate) struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
    pub(crate) address: IpAddr,
}

/// What has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Message(MessageType),
    Notification(u8, u8, Vec<u8>),
    /// The collector has closed the connection.
    End,
}

impl Peer {
    /// Connects from this address.
    pub(crate) fn connect(collector: &Collector, address: IpAddr) -> std::io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
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

    /// Connects and takes the collector's OPEN.
    pub(crate) fn greeted(collector: &Collector, address: IpAddr) -> Self {
        let mut peer = Self::connect(collector, address).unwrap();
        assert_eq!(
            peer.receive(PATIENCE),
            Some(Received::Message(MessageType::OPEN))
        );
        peer
    }

    /// Up to Established.
    pub(crate) fn established(collector: &Collector, address: IpAddr, open: &[u8]) -> Self {
        let mark = collector.mark();
        let mut peer = Self::greeted(collector, address);
        peer.send(open);
        assert_eq!(
            peer.receive(PATIENCE),
            Some(Received::Message(MessageType::KEEPALIVE))
        );
        peer.send(&KEEPALIVE);
        collector.wait_for_event(mark, address, "up").expect("up");
        peer
    }

    /// Sends octets; that the collector has closed meanwhile shows when something is received.
    pub(crate) fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).ok();
    }

    pub(crate) fn shut_down(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).ok();
    }

    /// Ends the connection so that the collector's kernel sees a reset.
    pub(crate) fn reset(self) {
        let socket = Socket::from(self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// The next message, or the end; `None` if neither comes in time.
    pub(crate) fn receive(&mut self, patience: Duration) -> Option<Received> {
        let end = Instant::now() + patience;
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

    /// The NOTIFICATION that ends the connection, if one does, once it has ended.
    pub(crate) fn last_words(&mut self, patience: Duration) -> Result<Option<Received>, String> {
        let mut last = None;
        loop {
            match self.receive(patience) {
                Some(Received::End) => return Ok(last),
                Some(Received::Message(_)) if last.is_none() => {}
                Some(notification) => last = Some(notification),
                None => return Err(format!("neither closed nor answered; {last:?}")),
            }
        }
    }
}
