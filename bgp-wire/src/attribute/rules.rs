//! RFC 7606 as data: for every attribute its flags, its length, its value, and what a fault costs.
//!
//! Sections 3 and 7 of RFC 7606, with RFC 7607 (AS 0), RFC 6793 section 6 and RFC 8092 section 6.

use core::net::Ipv4Addr;

use super::AsPath;
use super::mp::{MpReach, MpUnreach};
use super::raw::{AttributeFlags, RawAttribute};
use crate::context::{Context, PeerKind};
use crate::iana::{AttributeCode, Origin};
use crate::parse::{Parsed, Short, be_u16, length_value_u16, octet, take};
use crate::reason::Reason;

/// What a fault costs, weakest first (RFC 7606 section 2). Of several faults the strongest counts (section 3 (h)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Treatment {
    /// Attribute discard: as if the attribute were not there.
    Discard,
    /// Treat-as-withdraw: as if the routes had been withdrawn.
    Withdraw,
    /// Session reset.
    Reset,
}

/// The rule for one attribute.
pub(crate) struct Rule {
    code: AttributeCode,
    flags: u8,
    length: Length,
    value: fn(&RawAttribute<'_>, &Context) -> Option<Reason>,
    external: Peer,
    internal: Peer,
}

/// What is done with an attribute from one kind of peer.
#[derive(Clone, Copy)]
enum Peer {
    /// It is used; a fault costs this much.
    Accepts(Treatment),
    /// It is not for this kind of peer and discarded, right or wrong.
    Ignores,
}

#[derive(Clone, Copy)]
enum Length {
    Any,
    Exactly(usize),
    AtLeast(usize),
    /// A positive multiple.
    Multiple(usize),
    /// Six octets, or eight on a session with four-octet AS numbers.
    Aggregator,
}

use Peer::{Accepts, Ignores};
use Treatment::{Discard, Reset, Withdraw};

const WELL_KNOWN: u8 = AttributeFlags::TRANSITIVE;
const OPTIONAL: u8 = AttributeFlags::OPTIONAL;
const OPTIONAL_TRANSITIVE: u8 = AttributeFlags::OPTIONAL | AttributeFlags::TRANSITIVE;

macro_rules! rules {
    ($( $code:ident, $flags:ident, $length:expr, $value:expr, $external:expr, $internal:expr; )+) => {
        &[$( Rule {
            code: AttributeCode::$code, flags: $flags, length: $length, value: $value,
            external: $external, internal: $internal,
        } ),+]
    };
}

#[rustfmt::skip]
const RULES: &[Rule] = rules! {
    // code             flags                length               value      from eBGP           from iBGP
    ORIGIN,               WELL_KNOWN,          Length::Exactly(1),  origin,    Accepts(Withdraw), Accepts(Withdraw);
    AS_PATH,              WELL_KNOWN,          Length::Any,         as_path,   Accepts(Withdraw), Accepts(Withdraw);
    NEXT_HOP,             WELL_KNOWN,          Length::Exactly(4),  next_hop,  Accepts(Withdraw), Accepts(Withdraw);
    MULTI_EXIT_DISC,      OPTIONAL,            Length::Exactly(4),  any,       Accepts(Withdraw), Accepts(Withdraw);
    LOCAL_PREF,           WELL_KNOWN,          Length::Exactly(4),  any,       Ignores,           Accepts(Withdraw);
    ATOMIC_AGGREGATE,     WELL_KNOWN,          Length::Exactly(0),  any,       Accepts(Discard),  Accepts(Discard);
    AGGREGATOR,           OPTIONAL_TRANSITIVE, Length::Aggregator,  any,       Accepts(Discard),  Accepts(Discard);
    COMMUNITIES,          OPTIONAL_TRANSITIVE, Length::Multiple(4), any,       Accepts(Withdraw), Accepts(Withdraw);
    ORIGINATOR_ID,        OPTIONAL,            Length::Exactly(4),  any,       Ignores,           Accepts(Withdraw);
    CLUSTER_LIST,         OPTIONAL,            Length::Multiple(4), any,       Ignores,           Accepts(Withdraw);
    MP_REACH_NLRI,        OPTIONAL,            Length::Any,         reach,     Accepts(Reset),    Accepts(Reset);
    MP_UNREACH_NLRI,      OPTIONAL,            Length::Any,         unreach,   Accepts(Reset),    Accepts(Reset);
    EXTENDED_COMMUNITIES, OPTIONAL_TRANSITIVE, Length::Multiple(8), any,       Accepts(Withdraw), Accepts(Withdraw);
    AS4_PATH,             OPTIONAL_TRANSITIVE, Length::Any,         as4_path,  Accepts(Discard),  Accepts(Discard);
    AS4_AGGREGATOR,       OPTIONAL_TRANSITIVE, Length::Exactly(8),  as4,       Accepts(Discard),  Accepts(Discard);
    PMSI_TUNNEL,          OPTIONAL_TRANSITIVE, Length::AtLeast(5),  any,       Accepts(Withdraw), Accepts(Withdraw);
    TUNNEL_ENCAPSULATION, OPTIONAL_TRANSITIVE, Length::Any,         tunnels,   Accepts(Withdraw), Accepts(Withdraw);
    IPV6_EXTENDED_COMMUNITIES, OPTIONAL_TRANSITIVE, Length::Multiple(20), any, Accepts(Withdraw), Accepts(Withdraw);
    AIGP,                 OPTIONAL,            Length::Any,         aigp,      Ignores,           Accepts(Discard);
    LARGE_COMMUNITIES,    OPTIONAL_TRANSITIVE, Length::Multiple(12), any,      Accepts(Withdraw), Accepts(Withdraw);
    ONLY_TO_CUSTOMER,     OPTIONAL_TRANSITIVE, Length::Exactly(4),  any,       Accepts(Withdraw), Accepts(Withdraw);
    PREFIX_SID,           OPTIONAL_TRANSITIVE, Length::Any,         sids,      Accepts(Discard),  Accepts(Discard);
    ATTR_SET,             OPTIONAL_TRANSITIVE, Length::AtLeast(4),  any,       Accepts(Withdraw), Accepts(Withdraw);
};

/// What the rules say of one attribute: `None` if it stands, else what is done and why.
#[inline]
pub(crate) fn verdict(raw: &RawAttribute<'_>, context: &Context) -> Option<(Treatment, Reason)> {
    let Some(rule) = rule(raw.code) else {
        // RFC 4271 section 6.3, which RFC 7606 does not revise.
        return (!raw.flags.is_optional())
            .then_some((Reset, Reason::UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE));
    };
    let peer = match context.peer {
        PeerKind::External => rule.external,
        PeerKind::Internal => rule.internal,
    };
    let fault = match peer {
        Ignores => return Some((Discard, Reason::OPTIONAL_ATTRIBUTE_ERROR)),
        Accepts(treatment) => treatment,
    };
    if raw.flags.0 & OPTIONAL_TRANSITIVE != rule.flags {
        // RFC 7606 section 3 (c): withdraw, unless the attribute is one that decides where the routes are.
        return Some((fault.max(Withdraw), Reason::ATTRIBUTE_FLAGS_ERROR));
    }
    if !rule.length.allows(raw.value.len(), context) {
        return Some((fault, Reason::ATTRIBUTE_LENGTH_ERROR));
    }
    (rule.value)(raw, context).map(|reason| (fault, reason))
}

/// The bits of Optional and Transitive with which an attribute is sent.
pub(crate) fn flags(code: AttributeCode) -> u8 {
    rule(code).map_or(OPTIONAL_TRANSITIVE, |rule| rule.flags)
}

/// The rules by code.
#[expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "evaluated at compile time"
)]
const BY_CODE: [Option<&Rule>; INDEXED] = {
    let mut table = [None; INDEXED];
    let mut next = 0;
    while next < RULES.len() {
        table[RULES[next].code.0 as usize] = Some(&RULES[next]);
        next += 1;
    }
    table
};

