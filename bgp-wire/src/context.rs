//! `Context`: what negotiation changed about decoding and encoding.

use core::net::IpAddr;

use crate::asn::Asn;
use crate::family::{Family, FamilySet};
use crate::iana::Role;

/// How long a message may be (RFC 4271 section 4.1, RFC 8654).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum MessageLimit {
    /// 4096 octets.
    #[default]
    Standard,
    /// 65535 octets, except OPEN and KEEPALIVE: the Extended Message capability was exchanged.
    Extended,
}

impl MessageLimit {
    /// The limit in octets.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self {
            Self::Standard => 4096,
            Self::Extended => 65535,
        }
    }
}

/// Where the peer is.
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

/// What the two OPENs agreed on, as far as it changes the meaning of later messages.
///
/// The codec never looks at an OPEN to learn it: whoever negotiates says it.
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
    pub(crate) families: FamilySet,
    pub(crate) raw_families: bool,
    pub(crate) add_path: FamilySet,
    pub(crate) multiple_labels: FamilySet,
    pub(crate) extended_next_hop: FamilySet,
    pub(crate) as_sets: bool,
    pub(crate) confederation: bool,
    pub(crate) local_as: Option<Asn>,
    pub(crate) first_as: Option<Asn>,
    pub(crate) local_address: Option<IpAddr>,
    pub(crate) peer_role: Option<(Role, Asn)>,
}

impl Context {
    /// Four-octet AS numbers, IPv4 and IPv6 unicast, no ADD-PATH, 4096 octets.
    #[must_use]
    pub const fn new(peer_kind: PeerKind) -> Self {
        Self {
            peer_kind,
            message_limit: MessageLimit::Standard,
            four_octet_as: true,
            families: FamilySet::EMPTY
                .with(Family::IPV4_UNICAST)
                .with(Family::IPV6_UNICAST),
            raw_families: false,
            add_path: FamilySet::EMPTY,
            multiple_labels: FamilySet::EMPTY,
            extended_next_hop: FamilySet::EMPTY,
            as_sets: false,
            confederation: false,
            local_as: None,
            first_as: None,
            local_address: None,
            peer_role: None,
        }
    }

    /// Whether AS numbers in AS_PATH and AGGREGATOR have four octets (RFC 6793).
    #[must_use]
    pub const fn with_four_octet_as(mut self, yes: bool) -> Self {
        self.four_octet_as = yes;
        self
    }

    /// How long messages may be.
    #[must_use]
    pub const fn with_message_limit(mut self, limit: MessageLimit) -> Self {
        self.message_limit = limit;
        self
    }

    /// The families that may be exchanged (RFC 4760), of those in [`Family::PARSED`]. Routes of others are neither handed
    /// on nor sent.
    #[must_use]
    pub fn with_families(mut self, families: impl IntoIterator<Item = Family>) -> Self {
        self.families = families.into_iter().collect();
        self
    }

    /// Whether all families that are not in [`Family::PARSED`] may be exchanged, too: their routes as the octets of a
    /// whole field, [`Destination::Unknown`](crate::Destination::Unknown). For tools; a speaker has no use for it.
    #[must_use]
    pub const fn with_raw_families(mut self, yes: bool) -> Self {
        self.raw_families = yes;
        self
    }

    /// Whether routes of this family may be exchanged.
    #[must_use]
    pub const fn exchanges(&self, family: Family) -> bool {
        self.families.contains(family) || (self.raw_families && family.bit() == 0)
    }

    /// The families whose prefixes have a path identifier in front (RFC 7911), in this direction.
    #[must_use]
    pub fn with_add_path(mut self, families: impl IntoIterator<Item = Family>) -> Self {
        self.add_path = families.into_iter().collect();
        self
    }

    /// The families whose prefixes may have more than one label (RFC 8277 section 2.1). In others the S bit of a label is
    /// not looked at.
    #[must_use]
    pub fn with_multiple_labels(mut self, families: impl IntoIterator<Item = Family>) -> Self {
        self.multiple_labels = families.into_iter().collect();
        self
    }

    /// The IPv4 families whose routes may have an IPv6 next hop (RFC 8950).
    #[must_use]
    pub fn with_extended_next_hop(mut self, families: impl IntoIterator<Item = Family>) -> Self {
        self.extended_next_hop = families.into_iter().collect();
        self
    }

    /// Whether AS_SET and AS_CONFED_SET are accepted and sent. RFC 9774 section 3 forbids both, so they are not unless
    /// this says so: for what was recorded before 2025, and for peers that still send them.
    #[must_use]
    pub const fn with_as_sets(mut self, yes: bool) -> Self {
        self.as_sets = yes;
        self
    }

    /// Whether we are in a confederation, so that an internal peer's paths may have its segments (RFC 5065). With
    /// [`PeerKind::Confederation`] this goes without saying.
    #[must_use]
    pub const fn with_confederation(mut self, yes: bool) -> Self {
        self.confederation = yes;
        self
    }

    /// Our AS number: a route whose AS path holds it is withdrawn (RFC 4271 section 9.1.2). Without this none is.
    #[must_use]
    pub const fn with_local_as(mut self, asn: Asn) -> Self {
        self.local_as = Some(asn);
        self
    }

    /// The AS number of an external peer: a route whose AS path does not begin with it is withdrawn (RFC 4271 section
    /// 6.3). Not for route servers, which do not put themselves there (RFC 7947 section 2.2.2).
    #[must_use]
    pub const fn with_first_as(mut self, asn: Asn) -> Self {
        self.first_as = Some(asn);
        self
    }

    /// Our address: a route that has it as its next hop is withdrawn (RFC 4271 section 6.3).
    #[must_use]
    pub const fn with_local_address(mut self, address: IpAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// The role of an external peer and its AS number: a route that is leaked is withdrawn (RFC 9234 section 5). That is a
    /// unicast route with OTC from a customer or a client of our route server, and from a peer one with another AS in it.
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

    /// Returns the limit of the length of messages.
    #[must_use]
    pub const fn message_limit(&self) -> MessageLimit {
        self.message_limit
    }

    /// Returns the families that may be exchanged.
    #[must_use]
    pub const fn families(&self) -> FamilySet {
        self.families
    }

    /// Returns `true` if all families that are not in [`Family::PARSED`] may be exchanged, too.
    #[must_use]
    pub const fn raw_families(&self) -> bool {
        self.raw_families
    }

    /// Returns the families whose prefixes have a path identifier in front.
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

    /// Returns our AS number, if routes that hold it are withdrawn.
    #[must_use]
    pub const fn local_as(&self) -> Option<Asn> {
        self.local_as
    }

    /// Returns the AS number with which paths of an external peer have to begin, if any.
    #[must_use]
    pub const fn first_as(&self) -> Option<Asn> {
        self.first_as
    }

    /// Returns our address, if routes that have it as their next hop are withdrawn.
    #[must_use]
    pub const fn local_address(&self) -> Option<IpAddr> {
        self.local_address
    }

    /// Returns the role of the peer, if leaked routes are withdrawn.
    #[must_use]
    pub fn peer_role(&self) -> Option<Role> {
        self.peer_role.map(|(role, _)| role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn getters_return_what_setters_set() {
        let unicast = [Family::IPV4_UNICAST];
        let set = FamilySet::EMPTY.with(Family::IPV4_UNICAST);
        let address = IpAddr::from([192, 0, 2, 1]);
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
        assert_eq!(context.local_address(), Some(address));
        assert_eq!(context.peer_role(), Some(Role::CUSTOMER));
    }
}
