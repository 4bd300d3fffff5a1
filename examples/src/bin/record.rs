//! Records received UPDATEs as MRT (RFC 6396), for tools such as bgpdump and the example `mrt`.
//!
//! Usage: `record 0.0.0.0:179 64512 192.168.0.111 192.168.0.0/24 > updates.mrt`; the routers of the prefix may connect.

#![expect(
    clippy::disallowed_methods,
    reason = "a recording has the time of the wall clock"
)]

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bgp_session::{
    ExportPolicy, Negotiated, PeerConfig, ReceivedUpdate, SessionEvent, Speaker, SpeakerEvent,
};
use bgp_wire::Asn;
use bytes::{BufMut, BytesMut};
use ipnet::IpNet;
use tokio::sync::mpsc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [listen, asn, router_id, prefix] = arguments.as_slice() else {
        return Err("usage: record LISTEN AS ROUTER-ID PREFIX > FILE".into());
    };
    let (asn, prefix): (Asn, IpNet) = (asn.parse()?, prefix.parse()?);
    // A receiver of `Speaker::events` may miss UPDATEs. This channel delivers all: while it is full, no router is read.
    let (sender, mut events) = mpsc::channel(1024);
    let speaker = Speaker::builder(asn, router_id.parse()?)
        .with_event_sender(sender)
        .with_listener(listen.parse()?)
        .spawn()
        .await?;
    let template = PeerConfig::new(prefix.addr(), asn)
        .with_deliver_updates(true)
        .with_export(ExportPolicy::only([]));
    speaker.add_dynamic_peers(prefix, template, 1000)?;
    eprintln!("listening on {:?}", speaker.listeners());
    let mut sessions = HashMap::new();
    while let Some(event) = events.recv().await {
        let SpeakerEvent::Session { peer, event, .. } = event else {
            continue;
        };
        if let SessionEvent::Up { negotiated, .. } = event {
            sessions.insert(peer, negotiated);
        } else if let SessionEvent::Update(update) = event
            && let Some(negotiated) = sessions.get(&peer)
        {
            let time = SystemTime::now().duration_since(UNIX_EPOCH)?;
            let record = record(time, peer, negotiated, &update);
            let mut out = io::stdout().lock();
            out.write_all(&record)?;
            out.flush()?;
        }
    }
    Ok(())
}

/// Returns a record of type BGP4MP_ET (RFC 6396 sections 3 and 4.4.2).
fn record(
    time: Duration,
    peer: IpAddr,
    negotiated: &Arc<Negotiated>,
    update: &ReceivedUpdate,
) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_u32(time.subsec_micros());
    let subtype = if negotiated.context.four_octet_as() {
        body.put_u32(negotiated.peer_as.number());
        body.put_u32(negotiated.local_as.number());
        MESSAGE_AS4
    } else {
        body.put_u16(negotiated.peer_as.to_two_octets());
        body.put_u16(negotiated.local_as.to_two_octets());
        MESSAGE
    };
    // The interface index, which is 0 if it is unknown.
    body.put_u16(0);
    match (peer, negotiated.local_address) {
        (IpAddr::V4(peer), IpAddr::V4(local)) => {
            body.put_u16(1);
            body.put_slice(&[peer.octets(), local.octets()].concat());
        }
        (peer, local) => {
            body.put_u16(2);
            body.put_slice(&[octets(peer), octets(local)].concat());
        }
    }
    // The message as it was received, with its header.
    body.put_slice(update.frame().octets());
    let mut record = BytesMut::new();
    // RFC 6396 section 2: the field ends in 2106.
    record.put_u32(u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    record.put_u16(BGP4MP_ET);
    record.put_u16(subtype);
    // A message has at most 65,535 octets.
    record.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    record.unsplit(body);
    record
}

/// Returns an address as 16 octets.
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

const BGP4MP_ET: u16 = 17;
const MESSAGE: u16 = 1;
const MESSAGE_AS4: u16 = 4;
