//! The peers, dynamic peers and listeners of one speaker.
//!
//! Every change is made under one lock, which no await holds: a caller that drops its future leaves nothing half done.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::command::Command;
use super::error::AddPeerError;
use super::handle::Peer;
use super::keys::Keys;
use super::listen::accept_all;
use super::listeners::Listeners;
use super::peer::{Ended, PeerTask};
use super::shared::{Shared, lock};
use super::transport::{self, Transport, prepare_accepted};
use crate::config::{PeerChange, PeerConfig};
use crate::session::Shutdown;

pub(super) struct Registry {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
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

/// Addresses that may become peers by connecting.
struct DynamicPeers {
    prefix: IpNet,
    template: PeerConfig,
    limit: usize,
}

impl Registry {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            state: Mutex::default(),
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
        let entry = state.peers.remove(&address)?;
        entry.peer.stop(Shutdown::deconfigured());
        state.restore_keys(address.into());
        state.limit_ttl();
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

    pub(super) fn add_dynamic_peers(
        &self,
        prefix: IpNet,
        template: PeerConfig,
        limit: usize,
    ) -> Result<(), AddPeerError> {
        let mut state = lock(&self.state);
        let prefix = prefix.trunc();
        state.check(&template)?;
        if state.dynamic.iter().any(|known| known.prefix == prefix) {
            return Err(AddPeerError::PrefixExists(prefix));
        }
        // A peer with exactly this address keeps its keys.
        if state.peer_with_keys(prefix).is_none() {
            state.set_keys(prefix, &template)?;
        }
        state.dynamic.push(DynamicPeers {
            prefix,
            template,
            limit,
        });
        state
            .dynamic
            .sort_by_key(|known| std::cmp::Reverse(known.prefix.prefix_len()));
        state.limit_ttl();
        Ok(())
    }

    /// Accepts no more dynamic peers of this prefix and ends the sessions with those that are present. Returns their
    /// handles, or `None` if there is no such prefix.
    pub(super) fn remove_dynamic_peers(&self, prefix: IpNet) -> Option<Vec<Peer>> {
        let mut state = lock(&self.state);
        let mut known = state.dynamic.iter();
        let index = known.position(|known| known.prefix == prefix)?;
        state.dynamic.remove(index);
        let present: Vec<_> = state
            .peers
            .extract_if(.., |_, entry| entry.prefix == Some(prefix))
            .map(|(_, entry)| entry.peer)
            .collect();
        for peer in &present {
            peer.stop(Shutdown::deconfigured());
            state.restore_keys(peer.address().into());
        }
        state.restore_keys(prefix);
        state.limit_ttl();
        Some(present)
    }

    pub(super) fn add_listener(
        self: &Arc<Self>,
        address: SocketAddr,
        device: Option<&str>,
    ) -> io::Result<()> {
        let mut state = lock(&self.state);
        let State {
            peers,
            dynamic,
            listeners,
            ..
        } = &mut *state;
        let keys = all_keys(peers, dynamic);
        let configs = connecting(peers, dynamic);
        let closed = self.shared.stop.child_token();
        let listener = listeners.add(address, device, keys, &configs, closed.clone())?;
        let (socket, registry) = (Arc::clone(&listener.socket), Arc::clone(self));
        self.shared.tasks.spawn(async move {
            let accept = |stream, remote: SocketAddr| {
                if !registry.accept_tcp(stream, remote.ip()) {
                    tracing::debug!(%remote, "connection refused");
                }
            };
            accept_all(&socket, closed, accept).await;
        });
        Ok(())
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
            let Some((config, prefix)) = state.dynamic_peer(remote) else {
                return false;
            };
            self.start(&mut state, config, Some(prefix));
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
        let (task, status) = PeerTask::new(shared, config.clone(), receiver, prefix.is_some());
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
            state.peers.remove(&address);
            state.restore_keys(address.into());
        }
        true
    }
}

impl State {
    fn check(&self, config: &PeerConfig) -> Result<(), AddPeerError> {
        if self.closed {
            return Err(AddPeerError::ShutDown);
        }
        Ok(transport::check_keys(config)?)
    }

