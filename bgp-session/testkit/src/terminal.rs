//! Connections to the control sockets of BIRD and FRR: what their command-line clients use, without a process for each command.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The time that a router may take for an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// How a router frames commands and answers.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The name of the socket in the router's directory.
    pub(crate) socket: &'static str,
    /// Ends a command.
    pub(crate) terminator: u8,
    /// The router speaks first.
    pub(crate) greets: bool,
    /// Returns the text of an answer, or `None` if there is more to read.
    pub(crate) text: fn(&[u8]) -> Option<&[u8]>,
}

/// A connection to a router's control socket.
#[derive(Debug)]
pub struct Terminal {
    dialect: &'static Dialect,
    stream: UnixStream,
}

impl Terminal {
    /// Connects to the socket in `directory`. Returns `None` if the router does not listen.
    pub(crate) fn connect(directory: &Path, dialect: &'static Dialect) -> Option<Self> {
        let stream = UnixStream::connect(directory.join(dialect.socket)).ok()?;
        stream.set_read_timeout(Some(READ_TIMEOUT)).ok()?;
        let mut terminal = Self { dialect, stream };
        if dialect.greets {
            terminal.answer()?;
        }
        Some(terminal)
    }

    /// Returns the answer to a command, or `None` if the router has closed the connection.
    pub fn ask(&mut self, command: &str) -> Option<String> {
        let line = [command.as_bytes(), &[self.dialect.terminator]].concat();
        self.stream.write_all(&line).ok()?;
        self.answer()
    }

    fn answer(&mut self) -> Option<String> {
        let mut answer = Vec::new();
        let mut octets = [0; 4096];
        loop {
            let read = self.stream.read(&mut octets).ok()?;
            answer.extend_from_slice(octets.get(..read).filter(|octets| !octets.is_empty())?);
            if let Some(text) = (self.dialect.text)(&answer) {
                return Some(String::from_utf8_lossy(text).into_owned());
            }
        }
    }
}
