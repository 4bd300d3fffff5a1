//! Starts child processes that end with their handle.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{TIMEOUT, poll};

/// The maximum time between SIGTERM and SIGKILL when a handle is dropped.
const DROP_TIMEOUT: Duration = Duration::from_secs(2);

/// The interval at which the status of a process is polled after SIGTERM.
const INTERVAL: Duration = Duration::from_millis(5);

/// A child process. Dropping the handle sends SIGTERM, then SIGKILL if the process has not ended after two seconds.
#[derive(Debug)]
pub struct ChildGuard(Child);

impl ChildGuard {
    /// Starts `command`. Panics if it cannot be started.
    pub fn spawn(command: &mut Command) -> Self {
        let child = command.spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Returns the child process, for example to use its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Returns the process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends a signal. Panics if the process has ended.
    pub fn signal(&mut self, signal: Signal) {
        // The kernel reuses the id of a process that has been waited for: the signal could hit another process.
        let status = self.exit_status();
        assert!(status.is_none(), "the process has ended: {status:?}");
        kill_process(Pid::from_child(&self.0), signal).expect("it is our child");
    }

    /// Returns the exit status, or `None` if the process still runs.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("it is our child")
    }

    /// Waits until the process ends. Returns its exit status. Panics if the process still runs after `timeout`.
    pub fn wait(&mut self, timeout: Duration) -> ExitStatus {
        let status = poll(timeout, INTERVAL, || self.exit_status());
        status.unwrap_or_else(|| panic!("the process still runs after {timeout:?}"))
    }

    /// Sends SIGTERM, then SIGKILL if the process still runs after `timeout`. Returns its exit status.
    pub fn terminate(&mut self, timeout: Duration) -> ExitStatus {
        self.end(timeout).expect("it is our child")
    }

    /// Sends SIGKILL and waits until the process has ended.
    pub fn kill(&mut self) {
        self.end_now().expect("it is our child");
    }

    /// Sends SIGTERM, then SIGKILL after `timeout`. Unlike `terminate`, returns errors, so that `drop` can ignore them.
    fn end(&mut self, timeout: Duration) -> io::Result<ExitStatus> {
        if let Some(status) = self.0.try_wait()? {
            return Ok(status);
        }
        // SIGTERM first, so that a router can end its helper processes.
        kill_process(Pid::from_child(&self.0), Signal::TERM)?;
        match poll(timeout, INTERVAL, || self.0.try_wait().transpose()) {
            Some(status) => status,
            None => self.end_now(),
        }
    }

    /// Sends SIGKILL and waits for the status.
    fn end_now(&mut self) -> io::Result<ExitStatus> {
        self.0.kill()?;
        // The process is a zombie until it is waited for.
        self.0.wait()
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        // Errors are ignored: a panic during a panic would abort the test program.
        self.end(DROP_TIMEOUT).ok();
    }
}

/// A program in the background with its output in a file. If the test panics, dropping the handle prints the file.
#[derive(Debug)]
pub struct Process {
    child: ChildGuard,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with standard output and standard error in the file `log`. Panics if that fails.
    #[must_use]
    pub fn start(mut command: Command, log: PathBuf) -> Self {
        // A file and not a pipe: a pipe that is not read would block the program when it is full.
        let output = File::create(&log).expect("the log file is ours");
        let errors = output.try_clone().expect("the log file is ours");
        command.stdin(Stdio::piped()).stdout(output).stderr(errors);
        let child = ChildGuard::spawn(&mut command);
        Self { child, log }
    }

    /// Returns the process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line to the standard input of the program. Panics if the program has closed it.
    pub fn write_line(&mut self, line: &str) {
        let input = self.child.child().stdin.as_mut();
        writeln!(input.expect("it is a pipe"), "{line}").expect("the program reads");
    }

    /// Returns the output of the program up to now. Returns an empty text if the file cannot be read.
    #[must_use]
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Returns `true` if the program has exited with success, `false` if it still runs. Panics if it has failed.
    pub fn has_succeeded(&mut self) -> bool {
        let status = self.child.exit_status();
        status.is_some_and(|status| {
            assert!(status.success(), "{status}: {}", self.output());
            true
        })
    }

    /// Sends SIGTERM, then SIGKILL if the program still runs after [`TIMEOUT`].
    ///
    /// Returns the exit code, or `None` if a signal ended the program.
    pub fn terminate(mut self) -> Option<i32> {
        self.child.terminate(TIMEOUT).code()
    }

    /// Sends SIGKILL and waits until the program has ended.
    pub fn kill(&mut self) {
        self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The program ends first, because its last lines may contain the reason of the panic.
        self.child.end(DROP_TIMEOUT).ok();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.output());
        }
    }
}
