//! Capabilities of an OPEN (RFC 5492): those that are parsed, and the rest as octets.

use alloc::vec::Vec;

use bytes::{BufMut, BytesMut};

use super::open::{Parameters, capability};
use crate::asn::Asn;
use crate::error::EncodeError;
use crate::family::Family;
use crate::iana::{Afi, CapabilityCode, ParameterType, Role, Safi};
use crate::parse::{Parsed, be_u16, octet};

/// One capability of a received OPEN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability<'a> {
    /// Routes of this family may be exchanged (RFC 4760 section 8).
    Multiprotocol(Family),
    /// ROUTE-REFRESH is understood (RFC 2918).
    RouteRefresh,
    /// Messages of up to 65535 octets are understood (RFC 8654).
    ExtendedMessage,
    /// What the sender is to the receiver (RFC 9234 section 4.1).
    Role(Role),
    /// The sender restarts gracefully, or helps others to (RFC 4724 section 3).
    GracefulRestart(GracefulRestart<'a>),
    /// The sender's AS number; AS numbers have four octets (RFC 6793).
    FourOctetAs(Asn),
    /// Refreshes begin with BoRR and end with EoRR (RFC 7313).
    EnhancedRouteRefresh,
    /// Any other capability, or one of those above whose length is wrong.
    Unknown(CapabilityCode, &'a [u8]),
}

impl<'a> Capability<'a> {
    fn decode(code: CapabilityCode, value: &'a [u8]) -> Self {
        match (code, value) {
            (CapabilityCode::MULTIPROTOCOL, &[high, low, _reserved, safi]) => Self::Multiprotocol(
                Family::new(Afi(u16::from_be_bytes([high, low])), Safi(safi)),
            ),
            (CapabilityCode::ROUTE_REFRESH, []) => Self::RouteRefresh,
            (CapabilityCode::EXTENDED_MESSAGE, []) => Self::ExtendedMessage,
            (CapabilityCode::ROLE, &[role]) => Self::Role(Role(role)),
            (CapabilityCode::GRACEFUL_RESTART, [_, _, families @ ..])
                if families.len().is_multiple_of(4) =>
            {
                Self::GracefulRestart(GracefulRestart { value })
            }
            (CapabilityCode::FOUR_OCTET_AS, &[a, b, c, d]) => {
                Self::FourOctetAs(Asn::new(u32::from_be_bytes([a, b, c, d])))
            }
            (CapabilityCode::ENHANCED_ROUTE_REFRESH, []) => Self::EnhancedRouteRefresh,
            _ => Self::Unknown(code, value),
        }
    }

    /// The capability's code.
    #[must_use]
    pub const fn code(&self) -> CapabilityCode {
        match self {
            Self::Multiprotocol(_) => CapabilityCode::MULTIPROTOCOL,
            Self::RouteRefresh => CapabilityCode::ROUTE_REFRESH,
            Self::ExtendedMessage => CapabilityCode::EXTENDED_MESSAGE,
            Self::Role(_) => CapabilityCode::ROLE,
            Self::GracefulRestart(_) => CapabilityCode::GRACEFUL_RESTART,
            Self::FourOctetAs(_) => CapabilityCode::FOUR_OCTET_AS,
            Self::EnhancedRouteRefresh => CapabilityCode::ENHANCED_ROUTE_REFRESH,
            Self::Unknown(code, _) => *code,
        }
    }
}

/// The Graceful Restart capability (RFC 4724 section 3, RFC 8538 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GracefulRestart<'a> {
    /// At least two octets, and four for each family.
    value: &'a [u8],
}

/// A family in a Graceful Restart capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GracefulRestartFamily {
    /// The family whose routes survive.
    pub family: Family,
    /// The F bit: forwarding of its routes went on over the restart.
    pub forwarding: bool,
}

impl<'a> GracefulRestart<'a> {
    fn flags_and_time(self) -> u16 {
        be_u16(self.value).map_or(0, |(_, field)| field)
    }

    /// The R bit: the sender has restarted and wants no wait for its End-of-RIB.
    #[must_use]
    pub fn restarted(self) -> bool {
        self.flags_and_time() & 0x8000 != 0
    }

    /// The N bit: a NOTIFICATION does not end the helping (RFC 8538).
    #[must_use]
    pub fn notification(self) -> bool {
        self.flags_and_time() & 0x4000 != 0
    }

    /// For how many seconds the routes are to be kept, 0 to 4095.
    #[must_use]
    pub fn restart_time(self) -> u16 {
        self.flags_and_time() & 0x0fff
    }

    /// The families, in order.
    pub fn families(self) -> impl Iterator<Item = GracefulRestartFamily> + use<'a> {
        let mut rest = self.value.get(2..).unwrap_or_default();
        core::iter::from_fn(move || {
            let (after, family) = graceful_restart_family(rest).ok()?;
            rest = after;
            Some(family)
        })
    }
}

