//! One network namespace for a whole test program, which runs itself again inside.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::user::ENCLOSURE;

/// A network namespace without a name, gone with its last process. Needs no root where users may have namespaces.
#[derive(Clone, Debug)]
pub struct Enclosure {
    setup: String,
    has_own_processes: bool,
}

impl Enclosure {
    /// An enclosure in which a shell runs `setup` first. Each line of it must succeed.
    #[must_use]
    pub fn new(setup: &str) -> Self {
        Self {
            setup: setup.to_owned(),
            has_own_processes: false,
        }
    }

    /// Whatever the program starts also ends with it. The process ids inside are then not those of `/proc`.
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

    /// Runs this program again inside, with the same arguments. Returns `None` if no namespace can be made on this machine.
    #[must_use]
    pub fn enter(&self) -> Option<ExitCode> {
        let users: [(&[&str], &str); 2] = [(&[], "root"), (&["--user", "--map-root-user"], "user")];
        let (arguments, user) = users
            .into_iter()
            .find(|(arguments, _)| self.is_allowed(arguments))?;
        let program = std::env::current_exe().expect("this program is a file");
        let status = self
            .unshare(arguments)
            .args(["sh", "-c"])
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

    fn unshare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.arg("--net").args(arguments);
        if self.has_own_processes {
            command.args(["--pid", "--fork", "--kill-child"]);
        }
        command
    }

    fn is_allowed(&self, arguments: &[&str]) -> bool {
        let mut probe = self.unshare(arguments);
        let output = probe.args(["ip", "link", "set", "lo", "up"]).output();
        output.is_ok_and(|output| output.status.success())
    }
}

/// Debian has routers where only root looks for programs.
fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}
