//! BIRD 2.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::output;
use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static BIRD: Kind = Kind {
    name: "bird",
    programs: &["bird", "birdc"],
    needs_root: false,
    helps: true,
    gtsm: Gtsm::Both,
    dials_within: Duration::from_secs(3),
    configure,
    is_ready: |directory| ask(directory, "show status").is_some(),
    route: |directory, prefix| {
        let answer = ask(directory, &format!("show route {prefix} all"));
        let answer = answer.expect("bird answers");
        answer.contains(&format!("{prefix} ")).then_some(answer)
    },
};

fn configure(setup: &Setup, directory: &Path) -> Command {
    let file = directory.join("bird.conf");
    std::fs::write(&file, configuration(setup)).unwrap();
    let mut command = Command::new("bird");
    command.arg("-f").arg("-c").arg(file);
    command.arg("-s").arg(directory.join("control"));
    command.arg("-P").arg(directory.join("pid"));
    command
}

/// BIRD takes no neighbor on a loopback device for one on its link, so it is said to be one hop away.
fn configuration(setup: &Setup) -> String {
    format!(
        "log stderr all;
router id {id};
protocol device {{ }}
protocol bgp speaker {{
  local {theirs} as {as_number};
  neighbor {ours} as {OUR_AS};
  strict bind yes;
  multihop 1;
  connect delay time 0;
  connect retry time 1;
  error wait time 1, 2;
{passive}{md5}{gtsm}  ipv4 {{ import all; export none; }};
  ipv6 {{ import all; export none; }};
}}
",
        id = setup.theirs_ipv4(),
        ours = setup.ours(),
        theirs = setup.theirs(),
        as_number = setup.their_as(),
        passive = when(setup.router_is_passive(), "  passive yes;\n"),
        md5 = when(setup.md5, &format!("  password \"{KEY}\";\n")),
        gtsm = when(setup.gtsm != Gtsm::Off, "  ttl security yes;\n"),
    )
}

/// What BIRD answers; `None` while it does not listen. To have no such route is a failure for birdc.
fn ask(directory: &Path, command: &str) -> Option<String> {
    let mut birdc = Command::new("birdc");
    birdc.arg("-s").arg(directory.join("control"));
    let (_, answer) = output(birdc.args(command.split(' ')));
    answer.contains("ready.").then_some(answer)
}
