//! The errors of changes to a speaker's peers: `AddPeerError`, and `KeyError` for a key that cannot be used.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;

use super::support::TransportOption;

/// The error of an attempt to add or update a peer or dynamic peers.
#[derive(Debug)]
#[non_exhaustive]
pub enum AddPeerError {
    /// A peer with this address already exists.
    Exists(IpAddr),
    /// Dynamic peers with this prefix already exist.
    PrefixExists(IpNet),
    /// No peer has this address.
    Unknown(IpAddr),
    /// No dynamic peers have this prefix.
    UnknownPrefix(IpNet),
    /// The speaker is shut down.
    ShutDown,
    /// The configured key cannot be used (RFC 2385, RFC 5925).
    Key(KeyError),
    /// The system does not support an option that this peer is configured with.
    Unsupported(IpAddr, TransportOption),
}

impl fmt::Display for AddPeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(address) => write!(f, "duplicate peer {address}"),
            Self::PrefixExists(prefix) => write!(f, "duplicate dynamic peers {prefix}"),
            Self::Unknown(address) => write!(f, "unknown peer {address}"),
            Self::UnknownPrefix(prefix) => write!(f, "unknown dynamic peers {prefix}"),
            Self::ShutDown => f.write_str("the speaker is shut down"),
            // Shown without a prefix because the key error already names the peers.
            Self::Key(error) => error.fmt(f),
            Self::Unsupported(peer, option) => write!(
                f,
                "{peer} is configured with {option}, which this system does not support"
            ),
        }
    }
}

impl Error for AddPeerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // `Display` already shows the key error, so that the next cause is the one below it.
            Self::Key(error) => error.source(),
            Self::Exists(_)
            | Self::PrefixExists(_)
            | Self::Unknown(_)
            | Self::UnknownPrefix(_)
            | Self::ShutDown
            | Self::Unsupported(..) => None,
        }
    }
}

impl From<KeyError> for AddPeerError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

/// The reason why a key for TCP MD5 or TCP-AO cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// Both an MD5 key and a TCP-AO key are configured for these peers; the kernel accepts only one kind.
    Both(IpNet),
    /// The kernel has no TCP-AO (`CONFIG_TCP_AO`), which these peers are configured with.
    NoTcpAo(IpNet),
    /// No socket could be created to check the key of these peers.
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
        // `Listener::bind` returns `io::Error`, whose callers tell causes apart by the kind.
        let kind = match &error {
            KeyError::Both(_) => io::ErrorKind::InvalidInput,
            // The raw error would be ENOPROTOOPT, for which `io::ErrorKind` has no value.
            KeyError::NoTcpAo(_) => io::ErrorKind::Unsupported,
            KeyError::Socket(_, error) | KeyError::Md5(_, error) | KeyError::TcpAo(_, error) => {
                error.kind()
            }
        };
        Self::new(kind, error)
    }
}
