//! Prefixes with MPLS labels (RFC 8277), and VPN prefixes, which add a route distinguisher (RFC 4364, RFC 4659).

use core::fmt;

use ipnet::IpNet;

use super::NlriFormat;
use super::encode::{HasFamily, NlriValue, write_exactly};
use super::label::{Labels, parse_labels};
use super::unicast::{load, network};
use super::words::{Words, parse_from_words};
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::parse::{Parsed, Short, array, octet, take};
use crate::route_distinguisher::RouteDistinguisher;
use crate::sink::Sink;

parse_from_words! {
    LabeledPrefix, LabeledPrefix::parse,
    "a prefix and its labels: 192.168.10.0/24 label 100"
}

parse_from_words! {
    VpnPrefix, VpnPrefix::parse,
    "a prefix, its route distinguisher and its labels: 192.168.10.0/24 rd 64512:1 label 100"
}

/// A prefix with its MPLS labels (RFC 8277 section 2), written `192.168.10.0/24 label 100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabeledPrefix {
    /// The labels. In a withdrawal they have no meaning (RFC 8277 section 2.4).
    pub labels: Labels,
    /// The prefix. Its host bits are zero.
    pub prefix: IpNet,
}

/// A prefix of a VPN (RFC 4364 section 4.3.4, RFC 4659 section 2), written `192.168.10.0/24 rd 64512:1 label 100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VpnPrefix {
    /// The route distinguisher, which makes the prefix unique among VPNs.
    pub distinguisher: RouteDistinguisher,
    /// The labels. In a withdrawal they have no meaning (RFC 8277 section 2.4).
    pub labels: Labels,
    /// The prefix. Its host bits are zero.
    pub prefix: IpNet,
}

/// The parts of both kinds: labels, the route distinguisher of a VPN prefix, and the prefix.
type Parts = (Labels, Option<RouteDistinguisher>, IpNet);

/// Parses either kind: the length in bits of everything that follows, labels, route distinguisher, prefix.
fn split_parts<'a>(input: &'a [u8], format: &NlriFormat) -> Parsed<'a, Parts> {
    let (rest, bits) = octet(input)?;
    let (rest, octets) = take(rest, usize::from(bits).div_ceil(8))?;
    let (prefix, labels) = Labels::split(octets, format)?;
    // RFC 4364 section 4.3.4: the distinguisher is part of the prefix, after the labels.
    let (prefix, distinguisher) = if format.family.safi == Safi::VPN {
        let (prefix, octets) = array(prefix)?;
        (prefix, Some(RouteDistinguisher(octets)))
    } else {
        (prefix, None)
    };
    // The length counts labels and distinguisher as well, which are whole octets (RFC 8277 section 2.2).
    let used = (octets.len() - prefix.len()) * 8;
    // A length that does not even cover the labels is malformed.
    let net = usize::from(bits)
        .checked_sub(used)
        .and_then(|bits| load(prefix, u8::try_from(bits).ok()?, format.family.afi))
        .ok_or(nom::Err::Error(Short))?;
    Ok((rest, (labels, distinguisher, net)))
}

/// Returns the number of octets of a route, with its length octet.
fn parts_length(
    labels: &Labels,
    distinguisher: usize,
    prefix: IpNet,
    format: &NlriFormat,
) -> usize {
    // A label is three octets here: the TTL of RFC 3032 is not sent (RFC 8277 section 2.2).
    1 + labels.encoded(format).len() * 3
        + distinguisher
        + usize::from(prefix.prefix_len()).div_ceil(8)
}

/// Writes either kind to the start of `out`. Returns the rest of `out`, or `None` if `out` is too short.
fn write_parts<'o>(
    labels: &Labels,
    distinguisher: &[u8],
    prefix: IpNet,
    format: &NlriFormat,
    out: &'o mut [u8],
) -> Option<&'o mut [u8]> {
    let length = parts_length(labels, distinguisher.len(), prefix, format);
    let labels = labels.encoded(format);
    let bits = (labels.len() * 3 + distinguisher.len()) * 8 + usize::from(prefix.prefix_len());
    let length_octet = u8::try_from(bits);
    debug_assert!(length_octet.is_ok(), "is_legal() limits the bits");
    write_exactly(length, out, |out| {
        out.put(&[length_octet.unwrap_or(u8::MAX)]);
        labels.iter().for_each(|label| out.put(&label.octets()));
        out.put(distinguisher);
        out.put(network(prefix, &mut [0; 16]));
    })
}

/// The maximum length of a route in octets: the length octet, and 255 bits.
const MAX_LENGTH: usize = 33;

