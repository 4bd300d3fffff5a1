//! The keys and the minimum TTL of listening sockets. They follow from the present configuration of all that may connect,
//! never from the change that led to it.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::super::dynamic_peers::DynamicPeers;
use super::super::error::{AddPeerError, KeyError};
use super::super::keys::Keys;
use super::super::transport;
use super::{PeerEntry, State};
use crate::config::PeerConfig;

impl State {
    /// Checks that a peer with this configuration can be added.
    pub(super) fn check(&self, config: &PeerConfig) -> Result<(), AddPeerError> {
        if self.closed {
            return Err(AddPeerError::ShutDown);
        }
        Ok(transport::check_keys(config)?)
    }

    /// Sets the keys of connections from `net` on every listener to those of `config`. If one of them cannot be set, the
    /// keys of the present configuration stay.
    pub(super) fn set_keys(&mut self, net: IpNet, config: &PeerConfig) -> Result<(), AddPeerError> {
        let keys = Keys::new(&config.transport);
        let set = self.listeners.set_keys(net, &keys);
        if set.is_err() {
            self.restore_keys(net);
        }
        Ok(set?)
    }

    /// Sets the keys of connections from `net` on every listener to those of the present configuration.
    pub(super) fn derive_keys(&mut self, net: IpNet) -> Result<(), KeyError> {
        let keys = self.keys_of(net);
        self.listeners.set_keys(net, &keys)
    }

    /// Does the same after a part of the configuration was removed, when an error cannot be returned.
    pub(super) fn restore_keys(&mut self, net: IpNet) {
        if let Err(error) = self.derive_keys(net) {
            tracing::warn!(%net, %error, "cannot restore the keys of a listener");
        }
    }

    /// Returns the keys of connections from exactly `net`. A peer and a prefix of one address share their keys in the
    /// kernel; those of the peer count.
    fn keys_of(&self, net: IpNet) -> Keys {
        let mut dynamic = self.dynamic.iter();
        let template = || {
            let known = dynamic.find(|known| known.prefix == net)?;
            Some(&known.template)
        };
        let config = self.peer_with_keys(net).or_else(template);
        config.map_or_else(Keys::default, |config| Keys::new(&config.transport))
    }

    /// Returns the configuration of the peer with exactly this address, unless its keys are those of its prefix.
    pub(super) fn peer_with_keys(&self, net: IpNet) -> Option<&PeerConfig> {
        if net.prefix_len() != net.max_prefix_len() {
            return None;
        }
        let entry = self.peers.get(&net.addr())?;
        has_own_keys(entry, &self.dynamic).then_some(&entry.config)
    }

    /// Returns the keys of all that may connect.
    pub(super) fn all_keys(&self) -> BTreeMap<IpNet, Keys> {
        let templates = self.dynamic.iter();
        let templates = templates.map(|known| (known.prefix, &known.template));
        let own = self
            .peers
            .values()
            .filter(|entry| has_own_keys(entry, &self.dynamic))
            .map(|entry| (entry.config.address().into(), &entry.config));
        // The keys of a peer replace those of the prefix of its address.
        templates
            .chain(own)
            .map(|(net, config)| (net, Keys::new(&config.transport)))
            .collect()
    }

    /// Sets the minimum TTL of the listeners to that of the present configuration.
    pub(super) fn limit_ttl(&self) {
        self.listeners.limit_ttl(&self.hops());
    }

    /// Returns the addresses that may connect, with the number of hops that each may be away.
    pub(super) fn hops(&self) -> Vec<(IpNet, Option<u8>)> {
        let configured = self.peers.values().filter(|entry| entry.prefix.is_none());
        let configured = configured.map(|entry| &entry.config);
        let templates = self.dynamic.iter().map(|known| &known.template);
        configured
            .chain(templates)
            .map(|config| (config.address().into(), config.transport.hops))
            .collect()
    }
}

/// Returns `false` if the kernel finds the keys of a dynamic peer by its prefix, because they have not been changed.
fn has_own_keys(entry: &PeerEntry, dynamic: &[DynamicPeers]) -> bool {
    let mut dynamic = dynamic.iter();
    let known = dynamic.find(|known| Some(known.prefix) == entry.prefix);
    known.is_none_or(|known| {
        let (shared, own) = (&known.template.transport, &entry.config.transport);
        shared.md5_key != own.md5_key || shared.ao_key != own.ao_key
    })
}
