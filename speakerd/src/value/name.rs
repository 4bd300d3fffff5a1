//! `Name`: the name of a lease or of an external owner.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name of 1 to 253 octets in which every character can be seen.
///
/// It may have spaces inside, and letters of every script. Control characters and those that change or hide what a terminal
/// shows are refused, so that no two names look the same on account of them.
///
/// ```
/// use speakerd::value::Name;
/// assert_eq!("default/nginx".parse::<Name>()?.as_str(), "default/nginx");
/// assert!("a\u{202e}b".parse::<Name>().is_err());
/// # Ok::<(), speakerd::value::ParseNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

impl Name {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNameError {
    /// It is empty or too long.
    #[error("a name has 1 to 253 octets, not {0}")]
    Length(usize),
    /// It has a character that cannot be seen.
    #[error("a name cannot have the character {} (octet {position})", .character.escape_unicode())]
    Invisible {
        /// The character.
        character: char,
        /// Its position in octets.
        position: usize,
    },
}

impl FromStr for Name {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        if !(1..=253).contains(&text.len()) {
            return Err(ParseNameError::Length(text.len()));
        }
        let mut characters = text.char_indices();
        match characters.find(|(_, character)| is_invisible(*character)) {
            Some((position, character)) => Err(ParseNameError::Invisible {
                character,
                position,
            }),
            None => Ok(Self(text.into())),
        }
    }
}

impl TryFrom<String> for Name {
    type Error = ParseNameError;

    fn try_from(text: String) -> Result<Self, ParseNameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.as_str().to_owned()
    }
}

/// Returns `true` for a character that a terminal does not show, or that changes how it shows others.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Soft hyphen, combining grapheme joiner, letter marks, fillers.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
            // Vowel separators of Khmer and Mongolian.
            | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            // Zero-width characters, marks and overrides of direction, line and paragraph separators.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Variation selectors, the byte order mark, interlinear annotation.
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Shorthand format controls, musical controls, tags and more variation selectors.
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_which_every_character_can_be_seen() {
        let longest = "a".repeat(253);
        for text in ["a", "default/nginx", "größe 1", "网络", &longest] {
            assert_eq!(text.parse::<Name>().unwrap().as_str(), text);
        }
        for (text, error) in [
            ("", ParseNameError::Length(0)),
            (&*"a".repeat(254), ParseNameError::Length(254)),
            (
                "a\nb",
                ParseNameError::Invisible {
                    character: '\n',
                    position: 1,
                },
            ),
        ] {
            assert_eq!(text.parse::<Name>(), Err(error));
        }
        for character in [
            '\0',
            '\u{1b}',
            '\u{7f}',
            '\u{85}',
            '\u{ad}',
            '\u{200b}',
            '\u{200d}',
            '\u{202e}',
            '\u{2066}',
            '\u{feff}',
            '\u{e0041}',
        ] {
            let text = format!("ä{character}");
            let error = text.parse::<Name>().unwrap_err();
            let position = 2;
            assert_eq!(
                error,
                ParseNameError::Invisible {
                    character,
                    position
                }
            );
            assert!(error.to_string().is_ascii(), "{error}");
        }
    }
}
