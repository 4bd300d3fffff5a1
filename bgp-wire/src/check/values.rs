//! Accessors for the attributes of a checked UPDATE that most applications use.

use core::net::Ipv4Addr;

use super::Checked;
use crate::asn::Asn;
use crate::attribute::{
    Aggregator, AsPath, ClusterList, Communities, ExtendedCommunities, LargeCommunities, MpReach,
    MpUnreach,
};
use crate::iana::{AttributeCode, Origin};

// Each accessor returns `None` if the attribute is absent or discarded. Those of frequent attributes use the index; the
// others walk the attributes.
impl<'a> Checked<'a> {
    /// Returns ORIGIN. It is present in every UPDATE that announces routes.
    #[must_use]
    #[inline]
    pub fn origin(&self) -> Option<Origin> {
        Some(Origin(*self.value(AttributeCode::ORIGIN)?.first()?))
    }

    /// Returns AS_PATH. It is present in every UPDATE that announces routes.
    #[must_use]
    #[inline]
    pub fn as_path(&self) -> Option<AsPath<'a>> {
        Some(AsPath::new(
            self.value(AttributeCode::AS_PATH)?,
            self.update.context().four_octet_as,
        ))
    }

    /// Returns NEXT_HOP: the next hop of the IPv4 routes outside MP_REACH_NLRI.
    #[must_use]
    #[inline]
    pub fn next_hop(&self) -> Option<Ipv4Addr> {
        self.word(AttributeCode::NEXT_HOP).map(Ipv4Addr::from)
    }

    /// Returns MULTI_EXIT_DISC.
    #[must_use]
    #[inline]
    pub fn multi_exit_disc(&self) -> Option<u32> {
        self.word(AttributeCode::MULTI_EXIT_DISC)
            .map(u32::from_be_bytes)
    }

    /// Returns LOCAL_PREF. It is discarded from external peers.
    #[must_use]
    #[inline]
    pub fn local_pref(&self) -> Option<u32> {
        self.word(AttributeCode::LOCAL_PREF).map(u32::from_be_bytes)
    }

    /// Returns AGGREGATOR. An AS number of two octets may be [`Asn::TRANS`]; see [`Checked::as4_aggregator`].
    #[must_use]
    pub fn aggregator(&self) -> Option<Aggregator> {
        self.value(AttributeCode::AGGREGATOR)
            .map(Aggregator::from_checked)
    }

    /// Returns ORIGINATOR_ID (RFC 4456 section 8). It is discarded from all but internal peers.
    #[must_use]
    #[inline]
    pub fn originator_id(&self) -> Option<Ipv4Addr> {
        self.word(AttributeCode::ORIGINATOR_ID).map(Ipv4Addr::from)
    }

    /// Returns CLUSTER_LIST (RFC 4456 section 8). It is discarded from all but internal peers.
    #[must_use]
    pub fn cluster_list(&self) -> Option<ClusterList<'a>> {
        self.value(AttributeCode::CLUSTER_LIST)
            .map(ClusterList::new)
    }

    /// Returns Only to Customer (RFC 9234 section 5).
    #[must_use]
    pub fn only_to_customer(&self) -> Option<Asn> {
        self.word(AttributeCode::ONLY_TO_CUSTOMER)
            .map(|octets| Asn::new(u32::from_be_bytes(octets)))
    }

    /// Returns COMMUNITIES.
    #[must_use]
    #[inline]
    pub fn communities(&self) -> Option<Communities<'a>> {
        self.value(AttributeCode::COMMUNITIES).map(Communities::new)
    }

    /// Returns EXTENDED COMMUNITIES.
    #[must_use]
    #[inline]
    pub fn extended_communities(&self) -> Option<ExtendedCommunities<'a>> {
        self.value(AttributeCode::EXTENDED_COMMUNITIES)
            .map(ExtendedCommunities::new)
    }

    /// Returns LARGE_COMMUNITIES. It may contain duplicates.
    #[must_use]
    #[inline]
    pub fn large_communities(&self) -> Option<LargeCommunities<'a>> {
        self.value(AttributeCode::LARGE_COMMUNITIES)
            .map(LargeCommunities::new)
    }

    /// Returns AS4_PATH. It is discarded on a session with four-octet AS numbers (RFC 6793).
    #[must_use]
    pub fn as4_path(&self) -> Option<AsPath<'a>> {
        self.value(AttributeCode::AS4_PATH)
            // RFC 6793 section 3: four octets, whatever the session negotiated.
            .map(|value| AsPath::new(value, true))
    }

    /// Returns AS4_AGGREGATOR. It is discarded on a session with four-octet AS numbers (RFC 6793).
    #[must_use]
    pub fn as4_aggregator(&self) -> Option<Aggregator> {
        self.value(AttributeCode::AS4_AGGREGATOR)
            .map(Aggregator::from_checked)
    }

    /// Returns `true` if the message has MP_REACH_NLRI or MP_UNREACH_NLRI: otherwise all its routes are IPv4 unicast.
    // Only looks into the index, which spares most messages of a full table the decoding of both attributes.
    #[must_use]
    #[inline(always)]
    pub fn is_multiprotocol(&self) -> bool {
        let is_present = |code| self.index.position(code).is_some();
        is_present(AttributeCode::MP_REACH_NLRI) || is_present(AttributeCode::MP_UNREACH_NLRI)
    }

    /// Returns MP_REACH_NLRI.
    ///
    /// After treat-as-withdraw its prefixes are withdrawn, so use [`Checked::announced`] for the announced ones.
    // Present in a checked UPDATE only if well-formed: a fault in it resets the session (RFC 7606 section 7.11).
    #[must_use]
    #[inline]
    pub fn mp_reach(&self) -> Option<MpReach<'a>> {
        let value = self.value(AttributeCode::MP_REACH_NLRI)?;
        Some(MpReach::from_checked(value, self.update.context()))
    }

    /// Returns MP_UNREACH_NLRI.
    #[must_use]
    #[inline]
    pub fn mp_unreach(&self) -> Option<MpUnreach<'a>> {
        let value = self.value(AttributeCode::MP_UNREACH_NLRI)?;
        Some(MpUnreach::from_checked(value, self.update.context()))
    }
}
