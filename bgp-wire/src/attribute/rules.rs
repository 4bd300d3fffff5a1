//! RFC 7606 as a table: the flags, length and value of each attribute, and the treatment of a fault.
//!
//! The table follows sections 3 and 7 of RFC 7606, with RFC 7607 (AS 0), RFC 6793 section 6, RFC 8092 section 6, and
//! RFC 9774 (sets).

mod fast;

pub(crate) use fast::{SLOTS, fast_rules, slot};

use super::as_path::AllowedSegments;
use super::raw::{AttrSet, AttributeFlags, RawAttribute};
use super::tunnel::{Aigp, PrefixSid, TunnelEncapsulation};
use super::{Aggregator, AsPath};
use crate::context::{Context, PeerKind};
use crate::iana::{AttributeCode, Origin};
use crate::reason::Reason;

/// The treatment of a fault, weakest first (RFC 7606 section 2). Of several faults the strongest counts (section 3
/// (h)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Treatment {
    /// Attribute discard: the UPDATE is processed without the attribute.
    Discard,
    /// Treat-as-withdraw: the announced routes are processed as withdrawn.
    Withdraw,
    /// Session reset: the session ends with a NOTIFICATION.
    Reset,
}

impl core::fmt::Display for Treatment {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Discard => "attribute discard",
            Self::Withdraw => "treat-as-withdraw",
            Self::Reset => "session reset",
        })
    }
}

/// The rule for one attribute.
pub(crate) struct Rule {
    code: AttributeCode,
    flags: Flags,
    length: LengthRule,
    value: ValueRule,
    external: PeerRule,
    internal: PeerRule,
    confederation: PeerRule,
}

/// The check of a value beyond its length.
#[derive(Clone, Copy)]
enum ValueRule {
    Any,
    Origin,
    AsPath,
    /// Not malformed if the address is not a host's, but unusable: [`Update::check`](crate::Update::check) decides.
    Host,
    Aggregator,
    /// Items of three 32-bit words.
    Triples,
    /// Checked with the routes in it, by [`super::MpReach`] and [`super::MpUnreach`].
    Routes,
    As4Path,
    As4Aggregator,
    Tunnels,
    Aigp,
    Sids,
    Attributes,
}

/// The fault of a value: the reason, and the minimum treatment even if the attribute's own treatment is weaker.
type Finding = Option<(Treatment, Reason)>;

/// The handling of an attribute from one kind of peer.
#[derive(Clone, Copy)]
enum PeerRule {
    /// The attribute is used, and a fault has this treatment.
    Accepts(Treatment),
    /// The attribute is discarded, valid or not.
    Ignores,
}

/// The permitted lengths of a value, in octets.
#[derive(Clone, Copy)]
enum LengthRule {
    Any,
    Exactly(usize),
    AtLeast(usize),
    /// A positive multiple.
    Multiple(usize),
    /// 6, or 8 on a session with four-octet AS numbers.
    Aggregator,
}

use PeerRule::{Accepts, Ignores};
use Treatment::{Discard, Reset, Withdraw};

/// The required Optional and Transitive bits, and the minimum treatment of other bits (RFC 7606 section 3 (c)).
type Flags = (u8, Treatment);

const WELL_KNOWN: Flags = (AttributeFlags::TRANSITIVE, Withdraw);
const OPTIONAL: Flags = (AttributeFlags::OPTIONAL, Withdraw);
const OPTIONAL_TRANSITIVE: Flags = (CLASS, Withdraw);
// RFC 7311 section 3.2: a malformed AIGP is discarded, also one with the wrong Transitive bit.
const OPTIONAL_OR_DISCARD: Flags = (AttributeFlags::OPTIONAL, Discard);

/// The bits that give the class of an attribute: well-known or optional, transitive or not.
const CLASS: u8 = AttributeFlags::OPTIONAL | AttributeFlags::TRANSITIVE;

macro_rules! rules {
    ($( $code:ident, $flags:ident, $length:expr, $value:expr, $external:expr, $internal:expr, $confederation:expr; )+) => {
        &[$( Rule {
            code: AttributeCode::$code, flags: $flags, length: $length, value: $value,
            external: $external, internal: $internal, confederation: $confederation,
        } ),+]
    };
}

