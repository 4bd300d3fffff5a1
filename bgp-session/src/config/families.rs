//! The families that a peer is offered, and the limits that go by family.

use std::fmt;

use bgp_wire::{Family, FamilySet};

use super::PeerConfig;
use crate::destination::is_served;

/// Why families cannot be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FamiliesError {
    /// No family was given.
    Empty,
    /// Routes of this family can be neither originated nor received.
    Unsupported(Family),
}

impl fmt::Display for FamiliesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("missing family: a session needs at least one"),
            Self::Unsupported(family) => write!(f, "unsupported family {family}"),
        }
    }
}

impl std::error::Error for FamiliesError {}

/// The setters for families.
impl PeerConfig {
    /// The families to offer, of those in [`Family::PARSED`].
    ///
    /// ```
    /// use bgp_session::{FamiliesError, PeerConfig};
    /// use bgp_wire::{Asn, Family};
    /// let peer = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512));
    /// let link_state: Family = "16388/71".parse()?;
    /// assert_eq!(peer.clone().families([link_state]), Err(FamiliesError::Unsupported(link_state)));
    /// let peer = peer.families([Family::IPV4_UNICAST, Family::IPV4_FLOWSPEC])?;
    /// # let _ = peer;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// No family is given, or one whose routes can be neither originated nor received.
    pub fn families(
        mut self,
        families: impl IntoIterator<Item = Family>,
    ) -> Result<Self, FamiliesError> {
        let mut offered = FamilySet::EMPTY;
        for family in families {
            if !is_served(family) {
                return Err(FamiliesError::Unsupported(family));
            }
            offered = offered.with(family);
        }
        if offered.is_empty() {
            return Err(FamiliesError::Empty);
        }
        self.families = offered;
        Ok(self)
    }

    /// Ends the session when the peer announces more than `limit` prefixes of a family (RFC 4486 section 4). The count takes
    /// memory for each of them.
    ///
    /// A limit of a family that is not offered has no effect:
    ///
    /// ```
    /// use bgp_session::PeerConfig;
    /// use bgp_wire::{Asn, Family};
    /// let peer = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512));
    /// let peer = peer.maximum_prefixes(Family::IPV4_UNICAST, 1000).maximum_prefixes(Family::IPV4_VPN, 1000);
    /// assert_eq!(peer.unused_limits().collect::<Vec<_>>(), [Family::IPV4_VPN]);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn maximum_prefixes(mut self, family: Family, limit: u32) -> Self {
        self.maximum_prefixes.retain(|(known, _)| *known != family);
        self.maximum_prefixes.push((family, limit));
        self
    }

    /// The families that have a limit and are not offered.
    pub fn unused_limits(&self) -> impl Iterator<Item = Family> {
        let limited = self.maximum_prefixes.iter().map(|(family, _)| *family);
        limited.filter(|family| !self.families.contains(*family))
    }
}

#[cfg(test)]
mod tests {
    use bgp_wire::{Asn, Safi};

    use super::*;

    fn config() -> PeerConfig {
        PeerConfig::new("192.168.0.254".parse().unwrap(), Asn::new(64512))
    }

    #[test]
    fn families_that_cannot_be_served_are_refused() {
        let unknown = Family::new(bgp_wire::Afi::IPV4, Safi(200));
        for (families, expected) in [
            (vec![], FamiliesError::Empty),
            (vec![unknown], FamiliesError::Unsupported(unknown)),
            (
                vec![Family::IPV4_UNICAST, unknown],
                FamiliesError::Unsupported(unknown),
            ),
        ] {
            assert_eq!(config().families(families), Err(expected));
        }
        let all = config().families(Family::PARSED).unwrap();
        assert_eq!(all.families, Family::PARSED.into_iter().collect());
    }

    #[test]
    fn limits_of_families_that_are_not_offered_are_reported() {
        let config = config()
            .maximum_prefixes(Family::IPV4_UNICAST, 1)
            .maximum_prefixes(Family::IPV4_VPN, 1);
        let unused: Vec<_> = config.unused_limits().collect();
        assert_eq!(unused, [Family::IPV4_VPN]);
        let config = config.families([Family::IPV4_VPN]).unwrap();
        let unused: Vec<_> = config.unused_limits().collect();
        assert_eq!(unused, [Family::IPV4_UNICAST]);
    }
}
