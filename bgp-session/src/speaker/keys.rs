//! The keys that authenticate a peer's TCP segments (RFC 2385, RFC 5925), on dialling, listening and connected sockets.

use std::io;

use ipnet::IpNet;

use super::error::KeyError;
use super::sockopt::{self, KeyedSocket};
use crate::config::{AoKey, Md5Key, TransportConfig};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys {
    md5: Option<Md5Key>,
    ao: Option<AoKey>,
}

impl Keys {
    pub(super) fn new(transport: &TransportConfig) -> Self {
        Self {
            md5: transport.md5_key.clone(),
            ao: transport.ao_key.clone(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.md5.is_none() && self.ao.is_none()
    }

    /// Sets the keys of `peers` on a socket that has none for them.
    pub(super) fn set(&self, socket: KeyedSocket<'_>, peers: IpNet) -> Result<(), KeyError> {
        self.replace(&Self::default(), socket, peers)
    }

    /// Sets the keys of `peers` on a socket that has the keys `old` for them.
    pub(super) fn replace(
        &self,
        old: &Self,
        socket: KeyedSocket<'_>,
        peers: IpNet,
    ) -> Result<(), KeyError> {
        // The kernel accepts no key of one kind beside a key of the other, so that old keys are deleted first.
        if old.md5.is_some() && self.md5.is_none() {
            sockopt::set_md5_key(socket, peers, None)
                .map_err(|error| KeyError::Md5(peers, error))?;
        }
        // A TCP-AO key cannot be overwritten: adding its identifiers again fails with EEXIST.
        if let Some(key) = old.ao.as_ref().filter(|_| old.ao != self.ao) {
            sockopt::delete_ao_key(socket, peers, key)
                .map_err(|error| KeyError::TcpAo(peers, error))?;
        }
        // The kernel overwrites an MD5 key in place, without a moment in which unsigned segments pass.
        if let Some(key) = self.md5.as_ref().filter(|_| old.md5 != self.md5) {
            sockopt::set_md5_key(socket, peers, Some(key))
                .map_err(|error| KeyError::Md5(peers, error))?;
        }
        if let Some(key) = self.ao.as_ref().filter(|_| old.ao != self.ao) {
            sockopt::add_ao_key(socket, peers, key).map_err(|error| cannot_add(error, peers))?;
        }
        Ok(())
    }

    /// Sets the keys of `peers` on an accepted connection.
    ///
    /// The connection has the keys of the listener at the time of its handshake, possibly before the peer was added or
    /// its key changed.
    pub(super) fn require(&self, socket: KeyedSocket<'_>, peers: IpNet) -> Result<(), KeyError> {
        match self.set(socket, peers) {
            // A connection that was made with the TCP-AO key already has it. The kernel adds it to no other connection.
            Err(KeyError::TcpAo(_, error)) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(())
            }
            result => result,
        }
    }
}

fn cannot_add(error: io::Error, peers: IpNet) -> KeyError {
    if error.kind() == io::ErrorKind::Unsupported {
        KeyError::NoTcpAo(peers)
    } else {
        KeyError::TcpAo(peers, error)
    }
}
