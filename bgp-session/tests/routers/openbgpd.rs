//! OpenBGPD.

use std::time::Duration;

use speakerd_testkit::OPENBGPD as PROGRAM;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static OPENBGPD: Kind = Kind {
    program: &PROGRAM,
    helps: true,
    gtsm: Gtsm::Both,
    dials_within: Duration::from_secs(3),
    configuration,
    show: |prefix| format!("-j show rib {prefix}"),
    shows: |answer, prefix| answer.contains(&prefix.to_string()),
};

fn configuration(setup: &Setup) -> String {
    format!(
        "AS {as_number}
router-id {id}
listen on {theirs}
fib-update no
connect-retry 1
neighbor {ours} {{
  remote-as {OUR_AS}
  announce IPv4 unicast
  announce IPv6 unicast
{passive}{address}{md5}{gtsm}}}
allow from any
",
        id = setup.theirs_ipv4(),
        ours = setup.ours(),
        theirs = setup.theirs(),
        as_number = setup.their_as(),
        // A peer with an local address gets no key on the socket that listens.
        address = when(
            !setup.router_is_passive(),
            &format!("  local-address {}\n", setup.theirs())
        ),
        passive = when(setup.router_is_passive(), "  passive\n"),
        md5 = when(setup.md5, &format!("  tcp md5sig password \"{KEY}\"\n")),
        gtsm = when(setup.gtsm != Gtsm::Off, "  ttl-security yes\n"),
    )
}
