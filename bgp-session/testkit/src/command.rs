//! Finds programs and runs them until they exit.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Runs a program without input until it exits, and returns its output and status. Panics if it cannot be started.
pub fn run(command: &mut Command) -> Output {
    command
        // A client that reads its input would otherwise wait at the terminal that runs the tests.
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs a program until it exits, and returns its standard output. Panics if the program fails or its output is not UTF-8.
pub fn run_ok(command: &mut Command) -> String {
    let output = run(command);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}: {errors}",
        output.status
    );
    String::from_utf8(output.stdout).expect("the output is UTF-8")
}

/// Returns the path of a program, or `None` if it is not installed.
///
/// An absolute path is only checked. A name is looked up in `PATH`, then in `/usr/sbin` and `/sbin`.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian installs daemons in /usr/sbin, which is not in the PATH of an ordinary user.
    let mut directories =
        std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    if Path::new(name).is_absolute() {
        return Some(PathBuf::from(name)).filter(|program| program.is_file());
    }
    directories.find_map(|directory| Some(directory.join(name)).filter(|program| program.is_file()))
}
