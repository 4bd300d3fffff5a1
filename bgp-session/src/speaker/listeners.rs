//! The listening sockets of a speaker, with the keys and the minimum TTL of the peers that may connect.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use socket2::{SockRef, Socket};
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use super::error::KeyError;
use super::hops::HopCounts;
use super::keys::Keys;
use super::sockopt::{self, KeyedSocket};
use super::transport::{bind_device, describe, min_ttl, socket};

/// The listening sockets.
#[derive(Default)]
pub(super) struct Listeners(Vec<Listener>);

/// A listening socket.
pub(super) struct Listener {
    socket: Arc<TcpListener>,
    address: SocketAddr,
    device: Option<String>,
    /// The keys that are set on the socket.
    keys: BTreeMap<IpNet, Keys>,
    /// Ends the task that accepts connections.
    closed: CancellationToken,
}

impl Listeners {
    pub(super) fn add(&mut self, listener: Listener) {
        self.0.push(listener);
    }

    /// Closes a listener. Returns `false` if none has this address and device.
    pub(super) fn remove(&mut self, address: SocketAddr, device: Option<&str>) -> bool {
        let index = self.0.iter().position(|listener| {
            listener.address == address && listener.device.as_deref() == device
        });
        index.is_some_and(|index| {
            self.0.remove(index).close();
            true
        })
    }

    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(Listener::address).collect()
    }

    /// Closes every socket.
    pub(super) fn close_all(&mut self) {
        self.0.drain(..).for_each(|listener| listener.close());
    }

    /// Sets the keys of connections from `peers`. After an error, the listeners before the failing one have the new keys.
    pub(super) fn set_keys(&mut self, peers: IpNet, keys: &Keys) -> Result<(), KeyError> {
        self.0
            .iter_mut()
            .try_for_each(|listener| listener.set_keys(peers, keys))
    }

    /// Sets the minimum TTL that all peers that may connect have in common. `hops` contains the maximum distance of each.
    pub(super) fn limit_ttl(&self, hops: &HopCounts) {
        for listener in &self.0 {
            limit_ttl(&SockRef::from(&*listener.socket), listener.address, hops);
        }
    }
}

impl Listener {
    /// Binds `address` and listens on it, through `device` if one is given.
    pub(super) fn bind(
        address: SocketAddr,
        device: Option<&str>,
        mut keys: BTreeMap<IpNet, Keys>,
        hops: &HopCounts,
        closed: CancellationToken,
    ) -> io::Result<Self> {
        // Keys and TTL come before `listen`: from then on, the kernel completes handshakes by itself.
        let bound = bind(address, device)?;
        keys.retain(|peers, keys| reaches(address, *peers) && !keys.is_empty());
        for (peers, keys) in &keys {
            let socket = KeyedSocket {
                socket: &SockRef::from(&bound),
                mapped: address.is_ipv6(),
            };
            keys.set(socket, *peers)?;
        }
        limit_ttl(&SockRef::from(&bound), address, hops);
        let socket = bound
            .listen(BACKLOG)
            .map_err(|error| describe(&error, "cannot listen on", address))?;
        Ok(Self {
            // Differs from `address` if that has port 0.
            address: socket.local_addr()?,
            socket: Arc::new(socket),
            device: device.map(str::to_owned),
            keys,
            closed,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn socket(&self) -> Arc<TcpListener> {
        Arc::clone(&self.socket)
    }

    fn set_keys(&mut self, peers: IpNet, keys: &Keys) -> Result<(), KeyError> {
        let old = self.keys.get(&peers).cloned().unwrap_or_default();
        if !reaches(self.address, peers) || old == *keys {
            return Ok(());
        }
        let socket = KeyedSocket {
            socket: &SockRef::from(&*self.socket),
            mapped: self.address.is_ipv6(),
        };
        if let Err(error) = keys.replace(&old, socket, peers) {
            // A failed MD5 key leaves the old one, but an old TCP-AO key is deleted before the new one is added.
            old.set(socket, peers).ok();
            return Err(error);
        }
        if keys.is_empty() {
            self.keys.remove(&peers);
        } else {
            self.keys.insert(peers, keys.clone());
        }
        Ok(())
    }

    /// Refuses connections from now on, even while the accepting task still holds the socket.
    fn close(&self) {
        self.closed.cancel();
        // After an error, the socket is open until the cancelled task drops it.
        SockRef::from(&*self.socket).shutdown(Shutdown::Read).ok();
    }
}

fn bind(address: SocketAddr, device: Option<&str>) -> io::Result<TcpSocket> {
    let socket = socket(address.ip())?;
    // The address must be free at once after a restart, while old connections are in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    if let Some(device) = device {
        bind_device(&socket, device, "cannot listen through")?;
    }
    socket
        .bind(address)
        .map_err(|error| describe(&error, "cannot listen on", address))?;
    Ok(socket)
}

/// Returns `true` if `peers` can connect to a listener on this address.
fn reaches(address: SocketAddr, peers: IpNet) -> bool {
    // An IPv6 socket accepts IPv4 peers by their mapped addresses.
    address.is_ipv6() || matches!(peers, IpNet::V4(_))
}

/// Sets the minimum TTL that all peers that may connect have in common. More distant hosts get no connection (RFC 5082).
fn limit_ttl(socket: &Socket, address: SocketAddr, hops: &HopCounts) {
    let reaching = || hops.reaching(address.is_ipv6());
    let minimum = reaching().map(|hops| hops.map_or(0, min_ttl)).min();
    // Errors are harmless because each accepted connection gets its own limit. An IPv6 socket also receives IPv4 packets.
    if address.is_ipv6() {
        sockopt::set_min_ttl(socket, true, minimum.unwrap_or(0)).ok();
    }
    sockopt::set_min_ttl(socket, false, minimum.unwrap_or(0)).ok();
    // The SYN-ACK is sent with the listener's TTL, and the peer checks it like any other segment.
    let is_limited = reaching().any(|hops| hops.is_some());
    let ttl = is_limited.then_some(u8::MAX);
    sockopt::set_ttl(socket, false, ttl).ok();
    sockopt::set_ttl(socket, true, ttl).ok();
}

/// The maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 1024;
