//! Drives the sans-I/O core on smol: one task that reads, writes, dials and keeps time at once.
//!
//! Usage: `on_smol 192.168.0.254:179 64512 192.168.10.1/32 192.168.0.111`

#![expect(clippy::disallowed_methods, reason = "the driver owns the clock")]

use std::error::Error;
use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::pin::Pin;
use std::time::{Duration, Instant};

use bgp_session::{
    ConnectionId, ExportPolicy, LocalConfig, Output, PeerConfig, Peering, Rib, Route, Session,
    SessionEvent,
};
use bytes::{Buf, BytesMut};
use if_addrs::IfAddr;
use ipnet::IpNet;
use smol::future::{Future, or, poll_once};
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
    /// `true` if the socket takes no octet at present, and the peering knows.
    is_blocked: bool,
}

impl Link {
    fn new(id: ConnectionId, stream: Async<TcpStream>) -> Self {
        Self {
            id,
            stream,
            received: BytesMut::new(),
            unsent: BytesMut::new(),
            is_blocked: false,
        }
    }

    /// Waits until the socket has taken octets, or until it takes none any more.
    async fn write(mut stream: &Async<TcpStream>, unsent: &[u8], is_blocked: &mut bool) -> Wake {
        if unsent.is_empty() {
            pending::<()>().await;
        }
        let mut write = stream.write(unsent);
        // RFC 9687: the send hold time begins when the socket takes nothing, which a pending write does not report.
        if !*is_blocked {
            let taken = poll_once(&mut write).await;
            *is_blocked = taken.is_none();
            return Wake::Written(taken.unwrap_or(Ok(0)));
        }
        let taken = write.await;
        *is_blocked = false;
        Wake::Written(taken)
    }
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
            Output::Event(event) => {
                eprintln!("{event:?}");
                if matches!(event, SessionEvent::Up { .. })
                    && peering.needs_interface_addresses()
                    && let Err(error) = report_addresses(&mut peering)
                {
                    eprintln!("cannot read the addresses of interfaces: {error}");
                }
            }
            // No output is left. Every future here can be dropped at any time without a loss.
            Output::Wait(deadline) => {
                let wake = next_wake(&mut socket, deadline).await;
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
                let mut reader = &link.stream;
                let received = &mut link.received;
                let read = async {
                    let mut octets = [0; 4096];
                    let read = reader.read(&mut octets).await;
                    if let Ok(length) = read {
                        received.extend_from_slice(octets.get(..length).unwrap_or_default());
                    }
                    Wake::Read(read)
                };
                let write = Link::write(&link.stream, &link.unsent, &mut link.is_blocked);
                or(write, read).await
            }
        }
    }
}

