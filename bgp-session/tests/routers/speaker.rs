//! Our side of a session: a speaker in this process, or in a process of its own that a trial can kill.

use std::future::Future;
use std::io::BufRead;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use bgp_session::{Peer, PeerConfig, RetryPolicy, Route, Shutdown, Speaker, State};
use bgp_wire::Asn;
use ipnet::IpNet;
use speakerd_testkit::{Process, eventually};
use tokio::runtime::{Builder, Runtime};

use crate::setup::{OUR_AS, Setup};

/// A speaker that listens, with the runtime on which it runs.
pub(crate) struct OurSpeaker {
    runtime: Runtime,
    pub(crate) speaker: Speaker,
}

impl OurSpeaker {
    /// Starts a speaker that listens on our address. `restarting` sets the R bit of its OPEN (RFC 4724 section 3).
    pub(crate) fn start(setup: &Setup, restarting: bool) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let router_id = setup.our_ipv4().try_into().unwrap();
        let builder = Speaker::builder(Asn::new(OUR_AS), router_id)
            .with_listener(SocketAddr::new(setup.our_address(), 179))
            .with_restarting(restarting);
        let speaker = runtime.block_on(builder.spawn()).unwrap();
        Self { runtime, speaker }
    }

    /// Adds a peer.
    pub(crate) fn add(&self, config: PeerConfig) -> Peer {
        // The speaker starts a task for the peer, which needs a runtime.
        let _within = self.runtime.enter();
        self.speaker.add_peer(config).unwrap()
    }

    /// Runs `future` to completion. Panics after 30 seconds.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        // In an async block, because the timer must be created on the runtime.
        let bounded = async { tokio::time::timeout(Duration::from_secs(30), future).await };
        self.runtime.block_on(bounded).expect("in time")
    }

    /// Announces a new route to `prefix` without attributes of its own.
    pub(crate) fn announce(&self, prefix: IpNet) {
        assert_eq!(self.speaker.announce(&Route::new(prefix)), Ok(true));
    }
}

/// Returns `true` if the session is Established.
pub(crate) fn is_established(peer: &Peer) -> bool {
    peer.status().state == State::Established
}

/// Waits until the session is Established.
pub(crate) fn expect_established(peer: &Peer) {
    eventually("Established", || is_established(peer).then_some(()));
}

/// The environment variable that makes this program a speaker: its setup number, the two flags and its prefixes.
const SETUP: &str = "BGP_SESSION_ROUTERS_SPEAKER";

/// The line that such a speaker prints once the router's kernel has acknowledged every route.
pub(crate) const ANNOUNCED_LINE: &str = "everything is announced";

/// Starts a speaker in a process of its own that announces `prefixes`, with [`Setup::restarted`] or the same setup without
/// Graceful Restart.
pub(crate) fn start_process(
    setup: &Setup,
    restarting: bool,
    prefixes: &[IpNet],
    log: PathBuf,
) -> Process {
    let mut words = vec![setup.number.to_string()];
    words.extend([setup.restart, restarting].map(|flag| flag.to_string()));
    words.extend(prefixes.iter().map(IpNet::to_string));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(SETUP, words.join(" "));
    Process::start(command, log)
}

/// Runs the speaker that [`start_process`] requested. Returns `None` if this process is no such speaker.
///
/// Announces its prefixes, and shuts down for a restart when it reads a line.
pub(crate) fn run_if_requested() -> Option<ExitCode> {
    let variable = std::env::var(SETUP).ok()?;
    let mut words = variable.split(' ');
    let number = words.next()?.parse().unwrap();
    let mut flag = || words.next()?.parse::<bool>().ok();
    let (restart, restarting) = (flag()?, flag()?);
    let setup = Setup {
        restart,
        ..Setup::restarted(number)
    };
    let ours = OurSpeaker::start(&setup, restarting);
    let mut events = ours.speaker.events();
    ours.runtime.spawn(async move {
        while let Some(event) = events.next().await {
            println!("{event:?}");
        }
    });
    // The default waits: a trial measures how fast a route returns.
    let peer = ours.add(setup.peer().with_retry(RetryPolicy::new()));
    for prefix in words {
        ours.announce(prefix.parse().unwrap());
    }
    // After the routes, because End-of-RIB makes the router remove all stale routes (RFC 4724 section 4.2).
    ours.speaker.restored();
    expect_established(&peer);
    ours.wait(ours.speaker.flush());
    println!("{ANNOUNCED_LINE}");
    let mut line = String::new();
    // An end of input means that the test has ended: the speaker must end as well.
    std::io::stdin().lock().read_line(&mut line).unwrap();
    ours.wait(ours.speaker.shutdown(Shutdown::restart()));
    Some(ExitCode::SUCCESS)
}
