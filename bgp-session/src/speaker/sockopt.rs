//! Socket options without a safe wrapper: keys for TCP MD5 (RFC 2385) and TCP-AO (RFC 5925), the minimum TTL
//! (RFC 5082), and how many octets the peer has not acknowledged.

#![expect(
    unsafe_code,
    reason = "TCP_MD5SIG, TCP_AO_ADD_KEY, TCP_AO_DEL_KEY, IP_MINTTL and SIOCOUTQ have no safe wrapper"
)]

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use ipnet::IpNet;
use socket2::SockAddr;

use crate::config::{AoKey, Md5Key};

/// `struct tcp_md5sig` of linux/tcp.h.
#[repr(C)]
struct TcpMd5Sig {
    address: socket2::SockAddrStorage,
    flags: u8,
    prefix_length: u8,
    key_length: u16,
    interface: libc::c_int,
    key: [u8; Md5Key::LONGEST],
}

/// `struct tcp_ao_add` of linux/tcp.h.
#[repr(C, align(8))]
struct TcpAoAdd {
    address: socket2::SockAddrStorage,
    algorithm: [u8; 64],
    interface: i32,
    /// Bit 0: the key is current at once; bit 1: the peer is asked for it.
    set: u32,
    reserved: u16,
    prefix_length: u8,
    send_id: u8,
    receive_id: u8,
    mac_length: u8,
    key_flags: u8,
    key_length: u8,
    key: [u8; Md5Key::LONGEST],
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

/// Of linux/tcp.h; libc does not know them yet.
const TCP_MD5SIG_EXT: libc::c_int = 32;
const TCP_MD5SIG_FLAG_PREFIX: u8 = 1;
const TCP_AO_ADD_KEY: libc::c_int = 38;
const TCP_AO_DEL_KEY: libc::c_int = 39;

/// Of linux/in.h and linux/in6.h.
const IP_MINTTL: libc::c_int = 21;
const IPV6_MINHOPCOUNT: libc::c_int = 73;

/// The address or network at the other end, in the form that the socket has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct RemoteNet {
    network: IpAddr,
    /// The length within the 32 bits of an IPv4 address, also if it is mapped into IPv6.
    prefix_length: u8,
    single: bool,
}

impl RemoteNet {
    /// `mapped` is true for a socket of IPv6, which has the mapped addresses of IPv4 peers.
    pub(super) fn new(peers: IpNet, mapped: bool) -> Self {
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

/// Signs segments to `peers` and drops unsigned ones from them; `None` deletes the key. A connection has the key that its
/// listening socket had when it was made.
pub(super) fn set_md5_key(
    socket: BorrowedFd<'_>,
    peers: RemoteNet,
    key: Option<&Md5Key>,
) -> io::Result<()> {
    let octets = key.map(Md5Key::octets).unwrap_or_default();
    let (name, flags, prefix_length) = if peers.single {
        (libc::TCP_MD5SIG, 0, 0)
    } else {
        (TCP_MD5SIG_EXT, TCP_MD5SIG_FLAG_PREFIX, peers.prefix_length)
    };
    let option = TcpMd5Sig {
        address: storage(peers.network),
        flags,
        prefix_length,
        key_length: u16::try_from(octets.len()).unwrap_or(0),
        interface: 0,
        key: padded(octets),
    };
    set(socket, libc::IPPROTO_TCP, name, &option)
}

/// Authenticates segments to and from `peers` with this key.
///
/// # Errors
///
/// `ENOPROTOOPT` where the kernel has no TCP-AO.
pub(super) fn add_ao_key(socket: BorrowedFd<'_>, peers: RemoteNet, key: &AoKey) -> io::Result<()> {
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
        // RFC 5926 section 3.2: both algorithms are cut to 96 bits.
        mac_length: 12,
        key_flags: 0,
        key_length: u8::try_from(octets.len()).unwrap_or(0),
        key: padded(octets),
    };
    set(socket, libc::IPPROTO_TCP, TCP_AO_ADD_KEY, &option)
}

/// Deletes a key of `peers` from a listening socket.
pub(super) fn delete_ao_key(
    socket: BorrowedFd<'_>,
    peers: RemoteNet,
    key: &AoKey,
) -> io::Result<()> {
    let option = TcpAoDel {
        address: storage(peers.network),
        interface: 0,
        // Asynchronous, which listening sockets may: otherwise the call waits for every CPU.
        set: 4,
        reserved: 0,
        prefix_length: peers.prefix_length,
        send_id: key.send_id,
        receive_id: key.receive_id,
        current_key: 0,
        next_key: 0,
        key_flags: 0,
    };
    set(socket, libc::IPPROTO_TCP, TCP_AO_DEL_KEY, &option)
}

/// Drops packets with a smaller TTL or hop limit; 0 drops none.
pub(super) fn set_min_ttl(socket: BorrowedFd<'_>, ipv6: bool, ttl: u8) -> io::Result<()> {
    let ttl = libc::c_int::from(ttl);
    if ipv6 {
        set(socket, libc::IPPROTO_IPV6, IPV6_MINHOPCOUNT, &ttl)
    } else {
        set(socket, libc::IPPROTO_IP, IP_MINTTL, &ttl)
    }
}

fn storage(address: IpAddr) -> socket2::SockAddrStorage {
    SockAddr::from(std::net::SocketAddr::new(address, 0)).as_storage()
}

fn padded<const N: usize>(octets: &[u8]) -> [u8; N] {
    let mut padded = [0; N];
    let ends = padded.iter_mut().zip(octets);
    ends.for_each(|(to, from)| *to = *from);
    padded
}

fn set<T>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    option: &T,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: the descriptor is open as long as it is borrowed; the kernel reads `length` octets of `option`, which has
    // the layout that the option asks for, and keeps no reference to it.
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

/// Returns the number of octets that were written and that the peer's kernel has not acknowledged (tcp(7), SIOCOUTQ).
pub(super) fn unacknowledged(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut octets: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as it is borrowed, and SIOCOUTQ (TIOCOUTQ on Linux) writes one int, which
    // `octets` is.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut octets) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(usize::try_from(octets).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_of_the_kernel() {
        let key = std::mem::offset_of!(TcpMd5Sig, key);
        assert_eq!((size_of::<TcpMd5Sig>(), key), (216, 136));
        let key = std::mem::offset_of!(TcpAoAdd, key);
        let prefix_length = std::mem::offset_of!(TcpAoAdd, prefix_length);
        assert_eq!((size_of::<TcpAoAdd>(), prefix_length, key), (288, 202, 208));
        let prefix_length = std::mem::offset_of!(TcpAoDel, prefix_length);
        assert_eq!((size_of::<TcpAoDel>(), prefix_length), (144, 138));
    }
}
