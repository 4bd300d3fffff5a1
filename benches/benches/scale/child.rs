//! Processes that are measured and that answer in lines.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use speakerd_testkit::{ChildGuard, Signal, poll};

use crate::speaker::ROLE;

/// A process, its standard input and output.
pub(crate) struct Child {
    process: ChildGuard,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Child {
    pub(crate) fn start(program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
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

    /// Our speaker in a process of its own (see `speaker.rs`), once its table is loaded.
    pub(crate) fn speaker(arguments: &[&str]) -> Self {
        let program = std::env::current_exe().expect("this program is a file");
        let mut child = Self::start(program, &[&[ROLE], arguments].concat());
        assert_eq!(child.line(), "ready", "the speaker has started");
        child
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Gives an order, and returns the answer.
    pub(crate) fn ask(&mut self, order: &str) -> String {
        writeln!(self.input, "{order}").expect("it reads");
        self.line()
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it is text");
        line.trim_end().to_owned()
    }

    /// Asks it to end, and returns what it says last.
    pub(crate) fn finish(&mut self) -> String {
        self.process.signal(Signal::TERM);
        self.line()
    }
}

/// Where files of this run go.
pub(crate) fn directory(name: &str) -> PathBuf {
    let program = std::env::current_exe().expect("this program is a file");
    let target = program.ancestors().nth(3).expect("a target directory");
    let directory = target.join("bench/scale").join(name);
    fs::create_dir_all(&directory).expect("the target directory is writable");
    directory
}

/// The raw C endpoint from beside the project, built anew.
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

/// Asks `question` once in a `step` until it has an answer, for at most a minute.
pub(crate) fn wait_for<T>(what: &str, step: Duration, question: impl FnMut() -> Option<T>) -> T {
    let answer = poll(Duration::from_secs(60), step, question);
    answer.unwrap_or_else(|| panic!("{what} takes too long"))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark has a clock")]
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

/// Seconds since 1970: what all processes agree on.
#[expect(
    clippy::disallowed_methods,
    reason = "sessions of other processes have no other clock in common"
)]
pub(crate) fn wall() -> f64 {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH);
    since.expect("it is later").as_secs_f64()
}