/// The rule of every parsed attribute except ATTR_SET.
// One line for each attribute, so that it can be compared with the sections of RFC 7606.
#[rustfmt::skip]
const RULES: &[Rule] = rules! {
    // code                    flags                length                   value                  from eBGP         
    // from iBGP          from a confederation
    ORIGIN,                    WELL_KNOWN,          LengthRule::Exactly(1),  ValueRule::Origin,     Accepts(Withdraw), Accepts(Withdraw), Accepts(Withdraw);
    AS_PATH,                   WELL_KNOWN,          LengthRule::Any,         ValueRule::AsPath,     Accepts(Withdraw), Accepts(Withdraw), Accepts(Withdraw);
    NEXT_HOP,                  WELL_KNOWN,          LengthRule::Exactly(4),  ValueRule::Host,       Accepts(Withdraw), Accepts(Withdraw), Accepts(Withdraw);
    MULTI_EXIT_DISC,           OPTIONAL,            LengthRule::Exactly(4),  ValueRule::Any,        Accepts(Withdraw), Accepts(Withdraw), Accepts(Withdraw);
    LOCAL_PREF,                WELL_KNOWN,          LengthRule::Exactly(4),  ValueRule::Any,        Ignores,          Accepts(Withdraw), Accepts(Withdraw);
    ATOMIC_AGGREGATE,          WELL_KNOWN,          LengthRule::Exactly(0),  ValueRule::Any,        Accepts(Discard), Accepts(Discard), Accepts(Discard);
    AGGREGATOR,                OPTIONAL_TRANSITIVE, LengthRule::Aggregator,  ValueRule::Aggregator, Accepts(Discard), Accepts(Discard), Accepts(Discard);
    COMMUNITIES,               OPTIONAL_TRANSITIVE, LengthRule::Multiple(4), ValueRule::Any,        Accepts(Withdraw), Accepts(Withdraw), Accepts(Withdraw);
    ORIGINATOR_ID,             OPTIONAL,            LengthRule::Exactly(4),  ValueRule::Any,        Ignores,          Accepts(Withdraw), Ignores;
    CLUSTER_LIST,              OPTIONAL,            LengthRule::Multiple(4), ValueRule::Any,        Ignores,          Accepts(Withdraw), Ignores;
    MP_REACH_NLRI,             OPTIONAL,            LengthRule::Any,         ValueRule::Routes,     Accepts(Reset),   Accepts(Reset),   Accepts(Reset);
    MP_UNREACH_NLRI,           OPTIONAL,            LengthRule::Any,         ValueRule::Routes,     Accepts(Reset),   Accepts(Reset),   Accepts(Reset);
    EXTENDED_COMMUNITIES,      OPTIONAL_TRANSITIVE, LengthRule::Multiple(8), ValueRule::Any,        Accepts(Withdraw), Accepts(Withdraw), Accepts(Withdraw);
    AS4_PATH,                  OPTIONAL_TRANSITIVE, LengthRule::Any,         ValueRule::As4Path,    Accepts(Discard), Accepts(Discard), Accepts(Discard);
    AS4_AGGREGATOR,            OPTIONAL_TRANSITIVE, LengthRule::Exactly(8),  ValueRule::As4Aggregator, Accepts(Discard), Accepts(Discard), Accepts(Discard);
    PMSI_TUNNEL,               OPTIONAL_TRANSITIVE, LengthRule::AtLeast(5),  ValueRule::Any,        Accepts(Withdraw), Accepts(Withdraw), Accepts(Withdraw);
    TUNNEL_ENCAPSULATION,      OPTIONAL_TRANSITIVE, LengthRule::Any,         ValueRule::Tunnels,    Accepts(Withdraw), Accepts(Withdraw), Accepts(Withdraw);
    IPV6_EXTENDED_COMMUNITIES, OPTIONAL_TRANSITIVE, LengthRule::Multiple(20), ValueRule::Any,        Accepts(Withdraw), Accepts(Withdraw), Accepts(Withdraw);
    AIGP,                      OPTIONAL_OR_DISCARD, LengthRule::Any,         ValueRule::Aigp,       Ignores,          Accepts(Discard), Accepts(Discard);
    LARGE_COMMUNITIES,         OPTIONAL_TRANSITIVE, LengthRule::Multiple(12), ValueRule::Triples,    Accepts(Withdraw), Accepts(Withdraw), Accepts(Withdraw);
    ONLY_TO_CUSTOMER,          OPTIONAL_TRANSITIVE, LengthRule::Exactly(4),  ValueRule::Any,        Accepts(Withdraw), Accepts(Withdraw), Accepts(Withdraw);
    PREFIX_SID,                OPTIONAL_TRANSITIVE, LengthRule::Any,         ValueRule::Sids,       Ignores,          Accepts(Discard), Accepts(Discard);
};

