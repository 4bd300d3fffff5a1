//! ROUTE-REFRESH (RFC 2918) and its subtypes (RFC 7313).

use bytes::{BufMut, BytesMut};

use super::write_message;
use crate::context::MessageLimit;
use crate::error::{DecodeError, EncodeError};
use crate::family::Family;
use crate::frame::Frame;
use crate::iana::{Afi, MessageType, RefreshSubtype, Safi};
use crate::reason::Reason;

/// A ROUTE-REFRESH.
///
/// ```
/// use bgp_wire::{Family, RefreshSubtype, RouteRefresh};
/// let mut octets = bytes::BytesMut::new();
/// RouteRefresh { family: Family::IPV4_UNICAST, subtype: RefreshSubtype::REQUEST }.encode(&mut octets);
/// assert_eq!(octets[19..], [0, 1, 0, 1]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RouteRefresh {
    /// The family of the requested routes.
    pub family: Family,
    /// Request, BoRR or EoRR. Ignore a message with any other value (RFC 7313 section 5).
    pub subtype: RefreshSubtype,
}

impl RouteRefresh {
    /// Decodes a complete message. Fails unless its body has four octets.
    pub(super) fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        match message.get(Frame::HEADER_LENGTH..) {
            Some(&[high, low, subtype, safi]) => Ok(Self {
                family: Family::new(Afi(u16::from_be_bytes([high, low])), Safi(safi)),
                subtype: RefreshSubtype(subtype),
            }),
            // RFC 7313 section 5 requires this error for the subtypes 1 and 2; RFC 2918 defines none for a request.
            // Route filters (RFC 5291) make the message longer: a user of this codec must not offer to receive them.
            _ => Err(DecodeError::new(
                Reason::INVALID_ROUTE_REFRESH_LENGTH,
                16,
                18,
            )),
        }
    }

    /// Appends the message to `out`.
    pub fn encode(&self, out: &mut BytesMut) {
        let written = write_message(
            out,
            MessageType::ROUTE_REFRESH,
            MessageLimit::Standard.octets(),
            |out| {
                out.put_u16(self.family.afi.0);
                out.put_slice(&[self.subtype.0, self.family.safi.0]);
                Ok(())
            },
        );
        debug_assert_eq!(written, Ok::<(), EncodeError>(()), "23 octets fit");
    }
}
