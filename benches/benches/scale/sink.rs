//! A minimal neighbor: brings a session up and counts the prefixes that it receives.
//!
//! It parses no attributes, so that the receiver's time does not hide the sender's.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bgp_wire::{KEEPALIVE, MessageType};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::child::{now, wait_for};
use crate::established;

/// The receiving end of a session.
pub(crate) struct Sink {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
    /// The octets at the start of the buffer that belong to an incomplete message.
    filled: usize,
    pub(crate) established: Option<Instant>,
    pub(crate) prefixes: u64,
    pub(crate) updates: u64,
}

/// Connects from one address to another.
pub(crate) fn dial(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::new(from, 0))?;
    connect(&socket, &to)?;
    Ok(TcpStream::from(socket))
}

impl Sink {
    /// Sends an OPEN on a connection.
    pub(crate) fn new(mut stream: TcpStream, buffer: usize) -> Self {
        stream.set_nodelay(true).expect("a socket");
        let limit = Some(Duration::from_secs(60));
        stream.set_read_timeout(limit).expect("a socket");
        stream
            .write_all(&established::open())
            .expect("room in the socket");
        Self {
            stream,
            buffer: vec![0; buffer],
            filled: 0,
            established: None,
            prefixes: 0,
            updates: 0,
        }
    }

    /// Dials until the connection is accepted.
    pub(crate) fn dial(from: &str, to: &str) -> Self {
        let (from, to) = (from.parse().expect("an address"), to.parse().expect("one"));
        let stream = wait_for("a listener", Duration::from_millis(5), || {
            dial(from, SocketAddr::new(to, 179)).ok()
        });
        Self::new(stream, 1 << 20)
    }

    /// Reads once and counts the whole messages.
    pub(crate) fn read(&mut self) -> io::Result<()> {
        let room = &mut self.buffer[self.filled..];
        let read = self.stream.read(room)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.filled += read;
        // `take` needs the buffer and the stream at once.
        let buffer = std::mem::take(&mut self.buffer);
        let taken = self.take(&buffer[..self.filled]);
        self.buffer = buffer;
        self.buffer.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        Ok(())
    }

    /// Handles the whole messages. Returns their octets.
    fn take(&mut self, octets: &[u8]) -> usize {
        let mut taken = 0;
        while let Some(header) = octets.get(taken..taken + 19) {
            let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
            let Some(message) = octets.get(taken..taken + length) else {
                break;
            };
            match MessageType(header[18]) {
                MessageType::OPEN => self
                    .stream
                    .write_all(&KEEPALIVE)
                    .expect("room in the socket"),
                MessageType::KEEPALIVE => {
                    self.established.get_or_insert_with(now);
                }
                MessageType::UPDATE => self.count(message),
                other => panic!("unexpected message type {}", other.0),
            }
            taken += length;
        }
        taken
    }

    /// Counts the NLRI of an UPDATE.
    fn count(&mut self, message: &[u8]) {
        let field = |at: usize| usize::from(u16::from_be_bytes([message[at], message[at + 1]]));
        let withdrawn = field(19);
        let mut at = 23 + withdrawn + field(21 + withdrawn);
        if at == message.len() {
            // An UPDATE without NLRI: End-of-RIB, or withdrawals only.
            return;
        }
        self.updates += 1;
        while at < message.len() {
            at += 1 + usize::from(message[at]).div_ceil(8);
            self.prefixes += 1;
        }
    }

    /// Reads until `prefixes` have arrived. Returns that time.
    pub(crate) fn read_prefixes(&mut self, prefixes: u64) -> Instant {
        while self.prefixes < prefixes {
            self.read().expect("an open connection");
        }
        now()
    }

    /// Reads until the session is in Established. Returns that time.
    pub(crate) fn establish(&mut self) -> Instant {
        loop {
            if let Some(established) = self.established {
                return established;
            }
            self.read().expect("an open connection");
        }
    }
}
