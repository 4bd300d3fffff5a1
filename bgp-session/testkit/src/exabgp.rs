//! ExaBGP. It has no table of what it receives: its process keeps one, in a file.

use std::path::Path;

use crate::needs::Needs;
use crate::process::Process;
use crate::router::{Program, write};

/// ExaBGP. A process named `table` is added to the configuration, for the neighbors to use.
pub static EXABGP: Program = Program {
    name: "exabgp",
    needs: Needs {
        programs: &["exabgp", "/usr/bin/python3"],
        root: false,
    },
    owner: None,
    start: |launch, directory| {
        let program = write(directory, "table.py", include_str!("exabgp_table.py"));
        let configuration = format!(
            "process table {{\n  run /usr/bin/python3 {} {};\n  encoder json;\n}}\n{}",
            program.display(),
            directory.join("table").display(),
            launch.configuration,
        );
        let mut exabgp = launch.command("exabgp");
        exabgp.arg(write(directory, "exabgp.conf", &configuration));
        exabgp
            .env("exabgp.daemon.user", "root")
            .env("exabgp.api.cli", "false")
            .env("exabgp.api.ack", "false");
        exabgp.args(launch.arguments);
        vec![Process::start(exabgp, directory.join("log"))]
    },
    probe: "",
    client,
    dialect: None,
};

fn client(directory: &Path, wanted: &str) -> Option<String> {
    let table = std::fs::read_to_string(directory.join("table")).ok()?;
    let lines = table.split_inclusive('\n');
    Some(lines.filter(|line| line.contains(wanted)).collect())
}
