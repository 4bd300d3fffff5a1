//! Notifications of the Linux kernel about changed addresses of interfaces (rtnetlink).
//!
//! Their content is not read: `interface` lists the addresses, for every system in the same way.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};

use super::log;
use super::shared::Shared;

/// Wakes the peers each time that an address of an interface changes, until the speaker ends.
pub(super) async fn watch_addresses(shared: Arc<Shared>) {
    let watching = async {
        let socket = subscribe()?;
        loop {
            wait_for_change(&socket).await?;
            shared.refresh_addresses();
        }
    };
    let ended: io::Result<()> = tokio::select! {
        ended = watching => ended,
        () = shared.stop.cancelled() => return,
    };
    if let Err(error) = ended {
        log::write_line!(warn, %error, "changed addresses of interfaces are not noticed before the next session");
    }
}

/// Returns a socket that receives a message for each added or removed address.
fn subscribe() -> io::Result<TokioSocket> {
    let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
    socket
        .socket_mut()
        .bind(&SocketAddr::new(0, ADDRESS_GROUPS))?;
    Ok(socket)
}

/// Waits for a message and those that follow it soon.
async fn wait_for_change(socket: &TokioSocket) -> io::Result<()> {
    let mut message = BytesMut::with_capacity(4096);
    match socket.recv(&mut message).await {
        Ok(()) => {}
        // Messages were lost, so that something has changed.
        Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
        Err(error) => return Err(error),
    }
    // A restart of the network changes many addresses in a row, and the kernel reports a new IPv6 address twice.
    tokio::time::sleep(SETTLE_TIME).await;
    message.clear();
    // Until the socket is empty: a message that is left would announce a change that is about to be looked up.
    while socket.socket_ref().recv(&mut message, 0).is_ok() {
        message.clear();
    }
    Ok(())
}

/// The multicast groups RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR.
const ADDRESS_GROUPS: u32 = 0x10 | 0x100;

/// The time for which further changes are waited for.
const SETTLE_TIME: Duration = Duration::from_millis(100);
