//! Polls until a condition holds, with a timeout.

use std::time::{Duration, Instant};

/// The timeout of [`eventually`]: 40 seconds, enough for a slow router on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(40);

/// The interval between two calls of a condition.
const INTERVAL: Duration = Duration::from_millis(20);

/// Calls `ask` until it returns `Some`, and returns the value. Panics with `what` after [`TIMEOUT`].
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(TIMEOUT, what, ask)
}

/// Calls `ask` until it returns `Some`, and returns the value. Panics with `what` after `timeout`.
pub fn within<T>(timeout: Duration, what: &str, ask: impl FnMut() -> Option<T>) -> T {
    poll(timeout, INTERVAL, ask).unwrap_or_else(|| panic!("not within {timeout:?}: {what}"))
}

/// Calls `ask` every `interval` until it returns `Some`, and returns the value. Returns `None` after `timeout`.
pub fn poll<T>(
    timeout: Duration,
    interval: Duration,
    mut ask: impl FnMut() -> Option<T>,
) -> Option<T> {
    // Time and not a number of attempts, because an attempt may itself take seconds.
    let end = Instant::now() + timeout;
    loop {
        // The question comes before the deadline: even a timeout of zero asks once.
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(interval);
    }
}

/// Calls `condition` again and again for `duration`. Panics with `what` as soon as it returns `false`.
pub fn holds_for(duration: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        assert!(condition(), "no longer: {what}");
        std::thread::sleep(INTERVAL);
    }
}
