//! The destination of a route of any family: `Destination` borrows from a message, `DestinationBuf` owns its octets.

use alloc::vec::Vec;
use core::fmt;

use ipnet::IpNet;

use super::encode::{NlriValue, write_exactly};
use super::words::Words;
use super::{
    EvpnRoute, FlowSpec, FlowSpecBuf, LabeledPrefix, NlriFormat, RouteTargetPrefix, VpnPrefix,
};
use crate::family::Family;
use crate::iana::Safi;
use crate::sink::Sink;
use crate::text::{Hex, hex_octets, number};

/// The destination of a received route. The family determines the variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Destination<'a> {
    /// A unicast or multicast prefix (RFC 4271 section 4.3).
    Prefix(IpNet),
    /// A labelled prefix (RFC 8277).
    Labeled(LabeledPrefix),
    /// A VPN prefix (RFC 4364, RFC 4659).
    Vpn(VpnPrefix),
    /// A flow specification, with a route distinguisher in the VPN families (RFC 8955, RFC 8956).
    FlowSpec(FlowSpec<'a>),
    /// An EVPN route of type 1 to 5 (RFC 7432, RFC 9136).
    Evpn(EvpnRoute),
    /// An EVPN route of another type, not parsed.
    OtherEvpn {
        /// The route type, none of 1 to 5.
        route_type: u8,
        /// The octets after type and length.
        value: &'a [u8],
    },
    /// A route target membership (RFC 4684).
    RouteTarget(RouteTargetPrefix),
    /// The whole NLRI field of a family that this codec does not parse.
    Unknown(&'a [u8]),
}

/// The owned form of [`Destination`], which documents the variants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(missing_docs, reason = "the variants are those of Destination")]
#[non_exhaustive]
pub enum DestinationBuf {
    Prefix(IpNet),
    Labeled(LabeledPrefix),
    Vpn(VpnPrefix),
    FlowSpec(FlowSpecBuf),
    Evpn(EvpnRoute),
    OtherEvpn { route_type: u8, value: Vec<u8> },
    RouteTarget(RouteTargetPrefix),
    Unknown(Vec<u8>),
}

impl From<Destination<'_>> for DestinationBuf {
    fn from(destination: Destination<'_>) -> Self {
        match destination {
            Destination::Prefix(prefix) => Self::Prefix(prefix),
            Destination::Labeled(prefix) => Self::Labeled(prefix),
            Destination::Vpn(prefix) => Self::Vpn(prefix),
            Destination::FlowSpec(flow) => Self::FlowSpec(flow.into()),
            Destination::Evpn(route) => Self::Evpn(route),
            Destination::OtherEvpn { route_type, value } => Self::OtherEvpn {
                route_type,
                value: value.to_vec(),
            },
            Destination::RouteTarget(prefix) => Self::RouteTarget(prefix),
            Destination::Unknown(octets) => Self::Unknown(octets.to_vec()),
        }
    }
}

