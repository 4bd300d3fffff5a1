//! Path attributes: one file per attribute family, and the rules of RFC 7606 as a table.

mod aggregator;
mod as_path;
mod as_path_buf;
mod as_path_text;
mod list;
mod mp;
mod raw;
mod raw_buf;
mod raw_text;
pub(crate) mod rules;
mod set;
mod text;
mod tunnel;
mod words;
mod write;

pub use aggregator::Aggregator;
pub use as_path::{AsPath, Segment};
pub use as_path_buf::{AsPathBuf, SegmentBuf};
pub use as_path_text::ParseAsPathError;
pub use list::{
    ClusterList, Communities, ExtendedCommunities, Ipv6ExtendedCommunities, LargeCommunities,
};
pub(crate) use mp::nlri_field;
pub use mp::{MpPrefixes, MpReach, MpUnreach};
pub use raw::{AttrSet, AttributeFlags, RawAttribute, RawAttributes};
pub use raw_buf::RawAttributeBuf;
pub use rules::Treatment;
pub use set::AttributeSet;
pub use tunnel::{Aigp, PmsiTunnel, PrefixSid, Tlv, TunnelEncapsulation, TunnelOptions};
pub use words::ParseAttributesError;

use core::net::Ipv4Addr;

use crate::asn::Asn;
use crate::context::Context;
use crate::iana::{AttributeCode, Origin};

/// A path attribute that passed the checks of RFC 7606.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Attribute<'a> {
    /// RFC 4271 section 5.1.1.
    Origin(Origin),
    /// RFC 4271 section 5.1.2.
    AsPath(AsPath<'a>),
    /// RFC 4271 section 5.1.3.
    NextHop(Ipv4Addr),
    /// RFC 4271 section 5.1.4.
    MultiExitDisc(u32),
    /// RFC 4271 section 5.1.5.
    LocalPref(u32),
    /// RFC 4271 section 5.1.6.
    AtomicAggregate,
    /// RFC 4271 section 5.1.7.
    Aggregator(Aggregator),
    /// RFC 1997.
    Communities(Communities<'a>),
    /// RFC 4456 section 8.
    OriginatorId(Ipv4Addr),
    /// RFC 4456 section 8.
    ClusterList(ClusterList<'a>),
    /// RFC 4760 section 3.
    MpReach(MpReach<'a>),
    /// RFC 4760 section 4.
    MpUnreach(MpUnreach<'a>),
    /// RFC 6793 section 3.
    As4Path(AsPath<'a>),
    /// RFC 6793 section 3.
    As4Aggregator(Aggregator),
    /// RFC 4360.
    ExtendedCommunities(ExtendedCommunities<'a>),
    /// RFC 6514 section 5.
    PmsiTunnel(PmsiTunnel<'a>),
    /// RFC 9012 section 2.
    TunnelEncapsulation(TunnelEncapsulation<'a>),
    /// RFC 5701.
    Ipv6ExtendedCommunities(Ipv6ExtendedCommunities<'a>),
    /// RFC 7311.
    Aigp(Aigp<'a>),
    /// RFC 9234 section 5.
    OnlyToCustomer(Asn),
    /// RFC 8669.
    PrefixSid(PrefixSid<'a>),
    /// RFC 6368 section 5.
    AttrSet(AttrSet<'a>),
    /// RFC 8092.
    LargeCommunities(LargeCommunities<'a>),
    /// Any other attribute, as received.
    Unknown(RawAttribute<'a>),
}

impl<'a> Attribute<'a> {
    /// Decodes an attribute that passed [`rules::verdict`], so that its value has a valid length.
    #[inline(always)]
    pub(crate) fn decode(raw: RawAttribute<'a>, context: &'a Context) -> Self {
        let value = raw.value;
        // Inlined into the walk over attributes, so only the frequent codes are here; the others cost a call.
        match raw.code {
            AttributeCode::ORIGIN => Self::Origin(Origin(value.first().copied().unwrap_or(0))),
            AttributeCode::AS_PATH => Self::AsPath(AsPath::new(value, context.four_octet_as)),
            AttributeCode::NEXT_HOP => Self::NextHop(word(value).into()),
            AttributeCode::MULTI_EXIT_DISC => Self::MultiExitDisc(word(value)),
            AttributeCode::LOCAL_PREF => Self::LocalPref(word(value)),
            AttributeCode::ATOMIC_AGGREGATE => Self::AtomicAggregate,
            AttributeCode::AGGREGATOR => Self::Aggregator(Aggregator::from_checked(value)),
            AttributeCode::COMMUNITIES => Self::Communities(Communities::new(value)),
            AttributeCode::ORIGINATOR_ID => Self::OriginatorId(word(value).into()),
            AttributeCode::CLUSTER_LIST => Self::ClusterList(ClusterList::new(value)),
            AttributeCode::MP_REACH_NLRI => Self::MpReach(MpReach::from_checked(value, context)),
            AttributeCode::MP_UNREACH_NLRI => {
                Self::MpUnreach(MpUnreach::from_checked(value, context))
            }
            // RFC 6793 section 3: always four octets, because two-octet speakers only pass the attribute on.
            AttributeCode::AS4_PATH => Self::As4Path(AsPath::new(value, true)),
            AttributeCode::AS4_AGGREGATOR => Self::As4Aggregator(Aggregator::from_checked(value)),
            AttributeCode::LARGE_COMMUNITIES => {
                Self::LargeCommunities(LargeCommunities::new(value))
            }
            AttributeCode::EXTENDED_COMMUNITIES => {
                Self::ExtendedCommunities(ExtendedCommunities::new(value))
            }
            AttributeCode::ONLY_TO_CUSTOMER => Self::OnlyToCustomer(Asn::new(word(value))),
            // RFC 4271 section 5: an unknown attribute is kept, because a transitive one is passed on.
            _ => Self::unusual(raw).unwrap_or(Self::Unknown(raw)),
        }
    }

    /// Decodes an attribute that few routes have. Returns `None` if its code is not parsed.
    // A call keeps these codes out of the loops into which `decode` is inlined.
    #[inline(never)]
    fn unusual(raw: RawAttribute<'a>) -> Option<Self> {
        let value = raw.value;
        Some(match raw.code {
            AttributeCode::PMSI_TUNNEL => Self::PmsiTunnel(PmsiTunnel::decode(value)?),
            AttributeCode::TUNNEL_ENCAPSULATION => {
                Self::TunnelEncapsulation(TunnelEncapsulation::new(value))
            }
            AttributeCode::IPV6_EXTENDED_COMMUNITIES => {
                Self::Ipv6ExtendedCommunities(Ipv6ExtendedCommunities::new(value))
            }
            AttributeCode::AIGP => Self::Aigp(Aigp::new(value)),
            AttributeCode::PREFIX_SID => Self::PrefixSid(PrefixSid::new(value)),
            AttributeCode::ATTR_SET => Self::AttrSet(AttrSet::decode(raw)?),
            _ => return None,
        })
    }
}

/// Returns the first four octets of a value whose length was checked.
// No panic: a branch to one in the inlined loops costs more than the unused zero.
#[inline(always)]
pub(crate) fn word(value: &[u8]) -> u32 {
    debug_assert!(value.len() >= 4, "the length rule ran");
    value
        .first_chunk()
        .map_or(0, |octets| u32::from_be_bytes(*octets))
}
