//! The two programs as their users run them, without a router: exit codes, messages, the control socket, restarts.

#![cfg(test)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use speakerd_testkit::{ChildGuard, eventually};

/// A running speakerd that ends with its handle. Its only router is a port that nobody listens on.
struct Daemon {
    child: ChildGuard,
    directory: PathBuf,
}

impl Daemon {
    fn start(directory: &Path) -> Self {
        Self::start_with(directory, "192.168.10.0/24")
    }

    fn start_with(directory: &Path, pool: &str) -> Self {
        Self::start_logging(directory, pool, Stdio::null())
    }

    /// Starts it with this standard error.
    fn start_logging(directory: &Path, pool: &str, log: Stdio) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_speakerd"));
        command.args([
            "--local-as",
            "64512",
            "--peer",
            "127.0.0.1:1",
            "--pool",
            pool,
        ]);
        command.args(["--pool", "2001:db8::/64"]);
        Self::spawn(directory, command, log)
    }

    /// Runs a command with its state and its control socket in a directory, and its log in `log`.
    fn spawn(directory: &Path, mut command: Command, log: Stdio) -> Self {
        command
            .arg("--state-directory")
            .arg(directory.join("state"));
        command
            .arg("--control-socket")
            .arg(directory.join("socket"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let daemon = Self {
            child: ChildGuard::spawn(&mut command),
            directory: directory.to_owned(),
        };
        daemon.wait();
        daemon
    }

    /// Until the control socket is there.
    fn wait(&self) {
        eventually("the control socket", || {
            UnixStream::connect(self.socket()).ok()
        });
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    fn ctl(&self, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_speakerctl"));
        command
            .arg("--socket")
            .arg(self.socket())
            .args(arguments.split(' '))
            .output()
            .unwrap()
    }

    /// What it prints when it succeeds.
    fn granted(&self, arguments: &str) -> String {
        let output = self.ctl(arguments);
        assert!(output.status.success(), "{arguments}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it says when it is refused.
    fn refused(&self, arguments: &str) -> String {
        let output = self.ctl(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn kill(mut self) {
        self.child.kill();
    }
}

fn speakerd(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_speakerd"));
    let output = command
        .args(arguments)
        .env_remove("SPEAKERD_CONFIG")
        .env_remove("SPEAKERD_SOCKET")
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_wrong_configuration_ends_with_78_before_anything_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("speakerd.toml");
    let socket = directory.path().join("socket");
    let text = "local-as = 64512\n[[peer]]\naddress = \"192.168.0.254\"\n[[pool]]\nname = \"a\"\naddresses = [\"192.168.10.0/33\"]\n";
    std::fs::write(&file, text).unwrap();
    let arguments = [
        "--config",
        file.to_str().unwrap(),
        "--control-socket",
        socket.to_str().unwrap(),
    ];
    let (code, message) = speakerd(&arguments);
    assert_eq!(code, Some(78));
    let place = format!("--> {}:6:14", file.display());
    assert!(
        message.contains(&place) && message.contains("`192.168.10.0/33`"),
        "{message}"
    );
    assert!(message.contains("^^^^^^^^^^^^^^^^^"), "{message}");
    assert!(message.contains("help:"), "{message}");
    assert!(!socket.exists());

    let (code, message) = speakerd(&["check", file.to_str().unwrap()]);
    assert_eq!(code, Some(78), "{message}");
    let (code, message) = speakerd(&["--config", "/nowhere.toml"]);
    assert_eq!(code, Some(78));
    assert!(message.contains("cannot read `/nowhere.toml`"), "{message}");
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [
        &["--local-as", "x", "--peer", "192.168.0.254"][..],
        &["--local-as", "64512"],
        &["--local-as", "64512", "--peer", "router"],
        &[
            "--local-as",
            "64512",
            "--peer",
            "192.168.0.254",
            "--pool",
            "192.168.10.0/33",
        ],
        &["--config", "x", "--local-as", "64512"],
        &[],
    ] {
        let (code, message) = speakerd(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {message}");
    }
}

#[test]
fn what_is_in_the_way_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    std::fs::write(&socket, "a file").unwrap();
    let common = [
        "--local-as",
        "64512",
        "--peer",
        "127.0.0.1:1",
        "--control-socket",
        socket.to_str().unwrap(),
    ];
    let (code, message) = speakerd(&common);
    assert_eq!(code, Some(69));
    assert!(message.contains("it is not a socket"), "{message}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let _holder = std::net::TcpListener::bind(taken).unwrap();
    std::fs::remove_file(&socket).unwrap();
    let (code, message) = speakerd(&[&common[..], &["--listen", &taken.to_string()]].concat());
    assert_eq!(code, Some(69));
    assert!(
        message.contains(&format!("cannot listen on {taken}")),
        "{message}"
    );

    let daemon = Daemon::start(directory.path());
    let (code, message) = speakerd(&common);
    assert_eq!(code, Some(69));
    assert!(message.contains("another speakerd"), "{message}");
    daemon.kill();

    let mut nobody = Command::new(env!("CARGO_BIN_EXE_speakerctl"));
    let output = nobody
        .arg("--socket")
        .arg(&socket)
        .arg("peers")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(69));
}

#[test]
fn orders() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let hand = "announce 192.168.10.128/25 --community no-export --local-pref 7";
    for (order, answer) in [
        (
            "allocate test-lb",
            "test-lb 192.168.10.1 of pool default; announced 192.168.10.1/32\n",
        ),
        (
            "allocate web --address 192.168.10.9",
            "web 192.168.10.9 of pool default; announced 192.168.10.9/32\n",
        ),
        (
            "allocate six --pool pool-2",
            "six 2001:db8:: of pool pool-2; announced 2001:db8::/128\n",
        ),
        (hand, "192.168.10.128/25 announced\n"),
        (hand, "192.168.10.128/25 announced already\n"),
        ("withdraw 192.168.10.77", "192.168.10.77/32 not announced\n"),
        ("release web", "web released; withdrawn 192.168.10.9/32\n"),
    ] {
        assert_eq!(daemon.granted(order), answer, "{order}");
    }
    let routes = daemon.granted("routes");
    let rows: Vec<Vec<_>> = routes
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let expected: [&[&str]; 4] = [
        &[
            "Network",
            "Next",
            "Hop",
            "Metric",
            "LocPrf",
            "Origin",
            "Communities",
            "Source",
        ],
        &["192.168.10.1/32", "self", "100", "i", "lease", "test-lb"],
        &[
            "192.168.10.128/25",
            "self",
            "7",
            "i",
            "no-export",
            "announced",
        ],
        &["2001:db8::/128", "self", "100", "i", "lease", "six"],
    ];
    assert_eq!(rows, expected);
    let peers: Value = serde_json::from_str(&daemon.granted("peers --json")).unwrap();
    assert_eq!(peers[0]["address"], "127.0.0.1");
    assert_ne!(peers[0]["state"], "Established");
}

#[test]
fn repeat_without_wait_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let order = "announce 192.168.10.9";
    for (option, answer) in [(" --wait", "announced"), ("", "announced already")] {
        let printed = daemon.granted(&format!("{order}{option}"));
        assert_eq!(printed, format!("192.168.10.9/32 {answer}\n"));
    }
}

#[test]
fn announced_origin_is_listed() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    for (origin, letter) in [("igp", "i"), ("egp", "e"), ("incomplete", "?")] {
        daemon.granted(&format!("announce 192.168.10.9 --origin {origin}"));
        let routes: Value = serde_json::from_str(&daemon.granted("routes --json")).unwrap();
        assert_eq!(routes[0]["origin"], origin);
        let table = daemon.granted("routes");
        let row: Vec<_> = table.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(row[3], letter, "{row:?}");
    }
}

#[test]
fn leased_route_has_communities_of_pool() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("speakerd.toml");
    let text = r#"local-as = 64512
router-id = "192.168.0.111"
[[peer]]
address = "127.0.0.1"
port = 1
[[pool]]
name = "a"
addresses = ["192.168.10.0/24"]
[[pool.advertisement]]
local-pref = 7
communities = ["64512:1", "no-export", "large:64512:1:2"]
"#;
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_speakerd"));
    command.arg("--config").arg(&file);
    let daemon = Daemon::spawn(directory.path(), command, Stdio::null());
    daemon.granted("allocate web");
    let routes: Value = serde_json::from_str(&daemon.granted("routes --json")).unwrap();
    assert_eq!(routes[0]["local-pref"], 7);
    let communities = json!(["64512:1", "no-export", "64512:1:2"]);
    assert_eq!(routes[0]["communities"], communities);
}

#[test]
fn every_line_of_reply_has_id_of_request() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    daemon.granted("announce 192.168.10.9");
    let mut stream = BufReader::new(UnixStream::connect(daemon.socket()).unwrap());
    // Sent at once, so that a mixed-up reply would have the wrong id.
    let requests = r#"{"id":"a","cmd":"routes"}
{"id":7,"cmd":"release","name":"nobody"}
{"cmd":"allocate","name":"web"}
{"id":[1,{}],"cmd":"dance"}
"#;
    stream.get_mut().write_all(requests.as_bytes()).unwrap();
    let replies: Vec<Value> = stream
        .lines()
        .take(5)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    let ids: Vec<_> = replies.iter().map(|reply| &reply["id"]).collect();
    let expected = [
        json!("a"),
        json!("a"),
        json!(7),
        json!(null),
        json!([1, {}]),
    ];
    assert_eq!(ids, expected.each_ref());
    let granted: Vec<_> = replies.iter().map(|reply| &reply["ok"]).collect();
    assert_eq!(granted, [true, true, false, true, false]);
}

#[test]
fn refusals() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    daemon.granted("allocate test-lb");
    for (order, message) in [
        ("announce 10.0.0.0/8", "192.168.10.0/24"),
        ("withdraw 192.168.10.1", "release the lease instead"),
        ("release nobody", "`nobody` has no lease"),
        ("allocate x --address 192.168.10.255", "avoid-buggy"),
        ("allocate x --address 192.168.10.1", "held by `test-lb`"),
        ("allocate x --pool y", "there is no pool `y`"),
        (
            "announce 192.168.10.3 --next-hop 2001:db8::1",
            "different families",
        ),
    ] {
        let refused = daemon.refused(order);
        assert!(refused.contains(message), "{order}: {refused}");
    }
    let refusal = daemon.ctl("announce 10.0.0.0/8 --json");
    let refusal: Value = serde_json::from_slice(&refusal.stdout).unwrap();
    assert_eq!(refusal["code"], "outside-pools");
}

