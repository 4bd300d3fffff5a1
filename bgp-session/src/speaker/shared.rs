//! What the tasks of one speaker share: the table, the peers and who may become one.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::builder::SpeakerBuilder;
use super::event::PeerEvent;
use super::handle::Peer;
use super::peer::{Command, PeerTask};
use super::transport::{self, Dialer, Listener, Transport, prepare_accepted};
use crate::config::{LocalConfig, PeerConfig};
use crate::rib::Rib;
use crate::session::Shutdown;

pub(super) struct Shared {
    pub(super) local: LocalConfig,
    pub(super) rib: Mutex<Rib>,
    /// The table's version: wakes the peers.
    pub(super) changed: watch::Sender<u64>,
    pub(super) peers: Mutex<Peers>,
    pub(super) events: broadcast::Sender<PeerEvent>,
    pub(super) deliver: Option<mpsc::Sender<PeerEvent>>,
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) listeners: Vec<Arc<Listener>>,
    pub(super) seed: u64,
    /// Peers that are added are told of a restart (RFC 4724 section 3).
    pub(super) restarting: AtomicBool,
    pub(super) draining: watch::Sender<bool>,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
    /// Cancelled with `stop`, or before: nobody is accepted any more.
    pub(super) deaf: CancellationToken,
}

/// Everybody who may connect, or is.
#[derive(Default)]
pub(super) struct Peers {
    pub(super) by_address: BTreeMap<IpAddr, Entry>,
    pub(super) neighbors: Vec<Neighbors>,
    /// How many tasks have been started.
    started: u64,
    /// The speaker has been shut down: nobody is added any more.
    closed: bool,
}

pub(super) struct Entry {
    /// Of which task it is.
    number: u64,
    pub(super) peer: Peer,
    pub(super) config: PeerConfig,
    /// The peer is one of these neighbors, and goes when its connection does.
    pub(super) of: Option<IpNet>,
}

/// Who may become a peer by connecting.
pub(super) struct Neighbors {
    pub(super) prefix: IpNet,
    pub(super) template: PeerConfig,
    pub(super) most: usize,
}

/// Why a peer was not added.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddPeerError {
    /// There is a peer with this address, or neighbors with this prefix.
    Exists(IpNet),
    /// There is no peer with this address.
    Unknown(IpAddr),
    /// The speaker has been shut down.
    ShutDown,
    /// Segments cannot be authenticated as configured (RFC 2385, RFC 5925).
    Authentication(String),
}

impl AddPeerError {
    pub(super) fn authentication(error: &io::Error) -> Self {
        Self::Authentication(error.to_string())
    }
}