/// A borrowed [`Destination`] or [`DestinationBuf`], so that one implementation encodes and prints both.
#[derive(Clone, Copy)]
enum Kind<'a> {
    Prefix(&'a IpNet),
    Labeled(&'a LabeledPrefix),
    Vpn(&'a VpnPrefix),
    FlowSpec(FlowSpec<'a>),
    FlowSpecBuf(&'a FlowSpecBuf),
    Evpn(&'a EvpnRoute),
    OtherEvpn(u8, &'a [u8]),
    RouteTarget(&'a RouteTargetPrefix),
    Unknown(&'a [u8]),
}

impl Destination<'_> {
    const fn kind(&self) -> Kind<'_> {
        match self {
            Self::Prefix(prefix) => Kind::Prefix(prefix),
            Self::Labeled(prefix) => Kind::Labeled(prefix),
            Self::Vpn(prefix) => Kind::Vpn(prefix),
            Self::FlowSpec(flow) => Kind::FlowSpec(*flow),
            Self::Evpn(route) => Kind::Evpn(route),
            Self::OtherEvpn { route_type, value } => Kind::OtherEvpn(*route_type, value),
            Self::RouteTarget(prefix) => Kind::RouteTarget(prefix),
            Self::Unknown(octets) => Kind::Unknown(octets),
        }
    }
}

impl DestinationBuf {
    const fn kind(&self) -> Kind<'_> {
        match self {
            Self::Prefix(prefix) => Kind::Prefix(prefix),
            Self::Labeled(prefix) => Kind::Labeled(prefix),
            Self::Vpn(prefix) => Kind::Vpn(prefix),
            Self::FlowSpec(flow) => Kind::FlowSpecBuf(flow),
            Self::Evpn(route) => Kind::Evpn(route),
            Self::OtherEvpn { route_type, value } => Kind::OtherEvpn(*route_type, value.as_slice()),
            Self::RouteTarget(prefix) => Kind::RouteTarget(prefix),
            Self::Unknown(octets) => Kind::Unknown(octets.as_slice()),
        }
    }
}

impl Kind<'_> {
    /// Returns `true` if a receiver in the family of `format` decodes the same value.
    fn is_legal(self, format: &NlriFormat) -> bool {
        fn suits<V: NlriValue>(value: &V, format: &NlriFormat) -> bool {
            V::suits(format.family) && value.is_legal(format)
        }
        match self {
            Self::Prefix(prefix) => suits(prefix, format),
            Self::Labeled(prefix) => suits(prefix, format),
            Self::Vpn(prefix) => suits(prefix, format),
            Self::FlowSpec(flow) => suits(&flow, format),
            Self::FlowSpecBuf(flow) => suits(&flow, format),
            Self::Evpn(route) => suits(route, format),
            Self::OtherEvpn(route_type, value) => {
                // A known type has to be encoded from its fields, and the length of a value is one octet.
                EvpnRoute::suits(format.family)
                    && !matches!(route_type, 1..=5)
                    && value.len() <= usize::from(u8::MAX)
            }
            Self::RouteTarget(prefix) => suits(prefix, format),
            // Octets of a parsed family would bypass its checks. MP_UNREACH_NLRI without routes is an End-of-RIB
            // (RFC 4724 section 2).
            Self::Unknown(octets) => format.family.bit() == 0 && !octets.is_empty(),
        }
    }

    fn encoded_length(self, format: &NlriFormat) -> usize {
        match self {
            Self::Prefix(prefix) => prefix.encoded_length(format),
            Self::Labeled(prefix) => prefix.encoded_length(format),
            Self::Vpn(prefix) => prefix.encoded_length(format),
            Self::FlowSpec(flow) => flow.encoded_length(format),
            Self::FlowSpecBuf(flow) => flow.encoded_length(format),
            Self::Evpn(route) => route.encoded_length(format),
            // Route type and length precede the value (RFC 7432 section 7).
            Self::OtherEvpn(_, value) => 2 + value.len(),
            Self::RouteTarget(prefix) => prefix.encoded_length(format),
            Self::Unknown(octets) => octets.len(),
        }
    }

    fn write<'o>(self, format: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        match self {
            Self::Prefix(prefix) => NlriValue::write(prefix, format, out),
            Self::Labeled(prefix) => prefix.write(format, out),
            Self::Vpn(prefix) => prefix.write(format, out),
            Self::FlowSpec(flow) => flow.write(format, out),
            Self::FlowSpecBuf(flow) => flow.write(format, out),
            Self::Evpn(route) => route.write(format, out),
            Self::OtherEvpn(route_type, value) => write_exactly(2 + value.len(), out, |out| {
                let value_length = u8::try_from(value.len());
                debug_assert!(value_length.is_ok(), "is_legal() limits the value");
                out.put(&[route_type, value_length.unwrap_or(u8::MAX)]);
                out.put(value);
            }),
            Self::RouteTarget(prefix) => prefix.write(format, out),
            Self::Unknown(octets) => write_exactly(octets.len(), out, |out| out.put(octets)),
        }
    }
}

impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Labeled(prefix) => prefix.fmt(f),
            Self::Vpn(prefix) => prefix.fmt(f),
            Self::FlowSpec(flow) => flow.fmt(f),
            Self::FlowSpecBuf(flow) => flow.fmt(f),
            Self::Evpn(route) => route.fmt(f),
            Self::OtherEvpn(route_type, value) => write!(f, "type {route_type} {}", Hex(value)),
            Self::RouteTarget(prefix) => prefix.fmt(f),
            Self::Unknown(octets) => Hex(octets).fmt(f),
        }
    }
}

/// Implements [`NlriValue`] for a destination by delegating to its [`Kind`].
macro_rules! destination {
    ($destination:ty) => {
        impl NlriValue for $destination {
            // No message is longer (RFC 8654 section 2), so this bounds every kind.
            const MAX_LENGTH: usize = 65535;

            fn suits(_: Family) -> bool {
                // The type does not determine the family; `Kind::is_legal` checks the value.
                true
            }

            fn fills_field(&self) -> bool {
                // Without its grammar, a second route could not be told from the first.
                matches!(self.kind(), Kind::Unknown(_))
            }

            fn is_legal(&self, format: &NlriFormat) -> bool {
                self.kind().is_legal(format)
            }

            fn encoded_length(&self, format: &NlriFormat) -> usize {
                self.kind().encoded_length(format)
            }

            fn write<'o>(&self, format: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
                self.kind().write(format, out)
            }
        }
    };
}

destination!(Destination<'_>);
destination!(&DestinationBuf);

impl fmt::Display for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

impl fmt::Display for DestinationBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

impl DestinationBuf {
    /// Parses a destination of `family`. Returns `None` if the words are not one. Host bits of a prefix are cleared.
    pub(super) fn parse(family: Family, words: &mut Words<'_>) -> Option<Self> {
        if family.bit() == 0 {
            return hex_octets(words.next()?).map(Self::Unknown);
        }
        Some(match family.safi {
            Safi::LABELED => Self::Labeled(LabeledPrefix::parse(words)?),
            Safi::VPN => Self::Vpn(VpnPrefix::parse(words)?),
            Safi::FLOWSPEC | Safi::FLOWSPEC_VPN => {
                Self::FlowSpec(FlowSpecBuf::parse(words, family.afi)?)
            }
            // The words of known types never begin with `type`.
            Safi::EVPN if words.take("type") => Self::OtherEvpn {
                route_type: number(words.next()?)?,
                value: hex_octets(words.next()?)?,
            },
            Safi::EVPN => Self::Evpn(EvpnRoute::parse(words)?),
            Safi::ROUTE_TARGET => Self::RouteTarget(RouteTargetPrefix::parse(words)?),
            // As on the wire, bits after the length are irrelevant (RFC 4271 section 4.3).
            _ => Self::Prefix(words.next()?.parse::<IpNet>().ok()?.trunc()),
        })
    }
}
