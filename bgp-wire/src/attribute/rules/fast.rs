//! The rules once more, as what decides nearly every attribute in a few instructions.

use super::{
    CLASS, LengthRule, PeerRule, RULES, Rule, TABLE_LENGTH, ValueRule, aggregator, as_path, origin,
};
use crate::attribute::RawAttribute;
use crate::context::{Context, PeerKind};
use crate::iana::AttributeCode;
use crate::next_hop::is_host;

/// What makes it plain that an attribute stands. Of what is not plain [`super::verdict`] has to be asked.
#[derive(Clone, Copy)]
pub(crate) struct FastRule {
    /// The flags that it has; impossible ones where nothing is plain.
    flags: u8,
    /// Where it is noted.
    slot: u8,
    /// What is subtracted from the length before the bits of `mask` are compared with those of `bits`.
    bias: u8,
    value: ValueRule,
    mask: u16,
    bits: u16,
}

/// The attributes whose places are noted, because they are asked for by name.
const INDEXED_CODES: [AttributeCode; SLOTS] = [
    AttributeCode::ORIGIN,
    AttributeCode::AS_PATH,
    AttributeCode::NEXT_HOP,
    AttributeCode::MULTI_EXIT_DISC,
    AttributeCode::LOCAL_PREF,
    AttributeCode::COMMUNITIES,
    AttributeCode::MP_REACH_NLRI,
    AttributeCode::MP_UNREACH_NLRI,
    AttributeCode::AS4_PATH,
    AttributeCode::AS4_AGGREGATOR,
    AttributeCode::LARGE_COMMUNITIES,
];

/// How many places are noted.
pub(crate) const SLOTS: usize = 11;

/// The slot of attributes whose places are not noted.
const NO_SLOT: u8 = u8::MAX;

/// By code, what is plain of an attribute from a peer of this kind.
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

/// Where the place of an attribute of this code is noted; beyond [`SLOTS`] if it is not.
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
    /// Where the attribute is noted if it is plain that it stands, as it is of nearly all attributes that are sent.
    #[inline(always)]
    pub(crate) fn slot(&self, raw: &RawAttribute<'_>, context: &Context) -> Option<u8> {
        // An attribute has at most 65535 octets.
        let length = crate::error::position(raw.value.len()).wrapping_sub(self.bias.into());
        let regular = raw.flags.0 & CLASS == self.flags && length & self.mask == self.bits;
        let stands = regular
            && match self.value {
                ValueRule::Any => true,
                ValueRule::AsPath => as_path(raw, context).is_none(),
                ValueRule::Origin => origin(raw).is_none(),
                ValueRule::Host => is_host(crate::attribute::word(raw.value).into()),
                ValueRule::Aggregator => {
                    LengthRule::Aggregator.allows(raw.value.len(), context)
                        && aggregator(raw).is_none()
                }
                // Of three words each.
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

    const NEVER: Self = Self {
        flags: !CLASS,
        slot: 0,
        bias: 0,
        value: ValueRule::Any,
        mask: 0,
        bits: 0,
    };

    #[expect(
        clippy::as_conversions,
        reason = "evaluated at compile time, of small numbers"
    )]
    const fn from_rule(rule: &Rule, peer: PeerKind) -> Self {
        let (bias, mask, bits) = match (rule.from(peer), rule.length) {
            (PeerRule::Ignores, _) => return Self::NEVER,
            (_, LengthRule::Any) => (0, 0, 0),
            (_, LengthRule::Exactly(octets)) => (0, u16::MAX, octets as u16),
            // One less than a positive multiple of four has its two lowest bits set; than 0, the highest, too.
            (_, LengthRule::Multiple(octets)) if octets.is_power_of_two() => {
                (1, 0x8000 | (octets as u16 - 1), octets as u16 - 1)
            }
            (_, LengthRule::Multiple(12)) if matches!(rule.value, ValueRule::Triples) => {
                (1, 0x8003, 3)
            }
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
