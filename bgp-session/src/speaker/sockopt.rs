//! What no kept crate offers safely: TCP MD5 keys (RFC 2385), and how many octets the peer has not acknowledged.

#![expect(unsafe_code, reason = "TCP_MD5SIG and SIOCOUTQ have no safe wrapper")]

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::SockAddr;

use crate::config::Md5Key;

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

/// Signs and expects signatures on segments to and from `peer`; no key takes that back. On a listening socket this
/// holds for connections that are accepted.
pub(super) fn set_md5_key(
    socket: BorrowedFd<'_>,
    peer: IpAddr,
    key: Option<&Md5Key>,
) -> io::Result<()> {
    let octets = key.map(Md5Key::octets).unwrap_or_default();
    let mut option = TcpMd5Sig {
        address: SockAddr::from(std::net::SocketAddr::new(peer, 0)).as_storage(),
        flags: 0,
        prefix_length: 0,
        key_length: u16::try_from(octets.len()).unwrap_or(0),
        interface: 0,
        key: [0; Md5Key::LONGEST],
    };
    option
        .key
        .iter_mut()
        .zip(octets)
        .for_each(|(to, from)| *to = *from);
    let length = libc::socklen_t::try_from(size_of::<TcpMd5Sig>()).unwrap_or(0);
    // SAFETY: the descriptor is open as long as it is borrowed; the kernel reads `length` octets of `option`, which has
    // the layout of `struct tcp_md5sig`, and keeps no reference to it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_MD5SIG,
            (&raw const option).cast(),
            length,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Octets that were written to `socket` and not acknowledged by the peer's kernel (tcp(7), SIOCOUTQ).
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
    fn layout_of_the_kernel() {
        assert_eq!(
            (size_of::<TcpMd5Sig>(), std::mem::offset_of!(TcpMd5Sig, key)),
            (216, 136)
        );
    }
}
