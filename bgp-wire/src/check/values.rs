//! The attributes of a checked UPDATE that most applications look at, each without a walk.

use core::net::Ipv4Addr;

use super::Checked;
use crate::asn::Asn;
use crate::attribute::{
    Aggregator, AsPath, ClusterList, Communities, ExtendedCommunities, LargeCommunities, MpReach,
    MpUnreach,
};
use crate::iana::{AttributeCode, Origin};

impl<'a> Checked<'a> {
    /// ORIGIN. Every message that announces has one.
    #[must_use]
    #[inline]
    pub fn origin(&self) -> Option<Origin> {
        Some(Origin(*self.value(AttributeCode::ORIGIN)?.first()?))
    }

    /// AS_PATH. Every message that announces has one.
    #[must_use]
    #[inline]
    pub fn as_path(&self) -> Option<AsPath<'a>> {
        Some(AsPath::new(
            self.value(AttributeCode::AS_PATH)?,
            self.update.context().four_octet_as,
        ))
    }

    /// NEXT_HOP: that of the IPv4 routes outside MP_REACH_NLRI.
    #[must_use]
    #[inline]
    pub fn next_hop(&self) -> Option<Ipv4Addr> {
        self.word(AttributeCode::NEXT_HOP).map(Ipv4Addr::from)
    }

    /// MULTI_EXIT_DISC.
    #[must_use]
    #[inline]
    pub fn multi_exit_disc(&self) -> Option<u32> {
        self.word(AttributeCode::MULTI_EXIT_DISC)
            .map(u32::from_be_bytes)
    }

    /// LOCAL_PREF, from internal peers.
    #[must_use]
    #[inline]
    pub fn local_pref(&self) -> Option<u32> {
        self.word(AttributeCode::LOCAL_PREF).map(u32::from_be_bytes)
    }

    /// AGGREGATOR.
    #[must_use]
    pub fn aggregator(&self) -> Option<Aggregator> {
        self.value(AttributeCode::AGGREGATOR)
            .map(Aggregator::from_checked)
    }

    /// ORIGINATOR_ID, from internal peers (RFC 4456 section 8).
    #[must_use]
    pub fn originator_id(&self) -> Option<Ipv4Addr> {
        self.word(AttributeCode::ORIGINATOR_ID).map(Ipv4Addr::from)
    }

    /// CLUSTER_LIST, from internal peers (RFC 4456 section 8).
    #[must_use]
    pub fn cluster_list(&self) -> Option<ClusterList<'a>> {
        self.value(AttributeCode::CLUSTER_LIST)
            .map(ClusterList::new)
    }

    /// Only to Customer (RFC 9234 section 5).
    #[must_use]
    pub fn only_to_customer(&self) -> Option<Asn> {
        self.word(AttributeCode::ONLY_TO_CUSTOMER)
            .map(|octets| Asn::new(u32::from_be_bytes(octets)))
    }

    /// COMMUNITIES.
    #[must_use]
    #[inline]
    pub fn communities(&self) -> Option<Communities<'a>> {
        self.value(AttributeCode::COMMUNITIES).map(Communities::new)
    }

    /// EXTENDED COMMUNITIES.
    #[must_use]
    #[inline]
    pub fn extended_communities(&self) -> Option<ExtendedCommunities<'a>> {
        self.value(AttributeCode::EXTENDED_COMMUNITIES)
            .map(ExtendedCommunities::new)
    }

    /// LARGE_COMMUNITIES.
    #[must_use]
    #[inline]
    pub fn large_communities(&self) -> Option<LargeCommunities<'a>> {
        self.value(AttributeCode::LARGE_COMMUNITIES)
            .map(LargeCommunities::new)
    }

    /// AS4_PATH, on a session with AS numbers of two octets (RFC 6793).
    #[must_use]
    pub fn as4_path(&self) -> Option<AsPath<'a>> {
        self.value(AttributeCode::AS4_PATH)
            .map(|value| AsPath::new(value, true))
    }

    /// AS4_AGGREGATOR, on a session with AS numbers of two octets (RFC 6793).
    #[must_use]
    pub fn as4_aggregator(&self) -> Option<Aggregator> {
        self.value(AttributeCode::AS4_AGGREGATOR)
            .map(Aggregator::from_checked)
    }

    /// MP_REACH_NLRI. Its prefixes are withdrawn after treat-as-withdraw: take them from [`Checked::announced`].
    #[must_use]
    #[inline]
    pub fn mp_reach(&self) -> Option<MpReach<'a>> {
        let value = self.value(AttributeCode::MP_REACH_NLRI)?;
        Some(MpReach::from_checked(value, self.update.context()))
    }

    /// MP_UNREACH_NLRI.
    #[must_use]
    #[inline]
    pub fn mp_unreach(&self) -> Option<MpUnreach<'a>> {
        let value = self.value(AttributeCode::MP_UNREACH_NLRI)?;
        Some(MpUnreach::from_checked(value, self.update.context()))
    }
}
