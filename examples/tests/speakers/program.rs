//! A program under test, whose output is read with a time limit.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use speakerd_testkit::{ChildGuard, TIMEOUT};

/// Reads in a thread of its own. Each result has to be received in time.
pub(crate) fn reader<T: Send + 'static>(
    mut read: impl FnMut() -> Option<T> + Send + 'static,
) -> impl FnMut() -> Result<T, RecvTimeoutError> {
    let (results, received): (_, Receiver<T>) = channel();
    std::thread::spawn(move || {
        while let Some(result) = read() {
            // The test has ended.
            if results.send(result).is_err() {
                return;
            }
        }
    });
    move || received.recv_timeout(TIMEOUT)
}

/// The lines of a program's output.
pub(crate) struct Lines(Box<dyn FnMut() -> Result<io::Result<String>, RecvTimeoutError>>);

impl Lines {
    pub(crate) fn of(output: impl Read + Send + 'static) -> Self {
        let mut lines = BufReader::new(output).lines();
        Self(Box::new(reader(move || lines.next())))
    }

    /// Returns the next line, or an error if there is none in time.
    pub(crate) fn next(&mut self) -> Result<String, Box<dyn Error>> {
        Ok((self.0)()??)
    }
}

/// Starts a program with pipes to its standard input and from its standard output.
pub(crate) fn start(program: &str, arguments: &[&str]) -> (ChildGuard, ChildStdin, ChildStdout) {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = ChildGuard::spawn(&mut command);
    let input = child.child().stdin.take().expect("a pipe");
    let output = child.child().stdout.take().expect("a pipe");
    (child, input, output)
}
