//! Processes that are measured and that answer in lines, and the clocks of this benchmark.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use speakerd_testkit::{ChildGuard, Signal, poll};

use crate::speaker::ROLE;

/// A process with its standard input and output.
pub(crate) struct Child {
    process: ChildGuard,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Child {
    pub(crate) fn start(program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        // Routers log every session to standard error.
        command.args(arguments).stderr(Stdio::null());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = ChildGuard::spawn(&mut command);
        let child = process.child();
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            process,
            input,
            output,
        }
    }

    /// Starts our speaker in a process of its own (see `speaker.rs`), and waits until its table is loaded.
    pub(crate) fn speaker(arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let mut child = Self::start(program, &[&[ROLE], arguments].concat());
        assert_eq!(child.line(), "ready", "the speaker's first line");
        child
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Sends a command and returns the answer.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        writeln!(self.input, "{command}").expect("the process reads");
        self.line()
    }

    /// Returns the next line of standard output without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line of text");
        line.trim_end().to_owned()
    }

    /// Asks the process to end and returns its last line.
    pub(crate) fn finish(&mut self) -> String {
        self.process.signal(Signal::TERM);
        self.line()
    }
}

/// Returns the directory for files of this run. Creates it if it does not exist.
pub(crate) fn directory(name: &str) -> PathBuf {
    let program = std::env::current_exe().expect("the path of this program");
    // The program is in TARGET/PROFILE/deps.
    let target = program.ancestors().nth(3).expect("a target directory");
    let directory = target.join("bench/scale").join(name);
    fs::create_dir_all(&directory).expect("a writable target directory");
    directory
}

/// Builds the raw C endpoint from outside the repository. Returns `None` if its source or the compiler is missing.
pub(crate) fn raw_c() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/lab/src/bgplab.c");
    let program = directory("raw").join("bgplab");
    let mut compiler = Command::new("cc");
    compiler.arg("-O2").arg("-o").arg(&program).arg(source);
    let built = compiler
        .output()
        .is_ok_and(|output| output.status.success());
    built.then_some(program)
}

/// Calls `question` every `step` until it returns a value. Fails after a minute.
pub(crate) fn wait_for<T>(what: &str, step: Duration, question: impl FnMut() -> Option<T>) -> T {
    let answer = poll(Duration::from_secs(60), step, question);
    answer.unwrap_or_else(|| panic!("timeout: {what}"))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "other processes run on wall time"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Returns the seconds since 1970, the clock that all processes share.
#[expect(
    clippy::disallowed_methods,
    reason = "an instant means nothing to another process"
)]
pub(crate) fn wall() -> f64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a time after 1970")
        .as_secs_f64()
}
