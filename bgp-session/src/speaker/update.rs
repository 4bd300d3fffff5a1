//! `PeerUpdate`: a new configuration for a peer that can be examined before it is applied.

use std::fmt;
use std::sync::Arc;

use super::error::AddPeerError;
use super::registry::Registry;
use crate::config::{PeerChange, PeerConfig};

/// A new configuration for a peer. Has no effect until [`PeerUpdate::apply`].
#[must_use = "nothing changes before `apply`"]
pub struct PeerUpdate {
    registry: Arc<Registry>,
    config: PeerConfig,
    change: PeerChange,
}

impl PeerUpdate {
    pub(super) fn new(registry: Arc<Registry>, config: PeerConfig) -> Result<Self, AddPeerError> {
        let change = registry.change(&config)?;
        Ok(Self {
            registry,
            config,
            change,
        })
    }

    /// Returns the differences, each with its effect.
    #[must_use]
    pub fn change(&self) -> &PeerChange {
        &self.change
    }

    /// Returns `true` if applying the update resets an Established session.
    #[must_use]
    pub fn resets(&self) -> bool {
        self.change.resets()
    }

    /// Replaces the configuration. Resets the session with Cease/Other Configuration Change if the change requires it.
    /// Returns the differences, which differ from [`PeerUpdate::change`] if another update was applied in between.
    ///
    /// # Errors
    ///
    /// The peer no longer exists, or its new key cannot be set on a listening socket. An error leaves everything unchanged.
    pub fn apply(self) -> Result<PeerChange, AddPeerError> {
        self.registry.update_peer(self.config)
    }
}

impl fmt::Debug for PeerUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PeerUpdate").field(&self.change).finish()
    }
}
