//! Panics of a peer's task, with two speakers in memory and a paused clock.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::task::{Context, Poll};

use bgp_wire::{Family, HoldTime};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::time::{Instant, timeout};

use super::log::recorder::Recorder;
use super::*;
use crate::config::Md5Key;
use crate::fsm::State;
use crate::output::SessionEvent;

/// One end of a connection in memory. A read panics and decrements `fuse` unless it is 0.
struct Fragile {
    stream: DuplexStream,
    local: IpAddr,
    fuse: Arc<AtomicU32>,
}

impl Transport for Fragile {
    fn local_address(&self) -> io::Result<IpAddr> {
        Ok(self.local)
    }

    fn unacknowledged(&self) -> io::Result<usize> {
        Ok(0)
    }

    fn set_md5_key(&self, _: IpAddr, _: Option<&Md5Key>) -> io::Result<()> {
        panic!("a test of a lost command");
    }
}

impl AsyncRead for Fragile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let fuse = self
            .fuse
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        assert!(fuse.is_err(), "a test of the restart");
        Pin::new(&mut self.stream).poll_read(context, to)
    }
}

impl AsyncWrite for Fragile {
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

/// Dials `router`. `fuse` is the number of panics of the connections.
struct FragileDialer {
    router: Speaker,
    fuse: Arc<AtomicU32>,
}

impl Dialer for FragileDialer {
    fn dial(&self, peer: &PeerConfig) -> Dialing {
        let (ours, theirs) = duplex(64 * 1024);
        let end = |stream, local, fuse| Fragile {
            stream,
            local,
            fuse,
        };
        let theirs = end(theirs, peer.address(), Arc::default());
        let taken = self.router.accept(theirs, NODE);
        let ours: Box<dyn Transport> = Box::new(end(ours, NODE, Arc::clone(&self.fuse)));
        Box::pin(async move { taken.map(|()| ours).map_err(io::Error::other) })
    }
}

const NODE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 111));
const ROUTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 254));
const AS: Asn = Asn::new(64512);

struct Pair {
    node: Speaker,
    router: Speaker,
    fuse: Arc<AtomicU32>,
    events: Events,
    /// Short texts of the node's events so far.
    seen: Mutex<Vec<String>>,
}

impl Pair {
    /// Creates a node that dials a router. The node's task panics on the first `panics` connections.
    async fn new(panics: u32) -> Self {
        let builder = |id: &str| Speaker::builder(AS, id.parse().unwrap()).with_seed(7);
        let router = builder("192.168.0.254").spawn().await.unwrap();
        router
            .add_peer(
                PeerConfig::new(NODE, AS)
                    .with_passive(true)
                    .with_deliver_updates(true),
            )
            .unwrap();
        let fuse = Arc::new(AtomicU32::new(panics));
        let dialer = FragileDialer {
            router: router.clone(),
            fuse: Arc::clone(&fuse),
        };
        let node = builder("192.168.0.111").with_dialer(dialer);
        let node = node.spawn().await.unwrap();
        let events = node.events();
        node.add_peer(PeerConfig::new(ROUTER, AS)).unwrap();
        Self {
            node,
            router,
            fuse,
            events,
            seen: Mutex::default(),
        }
    }

    fn peer(&self) -> Peer {
        self.node.peer(ROUTER).unwrap()
    }

    /// Waits until the session has been Established `times` times. Returns the status.
    async fn up(&self, times: u64) -> PeerStatus {
        let peer = self.peer();
        let up = peer.wait_for(|status| {
            status.state == State::Established && status.statistics.established == times
        });
        timeout(Duration::from_secs(600), up)
            .await
            .unwrap()
            .unwrap()
    }

    /// Makes the task panic once more.
    async fn panic(&self) {
        let failures = self.peer().status().failures;
        self.fuse.store(1, Ordering::SeqCst);
        // The task polls its connection in every turn, and any command causes one.
        self.peer().refresh(Family::IPV4_UNICAST).await.ok();
        let peer = self.peer();
        let failed = peer.wait_for(|status| status.failures > failures);
        timeout(Duration::from_secs(600), failed)
            .await
            .unwrap()
            .unwrap();
    }

