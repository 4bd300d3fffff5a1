//! `ExportPolicy`: the routes that one peer is sent, and the changes to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_wire::{Community, Family, FamilySet, LargeCommunity};
use ipnet::IpNet;

use super::ConfigError;
use crate::destination::Destination;

/// The prefixes inside of one prefix, with lengths in a range, like an entry of a prefix list.
///
/// ```
/// use bgp_session::PrefixRange;
/// let pool = PrefixRange::inside_of("192.168.10.0/24".parse()?);
/// assert!(pool.contains("192.168.10.1/32".parse()?));
/// let only = PrefixRange::exactly("192.168.10.0/24".parse()?);
/// assert!(!only.contains("192.168.10.1/32".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixRange {
    pub(super) prefix: IpNet,
    pub(super) min_length: u8,
    pub(super) max_length: u8,
}

impl PrefixRange {
    /// Returns the range of this prefix alone. Clears its host bits.
    #[must_use]
    pub fn exactly(prefix: IpNet) -> Self {
        let (prefix, length) = (prefix.trunc(), prefix.prefix_len());
        Self {
            prefix,
            min_length: length,
            max_length: length,
        }
    }

    /// Returns the range of this prefix and all prefixes inside of it. Clears its host bits.
    #[must_use]
    pub fn inside_of(prefix: IpNet) -> Self {
        Self {
            max_length: prefix.max_prefix_len(),
            ..Self::exactly(prefix)
        }
    }

    /// Returns the range of the prefixes inside of this one whose lengths are from `minimum` to `maximum`, like `ge` and `le`
    /// of a prefix list. Clears the host bits of the prefix.
    ///
    /// ```
    /// use bgp_session::PrefixRange;
    /// let hosts = PrefixRange::lengths("10.0.0.0/8".parse()?, 24, 32)?;
    /// assert!(hosts.contains("10.0.0.1/32".parse()?) && !hosts.contains("10.0.0.0/16".parse()?));
    /// assert!(PrefixRange::lengths("10.0.0.0/8".parse()?, 24, 33).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A bound is no length of a prefix inside of this one, or `minimum` is greater than `maximum`.
    pub fn lengths(prefix: IpNet, minimum: u8, maximum: u8) -> Result<Self, ConfigError> {
        let possible = prefix.prefix_len()..=prefix.max_prefix_len();
        if !possible.contains(&minimum) || !possible.contains(&maximum) || minimum > maximum {
            return Err(ConfigError::PrefixLengths {
                prefix: prefix.trunc(),
                minimum,
                maximum,
            });
        }
        Ok(Self {
            min_length: minimum,
            max_length: maximum,
            ..Self::exactly(prefix)
        })
    }

    /// Returns the prefix that contains the range.
    #[must_use]
    pub const fn prefix(&self) -> IpNet {
        self.prefix
    }

    /// Returns the minimum length.
    #[must_use]
    pub const fn min_length(&self) -> u8 {
        self.min_length
    }

    /// Returns the maximum length.
    #[must_use]
    pub const fn max_length(&self) -> u8 {
        self.max_length
    }

    /// Returns `true` if the prefix is in the range.
    #[must_use]
    pub fn contains(&self, prefix: IpNet) -> bool {
        // The lengths are compared first because they rule out most prefixes at a lower cost.
        (self.min_length..=self.max_length).contains(&prefix.prefix_len())
            && self.prefix.contains(&prefix)
    }
}

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
    only: Option<Vec<PrefixRange>>,
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
            only: Some(prefixes.into_iter().collect()),
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
        self.only.as_deref()
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
        let listed = |prefix| only.iter().any(|range| range.contains(prefix));
        self.families.contains(family) || prefix.is_some_and(listed)
    }

    /// Returns `true` if no route is sent.
    pub(crate) fn denies_all(&self) -> bool {
        self.families.is_empty() && self.only.as_ref().is_some_and(Vec::is_empty)
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
    fn range_contains_prefixes_of_its_lengths() {
        let prefix = |text: &str| text.parse::<IpNet>().unwrap();
        let lengths =
            |text, minimum, maximum| PrefixRange::lengths(prefix(text), minimum, maximum).unwrap();
        let range = lengths("192.168.10.7/24", 24, 32);
        for (text, inside) in [
            ("192.168.10.0/24", true),
            ("192.168.10.1/32", true),
            ("192.168.8.0/22", false),
            ("192.168.11.1/32", false),
            ("2001:db8::/32", false),
        ] {
            assert_eq!(range.contains(prefix(text)), inside, "{text}");
        }
        assert!(!lengths("192.168.10.0/24", 32, 32).contains(prefix("192.168.10.0/24")));
        assert!(PrefixRange::inside_of(prefix("::/0")).contains(prefix("2001:db8::1/128")));
        assert!(!ExportPolicy::only([]).allows(prefix("10.0.0.0/8")));
        assert!(ExportPolicy::all().allows(prefix("10.0.0.0/8")));
    }

    #[test]
    fn range_without_possible_length_is_refused() {
        let prefix = |text: &str| text.parse::<IpNet>().unwrap();
        for (text, minimum, maximum) in [
            ("10.0.0.7/8", 24, 33),
            ("10.0.0.7/8", 7, 32),
            ("10.0.0.7/8", 25, 24),
            ("2001:db8::/32", 32, 129),
            ("2001:db8::/32", 31, 128),
        ] {
            let expected = ConfigError::PrefixLengths {
                prefix: prefix(text).trunc(),
                minimum,
                maximum,
            };
            let range = PrefixRange::lengths(prefix(text), minimum, maximum);
            assert_eq!(range, Err(expected));
        }
        let error = PrefixRange::lengths(prefix("10.0.0.0/8"), 24, 33).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no prefix inside of 10.0.0.0/8 has a length from 24 to 33; lengths are from 8 to 32"
        );
        assert!(PrefixRange::lengths(prefix("2001:db8::/32"), 32, 128).is_ok());
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
