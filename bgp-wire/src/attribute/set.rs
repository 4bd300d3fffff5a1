//! `AttributeSet`: the path attributes of a route, owned, for sending and for tables.

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

/// What a route carries besides its prefix and next hop.
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
    /// AS_PATH, without what a speaker puts in front on eBGP.
    pub as_path: AsPathBuf,
    /// MULTI_EXIT_DISC.
    pub multi_exit_disc: Option<u32>,
    /// LOCAL_PREF; sent to internal peers only, 100 where it is not given.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR.
    pub aggregator: Option<Aggregator>,
    /// COMMUNITIES, in this order.
    pub communities: Vec<Community>,
    /// ORIGINATOR_ID; sent to internal peers only.
    pub originator_id: Option<Ipv4Addr>,
    /// CLUSTER_LIST, in this order; sent to internal peers only.
    pub cluster_list: Vec<Ipv4Addr>,
    /// EXTENDED COMMUNITIES, in this order.
    pub extended_communities: Vec<ExtendedCommunity>,
    /// LARGE_COMMUNITIES, in this order.
    pub large_communities: Vec<LargeCommunity>,
    /// Only to Customer.
    pub only_to_customer: Option<Asn>,
    /// Other attributes as octets, also those that have a view of their own: [`RawAttributeBuf`] makes them. Their codes
    /// must be ascending, and none of those above.
    pub unknown: Vec<RawAttributeBuf>,
}

impl AttributeSet {
    /// An empty AS path and no optional attribute.
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

    /// What a receiver would not accept is not sent.
    pub(crate) fn check(&self, context: &Context) -> Result<(), EncodeError> {
        if self.origin.name().is_none() {
            return Err(EncodeError::Illegal("an ORIGIN that is not registered"));
        }
        if !self.as_path.is_legal(segments(context)) {
            return Err(EncodeError::Illegal(
                "an AS_PATH with AS 0, with sets (RFC 9774), or with segments of a confederation to outside of it",
            ));
        }
        if self
            .aggregator
            .is_some_and(|aggregator| aggregator.asn.number() == 0)
        {
            return Err(EncodeError::Illegal("an AGGREGATOR of AS 0"));
        }
        if self.unknown.is_empty() {
            Ok(())
        } else {
            self.check_unknown(context)
        }
    }

    #[cold]
    fn check_unknown(&self, context: &Context) -> Result<(), EncodeError> {
        if !self
            .unknown
            .is_sorted_by(|one, other| one.code < other.code)
        {
            return Err(EncodeError::Illegal(
                "an attribute out of order or given twice",
            ));
        }
        if self
            .unknown
            .iter()
            .any(|unknown| has_own_field(unknown.code) || !unknown.flags.is_optional())
        {
            return Err(EncodeError::Illegal(
                "an unknown attribute that is well-known or has a field of its own",
            ));
        }
        let faulty = self.unknown.iter().any(|unknown| {
            // What the peer is not sent cannot offend it.
            let sent = is_accepted(unknown.code, context.peer_kind);
            sent && verdict(&unknown.as_raw(), context).is_some()
        });
        if faulty {
            return Err(EncodeError::Illegal(
                "an attribute whose flags or value are malformed",
            ));
        }
        Ok(())
    }
}

impl RawAttributeBuf {
    /// ATTR_SET (RFC 6368 section 5): the attributes of a customer's route that originated in `origin_as`. In it AS
    /// numbers have four octets and LOCAL_PREF is there, as between internal peers.
    ///
    /// # Errors
    ///
    /// The attributes are not legal ones.
    pub fn attr_set(origin_as: Asn, attributes: &AttributeSet) -> Result<Self, EncodeError> {
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
    /// Origin incomplete, as of a route that no routing protocol found, and nothing else.
    fn default() -> Self {
        Self::new(Origin::INCOMPLETE)
    }
}

/// Whether a code has its own field, or is made anew for each message.
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
