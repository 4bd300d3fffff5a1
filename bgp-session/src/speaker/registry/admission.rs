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
        Ok(self.replace_keys(net, &Keys::new(&config.transport))?)
    }

    /// Sets the keys of a peer with the new configuration `config`. `prefix` is that of a dynamic peer. After an error, the keys
    /// of the current configuration apply.
    pub(super) fn set_peer_keys(
        &mut self,
        prefix: Option<IpNet>,
        config: &PeerConfig,
    ) -> Result<(), KeyError> {
        let net = config.address().into();
        let keys = if has_own_keys(config, prefix, &self.dynamic) {
            Keys::new(&config.transport)
        } else {
            self.keys_of_prefix(net)
        };
        self.replace_keys(net, &keys)
    }

    /// Sets the keys of connections from `net` on every listener, or restores them after an error.
    fn replace_keys(&mut self, net: IpNet, keys: &Keys) -> Result<(), KeyError> {
        let set = self.listeners.set_keys(net, keys);
        // The listeners before the one that failed already have the new keys.
        if set.is_err() {
            self.restore_keys(net);
        }
        set
    }

    /// Sets the keys of connections from `net` on every listener to those of the current configuration. Logs an error, for
    /// callers that cannot return it.
    pub(super) fn restore_keys(&mut self, net: IpNet) {
        let keys = self.keys_of(net);
        if let Err(error) = self.listeners.set_keys(net, &keys) {
            log::write_line!(warn, %net, %error, "cannot restore the keys of a listener");
        }
    }

    /// Returns the keys of connections from exactly `net`.
    fn keys_of(&self, net: IpNet) -> Keys {
        // The kernel has one entry for a peer and a prefix of the same single address: the peer's keys take precedence.
        self.keys_of_peer(net)
            .unwrap_or_else(|| self.keys_of_prefix(net))
    }

    /// Returns the keys of the dynamic peers with exactly this prefix.
    fn keys_of_prefix(&self, net: IpNet) -> Keys {
        let known = self.dynamic.get(net);
        known.map_or_else(Keys::default, |known| Keys::new(&known.template.transport))
    }

    /// Returns the keys of the peer with exactly this address, or `None` if they are those of its prefix.
    pub(super) fn keys_of_peer(&self, net: IpNet) -> Option<Keys> {
        if net.prefix_len() != net.max_prefix_len() {
            return None;
        }
        self.peers.get(&net.addr())?.own_keys(&self.dynamic)
    }

    /// Returns the keys of all peers that may connect.
    pub(super) fn all_keys(&self) -> BTreeMap<IpNet, Keys> {
        let templates = self
            .dynamic
            .iter()
            .map(|known| (known.prefix, Keys::new(&known.template.transport)));
        let own = self.peers.iter().filter_map(|(address, entry)| {
            let keys = entry.own_keys(&self.dynamic)?;
            Some(((*address).into(), keys))
        });
        // `collect` keeps the last of equal networks, so that a peer's keys replace those of a prefix of its address.
        templates.chain(own).collect()
    }

    /// Sets the minimum TTL of the listeners to that of the current configuration.
    pub(super) fn limit_ttl(&self) {
        self.listeners.limit_ttl(&self.hops);
    }
}

impl PeerEntry {
    /// Returns the keys of the peer, or `None` if they are those of its prefix.
    fn own_keys(&self, dynamic: &DynamicPrefixes) -> Option<Keys> {
        self.peer.read_config(|config| {
            has_own_keys(config, self.prefix, dynamic).then(|| Keys::new(&config.transport))
        })
    }
}

/// Returns `false` for a dynamic peer with the keys of its prefix, which the kernel already has.
fn has_own_keys(config: &PeerConfig, prefix: Option<IpNet>, dynamic: &DynamicPrefixes) -> bool {
    prefix
        .and_then(|prefix| dynamic.get(prefix))
        .is_none_or(|known| {
            let (shared, own) = (&known.template.transport, &config.transport);
            shared.md5_key != own.md5_key || shared.ao_key != own.ao_key
        })
}
