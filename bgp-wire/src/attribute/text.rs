//! Path attributes in the syntax of ExaBGP's commands: `origin igp as-path [ 64512 64513 ] local-preference 100`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::net::Ipv4Addr;
use core::str::FromStr;

use super::words::{ParseAttributesError, bracketed, items};
use super::{Aggregator, AttributeSet, RawAttributeBuf};
use crate::iana::Origin;
use crate::text::number;

impl fmt::Display for AttributeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ExaBGP writes it in lower case, the IANA registry in upper case.
        let mut origin = String::new();
        write!(origin, "{}", self.origin)?;
        write!(f, "origin {}", origin.to_ascii_lowercase())?;
        // Empty segments are not encoded, so a path of such segments counts as empty.
        let mut segments = self.as_path.segments.iter();
        if segments.any(|segment| !segment.asns.is_empty()) {
            write!(f, " as-path [ {} ]", self.as_path)?;
        }
        option(f, "med", self.multi_exit_disc)?;
        option(f, "local-preference", self.local_pref)?;
        if self.atomic_aggregate {
            f.write_str(" atomic-aggregate")?;
        }
        option(f, "aggregator", self.aggregator)?;
        list(f, "community", &self.communities)?;
        option(f, "originator-id", self.originator_id)?;
        list(f, "cluster-list", &self.cluster_list)?;
        list(f, "extended-community", &self.extended_communities)?;
        list(f, "large-community", &self.large_communities)?;
        option(f, "otc", self.only_to_customer)?;
        self.unknown
            .iter()
            .try_for_each(|attribute| write!(f, " {attribute}"))
    }
}

/// Writes a name and its value, or nothing for `None`.
fn option(f: &mut fmt::Formatter<'_>, name: &str, value: Option<impl fmt::Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name} {value}"))
}

/// Writes a name and its values in brackets, or nothing for an empty list.
fn list(f: &mut fmt::Formatter<'_>, name: &str, values: &[impl fmt::Display]) -> fmt::Result {
    if values.is_empty() {
        return Ok(());
    }
    write!(f, " {name} [")?;
    values.iter().try_for_each(|value| write!(f, " {value}"))?;
    f.write_str(" ]")
}

impl fmt::Display for Aggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.asn, self.address)
    }
}

impl FromStr for Aggregator {
    type Err = ParseAttributesError;

    /// Parses an AS number and an IPv4 address with a colon between them.
    fn from_str(text: &str) -> Result<Self, ParseAttributesError> {
        let parse = || {
            let (asn, address) = text.split_once(':')?;
            Some(Self {
                asn: asn.parse().ok()?,
                address: address.parse().ok()?,
            })
        };
        parse().ok_or_else(|| ParseAttributesError(String::from("aggregator")))
    }
}

impl FromStr for AttributeSet {
    type Err = ParseAttributesError;

    /// Parses attributes in any order. Each keyword may appear once, except `attribute`. The default origin is
    /// incomplete.
    fn from_str(text: &str) -> Result<Self, ParseAttributesError> {
        let mut set = Self::new(Origin::INCOMPLETE);
        let (mut words, mut seen) = (text.split_whitespace(), Vec::new());
        while let Some(name) = words.next() {
            // The error names the keyword, because its message shows an example for each.
            let error = || ParseAttributesError(String::from(name));
            // `attribute` may have another code each time. The encoder refuses a repeated code.
            if name != "attribute" {
                // At most one entry for each other keyword, however long the text is.
                if seen.contains(&name) {
                    return Err(error());
                }
                seen.push(name);
            }
            set.parse(name, &mut words).ok_or_else(error)?;
        }
        // The encoder requires ascending codes, and an operator may write any order.
        set.unknown.sort_by_key(|unknown| unknown.code);
        Ok(set)
    }
}

impl AttributeSet {
    /// Parses the words after one keyword into its field. Returns `None` if they are invalid.
    fn parse<'a>(&mut self, name: &str, words: &mut impl Iterator<Item = &'a str>) -> Option<()> {
        match name {
            "origin" => self.origin = words.next()?.parse().ok()?,
            // Joined again, because a set may have spaces after its commas.
            "as-path" => self.as_path = bracketed(words)?.join(" ").parse().ok()?,
            "med" => self.multi_exit_disc = Some(number(words.next()?)?),
            "local-preference" => self.local_pref = Some(number(words.next()?)?),
            "atomic-aggregate" => self.atomic_aggregate = true,
            "aggregator" => self.aggregator = Some(words.next()?.parse().ok()?),
            "community" => self.communities = items(words)?,
            "originator-id" => self.originator_id = Some(words.next()?.parse::<Ipv4Addr>().ok()?),
            "cluster-list" => self.cluster_list = items(words)?,
            "extended-community" => self.extended_communities = items(words)?,
            "large-community" => self.large_communities = items(words)?,
            "otc" => self.only_to_customer = Some(words.next()?.parse().ok()?),
            _ => self.unknown.push(RawAttributeBuf::parse(name, words)?),
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::v1::*;

    use super::*;

    #[test]
    fn attribute_set_text_round_trips() {
        for text in [
            "origin incomplete",
            "origin igp as-path [ 64512 {1,2} ] med 0 local-preference 100 atomic-aggregate aggregator \
             64512:192.0.2.1 community [ 64512:1 no-export ] originator-id 192.0.2.1 cluster-list [ 192.0.2.1 \
             192.0.2.2 ] extended-community [ target:64512:1 color:5 ] large-community [ 1:2:3 ] otc 64512 attribute \
             [ 0x19 0xc0 0x0102 ] aigp 100 attribute [ 0x63 0xc0 0x ]",
        ] {
            let set: AttributeSet = text.parse().unwrap();
            assert_eq!(set.to_string(), text);
        }
        let loose = " local-preference 1  origin ?  community 1:1 as-path [ ]";
        let set: AttributeSet = loose.parse().unwrap();
        assert_eq!(
            set.to_string(),
            "origin incomplete local-preference 1 community [ 1:1 ]"
        );
        for (text, culprit) in [
            ("origin", "origin"),
            ("origin x", "origin"),
            ("med 1 med 2", "med"),
            ("med -1", "med"),
            ("community [ 1:1", "community"),
            ("community [ ]", "community"),
            ("nonsense 1", "nonsense"),
            ("attribute [ 0x63 0xc0 ]", "attribute"),
            ("attribute [ 0x63 0xc 0x00 ]", "attribute"),
            ("aggregator 1", "aggregator"),
        ] {
            let error = text.parse::<AttributeSet>().unwrap_err();
            assert_eq!(error.0, culprit, "{text}");
            assert!(error.to_string().contains(culprit));
        }
    }
}
