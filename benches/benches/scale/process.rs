//! The CPU time and the memory that a process has used.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Returns the CPU time of this process.
pub(crate) fn own_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).expect("less than a second");
    Duration::new(
        time.tv_sec.try_into().expect("a positive time"),
        nanoseconds,
    )
}

/// Returns the CPU time of `work` in seconds, and its result.
pub(crate) fn cpu_time_of<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let before = own_cpu_time();
    let result = work();
    ((own_cpu_time() - before).as_secs_f64(), result)
}

/// Returns the CPU time of all living threads of a process in seconds.
pub(crate) fn cpu_time(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"));
    // `schedstat` counts nanoseconds; the CPU times in `stat` have a resolution of 10 ms.
    let times = tasks.into_iter().flatten().flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    });
    times.sum::<f64>() / 1e9
}

/// Returns a line of `/proc/PID/status` in octets, or NaN if it does not exist.
pub(crate) fn memory(pid: u32, line: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kilobytes = status
        .lines()
        .find_map(|known| known.strip_prefix(line)?.strip_prefix(':'))
        .and_then(|value| value.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kilobytes| kilobytes * 1024.0)
}
