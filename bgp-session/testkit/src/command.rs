//! Programs: where they are, and how they run to their end.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Runs a program to its end without input. Panics if it cannot be started.
pub fn run(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Runs a program to its end, and returns what it printed. Panics if it fails.
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

/// Returns the path of a program. A name without a directory is looked up in `PATH`, and then where Debian has what is for root.
#[must_use]
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories =
        std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    if Path::new(name).is_absolute() {
        return Some(PathBuf::from(name)).filter(|program| program.is_file());
    }
    directories.find_map(|directory| Some(directory.join(name)).filter(|program| program.is_file()))
}
