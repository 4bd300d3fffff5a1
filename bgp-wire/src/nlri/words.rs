//! The text of what has several parts: words with spaces between them, most of them pairs of a keyword and a value.

use core::str::{FromStr, SplitWhitespace};

/// The words of a text, read from its start.
#[derive(Clone)]
pub(super) struct Words<'a>(core::iter::Peekable<SplitWhitespace<'a>>);

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text.split_whitespace().peekable())
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    pub(super) fn peek(&mut self) -> Option<&'a str> {
        self.0.peek().copied()
    }

    /// Takes the word if it comes next.
    pub(super) fn take(&mut self, keyword: &str) -> bool {
        self.0.next_if_eq(&keyword).is_some()
    }

    /// The value behind a keyword that has to be there.
    pub(super) fn value<T: FromStr>(&mut self, keyword: &str) -> Option<T> {
        if !self.take(keyword) {
            return None;
        }
        self.next()?.parse().ok()
    }

    /// A number without a sign behind a keyword that has to be there.
    pub(super) fn number<T: FromStr>(&mut self, keyword: &str) -> Option<T> {
        if !self.take(keyword) {
            return None;
        }
        crate::text::number(self.next()?)
    }

    /// `Some` if no word is left.
    pub(super) fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }
}
