//! `RibAccess`: access to a table that one or several peers read, with or without a lock.

use std::sync::{Arc, Mutex, PoisonError};

use super::Rib;

/// Access to a table that may be shared.
///
/// [`AdjRibOut::pull`](super::AdjRibOut::pull) takes its changes through this trait. It encodes them after `with_rib` has
/// returned, so that peers with a common table do not wait for each other's encoding.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use bgp_session::{Rib, RibAccess, Route};
///
/// let shared = Arc::new(Mutex::new(Rib::new()));
/// let mut table = Arc::clone(&shared);
/// let route = Route::new("192.168.10.1/32".parse()?);
/// assert!(table.with_rib(|rib| rib.announce(&route)));
/// assert_eq!((&*shared).with_rib(|rib| rib.len()), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait RibAccess {
    /// Calls `act` with exclusive access to the table and returns its result.
    fn with_rib<T>(&mut self, act: impl FnOnce(&mut Rib) -> T) -> T;
}

impl RibAccess for Rib {
    fn with_rib<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        act(self)
    }
}

/// Locks the mutex for each call. A poisoned mutex is used as if it were not poisoned.
// A panic must not stop every other peer.
impl RibAccess for &Mutex<Rib> {
    fn with_rib<T>(&mut self, act: impl FnOnce(&mut Rib) -> T) -> T {
        act(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Locks the mutex for each call, like the implementation for `&Mutex<Rib>`.
impl RibAccess for Arc<Mutex<Rib>> {
    fn with_rib<T>(&mut self, act: impl FnOnce(&mut Rib) -> T) -> T {
        (&**self).with_rib(act)
    }
}
