//! BIRD 2.

use std::time::Duration;

use speakerd_testkit::BIRD as PROGRAM;

use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static BIRD: Kind = Kind {
    program: &PROGRAM,
    helps: true,
    gtsm: Gtsm::Both,
    dials_within: Duration::from_secs(3),
    configuration,
    show: |prefix| format!("show route {prefix} all"),
    shows: |answer, prefix| answer.contains(&format!("{prefix} ")),
};

/// BIRD takes no neighbor on a loopback device for one on its link, so it is said to be one hop away.
fn configuration(setup: &Setup) -> String {
    format!(
        "log stderr all;
router id {id};
protocol device {{ }}
protocol bgp speaker {{
  local {theirs} as {as_number};
  neighbor {ours} as {OUR_AS};
  strict bind yes;
  multihop 1;
  connect delay time 0;
  connect retry time 1;
  error wait time 1, 2;
{passive}{md5}{gtsm}  ipv4 {{ import all; export none; }};
  ipv6 {{ import all; export none; }};
}}
",
        id = setup.theirs_ipv4(),
        ours = setup.ours(),
        theirs = setup.theirs(),
        as_number = setup.their_as(),
        passive = when(setup.router_is_passive(), "  passive yes;\n"),
        md5 = when(setup.md5, &format!("  password \"{KEY}\";\n")),
        gtsm = when(setup.gtsm != Gtsm::Off, "  ttl security yes;\n"),
    )
}
