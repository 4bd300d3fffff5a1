//! ExaBGP. It has no table of what it receives: its process keeps one, in a file.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static EXABGP: Kind = Kind {
    name: "exabgp",
    programs: &["exabgp", "python3"],
    needs_root: false,
    helps: false,
    // Its Python has no IP_MINTTL, and it goes on without.
    gtsm: Gtsm::We,
    dials_within: Duration::from_secs(3),
    configure,
    is_ready: |directory| directory.join("table").exists(),
    route: |directory, prefix| {
        let table = std::fs::read_to_string(directory.join("table")).unwrap();
        let wanted = format!("{prefix} ");
        let mut rows = table.lines();
        rows.find(|row| row.starts_with(&wanted)).map(str::to_owned)
    },
};

fn configure(setup: &Setup, directory: &Path) -> Command {
    let program = directory.join("table.py");
    std::fs::write(&program, include_str!("exabgp_table.py")).unwrap();
    let file = directory.join("exabgp.conf");
    std::fs::write(&file, configuration(setup, directory)).unwrap();
    let mut command = Command::new("exabgp");
    command
        .arg(file)
        .env("exabgp.daemon.user", "root")
        .env("exabgp.api.cli", "false")
        .env("exabgp.api.ack", "false");
    command
}

fn configuration(setup: &Setup, directory: &Path) -> String {
    format!(
        "process table {{
  run /usr/bin/python3 {directory}/table.py {directory}/table;
  encoder json;
}}
neighbor {ours} {{
  router-id {id};
  local-address {theirs};
  local-as {as_number};
  peer-as {OUR_AS};
{passive}{md5}{gtsm}  family {{ ipv4 unicast; ipv6 unicast; }}
  api {{
    processes [ table ];
    neighbor-changes;
    receive {{ parsed; update; }}
  }}
}}
",
        id = setup.theirs_ipv4(),
        ours = setup.ours(),
        theirs = setup.theirs(),
        as_number = setup.their_as(),
        directory = directory.display(),
        passive = when(
            setup.router_is_passive(),
            "  passive true;\n  listen 179;\n"
        ),
        md5 = when(setup.md5, &format!("  md5-password '{KEY}';\n")),
        gtsm = when(
            setup.gtsm != Gtsm::Off,
            "  outgoing-ttl 255;\n  incoming-ttl 255;\n"
        ),
    )
}
