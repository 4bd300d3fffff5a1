//! Messages that the application gives to the session as they are.

use std::time::Instant;

use bgp_wire::UpdateBuf;
use bytes::BytesMut;

use super::Session;
use super::error::{NotEstablished, SendError};

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
