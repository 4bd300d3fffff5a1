//! The complete network of the article: client, router and node, each in its own namespace.
//!
//! The router is FRR as pfSense configures it, with routes in its kernel. The node runs speakerd with the article's
//! ConfigMap, and a web server on the address of the first service.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use speakerd_testkit::{
    FRR_WITH_ZEBRA, Launch, Namespace, Place, Process, Router, eventually, run as run_to_its_end,
    run_ok, vtysh,
};

use super::frr::{expect_row, row};

/// The policy of the router for the routes of the node.
pub(crate) enum Policy {
    /// As in the article, which attaches its route map to no neighbor.
    Unattached,
    /// As the article intends: only prefixes of the pool are accepted.
    PrefixListInbound,
}

impl Policy {
    /// Applies the policy to the running router.
    fn apply(&self, router: &Router) {
        match self {
            Self::Unattached => {}
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

/// Allocates and releases an address, and checks the tables, the kernel, the service and the wire.
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
    // The web server may not listen yet.
    let answer = eventually("the answer of the service", || {
        Some(lab.curl()).filter(|output| output.status.success())
    });
    assert_eq!(
        String::from_utf8_lossy(&answer.stdout),
        "served by the node\n"
    );

    check_refused_prefixes(&lab, &router);
    check_route_refresh(&router);
    check_repeated_allocation(&lab);

    run_ok(lab.speakerctl().args(["release", "test-lb", "--wait"]));
    eventually("no route in the router's table", || {
        row(&router, "192.168.10.1/32").is_none().then_some(())
    });
    lab.expect_kernel_route(false);
    assert!(
        !lab.curl().status.success(),
        "the service is still reachable"
    );

    assert_eq!(speakerd.terminate(), Some(0));
    eventually("the reason of the shutdown at the router", || {
        let neighbor = vtysh(&router, &["show bgp neighbors 192.168.0.111"]);
        neighbor.contains("Administrative Shutdown").then_some(())
    });
    drop(web);
    capture.terminate();
    let captured = std::fs::read(lab.root.join("bgp.pcap")).expect("a capture");
    // An NLRI is the prefix length and the octets of the prefix (RFC 4271 section 4.3).
    assert!(
        contains(&captured, &[32, 192, 168, 10, 1]),
        "the announced prefix is missing in the capture"
    );
    assert!(
        !contains(&captured, &[32, 172, 16, 5, 5]),
        "the capture contains the refused prefix"
    );
}

/// Checks that speakerd refuses a prefix outside of the pools, and a prefix of a layer 2 pool.
fn check_refused_prefixes(lab: &Lab, router: &Router) {
    let refused = run_to_its_end(
        lab.speakerctl()
            .args(["announce", "172.16.5.5/32", "--wait"]),
    );
    assert_eq!(refused.status.code(), Some(1));
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(
        message.contains("172.16.5.5/32") && message.contains("192.168.10.0/24"),
        "{message}"
    );
    let layer2 = run_to_its_end(lab.speakerctl().args(["announce", "192.168.0.60/32"]));
    assert!(
        String::from_utf8_lossy(&layer2.stderr).contains("layer2"),
        "{layer2:?}"
    );
    assert_eq!(row(router, "172.16.5.5/32"), None);
}

/// Checks that speakerd answers a ROUTE-REFRESH (RFC 2918), which FRR sends when its inbound policy changes.
fn check_route_refresh(router: &Router) {
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
    // Without soft reconfiguration FRR can apply the policy only to routes that it receives again.
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

/// Checks that a repeated allocation of a name returns the same address.
fn check_repeated_allocation(lab: &Lab) {
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

/// Returns `true` if `octets` contains `wanted`.
fn contains(octets: &[u8], wanted: &[u8]) -> bool {
    octets.windows(wanted.len()).any(|window| window == wanted)
}

/// The namespaces of the network, and the directory of all files.
struct Lab {
    root: PathBuf,
    client: Namespace,
    router: Namespace,
    node: Namespace,
}

impl Lab {
    /// Creates the namespaces with their links, addresses and routes.
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
        // A new namespace does not forward packets.
        run_ok(
            lab.router
                .command("sysctl")
                .args(["-qw", "net.ipv4.ip_forward=1"]),
        );
        // In a cluster, kube-proxy accepts traffic for the address of the service. Here the node owns the address.
        lab.node.ip("address add 192.168.10.1/32 dev lo");
        lab
    }

    /// Creates a directory and returns its path.
    fn directory(&self, name: &str) -> PathBuf {
        let directory = self.root.join(name);
        std::fs::create_dir(&directory).expect("a directory");
        directory
    }

    /// Starts a capture of BGP on the router's link to the node.
    fn capture(&self) -> Process {
        let mut command = self.router.command("tcpdump");
        command
            // -U writes each packet at once, and root may write to the directory, unlike tcpdump's own user.
            .args(["-i", "lan", "--immediate-mode", "-U", "-Z", "root", "-w"])
            .arg(self.root.join("bgp.pcap"))
            .arg("tcp port 179");
        let capture = Process::start(command, self.root.join("tcpdump.log"));
        eventually("the start of the capture", || {
            capture.output().contains("listening on").then_some(())
        });
        capture
    }

    /// Starts a web server on the address of the service.
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

    /// Starts speakerd and waits until its session is Established.
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
        eventually("Established", || {
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

    /// Returns a speakerctl for the control socket. It needs no namespace, because the socket is a file.
    fn speakerctl(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_speakerctl"));
        command.arg("--socket").arg(self.socket());
        command
    }

    /// Requests the page of the service from the client.
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

    /// Waits until the router's kernel has the route to the service, or no longer has it.
    fn expect_kernel_route(&self, expected: bool) {
        let what = if expected {
            "the route in the router's kernel"
        } else {
            "no route in the router's kernel"
        };
        eventually(what, || {
            let routes = self.router.ip("route show 192.168.10.1");
            (routes.contains("via 192.168.0.111") == expected).then_some(())
        });
    }
}
