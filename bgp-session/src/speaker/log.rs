//! Log lines that cannot end a task, and the limit of lines that other hosts cause.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Writes a log line: the macro of `tracing` for this level, and its arguments. A panic of the application's subscriber, for
/// example because standard error is closed, loses the line and does not reach the caller.
macro_rules! write_line {
    ($level:ident, $($arguments:tt)+) => {
        $crate::speaker::log::guarded(|| ::tracing::$level!($($arguments)+))
    };
}
pub(super) use write_line;

/// Calls `write`, which writes a log line. For `write_line`.
pub(super) fn guarded(write: impl FnOnce()) {
    // A subscriber that has panicked is in the hands of the application. The closure only reads the values that it logs.
    catch_unwind(AssertUnwindSafe(write)).ok();
}

/// Limits the log lines of one cause: a few at once, then one in [`LINE_INTERVAL`].
// A token bucket, so that the first lines after a quiet time are complete.
#[derive(Debug)]
pub(super) struct LogLimit {
    tokens: u32,
    /// The time at which the last token was added.
    filled: Option<Instant>,
    /// The number of lines that were suppressed since the last one.
    suppressed: u64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self {
            tokens: MAX_TOKENS,
            filled: None,
            suppressed: 0,
        }
    }
}

impl LogLimit {
    /// Returns the number of lines that were suppressed since the last one if a line may be written now, otherwise `None`.
    pub(super) fn take(&mut self, now: Instant) -> Option<u64> {
        self.fill(now);
        if self.tokens == 0 {
            self.suppressed += 1;
            return None;
        }
        self.tokens -= 1;
        Some(std::mem::take(&mut self.suppressed))
    }

    /// Adds a token for each interval that has passed.
    fn fill(&mut self, now: Instant) {
        let filled = *self.filled.get_or_insert(now);
        let elapsed = now.saturating_duration_since(filled);
        let intervals = u32::try_from(elapsed.as_secs() / LINE_INTERVAL.as_secs());
        match intervals {
            Ok(0) => {}
            Ok(intervals) if intervals < MAX_TOKENS => {
                self.tokens = (self.tokens + intervals).min(MAX_TOKENS);
                self.filled = Some(filled + LINE_INTERVAL * intervals);
            }
            Ok(_) | Err(_) => {
                self.tokens = MAX_TOKENS;
                self.filled = Some(now);
            }
        }
    }
}

/// The number of lines after a quiet time.
const MAX_TOKENS: u32 = 5;

/// The interval between further lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// A subscriber for tests, which keeps the lines or cannot write them.
#[cfg(test)]
pub(super) mod recorder {
    use std::fmt::{Debug, Write};
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    /// The lines so far, or `None` for a subscriber that panics.
    #[derive(Clone)]
    pub(in super::super) struct Recorder(Option<Arc<Mutex<Vec<String>>>>);

    impl Recorder {
        pub(in super::super) fn new() -> Self {
            Self(Some(Arc::default()))
        }

        pub(in super::super) fn panicking() -> Self {
            Self(None)
        }

        /// Returns the lines, each as its level, its message and its fields.
        pub(in super::super) fn lines(&self) -> Vec<String> {
            let lines = self.0.as_ref().expect("a subscriber that keeps its lines");
            lines.lock().unwrap().clone()
        }
    }

    impl Subscriber for Recorder {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let lines = self.0.as_ref().expect("a log line cannot be written");
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            lines.lock().unwrap().push(line.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// Returns every source file in `directory` and below.
    fn sources(directory: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| {
                if path.is_dir() {
                    sources(&path)
                } else {
                    vec![path]
                }
            })
            .collect()
    }

    // One line outside of `write_line` is enough for a subscriber that panics to end a task.
    #[test]
    fn log_lines_are_written_by_write_line_only() {
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/speaker");
        let levels = ["error", "warn", "info", "debug", "trace", "event"];
        let (mut bare, mut guarded) = (Vec::new(), 0);
        for path in sources(&driver) {
            let source = fs::read_to_string(&path).unwrap();
            guarded += source.matches("log::write_line!(").count();
            let calls = levels.map(|level| format!("tracing::{level}!"));
            if calls.iter().any(|call| source.contains(call)) {
                bare.push(path);
            }
        }
        assert!(bare.is_empty(), "{bare:?}");
        assert!(guarded > 10, "the search finds the lines: {guarded}");
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the limit only needs a beginning"
    )]
    fn lines_are_limited_to_a_burst_and_one_per_interval() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut limit = LogLimit::default();
        let mut lines = |seconds, attempts: usize| -> Vec<u64> {
            (0..attempts)
                .filter_map(|_| limit.take(at(seconds)))
                .collect()
        };
        assert_eq!(lines(0, 8), [0; 5]);
        assert_eq!(lines(9, 1), [0; 0]);
        // The line reports the four that were suppressed before it.
        assert_eq!(lines(10, 2), [4]);
        assert_eq!(lines(29, 2), [1]);
        assert_eq!(lines(30, 2), [1]);
        // A quiet time fills the bucket, and no further.
        assert_eq!(lines(10_000, 8), [1, 0, 0, 0, 0]);
        assert_eq!(lines(10_009, 1), [0; 0]);
        assert_eq!(lines(10_010, 1), [4]);
    }

    #[test]
    fn guarded_line_of_panicking_subscriber_is_lost() {
        guarded(|| panic!("cannot write"));
    }
}
