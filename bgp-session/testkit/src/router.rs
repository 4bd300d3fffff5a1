//! Starts routers of other projects and sends them commands.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::needs::Needs;
use crate::place::{Place, give};
use crate::process::Process;
use crate::terminal::{Dialect, Terminal};
use crate::wait::{eventually, poll};

/// The maximum time for which helper processes of a router may run after it.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(5);

/// A router program.
#[derive(Debug)]
pub struct Program {
    /// The name of the project, in lower case.
    pub name: &'static str,
    /// The programs and privileges that it needs.
    pub needs: Needs,
    /// The owner of its files if it always changes to a user of its own, otherwise `None`.
    pub(crate) owner: Option<&'static str>,
    // Plain functions, so that a program can be a `static`.
    /// Starts the processes, with their files in the directory. The last one is the router itself.
    pub(crate) start: fn(&Launch<'_>, &Path) -> Vec<Process>,
    /// A command that the router answers once it is ready.
    pub(crate) probe: &'static str,
    /// Runs a command in the command-line client. Returns the answer, or `None` if the router gives none.
    pub(crate) client: fn(&Path, &str) -> Option<String>,
    /// The framing of its control socket, or `None` if it has no control socket for text.
    pub(crate) dialect: Option<&'static Dialect>,
}

/// The configuration, address and place with which a router starts.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) configuration: String,
    pub(crate) listen: SocketAddr,
    pub(crate) arguments: &'a [&'a str],
}

impl<'a> Launch<'a> {
    /// Returns a launch with a configuration in the router's own language, on port 179 of `listen`.
    ///
    /// Only FRR reads `listen`, on its command line. For other routers the configuration must also contain the address.
    #[must_use]
    pub fn new(configuration: impl Into<String>, listen: IpAddr) -> Self {
        Self {
            place: Place::Here,
            configuration: configuration.into(),
            listen: SocketAddr::new(listen, 179),
            arguments: &[],
        }
    }

    /// Listens on another port than 179. Port 0 listens nowhere. Only FRR reads it; other routers are configured with a port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.listen.set_port(port);
        self
    }

    /// Runs the router in another namespace or by another user.
    #[must_use]
    pub fn with_place(self, place: Place<'a>) -> Self {
        Self { place, ..self }
    }

    /// Adds arguments to the command line.
    #[must_use]
    pub fn with_arguments(self, arguments: &'a [&'a str]) -> Self {
        Self { arguments, ..self }
    }

    /// Returns a command that runs `program` in the place of this launch.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.place.command(program)
    }
}

/// Writes a file for a router and returns its path.
pub(crate) fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let file = directory.join(name);
    std::fs::write(&file, text).expect("the directory is ours");
    file
}

/// A running router. Dropping the handle ends its processes and removes its files.
#[derive(Debug)]
pub struct Router {
    program: &'static Program,
    processes: Vec<Process>,
    directory: TempDir,
}

impl Router {
    /// Starts a router and waits until it answers. Panics if it exits before, or does not answer within 40 seconds.
    #[must_use]
    pub fn start(program: &'static Program, launch: &Launch<'_>) -> Self {
        let directory = TempDir::with_prefix("speakerd-testkit-").expect("a temporary directory");
        // The daemon creates sockets in the directory after it has changed its user.
        match program.owner {
            Some(owner) => give(directory.path(), owner),
            None => launch.place.give(directory.path()),
        }
        let processes = (program.start)(launch, directory.path());
        let mut router = Self {
            program,
            processes,
            directory,
        };
        eventually("the router answers", || {
            // A router with a bad configuration exits at once: report its output instead of a timeout.
            for process in &mut router.processes {
                let ended = process.has_succeeded();
                assert!(!ended, "the router has ended: {}", process.output());
            }
            router.ask(program.probe)
        });
        router
    }

    /// Returns the program of this router.
    #[must_use]
    pub fn program(&self) -> &'static Program {
        self.program
    }

    /// Returns the directory of its configuration and sockets.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the process id of the router itself, not of a helper such as zebra.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.processes.last().expect("a router has a process").id()
    }

    /// Returns the output of all its processes up to now.
    #[must_use]
    pub fn output(&self) -> String {
        self.processes.iter().map(Process::output).collect()
    }

    /// Returns the answer to a command, or `None` if the router gives none.
    ///
    /// Starts the command-line client only if the router has no control socket for text.
    #[must_use]
    pub fn ask(&self, command: &str) -> Option<String> {
        // Trials poll: a process for each question would take most of the time of the machine.
        match self.program.dialect {
            Some(dialect) => Terminal::connect(self.directory(), dialect)?.ask(command),
            None => self.client(command),
        }
    }

    /// Returns the answer of the command-line client to a command, or `None` if the client gives none.
    ///
    /// ExaBGP has no command that shows routes. Its answer has one line for each received route that contains `command`.
    #[must_use]
    pub fn client(&self, command: &str) -> Option<String> {
        (self.program.client)(self.directory(), command)
    }

    /// Connects to the control socket. Panics if the router has none for text.
    #[must_use]
    pub fn terminal(&self) -> Terminal {
        let dialect = self.program.dialect.expect("it has a control socket");
        eventually("the control socket", || {
            Terminal::connect(self.directory(), dialect)
        })
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        // The processes end first, because they write into the directory.
        self.processes.clear();
        // A helper that notices the end of the router only now may still write a file into the directory.
        let directory = self.directory.path();
        poll(CLEANUP_TIMEOUT, Duration::from_millis(20), || {
            std::fs::remove_dir_all(directory).ok();
            (!directory.exists()).then_some(())
        });
    }
}
