//! Starts ExaBGP. It keeps no table of received routes, so a process beside it writes one to a file.

use std::path::Path;

use crate::needs::Needs;
use crate::process::Process;
use crate::router::{Program, write};

/// ExaBGP. `start` adds a process named `table` to the configuration; each neighbor must name it in its `api` section.
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
        // The default is the user `nobody`, which cannot write the table to the directory.
        exabgp
            .env("exabgp.daemon.user", "root")
            // The command-line interface needs named pipes of a system installation.
            .env("exabgp.api.cli", "false")
            // The process reads only JSON, which an acknowledgement is not.
            .env("exabgp.api.ack", "false");
        exabgp.args(launch.arguments);
        vec![Process::start(exabgp, directory.join("log"))]
    },
    // Every line contains the empty text: the probe succeeds once the file exists.
    probe: "",
    client,
    dialect: None,
};

/// Returns the lines of the table that contain `wanted`, or `None` before the table exists.
fn client(directory: &Path, wanted: &str) -> Option<String> {
    let table = std::fs::read_to_string(directory.join("table")).ok()?;
    let rows = table
        .split_inclusive('\n')
        .filter(|row| row.contains(wanted));
    Some(rows.collect())
}
