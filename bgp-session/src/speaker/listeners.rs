//! The listening sockets of a speaker, and what holds on them for peers that may connect: keys and the minimum TTL.

use std::collections::BTreeMap;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;

use ipnet::IpNet;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use super::error::KeyError;
use super::keys::{KeyedSocket, Keys};
use super::sockopt;
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

    /// Closes a listener. Returns `false` if there is none with this address and device.
    pub(super) fn remove(&mut self, address: SocketAddr, device: Option<&str>) -> bool {
        let mut listeners = self.0.iter();
        let index = listeners.position(|listener| {
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

    /// Sets the keys of connections from `peers`. If a listener refuses one, those before it have the new keys.
    pub(super) fn set_keys(&mut self, peers: IpNet, keys: &Keys) -> Result<(), KeyError> {
        self.0
            .iter_mut()
            .try_for_each(|listener| listener.set_keys(peers, keys))
    }

    /// Sets the minimum TTL that those who may connect have in common; `hops` are how far away each may be.
    pub(super) fn limit_ttl(&self, hops: &[(IpNet, Option<u8>)]) {
        for listener in &self.0 {
            limit_ttl(&*listener.socket, listener.address, hops);
        }
    }
}

impl Listener {
    /// Binds `address`, through `device` if one is given. The socket has its keys and its minimum TTL before it accepts a
    /// connection.
    pub(super) fn bind(
        address: SocketAddr,
        device: Option<&str>,
        mut keys: BTreeMap<IpNet, Keys>,
        hops: &[(IpNet, Option<u8>)],
        closed: CancellationToken,
    ) -> io::Result<Self> {
        let bound = bind(address, device)?;
        keys.retain(|peers, keys| reaches(address, *peers) && !keys.is_empty());
        for (peers, keys) in &keys {
            let socket = KeyedSocket {
                socket: bound.as_fd(),
                mapped: address.is_ipv6(),
            };
            keys.set(socket, *peers)?;
        }
        limit_ttl(&bound, address, hops);
        let socket = bound
            .listen(BACKLOG)
            .map_err(|error| describe(&error, "cannot listen on", address))?;
        Ok(Self {
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
            socket: self.socket.as_fd(),
            mapped: self.address.is_ipv6(),
        };
        if let Err(error) = keys.replace(&old, socket, peers) {
            // A key is set in place, but a TCP-AO key is deleted before the new one is added.
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

    /// Refuses connections from now on, although the accepting task still holds the socket.
    fn close(&self) {
        self.closed.cancel();
        // A failure leaves the socket open until the task, which is cancelled, drops it.
        SockRef::from(&*self.socket).shutdown(Shutdown::Read).ok();
    }
}

fn bind(address: SocketAddr, device: Option<&str>) -> io::Result<TcpSocket> {
    let socket = socket(address.ip())?;
    socket.set_reuseaddr(true)?;
    if let Some(device) = device {
        bind_device(&socket, device, "cannot listen through")?;
    }
    socket
        .bind(address)
        .map_err(|error| describe(&error, "cannot listen on", address))?;
    Ok(socket)
}

/// Returns `true` if `peers` can connect to a socket with this address.
fn reaches(address: SocketAddr, peers: IpNet) -> bool {
    // An IPv6 socket accepts IPv4 peers by their mapped addresses.
    address.is_ipv6() || matches!(peers, IpNet::V4(_))
}

/// Sets the minimum TTL that those who may connect have in common, so that others get no connection (RFC 5082).
fn limit_ttl(socket: &impl AsFd, address: SocketAddr, hops: &[(IpNet, Option<u8>)]) {
    let hops = || {
        hops.iter()
            .filter(|(peers, _)| reaches(address, *peers))
            .map(|(_, hops)| *hops)
    };
    let minimum = hops().map(|hops| hops.map_or(0, min_ttl)).min();
    let fd = socket.as_fd();
    // Each connection is limited again when it is accepted. An IPv6 socket is also one of IPv4.
    if address.is_ipv6() {
        sockopt::set_min_ttl(fd, true, minimum.unwrap_or(0)).ok();
    }
    sockopt::set_min_ttl(fd, false, minimum.unwrap_or(0)).ok();
    if hops().any(|hops| hops.is_some()) {
        // The listener's TTL is that of the SYN-ACK, which the peer checks like any other segment.
        let options = SockRef::from(&fd);
        options.set_ttl_v4(u8::MAX.into()).ok();
        options.set_unicast_hops_v6(u8::MAX.into()).ok();
    }
}

const BACKLOG: u32 = 1024;
