//! The socket options of Linux and Android: keys for TCP MD5 (RFC 2385) and TCP-AO (RFC 5925), the minimum TTL
//! (RFC 5082), devices and TCP_USER_TIMEOUT.

#![expect(
    unsafe_code,
    reason = "TCP_MD5SIG, TCP_AO_ADD_KEY, TCP_AO_DEL_KEY and IP_MINTTL have no safe wrapper"
)]

use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use ipnet::IpNet;
use socket2::{SockAddr, Socket};

use super::KeyedSocket;
use crate::config::{AoKey, Md5Key};
use crate::speaker::support::TransportOption;

/// The options that this system has, and others may lack.
pub(in crate::speaker) const SUPPORTED: &[TransportOption] = &[
    TransportOption::Md5Key,
    TransportOption::AoKey,
    TransportOption::Device,
    TransportOption::TtlSecurity,
    TransportOption::UserTimeout,
    TransportOption::Dscp,
];

/// `struct tcp_md5sig` of linux/tcp.h.
#[repr(C)]
struct TcpMd5Sig {
    address: socket2::SockAddrStorage,
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface: libc::c_int,
    key: [u8; Md5Key::MAX_LENGTH],
}

/// `struct tcp_ao_add` of linux/tcp.h.
// The C declaration has the attribute `aligned(8)`.
#[repr(C, align(8))]
struct TcpAoAdd {
    address: socket2::SockAddrStorage,
    algorithm: [u8; 64],
    interface: i32,
    /// Bit 0: the key becomes current at once; bit 1: the peer is asked to use it.
    set: u32,
    reserved: u16,
    prefix_length: u8,
    send_id: u8,
    receive_id: u8,
    mac_length: u8,
    key_flags: u8,
    key_length: u8,
    key: [u8; Md5Key::MAX_LENGTH],
}

/// `struct tcp_ao_del` of linux/tcp.h.
#[repr(C, align(8))]
struct TcpAoDel {
    address: socket2::SockAddrStorage,
    interface: i32,
    /// Bits 0 and 1: the keys below become current and next; bit 2: the deletion is asynchronous.
    set: u32,
    reserved: u16,
    prefix_length: u8,
    send_id: u8,
    receive_id: u8,
    current_key: u8,
    next_key: u8,
    key_flags: u8,
}

// Defined in linux/tcp.h; libc lacks some of them.
const TCP_MD5SIG_EXT: libc::c_int = 32;
const TCP_MD5SIG_FLAG_PREFIX: u8 = 1;
const TCP_AO_ADD_KEY: libc::c_int = 38;
const TCP_AO_DEL_KEY: libc::c_int = 39;

// Defined in linux/in.h and linux/in6.h; libc does not have them on every target.
const IP_MINTTL: libc::c_int = 21;
const IPV6_MINHOPCOUNT: libc::c_int = 73;

/// The address or network of the peers, in the form that the socket uses.
#[derive(Clone, Copy, Debug)]
struct RemoteNet {
    network: IpAddr,
    // The kernel counts the 32 bits of an IPv4 address even if the address is mapped into IPv6.
    prefix_length: u8,
    single: bool,
}

impl RemoteNet {
    fn new(peers: IpNet, mapped: bool) -> Self {
        let network = match peers.network() {
            IpAddr::V4(address) if mapped => address.to_ipv6_mapped().into(),
            network @ (IpAddr::V4(_) | IpAddr::V6(_)) => network,
        };
        Self {
            network,
            prefix_length: peers.prefix_len(),
            single: peers.prefix_len() == peers.max_prefix_len(),
        }
    }
}

/// Signs segments to `peers` and drops segments from them without a valid signature. `None` deletes the key.
///
/// A connection inherits the key that its listening socket had at the time of the handshake.
#[expect(
    clippy::expect_used,
    reason = "`Md5Key` has at most 80 octets; a length of 0 would delete the key"
)]
pub(in crate::speaker) fn set_md5_key(
    keyed: KeyedSocket<'_>,
    peers: IpNet,
    key: Option<&Md5Key>,
) -> io::Result<()> {
    let peers = RemoteNet::new(peers, keyed.mapped);
    let octets = key.map(Md5Key::octets).unwrap_or_default();
    // Kernels before 4.13 have only the option for single addresses.
    let (name, flags, prefix_length) = if peers.single {
        (libc::TCP_MD5SIG, 0, 0)
    } else {
        (TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, peers.prefix_length)
    };
    let option = TcpMd5Sig {
        address: storage(peers.network),
        flags,
        prefix_length,
        key_length: u16::try_from(octets.len()).expect("at most 80 octets"),
        // 0: the key applies on every interface.
        interface: 0,
        key: padded(octets),
    };
    set(keyed.socket, libc::IPPROTO_TCP, name, &option)
}

