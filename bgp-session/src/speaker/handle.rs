//! `Peer`: the application's handle of one peer.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bgp_wire::Family;
use tokio::sync::{Semaphore, mpsc, watch};

use super::command::Command;
use super::event::{Refusal, RemovalReason};
use super::status::PeerStatus;
use super::transport::Transport;
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
        status: watch::Receiver<PeerStatus>,
    ) -> Self {
        Self {
            address,
            commands,
            connections: Arc::new(Semaphore::new(MAX_WAITING_CONNECTIONS)),
            status,
        }
    }

    /// Returns the peer's address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns the present status.
    #[must_use]
    pub fn status(&self) -> PeerStatus {
        self.status.borrow().clone()
    }

    /// Returns the first status from now on that `wanted` accepts, or `None` if the peer is removed before.
    pub async fn wait_for(&self, wanted: impl FnMut(&PeerStatus) -> bool) -> Option<PeerStatus> {
        let mut status = self.status.clone();
        status
            .wait_for(wanted)
            .await
            .ok()
            .map(|status| status.clone())
    }

    /// Asks the peer for its routes of `family` again, if the session is up and the peer supports it (RFC 2918).
    pub fn refresh(&self, family: Family) {
        self.send(Command::Refresh(family));
    }

    /// Asks the peer to prefer the routes of others before its session ends, or no longer (RFC 8326).
    pub fn drain(&self, draining: bool) {
        self.send(Command::Drain(draining));
    }

    /// Ends the session with Cease/Administrative Reset and starts it again at once.
    pub fn reset(&self, text: impl Into<String>) {
        self.send(Command::Reset(Shutdown::reset(text)));
    }

    pub(super) fn stop(&self, why: Shutdown, reason: RemovalReason) {
        self.send(Command::Stop(why, reason));
    }

    /// Returns when the peer's task has ended.
    pub(super) async fn ended(&self) {
        let mut status = self.status.clone();
        while status.changed().await.is_ok() {}
    }

    /// Returns `false` if the peer's task has ended.
    pub(super) fn send(&self, command: Command) -> bool {
        self.commands.send(command).is_ok()
    }

    /// Hands an accepted connection to the task.
    pub(super) fn accept(&self, transport: Box<dyn Transport>) -> Result<(), Refusal> {
        let permit = Arc::clone(&self.connections)
            .try_acquire_owned()
            .map_err(|_| Refusal::TooManyConnections)?;
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

/// More accepted connections of one peer than this do not wait for its task but are refused.
const MAX_WAITING_CONNECTIONS: usize = 16;
