//! `Peer`: the application's handle to one peer.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bgp_wire::{Family, UpdateBuf};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::command::Command;
use super::event::{Refusal, RemovalReason};
use super::shared::lock;
use super::status::PeerStatus;
use super::transport::Transport;
use crate::config::PeerConfig;
use crate::peering::{FlushOutcome, PeerFlush};
use crate::session::{RefreshError, SendError, Shutdown};

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

    /// Asks the peer to send its routes of `family` again (RFC 2918). Returns once the request is queued.
    ///
    /// # Errors
    ///
    /// The session is not Established, the peer does not support ROUTE-REFRESH, or the family was not negotiated. Nothing is
    /// sent then.
    ///
    /// # Cancel safety
    ///
    /// The first poll gives the request to the session, which sends it even if the future is dropped afterwards.
    pub async fn refresh(&self, family: Family) -> Result<(), RefreshError> {
        let (done, refreshed) = oneshot::channel();
        self.send(Command::Refresh(family, done));
        // An error means that the task has failed or ended, so that no session is up.
        refreshed.await.unwrap_or(Err(RefreshError::NotEstablished))
    }

    /// Asks this peer to prefer the routes of other speakers because its session will end, or ends that request (RFC 8326).
    pub fn drain(&self, draining: bool) {
        self.send(Command::Drain(draining));
    }

    /// Ends the session with Cease/Administrative Reset and starts it again at once. `text` is sent to the peer (RFC 9003).
    pub fn reset(&self, text: impl Into<String>) {
        self.send(Command::Reset(Shutdown::reset(text)));
    }

    /// Sends an UPDATE to this peer as it is, and returns the number of messages. Returns once they are queued.
    ///
    /// The speaker's table does not know these routes: neither the export policy nor draining applies to them, they are not
    /// sent again after a refresh or in the next session, and a later change of a route to the same destination in the table
    /// replaces or withdraws them. See [`Peering::send_update`](crate::Peering::send_update).
    ///
    /// A caller that sends many UPDATEs flushes now and then: nothing else limits the memory that they take until a slow peer
    /// has read them.
    ///
    /// # Errors
    ///
    /// The session is not Established, or the negotiated context does not permit the UPDATE. Nothing is sent then.
    ///
    /// # Cancel safety
    ///
    /// The first poll gives the UPDATE to the session, which sends it even if the future is dropped afterwards.
    pub async fn send_update(&self, update: UpdateBuf) -> Result<usize, SendError> {
        let (done, sent) = oneshot::channel();
        self.send(Command::Send(Box::new(update), done));
        // An error means that the task has failed or ended, so that no session is up.
        sent.await.unwrap_or(Err(SendError::NotEstablished))
    }

    /// Ends the session with a Cease and stays in Idle until [`Peer::start`]: the peer is not dialled, and its connections are
    /// refused. [`PeerStatus::stopped`] remembers the reason.
    ///
    /// The peer stays configured. A change of its configuration, a reset, or a failure of its task does not start it. A
    /// dynamic peer is removed when its session has ended, and may come back.
    pub fn stop(&self, why: Shutdown) {
        self.send(Command::Stop(why));
    }

    /// Starts the session again after [`Peer::stop`]. If the peer is not stopped, ends a wait after a failure.
    pub fn start(&self) {
        self.send(Command::Start);
    }

    /// Waits until the kernel of this peer has acknowledged all earlier announcements and withdrawals. Returns the outcome, and
    /// the numbers of routes that the peer is not sent.
    ///
    /// Later changes do not prolong the wait. A route that changed again before it was sent is not waited for; see
    /// [`FlushOutcome::Acknowledged`].
    ///
    /// Does not wait if the session is not Established, or longer than the session lasts. A peer that reads nothing ends its
    /// session by [`PeerConfig::with_send_hold_time`](crate::PeerConfig::with_send_hold_time); [`Peer::flush_within`] waits
    /// for less.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future only ends the wait. The routes are sent in any case.
    pub async fn flush(&self) -> PeerFlush {
        match self.begin_flush() {
            // An error means that the task has failed or ended, so that no session is up.
            Some(flushed) => flushed.await.unwrap_or(PeerFlush::NOT_ESTABLISHED),
            None => PeerFlush::NOT_ESTABLISHED,
        }
    }

    /// Waits like [`Peer::flush`], at most for `timeout`. Returns [`FlushOutcome::Pending`] if the peer has not acknowledged
    /// everything by then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future only ends the wait. The routes are sent in any case.
    ///
    /// # Panics
    ///
    /// Panics if it is polled outside of a tokio runtime.
    pub async fn flush_within(&self, timeout: Duration) -> PeerFlush {
        let flushed = tokio::time::timeout(timeout, self.flush()).await;
        flushed.unwrap_or_else(|_| self.pending_flush())
    }

    /// Begins a flush. Returns the receiver of its result, or `None` if the task has ended.
    pub(super) fn begin_flush(&self) -> Option<oneshot::Receiver<PeerFlush>> {
        let (done, flushed) = oneshot::channel();
        self.send(Command::Flush(done)).then_some(flushed)
    }

    /// Returns the result of a flush that has not ended.
    pub(super) fn pending_flush(&self) -> PeerFlush {
        PeerFlush {
            outcome: FlushOutcome::Pending,
            withheld: self.status.borrow().withheld,
        }
    }

    /// Calls `read` with the current configuration, without a copy. The registry alone changes it, under its lock.
    pub(super) fn read_config<T>(&self, read: impl FnOnce(&PeerConfig) -> T) -> T {
        read(&lock(&self.config))
    }

    /// Replaces the configuration.
    pub(super) fn update(&self, config: PeerConfig) {
        lock(&self.config).clone_from(&config);
        self.send(Command::Update(Box::new(config)));
    }

    pub(super) fn remove(&self, why: Shutdown, reason: RemovalReason) {
        self.send(Command::Remove(why, reason));
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
