//! The errors of commands to a session.

use std::fmt;

use bgp_wire::{EncodeError, Family};

/// The error of a command that needs an Established session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotEstablished;

impl fmt::Display for NotEstablished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session is not Established")
    }
}

impl std::error::Error for NotEstablished {}

/// The reason for which a peer was not asked to send its routes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshError {
    /// No session is Established.
    NotEstablished,
    /// The peer does not support ROUTE-REFRESH (RFC 2918).
    NotSupported,
    /// The family was not negotiated.
    NotNegotiated(Family),
}

impl From<NotEstablished> for RefreshError {
    fn from(_: NotEstablished) -> Self {
        Self::NotEstablished
    }
}

impl fmt::Display for RefreshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEstablished => NotEstablished.fmt(f),
            Self::NotSupported => f.write_str("the peer does not support ROUTE-REFRESH"),
            Self::NotNegotiated(family) => write!(f, "{family} was not negotiated with the peer"),
        }
    }
}

impl std::error::Error for RefreshError {}

/// The error of an UPDATE that is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The session is not Established.
    NotEstablished,
    /// The negotiated context does not permit the UPDATE, for example because a family was not negotiated.
    Encode(EncodeError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEstablished => NotEstablished.fmt(f),
            Self::Encode(error) => write!(f, "cannot encode the UPDATE: {error}"),
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotEstablished => None,
            Self::Encode(error) => Some(error),
        }
    }
}

impl From<NotEstablished> for SendError {
    fn from(NotEstablished: NotEstablished) -> Self {
        Self::NotEstablished
    }
}
