//! Drives the sans-I/O core with `std::net` alone: one thread, one connection, no runtime.
//!
//! Usage: `blocking 192.168.0.254:179 64512 192.168.10.1/32 192.168.0.111`

#![expect(
    clippy::disallowed_methods,
    reason = "the driver owns the clock and may block"
)]

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bgp_session::{
    ConnectionId, ExportPolicy, LocalConfig, Output, PeerConfig, Peering, Rib, Route, Session,
};
use bytes::BytesMut;

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
            Output::Close(id) => drop(connection.take_if(|(open, ..)| *open == id)),
            Output::Event(event) => eprintln!("{event:?}"),
            // No output is left: wait for input, and serve the timer if none arrives in time.
            Output::Wait(deadline) => {
                read(&mut peering, &mut connection, deadline)?;
                peering.handle_timeout(Instant::now());
            }
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
        Err(_) => peering.handle_closed(Instant::now(), id),
    }
}

fn write(peering: &mut Peering, connection: &mut Connection, id: ConnectionId, octets: &[u8]) {
    let Some((_, stream, _)) = connection.as_mut().filter(|(open, ..)| *open == id) else {
        return;
    };
    match stream.write_all(octets) {
        Ok(()) => peering.handle_written(Instant::now(), id, octets.len()),
        Err(_) => peering.handle_closed(Instant::now(), id),
    }
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
    match stream.read(&mut octets) {
        Ok(length @ 1..) => {
            received.extend_from_slice(octets.get(..length).unwrap_or_default());
            peering.handle_bytes(Instant::now(), *id, received);
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) => {}
        Ok(_) | Err(_) => peering.handle_closed(Instant::now(), *id),
    }
    Ok(())
}
