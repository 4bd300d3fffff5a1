//! Checks the needs of tests. A test whose needs are missing is left out with a reason, or fails if it is required.

use std::process::ExitCode;

use libtest_mimic::{Completion, Failed, Trial};

use crate::command::find_program;
use crate::user::is_root;

/// The programs and privileges that a test needs.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// The programs: names to look up in `PATH`, or absolute paths.
    pub programs: &'static [&'static str],
    /// `true` if the test changes to other users or creates named namespaces.
    pub root: bool,
}

impl Needs {
    /// Returns a message with the needs that this machine lacks, or `None` if it meets all of them.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let mut missing: Vec<_> = self
            .programs
            .iter()
            .copied()
            .filter(|program| find_program(program).is_none())
            .collect();
        // Root of a user namespace does not count: it can neither change users nor create named namespaces.
        if self.root && !is_root() {
            missing.push("root");
        }
        (!missing.is_empty()).then(|| format!("missing: {}", missing.join(", ")))
    }
}

/// Returns `true` if `SPEAKERD_LAB` is `require`: a missing need is then a failure.
#[must_use]
pub fn is_required() -> bool {
    std::env::var("SPEAKERD_LAB").is_ok_and(|value| value == "require")
}

/// Reports that a whole test program cannot run. Returns its exit code, a failure only if [`is_required`].
#[must_use]
pub fn leave_out(what: &str, why: &str) -> ExitCode {
    if is_required() {
        eprintln!("FAILED: {what}: {why}");
        return ExitCode::FAILURE;
    }
    // .ci/test begins its own lines with the same words.
    eprintln!("LEFT OUT: {what}: {why}");
    ExitCode::SUCCESS
}

/// Returns a test that calls `run`. If a need is missing, the test is ignored with the reason, or fails if [`is_required`].
pub fn trial(name: &str, needs: &Needs, run: impl FnOnce() + Send + 'static) -> Trial {
    let missing = needs.missing();
    if let Some(why) = &missing
        && !is_required()
    {
        // Printed here and not by the test: `make test` runs `--list` to repeat these lines at its end.
        eprintln!("LEFT OUT: {name}: {why}");
    }
    Trial::ignorable_test(name, move || match missing {
        None => {
            run();
            Ok(Completion::Completed)
        }
        Some(why) if is_required() => Err(Failed::from(format!("SPEAKERD_LAB=require: {why}"))),
        Some(why) => Ok(Completion::ignored_with(why)),
    })
}