fn graceful_restart_family(input: &[u8]) -> Parsed<'_, GracefulRestartFamily> {
    let (rest, afi) = be_u16(input)?;
    let (rest, safi) = octet(rest)?;
    let (rest, flags) = octet(rest)?;
    let family = Family::new(Afi(afi), Safi(safi));
    Ok((
        rest,
        GracefulRestartFamily {
            family,
            forwarding: flags & 0x80 != 0,
        },
    ))
}

/// The capabilities of an OPEN, in the order in which they stand there.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities<'a> {
    parameters: Parameters<'a>,
    current: &'a [u8],
}

impl<'a> Capabilities<'a> {
    pub(super) fn new(parameters: Parameters<'a>) -> Self {
        Self {
            parameters,
            current: &[],
        }
    }
}

impl<'a> Iterator for Capabilities<'a> {
    type Item = Capability<'a>;

    fn next(&mut self) -> Option<Capability<'a>> {
        while self.current.is_empty() {
            let (rest, (parameter_type, value)) = self.parameters.split().ok()?;
            self.parameters = rest;
            if parameter_type == ParameterType::CAPABILITIES {
                self.current = value;
            }
        }
        let (rest, (code, value)) = capability(self.current).ok()?;
        self.current = rest;
        Some(Capability::decode(code, value))
    }
}

/// A capability to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CapabilityBuf {
    /// See [`Capability::Multiprotocol`].
    Multiprotocol(Family),
    /// See [`Capability::RouteRefresh`].
    RouteRefresh,
    /// See [`Capability::ExtendedMessage`].
    ExtendedMessage,
    /// See [`Capability::Role`].
    Role(Role),
    /// See [`Capability::GracefulRestart`].
    GracefulRestart {
        /// The R bit.
        restarted: bool,
        /// The N bit (RFC 8538).
        notification: bool,
        /// Seconds, 0 to 4095; more is sent as 4095.
        restart_time: u16,
        /// The families whose routes survive.
        families: Vec<GracefulRestartFamily>,
    },
    /// See [`Capability::FourOctetAs`].
    FourOctetAs(Asn),
    /// See [`Capability::EnhancedRouteRefresh`].
    EnhancedRouteRefresh,
    /// Any other capability: its code and value.
    Unknown(CapabilityCode, Vec<u8>),
}

impl CapabilityBuf {
    pub(super) fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Self::Multiprotocol(family) => {
                put(out, CapabilityCode::MULTIPROTOCOL, &family.to_octets())
            }
            Self::RouteRefresh => put(out, CapabilityCode::ROUTE_REFRESH, &[]),
            Self::ExtendedMessage => put(out, CapabilityCode::EXTENDED_MESSAGE, &[]),
            Self::FourOctetAs(asn) => put(
                out,
                CapabilityCode::FOUR_OCTET_AS,
                &asn.number().to_be_bytes(),
            ),
            Self::EnhancedRouteRefresh => put(out, CapabilityCode::ENHANCED_ROUTE_REFRESH, &[]),
            Self::Role(role) => put(out, CapabilityCode::ROLE, &[role.0]),
            Self::Unknown(code, value) => put(out, *code, value),
            Self::GracefulRestart {
                restarted,
                notification,
                restart_time,
                families,
            } => {
                let field = u16::from(*restarted) << 15
                    | u16::from(*notification) << 14
                    | restart_time.min(&0x0fff);
                let mut value = field.to_be_bytes().to_vec();
                for GracefulRestartFamily { family, forwarding } in families {
                    value.extend(family.afi.0.to_be_bytes());
                    value.extend([family.safi.0, u8::from(*forwarding) << 7]);
                }
                put(out, CapabilityCode::GRACEFUL_RESTART, &value)
            }
        }
    }
}

fn put(out: &mut BytesMut, code: CapabilityCode, value: &[u8]) -> Result<(), EncodeError> {
    let length = u8::try_from(value.len()).map_err(|_| EncodeError::PartTooLong {
        part: "a capability",
        length: value.len(),
    })?;
    out.put_slice(&[code.0, length]);
    out.put_slice(value);
    Ok(())
}

impl From<Capability<'_>> for CapabilityBuf {
    fn from(capability: Capability<'_>) -> Self {
        match capability {
            Capability::Multiprotocol(family) => Self::Multiprotocol(family),
            Capability::RouteRefresh => Self::RouteRefresh,
            Capability::ExtendedMessage => Self::ExtendedMessage,
            Capability::Role(role) => Self::Role(role),
            Capability::GracefulRestart(value) => Self::GracefulRestart {
                restarted: value.restarted(),
                notification: value.notification(),
                restart_time: value.restart_time(),
                families: value.families().collect(),
            },
            Capability::FourOctetAs(asn) => Self::FourOctetAs(asn),
            Capability::EnhancedRouteRefresh => Self::EnhancedRouteRefresh,
            Capability::Unknown(code, value) => Self::Unknown(code, value.to_vec()),
        }
    }
}
