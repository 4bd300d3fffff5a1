//! Connects to the control sockets of BIRD and FRR, which saves a process for each command.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The maximum time between two parts of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The framing of commands and answers on the control socket of a router.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The name of the socket in the router's directory.
    pub(crate) socket: &'static str,
    /// The octet that ends a command.
    pub(crate) terminator: u8,
    /// `true` if the router sends a greeting first.
    pub(crate) greets: bool,
    /// Returns the text of a complete answer, or `None` if more is to be read.
    pub(crate) text: fn(&[u8]) -> Option<&[u8]>,
}

/// A connection to a router's control socket.
#[derive(Debug)]
pub struct Terminal {
    dialect: &'static Dialect,
    stream: UnixStream,
}

impl Terminal {
    /// Connects to the socket in `directory`. Returns `None` if the router does not listen, or sends no greeting.
    pub(crate) fn connect(directory: &Path, dialect: &'static Dialect) -> Option<Self> {
        let stream = UnixStream::connect(directory.join(dialect.socket)).ok()?;
        stream.set_read_timeout(Some(READ_TIMEOUT)).ok()?;
        let mut terminal = Self { dialect, stream };
        if dialect.greets {
            // Otherwise the greeting would be the answer to the first command.
            terminal.answer()?;
        }
        Some(terminal)
    }

    /// Returns the answer to a command. Returns `None` if the router closes the connection or pauses for 60 seconds.
    pub fn ask(&mut self, command: &str) -> Option<String> {
        let line = [command.as_bytes(), &[self.dialect.terminator]].concat();
        self.stream.write_all(&line).ok()?;
        self.answer()
    }

    /// Reads one answer.
    fn answer(&mut self) -> Option<String> {
        let mut answer = Vec::new();
        let mut octets = [0; 4096];
        loop {
            let read = self.stream.read(&mut octets).ok()?;
            // Nothing read means that the router has closed the connection.
            answer.extend_from_slice(octets.get(..read).filter(|octets| !octets.is_empty())?);
            if let Some(text) = (self.dialect.text)(&answer) {
                // Lossy, because a router may print octets that a peer sent, such as a shutdown message.
                return Some(String::from_utf8_lossy(text).into_owned());
            }
        }
    }
}
