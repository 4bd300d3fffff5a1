//! GoBGP.

use std::path::Path;
use std::process::Command;

use crate::command::run;
use crate::needs::Needs;
use crate::process::Process;
use crate::router::{Program, write};

/// gobgpd, with a configuration in TOML, and its client gobgp.
pub static GOBGP: Program = Program {
    name: "gobgp",
    needs: Needs {
        programs: &["gobgpd", "gobgp"],
        root: false,
    },
    owner: None,
    start: |launch, directory| {
        let mut gobgpd = launch.command("gobgpd");
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

fn target(directory: &Path) -> String {
    format!("unix://{}", directory.join("api").display())
}

fn client(directory: &Path, command: &str) -> Option<String> {
    // The client waits for a socket that is not there yet.
    if !directory.join("api").exists() {
        return None;
    }
    let mut gobgp = Command::new("gobgp");
    gobgp.arg("--target").arg(target(directory));
    let output = run(gobgp.args(command.split(' ')));
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(answer)
}
