//! Where the control socket is, unless it is said.

use std::path::PathBuf;

/// `$RUNTIME_DIRECTORY` (systemd), `/run/speakerd` for root, `$XDG_RUNTIME_DIR/speakerd`, or a directory of the user's.
pub(crate) fn control_socket() -> PathBuf {
    let user = rustix::process::geteuid();
    let directory = if let Some(directory) = std::env::var_os("RUNTIME_DIRECTORY") {
        PathBuf::from(directory)
    } else if user.is_root() {
        PathBuf::from("/run/speakerd")
    } else if let Some(directory) = std::env::var_os("XDG_RUNTIME_DIR") {
        PathBuf::from(directory).join("speakerd")
    } else {
        std::env::temp_dir().join(format!("speakerd-{}", user.as_raw()))
    };
    directory.join("speakerd.sock")
}

/// `$STATE_DIRECTORY` (systemd), if it is set.
pub(crate) fn state_directory() -> Option<PathBuf> {
    std::env::var_os("STATE_DIRECTORY").map(PathBuf::from)
}
