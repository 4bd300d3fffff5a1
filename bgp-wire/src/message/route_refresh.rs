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
    /// The family that is meant.
    pub family: Family,
    /// Request, BoRR or EoRR; another value is to be ignored (RFC 7313 section 5).
    pub subtype: RefreshSubtype,
}

impl RouteRefresh {
    pub(super) fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        match message.get(Frame::HEADER_LENGTH..) {
            Some(&[high, low, subtype, safi]) => Ok(Self {
                family: Family::new(Afi(u16::from_be_bytes([high, low])), Safi(safi)),
                subtype: RefreshSubtype(subtype),
            }),
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