/// One more than the largest code that has a rule.
pub(crate) const INDEXED: usize = 129;

fn rule(code: AttributeCode) -> Option<&'static Rule> {
    BY_CODE.get(usize::from(code.0)).copied().flatten()
}

impl Length {
    fn allows(self, length: usize, context: &Context) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(octets) => length == octets,
            Self::AtLeast(octets) => length >= octets,
            Self::Multiple(octets) => length > 0 && length.is_multiple_of(octets),
            Self::Aggregator => length == if context.four_octet_as { 8 } else { 6 },
        }
    }
}

fn any(_: &RawAttribute<'_>, _: &Context) -> Option<Reason> {
    None
}

fn origin(raw: &RawAttribute<'_>, _: &Context) -> Option<Reason> {
    let known = raw
        .value
        .first()
        .is_some_and(|value| Origin(*value).name().is_some());
    (!known).then_some(Reason::INVALID_ORIGIN_ATTRIBUTE)
}

fn as_path(raw: &RawAttribute<'_>, context: &Context) -> Option<Reason> {
    // RFC 5065 section 5: confederation segments come from confederation peers only.
    let path = AsPath::new(raw.value, context.four_octet_as);
    if !path.is_well_formed(false) {
        return Some(Reason::MALFORMED_AS_PATH);
    }
    // RFC 4271 section 6.3: the neighbour puts itself first. Section 9.1.2: our own AS in the path is a loop.
    let foreign = context.peer == PeerKind::External
        && context
            .peer_as
            .is_some_and(|peer| path.asns().next() != Some(peer));
    let looped = context
        .local_as
        .is_some_and(|local| path.asns().any(|asn| asn == local));
    (foreign || looped).then_some(Reason::MALFORMED_AS_PATH)
}

