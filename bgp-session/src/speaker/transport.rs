//! How a speaker reaches its peers by TCP: dialling, listening, and every option of the sockets. The dialer and the stream
//! are arguments.
//!
//! What holds for a peer holds whoever makes the connection: keys are on the listening sockets before the peer can connect
//! (RFC 2385, RFC 5925), and a TTL that is too small is refused by the kernel (RFC 5082).

use std::future::Future;
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::time::Duration;

use ipnet::IpNet;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::sockopt::{self, Peers};
use crate::config::{Md5Key, PeerConfig, TransportConfig};

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

    /// Signs with another key from now on, or with none (RFC 2385).
    ///
    /// # Errors
    ///
    /// The connection is not by TCP, or has no key yet.
    fn set_md5_key(&self, peer: IpAddr, key: Option<&Md5Key>) -> io::Result<()> {
        let (_, _) = (peer, key);
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Transport for TcpStream {
    fn local_address(&self) -> io::Result<IpAddr> {
        self.local_addr().map(|address| address.ip().to_canonical())
    }

    fn unacknowledged(&self) -> io::Result<usize> {
        sockopt::unacknowledged(self.as_fd())
    }

    fn set_md5_key(&self, peer: IpAddr, key: Option<&Md5Key>) -> io::Result<()> {
        let mapped = self.local_addr()?.is_ipv6();
        sockopt::set_md5_key(self.as_fd(), Peers::new(peer.into(), mapped), key)
    }
}

/// A connection that is being made.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Transport>>> + Send>>;

/// Makes connections to peers.
pub trait Dialer: Send + Sync + 'static {
    /// Connects to the peer.
    fn dial(&self, peer: &PeerConfig) -> Dialing;
}

/// Dials by TCP, as the peer's configuration says: from which address, port and device, with which key, TTL and codepoint.
#[derive(Clone, Copy, Debug)]
pub struct TcpDialer;

impl Dialer for TcpDialer {
    fn dial(&self, peer: &PeerConfig) -> Dialing {
        let (address, transport) = (peer.address, peer.transport.clone());
        Box::pin(async move {
            let remote = remote(address, &transport)?;
            let socket = socket(remote.ip())?;
            prepare_dial(&socket, address, &transport)?;
            let stream = socket.connect(remote).await?;
            let transport: Box<dyn Transport> = Box::new(stream);
            Ok(transport)
        })
    }
}

/// A socket for addresses of this family.
fn socket(address: IpAddr) -> io::Result<TcpSocket> {
    match address {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    }
}

fn bind_device(socket: &TcpSocket, device: &str, cannot: &str) -> io::Result<()> {
    SockRef::from(socket)
        .bind_device(Some(device.as_bytes()))
        .map_err(|error| describe(&error, cannot, device))
}

/// A link-local address means something only together with its device.
fn remote(address: IpAddr, transport: &TransportConfig) -> io::Result<SocketAddr> {
    match (address, &transport.device) {
        (IpAddr::V6(address), Some(device)) if address.is_unicast_link_local() => {
            let index = std::fs::read_to_string(format!("/sys/class/net/{device}/ifindex"))
                .map_err(|error| describe(&error, "no such device:", device))?;
            let scope = index.trim().parse().unwrap_or(0);
            Ok(SocketAddrV6::new(address, transport.port, 0, scope).into())
        }
        _ => Ok(SocketAddr::new(address, transport.port)),
    }
}

/// Everything that has to be set before the first segment leaves.
fn prepare_dial(socket: &TcpSocket, peer: IpAddr, transport: &TransportConfig) -> io::Result<()> {
    if let Some(device) = &transport.device {
        bind_device(socket, device, "cannot dial through")?;
    }
    if transport.source_address.is_some() || transport.source_port.is_some() {
        socket.set_reuseaddr(true)?;
        let any = match peer {
            IpAddr::V4(_) => IpAddr::from([0; 4]),
            IpAddr::V6(_) => IpAddr::from([0; 16]),
        };
        let source = SocketAddr::new(
            transport.source_address.unwrap_or(any),
            transport.source_port.unwrap_or(0),
        );
        socket
            .bind(source)
            .map_err(|error| describe(&error, "cannot dial from", source.ip()))?;
    }
    authenticate(socket.as_fd(), false, peer.into(), transport)?;
    prepare(socket.as_fd(), peer, transport)
}

