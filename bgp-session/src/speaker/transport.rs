//! `Dialer` and `Transport`: connections to peers, and the options of their TCP sockets.
//!
//! The options of a peer apply to dialled and accepted connections. The `listeners` module sets keys (RFC 2385, RFC 5925) and
//! the minimum TTL (RFC 5082) of listening sockets.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::pin::Pin;
use std::time::Duration;

use socket2::{SockRef, Socket, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};

use super::error::{AddPeerError, KeyError};
use super::keys::Keys;
use super::sockopt::{self, KeyedSocket};
use super::support::unsupported;
use crate::config::{Md5Key, PeerConfig, TransportConfig};

/// A connection to a peer.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Returns the local address, which is the next hop of routes without their own.
    ///
    /// # Errors
    ///
    /// The connection no longer has an address.
    fn local_address(&self) -> io::Result<IpAddr>;

    /// Returns the number of written octets that the peer has not acknowledged. [`Speaker::flush`](super::Speaker::flush)
    /// waits until it is 0 or low enough.
    ///
    /// # Errors
    ///
    /// The number is unknown. A flush then waits only until everything is written. A TCP connection knows the number on
    /// Linux, Android, FreeBSD, NetBSD and the systems of Apple.
    fn unacknowledged(&self) -> io::Result<usize>;

    /// Signs segments with another key from now on, or with none (RFC 2385). The default returns an error.
    ///
    /// # Errors
    ///
    /// The connection does not use TCP, or the kernel refuses the key.
    fn set_md5_key(&self, peer: IpAddr, key: Option<&Md5Key>) -> io::Result<()> {
        let (_, _) = (peer, key);
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Transport for TcpStream {
    fn local_address(&self) -> io::Result<IpAddr> {
        // An IPv6 socket maps IPv4 addresses, but the next hop of an IPv4 route is a plain one.
        self.local_addr().map(|address| address.ip().to_canonical())
    }

    fn unacknowledged(&self) -> io::Result<usize> {
        sockopt::unacknowledged(&SockRef::from(self))
    }

    fn set_md5_key(&self, peer: IpAddr, key: Option<&Md5Key>) -> io::Result<()> {
        let socket = KeyedSocket {
            socket: &SockRef::from(self),
            mapped: self.local_addr()?.is_ipv6(),
        };
        sockopt::set_md5_key(socket, peer.into(), key)
    }
}

/// A future that makes a connection.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Transport>>> + Send>>;

/// A way to make connections to peers.
pub trait Dialer: Send + Sync + 'static {
    /// Returns a future that connects to the peer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt. A [`Speaker`](super::Speaker) does so when the attempt takes too long or the
    /// peer is removed.
    fn dial(&self, peer: &PeerConfig) -> Dialing;
}

/// Dials with TCP and the options of the peer's configuration: source address, ports, device, keys, TTL and DSCP.
///
/// The future of [`Dialer::dial`] panics if it is polled outside of a tokio runtime.
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

/// Returns a socket for addresses of this family.
pub(super) fn socket(address: IpAddr) -> io::Result<TcpSocket> {
    match address {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    }
}

pub(super) fn bind_device(socket: &TcpSocket, device: &str, failure: &str) -> io::Result<()> {
    sockopt::bind_device(&SockRef::from(socket), device)
        .map_err(|error| describe(&error, failure, device))
}

/// Returns the address to dial. A link-local address needs the index of its device as its scope.
fn remote(address: IpAddr, transport: &TransportConfig) -> io::Result<SocketAddr> {
    match (address, &transport.device) {
        (IpAddr::V6(address), Some(device)) if address.is_unicast_link_local() => {
            let scope = sockopt::interface_index(device)
                .map_err(|error| describe(&error, "no such device:", device))?;
            Ok(SocketAddrV6::new(address, transport.port, 0, scope).into())
        }
        _ => Ok(SocketAddr::new(address, transport.port)),
    }
}

