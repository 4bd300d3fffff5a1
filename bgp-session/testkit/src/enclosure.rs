//! Runs a whole test program again inside one network namespace.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::user::ENCLOSURE;

/// An unnamed network namespace that ends with its last process.
///
/// It needs root only if the kernel forbids user namespaces.
#[derive(Clone, Debug)]
pub struct Enclosure {
    setup: String,
    has_own_processes: bool,
}

impl Enclosure {
    /// Returns an enclosure in which a shell runs `setup` before the program. The first line that fails ends it.
    #[must_use]
    pub fn new(setup: &str) -> Self {
        Self {
            setup: setup.to_owned(),
            has_own_processes: false,
        }
    }

    /// Adds a process namespace, so that all descendants end with the program. Process ids inside then differ from those in `/proc`.
    #[must_use]
    pub fn with_own_processes(self) -> Self {
        Self {
            has_own_processes: true,
            ..self
        }
    }

    /// Returns `true` if this process runs in an enclosure.
    #[must_use]
    pub fn is_inside() -> bool {
        std::env::var_os(ENCLOSURE).is_some()
    }

    /// Runs this program again inside, with the same arguments, and returns its exit code.
    ///
    /// Returns `None` if this machine does not allow a network namespace.
    #[must_use]
    pub fn enter(&self) -> Option<ExitCode> {
        // Real root first: root of a user namespace cannot change to the users of FRR and OpenBGPD.
        let users: [(&[&str], &str); 2] = [(&[], "root"), (&["--user", "--map-root-user"], "user")];
        let (arguments, user) = users
            .into_iter()
            .find(|(arguments, _)| self.is_allowed(arguments))?;
        let program = std::env::current_exe().expect("this program is a file");
        let status = self
            .unshare(arguments)
            .args(["sh", "-c"])
            // `exec` gives the shell's process id to the program. In a process namespace its end then ends all others.
            .arg(format!("set -e\n{}\nexec \"$0\" \"$@\"", self.setup))
            .arg(program)
            .args(std::env::args_os().skip(1))
            .env(ENCLOSURE, user)
            .env("PATH", path())
            .status();
        Some(match status {
            Ok(status) if status.success() => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }

    /// Returns a command that runs its further arguments in new namespaces.
    fn unshare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.arg("--net").args(arguments);
        if self.has_own_processes {
            // A process namespace applies only to children, hence `--fork`. Killing unshare alone would leave the child.
            command.args(["--pid", "--fork", "--kill-child"]);
        }
        command
    }

    /// Returns `true` if the kernel allows these namespaces and their configuration.
    fn is_allowed(&self, arguments: &[&str]) -> bool {
        // Several kernel settings and container rules may forbid it, so only an attempt is reliable.
        let mut probe = self.unshare(arguments);
        let output = probe.args(["ip", "link", "set", "lo", "up"]).output();
        output.is_ok_and(|output| output.status.success())
    }
}

/// Returns `PATH` with the directories in which Debian installs routers.
fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}
