//! Communities (RFC 1997) and large communities (RFC 8092), with the text that operators use.

use core::fmt;
use core::str::FromStr;

/// A community of four octets (RFC 1997), written `64512:100` or by its well-known name.
///
/// ```
/// use bgp_wire::Community;
/// let community: Community = "64512:100".parse()?;
/// assert_eq!(community, Community::new(64512, 100));
/// assert_eq!("no-export".parse(), Ok(Community::NO_EXPORT));
/// # Ok::<(), bgp_wire::ParseCommunityError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Reserved values are legal: a speaker passes on communities that it does not know.
pub struct Community(pub u32);

macro_rules! well_known {
    ($( $(#[$doc:meta])* $constant:ident = $value:literal, $text:literal $( | $alias:literal )*; )+) => {
        impl Community {
            $( $(#[$doc])* pub const $constant: Self = Self($value); )+

            /// Returns the registered name of a well-known community, or `None` for any other.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $( $value => Some($text), )+
                    _ => None,
                }
            }

            /// Returns the well-known community with this name or alias.
            fn from_name(text: &str) -> Option<Self> {
                match text {
                    $( $text $( | $alias )* => Some(Self($value)), )+
                    _ => None,
                }
            }
        }
    };
}

// The IANA registry "BGP Well-known Communities". Aliases are names that routers use in their configuration.
well_known! {
    /// The session is about to go down; the receiver should prefer other routes (RFC 8326).
    GRACEFUL_SHUTDOWN = 0xffff_0000, "graceful-shutdown" | "gshut";
    /// The receiver should accept the route although it originated it itself (RFC 7611).
    ACCEPT_OWN = 0xffff_0001, "accept-own";
    /// The route is a translated route filter for VPN-IPv4 (draft-l3vpn-legacy-rtc).
    ROUTE_FILTER_TRANSLATED_IPV4 = 0xffff_0002, "route-filter-translated-v4";
    /// The route is a route filter for VPN-IPv4 (draft-l3vpn-legacy-rtc).
    ROUTE_FILTER_IPV4 = 0xffff_0003, "route-filter-v4";
    /// The route is a translated route filter for VPN-IPv6 (draft-l3vpn-legacy-rtc).
    ROUTE_FILTER_TRANSLATED_IPV6 = 0xffff_0004, "route-filter-translated-v6";
    /// The route is a route filter for VPN-IPv6 (draft-l3vpn-legacy-rtc).
    ROUTE_FILTER_IPV6 = 0xffff_0005, "route-filter-v6";
    /// The route is stale under Long-Lived Graceful Restart (RFC 9494).
    LLGR_STALE = 0xffff_0006, "llgr-stale";
    /// The receiver must not keep the route under Long-Lived Graceful Restart (RFC 9494).
    NO_LLGR = 0xffff_0007, "no-llgr";
    /// The receiver should accept the route although the next hop is its own (draft-agrewal-idr-accept-own-nexthop).
    ACCEPT_OWN_NEXT_HOP = 0xffff_0008, "accept-own-nexthop";
    /// The route is a Standby BGP C-multicast Route (RFC 9026).
    STANDBY_PE = 0xffff_0009, "standby-pe";
    /// The receiver should discard traffic to the prefix (RFC 7999).
    BLACKHOLE = 0xffff_029a, "blackhole";
    /// The route must not leave the AS or confederation (RFC 1997).
    NO_EXPORT = 0xffff_ff01, "no-export";
    /// The route must not be advertised to any peer (RFC 1997).
    NO_ADVERTISE = 0xffff_ff02, "no-advertise";
    /// The route must not leave the member AS of a confederation (RFC 1997).
    NO_EXPORT_SUBCONFED = 0xffff_ff03, "no-export-subconfed" | "local-as";
    /// The route need not be advertised to bilateral peers (RFC 3765).
    NO_PEER = 0xffff_ff04, "no-peer" | "nopeer";
}

impl Community {
    /// Returns the community that is written `high:low`.
    #[must_use]
    pub const fn new(high: u16, low: u16) -> Self {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Self(u32::from_be_bytes([a, b, c, d]))
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            // RFC 1997 assigns the high half by AS number.
            None => write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff),
        }
    }
}

