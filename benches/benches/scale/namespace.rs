//! The network namespace in which this program runs itself again, and its addresses.

use speakerd_testkit::Enclosure;

/// Ours and the router's address, as in the article that the project begins with.
pub(crate) const OURS: &str = "192.168.0.111";
pub(crate) const ROUTER: &str = "192.168.0.254";

/// The neighbors of many sessions are in 10.99.0.0/16. The default congestion control of a host may be one that paces.
const SETUP: &str = "ip link set lo up
ip address add 192.168.0.111/24 dev lo
ip address add 192.168.0.254/24 dev lo
ip route add local 10.99.0.0/16 dev lo
echo reno > /proc/sys/net/ipv4/tcp_congestion_control";

/// The namespace, with those addresses.
pub(crate) fn enclosure() -> Enclosure {
    Enclosure::new(SETUP)
}
