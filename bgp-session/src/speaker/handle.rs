//! `Peer`: the application's handle to one peer.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use bgp_wire::Family;
use tokio::sync::{Semaphore, mpsc, watch};

use super::command::Command;
use super::event::{Refusal, RemovalReason};
use super::shared::lock;
use super::status::PeerStatus;
use super::transport::Transport;
use crate::config::PeerConfig;
use crate::session::Shutdown;

/// A handle to one peer of a [`Speaker`](super::Speaker). Cheap to clone.
///
/// Commands to a peer that has been removed have no effect.
#[derive(Clone)]
pub struct Peer {
    address: IpAddr,
    config: Arc<Mutex<PeerConfig>>,
    commands: mpsc::UnboundedSender<Command>,
    /// Limits the accepted connections that wait for the task.
    connections: Arc<Semaphore>,
    status: watch::Receiver<PeerStatus>,
}

impl Peer {
    pub(super) fn new(
        config: PeerConfig,
        commands: mpsc::UnboundedSender<Command>,
        status: watch::Receiver<PeerStatus>,
    ) -> Self {
        Self {
            address: config.address(),
            config: Arc::new(Mutex::new(config)),
            commands,
            // The command channel has no bound: only connections, which any host can open, need a limit.
            connections: Arc::new(Semaphore::new(MAX_WAITING_CONNECTIONS)),
            status,
        }
    }

    /// Returns the peer's address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns the current configuration. After the peer has been removed, returns its last one.
    #[must_use]
    pub fn config(&self) -> PeerConfig {
        lock(&self.config).clone()
    }

    /// Returns the current status.
    #[must_use]
    pub fn status(&self) -> PeerStatus {
        self.status.borrow().clone()
    }

    /// Waits for a status that `wanted` accepts and returns it, beginning with the current one. Returns `None` if the peer is
    /// removed first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect. A status that passes between two calls is not seen by either.
    pub async fn wait_for(&self, wanted: impl FnMut(&PeerStatus) -> bool) -> Option<PeerStatus> {
        let mut status = self.status.clone();
        status
            .wait_for(wanted)
            .await
            .ok()
            // The borrowed status locks the channel, which would keep the task from publishing the next one.
            .map(|status| status.clone())
    }

    /// Asks the peer to send its routes of `family` again, if the session is up and the peer supports it (RFC 2918).
    pub fn refresh(&self, family: Family) {
        self.send(Command::Refresh(family));
    }

    /// Asks this peer to prefer the routes of other speakers because its session will end, or ends that request (RFC 8326).
    pub fn drain(&self, draining: bool) {
        self.send(Command::Drain(draining));
    }

    /// Ends the session with Cease/Administrative Reset and starts it again at once. `text` is sent to the peer (RFC 9003).
    pub fn reset(&self, text: impl Into<String>) {
        self.send(Command::Reset(Shutdown::reset(text)));
    }

    /// Replaces the configuration.
    pub(super) fn update(&self, config: PeerConfig) {
        lock(&self.config).clone_from(&config);
        self.send(Command::Update(Box::new(config)));
    }

    pub(super) fn stop(&self, why: Shutdown, reason: RemovalReason) {
        self.send(Command::Stop(why, reason));
    }

    /// Waits until the peer's task has ended.
    pub(super) async fn ended(&self) {
        let mut status = self.status.clone();
        // The task owns the sender of the status: an error means that it has ended.
        while status.changed().await.is_ok() {}
    }

    /// Gives the task a command. Returns `false` if the task has ended.
    pub(super) fn send(&self, command: Command) -> bool {
        self.commands.send(command).is_ok()
    }

    /// Gives an accepted connection to the task.
    ///
    /// # Errors
    ///
    /// Too many connections wait for the task, or the task has ended.
    pub(super) fn accept(&self, transport: Box<dyn Transport>) -> Result<(), Refusal> {
        let permit = Arc::clone(&self.connections)
            .try_acquire_owned()
            .map_err(|_| Refusal::TooManyConnections)?;
        // The command carries the permit, which the task drops when it takes the connection.
        if self.send(Command::Accept(transport, permit)) {
            Ok(())
        } else {
            Err(Refusal::NotAccepted)
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.address).finish()
    }
}

/// The maximum number of accepted connections of one peer that wait for its task. More are refused.
const MAX_WAITING_CONNECTIONS: usize = 16;
