//! The errors of a speaker: `SpawnError` at its start, `AddPeerError` and `KeyError` for its peers, and `SpeakerShutDown` after
//! its end.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;

use ipnet::IpNet;

use super::support::TransportOption;
use crate::config::ConfigError;

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
    /// The configuration is not possible.
    Config(ConfigError),
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
            Self::ShutDown => SpeakerShutDown.fmt(f),
            Self::Config(error) => error.fmt(f),
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
            | Self::Unsupported(..)
            // `Display` already shows it, and it has no source.
            | Self::Config(_) => None,
        }
    }
}

impl From<KeyError> for AddPeerError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<ConfigError> for AddPeerError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<SpeakerShutDown> for AddPeerError {
    fn from(SpeakerShutDown: SpeakerShutDown) -> Self {
        Self::ShutDown
    }
}

/// The error of a change to the table of a speaker that is shut down: no peer will learn of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpeakerShutDown;

impl fmt::Display for SpeakerShutDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the speaker is shut down")
    }
}

impl Error for SpeakerShutDown {}

/// The reason why a speaker cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpawnError {
    /// The calling thread is in no tokio runtime, in which the tasks of the speaker could run.
    NoRuntime,
    /// Our AS number is not possible.
    Config(ConfigError),
    /// The capacity of [`SpeakerBuilder::with_event_capacity`](super::SpeakerBuilder::with_event_capacity) is out of range.
    EventCapacity(usize),
    /// A listener cannot be started. The error contains its address.
    Listener(io::Error),
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRuntime => f.write_str(
                "no tokio runtime: spawn the speaker in a task, or after `Handle::enter`",
            ),
            Self::Config(error) => error.fmt(f),
            Self::EventCapacity(events) => write!(
                f,
                "event capacity {events} is out of range: 1 to {MAX_EVENT_CAPACITY}"
            ),
            Self::Listener(error) => error.fmt(f),
        }
    }
}

impl Error for SpawnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // `Display` already shows the error of the listener, so that the next cause is the one below it.
            Self::Listener(error) => error.source(),
            Self::NoRuntime | Self::Config(_) | Self::EventCapacity(_) => None,
        }
    }
}

impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        match error {
            SpawnError::Listener(error) => error,
            SpawnError::NoRuntime => Self::other(error),
            SpawnError::Config(_) | SpawnError::EventCapacity(_) => {
                Self::new(io::ErrorKind::InvalidInput, error)
            }
        }
    }
}

/// The maximum of `SpeakerBuilder::with_event_capacity`.
// The channel allocates its slots at once.
pub(super) const MAX_EVENT_CAPACITY: usize = 1 << 20;

/// The reason why a key for TCP MD5 or TCP-AO cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
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
            Self::NoTcpAo(_) => None,
        }
    }
}

impl From<KeyError> for io::Error {
    fn from(error: KeyError) -> Self {
        // `Listener::bind` returns `io::Error`, whose callers tell causes apart by the kind.
        let kind = match &error {
            // The raw error would be ENOPROTOOPT, for which `io::ErrorKind` has no value.
            KeyError::NoTcpAo(_) => io::ErrorKind::Unsupported,
            KeyError::Socket(_, error) | KeyError::Md5(_, error) | KeyError::TcpAo(_, error) => {
                error.kind()
            }
        };
        Self::new(kind, error)
    }
}
