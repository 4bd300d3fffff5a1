//! Programs that a trial runs: ended by their own handle, waited for with a bound.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long something that has to happen may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(40);

/// A program in the background that ends with its handle.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it says goes to `log`.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let output = File::create(&log).unwrap();
        let both = output.try_clone().unwrap();
        let child = command
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(both)
            .spawn();
        Self {
            child: child.unwrap_or_else(|error| panic!("{command:?}: {error}")),
            log,
        }
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it has ended by itself, and well.
    pub(crate) fn has_ended(&mut self) -> bool {
        let status = self.child.try_wait().unwrap();
        status.is_some_and(|status| {
            assert!(status.success(), "{status}: {}", self.said());
            true
        })
    }

    /// SIGKILL, and no more of it afterwards.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.said());
        }
    }
}

/// Runs a program to its end; what it printed if it succeeded.
pub(crate) fn run(command: &mut Command) -> Option<String> {
    let (succeeded, text) = output(command);
    succeeded.then_some(text)
}

/// Runs a program to its end: whether it succeeded, and what it printed.
pub(crate) fn output(command: &mut Command) -> (bool, String) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text)
}

/// Asks until there is an answer.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "never seen: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asks all the time whether it is still so.
pub(crate) fn holds_for(time: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        assert!(so(), "no longer: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
