//! Drives the sans-I/O core with `std::net` alone: one thread, one connection, no runtime.
//!
//! Usage: `blocking 192.168.0.254:179 64512 192.168.10.1/32 192.168.0.111`

#![expect(
    clippy::disallowed_methods,
    reason = "the driver owns the clock and may block"
)]

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bgp_session::{
    ConnectionId, ExportPolicy, LocalConfig, Output, PeerConfig, Peering, Rib, Route, Session,
    SessionEvent,
};
use bytes::BytesMut;
use if_addrs::IfAddr;
use ipnet::IpNet;

type Connection = Option<(ConnectionId, TcpStream, BytesMut)>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [router, asn, prefix, node] = arguments.as_slice() else {
        return Err("usage: blocking ROUTER:PORT AS PREFIX NODE".into());
    };
    let (router, node): (SocketAddr, Ipv4Addr) = (router.parse()?, node.parse()?);
    let (asn, router_id) = (asn.parse()?, node.try_into()?);
    let mut rib = Rib::new();
    rib.announce(&Route::new(prefix.parse()?));
    let config = PeerConfig::new(router.ip(), asn)
        .with_export(ExportPolicy::all())
        .with_next_hop_ipv4(node);
    let local = LocalConfig::new(asn, router_id);
    let mut peering = Peering::new(Session::new(local, config, Instant::now(), 0)?);
    let mut connection = None;
    peering.start(Instant::now());
    loop {
        match peering.poll_output(Instant::now(), &mut rib) {
            Output::Dial(id) => dial(&mut peering, &mut connection, router, id),
            Output::Transmit(id, octets) => write(&mut peering, &mut connection, id, &octets),
            Output::Close(id) => {
                if let Some((_, stream, _)) = connection.take_if(|(open, ..)| *open == id) {
                    // In a thread of its own, because the session does not wait for it.
                    std::thread::spawn(|| linger(stream));
                }
            }
            Output::Event(event) => {
                eprintln!("{event:?}");
                if matches!(event, SessionEvent::Up { .. })
                    && peering.needs_interface_addresses()
                    && let Err(error) = report_addresses(&mut peering)
                {
                    eprintln!("cannot read the addresses of interfaces: {error}");
                }
            }
            // No output is left. A timer that is due precedes input, which may always be there.
            Output::Wait(Some(deadline)) if deadline <= Instant::now() => {
                peering.handle_timeout(Instant::now());
            }
            Output::Wait(deadline) => read(&mut peering, &mut connection, deadline)?,
            // A later version of the library may add outputs. This driver does not need them.
            _ => {}
        }
    }
}

fn dial(peering: &mut Peering, connection: &mut Connection, router: SocketAddr, id: ConnectionId) {
    let timeout = peering.session().config().retry().connect_timeout();
    let dialled = TcpStream::connect_timeout(&router, timeout).and_then(|stream| {
        // A blocked write also blocks the timers, so a router that reads nothing is abandoned.
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        Ok((stream.local_addr()?.ip(), stream))
    });
    match dialled {
        Ok((address, stream)) => {
            *connection = Some((id, stream, BytesMut::new()));
            peering.handle_connected(Instant::now(), id, address);
        }
        Err(error) => peering.handle_error(Instant::now(), id, error.kind()),
    }
}

/// Reports the addresses of the interface that holds our end of the session. IPv6 routes over an IPv4 session need one.
fn report_addresses(peering: &mut Peering) -> io::Result<()> {
    let Some(negotiated) = peering.session().negotiated() else {
        return Ok(());
    };
    let interfaces = if_addrs::get_if_addrs()?;
    let holder = interfaces
        .iter()
        .find(|entry| entry.ip() == negotiated.local_address);
    let addresses: Vec<_> = interfaces
        .iter()
        .filter(|entry| holder.is_some_and(|holder| holder.name == entry.name))
        .filter_map(|entry| match &entry.addr {
            IfAddr::V4(address) => IpNet::new(address.ip.into(), address.prefixlen).ok(),
            IfAddr::V6(address) => IpNet::new(address.ip.into(), address.prefixlen).ok(),
        })
        .collect();
    peering.handle_interface_addresses(&addresses);
    Ok(())
}

fn write(peering: &mut Peering, connection: &mut Connection, id: ConnectionId, octets: &[u8]) {
    let Some((_, stream, _)) = connection.as_mut().filter(|(open, ..)| *open == id) else {
        return;
    };
    match stream.write_all(octets) {
        Ok(()) => peering.handle_written(Instant::now(), id, octets.len()),
        Err(error) => {
            *connection = None;
            peering.handle_error(Instant::now(), id, error.kind());
        }
    }
}

/// Ends a connection once the router has read what was sent, of which the last message may be a NOTIFICATION.
fn linger(mut stream: TcpStream) -> io::Result<()> {
    let end = Instant::now() + Duration::from_secs(1);
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    // Closing a socket with unread octets resets the connection, and a reset can overtake the NOTIFICATION.
    let mut unread = [0; 4096];
    while Instant::now() < end && stream.read(&mut unread)? > 0 {}
    Ok(())
}

/// Reads from the router until the deadline at most.
fn read(
    peering: &mut Peering,
    connection: &mut Connection,
    deadline: Option<Instant>,
) -> io::Result<()> {
    // A read timeout of zero is an error.
    let wait = deadline.map(|deadline| {
        deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1))
    });
    let Some((id, stream, received)) = connection else {
        std::thread::sleep(wait.unwrap_or_default());
        return Ok(());
    };
    stream.set_read_timeout(wait)?;
    let mut octets = [0; 4096];
    let (id, read) = (*id, stream.read(&mut octets));
    match read {
        Ok(length @ 1..) => {
            received.extend_from_slice(octets.get(..length).unwrap_or_default());
            peering.handle_bytes(Instant::now(), id, received);
        }
        Ok(_) => {
            *connection = None;
            peering.handle_closed(Instant::now(), id);
        }
        // The read timeout is WouldBlock on Unix and TimedOut on Windows.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
            ) => {}
        Err(error) => {
            *connection = None;
            peering.handle_error(Instant::now(), id, error.kind());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn router_reads_last_message_although_its_own_is_unread() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut ours = TcpStream::connect(address).expect("it listens");
        let (mut router, _) = listener.accept().expect("it has connected");
        router.write_all(b"unread").expect("it is open");
        ours.write_all(b"NOTIFICATION").expect("it is open");
        let reading = std::thread::spawn(move || {
            let mut octets = Vec::new();
            router.read_to_end(&mut octets).map(|_| octets)
        });
        linger(ours).expect("no reset");
        let read = reading.join().expect("no panic");
        assert_eq!(read.expect("no reset"), b"NOTIFICATION");
    }
}
