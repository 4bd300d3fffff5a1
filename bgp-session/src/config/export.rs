//! `ExportPolicy`: the routes that one peer is sent, and the changes to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_wire::{Community, Family, FamilySet, LargeCommunity};
use ipnet::IpNet;

use super::prefix_range::PrefixRange;
use super::prefix_ranges::PrefixRanges;
use crate::destination::Destination;

/// The routes of the table that one peer is sent, and the changes to them.
///
/// ```
/// use bgp_session::{ExportPolicy, PrefixRange};
/// let policy = ExportPolicy::only([PrefixRange::inside_of("192.168.10.0/24".parse()?)])
///     .with_local_pref(200)
///     .with_multi_exit_disc(50)
///     .with_prepend(2)
///     .with_next_hop("192.168.0.112".parse()?)
///     .with_community("64512:100".parse()?)
///     .with_large_community("64512:1:2".parse()?);
/// assert!(policy.allows("192.168.10.1/32".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, default = "ExportPolicy::all")
)]
pub struct ExportPolicy {
    /// The permitted prefixes, or `None` if all are permitted.
    // An empty list permits nothing, so that it cannot stand for all prefixes.
    only: Option<PrefixRanges>,
    /// The families whose routes are all permitted.
    families: FamilySet,
    pub(crate) communities: Vec<Community>,
    pub(crate) large_communities: Vec<LargeCommunity>,
    pub(crate) multi_exit_disc: Option<u32>,
    pub(crate) local_pref: Option<u32>,
    // An octet, because a path segment has at most 255 AS numbers (RFC 4271 section 4.3).
    pub(crate) prepend: u8,
    pub(crate) next_hop_ipv4: Option<Ipv4Addr>,
    pub(crate) next_hop_ipv6: Option<Ipv6Addr>,
}

