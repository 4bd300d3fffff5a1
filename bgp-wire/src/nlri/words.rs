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

/// `FromStr` for what is written in words, all of which it takes.
macro_rules! in_words {
    ($type:ty, $parse:expr, $expected:literal) => {
        impl core::str::FromStr for $type {
            type Err = crate::ParseValueError;

            fn from_str(text: &str) -> Result<Self, crate::ParseValueError> {
                let mut words = Words::new(text);
                let parse: fn(&mut Words<'_>) -> Option<Self> = $parse;
                let value = parse(&mut words).filter(|_| words.end().is_some());
                value.ok_or(crate::ParseValueError {
                    expected: $expected,
                })
            }
        }
    };
}

pub(super) use in_words;
