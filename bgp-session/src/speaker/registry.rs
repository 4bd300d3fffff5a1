//! The peers, dynamic peers and listeners of one speaker.
//!
//! Every change is made under one lock that no await holds, so that a dropped future leaves no incomplete change.

mod admission;
mod dynamic;
mod prefixes;
mod supervise;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::command::Command;
use super::error::{AddPeerError, SpeakerShutDown};
use super::event::{Refusal, RemovalReason};
use super::handle::Peer;
use super::hops::HopCounts;
use super::listen::accept_all;
use super::listeners::{Listener, Listeners};
use super::peer::PeerTask;
use super::shared::{Shared, lock};
use super::transport::{Transport, prepare_accepted};
use crate::config::{ConfigError, LocalConfig, PeerChange, PeerConfig};
use crate::session::Shutdown;
use prefixes::DynamicPrefixes;

pub(super) struct Registry {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

struct State {
    local: LocalConfig,
    peers: BTreeMap<IpAddr, PeerEntry>,
    dynamic: DynamicPrefixes,
    /// The maximum distances of `peers` without the dynamic ones, and of the templates in `dynamic`.
    hops: HopCounts,
    listeners: Listeners,
    /// Removed peers whose tasks have not ended; the latest of each address.
    ending: BTreeMap<IpAddr, PeerEntry>,
    tasks_started: u64,
}

struct PeerEntry {
    /// The number of the task, which differs from those of earlier peers with this address.
    task: u64,
    /// Contains the configuration.
    peer: Peer,
    /// The prefix of a dynamic peer, which is removed when its connection ends.
    prefix: Option<IpNet>,
}

impl Registry {
    pub(super) fn new(shared: Arc<Shared>, local: LocalConfig) -> Self {
        let state = State {
            local,
            peers: BTreeMap::new(),
            dynamic: DynamicPrefixes::default(),
            hops: HopCounts::default(),
            listeners: Listeners::default(),
            ending: BTreeMap::new(),
            tasks_started: 0,
        };
        Self {
            shared,
            state: Mutex::new(state),
        }
    }

    pub(super) fn local(&self) -> LocalConfig {
        lock(&self.state).local
    }

    pub(super) fn set_local(&self, local: LocalConfig) -> Result<(), ConfigError> {
        local.validate()?;
        // Under the lock, a peer that is added meanwhile starts with either value and misses no change.
        let mut state = lock(&self.state);
        state.local = local;
        for entry in state.peers.values() {
            entry.peer.send(Command::UpdateLocal(local));
        }
        Ok(())
    }

    pub(super) fn add_peer(self: &Arc<Self>, config: PeerConfig) -> Result<Peer, AddPeerError> {
        let mut state = lock(&self.state);
        let address = config.address();
        self.check_open()?;
        State::check(&config)?;
        if state.peers.contains_key(&address) {
            return Err(AddPeerError::Exists(address));
        }
        // Before the task starts: the peer may connect at once, but not without its key.
        state.set_keys(address.into(), &config)?;
        state.hops.add(&config);
        let peer = self.start(&mut state, config, None);
        state.limit_ttl();
        Ok(peer)
    }

    /// Returns an error after a shutdown.
    fn check_open(&self) -> Result<(), SpeakerShutDown> {
        if self.shared.is_closed() {
            return Err(SpeakerShutDown);
        }
        Ok(())
    }

    /// Removes a peer and ends its session. Returns its handle, or `None` if no peer has this address.
    pub(super) fn remove_peer(&self, address: IpAddr) -> Option<Peer> {
        let mut state = lock(&self.state);
        let peer = state.remove(address.to_canonical())?;
        peer.remove(Shutdown::deconfigured(), RemovalReason::Deconfigured);
        Some(peer)
    }

    /// Returns the differences between `config` and the current configuration of the peer with this address.
    pub(super) fn change(&self, config: &PeerConfig) -> Result<PeerChange, AddPeerError> {
        let address = config.address();
        State::check(config)?;
        let state = lock(&self.state);
        let entry = state
            .peers
            .get(&address)
            .ok_or(AddPeerError::Unknown(address))?;
        let new = entry.restrict(config.clone());
        Ok(entry.peer.read_config(|current| current.change(&new)))
    }

    /// Replaces the configuration of a peer. Returns the differences.
    pub(super) fn update_peer(&self, config: PeerConfig) -> Result<PeerChange, AddPeerError> {
        config.validate()?;
        let address = config.address();
        let mut state = lock(&self.state);
        let entry = state
            .peers
            .get(&address)
            .ok_or(AddPeerError::Unknown(address))?;
        let config = entry.restrict(config);
        let (peer, prefix) = (entry.peer.clone(), entry.prefix);
        let change = peer.read_config(|current| current.change(&config));
        // First, because only this can fail.
        state.set_peer_keys(prefix, &config)?;
        // The template of a dynamic peer is counted in its place.
        if prefix.is_none() {
            peer.read_config(|old| state.hops.remove(old));
            state.hops.add(&config);
        }
        // Under the lock, updates reach the task in the order in which they are stored.
        peer.update(config);
        state.limit_ttl();
        Ok(change)
    }

    pub(super) fn peer(&self, address: IpAddr) -> Option<Peer> {
        let state = lock(&self.state);
        state
            .peers
            .get(&address.to_canonical())
            .map(|entry| entry.peer.clone())
    }

    /// Returns every peer, ordered by address.
    pub(super) fn peers(&self) -> Vec<Peer> {
        let state = lock(&self.state);
        state
            .peers
            .values()
            .map(|entry| entry.peer.clone())
            .collect()
    }