impl std::fmt::Display for AddPeerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exists(prefix) if prefix.prefix_len() == prefix.max_prefix_len() => {
                write!(f, "there is a peer {} already", prefix.addr())
            }
            Self::Exists(prefix) => write!(f, "there are neighbors {prefix} already"),
            Self::Unknown(address) => write!(f, "there is no peer {address}"),
            Self::ShutDown => f.write_str("the speaker has been shut down"),
            Self::Authentication(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for AddPeerError {}

impl Shared {
    pub(super) fn new(
        builder: SpeakerBuilder,
        listeners: Vec<Arc<Listener>>,
        stop: CancellationToken,
    ) -> Self {
        let mut rib = Rib::new();
        rib.set_complete(!builder.restarting);
        Self {
            local: builder.local,
            changed: watch::Sender::new(rib.version()),
            rib: Mutex::new(rib),
            peers: Mutex::default(),
            events: broadcast::Sender::new(builder.event_capacity),
            deliver: builder.deliver,
            dialer: builder.dialer,
            listeners,
            seed: builder.seed,
            restarting: builder.restarting.into(),
            draining: watch::Sender::new(false),
            tasks: TaskTracker::new(),
            deaf: stop.child_token(),
            stop,
        }
    }

    pub(super) fn add_peer(self: &Arc<Self>, config: PeerConfig) -> Result<Peer, AddPeerError> {
        let mut peers = lock(&self.peers);
        let address = config.address();
        if peers.by_address.contains_key(&address) {
            return Err(AddPeerError::Exists(address.into()));
        }
        peers.check(&config)?;
        self.set_keys(&peers, address.into(), Some(&config))?;
        let peer = self.start(&mut peers, config, None);
        self.limit_ttl(&peers);
        Ok(peer)
    }

    pub(super) fn add_neighbors(
        self: &Arc<Self>,
        prefix: IpNet,
        template: PeerConfig,
        most: usize,
    ) -> Result<(), AddPeerError> {
        let mut peers = lock(&self.peers);
        let prefix = prefix.trunc();
        if peers.neighbors.iter().any(|known| known.prefix == prefix) {
            return Err(AddPeerError::Exists(prefix));
        }
        peers.check(&template)?;
        // A peer with exactly this address keeps its own keys.
        let keys = peers.keys_of(prefix).unwrap_or(&template);
        self.set_keys(&peers, prefix, Some(keys))?;
        peers.neighbors.push(Neighbors {
            prefix,
            template,
            most,
        });
        // The longest prefix decides.
        peers
            .neighbors
            .sort_by_key(|known| std::cmp::Reverse(known.prefix.prefix_len()));
        self.limit_ttl(&peers);
        Ok(())
    }

    /// Sets the keys of connections from `net` on every listener to those of `config`. If one of them cannot be set, the
    /// keys of the present configuration stay.
    pub(super) fn set_keys(
        &self,
        peers: &Peers,
        net: IpNet,
        config: Option<&PeerConfig>,
    ) -> Result<(), AddPeerError> {
        let mut listeners = self.listeners.iter();
        listeners
            .try_for_each(|listener| listener.set_keys(net, config))
            .map_err(|error| {
                self.restore_keys(peers, net);
                AddPeerError::authentication(&error)
            })
    }

    /// Sets the keys of connections from `net` to those of the present configuration, after a part of it has gone.
    pub(super) fn restore_keys(&self, peers: &Peers, net: IpNet) {
        for listener in &self.listeners {
            if let Err(error) = listener.set_keys(net, peers.keys_of(net)) {
                tracing::warn!(%net, %error, "cannot restore the keys of a listener");
            }
        }
    }

    /// Ends the session with this peer. Returns its handle, or `None` if there is no such peer.
    pub(super) fn remove_peer(&self, address: IpAddr) -> Option<Peer> {
        let mut peers = lock(&self.peers);
        let entry = peers.by_address.remove(&address)?;
        entry.peer.stop(Shutdown::deconfigured());
        self.restore_keys(&peers, address.into());
        self.limit_ttl(&peers);
        Some(entry.peer)
    }

    /// Admits no more neighbors with this prefix, and ends the sessions with those that are present. Returns their handles,
    /// or `None` if there is no such prefix.
    pub(super) fn remove_neighbors(&self, prefix: IpNet) -> Option<Vec<Peer>> {
        let mut peers = lock(&self.peers);
        let index = peers
            .neighbors
            .iter()
            .position(|known| known.prefix == prefix)?;
        peers.neighbors.remove(index);
        let present: Vec<_> = peers
            .by_address
            .extract_if(.., |_, entry| entry.of == Some(prefix))
            .map(|(_, entry)| entry.peer)
            .collect();
        for peer in &present {
            peer.stop(Shutdown::deconfigured());
            self.restore_keys(&peers, peer.address().into());
        }
        self.restore_keys(&peers, prefix);
        self.limit_ttl(&peers);
        Some(present)
    }

    /// Closes the listeners and ends every session. Nobody is added or accepted after that.
    pub(super) fn close(&self, why: &Shutdown) {
        let mut peers = lock(&self.peers);
        peers.closed = true;
        // Before the sessions end: a peer that dials at once would have its connection reset.
        self.deaf.cancel();
        self.listeners.iter().for_each(|listener| listener.close());
        peers.neighbors.clear();
        for entry in std::mem::take(&mut peers.by_address).into_values() {
            entry.peer.stop(why.clone());
        }
    }

    pub(super) fn limit_ttl(&self, peers: &Peers) {
        for listener in &self.listeners {
            let configured = peers.by_address.values().filter(|entry| entry.of.is_none());
            let configured = configured.map(|entry| &entry.config);
            let templates = peers.neighbors.iter().map(|known| &known.template);
            listener.limit_ttl(configured.chain(templates));
        }
    }

    fn start(self: &Arc<Self>, peers: &mut Peers, config: PeerConfig, of: Option<IpNet>) -> Peer {
        let address = config.address();
        // Commands are the application's and never wait, so that a state that is shown is also on its way to the task.
        // Connections are made by others: a few may wait.
        let (commands, receiver) = mpsc::unbounded_channel();
        let connections = Arc::new(Semaphore::new(MAX_WAITING_CONNECTIONS));
        let dynamic = of.is_some();
        peers.started += 1;
        let number = peers.started;
        let (task, status) = PeerTask::new(
            Arc::clone(self),
            config.clone(),
            receiver,
            (number, dynamic),
        );
        self.tasks.spawn(task.run());
        let peer = Peer::new(address, commands, connections, status);
        let entry = Entry {
            number,
            peer: peer.clone(),
            config,
            of,
        };
        peers.by_address.insert(address, entry);
        peer
    }

    /// A peer has connected by TCP: whether it is one. Nobody else costs more than this.
    pub(super) fn accept_tcp(self: &Arc<Self>, stream: TcpStream, remote: IpAddr) -> bool {
        self.accept(remote, |config| match prepare_accepted(&stream, config) {
            Ok(()) => Some(Box::new(stream)),
            Err(error) => {
                tracing::warn!(peer = %remote, %error, "cannot set up the connection");
                None
            }
        })
    }

    /// Hands a connection to the peer with this address, who is made for it if it is a neighbor.
    pub(super) fn accept(
        self: &Arc<Self>,
        remote: IpAddr,
        connection: impl FnOnce(&PeerConfig) -> Option<Box<dyn Transport>>,
    ) -> bool {
        let remote = remote.to_canonical();
        let mut peers = lock(&self.peers);
        if !peers.by_address.contains_key(&remote) {
            let Some((config, of)) = peers.welcome(remote) else {
                return false;
            };
            self.start(&mut peers, config, Some(of));
        }
        // Under the lock: a task that is about to go sees it, or is gone.
        peers.by_address.get(&remote).is_some_and(|entry| {
            let transport = connection(&entry.config);
            transport.is_some_and(|transport| entry.peer.accept(transport))
        })
    }

    /// The task of a neighbor that has nothing more to do goes, unless something has come up; whether it does.
    pub(super) fn dismiss(
        &self,
        address: IpAddr,
        number: u64,
        commands: &mpsc::UnboundedReceiver<Command>,
    ) -> bool {
        let mut peers = lock(&self.peers);
        let idle = commands.is_empty();
        // Another peer may have taken its place.
        let own = |entry: &Entry| entry.number == number;
        if idle && peers.by_address.get(&address).is_some_and(own) {
            peers.by_address.remove(&address);
            self.restore_keys(&peers, address.into());
        }
        idle
    }
}

impl Peers {
    fn check(&self, config: &PeerConfig) -> Result<(), AddPeerError> {
        if self.closed {
            return Err(AddPeerError::ShutDown);
        }
        transport::check(config).map_err(|error| AddPeerError::authentication(&error))
    }

    /// Returns the configuration that has the keys of connections from exactly `net`. A peer and a prefix of one address
    /// share their keys in the kernel; those of the peer count.
    pub(super) fn keys_of(&self, net: IpNet) -> Option<&PeerConfig> {
        let host = net.prefix_len() == net.max_prefix_len();
        let entry = self.by_address.get(&net.addr()).filter(|_| host);
        // The kernel finds the keys of other neighbors by their prefix.
        let peer = entry.filter(|entry| entry.of.is_none() || self.has_own_keys(entry));
        let prefix = self.neighbors.iter().find(|known| known.prefix == net);
        peer.map(|entry| &entry.config)
            .or_else(|| prefix.map(|known| &known.template))
    }

    /// Returns `true` if the keys of a neighbor were changed: they are no longer those of its prefix.
    fn has_own_keys(&self, entry: &Entry) -> bool {
        let mut neighbors = self.neighbors.iter();
        let of = neighbors.find(|known| Some(known.prefix) == entry.of);
        let own = &entry.config.transport;
        of.is_none_or(|known| {
            let shared = &known.template.transport;
            own.md5_key != shared.md5_key || own.ao_key != shared.ao_key
        })
    }

    /// The configuration for somebody who is one of the neighbors, if there is room.
    fn welcome(&self, address: IpAddr) -> Option<(PeerConfig, IpNet)> {
        let mut neighbors = self.neighbors.iter();
        let neighbors = neighbors.find(|known| known.prefix.contains(&address))?;
        let present = self.by_address.values();
        let present = present.filter(|entry| entry.of == Some(neighbors.prefix));
        if present.count() >= neighbors.most {
            return None;
        }
        let config = neighbors.template.clone().passive(true);
        Some((config.with_address(address), neighbors.prefix))
    }
}

/// A lock whose holder panicked holds what it held before: every change under these locks is whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many accepted connections of one peer may wait for its task. More are refused.
const MAX_WAITING_CONNECTIONS: usize = 16;
