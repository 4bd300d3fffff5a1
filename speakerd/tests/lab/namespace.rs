//! Network namespaces: made by a test, and removed with their handle.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::process::must;

/// A network namespace of its own.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one with its loopback up.
    pub(crate) fn new(role: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = Self {
            name: format!("speakerd-{}-{number}-{role}", std::process::id()),
        };
        must(Command::new("ip").args(["netns", "add", &namespace.name]));
        namespace.ip("link set lo up");
        namespace
    }

    /// Joins two namespaces; each end is an interface with its address.
    pub(crate) fn join(
        &self,
        interface: &str,
        address: &str,
        other: &Self,
        other_interface: &str,
        other_address: &str,
    ) {
        let mut link = Command::new("ip");
        link.args([
            "link", "add", interface, "netns", &self.name, "type", "veth",
        ]);
        must(link.args(["peer", "name", other_interface, "netns", &other.name]));
        for (end, interface, address) in [
            (self, interface, address),
            (other, other_interface, other_address),
        ] {
            end.ip(&format!("address add {address} dev {interface}"));
            end.ip(&format!("link set {interface} up"));
        }
    }

    /// Runs ip(8) in it.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        must(
            Command::new("ip")
                .args(["-n", &self.name])
                .args(arguments.split(' ')),
        )
    }

    /// A program that will run in it; its process is the program's own.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing useful can be done if it is gone already.
        Command::new("ip")
            .args(["netns", "delete", &self.name])
            .status()
            .ok();
    }
}