/// Sets the options of a socket before it dials.
fn prepare_dial(socket: &TcpSocket, peer: IpAddr, transport: &TransportConfig) -> io::Result<()> {
    if let Some(device) = &transport.device {
        bind_device(socket, device, "cannot dial through")?;
    }
    if transport.source_address.is_some() || transport.source_port.is_some() {
        // A fixed source port may still be in TIME_WAIT from the previous connection.
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
    let socket = SockRef::from(socket);
    let keyed = KeyedSocket {
        socket: &socket,
        // The socket has the family of the peer.
        mapped: false,
    };
    // RFC 2385 section 2: the signature covers every segment, including the SYN.
    Keys::new(transport).set(keyed, peer.into())?;
    prepare(&socket, peer, transport)
}

/// Sets the options of every connection to the peer.
fn prepare(socket: &Socket, peer: IpAddr, transport: &TransportConfig) -> io::Result<()> {
    // The session packs routes into full messages, so that the kernel has nothing to gain from a delay.
    socket.set_tcp_nodelay(true)?;
    // RFC 5082 section 3: the peer can check the distance only if the TTL starts at 255.
    let ttl = transport.ttl.or_else(|| transport.hops.map(|_| u8::MAX));
    // The family of the peer decides: an IPv6 socket sends IPv4 packets to a mapped peer.
    let ipv6 = peer.is_ipv6();
    // RFC 2474 section 3: the codepoint is in the upper six bits of the octet.
    sockopt::set_traffic_class(socket, ipv6, transport.dscp << 2)?;
    // Also without a limit: an accepted connection has inherited the TTL of its listener, which other peers may have raised.
    sockopt::set_ttl(socket, ipv6, ttl)?;
    if let Some(hops) = transport.hops {
        sockopt::set_min_ttl(socket, ipv6, min_ttl(hops))
            .map_err(|error| describe(&error, "cannot limit the TTL of", peer))?;
    }
    // RFC 4271 section 4.4: with a hold time of 0 no KEEPALIVEs are sent, so that nothing else detects a dead peer.
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    if let Some(time) = transport.user_timeout {
        sockopt::set_user_timeout(socket, time)?;
    }
    Ok(())
}

/// Returns the minimum TTL of packets from peers at most `hops` hops away (RFC 5082 section 3).
pub(super) fn min_ttl(hops: u8) -> u8 {
    debug_assert!(hops > 0, "the configuration accepts at least 1");
    u8::MAX - (hops - 1)
}

/// Checks that the system supports every option of a peer, and accepts its keys.
pub(super) fn check(config: &PeerConfig) -> Result<(), AddPeerError> {
    match unsupported(&config.transport, sockopt::SUPPORTED) {
        Some(option) => Err(AddPeerError::Unsupported(config.address, option)),
        None => Ok(check_keys(config)?),
    }
}

/// Checks that the kernel accepts the keys of a peer.
fn check_keys(config: &PeerConfig) -> Result<(), KeyError> {
    let (peer, transport) = (config.address.into(), &config.transport);
    let keys = Keys::new(transport);
    if keys.is_empty() {
        return Ok(());
    }
    // Only the kernel knows whether it has TCP-AO, so that a socket without a connection tries the key.
    let socket = socket(config.address).map_err(|error| KeyError::Socket(peer, error))?;
    let keyed = KeyedSocket {
        socket: &SockRef::from(&socket),
        mapped: false,
    };
    keys.set(keyed, peer)
}

/// Sets the options of an accepted connection.
pub(super) fn prepare_accepted(stream: &TcpStream, config: &PeerConfig) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let keyed = KeyedSocket {
        socket: &socket,
        mapped: stream.local_addr()?.is_ipv6(),
    };
    Keys::new(&config.transport).require(keyed, config.address.into())?;
    prepare(&socket, config.address, &config.transport)
}

/// Returns an error of the same kind with the failed action and its object before the text.
pub(super) fn describe(
    error: &io::Error,
    failure: &str,
    object: impl std::fmt::Display,
) -> io::Error {
    io::Error::new(error.kind(), format!("{failure} {object}: {error}"))
}

/// Ends a connection about four minutes after the peer's last segment.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(120))
    .with_interval(Duration::from_secs(30))
    .with_retries(4);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bgp_wire::Asn;

    use super::*;

    // The options are read back from the sockets because no packet shows all of them.
    #[test]
    fn dialling_socket_has_options_of_peer() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .unwrap();
        let _guard = runtime.enter();
        for (address, ipv6) in [("127.0.0.1", false), ("::1", true)] {
            let peer = PeerConfig::new(address.parse().unwrap(), Asn::new(64512));
            let timeout = Duration::from_secs(7);
            for (config, ttl, dscp) in [
                (peer.clone().with_ttl(3), Some(3), 48),
                (
                    peer.clone().with_ttl_security(2).with_dscp(46),
                    Some(255),
                    46,
                ),
                (peer.with_user_timeout(timeout), None, 48),
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
        assert_eq!((min_ttl(1), min_ttl(2), min_ttl(255)), (255, 254, 1));
    }

    // Other systems do not hand the TTL of a listener down.
    #[test]
    #[cfg(target_os = "linux")]
    fn accepted_connection_does_not_keep_ttl_of_listener() {
        for address in ["127.0.0.1", "::1"] {
            let peer = PeerConfig::new(address.parse().unwrap(), Asn::new(64512));
            let listener = std::net::TcpListener::bind((peer.address, 0)).unwrap();
            let limited = SockRef::from(&listener);
            let read = |options: &SockRef<'_>| match peer.address {
                IpAddr::V4(_) => options.ttl_v4().unwrap(),
                IpAddr::V6(_) => options.unicast_hops_v6().unwrap(),
            };
            let system = read(&limited);
            match peer.address {
                IpAddr::V4(_) => limited.set_ttl_v4(255).unwrap(),
                IpAddr::V6(_) => limited.set_unicast_hops_v6(255).unwrap(),
            }
            let _dialled = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            let options = SockRef::from(&accepted);
            assert_eq!(read(&options), 255, "inherited");
            prepare(&options, peer.address, &peer.transport).unwrap();
            assert_eq!(read(&options), system);
        }
    }
}
