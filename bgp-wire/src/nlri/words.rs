//! Parsing of text that consists of words, most of them pairs of a keyword and a value.

use core::str::{FromStr, SplitWhitespace};

/// An iterator over the words of a text, with one word of lookahead.
#[derive(Clone)]
pub(super) struct Words<'a>(core::iter::Peekable<SplitWhitespace<'a>>);

impl<'a> Words<'a> {
    /// Splits `text` at white space.
    pub(super) fn new(text: &'a str) -> Self {
        Self(text.split_whitespace().peekable())
    }

    /// Takes the next word. Returns `None` at the end.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    /// Returns the next word without taking it. Returns `None` at the end.
    pub(super) fn peek(&mut self) -> Option<&'a str> {
        self.0.peek().copied()
    }

    /// Takes the next word if it is `keyword`. Returns `true` if it was taken.
    pub(super) fn take(&mut self, keyword: &str) -> bool {
        self.0.next_if_eq(&keyword).is_some()
    }

    /// Takes `keyword` and the value after it. Returns `None` if either is missing or the value is invalid.
    pub(super) fn value<T: FromStr>(&mut self, keyword: &str) -> Option<T> {
        if !self.take(keyword) {
            return None;
        }
        self.next()?.parse().ok()
    }

    /// Takes `keyword` and the number after it. Returns `None` if either is missing or the number is invalid.
    pub(super) fn number<T: FromStr>(&mut self, keyword: &str) -> Option<T> {
        if !self.take(keyword) {
            return None;
        }
        // `FromStr` of the integers would accept a plus sign, and the text would not read back the same.
        crate::text::number(self.next()?)
    }

    /// Returns `Some` at the end, and `None` if a word is left.
    pub(super) fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }
}

/// Implements `FromStr` with a parser of words.
macro_rules! parse_from_words {
    ($type:ty, $parse:expr, $expected:literal) => {
        impl core::str::FromStr for $type {
            type Err = crate::ParseValueError;

            fn from_str(text: &str) -> Result<Self, crate::ParseValueError> {
                let mut words = Words::new(text);
                let parse: fn(&mut Words<'_>) -> Option<Self> = $parse;
                // The parser stops at the end of the value, so a word that is left is an error.
                let value = parse(&mut words).filter(|_| words.end().is_some());
                value.ok_or(crate::ParseValueError {
                    expected: $expected,
                })
            }
        }
    };
}

pub(super) use parse_from_words;
