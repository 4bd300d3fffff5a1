//! An administrator and its assigned number in six octets, and their text.
//!
//! Route distinguishers (RFC 4364 section 4.2) and extended communities (RFC 4360 section 3, RFC 5668) share this format.

use core::fmt;
use core::net::Ipv4Addr;

use crate::text::number;

/// The kind with a two-octet AS number and an assigned number of four octets.
pub(crate) const TWO_OCTET_AS: u8 = 0;
/// The kind with an IPv4 address and an assigned number of two octets.
pub(crate) const IPV4_ADDRESS: u8 = 1;
/// The kind with a four-octet AS number and an assigned number of two octets.
pub(crate) const FOUR_OCTET_AS: u8 = 2;

/// An administrator and its assigned number, written `64512:1`, `192.0.2.1:1` or `70000:1` by its kind.
#[derive(Clone, Copy)]
pub(crate) struct Administered {
    /// One of the three constants above.
    pub(crate) kind: u8,
    /// The administrator and the assigned number.
    pub(crate) octets: [u8; 6],
}

impl Administered {
    /// Parses the output of `Display`. An AS number above 65535, or with the suffix `L`, takes four octets.
    ///
    /// Returns `None` if the text is not an administrator and a number that fits the octets left.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (administrator, value) = text.rsplit_once(':')?;
        let four_octets = |kind, [a, b, c, d]: [u8; 4]| {
            // Six octets in all: four of administrator leave two for the assigned number.
            let [e, f] = number::<u16>(value)?.to_be_bytes();
            let octets = [a, b, c, d, e, f];
            Some(Self { kind, octets })
        };
        if let Some(asn) = administrator.strip_suffix('L') {
            return four_octets(FOUR_OCTET_AS, number::<u32>(asn)?.to_be_bytes());
        }
        if let Ok(address) = administrator.parse::<Ipv4Addr>() {
            return four_octets(IPV4_ADDRESS, address.octets());
        }
        // A small number fits either kind. Two octets leave four for the assigned number.
        let asn: u32 = number(administrator)?;
        let Ok(asn) = u16::try_from(asn) else {
            return four_octets(FOUR_OCTET_AS, asn.to_be_bytes());
        };
        let ([a, b], [c, d, e, f]) = (asn.to_be_bytes(), number::<u32>(value)?.to_be_bytes());
        Some(Self {
            kind: TWO_OCTET_AS,
            octets: [a, b, c, d, e, f],
        })
    }
}

impl fmt::Display for Administered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.octets;
        let short = u16::from_be_bytes([e, g]);
        match self.kind {
            TWO_OCTET_AS => write!(
                f,
                "{}:{}",
                u16::from_be_bytes([a, b]),
                u32::from_be_bytes([c, d, e, g])
            ),
            IPV4_ADDRESS => write!(f, "{}:{short}", Ipv4Addr::new(a, b, c, d)),
            kind => {
                debug_assert_eq!(kind, FOUR_OCTET_AS, "no other kind is constructed");
                match u32::from_be_bytes([a, b, c, d]) {
                    // Without the suffix, `parse` would take the two-octet kind.
                    asn @ ..=0xffff => write!(f, "{asn}L:{short}"),
                    asn => write!(f, "{asn}:{short}"),
                }
            }
        }
    }
}
