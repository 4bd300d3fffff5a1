//! The namespace in which a program runs, and its user.

use std::path::Path;
use std::process::Command;

use crate::command::run_ok;
use crate::namespace::Namespace;
use crate::user::is_root;

/// The namespace and the user of a program.
#[derive(Clone, Copy, Debug, Default)]
pub enum Place<'a> {
    /// The namespace and the user of this process.
    #[default]
    Here,
    /// A named namespace, with the user root.
    Namespace(&'a Namespace),
    /// No privileges: the user `nobody` if this process is root, otherwise the user of this process.
    Unprivileged,
}

impl Place<'_> {
    /// Returns a command that runs `program` in this place. A signal to its process id reaches the program itself.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        match self {
            Self::Namespace(namespace) => namespace.command(program),
            Self::Unprivileged if is_root() => {
                // setpriv replaces itself by the program; su and runuser would stay as its parent.
                let mut command = Command::new("setpriv");
                // The groups of root would keep some of its access rights.
                command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
                command.arg(program);
                command
            }
            Self::Here | Self::Unprivileged => Command::new(program),
        }
    }

    /// Changes the owner of a file or directory to the user of programs in this place. Panics if that fails.
    pub fn give(&self, path: &Path) {
        // In every other case the user does not change, so the owner is already right.
        if matches!(self, Self::Unprivileged) && is_root() {
            give(path, "nobody");
        }
    }
}

/// Changes the owner of a file or directory. `owner` is a user or `user:group`, as chown(1) accepts it.
pub(crate) fn give(path: &Path, owner: &str) {
    run_ok(Command::new("chown").arg(owner).arg(path));
}
