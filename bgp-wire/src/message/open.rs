//! OPEN (RFC 4271 section 4.2), with optional parameters of one- and two-octet lengths (RFC 5492, RFC 9072).

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

/// A received OPEN. Version, hold time, identifier and the framing of every capability are valid, and the AS is not 0.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    my_as: u16,
    hold_time: HoldTime,
    router_id: RouterId,
    parameters: Parameters<'a>,
}

impl<'a> Open<'a> {
    /// Decodes and checks a complete message.
    pub(super) fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let body = message.get(Frame::HEADER_LENGTH..).unwrap_or_default();
        let cut = || DecodeError::new(Reason::OPEN_UNSPECIFIC, Frame::HEADER_LENGTH, message.len());
        let (parameters, (version, my_as, hold_time, router_id)) =
            fixed_part(body).map_err(|_| cut())?;
        // In the order of the fields: RFC 4271 section 6.2 defines no order, and the first fault ends the session.
        if version != 4 {
            return Err(DecodeError::new(Reason::UNSUPPORTED_VERSION_NUMBER, 19, 20));
        }
        // RFC 7607 section 2. The AS number in the capability is checked with the parameters.
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

    /// Returns the two-octet My Autonomous System field: [`Asn::TRANS`] if the AS number does not fit.
    #[must_use]
    pub fn my_as(&self) -> u16 {
        self.my_as
    }

    /// Returns the AS number of the sender: from the last 4-octet AS capability, else from the two-octet field (RFC
    /// 6793).
    #[must_use]
    pub fn asn(&self) -> Asn {
        // RFC 6793 section 4.1: the capability takes precedence over the field.
        let mut asn = Asn::new(self.my_as.into());
        for capability in self.capabilities() {
            if let Capability::FourOctetAs(number) = capability {
                asn = number;
            }
        }
        asn
    }

    /// Returns the proposed hold time.
    #[must_use]
    pub fn hold_time(&self) -> HoldTime {
        self.hold_time
    }

    /// Returns the BGP Identifier.
    #[must_use]
    pub fn router_id(&self) -> RouterId {
        self.router_id
    }

    /// Returns the capabilities of all Capabilities parameters, in order.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities<'a> {
        Capabilities::new(self.parameters)
    }
}

/// Version, My Autonomous System, Hold Time and BGP Identifier.
pub(crate) type FixedPart = (u8, u16, u16, [u8; 4]);

/// Parses the fields of an OPEN before its optional parameters.
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
    /// The AS number of the sender. The two-octet field has [`Asn::TRANS`] if it does not fit.
    pub asn: Asn,
    /// The proposed hold time.
    pub hold_time: HoldTime,
    /// The BGP Identifier.
    pub router_id: RouterId,
    /// The capabilities. They are encoded in one parameter, in this order.
    pub capabilities: Vec<CapabilityBuf>,
}

impl OpenBuf {
    /// Appends the message to `out`. More than 252 octets of capabilities use the form of RFC 9072.
    ///
    /// # Errors
    ///
    /// Returns an error for AS 0 (RFC 7607) and for an AS number that the capabilities contradict (RFC 6793). Also if a
    /// capability exceeds 255 octets or the message 4096. `out` is then unchanged.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.check_as()?;
        // In a buffer of their own, because their length selects the form of the parameters before them.
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
    /// Returns an error for an AS number that a receiver rejects.
    fn check_as(&self) -> Result<(), EncodeError> {
        // The value of an `Unknown` is not parsed, so its AS number could contradict ours unnoticed.
        let is_raw = |it: &CapabilityBuf| matches!(it, CapabilityBuf::Unknown(code, _) if *code == CapabilityCode::FOUR_OCTET_AS);
        if self.capabilities.iter().any(is_raw) {
            return Err(EncodeError::Illegal("malformed 4-octet AS capability"));
        }
        let mut advertised = self
            .capabilities
            .iter()
            .filter_map(CapabilityBuf::asn)
            .peekable();
        let number = self.asn.number();
        // RFC 7607 section 2 and RFC 6793 section 4.1.
        if number == 0 {
            Err(EncodeError::Illegal("OPEN with AS 0"))
        } else if advertised.peek().is_none() && number > u16::MAX.into() {
            Err(EncodeError::Illegal(
                "4-octet AS number without its capability",
            ))
        } else if advertised.any(|asn| asn != self.asn) {
            Err(EncodeError::Illegal(
                "OPEN with another AS number in a capability",
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
