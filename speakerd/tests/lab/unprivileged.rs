//! FRR and speakerd without privileges, on loopback ports. If the test runs as root, both run as the user `nobody`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use speakerd_testkit::{FRR, Launch, Place, Process, Router, eventually, run_ok};

use super::frr::{expect_row, row};

const PLACE: Place<'_> = Place::Unprivileged;

/// Announces and withdraws a route over a session, with a TCP MD5 key (RFC 2385) if `password` is given.
pub(crate) fn run(password: Option<&str>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path();
    PLACE.give(root);
    // Port 179 needs root. The kernel chooses a free port, which stays free in all likelihood until FRR uses it.
    let port = TcpListener::bind("127.0.0.2:0")
        .and_then(|socket| socket.local_addr())
        .expect("a port")
        .port();
    let key = password
        .map(|password| format!(" neighbor 127.0.0.1 password {password}\n"))
        .unwrap_or_default();
    let configuration = include_str!("pfsense-frr.conf")
        .replace("192.168.0.111", "127.0.0.1")
        .replace(
            " neighbor 127.0.0.1 update-source 192.168.0.254\n",
            &format!(" neighbor 127.0.0.1 passive\n{key}"),
        );
    let launch = Launch::new(configuration, [127, 0, 0, 2].into()).with_port(port);
    let router = Router::start(&FRR, &launch.with_place(PLACE));

    let socket = root.join("speakerd.sock");
    let speakerd = start_speakerd(root, &socket, port, password);
    // LOCAL_PREF 0 and ORIGIN INCOMPLETE are the values that the article's router shows.
    run_ok(speakerctl(&socket).args([
        "announce",
        "192.168.10.1/32",
        "--local-pref",
        "0",
        "--origin",
        "incomplete",
    ]));
    expect_row(
        &router,
        "*>i192.168.10.1/32  192.168.0.111                   0      0 ?",
    );
    run_ok(speakerctl(&socket).args(["withdraw", "192.168.10.1", "--wait"]));
    eventually("no route in the router's table", || {
        row(&router, "192.168.10.1/32").is_none().then_some(())
    });
    assert_eq!(speakerd.terminate(), Some(0));
}

/// Starts speakerd with arguments, or with a file if `password` is given, and waits for its control socket.
fn start_speakerd(root: &Path, socket: &Path, port: u16, password: Option<&str>) -> Process {
    let mut command = PLACE.command(env!("CARGO_BIN_EXE_speakerd"));
    // A key is read only from a file: other users can see the arguments of a process.
    match password {
        Some(password) => command
            .arg("--config")
            .arg(configuration(root, port, password)),
        None => {
            let peer = format!("127.0.0.2:{port}");
            command.args([
                "--local-as",
                "64512",
                "--peer",
                &peer,
                "--pool",
                "192.168.10.0/24",
            ]);
            command.args([
                "--source-address",
                "127.0.0.1",
                "--router-id",
                "192.168.0.111",
            ]);
            // FRR accepts no loopback address as next hop (RFC 4271 section 6.3).
            command.args(["--next-hop", "192.168.0.111"])
        }
    };
    command.arg("--control-socket").arg(socket);
    let speakerd = Process::start(command, root.join("speakerd.log"));
    eventually("the control socket", || socket.exists().then_some(()));
    speakerd
}

/// Writes the configuration with a key to a file and returns its path.
fn configuration(root: &Path, port: u16, password: &str) -> PathBuf {
    let text = format!(
        "local-as = 64512\nrouter-id = \"192.168.0.111\"\n\
         [[peer]]\naddress = \"127.0.0.2\"\nport = {port}\nsource-address = \"127.0.0.1\"\n\
         next-hop-ipv4 = \"192.168.0.111\"\npassword = \"{password}\"\n\
         [[pool]]\nname = \"default\"\naddresses = [\"192.168.10.0/24\"]\n"
    );
    let file = root.join("speakerd.toml");
    std::fs::write(&file, text).expect("a configuration file");
    file
}

/// Returns a speakerctl for the control socket.
fn speakerctl(socket: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_speakerctl"));
    command.arg("--socket").arg(socket);
    command
}
