//! GoBGP.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ipnet::IpNet;

use crate::process::run;
use crate::router::Kind;
use crate::setup::{Gtsm, KEY, OUR_AS, Setup, when};

pub(crate) static GOBGP: Kind = Kind {
    name: "gobgp",
    programs: &["gobgpd", "gobgp"],
    needs_root: false,
    helps: true,
    gtsm: Gtsm::Both,
    // After five to nine seconds, whatever it is told.
    dials_within: Duration::from_secs(11),
    configure,
    is_ready: |directory| {
        socket(directory).exists()
            && ask(directory, &["global"]).is_some_and(|text| text.contains("AS:"))
    },
    route,
};

fn configure(setup: &Setup, directory: &Path) -> Command {
    let file = directory.join("gobgpd.toml");
    std::fs::write(&file, configuration(setup)).unwrap();
    let mut command = Command::new("gobgpd");
    command
        .args(["--pprof-disable", "-t", "toml", "-f"])
        .arg(file);
    command.arg("--api-hosts").arg(target(directory));
    command
}

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

fn route(directory: &Path, prefix: IpNet) -> Option<String> {
    let family = if prefix.addr().is_ipv4() {
        "ipv4"
    } else {
        "ipv6"
    };
    let prefix = prefix.to_string();
    let answer = ask(directory, &["global", "rib", &prefix, "-a", family, "-j"]);
    let answer = answer.expect("gobgpd answers");
    answer.contains(&prefix).then_some(answer)
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("api")
}

fn target(directory: &Path) -> String {
    format!("unix://{}", socket(directory).display())
}

fn ask(directory: &Path, words: &[&str]) -> Option<String> {
    let mut gobgp = Command::new("gobgp");
    run(gobgp.arg("--target").arg(target(directory)).args(words))
}
