//! The peers, dynamic peers and listeners of one speaker.
//!
//! Every change is made under one lock, which no await holds: a caller that drops its future leaves nothing half done.

mod admission;
mod dynamic;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::command::Command;
use super::dynamic_peers::DynamicPeers;
use super::error::AddPeerError;
use super::handle::Peer;
use super::listen::accept_all;
use super::listeners::{Listener, Listeners};
use super::peer::{Ended, PeerTask};
use super::shared::{Shared, lock};
use super::transport::{self, Transport, prepare_accepted};
use crate::config::{LocalConfig, PeerChange, PeerConfig};
use crate::session::Shutdown;

pub(super) struct Registry {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

struct State {
    local: LocalConfig,
    peers: BTreeMap<IpAddr, PeerEntry>,
    /// Ordered from the longest prefix to the shortest: the longest decides.
    dynamic: Vec<DynamicPeers>,
    listeners: Listeners,
    tasks_started: u64,
    /// The speaker is shut down: nothing can be added.
    closed: bool,
}

struct PeerEntry {
    /// Tells the task of this entry from those of earlier peers with this address.
    task: u64,
    peer: Peer,
    config: PeerConfig,
    /// The prefix of a dynamic peer, which is removed when its connection ends.
    prefix: Option<IpNet>,
}

impl Registry {
    pub(super) fn new(shared: Arc<Shared>, local: LocalConfig) -> Self {
        let state = State {
            local,
            peers: BTreeMap::new(),
            dynamic: Vec::new(),
            listeners: Listeners::default(),
            tasks_started: 0,
            closed: false,
        };
        Self {
            shared,
            state: Mutex::new(state),
        }
    }

    pub(super) fn local(&self) -> LocalConfig {
        lock(&self.state).local
    }

    pub(super) fn set_local(&self, local: LocalConfig) {
        let mut state = lock(&self.state);
        state.local = local;
        for entry in state.peers.values() {
            entry.peer.send(Command::UpdateLocal(local));
        }
    }

    pub(super) fn add_peer(self: &Arc<Self>, config: PeerConfig) -> Result<Peer, AddPeerError> {
        let mut state = lock(&self.state);
        let address = config.address();
        state.check(&config)?;
        if state.peers.contains_key(&address) {
            return Err(AddPeerError::Exists(address));
        }
        state.set_keys(address.into(), &config)?;
        let peer = self.start(&mut state, config, None);
        state.limit_ttl();
        Ok(peer)
    }

    /// Ends the session with this peer. Returns its handle, or `None` if there is no such peer.
    pub(super) fn remove_peer(&self, address: IpAddr) -> Option<Peer> {
        let mut state = lock(&self.state);
        let entry = state.remove(address)?;
        entry.peer.stop(Shutdown::deconfigured());
        Some(entry.peer)
    }

    /// Returns what `config` would change of the peer with its address.
    pub(super) fn change(&self, config: &PeerConfig) -> Result<PeerChange, AddPeerError> {
        let address = config.address();
        transport::check_keys(config)?;
        let state = lock(&self.state);
        let entry = state.peers.get(&address);
        let entry = entry.ok_or(AddPeerError::Unknown(address))?;
        Ok(entry.config.change(config))
    }

    pub(super) fn update_peer(&self, config: PeerConfig) -> Result<(), AddPeerError> {
        let address = config.address();
        let mut state = lock(&self.state);
        if !state.peers.contains_key(&address) {
            return Err(AddPeerError::Unknown(address));
        }
        state.set_keys(address.into(), &config)?;
        if let Some(entry) = state.peers.get_mut(&address) {
            entry.config = config.clone();
            // Under the lock: updates reach the task in the order in which they are stored.
            entry.peer.send(Command::Update(Box::new(config)));
        }
        state.limit_ttl();
        Ok(())
    }

    pub(super) fn peer(&self, address: IpAddr) -> Option<Peer> {
        let state = lock(&self.state);
        state.peers.get(&address).map(|entry| entry.peer.clone())
    }

    /// Returns every peer, by address.
    pub(super) fn peers(&self) -> Vec<Peer> {
        let state = lock(&self.state);
        let entries = state.peers.values();
        entries.map(|entry| entry.peer.clone()).collect()
    }