/// Authenticates segments to and from `peers` with this key.
///
/// # Errors
///
/// `Unsupported` if the kernel has no TCP-AO, `AlreadyExists` if the socket already has a key with these identifiers.
#[expect(
    clippy::expect_used,
    reason = "the secret is an `Md5Key`, which has at most 80 octets"
)]
pub(in crate::speaker) fn add_ao_key(
    keyed: KeyedSocket<'_>,
    peers: IpNet,
    key: &AoKey,
) -> io::Result<()> {
    let peers = RemoteNet::new(peers, keyed.mapped);
    let octets = key.secret.octets();
    let option = TcpAoAdd {
        address: storage(peers.network),
        algorithm: padded(key.algorithm.name().as_bytes()),
        interface: 0,
        set: 0,
        reserved: 0,
        prefix_length: peers.prefix_length,
        send_id: key.send_id,
        receive_id: key.receive_id,
        // RFC 5926 section 3.2: the MAC of both algorithms is truncated to 96 bits.
        mac_length: 12,
        key_flags: 0,
        key_length: u8::try_from(octets.len()).expect("at most 80 octets"),
        key: padded(octets),
    };
    set(keyed.socket, libc::IPPROTO_TCP, TCP_AO_ADD_KEY, &option).map_err(|error| {
        match error.raw_os_error() {
            // The answer of a kernel that was built without the option. `io::ErrorKind` has no value for it.
            Some(libc::ENOPROTOOPT) => io::ErrorKind::Unsupported.into(),
            _ => error,
        }
    })
}

/// Deletes a key of `peers` from a listening socket.
pub(in crate::speaker) fn delete_ao_key(
    keyed: KeyedSocket<'_>,
    peers: IpNet,
    key: &AoKey,
) -> io::Result<()> {
    let peers = RemoteNet::new(peers, keyed.mapped);
    let option = TcpAoDel {
        address: storage(peers.network),
        interface: 0,
        // Asynchronous, which only a listening socket permits: otherwise the call waits until no CPU uses the key.
        set: 4,
        reserved: 0,
        prefix_length: peers.prefix_length,
        send_id: key.send_id,
        receive_id: key.receive_id,
        current_key: 0,
        next_key: 0,
        key_flags: 0,
    };
    set(keyed.socket, libc::IPPROTO_TCP, TCP_AO_DEL_KEY, &option)
}

/// Drops packets with a TTL or hop limit below `ttl`; 0 accepts all.
pub(in crate::speaker) fn set_min_ttl(socket: &Socket, ipv6: bool, ttl: u8) -> io::Result<()> {
    let ttl = libc::c_int::from(ttl);
    if ipv6 {
        set(socket, libc::IPPROTO_IPV6, IPV6_MINHOPCOUNT, &ttl)
    } else {
        set(socket, libc::IPPROTO_IP, IP_MINTTL, &ttl)
    }
}

/// Uses only this interface or VRF.
pub(in crate::speaker) fn bind_device(socket: &Socket, device: &str) -> io::Result<()> {
    socket.bind_device(Some(device.as_bytes()))
}

/// Returns the index of a network interface.
pub(in crate::speaker) fn interface_index(device: &str) -> io::Result<u32> {
    // `if_nametoindex` would need more unsafe code.
    let index = std::fs::read_to_string(format!("/sys/class/net/{device}/ifindex"))?;
    // The kernel writes a decimal number. With scope 0, `connect` would return an error.
    Ok(index.trim().parse().unwrap_or(0))
}

/// Ends a connection whose octets stay unacknowledged for this time.
pub(in crate::speaker) fn set_user_timeout(socket: &Socket, time: Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(time))
}

fn storage(address: IpAddr) -> socket2::SockAddrStorage {
    // Keys belong to addresses: a peer that dials has any port.
    SockAddr::from(std::net::SocketAddr::new(address, 0)).as_storage()
}

fn padded<const N: usize>(octets: &[u8]) -> [u8; N] {
    debug_assert!(octets.len() <= N, "{} octets do not fit", octets.len());
    let mut padded = [0; N];
    for (to, from) in padded.iter_mut().zip(octets) {
        *to = *from;
    }
    padded
}

#[expect(
    clippy::expect_used,
    reason = "the options are structures of less than 300 octets"
)]
fn set<T>(socket: &Socket, level: libc::c_int, name: libc::c_int, option: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).expect("a small structure");
    // SAFETY: the descriptor is open while it is borrowed. The kernel reads `length` octets of `option`, which has the
    // layout that the option requires, and keeps no reference to it.
    let result = unsafe {
        let option = std::ptr::from_ref(option).cast();
        libc::setsockopt(socket.as_raw_fd(), level, name, option, length)
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Sizes and offsets of linux/tcp.h on every target with 8-octet alignment of `sockaddr_storage`.
    #[test]
    fn option_structures_have_layouts_of_kernel() {
        let key = std::mem::offset_of!(TcpMd5Sig, key);
        assert_eq!((size_of::<TcpMd5Sig>(), key), (216, 136));
        let key = std::mem::offset_of!(TcpAoAdd, key);
        let prefix_length = std::mem::offset_of!(TcpAoAdd, prefix_length);
        assert_eq!((size_of::<TcpAoAdd>(), prefix_length, key), (288, 202, 208));
        let prefix_length = std::mem::offset_of!(TcpAoDel, prefix_length);
        assert_eq!((size_of::<TcpAoDel>(), prefix_length), (144, 138));
    }
}
