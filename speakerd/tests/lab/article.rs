//! The article's set-up, whole: client - router - node, each in a namespace of its own.
//!
//! The router is FRR as pfSense configures it, with routes in its kernel. The node runs speakerd on the article's
//! ConfigMap and a web server on the address of the first service.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use speakerd_testkit::{
    FRR_WITH_ZEBRA, Launch, Namespace, Place, Process, Router, eventually, run as run_to_its_end,
    run_ok, vtysh,
};

use super::frr::{expect_row, row};

/// What the router does with what the node announces.
pub(crate) enum Policy {
    /// As the article leaves it: the route map is attached to nothing.
    AsLeft,
    /// As the article means it: only prefixes of the pool are let in.
    PrefixListInbound,
}

impl Policy {
    fn apply(&self, router: &Router) {
        match self {
            Self::AsLeft => {}
            Self::PrefixListInbound => {
                let family = "address-family ipv4 unicast";
                let policy = "neighbor 192.168.0.111 prefix-list MetalLB_k8s in";
                vtysh(
                    router,
                    &["configure terminal", "router bgp 64512", family, policy],
                );
            }
        }
    }
}

pub(crate) fn run(policy: &Policy) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let lab = Lab::build(directory.path());
    let launch = Launch::new(include_str!("pfsense-frr.conf"), [192, 168, 0, 254].into());
    let place = Place::Namespace(&lab.router);
    let router = Router::start(&FRR_WITH_ZEBRA, &launch.with_place(place));
    policy.apply(&router);
    let capture = lab.capture();
    let web = lab.web_server();
    let speakerd = lab.speakerd();

    let allocated = run_ok(lab.speakerctl().args(["allocate", "test-lb", "--wait"]));
    assert_eq!(
        allocated,
        "test-lb 192.168.10.1 of pool default; announced 192.168.10.1/32\n"
    );
    expect_row(
        &router,
        "*>i192.168.10.1/32  192.168.0.111                   0      0 ?",
    );
    lab.expect_kernel_route(true);
    let answer = eventually("an answer", || {
        Some(lab.curl()).filter(|output| output.status.success())
    });
    assert_eq!(
        String::from_utf8_lossy(&answer.stdout),
        "served by the node\n"
    );

    refuses_what_is_outside_the_pools(&lab, &router);
    answers_a_refresh(&router);
    the_same_name_gets_the_same_address(&lab);

    run_ok(lab.speakerctl().args(["release", "test-lb", "--wait"]));
    eventually("the route leaves the router's table", || {
        row(&router, "192.168.10.1/32").is_none().then_some(())
    });
    lab.expect_kernel_route(false);
    assert!(
        !lab.curl().status.success(),
        "nobody leads to the service any more"
    );

    assert_eq!(speakerd.terminate(), Some(0));
    eventually("the router was told why", || {
        let neighbor = vtysh(&router, &["show bgp neighbors 192.168.0.111"]);
        neighbor.contains("Administrative Shutdown").then_some(())
    });
    drop(web);
    capture.terminate();
    let captured = std::fs::read(lab.root.join("bgp.pcap")).expect("a capture");
    assert!(
        contains(&captured, &[32, 192, 168, 10, 1]),
        "what was announced was captured"
    );
    assert!(
        !contains(&captured, &[32, 172, 16, 5, 5]),
        "what was refused never reached the wire"
    );
}

fn refuses_what_is_outside_the_pools(lab: &Lab, router: &Router) {
    let refused = run_to_its_end(
        lab.speakerctl()
            .args(["announce", "172.16.5.5/32", "--wait"]),
    );
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        said.contains("172.16.5.5/32") && said.contains("192.168.10.0/24"),
        "{said}"
    );
    let layer2 = run_to_its_end(lab.speakerctl().args(["announce", "192.168.0.60/32"]));
    assert!(
        String::from_utf8_lossy(&layer2.stderr).contains("layer2"),
        "{layer2:?}"
    );
    assert_eq!(row(router, "172.16.5.5/32"), None);
}

/// FRR asks for the routes again when its policy changes: only an answer lets the new policy show.
fn answers_a_refresh(router: &Router) {
    let attach = |line: &str| {
        vtysh(
            router,
            &[
                "configure terminal",
                "router bgp 64512",
                "address-family ipv4 unicast",
                line,
            ],
        );
    };
    vtysh(
        router,
        &[
            "configure terminal",
            "route-map PREFER permit 10",
            "set local-preference 200",
        ],
    );
    attach("neighbor 192.168.0.111 route-map PREFER in");
    expect_row(
        router,
        "*>i192.168.10.1/32  192.168.0.111                 200      0 ?",
    );
    attach("no neighbor 192.168.0.111 route-map PREFER in");
    expect_row(
        router,
        "*>i192.168.10.1/32  192.168.0.111                   0      0 ?",
    );
}