    /// Binds `address`, through `device` if one is given, and accepts connections on it. Returns the bound address.
    pub(super) fn add_listener(
        self: &Arc<Self>,
        address: SocketAddr,
        device: Option<&str>,
    ) -> io::Result<SocketAddr> {
        let mut state = lock(&self.state);
        if state.closed {
            return Err(io::Error::other(AddPeerError::ShutDown));
        }
        let (keys, hops) = (state.all_keys(), state.hops());
        let closed = self.shared.stop.child_token();
        let listener = Listener::bind(address, device, keys, &hops, closed.clone())?;
        let (address, socket) = (listener.address(), listener.socket());
        state.listeners.add(listener);
        let registry = Arc::clone(self);
        self.shared.tasks.spawn(async move {
            let accept = |stream, remote: SocketAddr| {
                if !registry.accept_tcp(stream, remote.ip()) {
                    tracing::debug!(%remote, "connection refused");
                }
            };
            accept_all(&socket, closed, accept).await;
        });
        Ok(address)
    }

    /// Closes a listener. Returns `false` if there is none with this address and device.
    pub(super) fn remove_listener(&self, address: SocketAddr, device: Option<&str>) -> bool {
        lock(&self.state).listeners.remove(address, device)
    }

    pub(super) fn listeners(&self) -> Vec<SocketAddr> {
        lock(&self.state).listeners.addresses()
    }

    /// Closes the listeners and ends every session. Nothing can be added after that.
    pub(super) fn close(&self, why: &Shutdown) {
        let mut state = lock(&self.state);
        state.closed = true;
        // Before the sessions end: a peer that dials at once would have its connection reset.
        state.listeners.close_all();
        state.dynamic.clear();
        for entry in std::mem::take(&mut state.peers).into_values() {
            entry.peer.stop(why.clone());
        }
    }

    /// Hands a connection to the peer with this address, or to a new dynamic peer. Returns `false` if there is none.
    pub(super) fn accept(
        self: &Arc<Self>,
        remote: IpAddr,
        connection: impl FnOnce(&PeerConfig) -> Option<Box<dyn Transport>>,
    ) -> bool {
        let remote = remote.to_canonical();
        let mut state = lock(&self.state);
        if !state.peers.contains_key(&remote) {
            self.add_dynamic_peer(&mut state, remote);
        }
        // Under the lock: the task of a dynamic peer that is about to end sees the connection, or is no longer here.
        state.peers.get(&remote).is_some_and(|entry| {
            let transport = connection(&entry.config);
            transport.is_some_and(|transport| entry.peer.accept(transport))
        })
    }

    fn accept_tcp(self: &Arc<Self>, stream: TcpStream, remote: IpAddr) -> bool {
        self.accept(remote, |config| match prepare_accepted(&stream, config) {
            Ok(()) => Some(Box::new(stream)),
            Err(error) => {
                tracing::warn!(peer = %remote, %error, "cannot set up the connection");
                None
            }
        })
    }

    fn start(
        self: &Arc<Self>,
        state: &mut State,
        config: PeerConfig,
        prefix: Option<IpNet>,
    ) -> Peer {
        let address = config.address();
        // Commands do not wait: a state that is shown is also on its way to the task.
        let (commands, receiver) = mpsc::unbounded_channel();
        let shared = Arc::clone(&self.shared);
        let (task, status) = PeerTask::new(
            shared,
            state.local,
            config.clone(),
            receiver,
            prefix.is_some(),
        );
        state.tasks_started += 1;
        let number = state.tasks_started;
        self.shared
            .tasks
            .spawn(Arc::clone(self).run(task, address, number));
        let peer = Peer::new(address, commands, status);
        let entry = PeerEntry {
            task: number,
            peer: peer.clone(),
            config,
            prefix,
        };
        state.peers.insert(address, entry);
        peer
    }

    async fn run(self: Arc<Self>, mut task: PeerTask, address: IpAddr, number: u64) {
        task.start();
        while task.run().await == Ended::Idle && !self.remove_idle(&task, address, number) {}
        task.finish().await;
    }

    /// Removes a dynamic peer whose last connection has ended. Returns `false` if another connection waits for its task.
    fn remove_idle(&self, task: &PeerTask, address: IpAddr, number: u64) -> bool {
        let mut state = lock(&self.state);
        if task.has_commands() {
            return false;
        }
        // Another peer may have this address by now.
        let own = |entry: &PeerEntry| entry.task == number;
        if state.peers.get(&address).is_some_and(own) {
            state.remove(address);
        }
        true
    }
}

impl State {
    /// Removes a peer, also from the count of its prefix, and its keys.
    fn remove(&mut self, address: IpAddr) -> Option<PeerEntry> {
        let entry = self.peers.remove(&address)?;
        let mut dynamic = self.dynamic.iter_mut();
        if let Some(known) = dynamic.find(|known| Some(known.prefix) == entry.prefix) {
            known.present -= 1;
        }
        self.restore_keys(address.into());
        // The TTL of a dynamic peer is limited by its template, which stays.
        if entry.prefix.is_none() {
            self.limit_ttl();
        }
        Some(entry)
    }
}
