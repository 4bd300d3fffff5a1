//! The events of peers, connections and listeners.

use std::pin::pin;
use std::process::Command;

use bgp_session::{Events, Refusal, SessionEvent, Shutdown, Speaker, SpeakerEvent, State};
use bgp_wire::Asn;
use futures_util::StreamExt;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

use crate::{NODE, ROUTER, address, delivering, dialled, listening, passive, poll_once, within};

/// The error number for too many open files.
const EMFILE: i32 = 24;

/// Returns a short text of an event, or `None` for an event of a session other than its end.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an event of any other kind, also a new one, is a failure"
)]
fn describe(event: &SpeakerEvent) -> Option<String> {
    Some(match event {
        SpeakerEvent::PeerAdded {
            peer, prefix: None, ..
        } => format!("{peer} added"),
        SpeakerEvent::PeerAdded {
            peer,
            prefix: Some(prefix),
            ..
        } => format!("{peer} of {prefix} added"),
        SpeakerEvent::PeerRemoved { peer, reason, .. } => format!("{peer} removed: {reason:?}"),
        SpeakerEvent::Session {
            peer,
            event: SessionEvent::Down { .. },
            ..
        } => format!("{peer} down"),
        SpeakerEvent::Session { .. } => return None,
        SpeakerEvent::ConnectionRefused { remote, reason, .. } => {
            format!("{remote} refused: {reason}")
        }
        other => panic!("{other:?}"),
    })
}

/// Collects the texts of events until one is `last`.
async fn collect(events: &mut Events, last: &str) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.last().is_none_or(|text| text != last) {
        texts.extend(describe(&within(events.next()).await.unwrap()));
    }
    texts
}

async fn established(router: &Speaker, peer: &str) {
    let peer = router.peer(address(peer)).unwrap();
    let up = peer.wait_for(|status| status.state == State::Established);
    within(up).await.unwrap();
}

// The channel is read only after the removal, so that it holds all events at once.
#[tokio::test]
async fn events_of_peer_begin_with_added_and_end_with_removed() {
    let (sender, mut channel) = mpsc::channel(1000);
    let router = delivering(sender).await;
    let mut events = router.events();
    router.add_peer(passive(NODE)).unwrap();
    let node = listening("192.168.0.111", NODE).await;
    node.add_peer(dialled(NODE, &router)).unwrap();
    established(&router, NODE).await;
    assert!(within(router.remove_peer(address(NODE))).await);
    let expected = [
        "127.0.0.1 added",
        "127.0.0.1 down",
        "127.0.0.1 removed: Deconfigured",
    ];
    assert_eq!(collect(&mut events, expected[2]).await, expected);
    within(router.shutdown(Shutdown::administrative(""))).await;
    drop(router);
    let mut delivered = Vec::new();
    while let Some(event) = within(channel.recv()).await {
        delivered.extend(describe(&event));
    }
    assert_eq!(delivered, expected);
}

// The full channel keeps the task of the removed peer waiting while its successor starts.
#[tokio::test]
async fn events_of_successor_follow_those_of_removed_peer() {
    let (sender, mut channel) = mpsc::channel(1);
    let router = delivering(sender).await;
    router.add_peer(passive(NODE)).unwrap();
    let mut removal = pin!(router.remove_peer(address(NODE)));
    assert!(poll_once(removal.as_mut()).await.is_pending());
    router.add_peer(passive(NODE)).unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let mut texts = Vec::new();
    while texts.len() < 3 {
        texts.extend(describe(&within(channel.recv()).await.unwrap()));
    }
    let expected = [
        "127.0.0.1 added",
        "127.0.0.1 removed: Deconfigured",
        "127.0.0.1 added",
    ];
    assert_eq!(texts, expected);
}

#[tokio::test]
async fn dynamic_peers_are_added_and_removed() {
    let router = listening("192.168.0.254", ROUTER).await;
    let mut events = router.events();
    let prefix = "127.9.0.0/16".parse().unwrap();
    let template = passive("127.9.0.0");
    router.add_dynamic_peers(prefix, template, 1).unwrap();
    let come_up = async |from: &str| {
        let node = listening("192.168.0.111", from).await;
        node.add_peer(dialled(from, &router)).unwrap();
        while router.peer(address(from)).is_none() {
            tokio::task::yield_now().await;
        }
        established(&router, from).await;
        node
    };
    let first = come_up("127.9.0.1").await;
    within(first.shutdown(Shutdown::administrative(""))).await;
    let texts = collect(&mut events, "127.9.0.1 removed: SessionEnded").await;
    assert_eq!(
        texts[..2],
        ["127.9.0.1 of 127.9.0.0/16 added", "127.9.0.1 down"]
    );
    let _second = come_up("127.9.0.2").await;
    assert!(within(router.remove_dynamic_peers(prefix)).await);
    let texts = collect(&mut events, "127.9.0.2 removed: Deconfigured").await;
    assert_eq!(
        texts[..2],
        ["127.9.0.2 of 127.9.0.0/16 added", "127.9.0.2 down"]
    );
}

async fn connect(from: &str, router: &Speaker) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address(from), 0).into()).unwrap();
    within(socket.connect(router.listeners()[0])).await.unwrap()
}

async fn next_refusal(events: &mut Events) -> (String, Refusal) {
    loop {
        if let SpeakerEvent::ConnectionRefused { remote, reason, .. } =
            within(events.next()).await.unwrap()
        {
            return (remote.to_string(), reason);
        }
    }
}

