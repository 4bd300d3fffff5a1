//! The log on standard error. A line is lost rather than that a task waits for it or ends because of it.

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Starts to log to standard error. Lines are written until the guard is dropped.
///
/// A thread of its own writes the lines. If standard error is full or closed, lines are dropped.
pub(crate) fn start(verbose: u8, quiet: bool) -> WorkerGuard {
    let level = match (verbose, quiet) {
        (0, true) => "error",
        (0, false) => "info",
        (1, _) => "debug",
        (2.., _) => "trace",
    };
    let from_environment = ["SPEAKERD_LOG", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    let filter = EnvFilter::new(from_environment.as_deref().unwrap_or(level));
    let (writer, guard) = writer();
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        // A message of the subscriber about a lost line would be written to standard error, and would panic if that is closed.
        .log_internal_errors(false)
        .with_writer(writer);
    // Under systemd the journal has the time already.
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        logging.without_time().with_ansi(false).init();
    } else {
        let colour = std::io::IsTerminal::is_terminal(&std::io::stderr())
            && std::env::var_os("NO_COLOR").is_none();
        logging.with_ansi(colour).init();
    }
    // The default hook writes to standard error in the thread that panics.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    guard
}

fn writer() -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MAX_BUFFERED_LINES)
        .finish(std::io::stderr())
}

/// The number of lines that wait for standard error before further ones are dropped.
// A line may have the hex of a whole message.
const MAX_BUFFERED_LINES: usize = 1024;
