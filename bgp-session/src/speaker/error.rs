//! The errors of changes to a speaker's peers: `AddPeerError`, and why a key cannot be used.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;

/// A peer was not added or not changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum AddPeerError {
    /// A peer with this address exists.
    Exists(IpAddr),
    /// Dynamic peers with this prefix exist.
    PrefixExists(IpNet),
    /// No peer has this address.
    Unknown(IpAddr),
    /// No dynamic peers have this prefix.
    UnknownPrefix(IpNet),
    /// The speaker is shut down.
    ShutDown,
    /// The configured key cannot be used (RFC 2385, RFC 5925).
    Key(KeyError),
}

impl fmt::Display for AddPeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(address) => write!(f, "duplicate peer {address}"),
            Self::PrefixExists(prefix) => write!(f, "duplicate dynamic peers {prefix}"),
            Self::Unknown(address) => write!(f, "unknown peer {address}"),
            Self::UnknownPrefix(prefix) => write!(f, "unknown dynamic peers {prefix}"),
            Self::ShutDown => f.write_str("the speaker is shut down"),
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl Error for AddPeerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Key(error) => error.source(),
            Self::Exists(_)
            | Self::PrefixExists(_)
            | Self::Unknown(_)
            | Self::UnknownPrefix(_)
            | Self::ShutDown => None,
        }
    }
}

impl From<KeyError> for AddPeerError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

/// A key for TCP MD5 or TCP-AO cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// These peers have a key for TCP MD5 and one for TCP-AO.
    Both(IpNet),
    /// The kernel has no TCP-AO.
    NoTcpAo(IpNet),
    /// No socket could be made to check the key of these peers.
    Socket(IpNet, io::Error),
    /// The kernel refuses the MD5 key of these peers.
    Md5(IpNet, io::Error),
    /// The kernel refuses the TCP-AO key of these peers.
    TcpAo(IpNet, io::Error),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Both(peers) => write!(f, "{peers} has an MD5 key and a TCP-AO key; remove one"),
            Self::NoTcpAo(peers) => write!(
                f,
                "this kernel has no TCP-AO (CONFIG_TCP_AO), which {peers} is configured with"
            ),
            Self::Socket(peers, error) => {
                write!(f, "cannot check the key for {peers}: {error}")
            }
            Self::Md5(peers, error) => write!(f, "cannot set the MD5 key for {peers}: {error}"),
            Self::TcpAo(peers, error) => {
                write!(f, "cannot set the TCP-AO key for {peers}: {error}")
            }
        }
    }
}

impl Error for KeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Socket(_, error) | Self::Md5(_, error) | Self::TcpAo(_, error) => Some(error),
            Self::Both(_) | Self::NoTcpAo(_) => None,
        }
    }
}

impl From<KeyError> for io::Error {
    fn from(error: KeyError) -> Self {
        let kind = match &error {
            KeyError::Both(_) => io::ErrorKind::InvalidInput,
            KeyError::NoTcpAo(_) => io::ErrorKind::Unsupported,
            KeyError::Socket(_, error) | KeyError::Md5(_, error) | KeyError::TcpAo(_, error) => {
                error.kind()
            }
        };
        Self::new(kind, error)
    }
}
