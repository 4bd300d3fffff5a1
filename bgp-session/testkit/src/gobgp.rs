//! Starts GoBGP.

use std::path::Path;
use std::process::Command;

use crate::command::run;
use crate::needs::Needs;
use crate::process::Process;
use crate::router::{Program, write};

/// gobgpd with a TOML configuration, and its client gobgp.
pub static GOBGP: Program = Program {
    name: "gobgp",
    needs: Needs {
        programs: &["gobgpd", "gobgp"],
        root: false,
    },
    owner: None,
    start: |launch, directory| {
        let mut gobgpd = launch.command("gobgpd");
        // The default ports of pprof (6060) and of the API (50051) allow one gobgpd a machine.
        gobgpd.args(["--pprof-disable", "-t", "toml", "-f"]);
        gobgpd.arg(write(directory, "gobgpd.toml", &launch.configuration));
        gobgpd.arg("--api-hosts").arg(target(directory));
        gobgpd.args(launch.arguments);
        vec![Process::start(gobgpd, directory.join("log"))]
    },
    probe: "global",
    client,
    dialect: None,
};

/// Returns the address of the API, in the notation that gobgpd and gobgp share.
fn target(directory: &Path) -> String {
    format!("unix://{}", directory.join("api").display())
}

/// Runs a command in gobgp. Returns its output, or `None` if it fails.
fn client(directory: &Path, command: &str) -> Option<String> {
    // gobgp would wait for a socket that does not exist yet.
    if !directory.join("api").exists() {
        return None;
    }
    let mut gobgp = Command::new("gobgp");
    gobgp.arg("--target").arg(target(directory));
    let output = run(gobgp.args(command.split(' ')));
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(answer)
}
