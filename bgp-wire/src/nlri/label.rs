//! MPLS labels and their stacks as they stand in front of a prefix (RFC 8277 section 2, RFC 3032).

use core::fmt;
use core::str::FromStr;

use super::NlriFormat;
use crate::parse::{Parsed, Short, array};
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
    entries: [Label; Self::MAX_ENTRIES],
    count: u8,
}

impl Labels {
    /// As many entries as the length octet of an NLRI allows.
    pub const MAX_ENTRIES: usize = 10;

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
            entries: [Label([0; 3]); Self::MAX_ENTRIES],
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
        let labels = self.entries.get(..usize::from(self.count));
        debug_assert!(labels.is_some(), "every constructor limits the count");
        labels.unwrap_or_default()
    }

    pub(super) fn split<'a>(input: &'a [u8], format: &NlriFormat) -> Parsed<'a, Self> {
        let (mut rest, first) = array(input)?;
        let mut stack = Self::from(Label(first));
        let mut last = Label(first);
        while format.multiple_labels && !format.withdrawn && !last.is_bottom() {
            let (after, octets) = array(rest)?;
            (rest, last) = (after, Label(octets));
            let slot = stack.entries.get_mut(usize::from(stack.count));
            *slot.ok_or(nom::Err::Error(Short))? = last;
            stack.count += 1;
        }
        Ok((rest, stack))
    }

    /// What is written of the stack: a withdrawal has one field that means nothing.
    pub(super) fn sent(&self, format: &NlriFormat) -> &[Label] {
        if format.withdrawn {
            &[Label::WITHDRAWN]
        } else {
            self.as_slice()
        }
    }
}

impl From<Label> for Labels {
    fn from(label: Label) -> Self {
        let mut entries = [Label([0; 3]); Self::MAX_ENTRIES];
        [entries[0], ..] = [label; Self::MAX_ENTRIES];
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

pub(super) fn parse_labels(text: &str) -> Option<Labels> {
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