#[test]
fn announcement_by_hand_goes_before_a_lease() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    daemon.granted("allocate web");
    let leased = daemon.granted("routes");
    daemon.granted("announce 192.168.10.1 --med 5");
    let by_hand = daemon.granted("routes");
    assert_ne!(by_hand, leased);
    assert_eq!(
        daemon.granted("release web"),
        "web released; nothing was withdrawn; 192.168.10.1/32 stays announced for the operator\n"
    );
    assert_eq!(daemon.granted("routes"), by_hand);
    // The address is in use, so the next lease gets another one.
    assert!(
        daemon
            .granted("allocate web")
            .starts_with("web 192.168.10.2 ")
    );
    assert_eq!(
        daemon.refused("allocate other --address 192.168.10.1"),
        "speakerctl: 192.168.10.1 cannot be assigned: it is announced by the operator\n"
    );
    daemon.granted("announce 192.168.10.2 --med 5");
    assert_eq!(
        daemon.granted("withdraw 192.168.10.2"),
        "192.168.10.2/32 withdrawn; 192.168.10.2/32 stays announced for the lease of `web`\n"
    );
}

#[test]
fn acknowledged_is_kept_over_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    daemon.granted("allocate a");
    daemon.granted("allocate b");
    daemon.granted("release a");
    daemon.granted("announce 192.168.10.128/25 --med 5");
    daemon.granted("announce 192.168.10.64/26");
    daemon.granted("withdraw 192.168.10.64/26");
    let before = daemon.granted("routes");
    daemon.kill();
    let daemon = Daemon::start(directory.path());
    assert_eq!(daemon.granted("routes"), before);
    assert_eq!(
        daemon.granted("allocate b"),
        "b 192.168.10.2 (as before) of pool default; announced 192.168.10.2/32\n"
    );
    assert_eq!(
        daemon.granted("allocate c"),
        "c 192.168.10.1 of pool default; announced 192.168.10.1/32\n"
    );
}

