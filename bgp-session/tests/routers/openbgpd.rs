//! OpenBGPD.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::run;
use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

const BGPD: &str = "/usr/sbin/bgpd";

pub(crate) static OPENBGPD: Kind = Kind {
    name: "openbgpd",
    programs: &[BGPD, "bgpctl"],
    needs_root: true,
    helps: true,
    gtsm: Gtsm::Both,
    dials_within: Duration::from_secs(3),
    configure,
    is_ready: |directory| ask(directory, &["show", "summary"]).is_some(),
    route: |directory, prefix| {
        let prefix = prefix.to_string();
        let answer = ask(directory, &["-j", "show", "rib", &prefix]);
        let answer = answer.expect("bgpd answers");
        answer.contains(&prefix).then_some(answer)
    },
};

fn configure(setup: &Setup, directory: &Path) -> Command {
    // Its processes lock themselves up there; systemd makes it where there is one.
    std::fs::create_dir_all("/run/openbgpd").unwrap();
    let file = directory.join("bgpd.conf");
    std::fs::write(&file, configuration(setup, directory)).unwrap();
    // It does not read what others may.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = Command::new(BGPD);
    command.arg("-d").arg("-v").arg("-f").arg(file);
    command
}

fn configuration(setup: &Setup, directory: &Path) -> String {
    format!(
        "AS {as_number}
router-id {id}
listen on {theirs}
socket \"{directory}/control\"
fib-update no
connect-retry 1
neighbor {ours} {{
  remote-as {OUR_AS}
  announce IPv4 unicast
  announce IPv6 unicast
{passive}{address}{md5}{gtsm}}}
allow from any
",
        id = setup.theirs_ipv4(),
        ours = setup.ours(),
        theirs = setup.theirs(),
        as_number = setup.their_as(),
        directory = directory.display(),
        // A peer with an local address gets no key on the socket that listens.
        address = when(
            !setup.router_is_passive(),
            &format!("  local-address {}\n", setup.theirs())
        ),
        passive = when(setup.router_is_passive(), "  passive\n"),
        md5 = when(setup.md5, &format!("  tcp md5sig password \"{KEY}\"\n")),
        gtsm = when(setup.gtsm != Gtsm::Off, "  ttl-security yes\n"),
    )
}

fn ask(directory: &Path, words: &[&str]) -> Option<String> {
    let mut bgpctl = Command::new("bgpctl");
    bgpctl.arg("-s").arg(directory.join("control"));
    run(bgpctl.args(words))
}
