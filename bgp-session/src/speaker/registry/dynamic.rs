//! Dynamic peers: the prefixes that are accepted, and their present peers.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;

use super::super::dynamic_peers::DynamicPeers;
use super::super::error::AddPeerError;
use super::super::event::{Refusal, RemovalReason};
use super::super::handle::Peer;
use super::super::shared::lock;
use super::{Registry, State};
use crate::config::{PeerChange, PeerConfig, is_host};
use crate::session::Shutdown;

impl Registry {
    pub(in super::super) fn add_dynamic_peers(
        &self,
        prefix: IpNet,
        template: PeerConfig,
        limit: usize,
    ) -> Result<(), AddPeerError> {
        let prefix = canonical(prefix);
        // The template's address gives its keys and TTL the right family.
        let template = template.with_address(prefix.addr());
        let mut state = lock(&self.state);
        self.check_open()?;
        State::check_template(&template)?;
        if state.dynamic.get(prefix).is_some() {
            return Err(AddPeerError::PrefixExists(prefix));
        }
        // The kernel has one entry for a peer and a prefix of the same single address: the peer keeps its keys.
        if state.keys_of_peer(prefix).is_none() {
            state.set_keys(prefix, &template)?;
        }
        state.hops.add(&template);
        state.dynamic.insert(DynamicPeers {
            prefix,
            template,
            limit,
            present: 0,
        });
        state.limit_ttl();
        Ok(())
    }

    pub(in super::super) fn dynamic_peers(&self) -> Vec<DynamicPeers> {
        lock(&self.state).dynamic.iter().cloned().collect()
    }

    /// Replaces the template and the limit of a prefix, and the configuration of its present peers.
    pub(in super::super) fn update_dynamic_peers(
        &self,
        prefix: IpNet,
        template: PeerConfig,
        limit: usize,
    ) -> Result<PeerChange, AddPeerError> {
        let prefix = canonical(prefix);
        let template = template.with_address(prefix.addr());
        State::check_template(&template)?;
        let mut state = lock(&self.state);
        if state.dynamic.get(prefix).is_none() {
            return Err(AddPeerError::UnknownPrefix(prefix));
        }
        if state.keys_of_peer(prefix).is_none() {
            state.set_keys(prefix, &template)?;
        }
        let State {
            dynamic,
            peers,
            hops,
            ..
        } = &mut *state;
        let Some(known) = dynamic.get_mut(prefix) else {
            return Err(AddPeerError::UnknownPrefix(prefix));
        };
        let change = known.template.change(&template);
        hops.remove(&known.template);
        hops.add(&template);
        known.template = template.clone();
        known.limit = limit;
        let present = peers
            .range(addresses_of(prefix))
            .filter(|(_, entry)| entry.prefix == Some(prefix));
        let mut addresses = Vec::new();
        for (address, entry) in present {
            let config = template.clone().with_address(*address);
            entry.peer.update(entry.restrict(config));
            addresses.push(*address);
        }
        for address in addresses {
            // A peer may have had its own keys, which the template has replaced.
            state.restore_keys(address.into());
        }
        state.limit_ttl();
        Ok(change)
    }

    /// Removes a prefix and ends the sessions of its present peers. Returns their handles, or `None` if the prefix is
    /// unknown.
    pub(in super::super) fn remove_dynamic_peers(&self, prefix: IpNet) -> Option<Vec<Peer>> {
        let prefix = canonical(prefix);
        let mut state = lock(&self.state);
        let known = state.dynamic.remove(prefix)?;
        state.hops.remove(&known.template);
        let present: Vec<_> = state
            .peers
            .extract_if(addresses_of(prefix), |_, entry| {
                entry.prefix == Some(prefix)
            })
            .collect();
        // After the removal, so that the keys derive from the remaining configuration.
        state.restore_keys(prefix);
        state.limit_ttl();
        let mut removed = Vec::with_capacity(present.len());
        for (address, entry) in present {
            let peer = state.keep_until_ended(address, entry);
            peer.remove(Shutdown::deconfigured(), RemovalReason::Deconfigured);
            state.restore_keys(address.into());
            removed.push(peer);
        }
        Some(removed)
    }

    /// Adds the dynamic peer with this address.
    ///
    /// # Errors
    ///
    /// No host has the address, no prefix contains it, or the limit of the longest one is reached.
    pub(super) fn add_dynamic_peer(
        self: &Arc<Self>,
        state: &mut State,
        address: IpAddr,
    ) -> Result<(), Refusal> {
        // A driver of the application may report any address; 0.0.0.0/0 contains them all.
        let known = Some(address)
            .filter(|address| is_host(*address))
            .and_then(|address| state.dynamic.longest_mut(address))
            .ok_or(Refusal::UnknownPeer)?;
        if known.present >= known.limit {
            return Err(Refusal::LimitReached(known.prefix));
        }
        // Counted under the same lock as the check, so that simultaneous connections cannot exceed the limit.
        known.present += 1;
        let config = known
            .template
            .clone()
            .with_passive(true)
            .with_address(address);
        let prefix = known.prefix;
        self.start(state, config, Some(prefix));
        Ok(())
    }
}

/// Returns the form of a prefix that equal prefixes have in common: without host bits, and as IPv4 if it is IPv4-mapped.
fn canonical(prefix: IpNet) -> IpNet {
    let prefix = prefix.trunc();
    let IpNet::V6(ipv6) = prefix else {
        return prefix;
    };
    // A dual-stack socket reports IPv4 hosts by mapped addresses, ::ffff:0:0/96, which peers are looked up without.
    let length = ipv6.prefix_len().checked_sub(96);
    ipv6.addr()
        .to_ipv4_mapped()
        .zip(length)
        .and_then(|(address, length)| IpNet::new(address.into(), length).ok())
        .unwrap_or(prefix)
}

/// Returns the addresses that a prefix contains.
// The peers of a prefix are searched among these addresses: a walk through all peers for each of many prefixes would take
// quadratic time.
fn addresses_of(prefix: IpNet) -> RangeInclusive<IpAddr> {
    prefix.network()..=prefix.broadcast()
}
