//! `Context`: the negotiated parameters that affect decoding and encoding.

use core::net::IpAddr;

use crate::asn::Asn;
use crate::family::{Family, FamilySet};
use crate::iana::Role;
use crate::router_id::RouterId;

/// The maximum length of a message (RFC 4271 section 4.1, RFC 8654).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum MessageLimit {
    /// 4096 octets.
    #[default]
    Standard,
    /// 65535 octets, except for OPEN and KEEPALIVE: both sides sent the Extended Message capability.
    Extended,
}

impl MessageLimit {
    /// Returns the limit in octets.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::Standard => 4096,
            Self::Extended => 65535,
        }
    }
}

/// The relation of the peer's AS to ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum PeerKind {
    /// Another AS: eBGP.
    #[default]
    External,
    /// The same AS: iBGP.
    Internal,
    /// Another member AS of our confederation (RFC 5065).
    Confederation,
}

/// The parameters that change the meaning of messages after the two OPENs.
///
/// The codec does not derive them from OPENs: the caller negotiates and sets them here.
///
/// ```
/// use bgp_wire::{Context, Family, PeerKind};
/// let context = Context::new(PeerKind::Internal).with_families([Family::IPV4_UNICAST]).with_four_octet_as(true);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Context {
    pub(crate) peer_kind: PeerKind,
    pub(crate) message_limit: MessageLimit,
    pub(crate) four_octet_as: bool,
    // A set is a mask of 16 bits: a context is `Copy`, and a lookup is one instruction for each attribute.
    pub(crate) families: FamilySet,
    pub(crate) raw_families: bool,
    pub(crate) add_path: FamilySet,
    pub(crate) multiple_labels: FamilySet,
    pub(crate) extended_next_hop: FamilySet,
    pub(crate) as_sets: bool,
    pub(crate) confederation: bool,
    pub(crate) local_as: Option<Asn>,
    pub(crate) router_id: Option<RouterId>,
    pub(crate) first_as: Option<Asn>,
    pub(crate) local_address: Option<IpAddr>,
    // RFC 9234 section 5: the OTC of a route from a peer is compared with the AS number of that peer.
    pub(crate) peer_role: Option<(Role, Asn)>,
}

impl Context {
    /// Creates a context with four-octet AS numbers, IPv4 and IPv6 unicast, no ADD-PATH, and a limit of 4096 octets.
    #[must_use]
    pub const fn new(peer_kind: PeerKind) -> Self {
        Self {
            peer_kind,
            // RFC 8654 section 4: longer messages only after both sides sent the capability.
            message_limit: MessageLimit::Standard,
            // RFC 6793 is nearly universal; a peer without it is the exception that a caller sets.
            four_octet_as: true,
            families: FamilySet::EMPTY
                .with(Family::IPV4_UNICAST)
                .with(Family::IPV6_UNICAST),
            raw_families: false,
            // RFC 7911, 8277 and 8950: each changes the format of routes, and only if both sides sent its capability.
            add_path: FamilySet::EMPTY,
            multiple_labels: FamilySet::EMPTY,
            extended_next_hop: FamilySet::EMPTY,
            // RFC 9774 section 3 forbids them.
            as_sets: false,
            confederation: false,
            // Without these values no route counts as looped or foreign: a reader of recorded messages has no AS of its
            // own.
            local_as: None,
            router_id: None,
            first_as: None,
            local_address: None,
            peer_role: None,
        }
    }

    /// Sets whether AS numbers in AS_PATH and AGGREGATOR have four octets (RFC 6793). Otherwise they have two.
    #[must_use]
    pub const fn with_four_octet_as(mut self, yes: bool) -> Self {
        self.four_octet_as = yes;
        self
    }

    /// Sets the maximum length of messages.
    #[must_use]
    pub const fn with_message_limit(mut self, limit: MessageLimit) -> Self {
        self.message_limit = limit;
        self
    }

    /// Sets the families that may be exchanged (RFC 4760). Families outside [`Family::PARSED`] are ignored.
    ///
    /// Routes of other families are neither returned from received messages nor sent.
    #[must_use]
    pub fn with_families(mut self, families: impl IntoIterator<Item = Family>) -> Self {
        self.families = families.into_iter().collect();
        self
    }

