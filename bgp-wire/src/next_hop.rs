//! `NextHop`: the next hop of announced routes, and checks of which addresses can be one.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::text::ParseValueError;

/// The next hop of announced routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextHop {
    /// One address. For a VPN family the encoder puts a zero route distinguisher before it (RFC 4364 section 4.3.2).
    Address(IpAddr),
    /// A global IPv6 address, followed by a link-local one (RFC 2545 section 3).
    GlobalAndLinkLocal(Ipv6Addr, Ipv6Addr),
    /// No next hop: for flow specifications (RFC 8955 section 4) and families that are not parsed.
    Absent,
}

impl NextHop {
    /// Returns `true` if routes can have this next hop: its addresses are unicast, neither unspecified nor loopback, and of
    /// the scope that their place requires. Some families permit fewer addresses.
    ///
    /// ```
    /// use bgp_wire::NextHop;
    /// assert!(NextHop::Address([192, 0, 2, 1].into()).is_usable());
    /// for address in [[0, 1, 2, 3], [127, 0, 0, 1], [224, 0, 0, 5], [240, 0, 0, 1]] {
    ///     assert!(!NextHop::Address(address.into()).is_usable());
    /// }
    /// assert!(!NextHop::Absent.is_usable());
    /// ```
    #[must_use]
    pub fn is_usable(&self) -> bool {
        match *self {
            Self::Address(address) => is_usable(address),
            Self::GlobalAndLinkLocal(global, link_local) => {
                is_usable(global.into())
                    && !global.is_unicast_link_local()
                    && link_local.is_unicast_link_local()
            }
            Self::Absent => false,
        }
    }
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for NextHop {
    /// Writes one address, two addresses with a space between them, or `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::GlobalAndLinkLocal(global, link_local) => write!(f, "{global} {link_local}"),
            Self::Absent => f.write_str("none"),
        }
    }
}

impl FromStr for NextHop {
    type Err = ParseValueError;

    /// Parses the text that `Display` writes.
    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        let parse = || match text.split_once(' ') {
            _ if text == "none" => Some(Self::Absent),
            Some((global, link_local)) => Some(Self::GlobalAndLinkLocal(
                global.parse().ok()?,
                link_local.trim_start().parse().ok()?,
            )),
            None => text.parse().ok().map(Self::Address),
        };
        parse().ok_or(ParseValueError {
            expected: "an address, a global and a link-local IPv6 address, or none",
        })
    }
}

/// Returns `true` if an IPv4 address can belong to a host, as NEXT_HOP requires (RFC 4271 section 6.3).
pub(crate) fn is_usable_ipv4(address: Ipv4Addr) -> bool {
    // 0.0.0.0/8 and 127.0.0.0/8 (RFC 6890), multicast, and the reserved addresses above it. The first octet decides,
    // because this check runs for every UPDATE.
    let [first, ..] = address.octets();
    first != 0 && first != 127 && first < 224
}

/// Returns `true` if an address can be a next hop: unicast, neither unspecified nor loopback.
pub(crate) fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_usable_ipv4(address),
        // RFC 4798 section 2: routers of 6PE send an IPv4-mapped address.
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_usable_ipv4(mapped),
            None => !address.is_unspecified() && !address.is_loopback() && !address.is_multicast(),
        },
    }
}
