//! Capabilities of an OPEN (RFC 5492): those that are parsed, and the rest as octets.

mod entry;
mod filter;

use alloc::string::String;
use alloc::vec::Vec;

use bytes::{BufMut, BytesMut};

use super::parameters::{Parameters, capability};
use crate::asn::Asn;
use crate::error::EncodeError;
use crate::family::Family;
use crate::iana::{Afi, CapabilityCode, ParameterType, Role, Safi};
use crate::parse::{be_u16, length_value_u8};

pub use filter::{FilterType, OutboundRouteFilter, RouteFilters, RouteFiltersBuf};

pub use entry::{
    AddPathFamily, CapabilityEntries, CapabilityEntry, ExtendedNextHop, GracefulRestartFamily,
    LongLivedRestartFamily, MultipleLabelsFamily,
};

/// One capability of a received OPEN.
///
/// A capability whose value is not what its code says is [`Capability::Unknown`]: it is as if it were not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability<'a> {
    /// Routes of this family may be exchanged (RFC 4760 section 8).
    Multiprotocol(Family),
    /// ROUTE-REFRESH is understood (RFC 2918).
    RouteRefresh,
    /// Outbound route filters that are sent or understood (RFC 5291 section 5).
    OutboundRouteFilter(OutboundRouteFilter<'a>),
    /// Next hops of another family are understood (RFC 8950).
    ExtendedNextHop(CapabilityEntries<'a, ExtendedNextHop>),
    /// Messages of up to 65535 octets are understood (RFC 8654).
    ExtendedMessage,
    /// How many labels a prefix may have (RFC 8277 section 2.1).
    MultipleLabels(CapabilityEntries<'a, MultipleLabelsFamily>),
    /// What the sender is to the receiver (RFC 9234 section 4.1).
    Role(Role),
    /// The sender restarts gracefully, or helps others to (RFC 4724 section 3).
    GracefulRestart(GracefulRestart<'a>),
    /// The sender's AS number; AS numbers have four octets (RFC 6793).
    FourOctetAs(Asn),
    /// Several paths to one prefix (RFC 7911).
    AddPath(CapabilityEntries<'a, AddPathFamily>),
    /// Refreshes begin with BoRR and end with EoRR (RFC 7313).
    EnhancedRouteRefresh,
    /// Stale routes are kept for long (RFC 9494).
    LongLivedGracefulRestart(CapabilityEntries<'a, LongLivedRestartFamily>),
    /// The sender's host and domain name (draft-walton-bgp-hostname-capability). They are the peer's text.
    Fqdn {
        /// The host name.
        host: &'a str,
        /// The domain, which may be empty.
        domain: &'a str,
    },
    /// The sender's software (draft-abraitis-bgp-version-capability). It is the peer's text.
    SoftwareVersion(&'a str),
    /// A next hop may be a link-local address alone (draft-ietf-idr-linklocal-capability).
    LinkLocalNextHop,
    /// Any other capability, or one of those above whose value is wrong.
    Unknown(CapabilityCode, &'a [u8]),
}

impl<'a> Capability<'a> {
    /// The first of some capabilities, and the rest.
    pub(crate) fn split(capabilities: &'a [u8]) -> Option<(&'a [u8], Self)> {
        let (rest, (code, value)) = capability(capabilities).ok()?;
        Some((rest, Self::decode(code, value)))
    }

    fn decode(code: CapabilityCode, value: &'a [u8]) -> Self {
        Self::known(code, value).unwrap_or(Self::Unknown(code, value))
    }

    fn known(code: CapabilityCode, value: &'a [u8]) -> Option<Self> {
        let empty = value.is_empty();
        match code {
            CapabilityCode::MULTIPROTOCOL => {
                let &[high, low, _reserved, safi] = value.as_array()?;
                let afi = Afi(u16::from_be_bytes([high, low]));
                Some(Self::Multiprotocol(Family::new(afi, Safi(safi))))
            }
            CapabilityCode::ROUTE_REFRESH => empty.then_some(Self::RouteRefresh),
            CapabilityCode::OUTBOUND_ROUTE_FILTER => {
                OutboundRouteFilter::new(value).map(Self::OutboundRouteFilter)
            }
            CapabilityCode::EXTENDED_NEXT_HOP => {
                CapabilityEntries::new(value).map(Self::ExtendedNextHop)
            }
            CapabilityCode::EXTENDED_MESSAGE => empty.then_some(Self::ExtendedMessage),
            CapabilityCode::MULTIPLE_LABELS => {
                CapabilityEntries::new(value).map(Self::MultipleLabels)
            }
            CapabilityCode::ROLE => value.as_array().map(|&[role]| Self::Role(Role(role))),
            CapabilityCode::GRACEFUL_RESTART => {
                GracefulRestart::decode(value).map(Self::GracefulRestart)
            }
            CapabilityCode::FOUR_OCTET_AS => value
                .as_array()
                .map(|asn| Self::FourOctetAs(Asn::new(u32::from_be_bytes(*asn)))),
            CapabilityCode::ADD_PATH => CapabilityEntries::new(value).map(Self::AddPath),
            CapabilityCode::ENHANCED_ROUTE_REFRESH => empty.then_some(Self::EnhancedRouteRefresh),
            CapabilityCode::LONG_LIVED_GRACEFUL_RESTART => {
                CapabilityEntries::new(value).map(Self::LongLivedGracefulRestart)
            }
            CapabilityCode::FQDN => {
                let (rest, host) = text(value)?;
                let (rest, domain) = if rest.is_empty() {
                    (rest, "")
                } else {
                    text(rest)?
                };
                rest.is_empty().then_some(Self::Fqdn { host, domain })
            }
            CapabilityCode::SOFTWARE_VERSION => {
                let (rest, version) = text(value)?;
                (rest.is_empty() && !version.is_empty()).then_some(Self::SoftwareVersion(version))
            }
            CapabilityCode::LINK_LOCAL_NEXT_HOP => empty.then_some(Self::LinkLocalNextHop),
            _ => None,
        }
    }

    /// The capability's code.
    #[must_use]
    pub const fn code(&self) -> CapabilityCode {
        match self {
            Self::Multiprotocol(_) => CapabilityCode::MULTIPROTOCOL,
            Self::RouteRefresh => CapabilityCode::ROUTE_REFRESH,
            Self::OutboundRouteFilter(_) => CapabilityCode::OUTBOUND_ROUTE_FILTER,
            Self::ExtendedNextHop(_) => CapabilityCode::EXTENDED_NEXT_HOP,
            Self::ExtendedMessage => CapabilityCode::EXTENDED_MESSAGE,
            Self::MultipleLabels(_) => CapabilityCode::MULTIPLE_LABELS,
            Self::Role(_) => CapabilityCode::ROLE,
            Self::GracefulRestart(_) => CapabilityCode::GRACEFUL_RESTART,
            Self::FourOctetAs(_) => CapabilityCode::FOUR_OCTET_AS,
            Self::AddPath(_) => CapabilityCode::ADD_PATH,
            Self::EnhancedRouteRefresh => CapabilityCode::ENHANCED_ROUTE_REFRESH,
            Self::LongLivedGracefulRestart(_) => CapabilityCode::LONG_LIVED_GRACEFUL_RESTART,
            Self::Fqdn { .. } => CapabilityCode::FQDN,
            Self::SoftwareVersion(_) => CapabilityCode::SOFTWARE_VERSION,
            Self::LinkLocalNextHop => CapabilityCode::LINK_LOCAL_NEXT_HOP,
            Self::Unknown(code, _) => *code,
        }
    }
}

/// Text behind its one-octet length.
fn text(input: &[u8]) -> Option<(&[u8], &str)> {
    let (rest, text) = length_value_u8(input).ok()?;
    Some((rest, core::str::from_utf8(text).ok()?))
}

/// The Graceful Restart capability (RFC 4724 section 3, RFC 8538 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GracefulRestart<'a> {
    flags_and_time: u16,
    families: CapabilityEntries<'a, GracefulRestartFamily>,
}

impl<'a> GracefulRestart<'a> {
    fn decode(value: &'a [u8]) -> Option<Self> {
        let (rest, flags_and_time) = be_u16(value).ok()?;
        Some(Self {
            flags_and_time,
            families: CapabilityEntries::new(rest)?,
        })
    }

    /// The R bit: the sender has restarted and wants no wait for its End-of-RIB.
    #[must_use]
    pub fn restarted(self) -> bool {
        self.flags_and_time & 0x8000 != 0
    }

    /// The N bit: a NOTIFICATION does not end the helping (RFC 8538).
    #[must_use]
    pub fn notification(self) -> bool {
        self.flags_and_time & 0x4000 != 0
    }

    /// For how many seconds the routes are to be kept, 0 to 4095.
    #[must_use]
    pub fn restart_time(self) -> u16 {
        self.flags_and_time & 0x0fff
    }

    /// The families, in order.
    pub fn families(self) -> impl Iterator<Item = GracefulRestartFamily> + use<'a> {
        self.families.iter()
    }
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
        let (rest, capability) = Capability::split(self.current)?;
        self.current = rest;
        Some(capability)
    }
}

/// A capability to send. Each is what [`Capability`] says of the variant of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(missing_docs, reason = "the variants are those of Capability")]
#[non_exhaustive]
pub enum CapabilityBuf {
    Multiprotocol(Family),
    RouteRefresh,
    OutboundRouteFilter(Vec<RouteFiltersBuf>),
    ExtendedNextHop(Vec<ExtendedNextHop>),
    ExtendedMessage,
    MultipleLabels(Vec<MultipleLabelsFamily>),
    Role(Role),
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
    FourOctetAs(Asn),
    AddPath(Vec<AddPathFamily>),
    EnhancedRouteRefresh,
    LongLivedGracefulRestart(Vec<LongLivedRestartFamily>),
    Fqdn {
        host: String,
        domain: String,
    },
    SoftwareVersion(String),
    LinkLocalNextHop,
    Unknown(CapabilityCode, Vec<u8>),
}

impl CapabilityBuf {
    /// The AS number, if it says one.
    pub(super) fn asn(&self) -> Option<Asn> {
        if let Self::FourOctetAs(asn) = self {
            Some(*asn)
        } else {
            None
        }
    }

    pub(super) fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut value = Vec::new();
        let code = self.encode_value(&mut value)?;
        let length = octet_length("a capability", value.len())?;
        out.put_slice(&[code.0, length]);
        out.put_slice(&value);
        Ok(())
    }

    fn encode_value(&self, out: &mut Vec<u8>) -> Result<CapabilityCode, EncodeError> {
        Ok(match self {
            Self::Multiprotocol(family) => {
                out.extend(family.to_octets());
                CapabilityCode::MULTIPROTOCOL
            }
            Self::RouteRefresh => CapabilityCode::ROUTE_REFRESH,
            Self::OutboundRouteFilter(families) => {
                families.iter().try_for_each(|family| family.encode(out))?;
                CapabilityCode::OUTBOUND_ROUTE_FILTER
            }
            Self::ExtendedNextHop(entries) => {
                put_entries(entries, out, CapabilityCode::EXTENDED_NEXT_HOP)
            }
            Self::ExtendedMessage => CapabilityCode::EXTENDED_MESSAGE,
            Self::MultipleLabels(entries) => {
                put_entries(entries, out, CapabilityCode::MULTIPLE_LABELS)
            }
            Self::Role(role) => {
                out.push(role.0);
                CapabilityCode::ROLE
            }
            Self::GracefulRestart {
                restarted,
                notification,
                restart_time,
                families,
            } => {
                let flags = u16::from(*restarted) << 15 | u16::from(*notification) << 14;
                out.extend((flags | restart_time.min(&0x0fff)).to_be_bytes());
                put_entries(families, out, CapabilityCode::GRACEFUL_RESTART)
            }
            Self::FourOctetAs(asn) => {
                out.extend(asn.number().to_be_bytes());
                CapabilityCode::FOUR_OCTET_AS
            }
            Self::AddPath(entries) => put_entries(entries, out, CapabilityCode::ADD_PATH),
            Self::EnhancedRouteRefresh => CapabilityCode::ENHANCED_ROUTE_REFRESH,
            Self::LongLivedGracefulRestart(entries) => {
                put_entries(entries, out, CapabilityCode::LONG_LIVED_GRACEFUL_RESTART)
            }
            Self::Fqdn { host, domain } => {
                put_text("the host name", host, out)?;
                put_text("the domain name", domain, out)?;
                CapabilityCode::FQDN
            }
            Self::SoftwareVersion(version) if version.is_empty() => {
                return Err(EncodeError::Illegal("an empty software version"));
            }
            Self::SoftwareVersion(version) => {
                put_text("the software version", version, out)?;
                CapabilityCode::SOFTWARE_VERSION
            }
            Self::LinkLocalNextHop => CapabilityCode::LINK_LOCAL_NEXT_HOP,
            Self::Unknown(code, value) => {
                out.extend(value);
                *code
            }
        })
    }
}

fn put_entries<T: CapabilityEntry>(
    entries: &[T],
    out: &mut Vec<u8>,
    code: CapabilityCode,
) -> CapabilityCode {
    entries.iter().for_each(|entry| entry.encode(out));
    code
}

fn put_text(part: &'static str, text: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.push(octet_length(part, text.len())?);
    out.extend(text.as_bytes());
    Ok(())
}

pub(super) fn octet_length(part: &'static str, length: usize) -> Result<u8, EncodeError> {
    u8::try_from(length).map_err(|_| EncodeError::PartTooLong { part, length })
}

impl From<Capability<'_>> for CapabilityBuf {
    fn from(capability: Capability<'_>) -> Self {
        match capability {
            Capability::Multiprotocol(family) => Self::Multiprotocol(family),
            Capability::RouteRefresh => Self::RouteRefresh,
            Capability::OutboundRouteFilter(filters) => {
                Self::OutboundRouteFilter(filters.iter().map(RouteFiltersBuf::from).collect())
            }
            Capability::ExtendedNextHop(entries) => Self::ExtendedNextHop(entries.iter().collect()),
            Capability::ExtendedMessage => Self::ExtendedMessage,
            Capability::MultipleLabels(entries) => Self::MultipleLabels(entries.iter().collect()),
            Capability::Role(role) => Self::Role(role),
            Capability::GracefulRestart(value) => Self::GracefulRestart {
                restarted: value.restarted(),
                notification: value.notification(),
                restart_time: value.restart_time(),
                families: value.families().collect(),
            },
            Capability::FourOctetAs(asn) => Self::FourOctetAs(asn),
            Capability::AddPath(entries) => Self::AddPath(entries.iter().collect()),
            Capability::EnhancedRouteRefresh => Self::EnhancedRouteRefresh,
            Capability::LongLivedGracefulRestart(entries) => {
                Self::LongLivedGracefulRestart(entries.iter().collect())
            }
            Capability::Fqdn { host, domain } => Self::Fqdn {
                host: host.into(),
                domain: domain.into(),
            },
            Capability::SoftwareVersion(version) => Self::SoftwareVersion(version.into()),
            Capability::LinkLocalNextHop => Self::LinkLocalNextHop,
            Capability::Unknown(code, value) => Self::Unknown(code, value.to_vec()),
        }
    }
}
