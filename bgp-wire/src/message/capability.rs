//! Capabilities of an OPEN (RFC 5492). Those that are not parsed are kept as octets.

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
/// A capability whose value does not match its code is [`Capability::Unknown`], as if its code were not recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Capability<'a> {
    /// Routes of this family may be exchanged (RFC 4760 section 8).
    Multiprotocol(Family),
    /// The sender supports ROUTE-REFRESH (RFC 2918).
    RouteRefresh,
    /// The outbound route filters that the sender sends or receives (RFC 5291 section 5).
    OutboundRouteFilter(OutboundRouteFilter<'a>),
    /// The sender supports next hops of another family (RFC 8950).
    ExtendedNextHop(CapabilityEntries<'a, ExtendedNextHop>),
    /// The sender receives messages of up to 65535 octets (RFC 8654).
    ExtendedMessage,
    /// The number of labels that a prefix may have (RFC 8277 section 2.1).
    MultipleLabels(CapabilityEntries<'a, MultipleLabelsFamily>),
    /// The role of the sender toward the receiver (RFC 9234 section 4.1).
    Role(Role),
    /// The sender supports graceful restart as a restarting speaker, a helper or both (RFC 4724 section 3).
    GracefulRestart(GracefulRestart<'a>),
    /// The sender's AS number. The sender supports AS numbers of four octets (RFC 6793).
    FourOctetAs(Asn),
    /// The sender sends or receives several paths to one prefix (RFC 7911).
    AddPath(CapabilityEntries<'a, AddPathFamily>),
    /// The answer to a refresh begins with BoRR and ends with EoRR (RFC 7313).
    EnhancedRouteRefresh,
    /// The sender supports long-lived stale routes (RFC 9494).
    LongLivedGracefulRestart(CapabilityEntries<'a, LongLivedRestartFamily>),
    /// The sender's host and domain name (draft-walton-bgp-hostname-capability). The peer controls both texts.
    Fqdn {
        /// The host name.
        host: &'a str,
        /// The domain, which may be empty.
        domain: &'a str,
    },
    /// The sender's software (draft-abraitis-bgp-version-capability). The peer controls the text.
    SoftwareVersion(&'a str),
    /// The sender supports a next hop that is only a link-local address (draft-ietf-idr-linklocal-capability).
    LinkLocalNextHop,
    /// Any other capability, or one of those above with an invalid value.
    Unknown(CapabilityCode, &'a [u8]),
}

impl<'a> Capability<'a> {
    /// Splits the first capability off. Returns the rest and the capability, or `None` if it is incomplete.
    pub(crate) fn split(capabilities: &'a [u8]) -> Option<(&'a [u8], Self)> {
        let (rest, (code, value)) = capability(capabilities).ok()?;
        Some((rest, Self::decode(code, value)))
    }

    /// Decodes a value, which is [`Self::Unknown`] if its code is not parsed or the value is invalid.
    fn decode(code: CapabilityCode, value: &'a [u8]) -> Self {
        // RFC 5492 section 3: a speaker ignores capabilities that it does not recognize. An invalid value is no reason
        // to refuse a session either, except for the AS number (see `parameters.rs`).
        Self::known(code, value).unwrap_or(Self::Unknown(code, value))
    }

    /// Decodes a value. Returns `None` if its code is not parsed or the value is invalid.
    fn known(code: CapabilityCode, value: &'a [u8]) -> Option<Self> {
        let empty = value.is_empty();
        match code {
            CapabilityCode::MULTIPROTOCOL => {
                // RFC 4760 section 8: the third octet is reserved and ignored on receipt.
                let &[high, low, _reserved, safi] = value.as_array()?;
                let afi = Afi(u16::from_be_bytes([high, low]));
                Some(Self::Multiprotocol(Family::new(afi, Safi(safi))))
            }
            // RFC 2918 section 2: the length is 0. The same holds for the other capabilities without parameters.
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
            // An unassigned role decodes too: RFC 9234 section 4.2 answers it with Role Mismatch.
            CapabilityCode::ROLE => value.as_array().map(|&[role]| Self::Role(Role(role))),
            CapabilityCode::GRACEFUL_RESTART => {
                GracefulRestart::decode(value).map(Self::GracefulRestart)
            }
            // An OPEN with another length never gets here: `Parameters::check` refuses it.
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
                // Lenient: a host name without a domain and its length is complete enough to be shown.
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

    /// Returns the code of the capability.
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

/// Parses UTF-8 text after its length of one octet. Returns the rest and the text.
fn text(input: &[u8]) -> Option<(&[u8], &str)> {
    // Text in another encoding makes the capability unknown, so that it shows as octets.
    let (rest, text) = length_value_u8(input).ok()?;
    Some((rest, core::str::from_utf8(text).ok()?))
}

/// The Graceful Restart capability (RFC 4724 section 3, RFC 8538 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GracefulRestart<'a> {
    // RFC 4724 section 3: four bits of flags and twelve of time.
    flags_and_time: u16,
    families: CapabilityEntries<'a, GracefulRestartFamily>,
}

impl<'a> GracefulRestart<'a> {
    /// Decodes a value. Returns `None` if its last family is incomplete.
    fn decode(value: &'a [u8]) -> Option<Self> {
        let (rest, flags_and_time) = be_u16(value).ok()?;
        Some(Self {
            flags_and_time,
            families: CapabilityEntries::new(rest)?,
        })
    }

    /// Returns the R bit: the sender has restarted, so the receiver must not wait for its End-of-RIB.
    #[must_use]
    pub fn restarted(self) -> bool {
        // RFC 4724 section 3: two speakers that restart would otherwise wait for each other.
        self.flags_and_time & 0x8000 != 0
    }

    /// Returns the N bit: the sender keeps routes also after a NOTIFICATION (RFC 8538 section 2).
    #[must_use]
    pub fn notification(self) -> bool {
        self.flags_and_time & 0x4000 != 0
    }

    /// Returns the time in seconds until the session must be reestablished, 0 to 4095.
    #[must_use]
    pub fn restart_time(self) -> u16 {
        self.flags_and_time & 0x0fff
    }

    /// Returns the families, in order.
    pub fn families(self) -> impl Iterator<Item = GracefulRestartFamily> + use<'a> {
        self.families.iter()
    }
}

/// Iterator over the capabilities of an OPEN, in order.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities<'a> {
    /// The parameters after the current one.
    parameters: Parameters<'a>,
    /// The remaining capabilities of the current parameter.
    current: &'a [u8],
}

impl<'a> Capabilities<'a> {
    /// Creates an iterator over the capabilities in `parameters`.
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
        // RFC 5492 section 4: there may be several Capabilities parameters, and FRR sends one for each capability.
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

/// A capability to send. [`Capability`] describes the variants of the same names.
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
        /// Restart time in seconds, 0 to 4095. A larger value is sent as 4095.
        restart_time: u16,
        /// The families whose routes are kept.
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
    /// Returns the AS number of a 4-octet AS capability.
    pub(super) fn asn(&self) -> Option<Asn> {
        if let Self::FourOctetAs(asn) = self {
            Some(*asn)
        } else {
            None
        }
    }

    /// Returns the code of the capability.
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
            Self::GracefulRestart { .. } => CapabilityCode::GRACEFUL_RESTART,
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

    /// Appends code, length and value to `out`. Fails if the value is invalid or has more than 255 octets.
    pub(super) fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        // In a buffer of its own, because the length precedes the value.
        let mut value = Vec::new();
        self.encode_value(&mut value)?;
        let length = octet_length("capability", value.len())?;
        out.put_slice(&[self.code().0, length]);
        out.put_slice(&value);
        Ok(())
    }

    /// Appends the value to `out`.
    fn encode_value(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Self::Multiprotocol(family) => out.extend(family.to_octets()),
            Self::OutboundRouteFilter(families) => {
                families.iter().try_for_each(|family| family.encode(out))?;
            }
            Self::ExtendedNextHop(entries) => put_entries(entries, out),
            Self::MultipleLabels(entries) => put_entries(entries, out),
            Self::Role(role) => out.push(role.0),
            Self::GracefulRestart {
                restarted,
                notification,
                restart_time,
                families,
            } => {
                let flags = u16::from(*restarted) << 15 | u16::from(*notification) << 14;
                // The time shares its 16 bits with the flags: without the limit it would set flags.
                out.extend((flags | restart_time.min(&0x0fff)).to_be_bytes());
                put_entries(families, out);
            }
            Self::FourOctetAs(asn) => out.extend(asn.number().to_be_bytes()),
            Self::AddPath(entries) => put_entries(entries, out),
            Self::LongLivedGracefulRestart(entries) => put_entries(entries, out),
            Self::Fqdn { host, domain } => {
                put_text("host name", host, out)?;
                put_text("domain name", domain, out)?;
            }
            // The decoder above takes an empty version for an invalid value.
            Self::SoftwareVersion(version) if version.is_empty() => {
                return Err(EncodeError::Illegal("empty software version"));
            }
            Self::SoftwareVersion(version) => put_text("software version", version, out)?,
            Self::RouteRefresh
            | Self::ExtendedMessage
            | Self::EnhancedRouteRefresh
            | Self::LinkLocalNextHop => {}
            Self::Unknown(_, value) => out.extend(value),
        }
        Ok(())
    }
}

/// Appends the entries of a list to `out`.
fn put_entries<T: CapabilityEntry>(entries: &[T], out: &mut Vec<u8>) {
    entries.iter().for_each(|entry| entry.encode(out));
}

/// Appends text after its length of one octet.
fn put_text(part: &'static str, text: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.push(octet_length(part, text.len())?);
    out.extend(text.as_bytes());
    Ok(())
}

/// Returns a length as one octet. Fails if it exceeds 255.
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
