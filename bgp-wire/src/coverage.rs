//! Tests that the coverage table in the crate's documentation matches the code.

use std::collections::BTreeSet;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use crate::attribute::{Attribute, RawAttribute};
use crate::context::{Context, PeerKind};
use crate::family::Family;
use crate::iana::{AttributeCode, CapabilityCode, MessageType};
use crate::message::Capability;

/// Returns the second column of the table rows of one kind.
fn documented(kind: &str) -> BTreeSet<String> {
    let rows = include_str!("coverage.md").lines();
    rows.filter_map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, row_kind, covered, standard, _] = cells[..] else {
            return None;
        };
        // A row without a standard does not count: readers look for the RFC that the code follows.
        let has_standard = standard.starts_with("RFC ") || standard.starts_with("draft-");
        (row_kind == kind && has_standard).then(|| covered.to_string())
    })
    .collect()
}

#[test]
fn every_message_type_is_documented() {
    let all = MessageType::REGISTERED.iter().map(ToString::to_string);
    assert_eq!(documented("message"), all.collect());
}

#[test]
fn every_parsed_capability_is_documented() {
    // A capability counts as parsed if any value decodes to something other than `Unknown`. Zeros of each length suit
    // most grammars; text and lists need the four extra values.
    let values: Vec<Vec<u8>> = (0..20)
        .map(|length| vec![0; length])
        .chain([
            vec![0, 1, 0, 1],
            vec![0, 0, 0, 1],
            vec![1, b'a', 0],
            vec![1, b'a'],
        ])
        .collect();
    let typed = |code: u8| {
        let known = |value: &Vec<u8>| {
            let length = u8::try_from(value.len()).unwrap();
            let octets = [&[code, length], value.as_slice()].concat();
            let (_, capability) = Capability::split(&octets).unwrap();
            !matches!(capability, Capability::Unknown(..))
        };
        values.iter().any(known)
    };
    let all = (0..=255)
        .filter(|code| typed(*code))
        .map(|code| format!("{code} {}", CapabilityCode(code)));
    assert_eq!(documented("capability"), all.collect());
}

#[test]
fn every_parsed_attribute_is_documented() {
    let context = Context::new(PeerKind::Internal);
    let typed = |code: u8| {
        let raw = RawAttribute {
            // Eight octets are enough for every typed value.
            code: AttributeCode(code),
            ..RawAttribute::split(&[0xc0, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0], 0)
                .unwrap()
                .1
        };
        !matches!(Attribute::decode(raw, &context), Attribute::Unknown(_))
    };
    let all = (0..=255)
        .filter(|code| typed(*code))
        .map(|code| format!("{code} {}", AttributeCode(code)));
    assert_eq!(documented("attribute"), all.collect());
}

#[test]
fn every_parsed_family_is_documented() {
    let all = Family::PARSED.iter().map(ToString::to_string);
    assert_eq!(documented("routes"), all.collect());
}
