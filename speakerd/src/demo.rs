//! `speakerd demo`: the main job on the article's ConfigMap, with a router of our own in the same process.
//!
//! The router is built on bgp-session and reached by real TCP; the daemon is the real one, driven through its control
//! socket. Nothing fixed is used: no port, no path, no privilege. That both ends are ours proves nothing about other
//! routers; the tests do that.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bgp_session::{
    Events, PeerConfig, SessionEvent, Shutdown, SpawnError, Speaker, SpeakerEvent, State,
};
use bgp_wire::{Checked, Nlri};
use ipnet::IpNet;
use tokio::sync::watch;

use crate::config::{ARTICLE, Config, ConfigError};
use crate::control::{Allocate, Changed, Client, ClientError, ItemResult, LeaseItem, Request};
use crate::daemon::Daemon;
use crate::exit::{Failure, say};
use crate::runtime::runtime;
use crate::table::{ROUTER_HEAD, RouterRow};
use crate::value::ParseNameError;

/// Runs the demo.
///
/// # Errors
///
/// The row did not appear in the router's table.
pub fn run(keep: bool) -> Result<(), Failure> {
    runtime()?.block_on(async {
        let directory =
            directory().map_err(|error| Failure::system("no temporary directory", &error))?;
        demonstrate(keep, directory.path()).await
    })
}

/// A temporary directory in which the path of a socket is not too long.
fn directory() -> std::io::Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    if directory.path().as_os_str().len() < LONGEST_DIRECTORY {
        Ok(directory)
    } else {
        tempfile::tempdir_in("/tmp")
    }
}

async fn demonstrate(keep: bool, directory: &Path) -> Result<(), Failure> {
    let mut config = article()?;
    let router = Router::start(&config).await?;
    let [peer] = config.peers.as_mut_slice() else {
        return Err(Failure::new(Failure::CONFIG, "the article has one peer"));
    };
    print(&format!(
        "config   the article's ConfigMap: peer {} AS {}, mapped to {}",
        peer.address, peer.remote_as, router.address
    ))?;
    peer.address = router.address.ip();
    peer.port = router.address.port();
    peer.next_hop_ipv4 = Some(NODE);
    config.router_id = NODE.try_into().ok();
    config.control_socket = Some(directory.join("speakerd.sock"));
    config.state_directory = Some(directory.join("state"));

    let (daemon, events) = Daemon::start(&config).await?;
    print_states(events).await?;
    let socket = daemon.control_socket().to_owned();
    let allocated = tokio::task::spawn_blocking(move || allocate(&socket)).await;
    let (address, pool) =
        allocated.map_err(|error| Failure::new(Failure::UNAVAILABLE, error))??;
    print(&format!("service  {SERVICE} gets {address} of pool {pool}"))?;

    let rows = router.wait_for_row().await;
    print(&format!("\nthe router's table:\n{ROUTER_HEAD}\n{rows}\n"))?;
    if !rows.lines().any(|row| row == ROW) {
        return Err(Failure::new(
            Failure::REFUSED,
            format!("the row is not there; it should read\n{ROW}"),
        ));
    }
    let socket = daemon.control_socket().display();
    if keep {
        print(&format!(
            "OK. The daemon stays until Ctrl-C. Its control socket is {socket}; try"
        ))?;
        let speakerctl = speakerctl();
        print(&format!("  {speakerctl} --socket {socket} routes"))?;
        print(&format!("  {speakerctl} --socket {socket} allocate web"))?;
        print(&format!(
            "  echo '{{\"cmd\":\"peers\"}}' | socat - UNIX:{socket}"
        ))?;
        daemon.run().await?;
    } else {
        print("OK. Go on with: speakerd demo --keep, or against a router of yours:")?;
        print("  speakerd --local-as 64512 --peer 192.168.0.254 --pool 192.168.10.0/24")?;
        print(&format!("  speakerctl allocate {SERVICE}"))?;
        daemon.stop().await;
    }
    router.speaker.shutdown(Shutdown::administrative("")).await;
    Ok(())
}

fn print(line: &str) -> Result<(), Failure> {
    say(&format!("{line}\n"))
}

/// The client that was built beside this program.
fn speakerctl() -> String {
    let beside = std::env::current_exe().map(|path| path.with_file_name("speakerctl"));
    beside
        .ok()
        .filter(|path| path.exists())
        .map_or_else(|| "speakerctl".into(), |path| path.display().to_string())
}

fn article() -> Result<Config, Failure> {
    let loaded = Config::parse("article.yaml", ARTICLE);
    Ok(loaded
        .map_err(|error: ConfigError| Failure::new(Failure::CONFIG, error))?
        .config)
}

/// Returns the address that the service gets, and the name of its pool.
fn allocate(socket: &Path) -> Result<(IpAddr, String), Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::new(Failure::REFUSED, error);
    let lease = LeaseItem {
        name: SERVICE
            .parse()
            .map_err(|error: ParseNameError| refused(&error))?,
        pool: None,
        address: None,
    };
    let request = Request::Allocate(Allocate {
        leases: vec![lease],
        wait: true,
    });
    let granted = Client::connect(socket)
        .map_err(ClientError::from)
        .and_then(|mut client| client.request(&request));
    let granted = granted.map_err(|error| refused(&error))?;
    let changed: Changed = serde_json::from_value(granted.data).map_err(|error| refused(&error))?;
    match changed.items.into_iter().next() {
        Some(ItemResult::Allocated { address, pool, .. }) => Ok((address, pool)),
        other => Err(refused(&format_args!("no address was assigned: {other:?}"))),
    }
}

