//! Network Layer Reachability Information: one file per kind, and what holds for all of them.

mod any;
mod encode;
mod evpn;
mod flowspec;
mod label;
mod route_target;
mod unicast;
mod words;

pub use any::{AnyNlri, AnyNlriBuf, Destination, DestinationBuf, ParseNlriError, Routes};
pub use encode::EncodeNlri;
pub use evpn::{EthernetSegmentIdentifier, EvpnRoute, ParseEthernetSegmentIdentifierError};
pub use flowspec::{
    ComponentType, FlowSpec, FlowSpecBuf, FlowSpecComponent, FlowSpecMatch, FlowSpecMatches,
    FlowSpecOperator,
};
pub use label::{Label, LabeledPrefix, Labels, VpnPrefix};
pub use route_target::RouteTargetPrefix;
pub use unicast::{Nlri, PathId, Prefixes, UnicastPrefix};

pub(crate) use encode::{NlriValue, encoded_length, write};
pub(crate) use unicast::next_hop;

use crate::context::Context;
use crate::family::Family;
use crate::iana::Safi;

/// What decides how the NLRI of one field reads, beside its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    unnameable_types,
    reason = "an argument of the hidden methods of EncodeNlri"
)]
pub struct Form {
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

impl Form {
    /// Whether a field of this form cannot be what it says (see [`seems_to_have_path_ids`]).
    pub(crate) fn is_mistaken_for(&self, field: &[u8]) -> bool {
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
