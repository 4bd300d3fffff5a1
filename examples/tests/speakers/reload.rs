//! `reload` and its file of peers.

use std::error::Error;
use std::io::Write;
use std::process::ChildStdin;

use bgp_session::State;
use speakerd_testkit::ChildGuard;
use tempfile::TempDir;

use crate::program::{Lines, start};
use crate::router::{NODE, ROUTER, Router, in_time};

/// A running `reload` with its file.
struct Reload {
    directory: TempDir,
    input: ChildStdin,
    lines: Lines,
    _child: ChildGuard,
}

impl Reload {
    /// Starts the program with a list of peers.
    fn start(peers: &[&str]) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("peers.json");
        std::fs::write(&file, list(peers))?;
        let path = file.to_str().ok_or("no text")?;
        let program = env!("CARGO_BIN_EXE_reload");
        let (child, input, output) = start(program, &["64512", "192.168.0.111", path]);
        Ok(Self {
            directory,
            input,
            lines: Lines::of(output),
            _child: child,
        })
    }

    /// Replaces the list and has it read again. Returns the next line of output.
    fn read(&mut self, peers: &[&str]) -> Result<String, Box<dyn Error>> {
        std::fs::write(self.directory.path().join("peers.json"), list(peers))?;
        writeln!(self.input)?;
        self.lines.next()
    }
}

/// Returns the text of a file.
fn list(peers: &[&str]) -> String {
    format!("[{}]", peers.join(", "))
}

/// Returns the entry of a router with further settings.
fn entry(router: &Router, more: &str) -> String {
    let (address, port) = (router.address().ip(), router.address().port());
    format!(
        r#"{{"address": "{address}", "remote_as": 64512, "port": {port}, "source_address": "{NODE}"{more}}}"#
    )
}

/// Waits until the session with the program is up. Returns the number of sessions so far.
async fn sessions(router: &Router) -> Result<u64, Box<dyn Error>> {
    let peer = router.speaker.peer(NODE.parse()?).ok_or("no peer")?;
    in_time(peer.wait_for(|status| status.state == State::Established))
        .await
        .ok_or("removed")?;
    Ok(peer.status().statistics.established)
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_applies_only_the_differences() -> Result<(), Box<dyn Error>> {
    let (first, second) = (
        Router::start(ROUTER).await?,
        Router::start("127.0.0.3").await?,
    );
    let mut reload = Reload::start(&[&entry(&first, "")])?;
    assert_eq!(reload.lines.next()?, "127.0.0.2 added");
    sessions(&first).await?;
    let described = entry(&first, r#", "description": "the first""#);
    assert_eq!(
        reload.read(&[&described, &entry(&second, "")])?,
        "127.0.0.2 changed"
    );
    assert_eq!(reload.lines.next()?, "127.0.0.3 added");
    sessions(&second).await?;
    assert_eq!(sessions(&first).await?, 1, "no reset so far");
    let families = r#", "description": "the first", "families": ["ipv4 unicast"]"#;
    assert_eq!(reload.read(&[&entry(&first, families)])?, "127.0.0.2 reset");
    assert_eq!(reload.lines.next()?, "127.0.0.3 removed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_file_changes_nothing() -> Result<(), Box<dyn Error>> {
    let router = Router::start(ROUTER).await?;
    let running = entry(&router, "");
    let mut reload = Reload::start(&[&running])?;
    assert_eq!(reload.lines.next()?, "127.0.0.2 added");
    sessions(&router).await?;
    let changed = entry(&router, r#", "families": ["ipv4 unicast"]"#);
    for (bad, reason) in [
        (
            entry(&router, r#", "describtion": """#),
            "unknown field `describtion`",
        ),
        // The same address, as IPv6 writes it.
        (
            running.replace(ROUTER, "::ffff:127.0.0.2"),
            "duplicate peer 127.0.0.2",
        ),
        (
            running.replace(ROUTER, "0.0.0.0"),
            "address 0.0.0.0 is not the address of a host",
        ),
    ] {
        // The first entry alone would reset the session.
        let answer = reload.read(&[&changed, &bad])?;
        let expected = format!("unchanged: {reason}");
        assert!(answer.starts_with(&expected), "{answer}");
    }
    assert_eq!(reload.read(&[&changed])?, "127.0.0.2 reset");
    Ok(())
}
