//! What a program says when it ends: a message on standard error and an exit code of sysexits(3).

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// Why a program ends without having done its work.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The request was refused, or the answer is no: 1.
    pub const REFUSED: u8 = 1;
    /// What is needed is not there: an address, a socket, a running daemon: EX_UNAVAILABLE.
    pub const UNAVAILABLE: u8 = 69;
    /// Reading or writing failed: EX_IOERR.
    pub const IO: u8 = 74;
    /// Permission is missing: EX_NOPERM.
    pub const PERMISSION: u8 = 77;
    /// The configuration is wrong: EX_CONFIG.
    pub const CONFIG: u8 = 78;

    /// A failure with this exit code and message.
    pub fn new(code: u8, message: impl fmt::Display) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }

    /// The failure of an operation of the system: 77 where permission is missing, else 69.
    pub fn system(what: impl fmt::Display, error: &std::io::Error) -> Self {
        let permission = error.kind() == std::io::ErrorKind::PermissionDenied;
        let code = if permission {
            Self::PERMISSION
        } else {
            Self::UNAVAILABLE
        };
        Self::new(code, format_args!("{what}: {error}"))
    }

    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Writes to standard output.
///
/// # Errors
///
/// It cannot be written to. That nobody reads to its end is no failure.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            Failure::IO,
            format_args!("cannot write the answer: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Writes a line to standard error, which may be closed.
pub(crate) fn complain(line: &dyn fmt::Display) {
    // `eprintln!` would panic, and there is no other place to report to.
    writeln!(std::io::stderr(), "{line}").ok();
}

/// Says on standard error what went wrong, if anything did.
#[must_use]
pub fn report(program: &str, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A diagnostic begins with its severity; everything else says who speaks.
            if failure.message.starts_with("error:") {
                complain(&failure);
            } else if !failure.message.is_empty() {
                complain(&format_args!("{program}: {failure}"));
            }
            ExitCode::from(failure.code)
        }
    }
}
