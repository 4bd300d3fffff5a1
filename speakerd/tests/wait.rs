//! A reply that was asked to wait, and a router that acknowledges only when the test says so.

#![cfg(test)]

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bgp_session::{State, Transport};
use bgp_wire::{Asn, CapabilityBuf, Family, HoldTime, KEEPALIVE, OpenBuf, RouterId};
use bytes::BytesMut;
use serde_json::{Value, json};
use speakerd::config::Config;
use speakerd::control::{Client, ClientError, Granted};
use speakerd::daemon::Daemon;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::task::JoinHandle;

const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

/// The timeout of every step. A correct daemon needs milliseconds.
const TIMEOUT: Duration = Duration::from_secs(20);

/// More octets than a test sends.
const EVERYTHING: usize = 1 << 20;

/// The acknowledgements of the router's kernel.
#[derive(Default)]
struct Acknowledgements {
    /// The number of octets that are not acknowledged.
    missing: AtomicUsize,
    /// The number of queries of `missing`. Only a flush queries it.
    queries: AtomicUsize,
}

/// A connection in memory.
struct Link {
    stream: DuplexStream,
    acknowledgements: Arc<Acknowledgements>,
}

impl Transport for Link {
    fn local_address(&self) -> io::Result<IpAddr> {
        Ok([127, 0, 0, 1].into())
    }

    fn unacknowledged(&self) -> io::Result<usize> {
        self.acknowledgements.queries.fetch_add(1, Ordering::SeqCst);
        Ok(self.acknowledgements.missing.load(Ordering::SeqCst))
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Starts a daemon whose only router is established and acknowledges everything.
async fn established(directory: &Path) -> (Daemon, Arc<Acknowledgements>) {
    let peers = [ROUTER.to_string().parse().unwrap()];
    let pools = ["192.168.10.0/24".parse().unwrap()];
    let mut config = Config::from_arguments(Asn::new(64512), &peers, &pools).unwrap();
    config.router_id = RouterId::new(192, 168, 0, 111);
    config.control_socket = Some(directory.join("socket"));
    config.state_directory = Some(directory.join("state"));
    // The only connection is the one below.
    config.peers[0].passive = true;
    let (daemon, _) = Daemon::start(&config).await.unwrap();
    let (stream, router) = tokio::io::duplex(1 << 16);
    let acknowledgements = Arc::new(Acknowledgements::default());
    let link = Link {
        stream,
        acknowledgements: Arc::clone(&acknowledgements),
    };
    daemon.speaker().accept(link, ROUTER).unwrap();
    tokio::spawn(run_router(router));
    let peer = daemon.speaker().peer(ROUTER).unwrap();
    until("the session", || peer.status().state == State::Established).await;
    (daemon, acknowledgements)
}

/// Opens the session and discards what the daemon sends.
async fn run_router(mut stream: DuplexStream) -> io::Result<()> {
    let open = OpenBuf {
        asn: Asn::new(64512),
        hold_time: HoldTime::new(0).unwrap(),
        router_id: RouterId::new(192, 168, 0, 254).unwrap(),
        capabilities: vec![CapabilityBuf::Multiprotocol(Family::IPV4_UNICAST)],
    };
    let mut octets = BytesMut::new();
    open.encode(&mut octets).unwrap();
    octets.extend_from_slice(&KEEPALIVE);
    stream.write_all(&octets).await?;
    let mut received = [0; 4096];
    while stream.read(&mut received).await? > 0 {}
    Ok(())
}

/// Polls `condition` until it is true. Panics after [`TIMEOUT`].
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let polling = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let result = tokio::time::timeout(TIMEOUT, polling).await;
    assert!(result.is_ok(), "not within {TIMEOUT:?}: {what}");
}

/// Sends a request on a connection of its own. The task ends with the reply.
fn ask(daemon: &Daemon, request: Value) -> JoinHandle<Result<Granted, ClientError>> {
    let socket = daemon.control_socket().to_owned();
    tokio::task::spawn_blocking(move || {
        let request = serde_json::from_value(request).unwrap();
        Client::connect(&socket).unwrap().request(&request)
    })
}

async fn granted(reply: JoinHandle<Result<Granted, ClientError>>) {
    let reply = tokio::time::timeout(TIMEOUT, reply).await;
    reply.expect("a reply").unwrap().unwrap();
}

/// Returns a request of each kind that changes routes, with its opposite after it.
fn changes() -> [Value; 4] {
    [
        json!({"cmd": "announce", "routes": [{"prefix": "192.168.10.9/32"}]}),
        json!({"cmd": "withdraw", "prefixes": ["192.168.10.9/32"]}),
        json!({"cmd": "allocate", "leases": [{"name": "web"}]}),
        json!({"cmd": "release", "names": ["web"]}),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn reply_with_wait_comes_after_acknowledgement() {
    let directory = tempfile::tempdir().unwrap();
    let (daemon, acknowledgements) = established(directory.path()).await;
    let Acknowledgements { missing, queries } = &*acknowledgements;
    for mut request in changes() {
        request["wait"] = json!(true);
        missing.store(EVERYTHING, Ordering::SeqCst);
        let before = queries.load(Ordering::SeqCst);
        let reply = ask(&daemon, request.clone());
        // Several queries, because the first might be the last one before a premature reply.
        let waits = || queries.load(Ordering::SeqCst) > before + 5;
        until("a flush or a reply", || waits() || reply.is_finished()).await;
        assert!(!reply.is_finished(), "{request} did not wait");
        missing.store(0, Ordering::SeqCst);
        granted(reply).await;
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reply_without_wait_comes_before_acknowledgement() {
    let directory = tempfile::tempdir().unwrap();
    let (daemon, acknowledgements) = established(directory.path()).await;
    acknowledgements.missing.store(EVERYTHING, Ordering::SeqCst);
    for request in changes() {
        granted(ask(&daemon, request)).await;
    }
    daemon.stop().await;
}
