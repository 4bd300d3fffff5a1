//! MPLS labels and the label stack in front of a prefix (RFC 8277 section 2, RFC 3032).

use core::fmt;
use core::str::FromStr;

use super::NlriFormat;
use crate::parse::{Parsed, Short, array};
use crate::text::{ParseValueError, hex_array, number};

/// One entry of a label stack: 20 bits of label, three bits of traffic class, and the S bit (RFC 3032 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label([u8; 3]);

impl Label {
    /// The value of the label field in a withdrawal (RFC 8277 section 2.4).
    pub const WITHDRAWN: Self = Self([0x80, 0, 0]);

    /// Returns the label with this number and the S bit set, or `None` if `number` is above 1048575.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        match (number << 4 | 1).to_be_bytes() {
            [0, octets @ ..] if number < 1 << 20 => Some(Self(octets)),
            _ => None,
        }
    }

    /// Returns the three octets of the entry.
    #[must_use]
    pub const fn octets(self) -> [u8; 3] {
        self.0
    }

    /// Returns the label, 0 to 1048575.
    #[must_use]
    pub const fn number(self) -> u32 {
        let [a, b, c] = self.0;
        u32::from_be_bytes([0, a, b, c]) >> 4
    }

    /// Returns `true` if the S bit is set, which marks the last entry of a stack.
    #[must_use]
    pub const fn is_bottom(self) -> bool {
        let [.., low] = self.0;
        low & 1 != 0
    }

    /// Returns the entry with the S bit set or cleared.
    const fn with_bottom(self, bottom: bool) -> Self {
        let [a, b, low] = self.0;
        Self([a, b, if bottom { low | 1 } else { low & !1 }])
    }
}

/// The label stack in front of a prefix: one to ten entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels {
    entries: [Label; Self::MAX_ENTRIES],
    count: u8,
}

impl Labels {
    /// The maximum number of entries. The length octet counts bits, and ten entries are 240 of its 255 bits.
    pub const MAX_ENTRIES: usize = 10;

    /// Returns a stack of these labels, with the S bit set on the last entry only.
    ///
    /// Returns `None` if there are no labels or more than ten.
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

    /// Collects one to ten labels, without changing their S bits.
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

    /// Clears the unused entries.
    fn clear_rest(&mut self) {
        // The derived `Eq`, `Ord` and `Hash` compare unused entries, so these have to be equal.
        for entry in self.entries.iter_mut().skip(self.count.into()) {
            *entry = Label([0; 3]);
        }
    }

    /// Returns the entries, topmost first.
    #[must_use]
    pub fn as_slice(&self) -> &[Label] {
        let labels = self.entries.get(..usize::from(self.count));
        debug_assert!(labels.is_some(), "every constructor limits the count");
        labels.unwrap_or_default()
    }

    /// Parses a label stack in the form that `format` determines.
    pub(super) fn split<'a>(input: &'a [u8], format: &NlriFormat) -> Parsed<'a, Self> {
        let (mut rest, first) = array(input)?;
        let mut stack = Self::from(Label(first));
        let mut last = Label(first);
        // Without multiple labels the S bit is ignored (RFC 8277 section 2.2), and a withdrawal has one field
        // whatever is negotiated (section 2.4).
        while format.multiple_labels && !format.withdrawn && !last.is_bottom() {
            let (after, octets) = array(rest)?;
            (rest, last) = (after, Label(octets));
            // Eleven entries would exceed the 255 bits of an NLRI, so a stack without room is malformed.
            let slot = stack.entries.get_mut(usize::from(stack.count));
            *slot.ok_or(nom::Err::Error(Short))? = last;
            stack.count += 1;
        }
        Ok((rest, stack))
    }

    /// Returns the entries to encode: the stack, or the one field of a withdrawal.
    pub(super) fn encoded(&self, format: &NlriFormat) -> &[Label] {
        if format.withdrawn {
            // RFC 8277 section 2.4: receivers ignore the value, and older ones expect this one.
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
    /// Writes the numbers with `/` between them. An entry with an unusual traffic class or S bit is written in hex.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = usize::from(self.count).saturating_sub(1);
        for (position, label) in self.as_slice().iter().enumerate() {
            let slash = if position == 0 { "" } else { "/" };
            // The number alone reads back only if the traffic class is 0 and the S bit marks the last entry.
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
    /// Writes the label like a stack of one entry.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Labels::from(*self).fmt(f)
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Labels({self})")
    }
}

/// Parses the output of the `Display` of [`Labels`]. Returns `None` if the text is not one to ten labels.
pub(super) fn parse_labels(text: &str) -> Option<Labels> {
    let last = text.split('/').count() - 1;
    // `split` returns at least one part, so the stack never stays empty.
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
            expected: "one to ten labels of 0 to 1048575 with / between them: 100 or 100/200",
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
