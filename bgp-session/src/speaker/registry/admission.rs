//! The keys and the minimum TTL of listening sockets, derived from the current configuration of all peers that may connect.
//!
//! They never depend on the change that led to the configuration.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::super::error::{AddPeerError, KeyError};
use super::super::keys::Keys;
use super::super::log;
use super::super::transport;
use super::prefixes::DynamicPrefixes;
use super::{PeerEntry, State};
use crate::config::PeerConfig;

impl State {
    /// Checks that a peer can have this configuration.
    pub(super) fn check(config: &PeerConfig) -> Result<(), AddPeerError> {
        config.validate()?;
        transport::check(config)
    }

    /// Checks that dynamic peers can have this configuration. Its address is that of their prefix.
    pub(super) fn check_template(template: &PeerConfig) -> Result<(), AddPeerError> {
        template.validate_template()?;
        transport::check(template)
    }

    /// Sets the keys of connections from `net` on every listener to those of `config`. After an error, the keys of the
    /// current configuration apply.
    pub(super) fn set_keys(&mut self, net: IpNet, config: &PeerConfig) -> Result<(), AddPeerError> {
        let keys = Keys::new(&config.transport);
        let set = self.listeners.set_keys(net, &keys);
        // The listeners before the one that failed already have the new keys.
        if set.is_err() {
            self.restore_keys(net);
        }
        Ok(set?)
    }

    /// Sets the keys of connections from `net` on every listener to those of the current configuration.
    pub(super) fn derive_keys(&mut self, net: IpNet) -> Result<(), KeyError> {
        let keys = self.keys_of(net);
        self.listeners.set_keys(net, &keys)
    }

    /// Derives the keys like [`State::derive_keys`], and logs an error. For callers that cannot return it.
    pub(super) fn restore_keys(&mut self, net: IpNet) {
        if let Err(error) = self.derive_keys(net) {
            log::guarded(|| {
                tracing::warn!(%net, %error, "cannot restore the keys of a listener");
            });
        }
    }

    /// Returns the keys of connections from exactly `net`.
    fn keys_of(&self, net: IpNet) -> Keys {
        // The kernel has one entry for a peer and a prefix of the same single address: the peer's keys take precedence.
        self.peer_with_keys(net)
            .or_else(|| self.dynamic.get(net).map(|known| &known.template))
            .map_or_else(Keys::default, |config| Keys::new(&config.transport))
    }

    /// Returns the configuration of the peer with exactly this address, or `None` if its keys are those of its prefix.
    pub(super) fn peer_with_keys(&self, net: IpNet) -> Option<&PeerConfig> {
        if net.prefix_len() != net.max_prefix_len() {
            return None;
        }
        let entry = self.peers.get(&net.addr())?;
        has_own_keys(entry, &self.dynamic).then_some(&entry.config)
    }

    /// Returns the keys of all peers that may connect.
    pub(super) fn all_keys(&self) -> BTreeMap<IpNet, Keys> {
        let templates = self
            .dynamic
            .iter()
            .map(|known| (known.prefix, &known.template));
        let own = self
            .peers
            .values()
            .filter(|entry| has_own_keys(entry, &self.dynamic))
            .map(|entry| (entry.config.address().into(), &entry.config));
        // `collect` keeps the last of equal networks, so that a peer's keys replace those of a prefix of its address.
        templates
            .chain(own)
            .map(|(net, config)| (net, Keys::new(&config.transport)))
            .collect()
    }

    /// Sets the minimum TTL of the listeners to that of the current configuration.
    pub(super) fn limit_ttl(&self) {
        self.listeners.limit_ttl(&self.hops);
    }
}

/// Returns `false` for a dynamic peer with the keys of its prefix, which the kernel already has.
fn has_own_keys(entry: &PeerEntry, dynamic: &DynamicPrefixes) -> bool {
    entry
        .prefix
        .and_then(|prefix| dynamic.get(prefix))
        .is_none_or(|known| {
            let (shared, own) = (&known.template.transport, &entry.config.transport);
            shared.md5_key != own.md5_key || shared.ao_key != own.ao_key
        })
}
