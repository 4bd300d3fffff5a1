//! `Family`: an AFI and a SAFI (RFC 4760), and `FamilySet`: a set of the families that this codec parses.

use core::fmt;
use core::str::FromStr;

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
    /// AFI 1, SAFI 4 (RFC 8277).
    pub const IPV4_LABELED: Self = Self::new(Afi::IPV4, Safi::LABELED);
    /// AFI 2, SAFI 4 (RFC 8277).
    pub const IPV6_LABELED: Self = Self::new(Afi::IPV6, Safi::LABELED);
    /// AFI 1, SAFI 128 (RFC 4364).
    pub const IPV4_VPN: Self = Self::new(Afi::IPV4, Safi::VPN);
    /// AFI 2, SAFI 128 (RFC 4659).
    pub const IPV6_VPN: Self = Self::new(Afi::IPV6, Safi::VPN);
    /// AFI 1, SAFI 133 (RFC 8955).
    pub const IPV4_FLOWSPEC: Self = Self::new(Afi::IPV4, Safi::FLOWSPEC);
    /// AFI 2, SAFI 133 (RFC 8956).
    pub const IPV6_FLOWSPEC: Self = Self::new(Afi::IPV6, Safi::FLOWSPEC);
    /// AFI 1, SAFI 134 (RFC 8955 section 8).
    pub const IPV4_FLOWSPEC_VPN: Self = Self::new(Afi::IPV4, Safi::FLOWSPEC_VPN);
    /// AFI 2, SAFI 134 (RFC 8956).
    pub const IPV6_FLOWSPEC_VPN: Self = Self::new(Afi::IPV6, Safi::FLOWSPEC_VPN);
    /// AFI 25, SAFI 70 (RFC 7432).
    pub const L2VPN_EVPN: Self = Self::new(Afi::L2VPN, Safi::EVPN);
    /// AFI 1, SAFI 132 (RFC 4684).
    pub const ROUTE_TARGET: Self = Self::new(Afi::IPV4, Safi::ROUTE_TARGET);

    /// Returns the family with this AFI and SAFI.
    #[must_use]
    pub const fn new(afi: Afi, safi: Safi) -> Self {
        Self { afi, safi }
    }

    /// Returns the value of a Multiprotocol capability: AFI, a reserved octet, SAFI (RFC 4760 section 8).
    #[must_use]
    pub fn to_octets(self) -> [u8; 4] {
        let [high, low] = self.afi.0.to_be_bytes();
        [high, low, 0, self.safi.0]
    }

    /// The families whose routes this codec parses, in the order of iteration of a [`FamilySet`].
    // A match in `bit` repeats the order, and a test holds the two together.
    pub const PARSED: &'static [Self] = &[
        Self::IPV4_UNICAST,
        Self::IPV6_UNICAST,
        Self::IPV4_MULTICAST,
        Self::IPV6_MULTICAST,
        Self::IPV4_LABELED,
        Self::IPV6_LABELED,
        Self::IPV4_VPN,
        Self::IPV6_VPN,
        Self::IPV4_FLOWSPEC,
        Self::IPV6_FLOWSPEC,
        Self::IPV4_FLOWSPEC_VPN,
        Self::IPV6_FLOWSPEC_VPN,
        Self::L2VPN_EVPN,
        Self::ROUTE_TARGET,
    ];

    /// Returns the bit of the family's position in [`Family::PARSED`], or 0 if the family is not parsed.
    pub(crate) const fn bit(self) -> u16 {
        // A match, not a search: received routes are compared with negotiated sets.
        let ipv6 = match self.afi {
            Afi::IPV4 => 0,
            Afi::IPV6 => 1,
            Afi::L2VPN if self.safi.0 == Safi::EVPN.0 => return 1 << 12,
            _ => return 0,
        };
        // IPv4 and IPv6 alternate in the list.
        let pair = match self.safi {
            Safi::UNICAST => 0,
            Safi::MULTICAST => 2,
            Safi::LABELED => 4,
            Safi::VPN => 6,
            Safi::FLOWSPEC => 8,
            Safi::FLOWSPEC_VPN => 10,
            // RFC 4684 section 4 defines the NLRI with AFI 1 only, although it serves all VPN families.
            Safi::ROUTE_TARGET if ipv6 == 0 => return 1 << 13,
            _ => return 0,
        };
        1 << (pair + ipv6)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.afi, self.safi)
    }
}