/// Applies the rules to one attribute. Returns `None` if the attribute is valid, else the treatment and the reason.
pub(crate) fn verdict(raw: &RawAttribute<'_>, context: &Context) -> Option<(Treatment, Reason)> {
    let Some(rule) = rule(raw.code) else {
        // RFC 4271 section 6.3, which RFC 7606 does not revise: an unknown well-known attribute resets the session.
        return (!raw.flags.is_optional())
            .then_some((Reset, Reason::UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE));
    };
    // RFC 6793 section 4.1: between two speakers of four-octet AS numbers these attributes are discarded, valid or not.
    if context.four_octet_as
        && matches!(
            raw.code,
            AttributeCode::AS4_PATH | AttributeCode::AS4_AGGREGATOR
        )
    {
        return Some((Discard, Reason::OPTIONAL_ATTRIBUTE_ERROR));
    }
    // RFC 7606 sections 7.5, 7.9 and 7.10: an attribute from a peer that may not send it is discarded, valid or not.
    let fault = match rule.from(context.peer_kind) {
        Ignores => return Some((Discard, Reason::OPTIONAL_ATTRIBUTE_ERROR)),
        Accepts(treatment) => treatment,
    };
    let (flags, cost) = rule.flags;
    if raw.flags.0 & CLASS != flags {
        return Some((fault.max(cost), Reason::ATTRIBUTE_FLAGS_ERROR));
    }
    if !rule.length.allows(raw.value.len(), context) {
        return Some((fault, Reason::ATTRIBUTE_LENGTH_ERROR));
    }
    let (minimum, reason) = rule.value.fault(raw, context)?;
    Some((fault.max(minimum), reason))
}

impl Rule {
    /// Returns the rule for one kind of peer.
    const fn from(&self, peer: PeerKind) -> PeerRule {
        match peer {
            PeerKind::External => self.external,
            PeerKind::Internal => self.internal,
            PeerKind::Confederation => self.confederation,
        }
    }
}

/// Returns `true` if a peer of this kind accepts the attribute. If not, the peer discards it.
pub(crate) fn is_accepted(code: AttributeCode, peer: PeerKind) -> bool {
    rule(code).is_none_or(|rule| matches!(rule.from(peer), Accepts(_)))
}

/// Returns the Optional and Transitive bits to send with an attribute. `None` if its code has no rule.
pub(crate) fn flags(code: AttributeCode) -> Option<u8> {
    let (flags, _) = rule(code)?.flags;
    Some(flags)
}

/// The rules, indexed by code.
// A search of `RULES` for every attribute that takes the slow path would cost more than the table.
#[expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "evaluated at compile time"
)]
const BY_CODE: [Option<&Rule>; TABLE_LENGTH] = {
    let mut table = [None; TABLE_LENGTH];
    let mut next = 0;
    while next < RULES.len() {
        table[RULES[next].code.0 as usize] = Some(&RULES[next]);
        next += 1;
    }
    table
};

/// One more than the largest code in [`RULES`].
const TABLE_LENGTH: usize = 41;

/// The rule of ATTR_SET (RFC 6368 section 5), which is not in the table because its code, 128, would triple the size.
const ATTR_SET: Rule = Rule {
    code: AttributeCode::ATTR_SET,
    flags: OPTIONAL_TRANSITIVE,
    length: LengthRule::AtLeast(4),
    value: ValueRule::Attributes,
    external: Accepts(Withdraw),
    internal: Accepts(Withdraw),
    confederation: Accepts(Withdraw),
};

/// Returns the rule of an attribute, or `None` if its code is not parsed.
fn rule(code: AttributeCode) -> Option<&'static Rule> {
    if code == ATTR_SET.code {
        return Some(&ATTR_SET);
    }
    BY_CODE.get(usize::from(code.0)).copied().flatten()
}

impl LengthRule {
    /// Returns `true` if a value may have this length.
    fn allows(self, length: usize, context: &Context) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(octets) => length == octets,
            Self::AtLeast(octets) => length >= octets,
            // RFC 7606 section 7.8: zero octets are malformed, though zero is a multiple.
            Self::Multiple(octets) => length > 0 && length.is_multiple_of(octets),
            Self::Aggregator => length == if context.four_octet_as { 8 } else { 6 },
        }
    }
}

