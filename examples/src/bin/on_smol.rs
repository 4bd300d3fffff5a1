//! Drives the sans-I/O core on smol: one task that reads, writes, dials and keeps time at once.
//!
//! Usage: `on_smol 192.168.0.254:179 64512 192.168.10.1/32 192.168.0.111`

#![expect(clippy::disallowed_methods, reason = "the driver owns the clock")]

use std::error::Error;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::pin::Pin;
use std::time::{Duration, Instant};

use bgp_session::{
    ConnectionId, ExportPolicy, LocalConfig, Output, PeerConfig, Peering, Rib, Route, Session,
};
use bytes::{Buf, BytesMut};
use smol::future::{Future, or};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Timer};

type Dialing = Pin<Box<dyn Future<Output = io::Result<Async<TcpStream>>>>>;

/// The one connection of this driver. It accepts none, so that the session never has two.
enum Socket {
    Closed,
    Dialing(ConnectionId, Dialing),
    Open(Link),
}

struct Link {
    id: ConnectionId,
    stream: Async<TcpStream>,
    received: BytesMut,
    unsent: BytesMut,
}

/// The event that ends a wait.
enum Wake {
    Dialled(io::Result<Async<TcpStream>>),
    Read(io::Result<usize>),
    Written(io::Result<usize>),
    Timeout,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [router, asn, prefix, node] = arguments.as_slice() else {
        return Err("usage: on_smol ROUTER:PORT AS PREFIX NODE".into());
    };
    let (router, node): (SocketAddr, Ipv4Addr) = (router.parse()?, node.parse()?);
    let asn = asn.parse()?;
    let router_id = node.try_into()?;
    let mut rib = Rib::new();
    rib.announce(&Route::new(prefix.parse()?));
    let config = PeerConfig::new(router.ip(), asn)
        .with_export(ExportPolicy::all())
        .with_next_hop_ipv4(node);
    let session = Session::new(LocalConfig::new(asn, router_id), config, Instant::now(), 0)?;
    smol::block_on(run(router, Peering::new(session), rib));
    Ok(())
}

/// Carries out outputs and reports inputs for as long as the program runs.
async fn run(router: SocketAddr, mut peering: Peering, mut rib: Rib) {
    let mut socket = Socket::Closed;
    peering.start(Instant::now());
    loop {
        match peering.poll_output(Instant::now(), &mut rib) {
            Output::Dial(id) => {
                socket = Socket::Dialing(id, Box::pin(Async::<TcpStream>::connect(router)));
            }
            Output::Transmit(id, octets) => {
                if let Some(link) = socket.link(id) {
                    link.unsent.extend_from_slice(&octets);
                }
            }
            Output::Close(id) => {
                // A new dial may have taken the place of this connection.
                if socket.id() == Some(id)
                    && let Socket::Open(link) = std::mem::replace(&mut socket, Socket::Closed)
                {
                    smol::spawn(linger(link)).detach();
                }
            }
            Output::Event(event) => eprintln!("{event:?}"),
            // No output is left. Every future here can be dropped at any time without a loss.
            Output::Wait(deadline) => {
                let wake = or(socket.progress(), timeout(deadline)).await;
                report(wake, &mut socket, &mut peering);
            }
            // A later version of the library may add outputs. This driver does not need them.
            _ => {}
        }
    }
}

impl Socket {
    fn id(&self) -> Option<ConnectionId> {
        match self {
            Self::Closed => None,
            Self::Dialing(id, _) => Some(*id),
            Self::Open(link) => Some(link.id),
        }
    }

    /// Returns the connection with this identifier, if it is open.
    fn link(&mut self, id: ConnectionId) -> Option<&mut Link> {
        match self {
            Self::Open(link) if link.id == id => Some(link),
            Self::Open(_) | Self::Closed | Self::Dialing(..) => None,
        }
    }

    /// Waits until the dial ends, or until the connection has taken or received octets.
    async fn progress(&mut self) -> Wake {
        match self {
            Self::Closed => pending().await,
            Self::Dialing(_, dialing) => Wake::Dialled(dialing.await),
            Self::Open(link) => {
                let (mut reader, mut writer) = (&link.stream, &link.stream);
                let (received, unsent) = (&mut link.received, &link.unsent);
                let read = async {
                    let mut octets = [0; 4096];
                    let read = reader.read(&mut octets).await;
                    if let Ok(length) = read {
                        received.extend_from_slice(octets.get(..length).unwrap_or_default());
                    }
                    Wake::Read(read)
                };
                let write = async {
                    if unsent.is_empty() {
                        pending::<()>().await;
                    }
                    Wake::Written(writer.write(unsent).await)
                };
                or(write, read).await
            }
        }
    }
}

/// Reports to the peering what has happened.
fn report(wake: Wake, socket: &mut Socket, peering: &mut Peering) {
    let now = Instant::now();
    let Some(id) = socket.id() else {
        return peering.handle_timeout(now);
    };
    let error = match wake {
        Wake::Timeout => return peering.handle_timeout(now),
        Wake::Dialled(Ok(stream)) => match stream.get_ref().local_addr() {
            Ok(local) => {
                *socket = Socket::Open(Link {
                    id,
                    stream,
                    received: BytesMut::new(),
                    unsent: BytesMut::new(),
                });
                return peering.handle_connected(now, id, local.ip());
            }
            Err(error) => error,
        },
        Wake::Written(Ok(length)) => {
            if let Some(link) = socket.link(id) {
                link.unsent.advance(length);
            }
            // Also if it took nothing: the session ends if that lasts for the send hold time (RFC 9687).
            return peering.handle_written(now, id, length);
        }
        Wake::Read(Ok(1..)) => {
            if let Some(link) = socket.link(id) {
                peering.handle_bytes(now, id, &mut link.received);
            }
            return;
        }
        Wake::Read(Ok(0)) => {
            *socket = Socket::Closed;
            return peering.handle_closed(now, id);
        }
        Wake::Dialled(Err(error)) | Wake::Read(Err(error)) | Wake::Written(Err(error)) => error,
    };
    *socket = Socket::Closed;
    peering.handle_error(now, id, error.kind());
}

async fn timeout(deadline: Option<Instant>) -> Wake {
    match deadline {
        Some(deadline) => Timer::at(deadline).await,
        None => pending().await,
    };
    Wake::Timeout
}

/// Writes the rest, of which the last message may be a NOTIFICATION. The session does not wait for it.
async fn linger(mut link: Link) {
    let write = async {
        link.stream.write_all(&link.unsent).await.ok();
    };
    let limit = async {
        Timer::after(Duration::from_secs(1)).await;
    };
    or(write, limit).await;
}
