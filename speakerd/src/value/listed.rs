//! `Listed`: a list in a message, of which only the first items are shown.

use std::fmt;

/// The first items of a list, and the number of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    shown: Vec<String>,
    more: usize,
}

impl Listed {
    /// Takes the first eight items, each up to 80 characters.
    pub(crate) fn new(items: impl IntoIterator<Item = String>) -> Self {
        let mut items = items.into_iter();
        let shown = items.by_ref().take(SHOWN);
        Self {
            shown: shown.map(|item| shortened(&item)).collect(),
            more: items.count(),
        }
    }

    /// Returns `true` if the list has no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }
}

impl fmt::Display for Listed {
    /// Writes the items with commas between them, and the number of those that are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown.join(", "))?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Returns a text with at most 80 characters.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The number of items that are shown.
const SHOWN: usize = 8;

/// The number of characters of an item that are shown.
const WIDTH: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_items_and_the_number_of_the_others_are_shown() {
        let listed = |count: usize| Listed::new((0..count).map(|number| number.to_string()));
        assert!(listed(0).is_empty());
        assert_eq!(listed(2).to_string(), "0, 1");
        assert_eq!(listed(8).to_string(), "0, 1, 2, 3, 4, 5, 6, 7");
        assert_eq!(listed(9).to_string(), "0, 1, 2, 3, 4, 5, 6, 7 and 1 more");
        let long = Listed::new(["ä".repeat(81)]).to_string();
        assert_eq!(long, format!("{}…", "ä".repeat(80)));
        let whole = Listed::new(["ä".repeat(80)]).to_string();
        assert_eq!(whole, "ä".repeat(80));
    }
}