    /// Sets the keys of connections from `net` on every listener to those of `config`. If one of them cannot be set, the
    /// keys of the present configuration stay.
    fn set_keys(&mut self, net: IpNet, config: &PeerConfig) -> Result<(), AddPeerError> {
        let keys = Keys::new(&config.transport);
        let set = self.listeners.set_keys(net, &keys);
        if set.is_err() {
            self.restore_keys(net);
        }
        Ok(set?)
    }

    /// Sets the keys of connections from `net` to those of the present configuration, after a part of it has gone.
    fn restore_keys(&mut self, net: IpNet) {
        let keys = self.keys_of(net);
        if let Err(error) = self.listeners.set_keys(net, &keys) {
            tracing::warn!(%net, %error, "cannot restore the keys of a listener");
        }
    }

    /// Returns the keys of connections from exactly `net`. A peer and a prefix of one address share their keys in the
    /// kernel; those of the peer count.
    fn keys_of(&self, net: IpNet) -> Keys {
        let mut dynamic = self.dynamic.iter();
        let template = || {
            let known = dynamic.find(|known| known.prefix == net)?;
            Some(&known.template)
        };
        let config = self.peer_with_keys(net).or_else(template);
        config.map_or_else(Keys::default, |config| Keys::new(&config.transport))
    }

    /// Returns the configuration of the peer with exactly this address, unless its keys are those of its prefix.
    fn peer_with_keys(&self, net: IpNet) -> Option<&PeerConfig> {
        if net.prefix_len() != net.max_prefix_len() {
            return None;
        }
        let entry = self.peers.get(&net.addr())?;
        has_own_keys(entry, &self.dynamic).then_some(&entry.config)
    }

    fn limit_ttl(&self) {
        let configs = connecting(&self.peers, &self.dynamic);
        self.listeners.limit_ttl(&configs);
    }

    /// Returns the configuration of a dynamic peer with this address and its prefix, or `None` if no prefix matches or its
    /// limit is reached.
    fn dynamic_peer(&self, address: IpAddr) -> Option<(PeerConfig, IpNet)> {
        let mut dynamic = self.dynamic.iter();
        let known = dynamic.find(|known| known.prefix.contains(&address))?;
        let prefix = known.prefix;
        let present = self.peers.values();
        let present = present.filter(|entry| entry.prefix == Some(prefix));
        if present.count() >= known.limit {
            return None;
        }
        let config = known.template.clone().passive(true);
        Some((config.with_address(address), prefix))
    }
}

/// Returns `false` if the kernel finds the keys of a dynamic peer by its prefix, as they have not been changed.
fn has_own_keys(entry: &PeerEntry, dynamic: &[DynamicPeers]) -> bool {
    let mut dynamic = dynamic.iter();
    let known = dynamic.find(|known| Some(known.prefix) == entry.prefix);
    known.is_none_or(|known| {
        let (shared, own) = (&known.template.transport, &entry.config.transport);
        shared.md5_key != own.md5_key || shared.ao_key != own.ao_key
    })
}

/// Returns the configurations of all that may connect.
fn connecting<'a>(
    peers: &'a BTreeMap<IpAddr, PeerEntry>,
    dynamic: &'a [DynamicPeers],
) -> Vec<&'a PeerConfig> {
    let configured = peers.values().filter(|entry| entry.prefix.is_none());
    let configured = configured.map(|entry| &entry.config);
    let templates = dynamic.iter().map(|known| &known.template);
    configured.chain(templates).collect()
}

/// Returns the keys of all that may connect.
fn all_keys(
    peers: &BTreeMap<IpAddr, PeerEntry>,
    dynamic: &[DynamicPeers],
) -> BTreeMap<IpNet, Keys> {
    let templates = dynamic.iter().map(|known| (known.prefix, &known.template));
    let own = peers
        .values()
        .filter(|entry| has_own_keys(entry, dynamic))
        .map(|entry| (entry.config.address().into(), &entry.config));
    // A peer replaces the prefix of its address.
    templates
        .chain(own)
        .map(|(net, config)| (net, Keys::new(&config.transport)))
        .collect()
}
