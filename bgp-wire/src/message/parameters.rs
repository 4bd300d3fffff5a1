//! The optional parameters of an OPEN, with one- and two-octet lengths (RFC 5492, RFC 9072), and the capabilities in
//! them.

use bytes::{BufMut, BytesMut};

use crate::error::{DecodeError, EncodeError};
use crate::iana::{CapabilityCode, ParameterType};
use crate::parse::{Parsed, Short, length_value_u8, length_value_u16, octet};
use crate::reason::Reason;

/// The optional parameters, without the length field of the whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters<'a> {
    octets: &'a [u8],
    extended: bool,
}

type Parameter<'a> = (ParameterType, &'a [u8]);

impl<'a> Parameters<'a> {
    /// Decodes and checks the parameters. `field` begins with their length and ends with the message, at position
    /// `end`.
    pub(super) fn decode(field: &'a [u8], end: usize) -> Result<Self, DecodeError> {
        let start = end - field.len();
        let parameters = Self::frame(field)
            .ok_or_else(|| DecodeError::new(Reason::OPEN_UNSPECIFIC, start, end))?;
        parameters.check(end)?;
        Ok(parameters)
    }

    /// Returns the unchecked parameters after their length. `None` if the length differs from that of the rest.
    pub(crate) fn frame(field: &'a [u8]) -> Option<Self> {
        let extended = match field {
            // RFC 9072 section 2: the type of the first parameter selects the form. A length other than 0 is then
            // ignored.
            [length, parameter_type, ..] => {
                *length != 0 && *parameter_type == ParameterType::EXTENDED_LENGTH.0
            }
            _ => false,
        };
        let parsed = match field {
            [_, _, rest @ ..] if extended => length_value_u16(rest),
            _ => length_value_u8(field),
        };
        match parsed {
            Ok(([], octets)) => Some(Self { octets, extended }),
            _ => None,
        }
    }

    /// Checks the framing of every parameter and capability, and the AS number.
    fn check(self, end: usize) -> Result<(), DecodeError> {
        // The iterators take the same steps, so that they cannot fail after this check.
        let mut rest = self;
        while !rest.octets.is_empty() {
            let start = end - rest.octets.len();
            let error = |reason| DecodeError::new(reason, start, end);
            let (next, (parameter_type, mut value)) =
                rest.split().map_err(|_| error(Reason::OPEN_UNSPECIFIC))?;
            let parameter_end = end - next.octets.len();
            // RFC 4271 section 6.2: an unrecognized parameter is an error, unlike an unrecognized capability.
            if parameter_type != ParameterType::CAPABILITIES {
                return Err(DecodeError::new(
                    Reason::UNSUPPORTED_OPTIONAL_PARAMETER,
                    start,
                    parameter_end,
                ));
            }
            while !value.is_empty() {
                let at = parameter_end - value.len();
                let (after, (code, octets)) = capability(value)
                    .map_err(|_| DecodeError::new(Reason::OPEN_UNSPECIFIC, at, parameter_end))?;
                // The AS number cannot be ignored. Every other capability with an invalid length is.
                if code == CapabilityCode::FOUR_OCTET_AS && octets.len() != 4 {
                    return Err(DecodeError::new(
                        Reason::OPEN_UNSPECIFIC,
                        at,
                        parameter_end - after.len(),
                    ));
                }
                if code == CapabilityCode::FOUR_OCTET_AS && octets == [0; 4] {
                    let end = parameter_end - after.len();
                    return Err(DecodeError::new(Reason::BAD_PEER_AS, at, end));
                }
                value = after;
            }
            rest = next;
        }
        Ok(())
    }

    /// Returns the octets of the remaining parameters.
    pub(crate) fn octets(self) -> &'a [u8] {
        self.octets
    }

    /// Returns `true` if the lengths have two octets (RFC 9072).
    pub(crate) fn is_extended(self) -> bool {
        self.extended
    }

    /// Returns the first parameter and the rest. Fails if the parameter is incomplete.
    pub(crate) fn split(self) -> Result<(Self, Parameter<'a>), nom::Err<Short>> {
        let (rest, parameter_type) = octet(self.octets)?;
        let (octets, value) = if self.extended {
            length_value_u16(rest)?
        } else {
            length_value_u8(rest)?
        };
        Ok((
            Self { octets, ..self },
            (ParameterType(parameter_type), value),
        ))
    }
}

/// Parses one capability TLV (RFC 5492 section 4).
pub(super) fn capability(input: &[u8]) -> Parsed<'_, (CapabilityCode, &[u8])> {
    let (rest, code) = octet(input)?;
    let (rest, value) = length_value_u8(rest)?;
    Ok((rest, (CapabilityCode(code), value)))
}

/// Appends the optional parameters of an OPEN: one parameter with all `capabilities`, or none without capabilities.
pub(super) fn put_parameters(out: &mut BytesMut, capabilities: &[u8]) -> Result<(), EncodeError> {
    if capabilities.is_empty() {
        out.put_u8(0);
    } else if let (Ok(parameters), Ok(value)) = (
        u8::try_from(capabilities.len() + 2),
        u8::try_from(capabilities.len()),
    ) && parameters != u8::MAX
    {
        out.put_slice(&[parameters, ParameterType::CAPABILITIES.0, value]);
    } else {
        // RFC 9072 section 2: longer capabilities require two-octet lengths. The short form is preferred, because older
        // speakers do not know the long one.
        let too_long = EncodeError::PartTooLong {
            part: "capabilities",
            length: capabilities.len(),
        };
        let value = u16::try_from(capabilities.len()).map_err(|_| too_long)?;
        out.put_slice(&[255, ParameterType::EXTENDED_LENGTH.0]);
        out.put_u16(value.checked_add(3).ok_or(too_long)?);
        out.put_u8(ParameterType::CAPABILITIES.0);
        out.put_u16(value);
    }
    out.put_slice(capabilities);
    Ok(())
}