/// A configuration that has no place for what was acknowledged does not lose it, and an order can still take it back.
#[test]
fn what_the_configuration_has_no_place_for_sleeps() {
    let directory = tempfile::tempdir().unwrap();
    let (wide, narrow) = ("192.168.10.0/24", "192.168.10.128/25");
    let daemon = Daemon::start_with(directory.path(), wide);
    daemon.granted("allocate gone");
    daemon.granted("allocate kept");
    daemon.granted("announce 192.168.10.5");
    daemon.granted("announce 192.168.10.6");
    daemon.kill();
    let daemon = Daemon::start_with(directory.path(), narrow);
    assert_eq!(daemon.granted("routes --json"), "[]\n");
    daemon.granted("release gone");
    assert_eq!(
        daemon.granted("withdraw 192.168.10.5"),
        "192.168.10.5/32 withdrawn\n"
    );
    daemon.kill();
    let daemon = Daemon::start_with(directory.path(), wide);
    let routes: Value = serde_json::from_str(&daemon.granted("routes --json")).unwrap();
    let prefixes: Vec<_> = routes
        .as_array()
        .unwrap()
        .iter()
        .map(|route| route["prefix"].clone())
        .collect();
    assert_eq!(prefixes, ["192.168.10.2/32", "192.168.10.6/32"]);
}