/// What holds for every connection to the peer: no delay, its TTL, its codepoint, its timeout.
fn prepare(socket: BorrowedFd<'_>, peer: IpAddr, transport: &TransportConfig) -> io::Result<()> {
    let options = SockRef::from(&socket);
    // Every message is sent at once: a speaker packs its messages itself.
    options.set_tcp_nodelay(true)?;
    let tos = u32::from(transport.dscp) << 2;
    let ttl = transport.ttl.or_else(|| transport.hops.map(|_| u8::MAX));
    let ipv6 = peer.is_ipv6();
    if ipv6 {
        options.set_tclass_v6(tos)?;
        ttl.map_or(Ok(()), |ttl| options.set_unicast_hops_v6(ttl.into()))?;
    } else {
        options.set_tos_v4(tos)?;
        ttl.map_or(Ok(()), |ttl| options.set_ttl_v4(ttl.into()))?;
    }
    if let Some(hops) = transport.hops {
        sockopt::set_least_ttl(socket, ipv6, least_ttl(hops))
            .map_err(|error| describe(&error, "cannot limit the TTL of", peer))?;
    }
    // With a hold time of 0 nothing else finds out that the peer is gone.
    options.set_tcp_keepalive(&KEEPALIVE)?;
    if let Some(time) = transport.user_timeout {
        options.set_tcp_user_timeout(Some(time))?;
    }
    Ok(())
}

/// The TTL that a packet from so many hops away has at the least (RFC 5082 section 3).
fn least_ttl(hops: u8) -> u8 {
    u8::MAX - (hops - 1)
}

/// Sets the keys of `peers` on a socket that dials, or that listens for them; `mapped` says that the socket knows IPv4
/// addresses as IPv6 ones.
fn authenticate(
    socket: BorrowedFd<'_>,
    mapped: bool,
    peers: IpNet,
    transport: &TransportConfig,
) -> io::Result<()> {
    let known = Peers::new(peers, mapped);
    if let Some(key) = &transport.md5_key {
        sockopt::set_md5_key(socket, known, Some(key))
            .map_err(|error| describe(&error, "cannot set the MD5 key for", peers))?;
    }
    if let Some(key) = &transport.ao_key {
        sockopt::add_ao_key(socket, known, key).map_err(|error| without_ao(&error, peers))?;
    }
    Ok(())
}

fn without_ao(error: &io::Error, peers: IpNet) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ENOPROTOOPT) => io::Error::new(
            io::ErrorKind::Unsupported,
            format!("this kernel has no TCP-AO (CONFIG_TCP_AO), which {peers} is configured with"),
        ),
        _ => describe(error, "cannot set the TCP-AO key for", peers),
    }
}

