//! Messages that the application gives to the session as they are.

use std::fmt;
use std::time::Instant;

use bgp_wire::{EncodeError, UpdateBuf};
use bytes::BytesMut;

use super::{NotEstablished, Session};

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

impl Session {
    /// Encodes an UPDATE for the negotiated context and sends it. Returns the number of messages, which is 0 for an UPDATE
    /// without routes.
    ///
    /// The UPDATE is sent as it is: no export policy, no next hop and no AS number of ours is applied. Attributes that this
    /// kind of peer must not be sent are left out, as by [`UpdateBuf::encode`].
    ///
    /// # Errors
    ///
    /// No session is Established, or the negotiated context does not permit the UPDATE. Nothing is sent then.
    pub fn send_update(&mut self, now: Instant, update: &UpdateBuf) -> Result<usize, SendError> {
        let negotiated = self.negotiated().ok_or(NotEstablished)?;
        let mut octets = BytesMut::new();
        let messages = update
            .encode(&negotiated.sends, &mut octets)
            .map_err(SendError::Encode)?;
        self.send(now, octets.freeze())?;
        Ok(messages)
    }
}
