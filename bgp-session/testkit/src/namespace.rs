//! Named network namespaces, for a test that joins several.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::command::run_ok;

/// A network namespace, deleted with its handle. Needs root.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace whose loopback is up. `role` is a part of its name.
    #[must_use]
    pub fn new(role: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = Self {
            name: format!("speakerd-{}-{number}-{role}", std::process::id()),
        };
        run_ok(Command::new("ip").args(["netns", "add", &namespace.name]));
        namespace.ip("link set lo up");
        namespace
    }

    /// The name, as ip(8) takes it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Joins two namespaces by a veth pair. Each end has an interface name and an address with its length.
    pub fn join(
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
        run_ok(link.args(["peer", "name", other_interface, "netns", &other.name]));
        for (end, interface, address) in [
            (self, interface, address),
            (other, other_interface, other_address),
        ] {
            end.ip(&format!("address add {address} dev {interface}"));
            end.ip(&format!("link set {interface} up"));
        }
    }

    /// Runs ip(8) in the namespace, and returns what it printed. `arguments` are separated by single spaces.
    pub fn ip(&self, arguments: &str) -> String {
        let mut ip = Command::new("ip");
        ip.args(["-n", &self.name]).args(arguments.split(' '));
        run_ok(&mut ip)
    }

    /// Returns a command that runs `program` in the namespace. Its process is the program's own.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // There is nothing to do about a namespace that is gone already.
        let mut delete = Command::new("ip");
        delete.args(["netns", "delete", &self.name]).status().ok();
    }
}