#[test]
fn bad_requests_get_an_error_and_the_connection_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let mut stream = BufReader::new(UnixStream::connect(daemon.socket()).unwrap());
    let mut ask = |line: &[u8]| -> Value {
        stream.get_mut().write_all(line).unwrap();
        let mut reply = String::new();
        stream.read_line(&mut reply).unwrap();
        serde_json::from_str(&reply).unwrap()
    };
    let bad: [&[u8]; 7] = [
        b"{\n",
        b"\n\r\n  \nhello\n",
        b"{\"cmd\":\"dance\"}\n",
        b"{\"cmd\":\"announce\",\"prefix\":\"192.168.10.1/33\"}\n",
        b"{\"cmd\":\"announce\",\"prefix\":\"192.168.10.1/24\"}\n",
        b"\xff\xfe\x00\n",
        b"[1,2,3]\n",
    ];
    for line in bad {
        let reply = ask(line);
        assert_eq!(
            (&reply["ok"], &reply["error"]["code"]),
            (&json!(false), &json!("bad-request")),
            "{reply}"
        );
        assert!(!reply["error"]["message"].as_str().unwrap().is_empty());
    }
    let reply = ask(b"{\"id\":[7],\"cmd\":\"allocate\",\"name\":\"x\",\"colour\":1}\n");
    assert_eq!(reply["id"], json!([7]));
    let reply = ask(b"{\"v\":1,\"id\":8,\"cmd\":\"allocate\",\"name\":\"x\"}\r\n");
    assert_eq!(
        (&reply["id"], &reply["ok"], &reply["data"]["address"]),
        (&json!(8), &json!(true), &json!("192.168.10.1"))
    );
    let reply = ask(b"{\"cmd\":\"routes\"}\n");
    assert_eq!(reply["item"]["prefix"], "192.168.10.1/32");
    let reply = ask(b"");
    assert_eq!(reply["data"]["count"], 1);

    // A last line without its end is a line.
    let mut once = UnixStream::connect(daemon.socket()).unwrap();
    once.write_all(br#"{"cmd":"peers"}"#).unwrap();
    once.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(BufReader::new(once).lines().count() == 2);

    // A line beyond the limit is refused and ends this connection, not the daemon.
    let reply = ask(&[b'x'; 70_000]);
    assert_eq!(reply["error"]["message"], "a line may have 65536 octets");
    assert!(daemon.granted("routes").contains("lease x"));
}

#[test]
fn more_clients_than_there_is_room_for_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(directory.path());
    let idle: Vec<_> = (0..200)
        .map(|_| UnixStream::connect(daemon.socket()).unwrap())
        .collect();
    let last = idle.last().unwrap().try_clone().unwrap();
    let mut reply = String::new();
    BufReader::new(last).read_line(&mut reply).unwrap();
    let reply: Value = serde_json::from_str(&reply).unwrap();
    assert_eq!(reply["error"]["code"], "busy");
    drop(idle);
    eventually("an answer", || {
        daemon.ctl("routes").status.success().then_some(())
    });
    assert_eq!(daemon.granted("routes --json"), "[]\n");
}

#[test]
fn daemon_whose_log_cannot_be_written_serves_and_ends_in_order() {
    let full = || {
        let (reader, mut writer) = std::io::pipe().unwrap();
        // The capacity of a pipe on Linux: the next octet would block.
        writer.write_all(&[b'.'; 65536]).unwrap();
        (Some(reader), writer)
    };
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        (None, writer)
    };
    for (name, (reader, writer)) in [("full", full()), ("closed", closed())] {
        let directory = tempfile::tempdir().unwrap();
        let mut daemon = Daemon::start_logging(directory.path(), "192.168.10.0/24", writer.into());
        daemon.granted("announce 192.168.10.1/32");
        // The peer's task has logged its failed connection, and has survived it.
        let peers = eventually("a failed connection", || {
            let peers = daemon.granted("peers");
            peers.contains("cannot connect").then_some(peers)
        });
        assert!(peers.contains("Connection refused"), "{name}: {peers}");
        let status = daemon.child.terminate(std::time::Duration::from_secs(10));
        assert!(status.success(), "{name}: {status}");
        drop(reader);
    }
}
