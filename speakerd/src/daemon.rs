//! The daemon: configuration to speaker, control socket to table, signals to an orderly end.

mod desired;

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bgp_session::{Events, PeerStatus, Shutdown, Speaker, State, WithheldReason};
use bgp_wire::{Asn, Family, RouterId};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Peer};
use crate::control::{Answer, ControlError, ControlSocket, Handler, PeerInfo, Request, serve};
use crate::exit::Failure;
use crate::paths;
use desired::Desired;

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    inner: Arc<Inner>,
    control_socket: PathBuf,
    server: tokio::task::JoinHandle<()>,
    /// Keeps another daemon off the control socket.
    _lock: File,
}

#[derive(Debug)]
struct Inner {
    speaker: Speaker,
    desired: Mutex<Desired>,
}

impl Daemon {
    /// Starts everything that the configuration asks for; with the events of all sessions from their start on.
    ///
    /// # Errors
    ///
    /// An address or the control socket cannot be bound, the state directory cannot be used, or no BGP Identifier can
    /// be derived. Nothing has been announced then.
    pub async fn start(config: &Config) -> Result<(Self, Events), Failure> {
        let router_id = router_id(config)?;
        let state_directory = config
            .state_directory
            .clone()
            .or_else(paths::state_directory);
        let (desired, routes) = Desired::open(config, state_directory.as_deref())?;
        let mut builder = Speaker::builder(config.local_as, router_id);
        for address in &config.listen {
            builder = builder.with_listener(*address);
        }
        let speaker = builder
            .spawn()
            .await
            .map_err(|error| Failure::system("cannot start", &error.into()))?;
        let socket = config
            .control_socket
            .clone()
            .unwrap_or_else(paths::control_socket);
        let control = ControlSocket::bind(socket)?;
        // What was announced before the restart is in the table before the first session is up.
        speaker
            .replace(&routes)
            .map_err(|error| Failure::new(Failure::UNAVAILABLE, error))?;
        let events = speaker.events();
        for peer in &config.peers {
            if peer.passive && config.listen.is_empty() {
                tracing::warn!(peer = %peer.address, "the peer is passive and nothing listens: set `listen`, or it never comes up");
            }
            speaker
                .add_peer(peer.session_config())
                .map_err(|error| Failure::new(Failure::CONFIG, error))?;
        }
        let inner = Arc::new(Inner {
            speaker,
            desired: Mutex::new(desired),
        });
        let ControlSocket {
            listener,
            path,
            lock,
        } = control;
        let server = tokio::spawn(serve(listener, Arc::clone(&inner)));
        Ok((
            Self {
                inner,
                control_socket: path,
                server,
                _lock: lock,
            },
            events,
        ))
    }

    /// The path of the control socket.
    #[must_use]
    pub fn control_socket(&self) -> &Path {
        &self.control_socket
    }

    /// The speaker.
    #[must_use]
    pub fn speaker(&self) -> &Speaker {
        &self.inner.speaker
    }

    /// Runs until SIGTERM or SIGINT, then ends the sessions; a second signal ends the program at once.
    ///
    /// # Errors
    ///
    /// The signals cannot be received.
    pub async fn run(self) -> Result<(), Failure> {
        let failed = |error| Failure::system("cannot wait for signals", &error);
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => tracing::warn!("SIGHUP: the configuration is read at start only; restart to change it"),
            }
        }
        tracing::info!("stopping");
        tokio::select! {
            () = self.stop() => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    }

    /// Ends the sessions with Cease/Administrative Shutdown and removes the control socket.
    pub async fn stop(self) {
        self.server.abort();
        // It is ours: the lock is held. Somebody may have removed it already.
        std::fs::remove_file(&self.control_socket).ok();
        self.inner
            .speaker
            .shutdown(Shutdown::administrative("speakerd is stopped"))
            .await;
    }
}

