//! The log on standard error. Lines are dropped if standard error blocks; no task waits or ends.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Display;
use std::io::Write;

use tracing::Metadata;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Starts to log to standard error. Lines are written until the guards are dropped.
///
/// A thread of its own writes the lines. If standard error is full or closed, lines are dropped.
pub(crate) fn start(verbose: u8, quiet: bool) -> [WorkerGuard; 2] {
    let level = match (verbose, quiet) {
        (0, true) => "error",
        (0, false) => "info",
        (1, _) => "debug",
        (2.., _) => "trace",
    };
    let from_environment = ["SPEAKERD_LOG", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    let (writers, guards) = Writers::new(std::io::stderr(), std::io::stderr());
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter(from_environment.as_deref().unwrap_or(level)))
        .with_target(false)
        // A message of the subscriber about a lost line would be written to standard error, and would panic if that is closed.
        .log_internal_errors(false)
        .with_writer(writers);
    // Under systemd the journal has the time already.
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        logging.without_time().with_ansi(false).init();
    } else {
        let colour = std::io::IsTerminal::is_terminal(&std::io::stderr())
            && std::env::var_os("NO_COLOR").is_none();
        logging.with_ansi(colour).init();
    }
    // The default hook writes to standard error in the thread that panics, which could block it.
    std::panic::set_hook(Box::new(|panic| log_panic(panic, &Backtrace::capture())));
    guards
}

/// The target of lines about panics. The filter always admits them.
const PANIC_TARGET: &str = "panic";

/// Logs a panic, with a backtrace if `RUST_BACKTRACE` asks for one.
fn log_panic(panic: &dyn Display, backtrace: &Backtrace) {
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(target: PANIC_TARGET, "{panic}\nstack backtrace:\n{backtrace}");
    } else {
        tracing::error!(target: PANIC_TARGET, "{panic}");
    }
}

/// Returns the filter for the given directives, which also admits panics.
#[expect(clippy::expect_used, reason = "the directive is a constant")]
fn filter(directives: &str) -> EnvFilter {
    // Added last: it replaces a directive for the same target.
    EnvFilter::new(directives).add_directive("panic=error".parse().expect("a valid directive"))
}

/// The writer of ordinary lines and that of panics. The buffer of panics has room even if the other one is full.
struct Writers {
    lines: NonBlocking,
    panics: NonBlocking,
}

impl Writers {
    fn new(
        lines: impl Write + Send + 'static,
        panics: impl Write + Send + 'static,
    ) -> (Self, [WorkerGuard; 2]) {
        let builder = || NonBlockingBuilder::default().lossy(true);
        let (lines, lines_guard) = builder()
            .buffered_lines_limit(MAX_BUFFERED_LINES)
            .finish(lines);
        let (panics, panics_guard) = builder()
            .buffered_lines_limit(MAX_BUFFERED_PANICS)
            .finish(panics);
        (Self { lines, panics }, [lines_guard, panics_guard])
    }
}

impl MakeWriter<'_> for Writers {
    type Writer = NonBlocking;

    fn make_writer(&self) -> NonBlocking {
        self.lines.clone()
    }

    fn make_writer_for(&self, metadata: &Metadata<'_>) -> NonBlocking {
        if metadata.target() == PANIC_TARGET {
            self.panics.clone()
        } else {
            self.make_writer()
        }
    }
}

/// The number of lines that wait for standard error before further ones are dropped.
// A line may have the hex of a whole message.
const MAX_BUFFERED_LINES: usize = 1024;

/// The number of panics that wait for standard error before further ones are dropped.
const MAX_BUFFERED_PANICS: usize = 16;

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    /// Sends what is written to a channel.
    struct Sink(Sender<String>);

    impl Write for Sink {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8_lossy(octets).into_owned();
            self.0.send(text).ok();
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Blocks until the other end of a channel is dropped, as a full pipe does.
    struct Blocked(Receiver<()>);

    impl Write for Blocked {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.recv().ok();
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Runs `log` with a subscriber. Returns the guards.
    fn logged(
        directives: &str,
        lines: impl Write + Send + 'static,
        panics: impl Write + Send + 'static,
        log: impl FnOnce(),
    ) -> [WorkerGuard; 2] {
        let (writers, guards) = Writers::new(lines, panics);
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter(directives))
            .with_writer(writers)
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        guards
    }

    #[test]
    fn panic_is_logged_whatever_the_filter() {
        for directives in ["off", "panic=off", "speakerd=debug"] {
            let ((lines, logged_lines), (panics, logged_panics)) = (channel(), channel());
            let guards = logged(directives, Sink(lines), Sink(panics), || {
                tracing::error!("an ordinary line");
                log_panic(&"panicked at src/x.rs", &Backtrace::disabled());
            });
            // The writers have ended, and with them the channels.
            drop(guards);
            let lines: Vec<_> = logged_lines.iter().collect();
            assert_eq!(
                lines.len(),
                usize::from(directives == "speakerd=debug"),
                "{lines:?}"
            );
            let panics: Vec<_> = logged_panics.iter().collect();
            let [panic] = panics.as_slice() else {
                panic!("{directives}: {panics:?}")
            };
            assert!(panic.ends_with("panicked at src/x.rs\n"), "{panic}");
        }
    }

    #[test]
    fn panic_is_logged_with_its_backtrace() {
        let ((lines, _), (panics, logged_panics)) = (channel(), channel());
        drop(logged("info", Sink(lines), Sink(panics), || {
            log_panic(&"panicked", &Backtrace::force_capture());
        }));
        let panic: String = logged_panics.iter().collect();
        assert!(panic.contains("panicked\nstack backtrace:\n"), "{panic}");
    }

    #[test]
    fn panic_is_logged_while_the_buffer_of_lines_is_full() {
        let (unblock, blocked) = channel();
        let (panics, logged_panics) = channel();
        let guards = logged("info", Blocked(blocked), Sink(panics), || {
            for number in 0..2 * MAX_BUFFERED_LINES {
                tracing::info!(number, "an ordinary line");
            }
            log_panic(&"panicked", &Backtrace::disabled());
        });
        let panic = logged_panics.recv_timeout(Duration::from_secs(20));
        assert!(panic.is_ok_and(|panic| panic.ends_with("panicked\n")));
        drop(unblock);
        drop(guards);
    }
}