impl fmt::Debug for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Community({self})")
    }
}

impl FromStr for Community {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, ParseCommunityError> {
        // No name contains a colon, so a name and a value cannot be confused.
        if let Some(community) = Self::from_name(text) {
            return Ok(community);
        }
        let (high, low) = text.split_once(':').ok_or(ParseCommunityError)?;
        Ok(Self::new(decimal(high)?, decimal(low)?))
    }
}

/// A large community of three four-octet numbers (RFC 8092), written `64512:1:2` or `large:64512:1:2`.
///
/// ```
/// use bgp_wire::LargeCommunity;
/// assert_eq!("large:64512:1:2".parse::<LargeCommunity>()?.to_string(), "64512:1:2");
/// # Ok::<(), bgp_wire::ParseCommunityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    /// Global Administrator: an AS number.
    pub global: u32,
    /// Local Data Part 1.
    pub local1: u32,
    /// Local Data Part 2.
    pub local2: u32,
}

impl LargeCommunity {
    /// Returns the encoded community.
    pub(crate) fn to_octets(self) -> [u8; 12] {
        let ([a, b, c, d], [e, f, g, h]) = (self.global.to_be_bytes(), self.local1.to_be_bytes());
        let [i, j, k, l] = self.local2.to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    /// Returns the community with this encoding.
    pub(crate) fn from_octets([a, b, c, d, e, f, g, h, i, j, k, l]: [u8; 12]) -> Self {
        Self {
            global: u32::from_be_bytes([a, b, c, d]),
            local1: u32::from_be_bytes([e, f, g, h]),
            local2: u32::from_be_bytes([i, j, k, l]),
        }
    }
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // RFC 8092 section 5 requires this form, without leading zeros.
        write!(f, "{}:{}:{}", self.global, self.local1, self.local2)
    }
}

impl FromStr for LargeCommunity {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, ParseCommunityError> {
        // MetalLB marks large communities with this prefix.
        let mut parts = text
            .strip_prefix("large:")
            .unwrap_or(text)
            .split(':')
            .map(decimal);
        let mut part = || parts.next().ok_or(ParseCommunityError)?;
        let community = Self {
            global: part()?,
            local1: part()?,
            local2: part()?,
        };
        // A fourth part would otherwise be lost.
        if parts.next().is_none() {
            Ok(community)
        } else {
            Err(ParseCommunityError)
        }
    }
}

/// The error for a text that is not a community.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseCommunityError;

impl fmt::Display for ParseCommunityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a community is two numbers of 0 to 65535 (64512:100) or a well-known name (no-export); \
             a large community is three numbers of 0 to 4294967295 (64512:1:2)",
        )
    }
}

impl core::error::Error for ParseCommunityError {}

/// Parses a decimal number without a sign.
fn decimal<T: FromStr>(text: &str) -> Result<T, ParseCommunityError> {
    crate::text::number(text).ok_or(ParseCommunityError)
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn community_text_parses_and_prints_or_is_refused() {
        for text in [
            "0:0",
            "65535:65000",
            "graceful-shutdown",
            "no-peer",
            "blackhole",
        ] {
            assert_eq!(text.parse::<Community>().unwrap().to_string(), text);
        }
        assert_eq!("local-as".parse(), Ok(Community::NO_EXPORT_SUBCONFED));
        for text in [
            "",
            "1",
            "1:",
            ":1",
            "65536:1",
            "1:65536",
            "+1:1",
            "1:2:3",
            "NO-EXPORT",
        ] {
            assert!(text.parse::<Community>().is_err(), "{text}");
        }
        for text in ["1:2", "1:2:3:4", "4294967296:1:1", "large:1:2", "1::2"] {
            assert!(text.parse::<LargeCommunity>().is_err(), "{text}");
        }
    }
}
