//! `AttributeSet`: the owned path attributes of a route, for sending and for tables.

use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::raw_buf::two_octets;
use super::rules::{is_accepted, segments, verdict};
use super::{Aggregator, AsPathBuf, RawAttributeBuf};
use crate::asn::Asn;
use crate::community::{Community, LargeCommunity};
use crate::context::{Context, PeerKind};
use crate::error::EncodeError;
use crate::extended_community::ExtendedCommunity;
use crate::iana::{AttributeCode, Origin};

/// The path attributes of a route, without its prefix and next hop.
///
/// ```
/// use bgp_wire::{AttributeSet, Origin};
/// let attributes = AttributeSet { local_pref: Some(0), ..AttributeSet::new(Origin::INCOMPLETE) };
/// assert!(attributes.as_path.segments.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct AttributeSet {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH as encoded: the caller prepends its own AS number for an external peer.
    pub as_path: AsPathBuf,
    /// MULTI_EXIT_DISC.
    pub multi_exit_disc: Option<u32>,
    /// LOCAL_PREF. Not sent to external peers; other peers get 100 if it is `None`.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR.
    pub aggregator: Option<Aggregator>,
    /// COMMUNITIES, in this order.
    pub communities: Vec<Community>,
    /// ORIGINATOR_ID. Sent only to internal peers.
    pub originator_id: Option<Ipv4Addr>,
    /// CLUSTER_LIST, in this order. Sent only to internal peers.
    pub cluster_list: Vec<Ipv4Addr>,
    /// EXTENDED COMMUNITIES, in this order.
    pub extended_communities: Vec<ExtendedCommunity>,
    /// LARGE_COMMUNITIES, in this order. Duplicates are sent once.
    pub large_communities: Vec<LargeCommunity>,
    /// Only to Customer (RFC 9234 section 5).
    pub only_to_customer: Option<Asn>,
    /// All other attributes as octets. [`RawAttributeBuf`] has constructors for those with a grammar.
    ///
    /// Their codes must be ascending and differ from those of the fields above.
    pub unknown: Vec<RawAttributeBuf>,
}

impl AttributeSet {
    /// Creates a set with an empty AS path and without optional attributes.
    #[must_use]
    pub const fn new(origin: Origin) -> Self {
        Self {
            origin,
            as_path: AsPathBuf {
                segments: Vec::new(),
            },
            multi_exit_disc: None,
            local_pref: None,
            atomic_aggregate: false,
            aggregator: None,
            communities: Vec::new(),
            originator_id: None,
            cluster_list: Vec::new(),
            extended_communities: Vec::new(),
            large_communities: Vec::new(),
            only_to_customer: None,
            unknown: Vec::new(),
        }
    }

    /// Checks that a receiver in `context` accepts the attributes.
    // The encoder refuses values that `Update::check` does not accept, so that no receiver withdraws our routes.
    pub(crate) fn check(&self, context: &Context) -> Result<(), EncodeError> {
        if self.origin.name().is_none() {
            return Err(EncodeError::Illegal("unregistered ORIGIN"));
        }
        // RFC 7607 section 2, RFC 9774 section 3 and RFC 5065 section 5.
        if !self.as_path.is_legal(segments(context)) {
            return Err(EncodeError::Illegal(
                "AS_PATH with AS 0, with a set (RFC 9774), or with confederation segments for a peer outside of it",
            ));
        }
        if self
            .aggregator
            .is_some_and(|aggregator| aggregator.asn.number() == 0)
        {
            return Err(EncodeError::Illegal("AGGREGATOR with AS 0"));
        }
        if self.unknown.is_empty() {
            Ok(())
        } else {
            self.check_unknown(context)
        }
    }

    /// Checks the attributes in `unknown`.
    #[cold]
    fn check_unknown(&self, context: &Context) -> Result<(), EncodeError> {
        // The encoder merges `unknown` with the fields in one pass, which requires ascending codes.
        if !self
            .unknown
            .is_sorted_by(|one, other| one.code < other.code)
        {
            return Err(EncodeError::Illegal("duplicate or unordered attribute"));
        }
        if self
            .unknown
            .iter()
            // RFC 4271 section 6.3: an unrecognized well-known attribute resets the session.
            .any(|unknown| has_own_field(unknown.code) || !unknown.flags.is_optional())
        {
            return Err(EncodeError::Illegal(
                "unknown attribute that is well-known or has its own field",
            ));
        }
        let faulty = self.unknown.iter().any(|unknown| {
            // The encoder omits attributes that this kind of peer does not accept, so their faults do not matter.
            let sent = is_accepted(unknown.code, context.peer_kind);
            sent && verdict(&unknown.as_raw(), context).is_some()
        });
        if faulty {
            return Err(EncodeError::Illegal(
                "attribute with malformed flags or value",
            ));
        }
        Ok(())
    }
}

impl RawAttributeBuf {
    /// Creates ATTR_SET (RFC 6368 section 5): the attributes of a customer's route that originated in `origin_as`.
    ///
    /// The nested attributes have four-octet AS numbers and a LOCAL_PREF, as between internal peers.
    ///
    /// # Errors
    ///
    /// Returns an error if an attribute is malformed, or if ATTR_SET exceeds 65535 octets.
    pub fn attr_set(origin_as: Asn, attributes: &AttributeSet) -> Result<Self, EncodeError> {
        // RFC 6368 section 5: the set is encoded as for an internal peer, and NEXT_HOP is not part of it.
        let context = Context::new(PeerKind::Internal);
        attributes.check(&context)?;
        let length = attributes.encoded_length(&context, None);
        two_octets("an ATTR_SET", 4 + length)?;
        let mut octets = vec![0; length];
        attributes.write(&context, None, &mut octets);
        let value = [&origin_as.number().to_be_bytes()[..], &octets].concat();
        Ok(Self::new(AttributeCode::ATTR_SET, value))
    }
}

impl Default for AttributeSet {
    /// Creates a set with ORIGIN incomplete, as for a route that no routing protocol found, and without other
    /// attributes.
    fn default() -> Self {
        Self::new(Origin::INCOMPLETE)
    }
}

/// Returns `true` if an attribute has its own field or is created for each message.
fn has_own_field(code: AttributeCode) -> bool {
    matches!(
        code,
        AttributeCode::ORIGIN
            | AttributeCode::AS_PATH
            | AttributeCode::NEXT_HOP
            | AttributeCode::MULTI_EXIT_DISC
            | AttributeCode::LOCAL_PREF
            | AttributeCode::ATOMIC_AGGREGATE
            | AttributeCode::AGGREGATOR
            | AttributeCode::COMMUNITIES
            | AttributeCode::ORIGINATOR_ID
            | AttributeCode::CLUSTER_LIST
            | AttributeCode::MP_REACH_NLRI
            | AttributeCode::MP_UNREACH_NLRI
            | AttributeCode::EXTENDED_COMMUNITIES
            | AttributeCode::AS4_PATH
            | AttributeCode::AS4_AGGREGATOR
            | AttributeCode::LARGE_COMMUNITIES
            | AttributeCode::ONLY_TO_CUSTOMER
    )
}