    /// Collects the texts of events until one is `last`. Omits changes of the session's state.
    #[expect(clippy::wildcard_enum_match_arm, reason = "other events are left out")]
    async fn collect(&mut self, last: &str) -> Vec<String> {
        loop {
            let next = timeout(Duration::from_secs(600), self.events.next());
            let text = match next.await.unwrap().unwrap() {
                SpeakerEvent::PeerAdded { .. } => "added".to_owned(),
                SpeakerEvent::PeerRemoved { reason, .. } => format!("removed: {reason:?}"),
                SpeakerEvent::PeerFailed { error, .. } => format!("failed: {error}"),
                SpeakerEvent::Session {
                    event: SessionEvent::Up { .. },
                    ..
                } => "up".to_owned(),
                SpeakerEvent::Session {
                    event: SessionEvent::Down { .. },
                    ..
                } => "down".to_owned(),
                _ => continue,
            };
            let mut seen = self.seen.lock().unwrap();
            seen.push(text);
            if seen.last().is_some_and(|text| text == last) {
                return std::mem::take(&mut seen);
            }
        }
    }
}

/// Announces and withdraws routes, so that the table has entries to compact.
fn flap(node: &Speaker) {
    for number in 0..10_000_u32 {
        let prefix = ipnet::Ipv4Net::new((0x0a00_0000 + number).into(), 32).unwrap();
        let route = Route::new(IpNet::from(prefix));
        node.announce(&route).unwrap();
        node.withdraw(IpNet::from(prefix)).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn task_that_panics_is_reported_and_restarted() {
    let mut pair = Pair::new(1).await;
    let begun = Instant::now();
    let status = pair.up(1).await;
    let waited = begun.elapsed();
    assert_eq!(status.failures, 1);
    assert_eq!(status.last_error, None);
    // The jitter takes up to a quarter of the first wait of a second.
    let minimum = Duration::from_millis(750);
    assert!(
        minimum <= waited && waited < Duration::from_secs(3),
        "{waited:?}"
    );
    let route = Route::new("192.168.10.1/32".parse::<IpNet>().unwrap());
    let mut received = pair.router.events();
    pair.node.announce(&route).unwrap();
    pair.node.flush().await;
    loop {
        if let SpeakerEvent::Session {
            event: SessionEvent::Update(update),
            ..
        } = received.next().await.unwrap()
        {
            assert_eq!(update.check().announced().count(), 1);
            break;
        }
    }
    let texts = pair.collect("up").await;
    assert_eq!(texts, ["added", "failed: a test of the restart", "up"]);
}

#[tokio::test(start_paused = true)]
async fn panic_in_established_ends_session_and_releases_table_position() {
    let mut pair = Pair::new(0).await;
    pair.up(1).await;
    pair.panic().await;
    let status = pair.peer().status();
    assert_eq!(status.state, State::Idle);
    assert!(status.negotiated.is_none() && status.established_since.is_none());
    let error = status.last_error.unwrap().to_string();
    assert_eq!(error, "the peer's task failed: a test of the restart");
    // A position that was not released would keep every withdrawal.
    flap(&pair.node);
    let positions = lock(&pair.node.shared.rib).ipv4_positions();
    assert!(positions < 10_000, "{positions} positions are in use");
    pair.up(1).await;
    let texts = pair.collect("failed: a test of the restart").await;
    assert_eq!(texts[..3], ["added", "up", "down"]);
}

#[tokio::test(start_paused = true)]
async fn restart_waits_grow_and_reset_after_stable_time() {
    let pair = Pair::new(5).await;
    let begun = Instant::now();
    pair.up(1).await;
    // 1, 2, 4, 8 and 16 s, less the jitter of up to a quarter.
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(31) * 3 / 4, "{waited:?}");
    tokio::time::sleep(Duration::from_secs(61)).await;
    pair.panic().await;
    let begun = Instant::now();
    pair.up(1).await;
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn commands_during_restart_wait_take_effect() {
    let mut pair = Pair::new(0).await;
    pair.up(1).await;
    pair.panic().await;
    let peer = pair.peer();
    peer.drain(true);
    let config = PeerConfig::new(ROUTER, AS).with_hold_time(HoldTime::new(30).unwrap());
    pair.node.update_peer(config).unwrap().apply().unwrap();
    // A flush does not wait for a session that is not up.
    timeout(Duration::from_millis(100), pair.node.flush())
        .await
        .unwrap();
    let mut received = pair.router.events();
    let route = Route::new("192.168.10.1/32".parse::<IpNet>().unwrap());
    pair.node.announce(&route.with_local_pref(100)).unwrap();
    let status = pair.up(1).await;
    assert_eq!(status.negotiated.unwrap().hold_time.seconds(), 30);
    pair.node.flush().await;
    loop {
        if let SpeakerEvent::Session {
            event: SessionEvent::Update(update),
            ..
        } = received.next().await.unwrap()
        {
            // RFC 8326: the LOCAL_PREF of a drained session is 0.
            assert_eq!(update.check().local_pref(), Some(0));
            break;
        }
    }
    pair.panic().await;
    assert!(pair.node.remove_peer(ROUTER).await);
    let texts = pair.collect("removed: Deconfigured").await;
    assert_eq!(texts.len(), 8, "{texts:?}");
}

// The panic occurs while the task handles the update, so that only the registry has the new configuration.
#[tokio::test(start_paused = true)]
async fn update_that_panics_applies_after_restart() {
    let pair = Pair::new(0).await;
    pair.up(1).await;
    let config = PeerConfig::new(ROUTER, AS)
        .with_description("new")
        .with_md5_key(Md5Key::new("secret").unwrap());
    pair.node.update_peer(config).unwrap().apply().unwrap();
    let peer = pair.peer();
    let failed = peer.wait_for(|status| status.failures == 1);
    timeout(Duration::from_secs(600), failed).await.unwrap();
    let status = pair.up(1).await;
    assert_eq!(status.description, "new");
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_task_that_waits_to_restart() {
    let mut pair = Pair::new(u32::MAX).await;
    let peer = pair.peer();
    let failed = peer.wait_for(|status| status.failures == 3);
    timeout(Duration::from_secs(600), failed).await.unwrap();
    let begun = Instant::now();
    pair.node.shutdown(Shutdown::administrative("")).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    let texts = pair.collect("removed: ShutDown").await;
    assert_eq!(texts.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn task_that_waits_to_restart_refuses_connections() {
    let mut pair = Pair::new(0).await;
    pair.up(1).await;
    pair.panic().await;
    let (ours, _theirs) = duplex(1024);
    let connection = Fragile {
        stream: ours,
        local: NODE,
        fuse: Arc::default(),
    };
    pair.node.accept(connection, ROUTER).unwrap();
    let refused = async {
        loop {
            if let SpeakerEvent::ConnectionRefused { remote, reason } =
                pair.events.next().await.unwrap()
            {
                return (remote, reason);
            }
        }
    };
    let (remote, reason) = timeout(Duration::from_secs(600), refused).await.unwrap();
    assert_eq!(remote, ROUTER);
    assert!(matches!(reason, Refusal::PeerFailed), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn log_that_cannot_be_written_ends_no_task() {
    let _guard = tracing::subscriber::set_default(Recorder::panicking());
    let mut pair = Pair::new(0).await;
    assert_eq!(pair.up(1).await.failures, 0);
    pair.peer().reset("once more");
    assert_eq!(pair.up(2).await.failures, 0);
    // The report of a panic is a log line also.
    pair.panic().await;
    assert_eq!(pair.up(1).await.failures, 1);
    let texts = pair.collect("failed: a test of the restart").await;
    let expected = ["added", "up", "down", "up", "down"];
    assert_eq!(texts[..5], expected);
}
