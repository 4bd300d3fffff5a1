//! The privileges of this process.

/// Set in an [`Enclosure`](crate::Enclosure): `root`, or `user` if it is root in a user namespace only.
pub(crate) const ENCLOSURE: &str = "SPEAKERD_TESTKIT_ENCLOSURE";

/// Returns `true` if this process may become any user. Root of a user namespace may not.
#[must_use]
pub fn is_root() -> bool {
    let mapped = std::env::var(ENCLOSURE).is_ok_and(|user| user != "root");
    rustix::process::geteuid().is_root() && !mapped
}
