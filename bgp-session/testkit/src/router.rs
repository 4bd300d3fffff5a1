//! Routers of other projects: a program, how it is launched, and one that runs.

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

/// The time that helper processes of a router may take to end after it.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(5);

/// A router program.
#[derive(Debug)]
pub struct Program {
    /// The name of the project, in lower case.
    pub name: &'static str,
    /// What must be installed.
    pub needs: Needs,
    /// The owner of its files, if it always changes to a user of its own.
    pub(crate) owner: Option<&'static str>,
    /// Starts the processes. The last one is the router, the others run beside it.
    pub(crate) start: fn(&Launch<'_>, &Path) -> Vec<Process>,
    /// A command that is answered once the router is ready.
    pub(crate) probe: &'static str,
    /// Runs a command by the command-line client. Returns its answer, or `None` if there is none.
    pub(crate) client: fn(&Path, &str) -> Option<String>,
    /// The framing of its control socket, if it has one for text.
    pub(crate) dialect: Option<&'static Dialect>,
}

/// The way in which a router is started.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    pub(crate) place: Place<'a>,
    pub(crate) configuration: String,
    pub(crate) listen: SocketAddr,
    pub(crate) arguments: &'a [&'a str],
}

impl<'a> Launch<'a> {
    /// A launch with a configuration in the router's own language. `listen` is its own address: FRR takes that from its command
    /// line, for the others the configuration has it, too.
    #[must_use]
    pub fn new(configuration: impl Into<String>, listen: IpAddr) -> Self {
        Self {
            place: Place::Here,
            configuration: configuration.into(),
            listen: SocketAddr::new(listen, 179),
            arguments: &[],
        }
    }

    /// Listens on another port than 179. Only FRR takes it from here.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.listen.set_port(port);
        self
    }

    /// Runs the router elsewhere.
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

/// Writes a file that a router reads.
pub(crate) fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let file = directory.join(name);
    std::fs::write(&file, text).expect("the directory is ours");
    file
}

/// A running router. Dropping it ends its processes and removes its files.
#[derive(Debug)]
pub struct Router {
    program: &'static Program,
    processes: Vec<Process>,
    directory: TempDir,
}

impl Router {
    /// Starts a router, and returns it when it can be asked. Panics if it ends before.
    #[must_use]
    pub fn start(program: &'static Program, launch: &Launch<'_>) -> Self {
        let directory = TempDir::with_prefix("speakerd-testkit-").expect("a temporary directory");
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
            for process in &mut router.processes {
                let ended = process.has_succeeded();
                assert!(!ended, "the router has ended: {}", process.output());
            }
            router.ask(program.probe)
        });
        router
    }

    /// The program that runs.
    #[must_use]
    pub fn program(&self) -> &'static Program {
        self.program
    }

    /// The directory of its configuration and sockets.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The process id of the router.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.processes.last().expect("a router has a process").id()
    }

    /// Returns what the router has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.processes.iter().map(Process::output).collect()
    }

    /// Returns the answer to a command, or `None` if there is none. Needs no process where the control socket takes text.
    #[must_use]
    pub fn ask(&self, command: &str) -> Option<String> {
        match self.program.dialect {
            Some(dialect) => Terminal::connect(self.directory(), dialect)?.ask(command),
            None => self.client(command),
        }
    }

    /// Returns the answer of the router's command-line client to a command, or `None` if there is none. ExaBGP has no command
    /// that shows routes: the answer is what it received and what contains `command`, a line for each route.
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
        self.processes.clear();
        // A helper of the router notices the end of the router only now, and may write once more.
        let directory = self.directory.path();
        poll(CLEANUP_TIMEOUT, Duration::from_millis(20), || {
            std::fs::remove_dir_all(directory).ok();
            (!directory.exists()).then_some(())
        });
    }
}
