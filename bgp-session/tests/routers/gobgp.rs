//! GoBGP.

use std::time::Duration;

use ipnet::IpNet;
use speakerd_testkit::GOBGP as PROGRAM;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static GOBGP: Kind = Kind {
    program: &PROGRAM,
    helps: true,
    gtsm: Gtsm::Both,
    // After five to nine seconds, whatever it is told.
    dials_within: Duration::from_secs(11),
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
    let families: String = ["ipv4-unicast", "ipv6-unicast"]
        .map(|name| family(setup, name))
        .concat();
    format!(
        "[global.config]
as = {as_number}
router-id = \"{id}\"
local-address-list = [\"{theirs}\"]
[[neighbors]]
[neighbors.config]
neighbor-address = \"{ours}\"
peer-as = {OUR_AS}
{md5}
[neighbors.transport.config]
local-address = \"{theirs}\"
passive-mode = {passive}
[neighbors.timers.config]
connect-retry = 1
{gtsm}{restart}{families}",
        id = setup.theirs_ipv4(),
        ours = setup.ours(),
        theirs = setup.theirs(),
        as_number = setup.their_as(),
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

fn family(setup: &Setup, name: &str) -> String {
    let restart = "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n";
    format!(
        "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"{name}\"\n{}",
        when(setup.restart, restart)
    )
}
