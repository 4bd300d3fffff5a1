//! `RibAccess`: a table that one peer or several read, behind a lock or not.

use std::sync::{Arc, Mutex, PoisonError};

use super::Rib;

/// Access to a table that others may share.
///
/// [`AdjRibOut::pull`](super::AdjRibOut::pull) takes its changes through this trait and encodes them after `with_rib` has
/// returned, so that peers that share a table do not wait for each other's encoding.
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
    /// Calls `act` with the table, which nothing else changes meanwhile.
    fn with_rib<T>(&mut self, act: impl FnOnce(&mut Rib) -> T) -> T;
}

impl RibAccess for Rib {
    fn with_rib<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        act(self)
    }
}

/// A poisoned lock is ignored: no operation of a table leaves it half changed.
impl RibAccess for &Mutex<Rib> {
    fn with_rib<T>(&mut self, act: impl FnOnce(&mut Rib) -> T) -> T {
        act(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// As of a `&Mutex<Rib>`.
impl RibAccess for Arc<Mutex<Rib>> {
    fn with_rib<T>(&mut self, act: impl FnOnce(&mut Rib) -> T) -> T {
        (&**self).with_rib(act)
    }
}