#[tokio::test]
async fn refused_connections_are_reported_with_reason() {
    let router = listening("192.168.0.254", ROUTER).await;
    let mut events = router.events();
    let prefix = "127.9.0.0/16".parse().unwrap();
    let template = passive("127.9.0.0");
    router.add_dynamic_peers(prefix, template, 0).unwrap();
    router.add_peer(passive(NODE)).unwrap();

    let _stranger = connect("127.0.0.9", &router).await;
    let (remote, reason) = next_refusal(&mut events).await;
    assert!(matches!(reason, Refusal::UnknownPeer), "{reason}");
    assert_eq!(remote, "127.0.0.9");

    // A listener reports at most ten refusals per second.
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    let _dynamic = connect("127.9.0.1", &router).await;
    let (_, reason) = next_refusal(&mut events).await;
    assert!(matches!(reason, Refusal::LimitReached(it) if it == prefix));

    // A session has at most two connections.
    let mut connections = Vec::new();
    for _ in 0..2 {
        let mut connection = connect(NODE, &router).await;
        within(connection.read_exact(&mut [0; 19])).await.unwrap();
        connections.push(connection);
    }
    let _third = connect(NODE, &router).await;
    let (remote, reason) = next_refusal(&mut events).await;
    assert!(matches!(reason, Refusal::NotAccepted), "{reason}");
    assert_eq!(remote, NODE);
}

/// Unknown hosts that connect all the time do not displace the events of sessions.
#[tokio::test]
async fn flood_of_refused_connections_is_reported_in_part() {
    let router = listening("192.168.0.254", ROUTER).await;
    let mut events = router.events();
    let begun = tokio::time::Instant::now();
    for _ in 0..200 {
        let mut stranger = connect("127.0.0.9", &router).await;
        within(stranger.read_to_end(&mut Vec::new())).await.ok();
    }
    // One report at once, and at most one in each interval of 100 ms.
    let maximum = 1 + begun.elapsed().as_millis() / 100;
    router.add_peer(passive(NODE)).unwrap();
    let texts = collect(&mut events, "127.0.0.1 added").await;
    assert!(
        u128::try_from(texts.len() - 1).unwrap() <= maximum,
        "{texts:?}"
    );
    assert!(texts.len() > 1);
}

/// Runs the next test in its own process with a limit of 64 open files.
#[test]
fn listener_without_descriptors_fails_and_recovers() {
    let program = std::env::current_exe().unwrap();
    let test = "events::listener_in_process_without_descriptors";
    let output = Command::new("sh")
        .args(["-c", r#"ulimit -n 64 && exec "$@""#, "sh"])
        .arg(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("1 passed"), "{text}");
}

#[tokio::test]
#[ignore = "uses up the descriptors of the process; the test above runs it"]
async fn listener_in_process_without_descriptors() {
    let router = listening("192.168.0.254", ROUTER).await;
    let mut events = router.events();
    let listener = router.listeners()[0];
    let socket = TcpSocket::new_v4().unwrap();
    let mut files = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        files.push(file);
    }
    let _stranger = within(socket.connect(listener)).await.unwrap();
    let failed = within(events.next()).await.unwrap();
    let SpeakerEvent::ListenerFailed { address, error, .. } = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(address, listener);
    assert_eq!(error.raw_os_error(), Some(EMFILE));
    drop(files);
    let recovered = within(events.next()).await.unwrap();
    let SpeakerEvent::ListenerRecovered { address, .. } = recovered else {
        panic!("{recovered:?}")
    };
    assert_eq!(address, listener);
}

#[tokio::test]
async fn dropped_speaker_removes_its_peers() {
    let builder = Speaker::builder(Asn::new(64512), "192.168.0.254".parse().unwrap());
    let speaker = builder.spawn().await.unwrap();
    let mut events = speaker.events();
    let peer = speaker.add_peer(passive(NODE)).unwrap();
    within(peer.wait_for(|status| status.state == State::Active))
        .await
        .unwrap();
    drop((speaker, peer));
    let texts = collect(&mut events, "127.0.0.1 removed: ShutDown").await;
    assert_eq!(texts.len(), 2);
    assert!(within(events.next()).await.is_none());
}

#[tokio::test]
async fn stream_yields_the_events_in_order_and_ends_with_the_speaker() {
    let router = listening("192.168.0.254", ROUTER).await;
    let mut dropped = pin!(router.events().into_future());
    // A dropped future loses no event: the next one returns it.
    assert!(poll_once(dropped.as_mut()).await.is_pending());
    let mut events = router.events();
    {
        let mut next = pin!(events.next());
        assert!(poll_once(next.as_mut()).await.is_pending());
    }
    router.add_peer(passive(NODE)).unwrap();
    assert!(within(router.remove_peer(address(NODE))).await);
    within(router.shutdown(Shutdown::administrative(""))).await;
    drop(router);
    let all = events.filter_map(|event| std::future::ready(describe(&event)));
    let texts: Vec<_> = within(all.collect()).await;
    let expected = ["127.0.0.1 added", "127.0.0.1 removed: Deconfigured"];
    assert_eq!(texts, expected);
    let (first, _) = within(dropped).await;
    assert_eq!(describe(&first.unwrap()).as_deref(), Some(expected[0]));
}
