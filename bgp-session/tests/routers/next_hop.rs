//! Next hops of the address family that the session does not run over: addresses of the session's interface.

use std::process::Command;

use bgp_session::{ExportPolicy, PeerConfig, WithheldReason};
use bgp_wire::Asn;
use speakerd_testkit::{eventually, run_ok};

use crate::router::{Kind, Router};
use crate::session::prefixes;
use crate::setup::{Setup, interface, quick_retry};
use crate::speaker::{OurSpeaker, expect_established};

/// Announces a route of each address family without a next hop. The router is sent our address of the route's family, which
/// changes with the addresses of the interface.
pub(crate) fn is_of_interface(kind: &'static Kind, setup: &Setup) {
    let ours = OurSpeaker::start(setup, false);
    // No next hops, unlike `Setup::peer`.
    let config = PeerConfig::new(setup.router_address(), Asn::new(setup.router_as()))
        .with_source_address(setup.our_address())
        .with_retry(quick_retry())
        .with_export(ExportPolicy::all());
    let peer = ours.add(config);
    let router = Router::start(kind, setup);
    expect_established(&peer);
    let [prefix, other_prefix] = prefixes();
    for (prefix, next_hop) in [
        (prefix, setup.our_ipv4().into()),
        (other_prefix, setup.our_ipv6().into()),
    ] {
        ours.announce(prefix);
        router.expect(prefix, next_hop);
    }
    assert!(ours.wait(peer.flush()).is_complete());

    // The address family that the session does not run over.
    let (prefix, old, new, length) = if setup.ipv6 {
        let address = setup.our_ipv4();
        let [first, second, third, _] = address.octets();
        let new = [first, second, third, 9].into();
        (prefix, address.to_string(), std::net::IpAddr::V4(new), 24)
    } else {
        let address = setup.our_ipv6();
        let new = (address.to_bits() + 8).into();
        (
            other_prefix,
            address.to_string(),
            std::net::IpAddr::V6(new),
            64,
        )
    };
    change_addresses(&ours, setup, &format!("delete {old}/{length}"));
    router.expect_none(prefix);
    eventually("the route is withheld", || {
        let withheld = peer.status().withheld;
        (withheld.count(WithheldReason::NoNextHop) == 1).then_some(())
    });
    change_addresses(&ours, setup, &format!("add {new}/{length}"));
    router.expect(prefix, new);
    let flushed = ours.wait(peer.flush());
    assert!(flushed.is_complete(), "{}", flushed.withheld);
}

/// Changes the addresses of our interface, and reports that unless the speaker notices it.
fn change_addresses(ours: &OurSpeaker, setup: &Setup, change: &str) {
    let mut ip = Command::new("ip");
    ip.arg("address").args(change.split(' '));
    ip.args(["dev", &interface(setup.number)]);
    if change.contains("::") && change.starts_with("add") {
        // Without duplicate address detection, which leaves an address unusable for a second.
        ip.arg("nodad");
    }
    run_ok(&mut ip);
    if !cfg!(feature = "netlink") {
        ours.speaker.refresh_addresses();
    }
}
