//! Starts FRR: bgpd alone, or with zebra, which installs routes in the kernel.

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

/// bgpd without zebra, run by the user that starts it. Without zebra, it treats every next hop as valid.
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
        // -S keeps the user, -Z runs without zebra and -n leaves the kernel's routes alone.
        bgpd.args(["-S", "-Z", "-n"]);
        listen(&mut bgpd, launch);
        vec![Process::start(bgpd, directory.join("bgpd.log"))]
    },
    probe: "show version",
    client,
    dialect: Some(&VTY),
};

/// bgpd and zebra, run by the user frr, with an integrated configuration.
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

/// Starts zebra, then bgpd, and configures both.
fn with_zebra(launch: &Launch<'_>, directory: &Path) -> Vec<Process> {
    let socket = directory.join("zserv.api");
    let mut processes = Vec::new();
    // zebra first, because bgpd connects to its socket.
    for (name, program) in [("zebra", ZEBRA), ("bgpd", BGPD)] {
        let mut command = daemon(launch, directory, name, program, "");
        command.arg("-z").arg(&socket);
        if name == "bgpd" {
            listen(&mut command, launch);
        }
        let log = directory.join(format!("{name}.log"));
        processes.push(Process::start(command, log));
        // vtysh skips a daemon whose socket does not exist, and its lines with it.
        eventually(&format!("{name}'s control socket"), || {
            let exists = directory.join(format!("{name}.vty")).exists();
            exists.then_some(())
        });
    }
    // Only vtysh can split an integrated configuration between the daemons.
    let file = write(directory, "frr.conf", &launch.configuration);
    run_ok(vtysh_in(directory).arg("-f").arg(file));
    processes
}

/// The framing of FRR's control sockets: a null octet ends a command; three null octets and a status end an answer.
static VTY: Dialect = Dialect {
    socket: "bgpd.vty",
    terminator: 0,
    greets: false,
    text: |answer| match answer {
        [text @ .., 0, 0, 0, _status] => Some(text),
        _ => None,
    },
};

/// Returns a command that runs a daemon of FRR with its own files in `directory`.
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
    // Port 0 disables the TCP terminal: its fixed port (2605 for bgpd) allows one daemon a machine.
    command.args(["-A", "127.0.0.1", "-P", "0", "--log", "stdout"]);
    command
}

/// Adds the address of the launch, which bgpd reads only from its command line.
fn listen(bgpd: &mut Command, launch: &Launch<'_>) {
    bgpd.arg("-p").arg(launch.listen.port().to_string());
    bgpd.arg("-l").arg(launch.listen.ip().to_string());
    bgpd.args(launch.arguments);
}

/// Runs a command in vtysh. Returns its output, or `None` if it fails.
fn client(directory: &Path, command: &str) -> Option<String> {
    let output = run(vtysh_in(directory).args(["-c", command]));
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(answer)
}

/// Runs commands in one session of vtysh, and returns their output. Panics if vtysh fails.
pub fn vtysh(router: &Router, commands: &[&str]) -> String {
    let mut vtysh = vtysh_in(router.directory());
    // One session, because `configure terminal` changes the mode for the commands after it.
    for command in commands {
        vtysh.args(["-c", command]);
    }
    run_ok(&mut vtysh)
}

/// Returns a vtysh that uses the control sockets in `directory`.
fn vtysh_in(directory: &Path) -> Command {
    let mut vtysh = Command::new("vtysh");
    vtysh.arg("--vty_socket").arg(directory);
    vtysh
}
