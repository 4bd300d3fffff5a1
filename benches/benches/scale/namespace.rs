//! A network namespace of its own, in which this program starts itself anew; it is gone with the process.

use std::process::{Command, ExitCode};

/// Set in the namespace.
const INSIDE: &str = "SCALE_BENCHMARK_NAMESPACE";

/// Ours and the router's address, as in the article that the project begins with.
pub(crate) const OURS: &str = "192.168.0.111";
pub(crate) const ROUTER: &str = "192.168.0.254";

/// The neighbors of many sessions are in 10.99.0.0/16. The default congestion control of a host may be one that paces.
const SETUP: &str = "ip link set lo up && ip address add 192.168.0.111/24 dev lo \
    && ip address add 192.168.0.254/24 dev lo && ip route add local 10.99.0.0/16 dev lo \
    && echo reno > /proc/sys/net/ipv4/tcp_congestion_control && exec \"$0\" \"$@\"";

pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs this program once more inside; `None` where no namespace can be made.
pub(crate) fn enter() -> Option<ExitCode> {
    let allowed = |extra: &[&str]| {
        let probe = inside(extra)
            .args(["ip", "link", "set", "lo", "up"])
            .output();
        probe.is_ok_and(|output| output.status.success())
    };
    // Who is not root may have namespaces of users.
    let kinds: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
    let extra = kinds.into_iter().find(|extra| allowed(extra))?;
    let program = std::env::current_exe().expect("this program is a file");
    let status = inside(extra)
        .args(["sh", "-c", SETUP])
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .status();
    Some(match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn inside(extra: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.arg("--net").args(extra);
    command
}