/// Returns `true` if the length fits its octet and a receiver reads the same number of labels.
fn is_legal(labels: &Labels, distinguisher: usize, prefix: IpNet, format: &NlriFormat) -> bool {
    let labels = labels.encoded(format);
    let bits = (labels.len() * 3 + distinguisher) * 8 + usize::from(prefix.prefix_len());
    let Some((bottom, above)) = labels.split_last() else {
        return false;
    };
    // A receiver stops at the first S bit (RFC 8277 section 2.3), or after one label (section 2.2).
    let stack =
        above.is_empty() || (format.multiple_labels && above.iter().all(|l| !l.is_bottom()));
    // Without an S bit the receiver would read the prefix as labels. A withdrawal has none to read.
    let ends = format.withdrawn || !format.multiple_labels || bottom.is_bottom();
    // The length octet counts bits.
    bits <= 255
        && stack
        && ends
        && (format.family.afi == Afi::IPV6) == matches!(prefix, IpNet::V6(_))
}

impl LabeledPrefix {
    /// Parses one route.
    pub(super) fn split<'a>(input: &'a [u8], format: &NlriFormat) -> Parsed<'a, Self> {
        let (rest, (labels, _, prefix)) = split_parts(input, format)?;
        Ok((rest, Self { labels, prefix }))
    }

    /// Parses the output of `Display`. Returns `None` if the words do not begin with it.
    pub(super) fn parse(words: &mut Words<'_>) -> Option<Self> {
        Some(Self {
            prefix: words.next()?.parse::<IpNet>().ok()?.trunc(),
            labels: words
                .take("label")
                .then(|| words.next())?
                .and_then(parse_labels)?,
        })
    }
}

impl VpnPrefix {
    /// Parses one route.
    pub(super) fn split<'a>(input: &'a [u8], format: &NlriFormat) -> Parsed<'a, Self> {
        let (rest, (labels, distinguisher, prefix)) = split_parts(input, format)?;
        debug_assert!(distinguisher.is_some(), "the SAFI of a VPN prefix is VPN");
        let distinguisher = distinguisher.ok_or(nom::Err::Error(Short))?;
        let item = Self {
            distinguisher,
            labels,
            prefix,
        };
        Ok((rest, item))
    }

    /// Parses the output of `Display`. Returns `None` if the words do not begin with it.
    pub(super) fn parse(words: &mut Words<'_>) -> Option<Self> {
        Some(Self {
            prefix: words.next()?.parse::<IpNet>().ok()?.trunc(),
            distinguisher: words.value("rd")?,
            labels: words
                .take("label")
                .then(|| words.next())?
                .and_then(parse_labels)?,
        })
    }
}

impl NlriValue for LabeledPrefix {
    const MAX_LENGTH: usize = MAX_LENGTH;

    fn suits(family: Family) -> bool {
        matches!(family, Family::IPV4_LABELED | Family::IPV6_LABELED)
    }

    fn is_legal(&self, format: &NlriFormat) -> bool {
        is_legal(&self.labels, 0, self.prefix, format)
    }

    fn encoded_length(&self, format: &NlriFormat) -> usize {
        parts_length(&self.labels, 0, self.prefix, format)
    }

    fn write<'o>(&self, format: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        write_parts(&self.labels, &[], self.prefix, format, out)
    }
}

impl HasFamily for LabeledPrefix {
    fn family(&self) -> Family {
        match self.prefix {
            IpNet::V4(_) => Family::IPV4_LABELED,
            IpNet::V6(_) => Family::IPV6_LABELED,
        }
    }
}

impl fmt::Display for LabeledPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} label {}", self.prefix, self.labels)
    }
}

impl NlriValue for VpnPrefix {
    const MAX_LENGTH: usize = MAX_LENGTH;

    fn suits(family: Family) -> bool {
        matches!(family, Family::IPV4_VPN | Family::IPV6_VPN)
    }

    fn is_legal(&self, format: &NlriFormat) -> bool {
        // A route distinguisher is eight octets (RFC 4364 section 4.2).
        is_legal(&self.labels, 8, self.prefix, format)
    }

    fn encoded_length(&self, format: &NlriFormat) -> usize {
        parts_length(&self.labels, 8, self.prefix, format)
    }

    fn write<'o>(&self, format: &NlriFormat, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        write_parts(
            &self.labels,
            &self.distinguisher.0,
            self.prefix,
            format,
            out,
        )
    }
}

impl HasFamily for VpnPrefix {
    fn family(&self) -> Family {
        match self.prefix {
            IpNet::V4(_) => Family::IPV4_VPN,
            IpNet::V6(_) => Family::IPV6_VPN,
        }
    }
}

impl fmt::Display for VpnPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rd {} label {}",
            self.prefix, self.distinguisher, self.labels
        )
    }
}
