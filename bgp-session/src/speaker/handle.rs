//! `Peer`: a peer of a speaker, as the application holds it; and the change of its configuration.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bgp_wire::Family;
use tokio::sync::{Semaphore, mpsc, watch};

use super::peer::Command;
use super::shared::{AddPeerError, Shared, lock};
use super::status::PeerStatus;
use super::transport::{self, Transport};
use crate::config::{PeerChange, PeerConfig};
use crate::session::Shutdown;

/// A peer of a [`Speaker`](super::Speaker).
#[derive(Clone)]
pub struct Peer {
    address: IpAddr,
    commands: mpsc::UnboundedSender<Command>,
    /// Limits the accepted connections that wait for the task.
    connections: Arc<Semaphore>,
    status: watch::Receiver<PeerStatus>,
}

impl Peer {
    pub(super) fn new(
        address: IpAddr,
        commands: mpsc::UnboundedSender<Command>,
        connections: Arc<Semaphore>,
        status: watch::Receiver<PeerStatus>,
    ) -> Self {
        Self {
            address,
            commands,
            connections,
            status,
        }
    }

    /// The peer's address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How the session is.
    #[must_use]
    pub fn status(&self) -> PeerStatus {
        self.status.borrow().clone()
    }

    /// Returns the first status from now on that `wanted` accepts; `None` if the peer is removed before.
    pub async fn wait_for(&self, wanted: impl FnMut(&PeerStatus) -> bool) -> Option<PeerStatus> {
        let mut status = self.status.clone();
        status
            .wait_for(wanted)
            .await
            .ok()
            .map(|status| status.clone())
    }

    /// Asks the peer for its routes of `family` once more, if its session is up and it understands that.
    pub fn refresh(&self, family: Family) {
        self.send(Command::Refresh(family));
    }

    /// Asks the peer to prefer the routes of others before its session ends, or no longer (RFC 8326).
    pub fn drain(&self, draining: bool) {
        self.send(Command::Drain(draining));
    }

    /// Ends the session, which starts again at once.
    pub fn reset(&self, text: impl Into<String>) {
        self.send(Command::Reset(Shutdown::reset(text)));
    }

    pub(super) fn stop(&self, why: Shutdown) {
        self.send(Command::Stop(why));
    }

    /// Returns when the peer's task has ended.
    pub(super) async fn gone(&self) {
        let mut status = self.status.clone();
        while status.changed().await.is_ok() {}
    }

    /// Whether the command was given.
    pub(super) fn send(&self, command: Command) -> bool {
        self.commands.send(command).is_ok()
    }

    /// Hands an accepted connection to the task. Returns `false` if too many wait already, or the task has ended.
    pub(super) fn accept(&self, transport: Box<dyn Transport>) -> bool {
        let waits = Arc::clone(&self.connections).try_acquire_owned();
        waits.is_ok_and(|waits| self.send(Command::Accept(transport, waits)))
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.address).finish()
    }
}

/// A change of a peer's configuration that is not made yet: it says first what it would reset.
#[must_use = "nothing is changed until it is applied"]
pub struct PeerUpdate {
    shared: Arc<Shared>,
    config: PeerConfig,
    change: PeerChange,
}

impl PeerUpdate {
    pub(super) fn new(shared: Arc<Shared>, config: PeerConfig) -> Result<Self, AddPeerError> {
        let address = config.address();
        transport::check(&config).map_err(|error| AddPeerError::authentication(&error))?;
        let peers = lock(&shared.peers);
        let entry = peers.by_address.get(&address);
        let entry = entry.ok_or(AddPeerError::Unknown(address))?;
        let change = entry.config.change(&config);
        drop(peers);
        Ok(Self {
            shared,
            config,
            change,
        })
    }

    /// What is different, and when it counts.
    #[must_use]
    pub fn change(&self) -> &PeerChange {
        &self.change
    }

    /// Whether the session would be reset.
    #[must_use]
    pub fn resets(&self) -> bool {
        !self.change.resets.is_empty()
    }

    /// Changes the configuration. A session whose change needs it is reset with Cease/Other Configuration Change.
    ///
    /// # Errors
    ///
    /// The peer is gone, or its new key cannot be set on a listening socket; nothing is changed then.
    pub fn apply(self) -> Result<(), AddPeerError> {
        let address = self.config.address();
        let mut peers = lock(&self.shared.peers);
        let entry = peers.by_address.get(&address);
        let entry = entry.ok_or(AddPeerError::Unknown(address))?;
        let (old, new) = (&entry.config.transport, &self.config.transport);
        if old.md5_key != new.md5_key || old.ao_key != new.ao_key {
            self.shared
                .set_keys(&peers, address.into(), Some(&self.config))?;
        }
        let entry = peers.by_address.get_mut(&address);
        let entry = entry.ok_or(AddPeerError::Unknown(address))?;
        entry.config = self.config.clone();
        // Under the lock: updates reach the task in the order in which they count here.
        let told = entry.peer.send(Command::Update(Box::new(self.config)));
        self.shared.limit_ttl(&peers);
        told.then_some(()).ok_or(AddPeerError::Unknown(address))
    }
}

impl fmt::Debug for PeerUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PeerUpdate").field(&self.change).finish()
    }
}
