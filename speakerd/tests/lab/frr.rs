//! Debian's FRR: bgpd, and zebra where routes go to the kernel.

use std::path::Path;
use std::process::Command;

use super::namespace::Namespace;
use super::process::{Process, eventually, must, run};

pub(crate) const BGPD: &str = "/usr/lib/frr/bgpd";
pub(crate) const ZEBRA: &str = "/usr/lib/frr/zebra";

/// A running router.
pub(crate) struct Frr<'a> {
    directory: &'a Path,
    _daemons: Vec<Process>,
}

impl<'a> Frr<'a> {
    /// bgpd and zebra in a namespace, with this configuration.
    pub(crate) fn start(namespace: &Namespace, directory: &'a Path, configuration: &str) -> Self {
        must(Command::new("chown").args(["frr:frr"]).arg(directory));
        must(Command::new("chmod").args(["755"]).arg(directory));
        let zebra_socket = directory.join("zserv.api");
        let mut daemons = Vec::new();
        for (name, program) in [("zebra", ZEBRA), ("bgpd", BGPD)] {
            let file = directory.join(format!("{name}.conf"));
            std::fs::write(&file, "").expect("a configuration file");
            must(Command::new("chown").args(["frr:frr"]).arg(&file));
            let mut command = namespace.command(program);
            command
                .arg("-f")
                .arg(&file)
                .arg("-i")
                .arg(directory.join(format!("{name}.pid")));
            command
                .arg("-z")
                .arg(&zebra_socket)
                .arg("--vty_socket")
                .arg(directory);
            command.args(["-A", "127.0.0.1", "-P", "0"]);
            daemons.push(Process::start(
                command,
                directory.join(format!("{name}.log")),
            ));
            wait_for(&directory.join(format!("{name}.vty")));
        }
        let frr = Self {
            directory,
            _daemons: daemons,
        };
        let integrated = directory.join("frr.conf");
        std::fs::write(&integrated, configuration).expect("a configuration file");
        must(vtysh(directory).arg("-f").arg(&integrated));
        frr
    }

    /// bgpd alone, by `command`, which is told where its files are.
    pub(crate) fn start_bgpd(
        mut command: Command,
        directory: &'a Path,
        configuration: &str,
    ) -> Self {
        let file = directory.join("bgpd.conf");
        std::fs::write(&file, configuration).expect("a configuration file");
        command
            .arg("-f")
            .arg(&file)
            .arg("-i")
            .arg(directory.join("bgpd.pid"))
            .arg("--vty_socket")
            .arg(directory);
        let daemons = vec![Process::start(command, directory.join("bgpd.log"))];
        wait_for(&directory.join("bgpd.vty"));
        Self {
            directory,
            _daemons: daemons,
        }
    }

    /// Asks or tells the router; each line is a command.
    pub(crate) fn vty(&self, commands: &[&str]) -> String {
        let mut vtysh = vtysh(self.directory);
        for command in commands {
            vtysh.args(["-c", command]);
        }
        let output = run(&mut vtysh);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The row of the table that begins with this prefix.
    pub(crate) fn row(&self, prefix: &str) -> Option<String> {
        let table = self.vty(&["show bgp ipv4 unicast"]);
        table
            .lines()
            .find(|line| line.get(3..).is_some_and(|rest| rest.starts_with(prefix)))
            .map(str::to_owned)
    }

    /// Waits until the table has exactly this row; FRR takes a moment to choose the best path.
    pub(crate) fn expect_row(&self, row: &str) {
        eventually(&format!("the row {row}"), || {
            let table = self.vty(&["show bgp ipv4 unicast"]);
            table.lines().any(|line| line == row).then_some(())
        });
    }
}

fn vtysh(directory: &Path) -> Command {
    let mut command = Command::new("vtysh");
    command.arg("--vty_socket").arg(directory);
    command
}

fn wait_for(socket: &Path) {
    eventually(&format!("{}", socket.display()), || {
        socket.exists().then_some(())
    });
}
