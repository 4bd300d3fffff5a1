//! `Shared`: what the tasks of one speaker share.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::event::EventSenders;
use super::transport::Dialer;
use crate::rib::Rib;

pub(super) struct Shared {
    pub(super) rib: Mutex<Rib>,
    /// The version of the table. A change wakes the peers.
    pub(super) changed: watch::Sender<u64>,
    pub(super) events: EventSenders,
    pub(super) dialer: Arc<dyn Dialer>,
    pub(super) seed: u64,
    /// Sessions that start are told of a restart (RFC 4724 section 3).
    pub(super) restarting: AtomicBool,
    pub(super) draining: watch::Sender<bool>,
    pub(super) tasks: TaskTracker,
    /// Ends every task.
    pub(super) stop: CancellationToken,
}

/// Locks `mutex`. A holder that panicked left the value as it was: every change under these locks is whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
