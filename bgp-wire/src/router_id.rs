//! `RouterId`: the BGP Identifier (RFC 6286), four octets other than 0.0.0.0.

use core::fmt;
use core::net::Ipv4Addr;
use core::num::NonZeroU32;
use core::str::FromStr;

/// A BGP Identifier: four octets that are not all zero (RFC 6286 section 2.1).
///
/// ```
/// use bgp_wire::RouterId;
/// let id: RouterId = "192.168.0.111".parse()?;
/// assert_eq!(id, RouterId::new(192, 168, 0, 111).expect("not zero"));
/// assert!("0.0.0.0".parse::<RouterId>().is_err());
/// # Ok::<(), bgp_wire::ParseRouterIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
// An integer, because RFC 4271 section 6.8 compares identifiers as numbers. It need not be an address.
pub struct RouterId(NonZeroU32);

impl RouterId {
    /// Returns the identifier with these octets, or `None` for 0.0.0.0.
    #[must_use]
    pub const fn new(a: u8, b: u8, c: u8, d: u8) -> Option<Self> {
        Self::from_bits(u32::from_be_bytes([a, b, c, d]))
    }

    /// Returns the identifier with this value in host byte order, or `None` for 0.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Option<Self> {
        // `Option::map` is not const.
        match NonZeroU32::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// Returns the value in host byte order, which RFC 4271 section 6.8 compares.
    #[must_use]
    pub const fn to_bits(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // RFC 6286 drops the meaning of an address, but routers keep the notation.
        fmt::Display::fmt(&Ipv4Addr::from_bits(self.to_bits()), f)
    }
}

impl fmt::Debug for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RouterId({self})")
    }
}

impl TryFrom<Ipv4Addr> for RouterId {
    type Error = ParseRouterIdError;

    fn try_from(address: Ipv4Addr) -> Result<Self, ParseRouterIdError> {
        Self::from_bits(address.to_bits()).ok_or(ParseRouterIdError)
    }
}

/// The error for a text or an address that is not a BGP Identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseRouterIdError;

impl fmt::Display for ParseRouterIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a router id is written like an IPv4 address and is not 0.0.0.0")
    }
}

impl core::error::Error for ParseRouterIdError {}

impl FromStr for RouterId {
    type Err = ParseRouterIdError;

    fn from_str(text: &str) -> Result<Self, ParseRouterIdError> {
        text.parse::<Ipv4Addr>()
            .map_err(|_| ParseRouterIdError)?
            .try_into()
    }
}
