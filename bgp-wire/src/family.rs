//! `Family`: AFI and SAFI together (RFC 4760), and sets of the families that this codec parses.

use core::fmt;

use crate::iana::{Afi, Safi};

/// An address family: AFI and SAFI (RFC 4760 section 5).
///
/// ```
/// use bgp_wire::Family;
/// assert_eq!(Family::IPV6_UNICAST.to_string(), "ipv6 unicast");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family {
    /// Address Family Identifier.
    pub afi: Afi,
    /// Subsequent Address Family Identifier.
    pub safi: Safi,
}

impl Family {
    /// AFI 1, SAFI 1.
    pub const IPV4_UNICAST: Self = Self::new(Afi::IPV4, Safi::UNICAST);
    /// AFI 2, SAFI 1.
    pub const IPV6_UNICAST: Self = Self::new(Afi::IPV6, Safi::UNICAST);
    /// AFI 1, SAFI 2.
    pub const IPV4_MULTICAST: Self = Self::new(Afi::IPV4, Safi::MULTICAST);
    /// AFI 2, SAFI 2.
    pub const IPV6_MULTICAST: Self = Self::new(Afi::IPV6, Safi::MULTICAST);

    /// The family of these two numbers.
    #[must_use]
    pub const fn new(afi: Afi, safi: Safi) -> Self {
        Self { afi, safi }
    }

    /// The four octets of a Multiprotocol capability (RFC 4760 section 8).
    #[must_use]
    pub fn to_octets(self) -> [u8; 4] {
        let [high, low] = self.afi.0.to_be_bytes();
        [high, low, 0, self.safi.0]
    }

    /// The families whose routes are parsed, in the order in which sets iterate.
    pub const PARSED: [Self; 4] = [
        Self::IPV4_UNICAST,
        Self::IPV6_UNICAST,
        Self::IPV4_MULTICAST,
        Self::IPV6_MULTICAST,
    ];

    const fn bit(self) -> u32 {
        match (self.afi, self.safi) {
            (Afi::IPV4, Safi::UNICAST) => 1,
            (Afi::IPV6, Safi::UNICAST) => 2,
            (Afi::IPV4, Safi::MULTICAST) => 4,
            (Afi::IPV6, Safi::MULTICAST) => 8,
            _ => 0,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.afi, self.safi)
    }
}

/// A set of the families in [`Family::PARSED`]; a family that is not among them is never a member.
///
/// ```
/// use bgp_wire::{Family, FamilySet};
/// let both: FamilySet = [Family::IPV4_UNICAST, Family::IPV6_UNICAST].into_iter().collect();
/// assert!(both.contains(Family::IPV6_UNICAST));
/// assert_eq!(both.iter().count(), 2);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FamilySet(u32);

impl FamilySet {
    /// No family.
    pub const EMPTY: Self = Self(0);

    /// The set with `family` in it.
    #[must_use]
    pub const fn with(self, family: Family) -> Self {
        Self(self.0 | family.bit())
    }

    /// Whether `family` is in the set.
    #[must_use]
    pub const fn contains(self, family: Family) -> bool {
        self.0 & family.bit() != 0
    }

    /// The families in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether no family is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in the order of [`Family::PARSED`].
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::PARSED
            .into_iter()
            .filter(move |family| self.contains(*family))
    }
}

impl FromIterator<Family> for FamilySet {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> Self {
        families.into_iter().fold(Self::EMPTY, Self::with)
    }
}