    /// Sets whether all families outside [`Family::PARSED`] may also be exchanged.
    ///
    /// Their routes are the octets of a whole field, [`Destination::Unknown`](crate::Destination::Unknown). This is for
    /// tools: a speaker has no use for such routes.
    #[must_use]
    pub const fn with_raw_families(mut self, yes: bool) -> Self {
        self.raw_families = yes;
        self
    }

    /// Returns `true` if routes of this family may be exchanged.
    #[must_use]
    pub const fn exchanges(&self, family: Family) -> bool {
        // Exactly the families outside `Family::PARSED` have no bit.
        self.families.contains(family) || (self.raw_families && family.bit() == 0)
    }

    /// Sets the families whose prefixes have a path identifier before them (RFC 7911), in this direction.
    #[must_use]
    // RFC 7911 section 4 negotiates each direction alone, so a session has one context for each.
    pub fn with_add_path(mut self, families: impl IntoIterator<Item = Family>) -> Self {
        self.add_path = families.into_iter().collect();
        self
    }

    /// Sets the families whose prefixes may have more than one label (RFC 8277 section 2.1).
    ///
    /// In other families the S bit of a label is ignored.
    #[must_use]
    pub fn with_multiple_labels(mut self, families: impl IntoIterator<Item = Family>) -> Self {
        self.multiple_labels = families.into_iter().collect();
        self
    }

    /// Sets the IPv4 families whose routes may have an IPv6 next hop (RFC 8950).
    #[must_use]
    pub fn with_extended_next_hop(mut self, families: impl IntoIterator<Item = Family>) -> Self {
        self.extended_next_hop = families.into_iter().collect();
        self
    }

    /// Sets whether AS_SET and AS_CONFED_SET are accepted and sent. By default they are not: RFC 9774 section 3 forbids
    /// both.
    ///
    /// Permit them for messages recorded before 2025 and for peers that still send them.
    #[must_use]
    pub const fn with_as_sets(mut self, yes: bool) -> Self {
        self.as_sets = yes;
        self
    }

    /// Sets whether our AS is in a confederation, so that paths of an internal peer may have its segments (RFC 5065).
    ///
    /// [`PeerKind::Confederation`] implies it.
    #[must_use]
    pub const fn with_confederation(mut self, yes: bool) -> Self {
        self.confederation = yes;
        self
    }

    /// Sets our AS number: a route whose AS path contains it is unusable (RFC 4271 section 9.1.2).
    ///
    /// By default no route is unusable for this reason.
    #[must_use]
    pub const fn with_local_as(mut self, asn: Asn) -> Self {
        self.local_as = Some(asn);
        self
    }

    /// Sets our BGP Identifier: a route from an internal peer with this ORIGINATOR_ID is unusable (RFC 4456 section 8).
    ///
    /// By default no route is unusable for this reason.
    #[must_use]
    pub const fn with_router_id(mut self, router_id: RouterId) -> Self {
        self.router_id = Some(router_id);
        self
    }

    /// Sets the AS number of an external peer: a route whose AS path does not begin with it is withdrawn (RFC 4271
    /// section 6.3).
    ///
    /// Do not set it for a route server, which does not prepend its AS number (RFC 7947 section 2.2.2).
    #[must_use]
    pub const fn with_first_as(mut self, asn: Asn) -> Self {
        self.first_as = Some(asn);
        self
    }

