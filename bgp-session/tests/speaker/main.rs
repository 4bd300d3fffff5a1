//! Tests of the driver: speakers that exchange routes over TCP on loopback.

#![cfg(test)]

mod changes;
mod dynamic;
mod events;
mod flush;
mod interrupted;
mod keys;
mod listeners;
mod load;
mod local;
mod refusals;
#[cfg(feature = "serde")]
mod serialized;
mod session;
mod stop;
mod transport;

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bgp_session::{
    Events, Md5Key, Peer, PeerConfig, RetryPolicy, SessionEvent, Speaker, SpeakerEvent, State,
};
use bgp_wire::Asn;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

const NODE: &str = "127.0.0.1";
const ROUTER: &str = "127.0.0.2";

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Returns the configuration of a passive iBGP peer, which dials us.
fn passive(from: &str) -> PeerConfig {
    PeerConfig::new(address(from), Asn::new(64512)).with_passive(true)
}

/// Returns a passive router that delivers UPDATEs, and a node with an Established session to it.
async fn router_and_node() -> (Speaker, Speaker) {
    let router = Speaker::builder(Asn::new(64512), "192.168.0.254".parse().unwrap())
        .with_listener(SocketAddr::new(address(ROUTER), 0))
        .spawn()
        .await
        .unwrap();
    router
        .add_peer(passive(NODE).with_deliver_updates(true))
        .unwrap();
    let node = Speaker::builder(Asn::new(64512), "192.168.0.111".parse().unwrap())
        .spawn()
        .await
        .unwrap();
    let port = router.listeners()[0].port();
    // A loopback address is not a valid next hop (RFC 4271 section 6.3).
    let config = PeerConfig::new(address(ROUTER), Asn::new(64512))
        .with_port(port)
        .with_source_address(address(NODE))
        .with_next_hop_ipv4([192, 168, 0, 111].into());
    let peer = node.add_peer(config).unwrap();
    within(peer.wait_for(|status| status.state == State::Established))
        .await
        .unwrap();
    (router, node)
}

fn key(text: &str) -> Md5Key {
    Md5Key::new(text).unwrap()
}

/// Connects from `from` without a key. Returns `None` if the kernel drops the segments because a key is set.
async fn connect_unsigned(from: &str, listener: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address(from), 0).into()).unwrap();
    let connected = tokio::time::timeout(Duration::from_millis(300), socket.connect(listener));
    connected.await.ok().map(Result::unwrap)
}

/// Polls `future` once. The caller may drop it afterwards, as a timeout does.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// Returns the output of `future`. Panics after 20 seconds.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        // Far above the slowest test on a busy machine, so that only a hang reaches it.
        .expect("in time")
}

/// Starts a speaker that listens on this address.
async fn listening(id: &str, on: &str) -> Speaker {
    Speaker::builder(Asn::new(64512), id.parse().unwrap())
        .with_listener(SocketAddr::new(address(on), 0))
        .spawn()
        .await
        .unwrap()
}

/// Starts a router that sends every event to `events`.
async fn delivering(events: mpsc::Sender<SpeakerEvent>) -> Speaker {
    Speaker::builder(Asn::new(64512), "192.168.0.254".parse().unwrap())
        .with_listener(SocketAddr::new(address(ROUTER), 0))
        .with_event_sender(events)
        .spawn()
        .await
        .unwrap()
}

/// Returns the configuration for dialling the speaker `to` from the address `from`.
fn dialled(from: &str, to: &Speaker) -> PeerConfig {
    let listener = to.listeners()[0];
    PeerConfig::new(listener.ip(), Asn::new(64512))
        .with_port(listener.port())
        .with_source_address(address(from))
        .with_retry(impatient())
}

/// Returns a policy that abandons a connection attempt without an answer after a second.
fn impatient() -> RetryPolicy {
    RetryPolicy::new().with_connect_timeout(Duration::from_secs(1))
}

/// Waits until the session is Established, or returns the error of the first failed attempt.
async fn up_or_not(peer: &Peer) -> Result<(), String> {
    let status =
        peer.wait_for(|status| status.state == State::Established || status.last_error.is_some());
    let status = within(status).await.unwrap();
    match status.last_error {
        Some(error) => Err(error.to_string()),
        None => Ok(()),
    }
}

/// Returns the next event of a session, or `None` after the speaker has ended.
async fn next_session_event(events: &mut Events) -> Option<SessionEvent> {
    loop {
        if let SpeakerEvent::Session { event, .. } = events.next().await? {
            return Some(event);
        }
    }
}

/// Returns the next event of a session from a channel.
async fn receive_session_event(events: &mut mpsc::Receiver<SpeakerEvent>) -> Option<SessionEvent> {
    loop {
        if let SpeakerEvent::Session { event, .. } = events.recv().await? {
            return Some(event);
        }
    }
}

/// Returns the announced and the withdrawn routes of the next UPDATE as text.
async fn next_update(events: &mut Events) -> (String, String) {
    loop {
        let Some(SessionEvent::Update(update)) = next_session_event(events).await else {
            continue;
        };
        let checked = update.check();
        let announced = checked.announced().map(|nlri| {
            let (next_hop, preference) =
                (checked.next_hop().unwrap(), checked.local_pref().unwrap());
            format!(
                "{} via {next_hop} local-pref {preference} {}",
                nlri.prefix,
                checked.origin().unwrap()
            )
        });
        let withdrawn = checked.withdrawn().map(|nlri| nlri.prefix.to_string());
        return (
            announced.collect::<Vec<_>>().join(", "),
            withdrawn.collect::<Vec<_>>().join(", "),
        );
    }
}

async fn count_announced(events: &mut Events, wanted: usize) -> usize {
    let mut announced = 0;
    while announced < wanted {
        let Some(event) = next_session_event(events).await else {
            break;
        };
        if let SessionEvent::Update(update) = event {
            announced += update.check().announced().count();
        }
    }
    announced
}

async fn next_down(events: &mut Events) -> String {
    loop {
        if let Some(SessionEvent::Down { reason, .. }) = next_session_event(events).await {
            return reason.to_string();
        }
    }
}