/// Whether TCP-AO can be had at all, where it is asked for; that it comes alone.
pub(super) fn check(config: &PeerConfig) -> io::Result<()> {
    let transport = &config.transport;
    if transport.ao_key.is_some() && transport.md5_key.is_some() {
        let why = format!(
            "{} has a key for MD5 and one for TCP-AO: only one can be",
            config.address
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let socket = socket(config.address)?;
    authenticate(socket.as_fd(), false, config.address.into(), transport)
}

/// A listening socket.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    pub(super) fn bind(address: SocketAddr, device: Option<&str>) -> io::Result<Self> {
        let socket = socket(address.ip())?;
        socket.set_reuseaddr(true)?;
        let cannot = |error: io::Error| describe(&error, "cannot listen on", address);
        if let Some(device) = device {
            bind_device(&socket, device, "cannot listen through")?;
        }
        socket.bind(address).map_err(cannot)?;
        let socket = socket.listen(BACKLOG).map_err(cannot)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whoever connects from now on is refused, while the socket itself may live on.
    pub(super) fn close(&self) {
        // Nothing could be done about a failure: the socket goes with the speaker at last.
        SockRef::from(&self.socket).shutdown(Shutdown::Read).ok();
    }

    /// Whether peers of this family can reach the socket.
    fn hears(&self, peers: IpNet) -> bool {
        // An IPv6 socket knows IPv4 peers by their mapped addresses.
        self.address.is_ipv6() || matches!(peers, IpNet::V4(_))
    }

    /// Sets the keys of connections from `peers` to those of `config`. Without a configuration they have no MD5 key.
    pub(super) fn set_keys(&self, peers: IpNet, config: Option<&PeerConfig>) -> io::Result<()> {
        if !self.hears(peers) {
            return Ok(());
        }
        let mapped = self.address.is_ipv6();
        let socket = self.socket.as_fd();
        let transport = config.map(|config| &config.transport);
        if transport.is_none_or(|transport| transport.md5_key.is_none()) {
            // An error means that there was no key.
            sockopt::set_md5_key(socket, Peers::new(peers, mapped), None).ok();
        }
        transport.map_or(Ok(()), |transport| {
            authenticate(socket, mapped, peers, transport)
        })
    }

    /// What all peers that may connect have in common: the least TTL, so that nobody else gets as far as a connection.
    pub(super) fn limit_ttl<'a>(&self, peers: impl Iterator<Item = &'a PeerConfig>) {
        let hops = peers
            .filter(|config| self.hears(config.address.into()))
            .map(|config| config.transport.hops)
            .collect::<Vec<_>>();
        let least = hops.iter().map(|hops| hops.map_or(0, least_ttl)).min();
        let socket = self.socket.as_fd();
        let options = SockRef::from(&socket);
        // Each connection is limited once more when it is accepted; a listener of IPv6 is one of IPv4, too.
        if self.address.is_ipv6() {
            sockopt::set_least_ttl(socket, true, least.unwrap_or(0)).ok();
        }
        sockopt::set_least_ttl(socket, false, least.unwrap_or(0)).ok();
        if hops.iter().any(Option::is_some) {
            // What answers the first segment goes by the listener's TTL, and is looked at like any other.
            options.set_ttl_v4(u8::MAX.into()).ok();
            options.set_unicast_hops_v6(u8::MAX.into()).ok();
        }
    }
}

/// What holds for a connection that a peer has made.
pub(super) fn prepare_accepted(stream: &TcpStream, config: &PeerConfig) -> io::Result<()> {
    // The connection has the keys of when it was made, which may be before the peer was added or its key changed.
    if let Some(key) = &config.transport.md5_key {
        stream.set_md5_key(config.address, Some(key))?;
    }
    prepare(stream.as_fd(), config.address, &config.transport)
}

fn describe(error: &io::Error, what: &str, address: impl std::fmt::Display) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {address}: {error}"))
}

const BACKLOG: u32 = 1024;

const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(120))
    .with_interval(Duration::from_secs(30))
    .with_retries(4);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bgp_wire::Asn;

    use super::*;

    /// What can be read back from the sockets themselves.
    #[test]
    fn options() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build();
        let runtime = runtime.unwrap();
        let _guard = runtime.enter();
        for (address, ipv6) in [("127.0.0.1", false), ("::1", true)] {
            let peer = PeerConfig::new(address.parse().unwrap(), Asn::new(64512));
            let timeout = Duration::from_secs(7);
            for (config, ttl, dscp) in [
                (peer.clone().ttl(3), Some(3), 48),
                (peer.clone().ttl_security(2).dscp(46), Some(255), 46),
                (peer.user_timeout(timeout), None, 48),
            ] {
                let socket = socket(config.address).unwrap();
                let options = SockRef::from(&socket);
                let read = || {
                    if ipv6 {
                        (
                            options.unicast_hops_v6().unwrap(),
                            options.tclass_v6().unwrap(),
                        )
                    } else {
                        (options.ttl_v4().unwrap(), options.tos_v4().unwrap())
                    }
                };
                let before = read().0;
                prepare_dial(&socket, config.address, &config.transport).unwrap();
                assert_eq!(read(), (ttl.unwrap_or(before), dscp << 2));
                assert!(options.tcp_nodelay().unwrap());
                let kept = options.tcp_user_timeout().unwrap();
                assert_eq!(kept.is_some_and(|kept| kept == timeout), ttl.is_none());
            }
        }
        assert_eq!((least_ttl(1), least_ttl(2), least_ttl(255)), (255, 254, 1));
    }
}