    /// Sets our address: a route with this next hop is unusable (RFC 4271 section 6.3).
    #[must_use]
    pub const fn with_local_address(mut self, address: IpAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// Sets the role and the AS number of an external peer: a leaked route is unusable (RFC 9234 section 5).
    ///
    /// A unicast route with OTC is leaked if it comes from a customer or from a client of our route server. From a peer
    /// it is leaked if its OTC differs from `asn`.
    #[must_use]
    pub const fn with_peer_role(mut self, role: Role, asn: Asn) -> Self {
        self.peer_role = Some((role, asn));
        self
    }

    /// Returns the kind of the peer.
    #[must_use]
    pub const fn peer_kind(&self) -> PeerKind {
        self.peer_kind
    }

    /// Returns `true` if AS numbers in AS_PATH and AGGREGATOR have four octets.
    #[must_use]
    pub const fn four_octet_as(&self) -> bool {
        self.four_octet_as
    }

    /// Returns the maximum length of messages.
    #[must_use]
    pub const fn message_limit(&self) -> MessageLimit {
        self.message_limit
    }

    /// Returns the families that may be exchanged.
    #[must_use]
    pub const fn families(&self) -> FamilySet {
        self.families
    }

    /// Returns `true` if all families outside [`Family::PARSED`] may also be exchanged.
    #[must_use]
    pub const fn raw_families(&self) -> bool {
        self.raw_families
    }

    /// Returns the families whose prefixes have a path identifier before them.
    #[must_use]
    pub const fn add_path(&self) -> FamilySet {
        self.add_path
    }

    /// Returns the families whose prefixes may have more than one label.
    #[must_use]
    pub const fn multiple_labels(&self) -> FamilySet {
        self.multiple_labels
    }

    /// Returns the IPv4 families whose routes may have an IPv6 next hop.
    #[must_use]
    pub const fn extended_next_hop(&self) -> FamilySet {
        self.extended_next_hop
    }

    /// Returns `true` if AS_SET and AS_CONFED_SET are accepted and sent.
    #[must_use]
    pub const fn as_sets(&self) -> bool {
        self.as_sets
    }

    /// Returns `true` if we are in a confederation.
    #[must_use]
    pub const fn confederation(&self) -> bool {
        self.confederation
    }

    /// Returns our BGP Identifier, or `None` if no route is unusable because of it.
    #[must_use]
    pub const fn router_id(&self) -> Option<RouterId> {
        self.router_id
    }

    /// Returns our AS number, or `None` if no route is unusable because of it.
    #[must_use]
    pub const fn local_as(&self) -> Option<Asn> {
        self.local_as
    }

    /// Returns the AS number with which paths of an external peer must begin, if one is set.
    #[must_use]
    pub const fn first_as(&self) -> Option<Asn> {
        self.first_as
    }

    /// Returns our address, or `None` if no route is unusable because of it.
    #[must_use]
    pub const fn local_address(&self) -> Option<IpAddr> {
        self.local_address
    }

    /// Returns the role of the peer, or `None` if no route is unusable because of it.
    #[must_use]
    pub fn peer_role(&self) -> Option<Role> {
        self.peer_role.map(|(role, _)| role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_getters_return_values_of_setters() {
        let unicast = [Family::IPV4_UNICAST];
        let set = FamilySet::EMPTY.with(Family::IPV4_UNICAST);
        let address = IpAddr::from([192, 0, 2, 1]);
        let router_id = RouterId::from_bits(7).unwrap();
        // Every value differs from its default, so that a setter without effect fails.
        let context = Context::new(PeerKind::External)
            .with_four_octet_as(false)
            .with_message_limit(MessageLimit::Extended)
            .with_families(unicast)
            .with_raw_families(true)
            .with_add_path(unicast)
            .with_multiple_labels(unicast)
            .with_extended_next_hop(unicast)
            .with_as_sets(true)
            .with_confederation(true)
            .with_local_as(Asn::new(64512))
            .with_first_as(Asn::new(64513))
            .with_router_id(router_id)
            .with_local_address(address)
            .with_peer_role(Role::CUSTOMER, Asn::new(64513));
        assert_eq!(context.peer_kind(), PeerKind::External);
        assert!(!context.four_octet_as());
        assert_eq!(context.message_limit(), MessageLimit::Extended);
        assert_eq!(context.families(), set);
        assert!(context.raw_families());
        assert_eq!(context.add_path(), set);
        assert_eq!(context.multiple_labels(), set);
        assert_eq!(context.extended_next_hop(), set);
        assert!(context.as_sets());
        assert!(context.confederation());
        assert_eq!(context.local_as(), Some(Asn::new(64512)));
        assert_eq!(context.first_as(), Some(Asn::new(64513)));
        assert_eq!(context.router_id(), Some(router_id));
        assert_eq!(context.local_address(), Some(address));
        assert_eq!(context.peer_role(), Some(Role::CUSTOMER));
    }
}