impl ExportPolicy {
    /// Creates a policy that sends every route unchanged.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            only: None,
            families: FamilySet::EMPTY,
            communities: Vec::new(),
            large_communities: Vec::new(),
            multi_exit_disc: None,
            local_pref: None,
            prepend: 0,
            next_hop_ipv4: None,
            next_hop_ipv6: None,
        }
    }

    /// Creates a policy that sends only routes to these prefixes. Without prefixes it sends nothing.
    ///
    /// Prefixes of other families count like those of unicast (see [`Destination::prefix`](crate::Destination::prefix)). A
    /// route without a prefix is sent only if [`ExportPolicy::with_family`] adds its family.
    #[must_use]
    pub fn only(prefixes: impl IntoIterator<Item = PrefixRange>) -> Self {
        Self {
            only: Some(prefixes.into_iter().collect::<Vec<_>>().into()),
            ..Self::all()
        }
    }

    /// Also sends every route of this family.
    ///
    /// ```
    /// use bgp_session::{Destination, ExportPolicy, PrefixRange};
    /// use bgp_wire::Family;
    /// let policy = ExportPolicy::only([PrefixRange::inside_of("192.0.2.0/24".parse()?)]);
    /// let everything = Destination::parse(Family::IPV4_FLOWSPEC, "protocol =udp")?;
    /// let own = Destination::parse(Family::IPV4_FLOWSPEC, "destination 192.0.2.1/32 protocol =udp")?;
    /// assert!(policy.allows_destination(&own) && !policy.allows_destination(&everything));
    /// assert!(policy.with_family(Family::IPV4_FLOWSPEC).allows_destination(&everything));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_family(mut self, family: Family) -> Self {
        self.families = self.families.with(family);
        self
    }

    /// Adds a community to every route.
    #[must_use]
    pub fn with_community(mut self, community: Community) -> Self {
        self.communities.push(community);
        self
    }

    /// Adds a large community to every route.
    #[must_use]
    pub fn with_large_community(mut self, community: LargeCommunity) -> Self {
        self.large_communities.push(community);
        self
    }

    /// Sets MULTI_EXIT_DISC of every route, in place of its own.
    #[must_use]
    pub fn with_multi_exit_disc(mut self, discriminator: u32) -> Self {
        self.multi_exit_disc = Some(discriminator);
        self
    }

    /// Sets LOCAL_PREF of every route, in place of its own. Only internal peers are sent it.
    #[must_use]
    pub fn with_local_pref(mut self, preference: u32) -> Self {
        self.local_pref = Some(preference);
        self
    }

    /// Prepends our AS number `times` more often than RFC 4271 section 5.1.2 requires.
    ///
    /// Has no effect on an internal peer, which would take our AS number for a loop.
    #[must_use]
    pub fn with_prepend(mut self, times: u8) -> Self {
        self.prepend = times;
        self
    }

    /// Sets the next hop of every route of the address's family, in place of the route's own.
    #[must_use]
    pub fn with_next_hop(mut self, address: IpAddr) -> Self {
        // Both may be set: a session can have routes of both address families.
        match address {
            IpAddr::V4(address) => self.next_hop_ipv4 = Some(address),
            IpAddr::V6(address) => self.next_hop_ipv6 = Some(address),
        }
        self
    }

    /// Returns the permitted prefixes, or `None` if all are permitted.
    #[must_use]
    pub fn prefixes(&self) -> Option<&[PrefixRange]> {
        self.only.as_ref().map(PrefixRanges::as_slice)
    }

    /// Returns the families whose routes are all permitted, whatever their prefixes.
    #[must_use]
    pub const fn families(&self) -> FamilySet {
        self.families
    }

    /// Returns the communities that are added.
    #[must_use]
    pub fn communities(&self) -> &[Community] {
        &self.communities
    }

    /// Returns the large communities that are added.
    #[must_use]
    pub fn large_communities(&self) -> &[LargeCommunity] {
        &self.large_communities
    }

    /// Returns the MULTI_EXIT_DISC of every route, or `None` if routes keep their own.
    #[must_use]
    pub const fn multi_exit_disc(&self) -> Option<u32> {
        self.multi_exit_disc
    }

    /// Returns the LOCAL_PREF of every route, or `None` if routes keep their own.
    #[must_use]
    pub const fn local_pref(&self) -> Option<u32> {
        self.local_pref
    }

    /// Returns the number of additional AS numbers in the path.
    #[must_use]
    pub const fn prepend(&self) -> u8 {
        self.prepend
    }

    /// Returns the next hop of IPv4 routes, or `None` if routes keep their own.
    #[must_use]
    pub const fn next_hop_ipv4(&self) -> Option<Ipv4Addr> {
        self.next_hop_ipv4
    }

    /// Returns the next hop of IPv6 routes, or `None` if routes keep their own.
    #[must_use]
    pub const fn next_hop_ipv6(&self) -> Option<Ipv6Addr> {
        self.next_hop_ipv6
    }

    /// Returns `true` if unicast routes to this prefix are sent.
    #[must_use]
    pub fn allows(&self, prefix: IpNet) -> bool {
        self.allows_destination(&prefix.into())
    }

    /// Returns `true` if routes to this destination are sent.
    #[must_use]
    pub fn allows_destination(&self, destination: &Destination) -> bool {
        self.admits(destination.family(), destination.prefix())
    }

    /// Returns `true` if routes of this family with this prefix are sent.
    pub(crate) fn admits(&self, family: Family, prefix: Option<IpNet>) -> bool {
        let Some(only) = &self.only else { return true };
        // A route without a prefix is in no range: a flow specification for all addresses must not slip through.
        self.families.contains(family) || prefix.is_some_and(|prefix| only.contains(prefix))
    }

    /// Returns `true` if no route is sent.
    pub(crate) fn denies_all(&self) -> bool {
        self.families.is_empty() && self.prefixes().is_some_and(<[_]>::is_empty)
    }

    /// Returns `true` if every route is sent.
    pub(crate) fn allows_all(&self) -> bool {
        self.only.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_without_prefixes_sends_nothing() {
        let prefix = "10.0.0.0/8".parse().unwrap();
        assert!(!ExportPolicy::only([]).allows(prefix));
        assert!(ExportPolicy::all().allows(prefix));
    }

    #[test]
    fn getters_return_values_of_setters() {
        let range = PrefixRange::lengths("10.0.0.0/8".parse().unwrap(), 9, 10).unwrap();
        assert_eq!(range.prefix(), "10.0.0.0/8".parse().unwrap());
        assert_eq!((range.min_length(), range.max_length()), (9, 10));
        let policy = ExportPolicy::only([range])
            .with_family(Family::IPV4_FLOWSPEC)
            .with_community(Community::NO_EXPORT)
            .with_large_community("1:2:3".parse().unwrap())
            .with_multi_exit_disc(1)
            .with_local_pref(2)
            .with_prepend(3)
            .with_next_hop("192.0.2.1".parse().unwrap())
            .with_next_hop("2001:db8::1".parse().unwrap());
        assert_eq!(policy.prefixes(), Some(&[range][..]));
        assert!(policy.families().iter().eq([Family::IPV4_FLOWSPEC]));
        assert_eq!(policy.communities(), [Community::NO_EXPORT]);
        assert_eq!(policy.large_communities().len(), 1);
        assert_eq!(
            (
                policy.multi_exit_disc(),
                policy.local_pref(),
                policy.prepend()
            ),
            (Some(1), Some(2), 3)
        );
        assert_eq!(policy.next_hop_ipv4(), Some([192, 0, 2, 1].into()));
        assert_eq!(policy.next_hop_ipv6(), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(ExportPolicy::all().prefixes(), None);
    }
}
