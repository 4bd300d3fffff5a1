//! The number of octets that a socket has taken and the peer's kernel has not acknowledged.

#![cfg_attr(
    any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_os = "netbsd",
        target_vendor = "apple"
    ),
    expect(
        unsafe_code,
        reason = "SIOCOUTQ, FIONWRITE and SO_NWRITE have no safe wrapper"
    )
)]

use std::io;

use socket2::Socket;

/// Returns the number of octets in the send queue (tcp(7), SIOCOUTQ).
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd"
))]
pub(in crate::speaker) fn unacknowledged(socket: &Socket) -> io::Result<usize> {
    use std::os::fd::AsRawFd;

    // SIOCOUTQ is TIOCOUTQ on Linux.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const REQUEST: Request = libc::TIOCOUTQ;
    #[cfg(any(target_os = "freebsd", target_os = "netbsd"))]
    const REQUEST: Request = libc::FIONWRITE;

    let mut octets: libc::c_int = 0;
    // SAFETY: the descriptor is open while the socket is borrowed, and the request writes one int to `octets`.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), REQUEST, &raw mut octets) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(count(octets))
}

/// The type of the second argument of `ioctl`.
#[cfg(target_os = "linux")]
type Request = libc::Ioctl;
#[cfg(target_os = "android")]
type Request = libc::c_int;
#[cfg(any(target_os = "freebsd", target_os = "netbsd"))]
type Request = libc::c_ulong;

/// Returns the number of octets in the send queue (getsockopt(2), SO_NWRITE).
#[cfg(target_vendor = "apple")]
#[expect(clippy::expect_used, reason = "an int has a size of a few octets")]
pub(in crate::speaker) fn unacknowledged(socket: &Socket) -> io::Result<usize> {
    use std::os::fd::AsRawFd;

    let mut octets: libc::c_int = 0;
    let mut length = libc::socklen_t::try_from(size_of_val(&octets)).expect("a small size");
    // SAFETY: the descriptor is open while the socket is borrowed. The kernel writes at most `length` octets to `octets`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NWRITE,
            (&raw mut octets).cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(count(octets))
}

/// Returns an error: the system has no interface for the number.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_vendor = "apple"
)))]
pub(in crate::speaker) fn unacknowledged(_: &Socket) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "netbsd",
    target_vendor = "apple"
))]
fn count(octets: libc::c_int) -> usize {
    debug_assert!(octets >= 0, "the kernel returns a number of octets");
    usize::try_from(octets).unwrap_or(0)
}
