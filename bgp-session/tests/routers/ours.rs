//! Our side: a speaker within this process, or one of its own that can be killed.

use std::future::Future;
use std::io::BufRead;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use bgp_session::{Peer, PeerConfig, Route, Shutdown, Speaker, State};
use bgp_wire::Asn;
use ipnet::IpNet;
use speakerd_testkit::{Process, eventually};
use tokio::runtime::{Builder, Runtime};

use crate::setup::{OUR_AS, Setup};

/// A speaker that listens, and does the rest in the background.
pub(crate) struct Ours {
    runtime: Runtime,
    pub(crate) speaker: Speaker,
}

impl Ours {
    pub(crate) fn start(setup: &Setup, restarting: bool) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let router_id = setup.ours_ipv4().try_into().unwrap();
        let builder = Speaker::builder(Asn::new(OUR_AS), router_id);
        let builder = builder
            .with_listener(SocketAddr::new(setup.ours(), 179))
            .with_restarting(restarting);
        let speaker = runtime.block_on(builder.spawn()).unwrap();
        Self { runtime, speaker }
    }

    pub(crate) fn add(&self, config: PeerConfig) -> Peer {
        let _within = self.runtime.enter();
        self.speaker.add_peer(config).unwrap()
    }

    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let bounded = async { tokio::time::timeout(Duration::from_secs(30), future).await };
        self.runtime.block_on(bounded).expect("in time")
    }

    pub(crate) fn announce(&self, prefix: IpNet) {
        assert!(self.speaker.announce(&Route::new(prefix)));
    }
}

pub(crate) fn is_established(peer: &Peer) -> bool {
    peer.status().state == State::Established
}

pub(crate) fn expect_established(peer: &Peer) {
    eventually("Established", || is_established(peer).then_some(()));
}

/// Tells this program to be a speaker, and which one.
const SETUP: &str = "BGP_SESSION_ROUTERS_SPEAKER";

/// What such a speaker says when the router has been sent everything.
pub(crate) const ANNOUNCED: &str = "everything is announced";

/// A speaker in a process of its own that announces these prefixes, with [`Setup::restarted`].
pub(crate) fn in_a_process(
    setup: &Setup,
    restarting: bool,
    prefixes: &[IpNet],
    log: PathBuf,
) -> Process {
    let mut words = vec![setup.number.to_string(), restarting.to_string()];
    words.extend(prefixes.iter().map(IpNet::to_string));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(SETUP, words.join(" "));
    Process::start(command, log)
}

/// Is that speaker, if this process is to be one: announces, and is restarted on the next line that it is told.
pub(crate) fn be_a_speaker() -> Option<ExitCode> {
    let words = std::env::var(SETUP).ok()?;
    let mut words = words.split(' ');
    let number = words.next()?.parse().unwrap();
    let restarting = words.next()?.parse().unwrap();
    let setup = Setup::restarted(number);
    let ours = Ours::start(&setup, restarting);
    let mut events = ours.speaker.events();
    ours.runtime.spawn(async move {
        while let Some(event) = events.next().await {
            println!("{event:?}");
        }
    });
    let peer = ours.add(setup.peer());
    for prefix in words {
        ours.announce(prefix.parse().unwrap());
    }
    ours.speaker.restored();
    expect_established(&peer);
    ours.wait(ours.speaker.flush());
    println!("{ANNOUNCED}");
    let mut line = String::new();
    // Without a line whoever started this is gone.
    std::io::stdin().lock().read_line(&mut line).unwrap();
    ours.wait(ours.speaker.shutdown(Shutdown::restart()));
    Some(ExitCode::SUCCESS)
}
