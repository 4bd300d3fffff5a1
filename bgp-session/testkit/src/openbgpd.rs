//! OpenBGPD.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::command::run;
use crate::needs::Needs;
use crate::process::Process;
use crate::router::{Program, write};

const BGPD: &str = "/usr/sbin/bgpd";

/// bgpd and its client bgpctl. The line of its control socket is added to the configuration.
pub static OPENBGPD: Program = Program {
    name: "openbgpd",
    needs: Needs {
        programs: &[BGPD, "bgpctl"],
        // It insists on users of its own.
        root: true,
    },
    owner: None,
    start: |launch, directory| {
        // Its processes change their root to it. systemd makes it where there is one.
        std::fs::create_dir_all("/run/openbgpd").expect("root may make it");
        let socket = directory.join("control");
        let configuration = format!("socket \"{}\"\n{}", socket.display(), launch.configuration);
        let file = write(directory, "bgpd.conf", &configuration);
        // It does not read a file that others can read.
        let permissions = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&file, permissions).expect("the file is ours");
        let mut bgpd = launch.command(BGPD);
        bgpd.arg("-d").arg("-v").arg("-f").arg(file);
        bgpd.args(launch.arguments);
        vec![Process::start(bgpd, directory.join("log"))]
    },
    probe: "show summary",
    client,
    dialect: None,
};

fn client(directory: &Path, command: &str) -> Option<String> {
    let mut bgpctl = Command::new("bgpctl");
    bgpctl.arg("-s").arg(directory.join("control"));
    let output = run(bgpctl.args(command.split(' ')));
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(answer)
}
