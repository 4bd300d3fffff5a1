//! Creates named network namespaces, for a test that connects several.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::command::run_ok;

/// A named network namespace that its handle deletes on drop. Needs root.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Creates a namespace whose loopback interface is up. `role` becomes part of its name. Panics if ip(8) fails.
    #[must_use]
    pub fn new(role: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // A process id and a number make the name unique: tests run at once, in several programs.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = Self {
            name: format!("speakerd-{}-{number}-{role}", std::process::id()),
        };
        run_ok(Command::new("ip").args(["netns", "add", &namespace.name]));
        // A new namespace starts with its loopback interface down.
        namespace.ip("link set lo up");
        namespace
    }

    /// Returns the name, as ip(8) accepts it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connects two namespaces with a veth pair. Each end has an interface name and an address with its prefix length.
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

    /// Runs ip(8) in the namespace and returns its output. Single spaces separate the `arguments`. Panics if ip(8) fails.
    pub fn ip(&self, arguments: &str) -> String {
        let mut ip = Command::new("ip");
        ip.args(["-n", &self.name]).args(arguments.split(' '));
        run_ok(&mut ip)
    }

    /// Returns a command that runs `program` in the namespace. A signal to its process id reaches the program itself.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        // ip(8) replaces itself by the program, so both have the same process id.
        command.args(["netns", "exec", &self.name, program]);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Ignored: a namespace that cannot be deleted is usually deleted already, and a panic here may be the second.
        let mut delete = Command::new("ip");
        delete.args(["netns", "delete", &self.name]).status().ok();
    }
}
