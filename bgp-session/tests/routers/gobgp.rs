//! The configuration and commands of GoBGP.

use std::net::IpAddr;
use std::time::Duration;

use bgp_wire::Family;
use ipnet::IpNet;
use speakerd_testkit::GOBGP as PROGRAM;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static GOBGP: Kind = Kind {
    program: &PROGRAM,
    keeps_routes: true,
    gtsm: Gtsm::Both,
    // GoBGP first dials five to nine seconds after its start, whatever its configured timers.
    dial_timeout: Duration::from_secs(11),
    configuration,
    show: |prefix| {
        let family = match prefix {
            IpNet::V4(_) => "ipv4",
            IpNet::V6(_) => "ipv6",
        };
        format!("global rib {prefix} -a {family} -j")
    },
    shows: |answer, prefix| answer.contains(&prefix.to_string()),
};

fn configuration(setup: &Setup) -> String {
    global(setup, &[setup.router_address()])
        + &neighbor(setup, setup.our_address(), setup.router_address(), OUR_AS)
}

/// Returns the global part of a configuration, for a router that listens on these addresses.
pub(crate) fn global(setup: &Setup, addresses: &[IpAddr]) -> String {
    let addresses: Vec<_> = addresses.iter().map(|it| format!("\"{it}\"")).collect();
    format!(
        "[global.config]
as = {as_number}
router-id = \"{id}\"
local-address-list = [{addresses}]
",
        as_number = setup.router_as(),
        id = setup.router_ipv4(),
        addresses = addresses.join(", "),
    )
}

/// Returns the part of a configuration for the session from `local` to the neighbor at `address`.
pub(crate) fn neighbor(setup: &Setup, address: IpAddr, local: IpAddr, peer_as: u32) -> String {
    let families: String = setup.families.iter().map(|it| family(setup, *it)).collect();
    format!(
        "[[neighbors]]
[neighbors.config]
neighbor-address = \"{address}\"
peer-as = {peer_as}
{md5}
[neighbors.transport.config]
local-address = \"{local}\"
passive-mode = {passive}
[neighbors.timers.config]
connect-retry = 1
{gtsm}{restart}{families}",
        passive = setup.router_is_passive(),
        md5 = when(setup.md5, &format!("auth-password = \"{KEY}\"")),
        gtsm = when(
            setup.gtsm != Gtsm::Off,
            "[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255\n"
        ),
        restart = when(
            setup.restart,
            "[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 60\n"
        ),
    )
}

/// Returns the part of a configuration for one family of a neighbor.
fn family(setup: &Setup, family: Family) -> String {
    let name = match family {
        Family::IPV4_UNICAST => "ipv4-unicast",
        Family::IPV6_UNICAST => "ipv6-unicast",
        Family::IPV4_LABELED => "ipv4-labelled-unicast",
        Family::IPV6_LABELED => "ipv6-labelled-unicast",
        Family::IPV4_VPN => "l3vpn-ipv4-unicast",
        Family::IPV6_VPN => "l3vpn-ipv6-unicast",
        Family::IPV4_FLOWSPEC => "ipv4-flowspec",
        Family::IPV6_FLOWSPEC => "ipv6-flowspec",
        Family::IPV4_FLOWSPEC_VPN => "l3vpn-ipv4-flowspec",
        Family::IPV6_FLOWSPEC_VPN => "l3vpn-ipv6-flowspec",
        Family::L2VPN_EVPN => "l2vpn-evpn",
        Family::ROUTE_TARGET => "rtc",
        _ => panic!("GoBGP has no {family}"),
    };
    // GoBGP lists only the families with this setting in its Graceful Restart capability.
    let restart = "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n";
    format!(
        "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{name}\"\n{}",
        when(setup.restart, restart)
    )
}
