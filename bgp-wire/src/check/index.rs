//! Which attributes of a checked UPDATE survive, and where they stand.

use crate::attribute::rules::{SLOTS, slot, verdict};
use crate::attribute::{RawAttribute, RawAttributes};
use crate::context::Context;
use crate::iana::AttributeCode;

/// Where those of the surviving attributes stand in their message that are asked for by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Index {
    /// By slot; 0 where there is none: no attribute starts at the first octet of a message.
    positions: [u16; SLOTS],
}

impl Index {
    pub(super) const EMPTY: Self = Self {
        positions: [0; SLOTS],
    };

    /// Notes an attribute, if it is one that is asked for by name.
    #[inline(always)]
    pub(super) fn insert(&mut self, slot: u8, position: u16) {
        if let Some(noted) = self.positions.get_mut(usize::from(slot)) {
            *noted = position;
        }
    }

    #[inline(always)]
    pub(super) fn position(&self, code: AttributeCode) -> Option<u16> {
        let position = *self.positions.get(usize::from(slot(code)))?;
        (position != 0).then_some(position)
    }
}

/// The attributes of a checked UPDATE that survive, as they stand in the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct SurvivingAttributes<'a> {
    raw: RawAttributes<'a>,
    /// Every attribute survives.
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
            // By value: what is lent to a function is kept in memory.
            let (yes, seen) = survives(raw, self.context, self.seen);
            self.seen = seen;
            if yes {
                return Some(raw);
            }
        }
    }
}

/// Whether an attribute survives. `seen` are the codes that were met before.
#[cold]
fn survives(raw: RawAttribute<'_>, context: &Context, mut seen: Seen) -> (bool, Seen) {
    let survives = seen.insert(raw.code) && verdict(&raw, context).is_none();
    (survives, seen)
}

/// The attribute codes that were met.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen([u64; 4]);

impl Seen {
    /// Whether the code is new.
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
