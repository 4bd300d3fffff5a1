//! The tokio runtime of the programs.

use tokio::runtime::{Builder, Runtime};

use crate::exit::Failure;

/// Starts a runtime with two worker threads.
///
/// # Errors
///
/// The system cannot start a thread.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    // Two threads: the control socket stays responsive while peers take a large table, and an idle daemon stays small.
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.map_err(|error| Failure::system("cannot start the runtime", &error))
}