/// Prints every state of the session until it is Established.
async fn print_states(mut events: Events) -> Result<(), Failure> {
    let mut states = vec![State::Idle];
    let up = async {
        loop {
            match next_session_event(&mut events).await {
                Some(SessionEvent::StateChanged { to, .. }) => states.push(to),
                Some(SessionEvent::Up { negotiated, .. }) => return Some(negotiated),
                Some(SessionEvent::Down { reason, .. } | SessionEvent::Failed { reason, .. }) => {
                    print(&format!("session  {reason}")).ok()?;
                }
                Some(_) => {}
                None => return None,
            }
        }
    };
    let negotiated = tokio::time::timeout(PATIENCE, up).await.ok().flatten();
    let states: Vec<_> = states.iter().map(ToString::to_string).collect();
    print(&format!("session  {}", states.join(" > ")))?;
    let Some(negotiated) = negotiated else {
        return Err(Failure::new(
            Failure::REFUSED,
            "the session did not come up",
        ));
    };
    print(&format!(
        "         AS {} both sides, router id {}, hold time {}",
        negotiated.peer_as, negotiated.peer_router_id, negotiated.hold_time
    ))?;
    Ok(())
}

/// The article's router.
struct Router {
    speaker: Speaker,
    address: SocketAddr,
    rows: watch::Receiver<String>,
}

type Table = Arc<Mutex<BTreeMap<IpNet, RouterRow>>>;

impl Router {
    async fn start(config: &Config) -> Result<Self, Failure> {
        let failed = |error: SpawnError| Failure::system("the router cannot start", &error.into());
        let identifier = "192.168.0.254"
            .parse()
            .map_err(|error| Failure::new(Failure::CONFIG, error))?;
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let builder = Speaker::builder(config.local_as, identifier)
            .with_listener(SocketAddr::new(loopback, 0));
        let speaker = builder.spawn().await.map_err(failed)?;
        let peer = PeerConfig::new(loopback, config.local_as)
            .with_passive(true)
            .with_deliver_updates(true);
        let events = speaker.events();
        speaker
            .add_peer(peer)
            .map_err(|error| Failure::new(Failure::CONFIG, error))?;
        let address = speaker
            .listeners()
            .first()
            .copied()
            .unwrap_or_else(|| SocketAddr::new(loopback, 0));
        let (sender, rows) = watch::channel(String::new());
        tokio::spawn(learn(events, Table::default(), sender));
        Ok(Self {
            speaker,
            address,
            rows,
        })
    }

    /// The rows, once there are any.
    async fn wait_for_row(&self) -> String {
        let mut rows = self.rows.clone();
        let first = rows.wait_for(|rows| !rows.is_empty());
        match tokio::time::timeout(PATIENCE, first).await {
            Ok(Ok(rows)) => rows.clone(),
            _ => String::new(),
        }
    }
}

/// Returns the next event of a session, or `None` once the speaker is gone.
async fn next_session_event(events: &mut Events) -> Option<SessionEvent> {
    loop {
        if let SpeakerEvent::Session { event, .. } = events.next().await? {
            return Some(event);
        }
    }
}

async fn learn(mut events: Events, table: Table, rows: watch::Sender<String>) {
    while let Some(event) = next_session_event(&mut events).await {
        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            SessionEvent::Update(update) => {
                let checked = update.check();
                for Nlri { prefix, .. } in checked.withdrawn() {
                    table.remove(&prefix);
                }
                table.extend(
                    checked
                        .announced()
                        .filter_map(|nlri| Some((nlri.prefix, row(nlri.prefix, &checked)?))),
                );
            }
            SessionEvent::Down { .. } => table.clear(),
            SessionEvent::StateChanged { .. }
            | SessionEvent::Up { .. }
            | SessionEvent::Failed { .. }
            | SessionEvent::UpdateFault(_)
            | SessionEvent::Refresh(_)
            | SessionEvent::EndOfRib(_)
            | _ => {}
        }
        let text: Vec<_> = table.values().map(RouterRow::text).collect();
        rows.send_replace(text.join("\n"));
    }
}

fn row(network: IpNet, checked: &Checked<'_>) -> Option<RouterRow> {
    Some(RouterRow {
        network,
        next_hop: checked.next_hop()?.into(),
        metric: checked.multi_exit_disc(),
        local_pref: checked.local_pref(),
        as_path: checked.as_path()?.to_string(),
        origin: checked.origin()?,
        internal: true,
    })
}

/// The article's node.
const NODE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 111);

/// The article's first service.
const SERVICE: &str = "test-lb";

/// What pfSense shows in the article.
const ROW: &str = "*>i192.168.10.1/32  192.168.0.111                   0      0 ?";

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The path of a Unix socket has at most 107 octets.
const LONGEST_DIRECTORY: usize = 90;
