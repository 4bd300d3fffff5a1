//! Where a program runs, and as which user.

use std::path::Path;
use std::process::Command;

use crate::command::run_ok;
use crate::namespace::Namespace;
use crate::user::is_root;

/// A place for programs.
#[derive(Clone, Copy, Debug, Default)]
pub enum Place<'a> {
    /// As this process.
    #[default]
    Here,
    /// In a namespace, as root.
    Namespace(&'a Namespace),
    /// Without privileges: as nobody if this process is root, otherwise as this process.
    Unprivileged,
}

impl Place<'_> {
    /// Returns a command that runs `program` here. Its process is the program's own.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        match self {
            Self::Namespace(namespace) => namespace.command(program),
            Self::Unprivileged if is_root() => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
                command.arg(program);
                command
            }
            Self::Here | Self::Unprivileged => Command::new(program),
        }
    }

    /// Gives a file or directory to the user that programs here run as.
    pub fn give(&self, path: &Path) {
        if matches!(self, Self::Unprivileged) && is_root() {
            give(path, "nobody");
        }
    }
}

/// Changes the owner of a file or directory.
pub(crate) fn give(path: &Path, owner: &str) {
    run_ok(Command::new("chown").arg(owner).arg(path));
}
