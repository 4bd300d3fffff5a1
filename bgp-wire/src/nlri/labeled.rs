//! Prefixes with MPLS labels (RFC 8277), and those of VPNs (RFC 4364, RFC 4659), which have a route distinguisher, too.

use core::fmt;

use ipnet::IpNet;

use super::NlriFormat;
use super::encode::{HasFamily, NlriValue, write_exactly};
use super::label::{Labels, parse_labels};
use super::unicast::{load, network};
use super::words::{Words, in_words};
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::parse::{Parsed, Short, array, octet, take};
use crate::route_distinguisher::RouteDistinguisher;
use crate::sink::Sink;

in_words! {
    LabeledPrefix, LabeledPrefix::parse,
    "a prefix and its labels: 192.168.10.0/24 label 100"
}

in_words! {
    VpnPrefix, VpnPrefix::parse,
    "a prefix, its route distinguisher and its labels: 192.168.10.0/24 rd 64512:1 label 100"
}

/// A prefix with its labels (RFC 8277), written `192.168.10.0/24 label 100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabeledPrefix {
    /// The labels; in a withdrawal they mean nothing.
    pub labels: Labels,
    /// The prefix, host bits cleared.
    pub prefix: IpNet,
}

/// A prefix of a VPN (RFC 4364, RFC 4659), written `192.168.10.0/24 rd 64512:1 label 100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VpnPrefix {
    /// Which VPN's prefix it is.
    pub distinguisher: RouteDistinguisher,
    /// The labels; in a withdrawal they mean nothing.
    pub labels: Labels,
    /// The prefix, host bits cleared.
    pub prefix: IpNet,
}

/// Both kinds read alike: a length in bits of all that follows, labels, perhaps a route distinguisher, a prefix.
type Parts = (Labels, Option<RouteDistinguisher>, IpNet);

fn split_parts<'a>(input: &'a [u8], format: &NlriFormat) -> Parsed<'a, Parts> {
    let (rest, bits) = octet(input)?;
    let (rest, octets) = take(rest, usize::from(bits).div_ceil(8))?;
    let (prefix, labels) = Labels::split(octets, format)?;
    let (prefix, distinguisher) = if format.family.safi == Safi::VPN {
        let (prefix, octets) = array(prefix)?;
        (prefix, Some(RouteDistinguisher(octets)))
    } else {
        (prefix, None)
    };
    // All in front of the prefix is whole octets.
    let used = (octets.len() - prefix.len()) * 8;
    let net = usize::from(bits)
        .checked_sub(used)
        .and_then(|bits| load(prefix, u8::try_from(bits).ok()?, format.family.afi));
    let net = net.ok_or(nom::Err::Error(Short))?;
    Ok((rest, (labels, distinguisher, net)))
}

fn parts_length(
    labels: &Labels,
    distinguisher: usize,
    prefix: IpNet,
    format: &NlriFormat,
) -> usize {
    1 + labels.sent(format).len() * 3 + distinguisher + usize::from(prefix.prefix_len()).div_ceil(8)
}

fn write_parts<'o>(
    labels: &Labels,
    distinguisher: &[u8],
    prefix: IpNet,
    format: &NlriFormat,
    out: &'o mut [u8],
) -> Option<&'o mut [u8]> {
    let length = parts_length(labels, distinguisher.len(), prefix, format);
    let labels = labels.sent(format);
    let bits = (labels.len() * 3 + distinguisher.len()) * 8 + usize::from(prefix.prefix_len());
    let bits = u8::try_from(bits);
    debug_assert!(bits.is_ok(), "is_legal() limits the bits");
    write_exactly(length, out, |out| {
        out.put(&[bits.unwrap_or(u8::MAX)]);
        labels.iter().for_each(|label| out.put(&label.octets()));
        out.put(distinguisher);
        out.put(network(prefix, &mut [0; 16]));
    })
}

/// The most octets of one route: a length octet, and the 255 bits that it can say.
const MAX_LENGTH: usize = 33;

/// Whether the length octet can say how many bits there are, and a receiver reads as many labels as there are.
fn is_legal(labels: &Labels, distinguisher: usize, prefix: IpNet, format: &NlriFormat) -> bool {
    let labels = labels.sent(format);
    let bits = (labels.len() * 3 + distinguisher) * 8 + usize::from(prefix.prefix_len());
    let Some((bottom, above)) = labels.split_last() else {
        return false;
    };
    let stack =
        above.is_empty() || (format.multiple_labels && above.iter().all(|l| !l.is_bottom()));
    let ends = format.withdrawn || !format.multiple_labels || bottom.is_bottom();
    bits <= 255
        && stack
        && ends
        && (format.family.afi == Afi::IPV6) == matches!(prefix, IpNet::V6(_))
}

impl LabeledPrefix {
    pub(super) fn split<'a>(input: &'a [u8], format: &NlriFormat) -> Parsed<'a, Self> {
        let (rest, (labels, _, prefix)) = split_parts(input, format)?;
        Ok((rest, Self { labels, prefix }))
    }

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
