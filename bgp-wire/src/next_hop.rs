//! `NextHop`: the next hop of announced routes, and the addresses that can be one.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::text::ParseValueError;

/// The next hop of announced routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NextHop {
    /// One address. A VPN's gets the route distinguisher zero in front.
    Address(IpAddr),
    /// A global IPv6 address and the link-local one behind it (RFC 2545 section 3).
    GlobalAndLinkLocal(Ipv6Addr, Ipv6Addr),
    /// None, for flow specifications (RFC 8955 section 4) and for families that are not parsed.
    Absent,
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for NextHop {
    /// One address or two, or `none`.
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

/// Whether an IPv4 address can be a host's: what a NEXT_HOP has to be (RFC 4271 section 6.3).
pub(crate) fn is_host(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    first != 0 && first != 127 && first < 224
}

/// Whether an address can be a next hop: of one host, and not of the receiver itself.
pub(crate) fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_host(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => is_host(mapped),
            None => !address.is_unspecified() && !address.is_loopback() && !address.is_multicast(),
        },
    }
}
