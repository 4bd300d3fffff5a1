//! FRR: bgpd alone, without zebra and without a change of the user.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ipnet::IpNet;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

const BGPD: &str = "/usr/lib/frr/bgpd";

pub(crate) static FRR: Kind = Kind {
    name: "frr",
    programs: &[BGPD],
    needs_root: false,
    helps: true,
    gtsm: Gtsm::Both,
    dials_within: Duration::from_secs(3),
    configure,
    is_ready: |directory| ask(directory, "show version").is_some(),
    route,
};

fn configure(setup: &Setup, directory: &Path) -> Command {
    let file = directory.join("bgpd.conf");
    std::fs::write(&file, configuration(setup)).unwrap();
    let mut command = Command::new(BGPD);
    // No next hop is looked up where there is no zebra.
    command.args(["-S", "-Z", "-n", "-A", "127.0.0.1", "-P", "0", "-p", "179"]);
    command.arg("-l").arg(setup.theirs().to_string());
    command
        .arg("-f")
        .arg(file)
        .arg("--vty_socket")
        .arg(directory);
    command.arg("-i").arg(directory.join("bgpd.pid"));
    command.args(["--log", "stdout"]);
    command
}

fn configuration(setup: &Setup) -> String {
    let (ours, theirs) = (setup.ours(), setup.theirs());
    let neighbor = |wanted: bool, what: &str| {
        let line = format!(" neighbor {ours} {what}\n");
        when(wanted, &line).to_owned()
    };
    let lines = [
        neighbor(true, &format!("remote-as {OUR_AS}")),
        neighbor(true, &format!("update-source {theirs}")),
        neighbor(true, "timers connect 1"),
        neighbor(setup.router_is_passive(), "passive"),
        neighbor(setup.md5, &format!("password {KEY}")),
        neighbor(setup.gtsm != Gtsm::Off, "ttl-security hops 1"),
    ];
    format!(
        "router bgp {as_number}
 bgp router-id {id}
 no bgp ebgp-requires-policy
{lines} address-family ipv4 unicast
  neighbor {ours} activate
 exit-address-family
 address-family ipv6 unicast
  neighbor {ours} activate
 exit-address-family
",
        as_number = setup.their_as(),
        id = setup.theirs_ipv4(),
        lines = lines.concat(),
    )
}

fn route(directory: &Path, prefix: IpNet) -> Option<String> {
    let family = if prefix.addr().is_ipv4() {
        "ipv4"
    } else {
        "ipv6"
    };
    let answer = ask(
        directory,
        &format!("show bgp {family} unicast {prefix} json"),
    );
    let answer = answer.expect("bgpd answers");
    answer.contains("\"paths\"").then_some(answer)
}

/// What bgpd answers to a command; `None` while it does not listen. A command ends with a null octet, an answer with three
/// and the status.
fn ask(directory: &Path, command: &str) -> Option<String> {
    let mut socket = UnixStream::connect(directory.join("bgpd.vty")).ok()?;
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    socket.write_all(format!("{command}\0").as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut octets = [0; 4096];
    loop {
        match socket.read(&mut octets).ok()? {
            0 => return None,
            read => answer.extend_from_slice(&octets[..read]),
        }
        if let [text @ .., 0, 0, 0, _status] = answer.as_slice() {
            return Some(String::from_utf8_lossy(text).into_owned());
        }
    }
}