fn next_hop(raw: &RawAttribute<'_>, context: &Context) -> Option<Reason> {
    let address = Ipv4Addr::from(*raw.value.first_chunk::<4>()?);
    // RFC 4271 section 6.3: syntactically a host's address.
    let [first, ..] = address.octets();
    let ours = context.local_address == Some(address.into());
    (ours || first == 0 || first == 127 || first >= 224)
        .then_some(Reason::INVALID_NEXT_HOP_ATTRIBUTE)
}

fn reach(raw: &RawAttribute<'_>, context: &Context) -> Option<Reason> {
    MpReach::decode(*raw, context)
        .err()
        .map(|_| Reason::OPTIONAL_ATTRIBUTE_ERROR)
}

fn unreach(raw: &RawAttribute<'_>, context: &Context) -> Option<Reason> {
    MpUnreach::decode(*raw, context)
        .err()
        .map(|_| Reason::OPTIONAL_ATTRIBUTE_ERROR)
}

/// RFC 9012 section 13: a sequence of TLVs, each within the attribute.
fn tunnels(raw: &RawAttribute<'_>, _: &Context) -> Option<Reason> {
    let tunnel = |input| be_u16(input).and_then(|(rest, _type)| length_value_u16(rest));
    (!is_sequence(raw.value, tunnel)).then_some(Reason::OPTIONAL_ATTRIBUTE_ERROR)
}

/// RFC 7311 section 3: TLVs whose length counts their type and length; the first has the metric of eight octets.
fn aigp(raw: &RawAttribute<'_>, _: &Context) -> Option<Reason> {
    let metric = raw.value.get(..3) == Some(&[1, 0, 11]);
    (!metric || !is_sequence(raw.value, aigp_tlv)).then_some(Reason::OPTIONAL_ATTRIBUTE_ERROR)
}

fn aigp_tlv(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, _type) = octet(input)?;
    let (rest, length) = be_u16(rest)?;
    let length = usize::from(length)
        .checked_sub(3)
        .ok_or(nom::Err::Error(Short))?;
    take(rest, length)
}

/// RFC 8669 section 6: a sequence of TLVs, each within the attribute.
fn sids(raw: &RawAttribute<'_>, _: &Context) -> Option<Reason> {
    let tlv = |input| octet(input).and_then(|(rest, _type)| length_value_u16(rest));
    (!is_sequence(raw.value, tlv)).then_some(Reason::OPTIONAL_ATTRIBUTE_ERROR)
}

/// Whether `octets` are whole items, at least one.
fn is_sequence<'a, T>(octets: &'a [u8], item: impl Fn(&'a [u8]) -> Parsed<'a, T>) -> bool {
    let mut rest = octets;
    while let Ok((after, _)) = item(rest) {
        if after.is_empty() {
            return true;
        }
        rest = after;
    }
    false
}

/// RFC 6793 section 4.1: nothing between two speakers of four-octet AS numbers.
fn as4(_: &RawAttribute<'_>, context: &Context) -> Option<Reason> {
    context
        .four_octet_as
        .then_some(Reason::OPTIONAL_ATTRIBUTE_ERROR)
}

fn as4_path(raw: &RawAttribute<'_>, context: &Context) -> Option<Reason> {
    // RFC 6793 section 6: AS4_PATH has no confederation segments.
    let well_formed = !raw.value.is_empty() && AsPath::new(raw.value, true).is_well_formed(false);
    if well_formed {
        as4(raw, context)
    } else {
        Some(Reason::OPTIONAL_ATTRIBUTE_ERROR)
    }
}