fn the_same_name_gets_the_same_address(lab: &Lab) {
    let again = run_ok(lab.speakerctl().args(["allocate", "test-lb"]));
    assert_eq!(
        again,
        "test-lb 192.168.10.1 (as before) of pool default; announced 192.168.10.1/32\n"
    );
    let routes = run_ok(lab.speakerctl().args(["routes", "--json"]));
    assert!(routes.starts_with(r#"[{"communities":[],"local-pref":0,"med":null,"next-hop":null,"origin":"incomplete","prefix":"192.168.10.1/32","#), "{routes}");
    let peers = run_ok(lab.speakerctl().args(["peers"]));
    assert!(
        peers.contains("192.168.0.254") && peers.contains("Established"),
        "{peers}"
    );
}

fn contains(octets: &[u8], wanted: &[u8]) -> bool {
    octets.windows(wanted.len()).any(|window| window == wanted)
}

struct Lab {
    root: PathBuf,
    client: Namespace,
    router: Namespace,
    node: Namespace,
}

impl Lab {
    fn build(root: &Path) -> Self {
        let lab = Self {
            root: root.to_owned(),
            client: Namespace::new("client"),
            router: Namespace::new("router"),
            node: Namespace::new("node"),
        };
        lab.client.join(
            "eth0",
            "192.168.1.50/24",
            &lab.router,
            "opt1",
            "192.168.1.1/24",
        );
        lab.node.join(
            "eth0",
            "192.168.0.111/24",
            &lab.router,
            "lan",
            "192.168.0.254/24",
        );
        lab.client.ip("route add default via 192.168.1.1");
        lab.node.ip("route add default via 192.168.0.254");
        run_ok(
            lab.router
                .command("sysctl")
                .args(["-qw", "net.ipv4.ip_forward=1"]),
        );
        lab.node.ip("address add 192.168.10.1/32 dev lo");
        lab
    }

    fn directory(&self, name: &str) -> PathBuf {
        let directory = self.root.join(name);
        std::fs::create_dir(&directory).expect("a directory");
        directory
    }

    fn capture(&self) -> Process {
        let mut command = self.router.command("tcpdump");
        command
            .args(["-i", "lan", "--immediate-mode", "-U", "-Z", "root", "-w"])
            .arg(self.root.join("bgp.pcap"))
            .arg("tcp port 179");
        let capture = Process::start(command, self.root.join("tcpdump.log"));
        eventually("the capture has begun", || {
            capture.output().contains("listening on").then_some(())
        });
        capture
    }

    fn web_server(&self) -> Process {
        let pages = self.directory("www");
        std::fs::write(pages.join("index.html"), "served by the node\n").expect("a page");
        let mut command = self.node.command("python3");
        command
            .args([
                "-m",
                "http.server",
                "80",
                "--bind",
                "192.168.10.1",
                "--directory",
            ])
            .arg(&pages);
        Process::start(command, self.root.join("www.log"))
    }

    fn speakerd(&self) -> Process {
        let config = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/article.yaml");
        let mut command = self.node.command(env!("CARGO_BIN_EXE_speakerd"));
        command
            .args(["--config", config, "--control-socket"])
            .arg(self.socket());
        command
            .arg("--state-directory")
            .arg(self.root.join("state"));
        let speakerd = Process::start(command, self.root.join("speakerd.log"));
        eventually("the session is up", || {
            let peers = run_to_its_end(self.speakerctl().arg("peers"));
            String::from_utf8_lossy(&peers.stdout)
                .contains("Established")
                .then_some(())
        });
        assert!(
            speakerd
                .output()
                .contains("pool `layer2` is not announced by BGP"),
            "{}",
            speakerd.output()
        );
        speakerd
    }

    fn socket(&self) -> PathBuf {
        self.root.join("speakerd.sock")
    }

    fn speakerctl(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_speakerctl"));
        command.arg("--socket").arg(self.socket());
        command
    }

    fn curl(&self) -> Output {
        let mut curl = self.client.command("curl");
        run_to_its_end(curl.args([
            "--silent",
            "--show-error",
            "--max-time",
            "2",
            "http://192.168.10.1/",
        ]))
    }

    fn expect_kernel_route(&self, there: bool) {
        let what = if there {
            "the route in the router's kernel"
        } else {
            "the route leaves the router's kernel"
        };
        eventually(what, || {
            let routes = self.router.ip("route show 192.168.10.1");
            (routes.contains("via 192.168.0.111") == there).then_some(())
        });
    }
}
