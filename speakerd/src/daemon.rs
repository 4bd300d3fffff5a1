//! The daemon: configuration to speaker, control socket to table, signals to an orderly end.

mod handler;

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bgp_session::{Events, Shutdown, Speaker};
use bgp_wire::RouterId;
use tokio::signal::unix::{SignalKind, signal};

use crate::announce::bgp;
use crate::config::{Config, Peer};
use crate::control::{ControlSocket, serve};
use crate::exit::Failure;
use crate::intent::{Intent, Permitted};
use crate::paths;
use crate::store::Store;
use handler::Inner;

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    inner: Arc<Inner>,
    control_socket: PathBuf,
    server: tokio::task::JoinHandle<()>,
    /// Keeps another daemon off the control socket.
    _lock: File,
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
        let (store, intent) = restore(config, state_directory.as_deref())?;
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
        let routes: Vec<_> = intent
            .announced()
            .map(|(prefix, attributes)| bgp::route(prefix, &attributes))
            .collect();
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
        let inner = Arc::new(Inner::new(speaker, intent, store));
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
        self.inner.speaker()
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
            .speaker()
            .shutdown(Shutdown::administrative("speakerd is stopped"))
            .await;
    }
}

/// Opens the journal and restores the intent from it.
fn restore(config: &Config, directory: Option<&Path>) -> Result<(Store, Intent), Failure> {
    let (mut store, records) = Store::open(directory)?;
    if !store.is_durable() {
        tracing::warn!(
            "no state directory is configured: announcements and leases end with this process"
        );
    }
    let mut intent = Intent::new(Permitted::new(config));
    for record in records {
        intent.restore(record).ok();
    }
    for (what, reason) in intent.dormant() {
        tracing::error!("{what} is not announced, the configuration has changed: {reason}");
    }
    store.compact(intent.records());
    Ok((store, intent))
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
