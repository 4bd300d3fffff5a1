//! The elements of the text form of path attributes: keywords, brackets, and an error with an example.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

// The keywords follow ExaBGP, whose commands operators know.
pub(super) const HEX: &str = "attribute";
pub(super) const AIGP: &str = "aigp";
pub(super) const PREFIX_SID: &str = "bgp-prefix-sid";
pub(super) const PMSI_TUNNEL: &str = "pmsi-tunnel";
pub(super) const IPV6_COMMUNITIES: &str = "ipv6-extended-community";

/// An example for every keyword. The error for an unknown keyword lists the keywords of this table.
const EXAMPLES: [(&str, &str); 17] = [
    ("origin", "origin igp, egp or incomplete"),
    ("as-path", "as-path [ 64512 64513 ]"),
    ("med", "med 10"),
    ("local-preference", "local-preference 100"),
    ("atomic-aggregate", "atomic-aggregate, once"),
    ("aggregator", "aggregator 64512:192.0.2.1"),
    ("community", "community [ 64512:1 no-export ]"),
    ("originator-id", "originator-id 192.0.2.1"),
    ("cluster-list", "cluster-list [ 192.0.2.1 ]"),
    (
        "extended-community",
        "extended-community [ target:64512:1 ]",
    ),
    ("large-community", "large-community [ 64512:1:2 ]"),
    ("otc", "otc 64512"),
    (HEX, "attribute [ 0x63 0xc0 0x0102 ]: code, flags, value"),
    (AIGP, "aigp 100"),
    (
        PREFIX_SID,
        "bgp-prefix-sid [ 100 ], of which the number is the label index",
    ),
    (
        PMSI_TUNNEL,
        "pmsi-tunnel [ ingress-replication 100 192.0.2.1 ]: type, label field, identifier",
    ),
    (
        IPV6_COMMUNITIES,
        "ipv6-extended-community [ target:2001:db8::1:7 ]",
    ),
];

/// Returns the words between `[` and `]`, or one word without brackets. `None` if a bracket is not closed.
pub(super) fn bracketed<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Vec<&'a str>> {
    match words.next()? {
        "[" => {
            let mut inside = Vec::new();
            loop {
                match words.next()? {
                    "]" => return Some(inside),
                    word => inside.push(word),
                }
            }
        }
        // ExaBGP permits a single item without brackets.
        word => Some([word].into()),
    }
}

/// Parses a list of items in brackets. Returns `None` if an item is invalid or the list is empty.
pub(super) fn items<'a, T: FromStr>(words: &mut impl Iterator<Item = &'a str>) -> Option<Vec<T>> {
    // RFC 7606 section 7.8: an attribute without items is malformed, so an empty list is a mistake.
    bracketed(words)?
        .into_iter()
        .map(|word| word.parse().ok())
        .collect::<Option<Vec<T>>>()
        .filter(|items| !items.is_empty())
}

/// The text is not a list of path attributes. Contains the first keyword that is unknown, repeated, or has an invalid
/// value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseAttributesError(pub String);

impl fmt::Display for ParseAttributesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.as_str();
        match EXAMPLES.iter().find(|(keyword, _)| *keyword == name) {
            // A repeated keyword also gets here: the example is then the form of the single one.
            Some((_, example)) => write!(f, "invalid or duplicate `{name}`; write {example}"),
            None => write!(
                f,
                "unknown attribute `{name}`; expected one of {}",
                EXAMPLES.map(|(keyword, _)| keyword).join(", ")
            ),
        }
    }
}

impl core::error::Error for ParseAttributesError {}
