//! Two speakers without a network: a dialer of one's own hands each connection to the other speaker. Namespaces, VRFs,
//! tunnels and tests come in at the same place.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bgp_session::{
    Dialer, Dialing, Events, PeerConfig, Route, SessionEvent, Speaker, SpeakerEvent, Transport,
};
use bgp_wire::Asn;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

/// One end of a connection in memory.
struct Memory {
    stream: DuplexStream,
    local: IpAddr,
}

impl Transport for Memory {
    fn local_address(&self) -> io::Result<IpAddr> {
        Ok(self.local)
    }

    fn unacknowledged(&self) -> io::Result<usize> {
        Ok(0) // what is written has arrived
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, to)
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Dials one speaker, whoever is asked for.
struct To {
    speaker: Speaker,
    from: IpAddr,
}

impl Dialer for To {
    fn dial(&self, peer: &PeerConfig) -> Dialing {
        let (ours, theirs) = duplex(64 * 1024);
        let end = |stream, local| Memory { stream, local };
        let taken = self.speaker.accept(end(theirs, peer.address()), self.from);
        let connection: Box<dyn Transport> = Box::new(end(ours, self.from));
        let refused = |refusal| io::Error::new(io::ErrorKind::ConnectionRefused, refusal);
        Box::pin(async move { taken.map(|()| connection).map_err(refused) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (asn, node, router): (_, IpAddr, IpAddr) = (
        Asn::new(64512),
        "192.168.0.111".parse()?,
        "192.168.0.254".parse()?,
    );
    let receiver = Speaker::builder(asn, "192.168.0.254".parse()?)
        .spawn()
        .await?;
    receiver.add_peer(
        PeerConfig::new(node, asn)
            .passive(true)
            .deliver_updates(true),
    )?;
    let mut events: Events = receiver.events();
    let dialer = To {
        speaker: receiver,
        from: node,
    };
    let sender = Speaker::builder(asn, "192.168.0.111".parse()?)
        .with_dialer(dialer)
        .spawn()
        .await?;
    sender.announce(&Route::new("192.168.10.1/32".parse()?));
    sender.add_peer(PeerConfig::new(router, asn))?;
    while let Some(event) = events.next().await {
        let SpeakerEvent::Session {
            peer,
            event: SessionEvent::Update(update),
        } = event
        else {
            continue;
        };
        for nlri in update
            .check()
            .map_err(|error| error.to_string())?
            .announced()
        {
            println!("{peer} announces {nlri}");
        }
        break;
    }
    Ok(())
}
