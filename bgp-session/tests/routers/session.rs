//! Sessions with a router, whoever dials: routes arrive and go, with keys, with a limited TTL, over IPv6.

use std::time::Duration;

use bgp_session::{Peer, PeerConfig};
use ipnet::IpNet;
use speakerd_testkit::holds_for;

use crate::ours::{Ours, expect_established, is_established};
use crate::router::{Kind, Router};
use crate::setup::{Dialling, Gtsm, Setup, key};

/// How long a session that must not be is waited for, where we dial.
const NEVER: Duration = Duration::from_secs(2);

/// Routes of both families arrive, and are gone again once they are withdrawn.
pub(crate) fn routes(kind: &'static Kind, setup: &Setup) {
    let ours = Ours::start(setup, false);
    let peer = ours.add(setup.peer());
    let router = Router::start(kind, setup);
    expect_established(&peer);
    let next_hops = [setup.ours_ipv4().into(), setup.ours_ipv6().into()];
    for (prefix, next_hop) in prefixes().into_iter().zip(next_hops) {
        ours.announce(prefix);
        router.expect(prefix, next_hop);
    }
    for prefix in prefixes() {
        assert!(ours.speaker.withdraw(prefix));
        router.expect_none(prefix);
    }
    assert!(is_established(&peer));
}

/// With the same key there is a session; with another one there is none.
pub(crate) fn md5(kind: &'static Kind, setup: &Setup) {
    routes(kind, setup);
    let other = setup.elsewhere(1);
    let config = other.peer().with_md5_key(key("another-key"));
    refused(kind, &other, config, |peer| !is_established(peer));
}

/// What may have come from further away is not taken.
pub(crate) fn gtsm(kind: &'static Kind, setup: &Setup) {
    routes(kind, setup);
    let off = |setup| Setup {
        gtsm: Gtsm::Off,
        ..setup
    };
    let near = setup.elsewhere(1);
    refused(kind, &off(near), near.peer(), |peer| !is_established(peer));
    if setup.gtsm == Gtsm::Both {
        let far = setup.elsewhere(2);
        // The router's own messages arrive, so that there may be a session for us.
        refused(kind, &far, off(far).peer().with_ttl(254), |_| true);
    }
}

/// A router never has our route, and it is so with the peer.
fn refused(kind: &'static Kind, setup: &Setup, config: PeerConfig, so: fn(&Peer) -> bool) {
    let ours = Ours::start(setup, false);
    let [prefix, _] = prefixes();
    ours.announce(prefix);
    let peer = ours.add(config);
    let router = Router::start(kind, setup);
    let never = match setup.dialling {
        Dialling::We => NEVER,
        Dialling::It | Dialling::Both => kind.dials_within,
    };
    holds_for(never, "refused", || so(&peer) && !router.has(prefix));
}

fn prefixes() -> [IpNet; 2] {
    ["192.168.10.1/32", "2001:db8:10::1/128"].map(|text| text.parse().unwrap())
}
