//! Replaces TCP with a dialer of its own: two speakers in one process exchange a route without a network.
//!
//! Network namespaces, VRFs, tunnels and tests use the same trait. Usage: `in_memory`

#![expect(clippy::print_stdout, reason = "this program prints its result")]

mod stream;

use std::error::Error;
use std::io;
use std::net::IpAddr;

use bgp_session::{
    Dialer, Dialing, PeerConfig, Route, SessionEvent, Speaker, SpeakerEvent, Transport,
};
use bgp_wire::Asn;
use tokio::io::duplex;

use stream::MemoryStream;

/// Hands every connection to one other speaker.
struct MemoryDialer {
    target: Speaker,
    from: IpAddr,
}

impl Dialer for MemoryDialer {
    fn dial(&self, peer: &PeerConfig) -> Dialing {
        let (ours, theirs) = duplex(64 * 1024);
        let end = |stream, local| MemoryStream { stream, local };
        // `accept` refuses an address that is not a peer's, as a listener does.
        let accepted = self.target.accept(end(theirs, peer.address()), self.from);
        let connection: Box<dyn Transport> = Box::new(end(ours, self.from));
        Box::pin(async move {
            let refused = |refusal| io::Error::new(io::ErrorKind::ConnectionRefused, refusal);
            accepted.map(|()| connection).map_err(refused)
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let asn = Asn::new(64512);
    let node: IpAddr = "192.168.0.111".parse()?;
    let router: IpAddr = "192.168.0.254".parse()?;

    let receiver = Speaker::builder(asn, "192.168.0.254".parse()?)
        .spawn()
        .await?;
    // Events before the first call of `events` are lost, so subscribe before the session can come up.
    let mut events = receiver.events();
    let config = PeerConfig::new(node, asn)
        .with_passive(true)
        .with_deliver_updates(true);
    receiver.add_peer(config)?;

    let sender = Speaker::builder(asn, "192.168.0.111".parse()?)
        .with_dialer(MemoryDialer {
            target: receiver,
            from: node,
        })
        .spawn()
        .await?;
    sender.announce(&Route::new("192.168.10.1/32".parse()?))?;
    sender.add_peer(PeerConfig::new(router, asn))?;

    while let Some(event) = events.next().await {
        let SpeakerEvent::Session {
            peer,
            event: SessionEvent::Update(update),
            ..
        } = event
        else {
            continue;
        };
        for nlri in update.check().announced() {
            println!("{peer} announces {nlri}");
        }
        break;
    }
    Ok(())
}
