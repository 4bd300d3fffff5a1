//! Prefixes with MPLS labels (RFC 8277), and those of VPNs (RFC 4364, RFC 4659), which have a route distinguisher, too.

use core::fmt;
use core::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::encode::{HasFamily, NlriValue, write_exactly};
use super::words::{Words, in_words};
use super::{Form, UnicastPrefix};
use crate::family::Family;
use crate::iana::{Afi, Safi};
use crate::parse::{Parsed, Short, array, octet, take};
use crate::route_distinguisher::RouteDistinguisher;
use crate::sink::Sink;
use crate::text::{ParseValueError, hex_array, number};

/// One entry of a label stack: a label of 20 bits, three bits for the traffic class and the S bit (RFC 3032).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label([u8; 3]);

impl Label {
    /// What stands in the label field of a withdrawal (RFC 8277 section 2.4).
    pub const WITHDRAWN: Self = Self([0x80, 0, 0]);

    /// The label with this number, at the bottom of its stack; `None` above 1048575.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        match (number << 4 | 1).to_be_bytes() {
            [0, octets @ ..] if number < 1 << 20 => Some(Self(octets)),
            _ => None,
        }
    }

    /// The three octets of the entry.
    #[must_use]
    pub const fn octets(self) -> [u8; 3] {
        self.0
    }

    /// The label, 0 to 1048575.
    #[must_use]
    pub const fn number(self) -> u32 {
        let [a, b, c] = self.0;
        u32::from_be_bytes([0, a, b, c]) >> 4
    }

    /// The S bit: no entry follows.
    #[must_use]
    pub const fn is_bottom(self) -> bool {
        let [.., low] = self.0;
        low & 1 != 0
    }

    const fn with_bottom(self, bottom: bool) -> Self {
        let [a, b, low] = self.0;
        Self([a, b, if bottom { low | 1 } else { low & !1 }])
    }
}

/// A label stack as it stands in front of a prefix: one to ten entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels {
    entries: [Label; Self::MOST],
    count: u8,
}

impl Labels {
    /// As many entries as the length octet of an NLRI allows.
    pub const MOST: usize = 10;

    /// The stack of these labels, of which the last gets the S bit; `None` for none or more than ten.
    #[must_use]
    pub fn new(labels: impl IntoIterator<Item = Label>) -> Option<Self> {
        let mut stack = Self::collect(labels)?;
        let last = usize::from(stack.count).checked_sub(1)?;
        for (position, entry) in stack.entries.iter_mut().enumerate() {
            *entry = entry.with_bottom(position == last);
        }
        stack.clear_rest();
        Some(stack)
    }

    fn collect(labels: impl IntoIterator<Item = Label>) -> Option<Self> {
        let mut stack = Self {
            entries: [Label([0; 3]); Self::MOST],
            count: 0,
        };
        for label in labels {
            *stack.entries.get_mut(usize::from(stack.count))? = label;
            stack.count += 1;
        }
        (stack.count > 0).then_some(stack)
    }

    /// Entries that are not there do not tell two stacks apart.
    fn clear_rest(&mut self) {
        for entry in self.entries.iter_mut().skip(self.count.into()) {
            *entry = Label([0; 3]);
        }
    }

    /// The entries, topmost first.
    #[must_use]
    pub fn as_slice(&self) -> &[Label] {
        self.entries
            .get(..usize::from(self.count))
            .unwrap_or_default()
    }

    fn split<'a>(input: &'a [u8], form: &Form) -> Parsed<'a, Self> {
        let (mut rest, first) = array(input)?;
        let mut stack = Self::collect([Label(first)]).ok_or(nom::Err::Error(Short))?;
        let mut last = Label(first);
        while form.multiple_labels && !form.withdrawn && !last.is_bottom() {
            let (after, octets) = array(rest)?;
            (rest, last) = (after, Label(octets));
            let slot = stack.entries.get_mut(usize::from(stack.count));
            *slot.ok_or(nom::Err::Error(Short))? = last;
            stack.count += 1;
        }
        Ok((rest, stack))
    }

    /// What is written of the stack: a withdrawal has one field that means nothing.
    fn sent(&self, form: &Form) -> &[Label] {
        if form.withdrawn {
            &[Label::WITHDRAWN]
        } else {
            self.as_slice()
        }
    }
}

impl From<Label> for Labels {
    fn from(label: Label) -> Self {
        let mut entries = [Label([0; 3]); Self::MOST];
        [entries[0], ..] = [label; Self::MOST];
        Self { entries, count: 1 }
    }
}

impl fmt::Display for Labels {
    /// Numbers with `/` between them; an entry whose other bits are not the usual ones in hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = usize::from(self.count).saturating_sub(1);
        for (position, label) in self.as_slice().iter().enumerate() {
            let slash = if position == 0 { "" } else { "/" };
            let [a, b, c] = label.0;
            if c & 0x0f == u8::from(position == last) {
                write!(f, "{slash}{}", label.number())?;
            } else {
                write!(f, "{slash}0x{a:02x}{b:02x}{c:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Label {
    /// As the one entry of a stack.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Labels::from(*self).fmt(f)
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Labels({self})")
    }
}

fn parse_labels(text: &str) -> Option<Labels> {
    let last = text.split('/').count() - 1;
    let mut stack = Labels::collect([Label([0; 3])])?;
    stack.count = 0;
    for (position, entry) in text.split('/').enumerate() {
        let label = match hex_array(entry) {
            Some(octets) => Label(octets),
            None => Label::new(number(entry)?)?.with_bottom(position == last),
        };
        *stack.entries.get_mut(position)? = label;
        stack.count += 1;
    }
    Some(stack)
}

impl FromStr for Labels {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        parse_labels(text).ok_or(ParseValueError {
            expected: "labels of 0 to 1048575 with / between them: 100 or 100/200, at most ten",
        })
    }
}

impl FromStr for Label {
    type Err = ParseValueError;