impl FromStr for Family {
    type Err = ParseFamilyError;

    /// Parses AFI and SAFI, each by name or number, with a space or `/` between them.
    fn from_str(text: &str) -> Result<Self, ParseFamilyError> {
        // `Display` writes a space; the slash is for command lines.
        let (afi, safi) = text.split_once([' ', '/']).ok_or(ParseFamilyError)?;
        Ok(Self {
            afi: afi.parse().map_err(|_| ParseFamilyError)?,
            safi: safi.parse().map_err(|_| ParseFamilyError)?,
        })
    }
}

/// The error for a text that is not a family, or not a set of parsed families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseFamilyError;

impl fmt::Display for ParseFamilyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a family is an AFI and a SAFI by name or number: ipv4 unicast, ipv6/flowspec, l2vpn evpn, 1/128")
    }
}

impl core::error::Error for ParseFamilyError {}

/// A set of families in [`Family::PARSED`]. Other families are never members.
///
/// ```
/// use bgp_wire::{Family, FamilySet};
/// let both: FamilySet = [Family::IPV4_UNICAST, Family::IPV6_UNICAST].into_iter().collect();
/// assert!(both.contains(Family::IPV6_UNICAST));
/// assert_eq!(both.iter().count(), 2);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
// A bit set, because a context holds several sets and is copied.
pub struct FamilySet(u16);

impl FamilySet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// Returns the set with `family` added. A family that is not parsed is ignored.
    #[must_use]
    pub const fn with(self, family: Family) -> Self {
        Self(self.0 | family.bit())
    }

    /// Returns `true` if `family` is in the set.
    #[must_use]
    pub const fn contains(self, family: Family) -> bool {
        self.0 & family.bit() != 0
    }

    /// Returns the families that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns `true` if the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the members, in the order of [`Family::PARSED`].
    pub fn iter(self) -> impl Iterator<Item = Family> {
        Family::PARSED
            .iter()
            .copied()
            .filter(move |family| self.contains(*family))
    }
}

impl fmt::Display for FamilySet {
    /// Writes the members with commas between them, or `none` for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (position, family) in self.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{family}")?;
        }
        Ok(())
    }
}

impl FromStr for FamilySet {
    type Err = ParseFamilyError;

    fn from_str(text: &str) -> Result<Self, ParseFamilyError> {
        // An empty text is more likely a mistake than an empty set.
        if text == "none" {
            return Ok(Self::EMPTY);
        }
        let mut set = Self::EMPTY;
        for family in text.split(',') {
            let family: Family = family.trim().parse()?;
            // `with` ignores a family that is not parsed, but in a text it is an error.
            set = set.with(family);
            if !set.contains(family) {
                return Err(ParseFamilyError);
            }
        }
        Ok(set)
    }
}

impl FromIterator<Family> for FamilySet {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> Self {
        families.into_iter().fold(Self::EMPTY, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn family_text_parses_and_prints_or_is_refused() {
        for (position, family) in Family::PARSED.iter().copied().enumerate() {
            assert_eq!(family.bit(), 1 << position, "{family}");
            assert_eq!(family.to_string().parse(), Ok(family));
        }
        for (afi, safi) in [(1, 3), (2, 132), (25, 1), (3, 1), (16388, 71)] {
            assert_eq!(Family::new(Afi(afi), Safi(safi)).bit(), 0);
            let numbers = Family::new(Afi(afi), Safi(safi)).to_string();
            assert_eq!(numbers.parse(), Ok(Family::new(Afi(afi), Safi(safi))));
        }
        assert_eq!("ipv4/unicast".parse(), Ok(Family::IPV4_UNICAST));
        let all: FamilySet = Family::PARSED.iter().copied().collect();
        for set in [
            all,
            FamilySet::EMPTY,
            FamilySet::EMPTY.with(Family::IPV6_VPN),
        ] {
            assert_eq!(set.to_string().parse(), Ok(set));
        }
        assert_eq!("3/1".parse::<FamilySet>(), Err(ParseFamilyError));
        for text in ["", "ipv4", "ipv4 unicast x", "ip unicast", "1 256", "+1 1"] {
            assert_eq!(text.parse::<Family>(), Err(ParseFamilyError), "{text}");
        }
    }
}
