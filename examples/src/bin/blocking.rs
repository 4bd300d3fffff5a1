//! Announces one address with nothing but std::net: one thread, one connection at a time, the session without a runtime.
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
    AdjRibOut, ConnectionId, ExportPolicy, LocalConfig, Output, PeerConfig, Rib, Route, Session,
    SessionEvent,
};
use bytes::BytesMut;

/// What the session knows nothing of.
struct Driver {
    router: SocketAddr,
    session: Session,
    rib: Rib,
    adj_rib_out: Option<AdjRibOut>,
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
    let mut driver = Driver {
        router,
        session: Session::new(LocalConfig { asn, router_id }, config, Instant::now(), 0),
        rib,
        adj_rib_out: None,
        stream: None,
        received: BytesMut::new(),
    };
    driver.session.start(Instant::now());
    loop {
        let deadline = driver.obey();
        if !driver.announce() {
            driver.listen(deadline)?;
            driver.session.handle_timeout(Instant::now());
        }
    }
}

impl Driver {
    /// Does everything that the session wants done; until when it wants nothing more.
    fn obey(&mut self) -> Option<Instant> {
        loop {
            match self.session.poll_output() {
                Output::Dial(id) => self.dial(id),
                Output::Transmit(id, message) => {
                    let stream = self.stream.as_mut().filter(|(known, _)| *known == id);
                    if stream.is_some_and(|(_, stream)| stream.write_all(&message).is_err()) {
                        self.session.handle_closed(Instant::now(), id);
                    }
                }
                Output::Close(id) => drop(self.stream.take_if(|(known, _)| *known == id)),
                Output::Event(event) => {
                    eprintln!("{event:?}");
                    self.follow(&event);
                }
                Output::Wait(deadline) => return deadline,
            }
        }
    }

    /// Keeps the router's place in the table.
    fn follow(&mut self, event: &SessionEvent) {
        if let SessionEvent::Up { negotiated, .. } = event {
            let config = self.session.config();
            self.adj_rib_out = Some(AdjRibOut::new(&mut self.rib, config, negotiated));
        } else if let SessionEvent::Down { .. } = event
            && let Some(adj_rib_out) = self.adj_rib_out.take()
        {
            adj_rib_out.close(&mut self.rib);
        } else if let SessionEvent::Refresh(family) = event
            && let Some(adj_rib_out) = &mut self.adj_rib_out
        {
            adj_rib_out.refresh(*family);
        }
    }

    fn dial(&mut self, id: ConnectionId) {
        let connected = TcpStream::connect_timeout(&self.router, Duration::from_secs(5));
        let connected = connected.and_then(|stream| {
            // While it writes, this program does nothing else: a router that reads nothing is given up. A driver that goes on
            // meanwhile calls `handle_written` instead.
            stream.set_write_timeout(Some(Duration::from_secs(30)))?;
            Ok((stream.local_addr()?.ip(), stream))
        });
        let now = Instant::now();
        match connected {
            Ok((address, stream)) => {
                self.received.clear();
                self.stream = Some((id, stream));
                self.session.handle_connected(now, id, address);
            }
            Err(_) => self.session.handle_closed(now, id),
        }
    }

    /// Sends what the router has not been sent of the table; whether there was any.
    fn announce(&mut self) -> bool {
        let mut messages = BytesMut::new();
        if let Some(adj_rib_out) = &mut self.adj_rib_out {
            adj_rib_out.pull(&mut self.rib, &mut messages, 65536);
        }
        let any = !messages.is_empty();
        any && self.session.send(Instant::now(), messages.freeze()).is_ok()
    }

    /// Waits for the router, at most until the deadline.
    fn listen(&mut self, deadline: Option<Instant>) -> Result<(), Box<dyn Error>> {
        let wait = deadline.map(|deadline| deadline - Instant::now());
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
                self.session
                    .handle_bytes(Instant::now(), *id, &mut self.received);
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Ok(_) | Err(_) => self.session.handle_closed(Instant::now(), *id),
        }
        Ok(())
    }
}