impl ValueRule {
    /// Returns the fault of a value whose length is valid.
    fn fault(self, raw: &RawAttribute<'_>, context: &Context) -> Finding {
        match self {
            Self::Any | Self::Host | Self::Triples | Self::Routes => None,
            Self::Origin => origin(raw),
            Self::AsPath => as_path(raw, context),
            Self::Aggregator | Self::As4Aggregator => aggregator(raw),
            Self::As4Path => as4_path(raw, context),
            Self::Tunnels => tunnels(raw),
            Self::Aigp => aigp(raw),
            Self::Sids => sids(raw),
            Self::Attributes => attr_set(raw),
        }
    }
}

/// Checks ORIGIN (RFC 7606 section 7.1).
#[inline(always)]
fn origin(raw: &RawAttribute<'_>) -> Finding {
    let known = raw
        .value
        .first()
        .is_some_and(|value| Origin(*value).name().is_some());
    (!known).then_some((Discard, Reason::INVALID_ORIGIN_ATTRIBUTE))
}

/// Checks AS_PATH (RFC 7606 section 7.2).
#[inline(always)]
fn as_path(raw: &RawAttribute<'_>, context: &Context) -> Finding {
    let path = AsPath::new(raw.value, context.four_octet_as);
    (!path.is_well_formed(segments(context))).then_some((Discard, Reason::MALFORMED_AS_PATH))
}

/// Returns the segment types that a path may have besides AS_SEQUENCE.
pub(crate) fn segments(context: &Context) -> AllowedSegments {
    AllowedSegments {
        // RFC 5065 section 5: confederation segments are valid only from within the confederation.
        confederation: match context.peer_kind {
            PeerKind::External => false,
            PeerKind::Internal => context.confederation,
            PeerKind::Confederation => true,
        },
        first: context.peer_kind == PeerKind::Confederation,
        sets: context.as_sets,
    }
}

/// Checks AGGREGATOR and AS4_AGGREGATOR: AS 0 is malformed (RFC 7607 section 2).
#[inline(always)]
fn aggregator(raw: &RawAttribute<'_>) -> Finding {
    let zero = Aggregator::from_checked(raw.value).asn.number() == 0;
    zero.then_some((Discard, Reason::OPTIONAL_ATTRIBUTE_ERROR))
}

/// Checks ATTR_SET: the nested attributes must be complete (RFC 6368 section 5).
fn attr_set(raw: &RawAttribute<'_>) -> Finding {
    // The nested attributes are not checked further: they belong to the customer, and this codec only passes them on.
    let whole =
        AttrSet::decode(*raw).is_some_and(|set| set.raw_attributes().all(|raw| raw.is_ok()));
    (!whole).then_some((Discard, Reason::OPTIONAL_ATTRIBUTE_ERROR))
}

/// Checks the TLVs of Tunnel Encapsulation (RFC 9012 section 13).
fn tunnels(raw: &RawAttribute<'_>) -> Finding {
    (!TunnelEncapsulation::new(raw.value).is_well_formed())
        .then_some((Discard, Reason::OPTIONAL_ATTRIBUTE_ERROR))
}

/// Checks AIGP: it must have complete TLVs and a metric (RFC 7311 section 3).
fn aigp(raw: &RawAttribute<'_>) -> Finding {
    let aigp = Aigp::new(raw.value);
    (!aigp.is_well_formed() || aigp.metric().is_none())
        .then_some((Discard, Reason::OPTIONAL_ATTRIBUTE_ERROR))
}

/// Checks the TLVs of Prefix-SID and their lengths (RFC 8669 section 6).
fn sids(raw: &RawAttribute<'_>) -> Finding {
    let sid = PrefixSid::new(raw.value);
    (!sid.is_well_formed() || !sid.iter().all(|tlv| tlv.is_legal_sid()))
        .then_some((Discard, Reason::OPTIONAL_ATTRIBUTE_ERROR))
}

/// Checks AS4_PATH: it must not be empty (RFC 6793 section 6).
fn as4_path(raw: &RawAttribute<'_>, context: &Context) -> Finding {
    let path = AsPath::new(raw.value, true);
    // RFC 6793 section 6: confederation segments are not malformed here. They are discarded when the paths are merged.
    let any = AllowedSegments {
        confederation: true,
        sets: true,
        first: false,
    };
    if raw.value.is_empty() || !path.is_well_formed(any) {
        return Some((Discard, Reason::OPTIONAL_ATTRIBUTE_ERROR));
    }
    // RFC 9774 section 3 withdraws routes with a set in AS4_PATH as well as in AS_PATH.
    let sets = !context.as_sets && path.segments().any(|segment| segment.segment_type.is_set());
    sets.then_some((Withdraw, Reason::MALFORMED_AS_PATH))
}