/// Reports the addresses of the interface that holds our end of the session. IPv6 routes over an IPv4 session need one.
fn report_addresses(peering: &mut Peering) -> io::Result<()> {
    let Some(negotiated) = peering.session().negotiated() else {
        return Ok(());
    };
    let interfaces = if_addrs::get_if_addrs()?;
    let holder = interfaces
        .iter()
        .find(|entry| entry.ip() == negotiated.local_address);
    let addresses: Vec<_> = interfaces
        .iter()
        .filter(|entry| holder.is_some_and(|holder| holder.name == entry.name))
        .filter_map(|entry| match &entry.addr {
            IfAddr::V4(address) => IpNet::new(address.ip.into(), address.prefixlen).ok(),
            IfAddr::V6(address) => IpNet::new(address.ip.into(), address.prefixlen).ok(),
        })
        .collect();
    peering.handle_interface_addresses(&addresses);
    Ok(())
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
                *socket = Socket::Open(Link::new(id, stream));
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

/// Waits for the next event. A timer that is due precedes input, which may always be there.
async fn next_wake(socket: &mut Socket, deadline: Option<Instant>) -> Wake {
    or(timeout(deadline), socket.progress()).await
}

async fn timeout(deadline: Option<Instant>) -> Wake {
    match deadline {
        Some(deadline) => Timer::at(deadline).await,
        None => pending().await,
    };
    Wake::Timeout
}

/// Writes the rest, of which the last message may be a NOTIFICATION, and waits until the peer closes the connection. The
/// session does not wait for it.
async fn linger(mut link: Link) {
    let closing = async {
        link.stream.write_all(&link.unsent).await?;
        link.stream.get_ref().shutdown(Shutdown::Write)?;
        // Closing a socket with unread octets resets the connection, and a reset can overtake the NOTIFICATION.
        let mut unread = [0; 4096];
        while link.stream.read(&mut unread).await? > 0 {}
        io::Result::Ok(())
    };
    let limit = async {
        Timer::after(Duration::from_secs(1)).await;
        Ok(())
    };
    // The connection ends here in any case.
    or(closing, limit).await.ok();
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use socket2::SockRef;

    use super::*;

    /// Returns the identifier of a session's first connection.
    fn dialled(now: Instant) -> ConnectionId {
        let local = LocalConfig::new(
            "64512".parse().expect("a number"),
            "192.168.0.111".parse().expect("an address"),
        );
        let config = PeerConfig::new([127, 0, 0, 1].into(), local.asn);
        let mut session = Session::new(local, config, now, 0).expect("possible");
        session.start(now);
        let outputs = std::iter::from_fn(|| Some(session.poll_output()));
        let id = outputs
            .take_while(|output| !matches!(output, Output::Wait(_)))
            .find_map(|output| {
                if let Output::Dial(id) = output {
                    return Some(id);
                }
                None
            });
        id.expect("a session that starts dials")
    }

    /// Returns both ends of a connection: the driver's, and the router's.
    fn connection(id: ConnectionId) -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let ours = smol::block_on(Async::<TcpStream>::connect(address)).expect("it listens");
        let (theirs, _) = listener.accept().expect("it has connected");
        // Small buffers that the kernel does not enlarge.
        let (sender, receiver) = (SockRef::from(ours.get_ref()), SockRef::from(&theirs));
        sender.set_send_buffer_size(1 << 16).expect("a legal size");
        receiver
            .set_recv_buffer_size(1 << 16)
            .expect("a legal size");
        (Link::new(id, ours), theirs)
    }

    #[test]
    fn blocked_write_is_reported_once() {
        let (mut link, mut router) = connection(dialled(Instant::now()));
        link.unsent.resize(16 << 20, 0);
        let mut socket = Socket::Open(link);
        let mut taken = 0;
        // The kernel takes a part, and blocks when the router's buffer is full as well.
        loop {
            let wake = smol::block_on(poll_once(socket.progress()));
            let Socket::Open(link) = &mut socket else {
                panic!("closed");
            };
            let Some(Wake::Written(Ok(length))) = wake else {
                panic!("the write is not reported before it blocks");
            };
            if length == 0 {
                break;
            }
            taken += length;
            link.unsent.advance(length);
        }
        let wake = smol::block_on(poll_once(socket.progress()));
        assert!(wake.is_none(), "a blocked write is reported once");
        let mut octets = vec![0; taken];
        router.read_exact(&mut octets).expect("they were sent");
        let wake = smol::block_on(socket.progress());
        assert!(matches!(wake, Wake::Written(Ok(1..))));
    }

    #[test]
    fn timer_that_is_due_precedes_input() {
        let now = Instant::now();
        let (link, mut router) = connection(dialled(now));
        router.write_all(b"input").expect("it is open");
        let mut socket = Socket::Open(link);
        // The first wait shows that the input has arrived. It is not taken from the socket.
        if let Socket::Open(link) = &socket {
            smol::block_on(link.stream.readable()).expect("it is open");
        }
        let wake = smol::block_on(next_wake(&mut socket, Some(now)));
        assert!(matches!(wake, Wake::Timeout));
        let wake = smol::block_on(next_wake(&mut socket, None));
        assert!(matches!(wake, Wake::Read(Ok(5))));
    }

    #[test]
    fn router_reads_last_message_although_its_own_is_unread() {
        let (mut link, mut router) = connection(dialled(Instant::now()));
        link.unsent.extend_from_slice(b"NOTIFICATION");
        router.write_all(b"unread").expect("it is open");
        let reading = std::thread::spawn(move || {
            let mut octets = Vec::new();
            router.read_to_end(&mut octets).map(|_| octets)
        });
        smol::block_on(linger(link));
        let read = reading.join().expect("no panic");
        assert_eq!(read.expect("no reset"), b"NOTIFICATION");
    }
}
