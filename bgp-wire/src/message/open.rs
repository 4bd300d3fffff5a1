//! OPEN (RFC 4271 section 4.2), with optional parameters in both lengths (RFC 5492, RFC 9072).

use alloc::vec::Vec;

use bytes::{BufMut, BytesMut};

use super::capability::{Capabilities, Capability, CapabilityBuf};
use super::parameters::{Parameters, put_parameters};
use super::write_message;
use crate::asn::Asn;
use crate::context::MessageLimit;
use crate::error::{DecodeError, EncodeError};
use crate::frame::Frame;
use crate::hold_time::HoldTime;
use crate::iana::{CapabilityCode, MessageType};
use crate::parse::{Parsed, array, be_u16, octet};
use crate::reason::Reason;
use crate::router_id::RouterId;

/// A received OPEN. Version, AS number 0, hold time, identifier and the framing of every capability were checked.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    my_as: u16,
    hold_time: HoldTime,
    router_id: RouterId,
    parameters: Parameters<'a>,
}

impl<'a> Open<'a> {
    pub(super) fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let body = message.get(Frame::HEADER_LENGTH..).unwrap_or_default();
        let cut = || DecodeError::new(Reason::OPEN_UNSPECIFIC, Frame::HEADER_LENGTH, message.len());
        let (parameters, (version, my_as, hold_time, router_id)) =
            fixed_part(body).map_err(|_| cut())?;
        if version != 4 {
            return Err(DecodeError::new(Reason::UNSUPPORTED_VERSION_NUMBER, 19, 20));
        }
        // RFC 7607 section 2; the AS number of a capability is checked with it.
        if my_as == 0 {
            return Err(DecodeError::new(Reason::BAD_PEER_AS, 20, 22));
        }
        let hold_time = HoldTime::new(hold_time)
            .ok_or_else(|| DecodeError::new(Reason::UNACCEPTABLE_HOLD_TIME, 22, 24))?;
        let router_id = RouterId::from_bits(u32::from_be_bytes(router_id))
            .ok_or_else(|| DecodeError::new(Reason::BAD_BGP_IDENTIFIER, 24, 28))?;
        let parameters = Parameters::decode(parameters, message.len())?;
        Ok(Self {
            my_as,
            hold_time,
            router_id,
            parameters,
        })
    }

    /// The two-octet My Autonomous System field: [`Asn::TRANS`] where the number does not fit.
    #[must_use]
    pub fn my_as(&self) -> u16 {
        self.my_as
    }

    /// The AS number of the sender: the last 4-octet AS capability, else the two-octet field (RFC 6793).
    #[must_use]
    pub fn asn(&self) -> Asn {
        let mut asn = Asn::new(self.my_as.into());
        for capability in self.capabilities() {
            if let Capability::FourOctetAs(number) = capability {
                asn = number;
            }
        }
        asn
    }

    /// The proposed hold time.
    #[must_use]
    pub fn hold_time(&self) -> HoldTime {
        self.hold_time
    }

    /// The BGP Identifier.
    #[must_use]
    pub fn router_id(&self) -> RouterId {
        self.router_id
    }

    /// Every capability of every Capabilities parameter, in order.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities<'a> {
        Capabilities::new(self.parameters)
    }
}

/// Version, My Autonomous System, Hold Time and BGP Identifier.
pub(crate) type FixedPart = (u8, u16, u16, [u8; 4]);

pub(crate) fn fixed_part(body: &[u8]) -> Parsed<'_, FixedPart> {
    let (rest, version) = octet(body)?;
    let (rest, my_as) = be_u16(rest)?;
    let (rest, hold_time) = be_u16(rest)?;
    let (rest, router_id) = array(rest)?;
    Ok((rest, (version, my_as, hold_time, router_id)))
}

/// An OPEN to send.
///
/// ```
/// use bgp_wire::{Asn, CapabilityBuf, Family, HoldTime, OpenBuf, RouterId};
/// let open = OpenBuf {
///     asn: Asn::new(64512),
///     hold_time: HoldTime::DEFAULT,
///     router_id: RouterId::new(192, 168, 0, 111).expect("not zero"),
///     capabilities: vec![
///         CapabilityBuf::Multiprotocol(Family::IPV4_UNICAST),
///         CapabilityBuf::FourOctetAs(Asn::new(64512)),
///     ],
/// };
/// let mut octets = bytes::BytesMut::new();
/// open.encode(&mut octets)?;
/// assert_eq!(octets.len(), 43);
/// # Ok::<(), bgp_wire::EncodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OpenBuf {
    /// The sender's AS, from which the two-octet field is made.
    pub asn: Asn,
    /// The proposed hold time.
    pub hold_time: HoldTime,
    /// The BGP Identifier.
    pub router_id: RouterId,
    /// The capabilities, sent in one parameter and in this order.
    pub capabilities: Vec<CapabilityBuf>,
}

impl OpenBuf {
    /// Appends the message to `out`. Capabilities of more than 253 octets take the form of RFC 9072.
    ///
    /// # Errors
    ///
    /// AS 0 (RFC 7607), an AS number that the capabilities do not bear out (RFC 6793), a capability of more than 255 octets, or a message of more than 4096; `out` is then as it was.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.check_as()?;
        let mut capabilities = BytesMut::new();
        for capability in &self.capabilities {
            capability.encode(&mut capabilities)?;
        }
        write_message(
            out,
            MessageType::OPEN,
            MessageLimit::Standard.octets(),
            |out| {
                out.put_u8(4);
                out.put_u16(self.asn.to_two_octets());
                out.put_u16(self.hold_time.seconds());
                out.put_u32(self.router_id.to_bits());
                put_parameters(out, &capabilities)
            },
        )
    }
}

impl OpenBuf {
    /// What a receiver would refuse: AS 0 (RFC 7607), and a number that is not that of the capability, or that only the
    /// capability can say (RFC 6793 section 4.1).
    fn check_as(&self) -> Result<(), EncodeError> {
        let raw = |it: &CapabilityBuf| matches!(it, CapabilityBuf::Unknown(code, _) if *code == CapabilityCode::FOUR_OCTET_AS);
        if self.capabilities.iter().any(raw) {
            return Err(EncodeError::Illegal("a 4-octet AS capability that is none"));
        }
        let numbers = self.capabilities.iter().filter_map(CapabilityBuf::asn);
        let (mut said, number) = (numbers.peekable(), self.asn.number());
        if number == 0 {
            Err(EncodeError::Illegal("an OPEN of AS 0"))
        } else if said.peek().is_none() && number > u16::MAX.into() {
            Err(EncodeError::Illegal(
                "an AS number of four octets without the capability for it",
            ))
        } else if said.any(|said| said != self.asn) {
            Err(EncodeError::Illegal(
                "an OPEN with another AS in a capability",
            ))
        } else {
            Ok(())
        }
    }
}

impl From<Open<'_>> for OpenBuf {
    fn from(open: Open<'_>) -> Self {
        Self {
            asn: open.asn(),
            hold_time: open.hold_time,
            router_id: open.router_id,
            capabilities: open.capabilities().map(CapabilityBuf::from).collect(),
        }
    }
}
