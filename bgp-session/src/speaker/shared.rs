//! `Shared`: the state that all tasks of one speaker use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::event::EventSenders;
use super::interface::Interfaces;
use super::transport::Dialer;
use crate::rib::Rib;

pub(super) struct Shared {
    /// The runtime of all tasks. They must not end with that of a caller.
    pub(super) runtime: Handle,
    pub(super) rib: Mutex<Rib>,
    /// The version of the table. A change wakes the peers.
    pub(super) changed: watch::Sender<u64>,
    pub(super) interfaces: Interfaces,
    /// Wakes the peers when the addresses of interfaces have changed.
    pub(super) addresses: watch::Sender<()>,
    pub(super) events: EventSenders,
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) seed: u64,
    /// `true` during a restart: new sessions set the Restart State bit (RFC 4724 section 3).
    pub(super) restarting: AtomicBool,
    /// `true` while all peers are drained (RFC 8326).
    pub(super) draining: watch::Sender<bool>,
    /// The tasks that a shutdown waits for: those of peers, listeners and closing connections.
    pub(super) tasks: TaskTracker,
    /// Ends every task.
    pub(super) stop: CancellationToken,
    /// `true` after a shutdown, when nothing can be added or announced.
    pub(super) closed: AtomicBool,
}

impl Shared {
    /// Returns `true` after a shutdown.
    pub(super) fn is_closed(&self) -> bool {
        // The registry reads and writes it under its lock, which orders it. A route that is announced at the same time as a
        // shutdown may be in time or not.
        self.closed.load(Ordering::Relaxed)
    }

    /// Makes every peer look up the addresses of its interface.
    pub(super) fn refresh_addresses(&self) {
        self.interfaces.forget();
        self.addresses.send_replace(());
    }
}

/// Locks `mutex`, also after a holder panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of one peer's task must not end the others. Every change under these locks is complete or has not begun.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
