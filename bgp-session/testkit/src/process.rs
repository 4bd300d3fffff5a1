//! Child processes that end with their handle.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{TIMEOUT, poll};

/// The time between SIGTERM and SIGKILL when a handle is dropped.
const DROP_TIMEOUT: Duration = Duration::from_secs(2);

/// The time between two looks at a process that has been told to end.
const INTERVAL: Duration = Duration::from_millis(5);

/// A child process. Dropping the handle sends SIGTERM, then SIGKILL if the process has not ended after two seconds.
#[derive(Debug)]
pub struct ChildGuard(Child);

impl ChildGuard {
    /// Starts `command`. Panics if that is not possible.
    pub fn spawn(command: &mut Command) -> Self {
        let child = command.spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// The process, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends a signal. Panics if the process has been waited for, as its id may be another's by then.
    pub fn signal(&mut self, signal: Signal) {
        let status = self.exit_status();
        assert!(status.is_none(), "the process has ended: {status:?}");
        kill_process(Pid::from_child(&self.0), signal).expect("it is our child");
    }

    /// Returns the status of a process that has ended, or `None` if it runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("it is our child")
    }

    /// Sends SIGTERM, and SIGKILL if the process has not ended after `timeout`. Returns its status.
    pub fn terminate(&mut self, timeout: Duration) -> ExitStatus {
        self.end(timeout).expect("it is our child")
    }

    /// Sends SIGKILL and waits for the process.
    pub fn kill(&mut self) {
        self.end_now().expect("it is our child");
    }

    fn end(&mut self, timeout: Duration) -> io::Result<ExitStatus> {
        if let Some(status) = self.0.try_wait()? {
            return Ok(status);
        }
        kill_process(Pid::from_child(&self.0), Signal::TERM)?;
        match poll(timeout, INTERVAL, || self.0.try_wait().transpose()) {
            Some(status) => status,
            None => self.end_now(),
        }
    }

    fn end_now(&mut self) -> io::Result<ExitStatus> {
        self.0.kill()?;
        self.0.wait()
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        // A second panic would abort the test program.
        self.end(DROP_TIMEOUT).ok();
    }
}

/// A program in the background whose output is in a file. A test that panics prints the file.
#[derive(Debug)]
pub struct Process {
    child: ChildGuard,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with its output and errors in `log`.
    #[must_use]
    pub fn start(mut command: Command, log: PathBuf) -> Self {
        let output = File::create(&log).expect("the log file is ours");
        let errors = output.try_clone().expect("the log file is ours");
        command.stdin(Stdio::piped()).stdout(output).stderr(errors);
        let child = ChildGuard::spawn(&mut command);
        Self { child, log }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to the standard input of the program.
    pub fn write_line(&mut self, line: &str) {
        let input = self.child.child().stdin.as_mut();
        writeln!(input.expect("it is a pipe"), "{line}").expect("the program reads");
    }

    /// Returns what the program has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Returns `true` if the program has ended with success, `false` if it runs. Panics if it has failed.
    pub fn has_succeeded(&mut self) -> bool {
        let status = self.child.exit_status();
        status.is_some_and(|status| {
            assert!(status.success(), "{status}: {}", self.output());
            true
        })
    }

    /// Sends SIGTERM, and SIGKILL if the program has not ended after [`TIMEOUT`]. Returns its exit code, if it has one.
    pub fn terminate(mut self) -> Option<i32> {
        self.child.terminate(TIMEOUT).code()
    }

    /// Sends SIGKILL and waits for the program.
    pub fn kill(&mut self) {
        self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The last that it prints may be the reason.
        self.child.end(DROP_TIMEOUT).ok();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.output());
        }
    }
}
