//! Bounded polling.

use std::time::{Duration, Instant};

/// The time that [`eventually`] allows: enough for a slow router on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(40);

const INTERVAL: Duration = Duration::from_millis(20);

/// Calls `ask` until it returns `Some`, and returns that. Panics after [`TIMEOUT`].
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(TIMEOUT, what, ask)
}

/// Calls `ask` until it returns `Some`, and returns that. Panics after `timeout`.
pub fn within<T>(timeout: Duration, what: &str, ask: impl FnMut() -> Option<T>) -> T {
    poll(timeout, INTERVAL, ask).unwrap_or_else(|| panic!("not within {timeout:?}: {what}"))
}

/// Calls `ask` every `interval` until it returns `Some`, and returns that. Returns `None` after `timeout`.
pub fn poll<T>(
    timeout: Duration,
    interval: Duration,
    mut ask: impl FnMut() -> Option<T>,
) -> Option<T> {
    let end = Instant::now() + timeout;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(interval);
    }
}

/// Calls `is_so` for as long as `time`. Panics as soon as it returns `false`.
pub fn holds_for(time: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        assert!(is_so(), "no longer: {what}");
        std::thread::sleep(INTERVAL);
    }
}
