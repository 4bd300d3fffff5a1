//! A precompiled fast path: accepts attributes that are obviously valid and leaves the rest to [`super::verdict`].
//!
//! [`super::verdict`] alone is authoritative. Tests and the fuzz target compare the results of both.

use super::{
    CLASS, LengthRule, PeerRule, RULES, Rule, TABLE_LENGTH, ValueRule, aggregator, as_path, origin,
};
use crate::attribute::RawAttribute;
use crate::context::{Context, PeerKind};
use crate::iana::AttributeCode;
use crate::next_hop::is_usable_ipv4;

/// A condition under which an attribute is valid. If it does not hold, [`super::verdict`] decides.
#[derive(Clone, Copy)]
pub(crate) struct FastRule {
    /// The required flags; impossible ones if the fast path never applies.
    flags: u8,
    /// The slot of the attribute in the index, or [`NO_SLOT`].
    slot: u8,
    /// Subtracted from the length before its bits under `mask` are compared with `bits`.
    bias: u8,
    value: ValueRule,
    // One mask and one comparison express every length rule, so that no branch depends on the kind of rule.
    mask: u16,
    bits: u16,
}

/// The attributes whose positions are indexed, because accessors look them up by code.
const INDEXED_CODES: [AttributeCode; SLOTS] = [
    AttributeCode::ORIGIN,
    AttributeCode::AS_PATH,
    AttributeCode::NEXT_HOP,
    AttributeCode::MULTI_EXIT_DISC,
    AttributeCode::LOCAL_PREF,
    AttributeCode::COMMUNITIES,
    AttributeCode::ORIGINATOR_ID,
    AttributeCode::MP_REACH_NLRI,
    AttributeCode::MP_UNREACH_NLRI,
    AttributeCode::AS4_PATH,
    AttributeCode::AS4_AGGREGATOR,
    AttributeCode::LARGE_COMMUNITIES,
];

/// Number of indexed attributes.
pub(crate) const SLOTS: usize = 12;

/// The slot of attributes that are not indexed. It is beyond [`SLOTS`].
const NO_SLOT: u8 = u8::MAX;

/// Returns the fast rules for attributes from a peer of this kind, indexed by code.
pub(crate) fn fast_rules(peer: PeerKind) -> &'static [FastRule; TABLE_LENGTH] {
    static EXTERNAL: [FastRule; TABLE_LENGTH] = FastRule::table(PeerKind::External);
    static INTERNAL: [FastRule; TABLE_LENGTH] = FastRule::table(PeerKind::Internal);
    static CONFEDERATION: [FastRule; TABLE_LENGTH] = FastRule::table(PeerKind::Confederation);
    match peer {
        PeerKind::External => &EXTERNAL,
        PeerKind::Internal => &INTERNAL,
        PeerKind::Confederation => &CONFEDERATION,
    }
}

/// Returns the slot of an attribute in the index. It is beyond [`SLOTS`] if the attribute is not indexed.
// A loop over a constant: with a constant code the compiler reduces it to a number.
#[inline(always)]
pub(crate) const fn slot(code: AttributeCode) -> u8 {
    let mut slot = 0;
    let mut codes = INDEXED_CODES.as_slice();
    while let [first, rest @ ..] = codes {
        if first.0 == code.0 {
            return slot;
        }
        slot += 1;
        codes = rest;
    }
    NO_SLOT
}

impl FastRule {
    /// Returns the slot of the attribute if it is obviously valid, as nearly all received attributes are.
    #[inline(always)]
    pub(crate) fn slot(&self, raw: &RawAttribute<'_>, context: &Context) -> Option<u8> {
        // A length of 0 wraps under a bias of 1 and then has its highest bit set.
        let length = crate::error::position(raw.value.len()).wrapping_sub(self.bias.into());
        let regular = raw.flags.0 & CLASS == self.flags && length & self.mask == self.bits;
        let stands = regular
            && match self.value {
                ValueRule::Any => true,
                ValueRule::AsPath => as_path(raw, context).is_none(),
                ValueRule::Origin => origin(raw).is_none(),
                ValueRule::Host => is_usable_ipv4(crate::attribute::word(raw.value).into()),
                ValueRule::Aggregator => {
                    LengthRule::Aggregator.allows(raw.value.len(), context)
                        && aggregator(raw).is_none()
                }
                // The mask tests for a multiple of 4 only. 12 is not a power of two.
                ValueRule::Triples => raw.value.len().is_multiple_of(12),
                ValueRule::Routes
                | ValueRule::As4Path
                | ValueRule::As4Aggregator
                | ValueRule::Tunnels
                | ValueRule::Aigp
                | ValueRule::Sids
                | ValueRule::Attributes => false,
            };
        stands.then_some(self.slot)
    }

    /// Compiles the rules for one kind of peer into a table indexed by code.
    #[expect(
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "evaluated at compile time, of small numbers"
    )]
    const fn table(peer: PeerKind) -> [Self; TABLE_LENGTH] {
        let mut table = [Self {
            slot: NO_SLOT,
            ..Self::NEVER
        }; TABLE_LENGTH];
        let mut next = 0;
        while next < RULES.len() {
            let rule = &RULES[next];
            table[rule.code.0 as usize] = Self {
                slot: slot(rule.code),
                ..Self::from_rule(rule, peer)
            };
            next += 1;
        }
        table
    }

    /// A rule that no attribute fulfils.
    const NEVER: Self = Self {
        // Flags are compared under the mask `CLASS`, so these never match.
        flags: !CLASS,
        slot: 0,
        bias: 0,
        value: ValueRule::Any,
        mask: 0,
        bits: 0,
    };

    /// Compiles one rule. Rules that one comparison cannot express become [`Self::NEVER`].
    #[expect(
        clippy::as_conversions,
        reason = "evaluated at compile time, of small numbers"
    )]
    const fn from_rule(rule: &Rule, peer: PeerKind) -> Self {
        let (bias, mask, bits) = match (rule.from(peer), rule.length) {
            (PeerRule::Ignores, _) => return Self::NEVER,
            (_, LengthRule::Any) => (0, 0, 0),
            (_, LengthRule::Exactly(octets)) => (0, u16::MAX, octets as u16),
            // A positive multiple of 4, less 1, has its two lowest bits set. 0 less 1 also has the highest bit set.
            (_, LengthRule::Multiple(octets)) if octets.is_power_of_two() => {
                (1, 0x8000 | (octets as u16 - 1), octets as u16 - 1)
            }
            (_, LengthRule::Multiple(12)) if matches!(rule.value, ValueRule::Triples) => {
                (1, 0x8003, 3)
            }
            // At most 14 and even; `slot` compares the length with the negotiated size.
            (_, LengthRule::Aggregator) => (0, !0xe, 0),
            (_, LengthRule::Multiple(_) | LengthRule::AtLeast(_)) => return Self::NEVER,
        };
        Self {
            flags: rule.flags.0,
            slot: 0,
            bias,
            value: rule.value,
            mask,
            bits,
        }
    }
}
