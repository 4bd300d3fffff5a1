//! Runs the example programs that talk to a router, against a speaker of this library on loopback.

#![cfg(test)]

mod program;
mod reload;
mod router;

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use bgp_session::{DownReason, PeerConfig, Route, Shutdown, Speaker};
use bgp_wire::{Asn, Family};
use program::{Lines, reader, start};
use router::{NODE, ROUTER, Router};
use speakerd_testkit::{ChildGuard, Signal, TIMEOUT, eventually};

type Outcome = Result<(), Box<dyn Error>>;

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
        peer.refresh(Family::IPV4_UNICAST).await?;
        router.wait_for_announcement().await;
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

#[test]
fn drivers_report_the_error_of_a_dial() -> Outcome {
    for program in [
        env!("CARGO_BIN_EXE_blocking"),
        env!("CARGO_BIN_EXE_on_smol"),
    ] {
        // A port that is bound, so that no other program gets it, and does not listen.
        let closed = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        closed.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        let address = closed.local_addr()?.as_socket().ok_or("no address")?;
        let mut command = Command::new(program);
        command
            .args([
                &address.to_string(),
                "64512",
                "192.168.10.1/32",
                "192.168.0.111",
            ])
            .stderr(Stdio::piped());
        let mut driver = ChildGuard::spawn(&mut command);
        let mut log = Lines::of(driver.child().stderr.take().ok_or("no pipe")?);
        let failed = eventually("the dial fails", || {
            let line = log.next().ok()?;
            line.starts_with("Failed").then_some(line)
        });
        assert!(failed.contains("ConnectionRefused"), "{program}: {failed}");
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
    agent.signal(Signal::TERM);
    router
        .wait_for_routes(&[&format!("{announced}graceful-shutdown")])
        .await;
    let reason = router.wait_for_down().await;
    assert_eq!(
        reason.to_string(),
        "the peer sent Cease/Administrative Shutdown (6/2) \"drained\""
    );
    assert!(agent.wait(TIMEOUT).success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn second_signal_ends_health_agent_without_the_wait() -> Outcome {
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
        // An hour, which the test does not take.
        ["--drain", "3600000"],
    ];
    let (mut agent, ..) = start(env!("CARGO_BIN_EXE_health"), arguments.as_flattened());
    let announced = "192.168.10.1/32 via 192.168.0.111 ";
    router.wait_for_routes(&[announced]).await;
    agent.signal(Signal::INT);
    router
        .wait_for_routes(&[&format!("{announced}graceful-shutdown")])
        .await;
    agent.signal(Signal::TERM);
    router.wait_for_down().await;
    assert!(agent.wait(TIMEOUT).success());
    Ok(())
}

#[test]
fn health_agent_refuses_interval_of_zero() -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_health"))
        .args(["--interval", "0"])
        .output()?;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = String::from_utf8(output.stderr)?;
    assert!(
        error.contains("invalid value '0' for '--interval"),
        "{error}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn mitigation_is_announced_and_undone() -> Outcome {
    let mut router = Router::start(ROUTER).await?;
    let address = router.address().to_string();
    let arguments = [address.as_str(), "64512", "192.168.0.111"];
    let (_child, mut input, output) = start(env!("CARGO_BIN_EXE_mitigate"), &arguments);
    let mut answers = Lines::of(output);
    let rule = "destination 192.0.2.1/32 protocol =udp source-port =53";
    let mut ask = |line: &str| -> Result<String, Box<dyn Error>> {
        writeln!(input, "{line}")?;
        answers.next()
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
async fn mitigation_that_router_does_not_support_is_incomplete() -> Outcome {
    let mut router = Router::start_with(ROUTER, &[Family::IPV4_UNICAST]).await?;
    let address = router.address().to_string();
    let arguments = [address.as_str(), "64512", "192.168.0.111"];
    let (_child, mut input, output) = start(env!("CARGO_BIN_EXE_mitigate"), &arguments);
    let mut answers = Lines::of(output);
    writeln!(input, "blackhole 192.0.2.1/32")?;
    assert_eq!(answers.next()?, "ok");
    let blackhole = "192.0.2.1/32 via 192.168.0.111 blackhole no-export";
    router.wait_for_routes(&[blackhole]).await;
    writeln!(input, "drop destination 192.0.2.1/32")?;
    let withheld = "incomplete: acknowledged; withheld: 1 family not negotiated";
    assert_eq!(answers.next()?, withheld);
    router.speaker.shutdown(Shutdown::administrative("")).await;
    let answer = eventually("the session is lost", || {
        writeln!(input, "blackhole 192.0.2.2/32").ok()?;
        answers.next().ok().filter(|answer| answer != withheld)
    });
    assert_eq!(answer, "incomplete: no session; withheld: none");
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
    let mut log = Lines::of(recorder.child().stderr.take().ok_or("no pipe")?);
    let listening = log.next()?;
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
    let mut records = reader(move || Some(read_record(&mut recording)));
    let (mut record, mut body) = records()??;
    // BGP4MP_ET and BGP4MP_MESSAGE_AS4; then microseconds, both AS numbers, the interface, the AFI and both addresses.
    assert_eq!(record[4..8], [0, 17, 0, 4]);
    assert_eq!(
        body[4..24],
        [
            0, 0, 0xfc, 0, 0, 0, 0xfc, 0, 0, 0, 0, 1, 127, 0, 0, 1, 127, 0, 0, 3
        ]
    );
    record.append(&mut body);
    let (_mrt, mut input, output) = start(env!("CARGO_BIN_EXE_mrt"), &[]);
    input.write_all(&record)?;
    drop(input);
    let line = Lines::of(output).next()?;
    assert!(line.contains(" + ipv4 unicast 192.168.10.1/32"), "{line}");
    Ok(())
}

/// Reads a record of an MRT file: its header of 12 octets, and its body.
fn read_record(recording: &mut impl Read) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut header = vec![0; 12];
    recording.read_exact(&mut header)?;
    let length = u32::from_be_bytes(*header.last_chunk().expect("12 octets"));
    let mut body = vec![0; usize::try_from(length).expect("32 bits")];
    recording.read_exact(&mut body)?;
    Ok((header, body))
}
