//! The families that a peer is offered, and the prefix limit of each family.

use std::fmt;

use bgp_wire::{Family, FamilySet};

use super::PeerConfig;
use crate::destination::is_served;

/// The reason that families cannot be offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FamiliesError {
    /// No family was given.
    Empty,
    /// Routes of this family cannot be originated or received.
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
    /// Sets the families to offer, which must be in [`Family::PARSED`].
    ///
    /// ```
    /// use bgp_session::{FamiliesError, PeerConfig};
    /// use bgp_wire::{Asn, Family};
    /// let peer = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512));
    /// let link_state: Family = "16388/71".parse()?;
    /// assert_eq!(peer.clone().with_families([link_state]), Err(FamiliesError::Unsupported(link_state)));
    /// let peer = peer.with_families([Family::IPV4_UNICAST, Family::IPV4_FLOWSPEC])?;
    /// # let _ = peer;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if no family is given, or if routes of a family cannot be originated or received.
    pub fn with_families(
        mut self,
        families: impl IntoIterator<Item = Family>,
    ) -> Result<Self, FamiliesError> {
        let mut offered = FamilySet::EMPTY;
        for family in families {
            // Offering a family without serving it would make the peer send routes that nothing can read.
            if !is_served(family) {
                return Err(FamiliesError::Unsupported(family));
            }
            offered = offered.with(family);
        }
        // An OPEN without multiprotocol capabilities implies IPv4 unicast.
        if offered.is_empty() {
            return Err(FamiliesError::Empty);
        }
        self.families = offered;
        Ok(self)
    }

    /// Ends the session if the peer announces more than `limit` prefixes of a family (RFC 4486 section 4).
    ///
    /// Replaces an earlier limit of the family. Counting takes memory for each prefix.
    ///
    /// A limit for a family that is not offered has no effect:
    ///
    /// ```
    /// use bgp_session::PeerConfig;
    /// use bgp_wire::{Asn, Family};
    /// let peer = PeerConfig::new("192.168.0.254".parse()?, Asn::new(64512));
    /// let peer = peer.with_maximum_prefixes(Family::IPV4_UNICAST, 1000).with_maximum_prefixes(Family::IPV4_VPN, 1000);
    /// assert_eq!(peer.unused_limits().collect::<Vec<_>>(), [Family::IPV4_VPN]);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn with_maximum_prefixes(mut self, family: Family, limit: u32) -> Self {
        // The search is long only among limits without effect, those of families outside of `Family::PARSED`.
        self.maximum_prefixes.retain(|(known, _)| *known != family);
        self.maximum_prefixes.push((family, limit));
        self
    }

    /// Returns the families that have a limit and are not offered.
    pub fn unused_limits(&self) -> impl Iterator<Item = Family> {
        // Setters may be called in any order, so that the limit cannot be checked when it is set.
        self.maximum_prefixes
            .iter()
            .map(|(family, _)| *family)
            .filter(|family| !self.families.contains(*family))
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
    fn families_without_support_are_rejected() {
        let unknown = Family::new(bgp_wire::Afi::IPV4, Safi(200));
        for (families, expected) in [
            (vec![], FamiliesError::Empty),
            (vec![unknown], FamiliesError::Unsupported(unknown)),
            (
                vec![Family::IPV4_UNICAST, unknown],
                FamiliesError::Unsupported(unknown),
            ),
        ] {
            assert_eq!(config().with_families(families), Err(expected));
        }
        let all = config()
            .with_families(Family::PARSED.iter().copied())
            .unwrap();
        assert_eq!(all.families, Family::PARSED.iter().copied().collect());
    }

    #[test]
    fn limit_of_family_not_offered_is_unused() {
        let config = config()
            .with_maximum_prefixes(Family::IPV4_UNICAST, 1)
            .with_maximum_prefixes(Family::IPV4_VPN, 1);
        let unused: Vec<_> = config.unused_limits().collect();
        assert_eq!(unused, [Family::IPV4_VPN]);
        let config = config.with_families([Family::IPV4_VPN]).unwrap();
        let unused: Vec<_> = config.unused_limits().collect();
        assert_eq!(unused, [Family::IPV4_UNICAST]);
    }
}
