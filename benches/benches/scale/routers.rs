//! BIRD and FRR as senders and receivers of the benchmarks.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use speakerd_testkit::{BIRD, FRR, Launch, Program, Router, Terminal};

use crate::child::{directory, wait_for};
use crate::namespace::{OURS, ROUTER};

/// A router whose routes are counted.
pub(crate) struct CountedRouter {
    router: Router,
    terminal: Terminal,
    /// The command whose answer contains the number of routes.
    command: &'static str,
    /// The text before the number.
    before: &'static str,
}

impl CountedRouter {
    /// Starts BIRD in our place with static routes, and waits until it has them. Returns `None` if it is not installed.
    pub(crate) fn bird_sender(routes: u32) -> Option<Self> {
        let file = directory("bird-sender").join(format!("routes-{routes}.conf"));
        let mut text = String::new();
        for number in 0..routes {
            let address = Ipv4Addr::from(0x0a00_0000 + number);
            text.push_str(&format!("route {address}/32 blackhole;\n"));
        }
        fs::write(&file, text).expect("a writable target directory");
        let configuration = format!(
            "router id {OURS};\nprotocol device {{}}\nprotocol static st {{ ipv4;\ninclude \"{}\";\n}}\n\
             protocol bgp peer1 {{ local {OURS} as 64512; neighbor {ROUTER} as 64512; passive; multihop;\n\
             error wait time 1,2; ipv4 {{ import none; next hop self; export filter {{ bgp_local_pref = 0;\n\
             bgp_origin = ORIGIN_INCOMPLETE; accept; }}; }}; }}\n",
            file.display()
        );
        let mut bird = Self::bird(configuration, OURS, "show protocols all st")?;
        wait_for("BIRD's table", Duration::from_millis(50), || {
            (bird.routes() >= routes.into()).then_some(())
        });
        Some(bird)
    }

    /// Starts BIRD as the router, which waits for our connection. Returns `None` if it is not installed.
    pub(crate) fn bird_receiver() -> Option<Self> {
        let configuration = format!(
            "router id {ROUTER};\nprotocol device {{}}\nprotocol direct {{ ipv4; }}\n\
             protocol bgp peer1 {{ local {ROUTER} as 64512; neighbor {OURS} as 64512; passive; multihop;\n\
             error wait time 1,2; ipv4 {{ import all; export none; }}; }}\n"
        );
        Self::bird(configuration, ROUTER, "show protocols all peer1")
    }

    fn bird(configuration: String, address: &str, command: &'static str) -> Option<Self> {
        Self::start(&BIRD, configuration, address, (command, "Routes:"))
    }

    /// Starts FRR's bgpd without zebra, which waits for our connection. Returns `None` if it is not installed.
    pub(crate) fn frr_receiver() -> Option<Self> {
        let configuration = format!(
            "frr defaults traditional\nrouter bgp 64512\n bgp router-id {ROUTER}\n neighbor {OURS} remote-as 64512\n \
             neighbor {OURS} update-source {ROUTER}\n neighbor {OURS} passive\n"
        );
        let count = ("show bgp ipv4 unicast summary json", "\"pfxRcd\":");
        Self::start(&FRR, configuration, ROUTER, count)
    }

    // Each round starts a new router, so that no round finds the routes of an earlier one.
    fn start(
        program: &'static Program,
        configuration: String,
        address: &str,
        (command, before): (&'static str, &'static str),
    ) -> Option<Self> {
        if program.needs.missing().is_some() {
            return None;
        }
        let address: IpAddr = address.parse().expect("an address");
        let router = Router::start(program, &Launch::new(configuration, address));
        let terminal = router.terminal();
        Some(Self {
            router,
            terminal,
            command,
            before,
        })
    }

    /// Returns the process id of the router.
    pub(crate) fn id(&self) -> u32 {
        self.router.id()
    }

    /// Returns the number of routes that the router has, or 0 if its answer contains none.
    pub(crate) fn routes(&mut self) -> u64 {
        let answer = self
            .terminal
            .ask(self.command)
            .expect("an answer of the router");
        let (_, rest) = answer.split_once(self.before).unwrap_or_default();
        rest.trim_start()
            .split(|other: char| !other.is_ascii_digit())
            .next()
            .and_then(|count| count.parse().ok())
            .unwrap_or(0)
    }
}
