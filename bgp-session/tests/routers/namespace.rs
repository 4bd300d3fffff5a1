//! The network namespace that everything runs in.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::{Command, ExitCode};

use crate::setup::{Dialling, Setup};

/// Set in the namespace.
const INSIDE: &str = "BGP_SESSION_ROUTERS_NAMESPACE";

pub(crate) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Whether something that is missing is a failure.
pub(crate) fn is_required() -> bool {
    std::env::var_os("SPEAKERD_LAB").is_some()
}

/// Whether this process may become any user.
pub(crate) fn is_root() -> bool {
    std::env::var(INSIDE).is_ok_and(|user| user == "root")
}

/// Runs this program once more, with addresses for the trials with these numbers.
pub(crate) fn enter(numbers: u8) -> ExitCode {
    // Who is not root may have namespaces of users.
    let choices: [(&[&str], &str); 2] = [(&[], "root"), (&["--user", "--map-root-user"], "user")];
    let mut choices = choices.into_iter();
    let Some((extra, user)) = choices.find(|(extra, _)| is_allowed(extra)) else {
        return without();
    };
    let setup = format!(
        "ip -batch - <<'END' && exec \"$0\" \"$@\"\n{}END",
        addresses(numbers)
    );
    let status = unshare(extra)
        .args(["sh", "-c", &setup])
        .arg(std::env::current_exe().unwrap())
        .args(std::env::args_os().skip(1))
        .env(INSIDE, user)
        .env("PATH", path())
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Debian has routers where only root looks for programs.
fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

fn unshare(extra: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    // Whatever ends this program also ends what it has started.
    command.args(["--net", "--pid", "--fork", "--kill-child"]);
    command.args(extra);
    command
}

fn is_allowed(extra: &[&str]) -> bool {
    let probe = unshare(extra)
        .args(["ip", "link", "set", "lo", "up"])
        .output();
    probe.is_ok_and(|output| output.status.success())
}

fn without() -> ExitCode {
    let why = "no network namespace can be made here (unshare, ip)";
    if is_required() {
        eprintln!("FAILED: sessions with other people's routers: {why}");
        return ExitCode::FAILURE;
    }
    eprintln!("LEFT OUT: sessions with other people's routers: {why}");
    ExitCode::SUCCESS
}

fn addresses(numbers: u8) -> String {
    let mut lines = "link set lo up\n".to_owned();
    for number in 1..=numbers {
        let setup = Setup::new(number, Dialling::We);
        for address in [setup.ours_ipv4(), setup.theirs_ipv4()] {
            writeln!(lines, "address add {address}/24 dev lo").unwrap();
        }
        for address in [setup.ours_ipv6(), setup.theirs_ipv6()] {
            writeln!(lines, "address add {address}/64 dev lo nodad").unwrap();
        }
    }
    lines
}
