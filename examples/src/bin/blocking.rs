//! Announces one address with nothing but std::net: one thread, one connection at a time, no runtime.
//! `blocking 192.168.0.254:179 64512 192.168.10.1/32 192.168.0.111`

#![expect(
    clippy::disallowed_methods,
    reason = "the driver has the clock, and waits"
)]

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bgp_session::{
    ConnectionId, ExportPolicy, LocalConfig, Output, PeerConfig, Peering, Rib, Route, Session,
};
use bytes::BytesMut;

/// The I/O that a peering leaves to its driver.
struct Driver {
    router: SocketAddr,
    peering: Peering,
    rib: Rib,
    stream: Option<(ConnectionId, TcpStream)>,
    received: BytesMut,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [router, asn, prefix, router_id] = arguments.as_slice() else {
        return Err("usage: blocking ADDRESS:PORT AS PREFIX ROUTER-ID".into());
    };
    let router: SocketAddr = router.parse()?;
    let (asn, router_id) = (asn.parse()?, router_id.parse()?);
    let mut rib = Rib::new();
    rib.announce(&Route::new(prefix.parse()?));
    let config = PeerConfig::new(router.ip(), asn).export(ExportPolicy::all());
    let local = LocalConfig { asn, router_id };
    let mut driver = Driver {
        router,
        peering: Peering::new(Session::new(local, config, Instant::now(), 0)),
        rib,
        stream: None,
        received: BytesMut::new(),
    };
    driver.peering.start(Instant::now());
    loop {
        let deadline = driver.carry_out();
        driver.read(deadline)?;
        driver.peering.handle_timeout(Instant::now());
    }
}

impl Driver {
    /// Carries out everything that the peering has decided. Returns the time of its next timer.
    fn carry_out(&mut self) -> Option<Instant> {
        loop {
            match self.peering.poll_output(Instant::now(), &mut self.rib) {
                Output::Dial(id) => self.dial(id),
                Output::Transmit(id, octets) => self.write(id, &octets),
                Output::Close(id) => drop(self.stream.take_if(|(known, _)| *known == id)),
                Output::Event(event) => eprintln!("{event:?}"),
                Output::Wait(deadline) => return deadline,
            }
        }
    }

    fn dial(&mut self, id: ConnectionId) {
        let connected = TcpStream::connect_timeout(&self.router, Duration::from_secs(5));
        let connected = connected.and_then(|stream| {
            // This program does nothing else while it writes: it gives up a router that reads nothing.
            stream.set_write_timeout(Some(Duration::from_secs(30)))?;
            Ok((stream.local_addr()?.ip(), stream))
        });
        let now = Instant::now();
        match connected {
            Ok((address, stream)) => {
                self.received.clear();
                self.stream = Some((id, stream));
                self.peering.handle_connected(now, id, address);
            }
            Err(_) => self.peering.handle_closed(now, id),
        }
    }

    fn write(&mut self, id: ConnectionId, octets: &[u8]) {
        let Some((_, stream)) = self.stream.as_mut().filter(|(known, _)| *known == id) else {
            return;
        };
        match stream.write_all(octets) {
            Ok(()) => self
                .peering
                .handle_written(Instant::now(), id, octets.len()),
            Err(_) => self.peering.handle_closed(Instant::now(), id),
        }
    }

    /// Reads from the router, at most until the deadline.
    fn read(&mut self, deadline: Option<Instant>) -> Result<(), Box<dyn Error>> {
        let wait = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        // A timeout of zero would mean none.
        let wait = wait.map(|wait| wait.max(Duration::from_millis(1)));
        let Some((id, stream)) = &mut self.stream else {
            std::thread::sleep(wait.unwrap_or_default());
            return Ok(());
        };
        stream.set_read_timeout(wait)?;
        let mut octets = [0; 4096];
        match stream.read(&mut octets) {
            Ok(read @ 1..) => {
                self.received
                    .extend_from_slice(octets.get(..read).unwrap_or_default());
                self.peering
                    .handle_bytes(Instant::now(), *id, &mut self.received);
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Ok(_) | Err(_) => self.peering.handle_closed(Instant::now(), *id),
        }
        Ok(())
    }
}
