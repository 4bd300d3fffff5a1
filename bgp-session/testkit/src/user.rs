//! Determines the privileges of this process.

/// The variable that an [`Enclosure`](crate::Enclosure) sets: `root`, or `user` if it made a user namespace.
pub(crate) const ENCLOSURE: &str = "SPEAKERD_TESTKIT_ENCLOSURE";

/// Returns `true` if this process may change to any user. Root of a user namespace may not.
#[must_use]
pub fn is_root() -> bool {
    // The effective user id is 0 in a user namespace as well, although only one user is mapped.
    let mapped = std::env::var(ENCLOSURE).is_ok_and(|user| user != "root");
    rustix::process::geteuid().is_root() && !mapped
}
