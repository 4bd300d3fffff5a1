//! Tests that processes, namespaces and routers end with their handle, also when a test panics.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "processes keep real time")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use speakerd_testkit::{
    ChildGuard, FRR, Launch, Namespace, Needs, Process, Router, eventually, poll, run_ok, trial,
};

/// The needs of a test without privileges.
const NO_PRIVILEGES: Needs = Needs {
    programs: &["sleep", "sh"],
    root: false,
};

/// The needs of a test with a named namespace.
const ROOT: Needs = Needs {
    programs: &["ip"],
    root: true,
};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests: [(&str, &Needs, fn()); 7] = [
        (
            "child_ends_when_its_test_panics",
            &NO_PRIVILEGES,
            child_ends,
        ),
        (
            "child_that_ignores_sigterm_is_killed",
            &NO_PRIVILEGES,
            is_killed,
        ),
        (
            "output_and_exit_code_are_kept",
            &NO_PRIVILEGES,
            output_is_kept,
        ),
        ("polling_ends_at_its_timeout", &NO_PRIVILEGES, polling_ends),
        (
            "unmet_needs_are_named",
            &NO_PRIVILEGES,
            unmet_needs_are_named,
        ),
        (
            "namespace_is_deleted_when_its_test_panics",
            &ROOT,
            is_deleted,
        ),
        (
            "router_is_gone_when_its_test_panics",
            &FRR.needs,
            router_is_gone,
        ),
    ];
    let tests: Vec<Trial> = tests
        .into_iter()
        .map(|(name, needs, run)| trial(name, needs, run))
        .collect();
    libtest_mimic::run(&arguments, tests).exit_code()
}

/// Runs a test that panics while it holds the handle that `start` returns.
fn panics_with<T>(start: impl FnOnce() -> T) {
    let outcome = catch_unwind(AssertUnwindSafe(|| -> () {
        let _handle = start();
        // Unlike `panic!`, this prints no message that a reader could take for a failure.
        std::panic::resume_unwind(Box::new("on purpose"))
    }));
    assert!(outcome.is_err());
}

/// Returns `true` if a process with this id exists.
fn is_running(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

fn child_ends() {
    let mut id = 0;
    panics_with(|| {
        let child = ChildGuard::spawn(Command::new("sleep").arg("60"));
        id = child.id();
        assert!(is_running(id));
        child
    });
    assert!(!is_running(id));
}

/// Starts a shell and waits until it ignores SIGTERM.
fn start_ignoring_sigterm(directory: &Path) -> Process {
    let mut command = Command::new("sh");
    // An ignored signal stays ignored after `exec`.
    command.args(["-c", "trap '' TERM; echo ready; exec sleep 60"]);
    let process = Process::start(command, directory.join("log"));
    eventually("the trap", || (process.output() == "ready\n").then_some(()));
    process
}

fn is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let process = start_ignoring_sigterm(directory.path());
    let (id, start) = (process.id(), Instant::now());
    drop(process);
    assert!(!is_running(id));
    assert!(
        start.elapsed() > Duration::from_secs(1),
        "SIGTERM comes first"
    );
}

fn output_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "read line; echo out $line; echo err >&2; exec sleep 60",
    ]);
    let mut process = Process::start(command, directory.path().join("log"));
    process.write_line("told");
    eventually("both streams", || {
        (process.output() == "out told\nerr\n").then_some(())
    });
    assert!(!process.has_succeeded());
    assert_eq!(process.terminate(), None, "a signal is no exit code");
}

fn polling_ends() {
    let (start, mut count) = (Instant::now(), 0);
    let interval = Duration::from_millis(5);
    let answer: Option<()> = poll(Duration::from_millis(50), interval, || {
        count += 1;
        None
    });
    assert_eq!(answer, None);
    assert!(count > 1 && start.elapsed() >= Duration::from_millis(50));
}

fn unmet_needs_are_named() {
    let needs = Needs {
        programs: &["sh", "no-such-program", "/usr/lib/no-such-program"],
        root: false,
    };
    let expected = "missing: no-such-program, /usr/lib/no-such-program";
    assert_eq!(needs.missing().as_deref(), Some(expected));
    assert_eq!(NO_PRIVILEGES.missing(), None);
}

fn is_deleted() {
    let mut name = String::new();
    let exists = |name: &str| {
        let list = run_ok(Command::new("ip").args(["netns", "list"]));
        list.lines()
            .any(|line| line.split(' ').next() == Some(name))
    };
    panics_with(|| {
        let namespace = Namespace::new("kit");
        name = namespace.name().to_owned();
        assert!(exists(&name));
        namespace
    });
    assert!(!exists(&name));
}

fn router_is_gone() {
    let (mut id, mut directory) = (0, PathBuf::new());
    panics_with(|| {
        // Port 0 listens nowhere, so the test needs no free port.
        let launch = Launch::new("", [127, 0, 0, 1].into()).with_port(0);
        let router = Router::start(&FRR, &launch);
        let version = router.ask("show version").expect("it answers");
        assert!(version.contains("FRRouting"), "{version}");
        (id, directory) = (router.id(), router.directory().to_owned());
        assert!(is_running(id) && directory.exists());
        router
    });
    assert!(!is_running(id) && !directory.exists());
}
