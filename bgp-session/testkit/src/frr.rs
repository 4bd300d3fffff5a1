//! FRR: bgpd alone, or with zebra for routes in the kernel.

use std::path::Path;
use std::process::Command;

use crate::command::{run, run_ok};
use crate::needs::Needs;
use crate::process::Process;
use crate::router::{Launch, Program, Router, write};
use crate::terminal::Dialect;
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
    client,
    dialect: Some(&VTY),
};

/// bgpd and zebra, as the user frr, with an integrated configuration.
pub static FRR_WITH_ZEBRA: Program = Program {
    name: "frr with zebra",
    needs: Needs {
        programs: &[BGPD, ZEBRA, "vtysh"],
        root: true,
    },
    owner: Some("frr:frr"),
    start: with_zebra,
    probe: "show version",
    client,
    dialect: Some(&VTY),
};

fn with_zebra(launch: &Launch<'_>, directory: &Path) -> Vec<Process> {
    let socket = directory.join("zserv.api");
    let mut processes = Vec::new();
    for (name, program) in [("zebra", ZEBRA), ("bgpd", BGPD)] {
        let mut command = daemon(launch, directory, name, program, "");
        command.arg("-z").arg(&socket);
        if name == "bgpd" {
            listen(&mut command, launch);
        }
        let log = directory.join(format!("{name}.log"));
        processes.push(Process::start(command, log));
        eventually(&format!("{name}'s control socket"), || {
            let exists = directory.join(format!("{name}.vty")).exists();
            exists.then_some(())
        });
    }
    let file = write(directory, "frr.conf", &launch.configuration);
    run_ok(vtysh_in(directory).arg("-f").arg(file));
    processes
}

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

fn client(directory: &Path, command: &str) -> Option<String> {
    let output = run(vtysh_in(directory).args(["-c", command]));
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(answer)
}

/// Runs commands in one session of vtysh, and returns what it printed.
pub fn vtysh(router: &Router, commands: &[&str]) -> String {
    let mut vtysh = vtysh_in(router.directory());
    for command in commands {
        vtysh.args(["-c", command]);
    }
    run_ok(&mut vtysh)
}

fn vtysh_in(directory: &Path) -> Command {
    let mut vtysh = Command::new("vtysh");
    vtysh.arg("--vty_socket").arg(directory);
    vtysh
}
