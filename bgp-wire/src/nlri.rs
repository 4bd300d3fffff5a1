//! Network Layer Reachability Information: one file per kind, and what holds for all of them.

mod any;
mod destination;
mod encode;
mod evpn;
mod flowspec;
mod label;
mod labeled;
mod prefixes;
mod route_target;
mod routes;
mod unicast;
mod words;

pub use any::{AnyNlri, AnyNlriBuf, ParseNlriError};
pub use destination::{Destination, DestinationBuf};
pub use encode::EncodeNlri;
pub use evpn::{EthernetSegmentIdentifier, EvpnRoute, ParseEthernetSegmentIdentifierError};
pub use flowspec::{
    ComponentType, FlowSpec, FlowSpecBuf, FlowSpecComponent, FlowSpecMatch, FlowSpecMatches,
    FlowSpecOperator,
};
pub use label::{Label, Labels};
pub use labeled::{LabeledPrefix, VpnPrefix};
pub use prefixes::Prefixes;
pub use route_target::RouteTargetPrefix;
pub use routes::Routes;
pub use unicast::UnicastPrefix;

pub(crate) use encode::{NlriValue, encoded_length, write};

use core::fmt;
use core::str::FromStr;

use ipnet::IpNet;

use crate::context::Context;
use crate::family::Family;
use crate::iana::Safi;
use crate::text::{ParseValueError, number};

/// A path identifier (RFC 7911 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PathId(pub u32);

/// A prefix and, where ADD-PATH is negotiated, its path identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Nlri<P = IpNet> {
    /// Which of several paths to the prefix is meant.
    pub path_id: Option<PathId>,
    /// The prefix, host bits cleared.
    pub prefix: P,
}

impl fmt::Display for PathId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PathId {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        number(text).map(Self).ok_or(ParseValueError {
            expected: "a path identifier of 0 to 4294967295",
        })
    }
}

/// What stands between a prefix and its path identifier.
const BEFORE_PATH_ID: &str = " path-id ";

impl<P: fmt::Display> fmt::Display for Nlri<P> {
    /// The prefix, and ` path-id N` behind it where it has a path identifier.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.prefix.fmt(f)?;
        self.path_id
            .map_or(Ok(()), |path_id| write!(f, "{BEFORE_PATH_ID}{path_id}"))
    }
}

impl<P: FromStr> FromStr for Nlri<P> {
    type Err = ParseValueError;

    /// What its `Display` writes.
    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        let (prefix, path_id) = match text.rsplit_once(BEFORE_PATH_ID) {
            Some((prefix, path_id)) => (prefix, Some(path_id.parse()?)),
            None => (text, None),
        };
        let prefix = prefix.trim().parse().map_err(|_| ParseValueError {
            expected: "a route, and its path identifier if it has one: 192.168.10.1/32 path-id 7",
        })?;
        Ok(Self { path_id, prefix })
    }
}

impl<P> Nlri<P> {
    /// The prefix alone.
    pub const fn new(prefix: P) -> Self {
        Self {
            path_id: None,
            prefix,
        }
    }
}

impl<P: Into<IpNet>> Nlri<P> {
    pub(crate) fn widen(self) -> Nlri {
        Nlri {
            path_id: self.path_id,
            prefix: self.prefix.into(),
        }
    }
}

/// What decides how the NLRI of one field reads, beside its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    unnameable_types,
    reason = "an argument of the hidden methods of EncodeNlri"
)]
pub struct NlriFormat {
    pub(crate) family: Family,
    /// Every item has a path identifier in front (RFC 7911 section 3).
    pub(crate) add_path: bool,
    /// A label stack goes on until its S bit (RFC 8277 section 2.3); otherwise there is one label (section 2.2).
    pub(crate) multiple_labels: bool,
    /// The field withdraws: its label field has three octets and means nothing (RFC 8277 section 2.4).
    pub(crate) withdrawn: bool,
}

/// Whether a field of prefixes that should have no path identifiers has them: most identifiers (RFC 7911 section 3) begin
/// with three octets of zeros, and nobody names the default route three times in a row. To take such a field at its word
/// would make every route of a peer that negotiates wrongly a default route.
#[inline]
pub(crate) fn seems_to_have_path_ids(field: &[u8]) -> bool {
    field.starts_with(&[0; 3])
}

impl NlriFormat {
    /// Whether a field of this form cannot be what it says (see [`seems_to_have_path_ids`]).
    pub(crate) fn has_unexpected_path_ids(&self, field: &[u8]) -> bool {
        matches!(self.family.safi, Safi::UNICAST | Safi::MULTICAST)
            && self.family.bit() != 0
            && !self.add_path
            && seems_to_have_path_ids(field)
    }

    pub(crate) fn new(family: Family, context: &Context, withdrawn: bool) -> Self {
        Self {
            family,
            add_path: context.add_path.contains(family),
            multiple_labels: context.multiple_labels.contains(family),
            withdrawn,
        }
    }
}
