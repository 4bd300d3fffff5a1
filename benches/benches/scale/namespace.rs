//! The network namespace in which this program runs itself again, and the addresses in it.

use speakerd_testkit::Enclosure;

/// The addresses of the speaker and of the router, as in the article that the README's demo follows.
pub(crate) const OURS: &str = "192.168.0.111";
pub(crate) const ROUTER: &str = "192.168.0.254";

/// The commands that set the namespace up. The neighbors of many sessions are in 10.99.0.0/16.
// BBR, the default of some hosts, paces its packets, which would be measured as the speaker's time.
const SETUP: &str = "ip link set lo up
ip address add 192.168.0.111/24 dev lo
ip address add 192.168.0.254/24 dev lo
ip route add local 10.99.0.0/16 dev lo
echo reno > /proc/sys/net/ipv4/tcp_congestion_control";

/// Returns the namespace with these addresses.
pub(crate) fn enclosure() -> Enclosure {
    Enclosure::new(SETUP)
}
