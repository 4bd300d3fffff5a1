//! FRR: bgpd alone, or with zebra for routes in the kernel.

use std::path::Path;
use std::process::Command;

use crate::command::run_ok;
use crate::needs::Needs;
use crate::process::Process;
use crate::router::{Launch, Program, Router, write};
use crate::terminal::{Dialect, Terminal};
use crate::wait::eventually;

const BGPD: &str = "/usr/lib/frr/bgpd";
const ZEBRA: &str = "/usr/lib/frr/zebra";

/// bgpd without zebra, as the user that starts it. It takes every next hop for valid.
pub static FRR: Program = Program {
    name: "frr",
    needs: Needs {
        programs: &[BGPD, "vtysh"],
        root: false,
    },
    owner: None,
    start: |launch, directory| {
        let configuration = &launch.configuration;
        let mut bgpd = daemon(launch, directory, "bgpd", BGPD, configuration);
        bgpd.args(["-S", "-Z", "-n"]);
        listen(&mut bgpd, launch);
        vec![Process::start(bgpd, directory.join("bgpd.log"))]
    },
    probe: "show version",
    ask,
    dialect: Some(&VTY),
};

/// bgpd and zebra, as the user frr.
pub static FRR_WITH_ZEBRA: Program = Program {
    name: "frr with zebra",
    needs: Needs {
        programs: &[BGPD, ZEBRA, "vtysh"],
        root: true,
    },
    owner: Some("frr:frr"),
    start: |launch, directory| {
        let socket = directory.join("zserv.api");
        let mut zebra = daemon(launch, directory, "zebra", ZEBRA, "");
        zebra.arg("-z").arg(&socket);
        let zebra = Process::start(zebra, directory.join("zebra.log"));
        eventually("zebra's socket", || socket.exists().then_some(()));
        let configuration = &launch.configuration;
        let mut bgpd = daemon(launch, directory, "bgpd", BGPD, configuration);
        bgpd.arg("-z").arg(&socket);
        listen(&mut bgpd, launch);
        vec![zebra, Process::start(bgpd, directory.join("bgpd.log"))]
    },
    probe: "show version",
    ask,
    dialect: Some(&VTY),
};

/// A control socket takes a null octet for the end of a command, and ends an answer with three and a status.
static VTY: Dialect = Dialect {
    socket: "bgpd.vty",
    terminator: 0,
    greets: false,
    text: |answer| match answer {
        [text @ .., 0, 0, 0, _status] => Some(text),
        _ => None,
    },
};

fn daemon(
    launch: &Launch<'_>,
    directory: &Path,
    name: &str,
    program: &str,
    configuration: &str,
) -> Command {
    let file = write(directory, &format!("{name}.conf"), configuration);
    let mut command = launch.command(program);
    command.arg("-f").arg(file);
    command.arg("-i").arg(directory.join(format!("{name}.pid")));
    command.arg("--vty_socket").arg(directory);
    command.args(["-A", "127.0.0.1", "-P", "0", "--log", "stdout"]);
    command
}

fn listen(bgpd: &mut Command, launch: &Launch<'_>) {
    bgpd.arg("-p").arg(launch.listen.port().to_string());
    bgpd.arg("-l").arg(launch.listen.ip().to_string());
    bgpd.args(launch.arguments);
}

fn ask(directory: &Path, command: &str) -> Option<String> {
    Terminal::connect(directory, &VTY)?.ask(command)
}

/// Runs commands in one session of vtysh, and returns what it printed.
pub fn vtysh(router: &Router, commands: &[&str]) -> String {
    let mut vtysh = Command::new("vtysh");
    vtysh.arg("--vty_socket").arg(router.directory());
    for command in commands {
        vtysh.args(["-c", command]);
    }
    run_ok(&mut vtysh)
}
