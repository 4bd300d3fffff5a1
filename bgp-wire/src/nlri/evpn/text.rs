//! Text of EVPN routes and Ethernet Segment Identifiers, with the keywords of GoBGP's command line.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use ipnet::IpNet;

use super::{EthernetSegmentIdentifier, EvpnRoute};
use crate::mac_address::{parse_colon_hex, write_colon_hex};
use crate::nlri::words::{Words, parse_from_words};

impl EvpnRoute {
    /// Parses the output of `Display`. Returns `None` if the words do not begin with it.
    pub(in crate::nlri) fn parse(words: &mut Words<'_>) -> Option<Self> {
        let kind = words.next()?;
        let distinguisher = words.value("rd")?;
        // The encoder refuses more than 24 bits, but here the operator still sees the text.
        let label = |words: &mut Words<'_>| words.number("label").filter(|label| *label < 1 << 24);
        Some(match kind {
            "a-d" => Self::AutoDiscovery {
                distinguisher,
                segment: words.value("esi")?,
                tag: words.number("etag")?,
                label: label(words)?,
            },
            "macadv" => Self::MacIp {
                distinguisher,
                segment: words.value("esi")?,
                tag: words.number("etag")?,
                mac: words.value("mac")?,
                // A route may advertise a MAC address without an IP address (RFC 7432 section 7.2).
                address: match words.peek()? {
                    "ip" => Some(words.value("ip")?),
                    _ => None,
                },
                label: label(words)?,
                // It is the last part, so any word that is left must belong to it.
                second_label: match words.peek() {
                    Some(_) => Some(label(words)?),
                    None => None,
                },
            },
            "multicast" => Self::InclusiveMulticast {
                distinguisher,
                tag: words.number("etag")?,
                originator: words.value("ip")?,
            },
            "esi" => Self::EthernetSegment {
                distinguisher,
                segment: words.value("esi")?,
                originator: words.value("ip")?,
            },
            "prefix" => {
                // The parts are parsed in the order of the text, before one is checked against another.
                let segment = words.value("esi")?;
                let tag = words.number("etag")?;
                let prefix = words.value::<IpNet>("prefix")?.trunc();
                let gateway = words.value::<IpAddr>("gw")?;
                Self::IpPrefix {
                    distinguisher,
                    segment,
                    tag,
                    prefix,
                    // One length field covers both addresses, so their families must agree (RFC 9136 section 3.1).
                    gateway: Some(gateway).filter(|gw| gw.is_ipv4() == prefix.addr().is_ipv4())?,
                    label: label(words)?,
                }
            }
            _ => return None,
        })
    }
}

parse_from_words! {
    EvpnRoute, EvpnRoute::parse,
    "a route of type a-d, macadv, multicast, esi or prefix: multicast rd 64512:1 etag 0 ip 192.0.2.1"
}

impl fmt::Display for EvpnRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The order of the keywords is part of the format: `parse` expects the same one.
        match self {
            Self::AutoDiscovery {
                distinguisher,
                segment,
                tag,
                label,
            } => {
                write!(
                    f,
                    "a-d rd {distinguisher} esi {segment} etag {tag} label {label}"
                )
            }
            Self::MacIp {
                distinguisher,
                segment,
                tag,
                mac,
                address,
                label,
                second_label,
            } => {
                write!(
                    f,
                    "macadv rd {distinguisher} esi {segment} etag {tag} mac {mac}"
                )?;
                if let Some(address) = address {
                    write!(f, " ip {address}")?;
                }
                write!(f, " label {label}")?;
                second_label.map_or(Ok(()), |second| write!(f, " label {second}"))
            }
            Self::InclusiveMulticast {
                distinguisher,
                tag,
                originator,
            } => {
                write!(f, "multicast rd {distinguisher} etag {tag} ip {originator}")
            }
            Self::EthernetSegment {
                distinguisher,
                segment,
                originator,
            } => {
                write!(f, "esi rd {distinguisher} esi {segment} ip {originator}")
            }
            Self::IpPrefix {
                distinguisher,
                segment,
                tag,
                prefix,
                gateway,
                label,
            } => write!(
                f,
                "prefix rd {distinguisher} esi {segment} etag {tag} prefix {prefix} gw {gateway} label {label}"
            ),
        }
    }
}

impl fmt::Display for EthernetSegmentIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // RFC 7432 section 5 reserves the value zero for single-homed sites.
        if self.0 == [0; 10] {
            f.write_str("0")
        } else {
            write_colon_hex(&self.0, f)
        }
    }
}

impl FromStr for EthernetSegmentIdentifier {
    type Err = ParseEthernetSegmentIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "0" => Some(Self::default()),
            _ => parse_colon_hex(text).map(Self),
        }
        .ok_or(ParseEthernetSegmentIdentifierError)
    }
}

/// The text is not an Ethernet Segment Identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseEthernetSegmentIdentifierError;

impl fmt::Display for ParseEthernetSegmentIdentifierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an Ethernet Segment Identifier is 0, or ten octets in hex with colons between them: 00:01:02:03:04:05:06:07:08:09",
        )
    }
}

impl core::error::Error for ParseEthernetSegmentIdentifierError {}
