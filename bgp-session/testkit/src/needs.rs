//! Tests that need what a machine may not have: left out with a reason, or failed if nothing may be left out.

use std::process::ExitCode;

use libtest_mimic::{Completion, Failed, Trial};

use crate::command::find_program;
use crate::user::is_root;

/// The programs and privileges that a test needs.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// Names in `PATH`, or absolute paths.
    pub programs: &'static [&'static str],
    /// The test becomes other users, or makes named namespaces.
    pub root: bool,
}

impl Needs {
    /// Returns the needs that this machine does not meet, or `None` if it meets all.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let programs = self.programs.iter().copied();
        let mut missing: Vec<_> = programs
            .filter(|program| find_program(program).is_none())
            .collect();
        if self.root && !is_root() {
            missing.push("root");
        }
        (!missing.is_empty()).then(|| format!("missing: {}", missing.join(", ")))
    }
}

/// Returns `true` with `SPEAKERD_LAB=require`: a need that is not met is then a failure.
#[must_use]
pub fn is_required() -> bool {
    std::env::var("SPEAKERD_LAB").is_ok_and(|value| value == "require")
}

/// Reports that a whole test program cannot run, and returns its exit code: a failure only if nothing may be left out.
#[must_use]
pub fn leave_out(what: &str, why: &str) -> ExitCode {
    if is_required() {
        eprintln!("FAILED: {what}: {why}");
        return ExitCode::FAILURE;
    }
    eprintln!("LEFT OUT: {what}: {why}");
    ExitCode::SUCCESS
}

/// Returns a test that runs `run`. If its needs are not met, it is reported as ignored, or fails if nothing may be left out.
pub fn trial(name: &str, needs: &Needs, run: impl FnOnce() + Send + 'static) -> Trial {
    let missing = needs.missing();
    if let Some(why) = &missing
        && !is_required()
    {
        // Also with `--list`, which `make test` uses to repeat these lines at its end.
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
