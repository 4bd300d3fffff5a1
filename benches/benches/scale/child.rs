//! Processes that are measured. Each is ended by its own handle.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::memory;
use crate::speaker::ROLE;

/// A process, its standard input and output.
pub(crate) struct Child {
    process: Process,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Child {
    pub(crate) fn start(program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it was found before");
        let input = process.stdin.take();
        let output = process.stdout.take().expect("a pipe");
        Self {
            process,
            input,
            output: BufReader::new(output),
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
        let input = self.input.as_mut().expect("a pipe");
        writeln!(input, "{order}").expect("it reads");
        self.line()
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("it is text");
        line.trim_end().to_owned()
    }

    /// Asks it to end, and returns what it says last.
    pub(crate) fn finish(&mut self) -> String {
        let pid = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), Signal::TERM).ok();
        self.line()
    }

    /// CPU time in seconds so far, of all threads.
    pub(crate) fn cpu_time(&self) -> f64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id()));
        let times = tasks.into_iter().flatten().flatten().filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<f64>().ok()
        });
        times.sum::<f64>() / 1e9
    }

    pub(crate) fn memory(&self, line: &str) -> f64 {
        memory(self.id(), line)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The program of this name, where it may be run from.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/lib/frr")]);
    places.find_map(|place| Some(place.join(name)).filter(|program| program.is_file()))
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

/// Returns what `question` does once it does, within half a minute.
pub(crate) fn wait_for<T>(
    what: &str,
    step: Duration,
    mut question: impl FnMut() -> Option<T>,
) -> T {
    let start = now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{what} takes too long"
        );
        pause(step);
    }
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
