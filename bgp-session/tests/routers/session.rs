//! Sessions with a router: routes are announced and withdrawn, also with MD5 keys, with TTL security and over IPv6.

use std::time::Duration;

use bgp_session::{Peer, PeerConfig};
use ipnet::IpNet;
use speakerd_testkit::holds_for;

use crate::router::{Kind, Router};
use crate::setup::{Dialling, Gtsm, Setup, key};
use crate::speaker::{OurSpeaker, expect_established, is_established};

/// The time for which a session must stay down if we dial.
const REFUSAL_TIME: Duration = Duration::from_secs(2);

/// Announces a route of each family and withdraws it: the router has it, and then no longer has it.
pub(crate) fn routes(kind: &'static Kind, setup: &Setup) {
    let ours = OurSpeaker::start(setup, false);
    let peer = ours.add(setup.peer());
    let router = Router::start(kind, setup);
    expect_established(&peer);
    let next_hops = [setup.our_ipv4().into(), setup.our_ipv6().into()];
    for (prefix, next_hop) in prefixes().into_iter().zip(next_hops) {
        ours.announce(prefix);
        router.expect(prefix, next_hop);
    }
    for prefix in prefixes() {
        assert_eq!(ours.speaker.withdraw(prefix), Ok(true));
        router.expect_none(prefix);
    }
    assert!(is_established(&peer));
}

/// Checks that a session needs the same key on both sides (RFC 2385).
pub(crate) fn md5(kind: &'static Kind, setup: &Setup) {
    routes(kind, setup);
    let other = setup.elsewhere(1);
    let config = other.peer().with_md5_key(key("another-key"));
    refused(kind, &other, config, |peer| !is_established(peer));
}

/// Checks that each side with TTL security refuses packets from further away (RFC 5082).
pub(crate) fn gtsm(kind: &'static Kind, setup: &Setup) {
    routes(kind, setup);
    // One side without TTL security sends with the usual TTL, which the other side refuses.
    let off = |setup| Setup {
        gtsm: Gtsm::Off,
        ..setup
    };
    let near = setup.elsewhere(1);
    refused(kind, &off(near), near.peer(), |peer| !is_established(peer));
    if setup.gtsm == Gtsm::Both {
        let far = setup.elsewhere(2);
        // We accept the router's packets, so our side may become Established; only the router's table decides.
        refused(kind, &far, off(far).peer().with_ttl(254), |_| true);
    }
}

/// Checks for some time that the router does not have our route and that `condition` holds for the peer.
fn refused(kind: &'static Kind, setup: &Setup, config: PeerConfig, condition: fn(&Peer) -> bool) {
    let ours = OurSpeaker::start(setup, false);
    let [prefix, _] = prefixes();
    ours.announce(prefix);
    let peer = ours.add(config);
    let router = Router::start(kind, setup);
    let duration = match setup.dialling {
        Dialling::Us => REFUSAL_TIME,
        Dialling::Router | Dialling::Both => kind.dial_timeout,
    };
    holds_for(duration, "refused", || {
        condition(&peer) && !router.has(prefix)
    });
}

/// Returns the prefixes to announce, one of each family.
pub(crate) fn prefixes() -> [IpNet; 2] {
    ["192.168.10.1/32", "2001:db8:10::1/128"].map(|text| text.parse().unwrap())
}
