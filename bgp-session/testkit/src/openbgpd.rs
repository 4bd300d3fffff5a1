//! Starts OpenBGPD.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::command::run;
use crate::needs::Needs;
use crate::process::Process;
use crate::router::{Program, write};

const BGPD: &str = "/usr/sbin/bgpd";

/// bgpd and its client bgpctl. `start` adds the path of the control socket to the configuration.
pub static OPENBGPD: Program = Program {
    name: "openbgpd",
    needs: Needs {
        programs: &[BGPD, "bgpctl"],
        // Its processes change to a user of its own, which only root may do.
        root: true,
    },
    owner: None,
    start: |launch, directory| {
        // Its processes change their root directory to this one. Without systemd it may not exist yet.
        std::fs::create_dir_all("/run/openbgpd").expect("root may make it");
        let socket = directory.join("control");
        let configuration = format!("socket \"{}\"\n{}", socket.display(), launch.configuration);
        let file = write(directory, "bgpd.conf", &configuration);
        // bgpd refuses a configuration that other users can read, because it may contain keys.
        let permissions = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, permissions).expect("the file is ours");
        let mut bgpd = launch.command(BGPD);
        // -d keeps bgpd in the foreground, so that its process is our child.
        bgpd.arg("-d").arg("-v").arg("-f").arg(file);
        bgpd.args(launch.arguments);
        vec![Process::start(bgpd, directory.join("log"))]
    },
    probe: "show summary",
    client,
    dialect: None,
};

/// Runs a command in bgpctl. Returns its output, or `None` if it fails.
fn client(directory: &Path, command: &str) -> Option<String> {
    let mut bgpctl = Command::new("bgpctl");
    bgpctl.arg("-s").arg(directory.join("control"));
    let output = run(bgpctl.args(command.split(' ')));
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(answer)
}
