//! Network Layer Reachability Information (RFC 4271 section 4.3): one file per kind, and the parts common to all kinds.

mod any;
mod bogus;
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
pub use bogus::is_bogus_prefix;
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

/// A path identifier, which distinguishes several paths to one prefix (RFC 7911 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
// RFC 7911 section 3 gives the value no structure and reserves none, so every number is legal.
pub struct PathId(pub u32);

/// A prefix, with its path identifier if ADD-PATH is negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Nlri<P = IpNet> {
    /// The path identifier; `None` unless ADD-PATH is negotiated for the family.
    pub path_id: Option<PathId>,
    /// The prefix. Its host bits are zero.
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

/// Separates a prefix from its path identifier in text.
const PATH_ID_SEPARATOR: &str = " path-id ";

impl<P: fmt::Display> fmt::Display for Nlri<P> {
    /// Writes the prefix, followed by ` path-id N` if it has a path identifier.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.prefix.fmt(f)?;
        self.path_id
            .map_or(Ok(()), |path_id| write!(f, "{PATH_ID_SEPARATOR}{path_id}"))
    }
}

impl<P: FromStr> FromStr for Nlri<P> {
    type Err = ParseValueError;

    /// Parses the output of `Display`.
    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        // From the end, because the text of a prefix type may itself contain spaces (`... label 100`).
        let (prefix, path_id) = match text.rsplit_once(PATH_ID_SEPARATOR) {
            Some((prefix, path_id)) => (prefix, Some(path_id.parse()?)),
            None => (text, None),
        };
        let prefix = prefix.trim().parse().map_err(|_| ParseValueError {
            expected: "a route with an optional path identifier: 192.168.10.1/32 path-id 7",
        })?;
        Ok(Self { path_id, prefix })
    }
}

impl<P> Nlri<P> {
    /// Returns the prefix without a path identifier.
    pub const fn new(prefix: P) -> Self {
        Self {
            path_id: None,
            prefix,
        }
    }
}

impl<P: Into<IpNet>> Nlri<P> {
    /// Converts the prefix to an [`IpNet`].
    pub(crate) fn widen(self) -> Nlri {
        Nlri {
            path_id: self.path_id,
            prefix: self.prefix.into(),
        }
    }
}

/// The negotiated parameters that determine the grammar of one NLRI field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    unnameable_types,
    reason = "an argument of the hidden methods of EncodeNlri"
)]
pub struct NlriFormat {
    pub(crate) family: Family,
    /// A path identifier precedes every route (RFC 7911 section 3).
    pub(crate) add_path: bool,
    /// A label stack ends at its S bit (RFC 8277 section 2.3). If `false`, it is exactly one label (section 2.2).
    pub(crate) multiple_labels: bool,
    /// The field is one of withdrawals, whose label field is three octets without meaning (RFC 8277 section 2.4).
    pub(crate) withdrawn: bool,
}

/// Returns `true` if a field of prefixes begins like one with path identifiers (RFC 7911 section 3).
///
/// Most path identifiers are small, so their first three octets are zero. Without identifiers the same octets are the
/// default route three times: legal, but hardly what a speaker wants to send.
#[inline(always)]
fn begins_like_path_ids(field: &[u8]) -> bool {
    // Three octets are enough: the identifiers 0 to 255 all begin with them.
    field.starts_with(&[0; 3])
}

impl NlriFormat {
    /// Returns `true` if a field of this format seems to have path identifiers, which were not negotiated.
    pub(crate) fn seems_to_have_path_ids(&self, field: &[u8]) -> bool {
        // Only plain prefixes can be taken for identifiers. A family without a bit is not read as prefixes.
        matches!(self.family.safi, Safi::UNICAST | Safi::MULTICAST)
            && self.family.bit() != 0
            && !self.add_path
            && begins_like_path_ids(field)
    }

    /// Returns the format of a field of `family` as `context` negotiated it.
    pub(crate) fn new(family: Family, context: &Context, withdrawn: bool) -> Self {
        Self {
            family,
            // Both are negotiated per family and direction (RFC 7911 section 4, RFC 8277 section 2.1).
            add_path: context.add_path.contains(family),
            multiple_labels: context.multiple_labels.contains(family),
            withdrawn,
        }
    }
}