    /// Binds `address` and accepts connections on it, through `device` if one is given. Returns the bound address.
    pub(super) fn add_listener(
        self: &Arc<Self>,
        address: SocketAddr,
        device: Option<&str>,
    ) -> io::Result<SocketAddr> {
        let mut state = lock(&self.state);
        self.check_open().map_err(io::Error::other)?;
        // Under the lock, a peer that is added meanwhile cannot miss this listener.
        let keys = state.all_keys();
        let closed = self.shared.stop.child_token();
        // The socket registers with the runtime of the tasks, in which the caller need not be.
        let entered = self.shared.runtime.enter();
        let listener = Listener::bind(address, device, keys, &state.hops, closed.clone())?;
        drop(entered);
        let (address, socket) = (listener.address(), listener.socket());
        state.listeners.add(listener);
        let registry = Arc::clone(self);
        let run = async move {
            let events = &registry.shared.events;
            let accept = |stream, remote: SocketAddr| registry.accept_tcp(stream, remote.ip());
            accept_all(&socket, address, closed, events, accept).await;
        };
        self.shared.tasks.spawn_on(run, &self.shared.runtime);
        Ok(address)
    }

    /// Closes a listener. Returns `false` if none has this address and device.
    pub(super) fn remove_listener(&self, address: SocketAddr, device: Option<&str>) -> bool {
        lock(&self.state).listeners.remove(address, device)
    }

    pub(super) fn listeners(&self) -> Vec<SocketAddr> {
        lock(&self.state).listeners.addresses()
    }

    /// Closes the listeners and ends every session. Nothing can be added afterwards.
    pub(super) fn close(&self, why: &Shutdown) {
        let mut state = lock(&self.state);
        self.shared.closed.store(true, Ordering::Relaxed);
        // Before the sessions end: OpenBGPD 7.7 dials at once. If that connection is reset, the unsent OPEN precedes its next
        // one, which ends the graceful restart.
        state.listeners.close_all();
        state.dynamic.clear();
        state.hops = HopCounts::default();
        for entry in std::mem::take(&mut state.peers).into_values() {
            entry.peer.remove(why.clone(), RemovalReason::ShutDown);
        }
    }

    /// Gives a connection to the peer with this address, or to a new dynamic peer.
    pub(super) fn accept(
        self: &Arc<Self>,
        remote: IpAddr,
        connection: impl FnOnce(&PeerConfig) -> io::Result<Box<dyn Transport>>,
    ) -> Result<(), Refusal> {
        let remote = remote.to_canonical();
        let mut state = lock(&self.state);
        if !state.peers.contains_key(&remote) {
            self.add_dynamic_peer(&mut state, remote)?;
        }
        let entry = state.peers.get(&remote).ok_or(Refusal::UnknownPeer)?;
        // Not logged here: the listener logs every refusal, at a limited rate.
        let transport = entry
            .peer
            .read_config(connection)
            .map_err(|error| Refusal::Socket(Arc::new(error)))?;
        // Under the lock: the task of a dynamic peer that will end either sees the connection or has left `peers`.
        entry.peer.accept(transport)
    }

    fn accept_tcp(self: &Arc<Self>, stream: TcpStream, remote: IpAddr) -> Result<(), Refusal> {
        self.accept(remote, |config| {
            prepare_accepted(&stream, config)?;
            Ok(Box::new(stream))
        })
    }

    /// Starts the task of a new peer. `prefix` is that of a dynamic peer.
    fn start(
        self: &Arc<Self>,
        state: &mut State,
        config: PeerConfig,
        prefix: Option<IpNet>,
    ) -> Peer {
        let address = config.address();
        // Unbounded, so that no command waits and every stored change is already in the queue of the task.
        let (commands, receiver) = mpsc::unbounded_channel();
        let (task, status) = PeerTask::new(
            Arc::clone(&self.shared),
            state.local,
            config.clone(),
            receiver,
            prefix.is_some(),
        );
        state.tasks_started += 1;
        let entry = PeerEntry {
            task: state.tasks_started,
            peer: Peer::new(config, commands, status),
            prefix,
        };
        let peer = entry.peer.clone();
        // The new task reports nothing before its predecessor has ended: the events of an address are in order.
        let predecessor = state.ending.remove(&address).map(|ending| ending.peer);
        let run = Arc::clone(self).supervise(task, entry.task, prefix, predecessor);
        self.shared.tasks.spawn_on(run, &self.shared.runtime);
        state.peers.insert(address, entry);
        peer
    }
}

impl PeerEntry {
    /// Returns the form of a new configuration that this peer can have.
    fn restrict(&self, config: PeerConfig) -> PeerConfig {
        // A dynamic peer ends with its connection, so that it never dials.
        match self.prefix {
            Some(_) => config.with_passive(true),
            None => config,
        }
    }
}

impl State {
    /// Removes a peer and its keys, and decrements the count of its prefix.
    fn remove(&mut self, address: IpAddr) -> Option<Peer> {
        let entry = self.peers.remove(&address)?;
        let known = entry.prefix.and_then(|prefix| self.dynamic.get_mut(prefix));
        if let Some(known) = known {
            known.present -= 1;
        }
        self.restore_keys(address.into());
        // The template of a dynamic peer stays, and with it the TTL limit.
        if entry.prefix.is_none() {
            entry.peer.read_config(|config| self.hops.remove(config));
            self.limit_ttl();
        }
        Some(self.keep_until_ended(address, entry))
    }

    /// Keeps a removed peer until its task has ended. Returns its handle.
    fn keep_until_ended(&mut self, address: IpAddr, entry: PeerEntry) -> Peer {
        let peer = entry.peer.clone();
        self.ending.insert(address, entry);
        peer
    }
}

#[cfg(test)]
mod tests;