    fn from_str(text: &str) -> Result<Self, ParseValueError> {
        let labels = parse_labels(text);
        let label = labels.and_then(|labels| labels.as_slice().as_array().copied());
        label.map(|[label]| label).ok_or(ParseValueError {
            expected: "a label of 0 to 1048575",
        })
    }
}

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

fn split_parts<'a>(input: &'a [u8], form: &Form) -> Parsed<'a, Parts> {
    let (rest, bits) = octet(input)?;
    let (rest, octets) = take(rest, usize::from(bits).div_ceil(8))?;
    let (prefix, labels) = Labels::split(octets, form)?;
    let (prefix, distinguisher) = if form.family.safi == Safi::VPN {
        let (prefix, octets) = array(prefix)?;
        (prefix, Some(RouteDistinguisher(octets)))
    } else {
        (prefix, None)
    };
    // All in front of the prefix is whole octets.
    let used = (octets.len() - prefix.len()) * 8;
    let net = usize::from(bits)
        .checked_sub(used)
        .and_then(|bits| load(prefix, u8::try_from(bits).ok()?, form.family.afi));
    let net = net.ok_or(nom::Err::Error(Short))?;
    Ok((rest, (labels, distinguisher, net)))
}

/// The prefix of so many bits at the start of `octets`, of the kind of its family.
pub(super) fn load(octets: &[u8], bits: u8, afi: Afi) -> Option<IpNet> {
    if usize::from(bits) > octets.len() * 8 {
        return None;
    }
    if afi == Afi::IPV6 {
        Ipv6Net::load(bits, octets).map(IpNet::V6)
    } else {
        Ipv4Net::load(bits, octets).map(IpNet::V4)
    }
}

/// The octets of the network, of which the first `bits` count.
pub(super) fn network(prefix: IpNet, into: &mut [u8; 16]) -> &[u8] {
    let bits = prefix.prefix_len();
    match prefix.network() {
        core::net::IpAddr::V4(address) => *into = pad(address.octets()),
        core::net::IpAddr::V6(address) => *into = address.octets(),
    }
    into.get(..usize::from(bits).div_ceil(8))
        .unwrap_or_default()
}

fn pad([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

fn parts_length(labels: &Labels, distinguisher: usize, prefix: IpNet, form: &Form) -> usize {
    1 + labels.sent(form).len() * 3 + distinguisher + usize::from(prefix.prefix_len()).div_ceil(8)
}

fn write_parts<'o>(
    labels: &Labels,
    distinguisher: &[u8],
    prefix: IpNet,
    form: &Form,
    out: &'o mut [u8],
) -> Option<&'o mut [u8]> {
    let length = parts_length(labels, distinguisher.len(), prefix, form);
    let labels = labels.sent(form);
    let bits = (labels.len() * 3 + distinguisher.len()) * 8 + usize::from(prefix.prefix_len());
    write_exactly(length, out, |out| {
        out.put(&[u8::try_from(bits).unwrap_or(u8::MAX)]);
        labels.iter().for_each(|label| out.put(&label.0));
        out.put(distinguisher);
        out.put(network(prefix, &mut [0; 16]));
    })
}

/// The most octets of one route: a length octet, and the 255 bits that it can say.
const MAX_LENGTH: usize = 33;

/// Whether the length octet can say how many bits there are, and a receiver reads as many labels as there are.
fn is_legal(labels: &Labels, distinguisher: usize, prefix: IpNet, form: &Form) -> bool {
    let labels = labels.sent(form);
    let bits = (labels.len() * 3 + distinguisher) * 8 + usize::from(prefix.prefix_len());
    let Some((bottom, above)) = labels.split_last() else {
        return false;
    };
    let stack = above.is_empty() || (form.multiple_labels && above.iter().all(|l| !l.is_bottom()));
    let ends = form.withdrawn || !form.multiple_labels || bottom.is_bottom();
    bits <= 255 && stack && ends && (form.family.afi == Afi::IPV6) == matches!(prefix, IpNet::V6(_))
}

impl LabeledPrefix {
    pub(super) fn split<'a>(input: &'a [u8], form: &Form) -> Parsed<'a, Self> {
        let (rest, (labels, _, prefix)) = split_parts(input, form)?;
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
    pub(super) fn split<'a>(input: &'a [u8], form: &Form) -> Parsed<'a, Self> {
        let (rest, (labels, distinguisher, prefix)) = split_parts(input, form)?;
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

    fn is_legal(&self, form: &Form) -> bool {
        is_legal(&self.labels, 0, self.prefix, form)
    }

    fn encoded_length(&self, form: &Form) -> usize {
        parts_length(&self.labels, 0, self.prefix, form)
    }

    fn write<'o>(&self, form: &Form, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        write_parts(&self.labels, &[], self.prefix, form, out)
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

    fn is_legal(&self, form: &Form) -> bool {
        is_legal(&self.labels, 8, self.prefix, form)
    }

    fn encoded_length(&self, form: &Form) -> usize {
        parts_length(&self.labels, 8, self.prefix, form)
    }

    fn write<'o>(&self, form: &Form, out: &'o mut [u8]) -> Option<&'o mut [u8]> {
        write_parts(&self.labels, &self.distinguisher.0, self.prefix, form, out)
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
