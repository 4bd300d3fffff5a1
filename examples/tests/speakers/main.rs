//! Runs the example programs that talk to a router, against a speaker of this library on loopback.

#![cfg(test)]

use std::error::Error;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use bgp_session::{
    AdjRibIn, DownReason, Events, PeerConfig, Route, SessionEvent, Speaker, SpeakerEvent,
};
use bgp_wire::{Asn, Family};
use speakerd_testkit::ChildGuard;

type Outcome = Result<(), Box<dyn Error>>;

const NODE: &str = "127.0.0.1";
const ROUTER: &str = "127.0.0.2";

/// A router that keeps the routes of one internal peer at 127.0.0.1.
struct Router {
    speaker: Speaker,
    events: Events,
    table: AdjRibIn,
}

impl Router {
    async fn start(on: &str) -> Result<Self, Box<dyn Error>> {
        let speaker = Speaker::builder(Asn::new(64512), "192.168.0.254".parse()?)
            .with_listener(SocketAddr::new(on.parse()?, 0))
            .spawn()
            .await?;
        let events = speaker.events();
        let config = PeerConfig::new(NODE.parse()?, Asn::new(64512))
            .with_passive(true)
            .with_families([Family::IPV4_UNICAST, Family::IPV4_FLOWSPEC])?
            .with_deliver_updates(true);
        speaker.add_peer(config)?;
        Ok(Self {
            speaker,
            events,
            table: AdjRibIn::new(),
        })
    }

    fn address(&self) -> SocketAddr {
        self.speaker.listeners()[0]
    }

    /// Returns the routes with their next hops and communities.
    fn routes(&self) -> Vec<String> {
        let text = |(nlri, route): (bgp_wire::AnyNlriBuf, &bgp_session::ReceivedRoute)| {
            let communities = &route.attributes.communities;
            let communities: Vec<_> = communities.iter().map(ToString::to_string).collect();
            format!("{nlri} via {} {}", route.next_hop, communities.join(" "))
        };
        self.table.routes().map(text).collect()
    }

