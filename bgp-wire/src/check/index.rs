//! The attributes of a checked UPDATE that survive, and an index of their positions.

use crate::attribute::rules::{SLOTS, slot, verdict};
use crate::attribute::{RawAttribute, RawAttributes};
use crate::context::Context;
use crate::iana::AttributeCode;

/// The positions of surviving attributes in their message, for those that have a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index {
    /// Positions by slot; 0 if the attribute is absent.
    // No attribute begins at octet 0 of a message. `Option<u16>` would double the size of the index.
    positions: [u16; SLOTS],
}

impl Index {
    pub(super) const EMPTY: Self = Self {
        positions: [0; SLOTS],
    };

    /// Stores the position of an attribute, if its code has a slot.
    #[inline(always)]
    pub(super) fn insert(&mut self, slot: u8, position: u16) {
        // The slot of a code that is not indexed is out of range, so one test covers both.
        if let Some(stored) = self.positions.get_mut(usize::from(slot)) {
            *stored = position;
        }
    }

    /// Returns the position of an attribute, or `None` if it is absent or its code has no slot.
    #[inline(always)]
    pub(super) fn position(&self, code: AttributeCode) -> Option<u16> {
        let position = *self.positions.get(usize::from(slot(code)))?;
        (position != 0).then_some(position)
    }
}

/// Iterator over the attributes of a checked UPDATE that survive, in the order of the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct SurvivingAttributes<'a> {
    raw: RawAttributes<'a>,
    /// No attribute has a fault, so every attribute survives.
    all: bool,
    context: &'a Context,
    seen: Seen,
}

impl<'a> SurvivingAttributes<'a> {
    #[inline(always)]
    pub(super) fn new(raw: RawAttributes<'a>, all: bool, context: &'a Context) -> Self {
        Self {
            raw,
            all,
            context,
            seen: Seen::default(),
        }
    }
}

impl<'a> Iterator for SurvivingAttributes<'a> {
    type Item = RawAttribute<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<RawAttribute<'a>> {
        loop {
            let raw = self.raw.next()?.ok()?;
            if self.all {
                return Some(raw);
            }
            // Passed by value: a reference would keep the set in memory instead of registers.
            let (is_surviving, seen) = survives(raw, self.context, self.seen);
            self.seen = seen;
            if is_surviving {
                return Some(raw);
            }
        }
    }
}

/// Returns whether an attribute survives, and `seen` with its code.
#[cold]
fn survives(raw: RawAttribute<'_>, context: &Context, mut seen: Seen) -> (bool, Seen) {
    // RFC 7606 section 3 (g): only the first of several attributes with one code counts, even if it is malformed.
    let survives = seen.insert(raw.code) && verdict(&raw, context).is_none();
    (survives, seen)
}

/// A set of attribute codes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen([u64; 4]);

impl Seen {
    /// Adds a code. Returns `true` if it is new.
    #[inline(always)]
    pub(super) fn insert(&mut self, code: AttributeCode) -> bool {
        let Some(word) = self.0.get_mut(usize::from(code.0 >> 6)) else {
            debug_assert!(false, "four words have a bit for every code");
            return false;
        };
        let bit = 1 << (code.0 & 63);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}
