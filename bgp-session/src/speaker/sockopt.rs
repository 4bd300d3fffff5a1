//! The socket options that differ between systems, behind one set of functions. An option that a system lacks is an error
//! of the kind `Unsupported`.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod other;
mod queue;

#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as system;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use other as system;

use std::io;

use socket2::Socket;

pub(super) use queue::unacknowledged;
pub(super) use system::{
    SUPPORTED, add_ao_key, bind_device, delete_ao_key, interface_index, set_md5_key, set_min_ttl,
    set_user_timeout,
};

/// A socket and the form of the peers' addresses on it.
#[derive(Clone, Copy)]
pub(super) struct KeyedSocket<'a> {
    pub(super) socket: &'a Socket,
    /// `true` for an IPv6 socket, on which IPv4 peers have mapped addresses.
    pub(super) mapped: bool,
}

/// Sets the TTL or hop limit of packets to a peer of this family; `None` stands for the system's.
pub(super) fn set_ttl(socket: &Socket, ipv6: bool, ttl: Option<u8>) -> io::Result<()> {
    let ttl = match ttl {
        Some(ttl) => ttl.into(),
        None if cfg!(any(target_os = "linux", target_os = "android")) => SYSTEM_TTL,
        // Other systems refuse -1. They also lack TTL security, so that no listener has another TTL than the system.
        None => return Ok(()),
    };
    if ipv6 {
        socket.set_unicast_hops_v6(ttl)
    } else {
        socket.set_ttl_v4(ttl)
    }
}

/// -1, which stands for the TTL or hop limit of the system (ip(7), RFC 3493 section 5.1).
const SYSTEM_TTL: u32 = u32::MAX;

/// Sets the traffic class of packets to a peer of this family: DSCP and ECN (RFC 2474 section 3).
#[cfg(not(windows))]
pub(super) fn set_traffic_class(socket: &Socket, ipv6: bool, class: u8) -> io::Result<()> {
    if ipv6 {
        socket.set_tclass_v6(class.into())
    } else {
        socket.set_tos_v4(class.into())
    }
}

/// Does nothing: Windows ignores the traffic class of sockets. [`SUPPORTED`] lacks the option.
#[cfg(windows)]
pub(super) fn set_traffic_class(_: &Socket, _: bool, _: u8) -> io::Result<()> {
    Ok(())
}