    /// Applies events until the table is `wanted`.
    async fn wait_for_routes(&mut self, wanted: &[&str]) {
        let change = async {
            while self.routes() != wanted {
                self.next_event().await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(20), change).await;
        assert!(reached.is_ok(), "{:?} instead of {wanted:?}", self.routes());
    }

    /// Applies events until the session ends. Returns the reason.
    async fn wait_for_down(&mut self) -> DownReason {
        let down = async {
            loop {
                if let SessionEvent::Down { reason, .. } = self.next_event().await {
                    return reason;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), down)
            .await
            .expect("in time")
    }

    async fn next_event(&mut self) -> SessionEvent {
        loop {
            let event = self.events.next().await.expect("the speaker runs");
            if let SpeakerEvent::Session { event, .. } = event {
                self.table.apply(&event, |_| {});
                return event;
            }
        }
    }
}

/// Starts a program with pipes to its standard input and from its standard output.
fn start(
    program: &str,
    arguments: &[&str],
) -> (ChildGuard, ChildStdin, Lines<BufReader<ChildStdout>>) {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = ChildGuard::spawn(&mut command);
    let input = child.child().stdin.take().expect("a pipe");
    let output = child.child().stdout.take().expect("a pipe");
    (child, input, BufReader::new(output).lines())
}

#[tokio::test(flavor = "multi_thread")]
async fn drivers_announce_route_and_keep_session() -> Outcome {
    for program in [
        env!("CARGO_BIN_EXE_blocking"),
        env!("CARGO_BIN_EXE_on_smol"),
    ] {
        let mut router = Router::start(ROUTER).await?;
        let address = router.address().to_string();
        let arguments = [
            address.as_str(),
            "64512",
            "192.168.10.1/32",
            "192.168.0.111",
        ];
        let (child, ..) = start(program, &arguments);
        router
            .wait_for_routes(&["192.168.10.1/32 via 192.168.0.111 "])
            .await;
        // The program answers a refresh, and dials again after a reset.
        let peer = router.speaker.peer(NODE.parse()?).ok_or("no peer")?;
        peer.reset("once");
        router.wait_for_down().await;
        router
            .wait_for_routes(&["192.168.10.1/32 via 192.168.0.111 "])
            .await;
        drop(child);
        assert!(
            matches!(router.wait_for_down().await, DownReason::Closed { .. }),
            "{program}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn health_agent_follows_service_and_drains() -> Outcome {
    let mut router = Router::start(ROUTER).await?;
    let service = TcpListener::bind("127.0.0.1:0")?;
    let (address, check) = (router.address().to_string(), service.local_addr()?);
    let check = check.to_string();
    let arguments = [
        ["--router", &address],
        ["--asn", "64512"],
        ["--node", "192.168.0.111"],
        ["--prefix", "192.168.10.1/32"],
        ["--check", &check],
        ["--interval", "20"],
        ["--drain", "200"],
    ];
    let (mut agent, ..) = start(env!("CARGO_BIN_EXE_health"), arguments.as_flattened());
    let announced = "192.168.10.1/32 via 192.168.0.111 ";
    router.wait_for_routes(&[announced]).await;
    drop(service);
    router.wait_for_routes(&[]).await;
    let _service = TcpListener::bind(&check)?;
    router.wait_for_routes(&[announced]).await;
    let ended = std::thread::spawn(move || agent.terminate(Duration::from_secs(20)));
    router
        .wait_for_routes(&[&format!("{announced}graceful-shutdown")])
        .await;
    let reason = router.wait_for_down().await;
    assert_eq!(
        reason.to_string(),
        "the peer sent Cease/Administrative Shutdown (6/2) \"drained\""
    );
    assert!(ended.join().expect("no panic").success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn mitigation_is_announced_and_undone() -> Outcome {
    let mut router = Router::start(ROUTER).await?;
    let address = router.address().to_string();
    let arguments = [address.as_str(), "64512", "192.168.0.111"];
    let (_child, mut input, mut output) = start(env!("CARGO_BIN_EXE_mitigate"), &arguments);
    let rule = "destination 192.0.2.1/32 protocol =udp source-port =53";
    let mut ask = |line: &str| -> Result<String, Box<dyn Error>> {
        writeln!(input, "{line}")?;
        Ok(output.next().ok_or("no answer")??)
    };
    assert_eq!(ask("blackhole 192.0.2.1/32")?, "ok");
    assert_eq!(ask(&format!("drop {rule}"))?, "ok");
    let blackhole = "192.0.2.1/32 via 192.168.0.111 blackhole no-export";
    let drop = format!("{rule} via none ");
    router.wait_for_routes(&[blackhole, &drop]).await;
    assert_eq!(ask("undo blackhole 192.0.2.1/32")?, "ok");
    router.wait_for_routes(&[&drop]).await;
    assert_eq!(
        ask("undo blackhole 192.0.2.1/32")?,
        "error: unknown: blackhole 192.0.2.1/32"
    );
    let error = ask("drop protocol =never")?;
    assert!(error.starts_with("error: "), "{error}");
    std::mem::drop(input);
    let reason = router.wait_for_down().await;
    assert!(
        reason.to_string().ends_with("\"mitigation ends\""),
        "{reason}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_updates_are_read_by_mrt() -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_record"));
    command
        .args(["127.0.0.3:0", "64512", "192.168.0.254", "127.0.0.0/24"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut recorder = ChildGuard::spawn(&mut command);
    let mut log = BufReader::new(recorder.child().stderr.take().ok_or("no pipe")?).lines();
    let listening = log.next().ok_or("no address")??;
    let port = listening
        .trim_end_matches(']')
        .rsplit(':')
        .next()
        .ok_or("no port")?;
    let node = Speaker::builder(Asn::new(64512), "192.168.0.111".parse()?)
        .spawn()
        .await?;
    let config = PeerConfig::new("127.0.0.3".parse()?, Asn::new(64512))
        .with_port(port.parse()?)
        .with_source_address(NODE.parse()?)
        .with_next_hop_ipv4([192, 168, 0, 111].into());
    node.announce(&Route::new("192.168.10.1/32".parse()?))?;
    node.add_peer(config)?;
    let mut recording = recorder.child().stdout.take().ok_or("no pipe")?;
    let mut record = vec![0; 12];
    recording.read_exact(&mut record)?;
    let length = u32::from_be_bytes(*record.last_chunk().ok_or("no length")?);
    let mut body = vec![0; usize::try_from(length)?];
    recording.read_exact(&mut body)?;
    // BGP4MP_ET and BGP4MP_MESSAGE_AS4; then microseconds, both AS numbers, the interface, the AFI and both addresses.
    assert_eq!(record[4..8], [0, 17, 0, 4]);
    assert_eq!(
        body[4..24],
        [
            0, 0, 0xfc, 0, 0, 0, 0xfc, 0, 0, 0, 0, 1, 127, 0, 0, 1, 127, 0, 0, 3
        ]
    );
    record.append(&mut body);
    let (_mrt, mut input, mut output) = start(env!("CARGO_BIN_EXE_mrt"), &[]);
    input.write_all(&record)?;
    drop(input);
    let line = output.next().ok_or("no route")??;
    assert!(line.contains(" + ipv4 unicast 192.168.10.1/32"), "{line}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_applies_only_the_differences() -> Outcome {
    let (first, second) = (
        Router::start(ROUTER).await?,
        Router::start("127.0.0.3").await?,
    );
    let peer = |router: &Router, more: &str| {
        let (address, port) = (router.address().ip(), router.address().port());
        format!(
            r#"{{"address": "{address}", "remote_as": 64512, "port": {port}, "source_address": "{NODE}"{more}}}"#
        )
    };
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("peers.json");
    std::fs::write(&file, format!("[{}]", peer(&first, "")))?;
    let path = file.to_str().ok_or("no text")?;
    let program = env!("CARGO_BIN_EXE_reload");
    let (_child, mut input, mut output) = start(program, &["64512", "192.168.0.111", path]);
    let mut next = || output.next().ok_or("no line");
    assert_eq!(next()??, "127.0.0.2 added");
    let up = async |router: &Router| {
        let peer = router
            .speaker
            .peer(NODE.parse::<IpAddr>()?)
            .ok_or("no peer")?;
        peer.wait_for(|status| status.state == bgp_session::State::Established)
            .await
            .ok_or("removed")?;
        Ok::<_, Box<dyn Error>>(peer.status().statistics.established)
    };
    up(&first).await?;
    let described = peer(&first, r#", "description": "the first""#);
    std::fs::write(&file, format!("[{described}, {}]", peer(&second, "")))?;
    writeln!(input)?;
    assert_eq!(
        [next()??, next()??],
        ["127.0.0.2 changed", "127.0.0.3 added"]
    );
    up(&second).await?;
    // A misspelt name changes nothing.
    let misspelt = peer(&first, r#", "describtion": """#);
    std::fs::write(&file, format!("[{misspelt}]"))?;
    writeln!(input)?;
    let error = next()??;
    assert!(
        error.starts_with("unchanged: unknown field `describtion`"),
        "{error}"
    );
    let families = peer(
        &first,
        r#", "description": "the first", "families": ["ipv4 unicast"]"#,
    );
    std::fs::write(&file, format!("[{families}]"))?;
    assert_eq!(up(&first).await?, 1, "no reset so far");
    writeln!(input)?;
    assert_eq!(
        [next()??, next()??],
        ["127.0.0.2 reset", "127.0.0.3 removed"]
    );
    Ok(())
}