impl Handler for Inner {
    fn handle(&self, request: Request) -> Result<Answer, ControlError> {
        let mut desired = lock(&self.desired);
        match request {
            Request::Announce(announce) => Answer::one(desired.announce(&self.speaker, announce)?),
            Request::Withdraw(withdraw) => {
                Answer::one(desired.withdraw(&self.speaker, withdraw.prefix)?)
            }
            Request::Allocate(allocate) => Answer::one(desired.allocate(&self.speaker, &allocate)?),
            Request::Release(release) => {
                Answer::one(desired.release(&self.speaker, &release.name)?)
            }
            Request::Routes(_) => Answer::list(desired.routes(&self.speaker)),
            Request::Peers(_) => {
                let counts = self.speaker.route_counts();
                Answer::list(
                    self.speaker
                        .peers()
                        .iter()
                        .map(|peer| peer_info(&peer.status(), &counts)),
                )
            }
        }
    }

    async fn flush(&self) {
        self.speaker.flush().await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The configured BGP Identifier, else the local IPv4 address towards the first peer, which is what MetalLB uses.
fn router_id(config: &Config) -> Result<RouterId, Failure> {
    let configured = config
        .router_id
        .or_else(|| config.peers.iter().find_map(|peer| peer.router_id));
    let derived = || {
        config
            .peers
            .iter()
            .find_map(local_address)
            .and_then(|address| address.try_into().ok())
    };
    configured.or_else(derived).ok_or_else(|| {
        let message = "no router id: there is none in the configuration, and no local IPv4 address leads to a peer. \
                       Set router-id (--router-id on the command line), for example to an address of this host";
        Failure::new(Failure::CONFIG, message)
    })
}

/// The IPv4 address that the kernel would use towards a peer. Nothing is sent.
fn local_address(peer: &Peer) -> Option<Ipv4Addr> {
    if let Some(IpAddr::V4(address)) = peer.source_address {
        return Some(address);
    }
    let IpAddr::V4(remote) = peer.address else {
        return None;
    };
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(SocketAddr::from((remote, peer.port))).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(address) => Some(address).filter(|address| !address.is_unspecified()),
        IpAddr::V6(_) => None,
    }
}

/// Returns the number of seconds since an event.
#[expect(clippy::disallowed_methods, reason = "ages are told to people")]
fn age(event: Instant) -> u64 {
    Instant::now().saturating_duration_since(event).as_secs()
}

fn peer_info(status: &PeerStatus, counts: &[(Family, usize)]) -> PeerInfo {
    let negotiated = status
        .negotiated
        .as_ref()
        .filter(|_| status.state == State::Established);
    let families = negotiated
        .map(|negotiated| negotiated.families())
        .unwrap_or_default();
    let sent = counts
        .iter()
        .filter(|(family, _)| families.contains(*family));
    let prefixes: usize = sent.map(|(_, count)| count).sum();
    let prefixes = u64::try_from(prefixes).unwrap_or(u64::MAX);
    let negotiated_as = negotiated.map(|negotiated| negotiated.peer_as);
    let remote_as = negotiated_as.or(status.remote_as.asn());
    // The routes of other families are not in `prefixes`.
    let withheld =
        status.withheld.total() - status.withheld.count(WithheldReason::FamilyNotNegotiated);
    let withheld = u64::try_from(withheld).unwrap_or(u64::MAX);
    PeerInfo {
        address: status.address,
        remote_as: remote_as.map_or(0, Asn::number),
        description: status.description.clone(),
        state: status.state.to_string(),
        uptime: status.established_since.map(age),
        messages_received: status.statistics.received.total(),
        messages_sent: status.statistics.sent.total(),
        prefixes_received: status.statistics.prefixes_announced(),
        prefixes_sent: status.up_to_date.then(|| prefixes.saturating_sub(withheld)),
        hold_time: negotiated.map(|negotiated| negotiated.hold_time.seconds()),
        router_id: negotiated.map(|negotiated| negotiated.peer_router_id.to_string()),
        established: status.statistics.established,
        last_error: status.last_error.as_ref().map(ToString::to_string),
        last_error_age: status.last_error_at.map(age),
        last_notification: status.last_notification.as_ref().map(ToString::to_string),
        last_notification_age: status.last_notification.as_ref().map(|last| age(last.at)),
    }
}
