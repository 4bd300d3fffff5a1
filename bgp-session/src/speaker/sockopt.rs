//! What no kept crate offers safely: how many octets of a TCP socket the peer has not acknowledged.

#![expect(unsafe_code, reason = "ioctl(2) has no safe wrapper for SIOCOUTQ")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

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
